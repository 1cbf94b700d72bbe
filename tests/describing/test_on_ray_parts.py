"""What of the runner on Ray needs no cluster."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch import registry
from imgmatch.arrays import pack_arrays
from imgmatch.cluster.build import differences, own_build
from imgmatch.cluster.packing import packed, unpacked
from imgmatch.describing.messages import Job, job_message, reply_message
from imgmatch.describing.on_ray.link import Link
from imgmatch.describing.on_ray.slot import UNSEEN, Slot
from imgmatch.describing.on_ray.slots import SlotLostError, answer_in, parsed
from imgmatch.describing.settings import Settings
from imgmatch.errors import ImgmatchError
from imgmatch.features import codebook
from imgmatch.features.refined import RefinedCodebook
from imgmatch.matching.pair_units import pack_pairs
from imgmatch.model import Failure, SkipReason

if TYPE_CHECKING:
    from pathlib import Path

MESSAGES = st.lists(
    st.tuples(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3), st.binary()),
    max_size=5,
)


@given(MESSAGES)
def test_messages_arrive_as_they_were_packed(messages: list[tuple[dict[str, Any], bytes]]) -> None:
    assert unpacked(packed(messages)) == messages


@given(MESSAGES.filter(bool), st.data())
def test_messages_that_are_cut_off_are_never_taken_for_whole(
    messages: list[tuple[dict[str, Any], bytes]], data: st.DataObject
) -> None:
    whole = packed(messages)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        assert unpacked(cut) == messages[: len(unpacked(cut))]
        assert len(unpacked(cut)) < len(messages)
    except (EOFError, ValueError):
        pass


FAILED = reply_message(Failure(SkipReason.FLAT, "flat"))


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"what is no message",
        packed([FAILED])[:-1],
        packed([]),
        packed([FAILED, FAILED]),
        packed([({"skip": "no reason", "detail": ""}, b"")]),
        packed([({"skip": "flat"}, b"")]),
        packed([({"pictures": []}, b"")]),
        packed([({}, b"")]),
        b"\0\0\0\2\0\0\0\0[]",
        b"\0\1\0\0\0\0\0\0" + b"[" * 65536,
    ],
)
def test_a_node_that_answers_what_is_no_reply_is_lost_and_no_photo_is_to_blame(answer: object) -> None:
    with pytest.raises(SlotLostError, match="a node answered") as raised:
        parsed(answer, 1)
    assert raised.value.reason is None


@pytest.mark.parametrize(
    "answer", [None, b"what is no message", packed([]), packed([({}, b"1"), ({}, b"2")]), packed([({}, b"1")])[:-1]]
)
def test_a_node_that_answers_a_unit_with_what_is_no_message_is_lost(answer: object) -> None:
    with pytest.raises(SlotLostError, match="a node answered what is no reply"):
        answer_in(answer)


def test_a_slot_answers_a_unit_or_says_why_it_has_no_answer() -> None:
    slot = Slot(json.dumps(asdict(Settings(("dhash",), features=False))))
    try:
        assert answer_in(slot.answer("verify", pack_pairs(registry.DEFAULT_CODEBOOK, []))) == pack_arrays(
            {"scores": []}
        )
        for kind, said in (("verify", "these are no arrays"), ("dance", "no unit is called 'dance'")):
            refused = answer_in(slot.answer(kind, b""))
            assert isinstance(refused, ImgmatchError)
            assert said in str(refused)
    finally:
        slot.end()


def test_what_a_node_does_not_see_is_told_from_what_it_cannot_use() -> None:
    assert parsed(packed([UNSEEN, FAILED]), 2) == [None, Failure(SkipReason.FLAT, "flat")]


def test_machines_that_differ_are_told_by_what_they_differ_in() -> None:
    here = {"imgmatch": "1.0", "Pillow": "11.3", "codebook a": "12"}
    there = {"imgmatch": "1.1", "Pillow": "11.3", "codebook b": "12"}
    assert differences(here, here) == ""
    assert differences(here, there) == (
        "imgmatch 1.1 (here 1.0); codebook a unknown (here 12); codebook b 12 (here unknown)"
    )


def test_a_codebook_of_which_any_number_differs_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    here = own_build()
    known = registry.codebook("sift-4096x16-32x4-v1")
    assert isinstance(known, RefinedCodebook)
    other = replace(known, refinements=known.refinements + np.int16(1))
    monkeypatch.setattr(registry, "codebook", lambda name: other if name == known.name else codebook.shipped())
    own_build.cache_clear()
    there = own_build()
    own_build.cache_clear()
    assert {name for name in here if here[name] != there[name]} == {f"codebook {known.name}"}


def test_a_machine_says_what_it_describes_with() -> None:
    build = own_build()
    assert {"imgmatch", "source of imgmatch", "Python", "Pillow", "OpenCV", "codebook sift-4096-32x4-v1"} <= set(build)
    assert all(build.values())


def test_a_node_uses_only_a_file_that_is_the_one_meant(tmp_path: Path) -> None:
    photo = tmp_path / "1.txt"
    photo.write_bytes(b"no picture")
    state = photo.stat()
    head, _ = job_message(Job(photo))
    slot = Slot(json.dumps(asdict(Settings(("dhash",), features=False))))
    files = [[10, state.st_mtime_ns], [11, state.st_mtime_ns], [10, state.st_mtime_ns - 3_000_000_000]]
    none = job_message(Job(tmp_path / "none"))[0]
    chunk = [*({**head, "file": file} for file in files), {**none, "file": files[0]}]
    try:
        replies = parsed(slot.describe(packed((each, b"") for each in chunk)), 4)
    finally:
        slot.end()
    assert replies[1:] == [None, None, None]
    assert isinstance(replies[0], Failure)
    assert replies[0].reason is SkipReason.UNREADABLE


def test_a_connection_that_was_closed_before_it_was_made_says_so() -> None:
    link = Link("ray://head:10001", 1, Settings())
    link.close()
    link.close()
    with pytest.raises(ImgmatchError, match="closed"):
        link.start()
