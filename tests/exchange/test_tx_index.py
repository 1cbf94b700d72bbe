from __future__ import annotations

import io
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from codes import random_codes
from hypothesis import given, settings
from hypothesis import strategies as st
from needing_tx import need_tx

need_tx()

from threatexchange.signal_type.pdq.pdq_index import PDQIndex  # noqa: E402 -- not where it is missing

from imgmatch.exchange.tx_index import BandedIndex, TurnedHash  # noqa: E402 -- the same

VALUES = st.integers(0, 2**32 - 1).map(lambda seed: random_codes(seed, 1)[0].tobytes().hex())


def answers(index: Any, query: str) -> Counter[tuple[int, Any]]:  # noqa: ANN401 -- theirs or ours
    return Counter((match.similarity_info.distance, match.metadata) for match in index.query(query))


def saved(index: BandedIndex[Any]) -> bytes:
    stream = io.BytesIO()
    index.serialize(stream)
    return stream.getvalue()


def reopened(index: BandedIndex[Any]) -> BandedIndex[Any]:
    return BandedIndex.deserialize(io.BytesIO(saved(index)))


@settings(max_examples=60)
@given(values=st.lists(VALUES, max_size=12), asked=st.lists(VALUES, min_size=1, max_size=3), cut=st.integers(0, 12))
def test_an_index_answers_as_theirs_does_however_it_was_filled(values: list[str], asked: list[str], cut: int) -> None:
    entries = [(value, f"entry {number % 5}") for number, value in enumerate(values)]
    ours = BandedIndex.build(entries[:cut])
    for entry in entries[cut:]:
        ours.add(*entry)
    assert len(ours) == len(entries)
    theirs = PDQIndex.build(entries)
    for query in [*asked, *values]:
        expected = answers(theirs, query) if entries else Counter()
        assert answers(ours, query) == answers(reopened(ours), query) == expected


def test_every_entry_under_a_value_is_found_and_the_nearest_come_first() -> None:
    near = "0" * 62 + "03"
    index = BandedIndex.build([(near, "c"), ("0" * 64, "a"), ("0" * 64, "b"), ("0" * 64, "a"), ("f" * 64, "z")])
    found = [(match.similarity_info.distance, match.metadata) for match in index.query("0" * 64)]
    assert found == [(0, "a"), (0, "b"), (0, "a"), (2, "c")]
    assert index.query("0" * 64)[3].similarity_info.pretty_str() == "2"


def test_what_is_added_between_queries_is_found_by_the_next() -> None:
    index: BandedIndex[int] = BandedIndex()
    assert index.query("0" * 64) == []
    for number in range(40):
        index.add("0" * 64, number)
        assert [match.metadata for match in index.query("0" * 64)] == list(range(number + 1))


def test_a_photo_that_hashes_to_nothing_matches_nothing_and_what_is_no_value_is_refused() -> None:
    index = BandedIndex.build([("0" * 64, 1)])
    assert index.query("") == []
    assert len(index.query("0" * 64 + "\n")) == 1
    with pytest.raises(ValueError, match="64 lowercase hex digits"):
        index.query("0" * 63)
    with pytest.raises(ValueError, match="64 lowercase hex digits"):
        index.add("0" * 63, 2)
    assert len(index) == 1


def test_broken_values_among_many_are_counted_and_the_first_is_shown() -> None:
    with pytest.warns(UserWarning, match=r"2 signals are left out; of the first: .*'x'"):
        index = BandedIndex.build([("x", 1), ("0" * 64, 2), ("y", 3)])
    assert [match.metadata for match in index.query("0" * 64)] == [2]


def test_a_turned_value_finds_each_entry_once_at_its_least_distance() -> None:
    codes = np.zeros((8, 32), np.uint8)
    codes[1], codes[2, 0] = 255, 1
    turned = TurnedHash.of(codes)
    index = BandedIndex.build([("0" * 64, "upright"), ("f" * 64, "turned"), ("0f" * 32, "stranger")])
    assert (turned, hash(turned)) == ("0" * 64, hash("0" * 64))
    found = [(match.similarity_info.distance, match.metadata) for match in index.query(turned)]
    assert found == [(0, "upright"), (0, "turned")]
    assert [match.metadata for match in index.query(str(turned))] == ["upright"]


def test_threads_query_while_one_adds() -> None:
    index = BandedIndex.build([("0" * 64, 0)])
    with ThreadPoolExecutor(4) as threads:
        adding = threads.submit(lambda: [index.add("0" * 64, number) for number in range(1, 300)])
        seen = list(threads.map(lambda _: [match.metadata for match in index.query("0" * 64)], range(100)))
        adding.result()
    assert all(found == list(range(len(found))) for found in seen)
    assert len(index.query("0" * 64)) == 300


# -- files ------------------------------------------------------------------------------------------------------------


def test_an_entry_that_many_values_have_is_written_once() -> None:
    index = BandedIndex.build([(f"{number:064x}", [("partner", None)]) for number in range(1_000)])
    assert len(saved(index)) < 1_000 * 36 + 300
    again = reopened(index)
    assert len(again) == 1_000
    assert again.query("0" * 64)[0].metadata == [("partner", None)]
    again.add("f" * 64, "more")
    assert answers(reopened(again), "f" * 64) == {(0, "more"): 1}


def test_an_empty_index_is_kept_too() -> None:
    again = reopened(BandedIndex())
    assert (len(again), again.query("0" * 64)) == (0, [])


def test_what_cannot_be_kept_is_refused_before_anything_is_written() -> None:
    stream = io.BytesIO()
    with pytest.raises(TypeError, match="an index cannot keep a object"):
        BandedIndex.build([("0" * 64, object())]).serialize(stream)
    assert stream.getvalue() == b""


def test_a_file_that_is_cut_or_altered_anywhere_is_refused() -> None:
    whole = saved(BandedIndex.build([("0" * 64, "a"), ("f" * 64, "b"), ("0f" * 32, "a")]))
    for place in range(len(whole)):
        with pytest.raises(ValueError, match="index"):
            BandedIndex.deserialize(io.BytesIO(whole[:place]))
        altered = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        with pytest.raises(ValueError, match="index"):
            BandedIndex.deserialize(io.BytesIO(altered))


@pytest.mark.parametrize(
    "head",
    [
        {"hashes": 10**9, "entries": 1},
        {"hashes": 10**12, "entries": 1},
        {"hashes": -1, "entries": -1},
        {"hashes": 1, "entries": 2},
        {"hashes": True, "entries": True},
        {"hashes": 1.5, "entries": 1},
        {},
        [],
    ],
)
def test_a_file_that_lies_about_its_length_is_refused_without_room_for_it(head: object) -> None:
    data = b"imgmatch-tx-index 1\n" + json.dumps(head).encode() + b'\n"a"\n' + bytes(68)
    with pytest.raises(ValueError, match="index"):
        BandedIndex.deserialize(io.BytesIO(data))


def test_a_pickle_is_not_opened() -> None:
    with pytest.raises(ValueError, match="no index of imgmatch's; build it anew"):
        BandedIndex.deserialize(io.BytesIO(b"\x80\x05\x95\x00\x00\n"))
