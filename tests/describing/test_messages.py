from __future__ import annotations

import os
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.describing.messages import (
    DescribedPicture,
    Description,
    Job,
    QueryFeatures,
    Reply,
    StoredFeatures,
    Unchanged,
    Viewed,
    job_message,
    job_of,
    parse_reply,
    reply_message,
)
from imgmatch.describing.worker import parse_job
from imgmatch.features.extract import Features
from imgmatch.framing import read_message, write_message
from imgmatch.model import Failure, NamedPhoto, SkipReason

HEADS = st.dictionaries(
    st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=20), max_size=4
)
PRINTS = st.dictionaries(st.text(max_size=8), st.binary(max_size=40), max_size=3)
DIGESTS = st.binary(min_size=32, max_size=32)
PATHS = st.binary(min_size=1, max_size=60).map(lambda raw: Path("/", os.fsdecode(raw)))  # any bytes a system may hold
WANTED = (st.none() | DIGESTS, st.booleans(), st.none() | st.integers(1, 480), st.booleans())
JOBS = st.builds(Job, PATHS, *WANTED, st.none() | PATHS) | st.builds(Job, st.binary(max_size=300), *WANTED)


def asked_about(count: int) -> QueryFeatures:
    """What a query of so many points is searched with."""
    rng = np.random.default_rng(count)
    features = Features(
        rng.random((count, 4), np.float32), rng.integers(0, 256, (count, 128), dtype=np.uint8), 1.0, 0.7
    )
    if count % 2:
        features = replace(features, drawn=rng.random((16, 16)) < 0.5)
    return QueryFeatures(rng.integers(0, 256, (7, 10), dtype=np.uint8), features)


PICTURES = st.builds(
    DescribedPicture,
    pixels=st.binary(min_size=16, max_size=16),
    fingerprints=PRINTS,
    orientations=PRINTS,
    flat=st.none() | st.text(),
    stored=st.none() | st.builds(StoredFeatures, st.binary(max_size=60), st.binary(max_size=60)),
    asked=st.none() | st.integers(0, 5).map(asked_about),
    frame=st.none() | st.integers(1, 2_000),
    share=st.none() | st.floats(0, 1),
    panel=st.none() | st.tuples(*[st.tuples(st.floats(0, 1), st.floats(0, 1))] * 4),
)

REPLIES: st.SearchStrategy[Reply] = st.one_of(
    st.builds(Failure, st.sampled_from(SkipReason), st.text()),
    st.just(Unchanged()),
    st.builds(
        Description,
        sha256=DIGESTS,
        width=st.integers(1, 30_000),
        height=st.integers(1, 30_000),
        format=st.text(max_size=8),
        quality=st.integers(0, 100),
        pictures=st.lists(PICTURES, min_size=1, max_size=3).map(tuple),
    ),
    st.builds(Viewed, st.binary(max_size=60), st.integers(1, 480), st.integers(1, 480), DIGESTS),
)


def same(one: Reply, other: Reply) -> bool:
    """Arrays are compared by what they hold."""
    if not isinstance(one, Description) or not isinstance(other, Description):
        return one == other
    assert len(one.pictures) == len(other.pictures)
    pictures = all(map(same_picture, one.pictures, other.pictures))
    return pictures and replace(one, pictures=()) == replace(other, pictures=())


def same_picture(one: DescribedPicture, other: DescribedPicture) -> bool:
    if one.asked is None:
        return one == other
    assert other.asked is not None
    mine, yours = one.asked.features, other.asked.features
    assert np.array_equal(one.asked.picture, other.asked.picture)
    assert np.array_equal(mine.points, yours.points)
    assert np.array_equal(mine.descriptors, yours.descriptors)
    assert (mine.width, mine.height) == (yours.width, yours.height)
    if mine.drawn is None or yours.drawn is None:
        assert mine.drawn is yours.drawn
    else:
        assert np.array_equal(mine.drawn, yours.drawn)
    return replace(one, asked=None) == replace(other, asked=None)


def sent(head: dict[str, Any], body: bytes = b"") -> bytes:
    stream = BytesIO()
    write_message(stream, head, body)
    return stream.getvalue()


@given(st.lists(st.tuples(HEADS, st.binary(max_size=200)), max_size=4))
def test_messages_arrive_as_they_were_sent_one_after_the_other(messages: list[tuple[dict[str, Any], bytes]]) -> None:
    stream = BytesIO(b"".join(sent(head, body) for head, body in messages))
    assert [read_message(stream) for _ in messages] == messages
    with pytest.raises(EOFError):
        read_message(stream)


@given(HEADS, st.binary(max_size=50), st.data())
def test_a_stream_cut_anywhere_ends_as_one(head: dict[str, Any], body: bytes, data: st.DataObject) -> None:
    whole = sent(head, body)
    with pytest.raises(EOFError):
        read_message(BytesIO(whole[: data.draw(st.integers(0, len(whole) - 1))]))


@given(JOBS)
def test_a_job_is_understood_as_it_was_meant(job: Job) -> None:
    assert parse_job(*read_message(BytesIO(sent(*job_message(job))))) == job


@given(REPLIES)
def test_a_reply_is_understood_as_it_was_meant(reply: Reply) -> None:
    assert same(parse_reply(*read_message(BytesIO(sent(*reply_message(reply))))), reply)


def test_a_relative_path_is_sent_as_an_absolute_one() -> None:
    head, body = job_message(Job(Path("a/1.jpg")))
    assert (head["path"], body) == (str(Path.cwd() / "a" / "1.jpg"), b"")


def test_a_failure_says_its_reason_and_its_detail_if_it_has_one() -> None:
    assert str(Failure(SkipReason.TOO_LARGE, "9 x 9")) == "too large: 9 x 9"
    assert str(Failure(SkipReason.MISSING, "")) == "missing"


def test_a_named_photo_stands_for_a_job_or_for_the_failure_it_came_with() -> None:
    failure = Failure(SkipReason.REFUSED, "outside")
    assert job_of(NamedPhoto("a", failure)) is failure
    root = Path("/photos")
    assert job_of(NamedPhoto("a", root / "1.jpg", root)) == Job(root / "1.jpg", root=root)
    assert job_of(NamedPhoto("a", b"bytes"), query=True) == Job(b"bytes", query=True)
    assert job_of(NamedPhoto("a", b"bytes"), query=True, features=False) == Job(b"bytes", query=True, features=False)
    assert Job(b"bytes").features
