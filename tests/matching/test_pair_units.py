"""Pairs that are judged elsewhere: what is sent, what comes back, and that it is what this process would say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest

from imgmatch import registry
from imgmatch.arrays import pack_arrays, unpack_arrays
from imgmatch.catalog.features import FeatureRow
from imgmatch.describing.here import TasksHere
from imgmatch.describing.messages import Description, Job
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.matching import pair_units
from imgmatch.matching.pair_units import answer, pack_pairs, parse_pairs, parse_scores, send
from imgmatch.matching.stored_pairs import NO_PICTURE, NOWHERE, PairCandidate, PairJudge, StoredQuery, stored_query

if TYPE_CHECKING:
    from PIL import Image

    from imgmatch.matching.pair_units import Claimed

SIZE = (480, 600)


class Pictures:
    """Drawn pictures as a catalog would keep them, each under its number."""

    def __init__(self, images: list[Image.Image]) -> None:
        self.known: list[FeatureRow] = []
        self.bits: list[bytes] = []
        files = [photos.jpeg(image, 90) for image in images]
        with open_runner("in-process", 1, Settings()) as runner:
            for number, (_, reply) in enumerate(runner.describe(files, Job)):
                assert isinstance(reply, Description)
                stored = reply.first.stored
                assert stored is not None
                row = FeatureRow(bytes([number]), registry.DEFAULT_CODEBOOK, stored.record, stored.thumbnail)
                self.known.append(row)
                self.bits.append(reply.first.fingerprints["phash"])
            ((_, asked),) = runner.describe(files[:1], lambda data: Job(data, query=True))
        assert isinstance(asked, Description)
        self.read_again = asked.first.asked

    def asked(self, number: int, *, thumbnail: bool = True, again: bool = False) -> StoredQuery:
        known = self.known[number] if thumbnail else replace(self.known[number], thumbnail=None)
        bits = np.frombuffer(self.bits[number], np.uint8)[None]
        turned = registry.hasher("phash").estimated_orientations(bits)[:, 0]
        return stored_query(number, known, turned, self.read_again if again else None)

    def claim(self, number: int, rotation: int | None = None, *, mirrored: bool = False) -> PairCandidate:
        return PairCandidate(number, self.known[number], self.bits[number], mirrored, rotation)


@pytest.fixture(scope="module")
def pairs() -> list[Claimed]:
    whole, stranger = photos.picture(1, SIZE), photos.picture(2, SIZE)
    crop = whole.crop((60, 90, 420, 490))
    kept = Pictures([whole, crop, stranger, whole.resize((240, 300))])
    bare = replace(kept.claim(1), known=replace(kept.known[1], thumbnail=None))
    damaged = replace(kept.claim(1), known=replace(kept.known[1], record=b"damaged", thumbnail=b""))
    return [
        (kept.asked(0), [kept.claim(1), kept.claim(2), kept.claim(3, 0), kept.claim(1, mirrored=True)]),
        (kept.asked(1), [kept.claim(0), bare]),
        (kept.asked(2), []),
        (kept.asked(0, again=True), [kept.claim(1), kept.claim(2)]),
        (kept.asked(3, thumbnail=False), [kept.claim(0, 90), damaged]),
    ]


def test_pairs_arrive_as_they_were_packed_without_what_judging_does_not_need(pairs: list[Claimed]) -> None:
    codebook, found = parse_pairs(pack_pairs("sift", pairs))
    assert codebook == "sift"
    assert [asked.picture is NO_PICTURE for asked, _ in found] == [False, False, False, False, True]
    for (asked, candidates), (there, claims) in zip(pairs, found, strict=True):
        assert (there.row, there.again) == (asked.row, asked.again)
        for name in ("points", "descriptors", "drawn", "width", "height"):
            one, other = getattr(asked.features, name), getattr(there.features, name)
            assert np.array_equal(one, other)
            assert type(one) is type(other)
        assert np.array_equal(asked.turned, there.turned)
        assert np.array_equal(asked.picture, there.picture)
        spare = {"pixels": b"", "codebook": "sift"}
        assert claims == [replace(claim, known=replace(claim.known, **spare)) for claim in candidates]  # type: ignore[arg-type]


@pytest.mark.parametrize(("at_once", "count"), [(1, 10), (3, 3), (48, 1)])
def test_the_scores_of_units_are_those_of_all_pairs_judged_together(
    pairs: list[Claimed], at_once: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_units, "CANDIDATES_A_UNIT", at_once)
    expected = PairJudge(registry.DEFAULT_CODEBOOK).judge(pairs)
    assert max(score.log_odds for score in expected) > 0
    assert min(score.log_odds for score in expected) == NOWHERE
    units = list(send(TasksHere(), registry.DEFAULT_CODEBOOK, pairs))
    assert len(units) == count
    assert [score for unit in units for score in unit.result()] == expected
    assert repr([score for unit in units for score in unit.result()]) == repr(expected)


def test_a_unit_ends_where_it_grows_large(pairs: list[Claimed], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_units, "UNIT_BYTES", 1)
    assert len(list(send(TasksHere(), registry.DEFAULT_CODEBOOK, pairs))) == 4


def test_no_pairs_are_no_units(pairs: list[Claimed]) -> None:
    assert list(send(TasksHere(), registry.DEFAULT_CODEBOOK, [])) == []
    assert list(send(TasksHere(), registry.DEFAULT_CODEBOOK, [(pairs[0][0], [])])) == []


def test_bytes_that_are_no_pairs_are_refused(pairs: list[Claimed]) -> None:
    whole = pack_pairs(registry.DEFAULT_CODEBOOK, pairs)
    head, arrays = unpack_arrays(whole)
    first = {**head["asked"][0], "candidates": []}
    for data in (
        b"",
        whole[:-1],
        pack_arrays({}),
        pack_arrays(head),
        pack_arrays(head, arrays[:-1]),
        pack_arrays(head, [arrays[0][:, :3], *arrays[1:]]),
        pack_arrays(head, [arrays[0][1:], *arrays[1:]]),
        pack_arrays({**head, "asked": 3}, arrays),
        pack_arrays({**head, "asked": [{**first, "size": 3}]}, arrays[:5]),
        pack_arrays({**head, "asked": [{"candidates": []}]}, arrays[:5]),
    ):
        with pytest.raises(ValueError, match=r"array|pairs"):
            answer(data, [])


def test_an_answer_to_something_else_is_told(pairs: list[Claimed]) -> None:
    some = pairs[:2]
    data = answer(pack_pairs(registry.DEFAULT_CODEBOOK, some), [])
    assert parse_scores(data, some) == PairJudge(registry.DEFAULT_CODEBOOK).judge(some)
    scores = json.loads(json.dumps(unpack_arrays(data)[0]["scores"]))
    rest = scores[1:]
    for wrong in (
        b"",
        data[:-1],
        pack_arrays({}),
        pack_arrays({"scores": 5}),
        pack_arrays({"scores": rest}),
        pack_arrays({"scores": [*rest, scores[0]]}),
        pack_arrays({"scores": [scores[0][:-1], *rest]}),
        pack_arrays({"scores": [[*scores[0][:2], float("nan"), *scores[0][3:]], *rest]}),
        pack_arrays({"scores": [[*scores[0][:2], "7", *scores[0][3:]], *rest]}),
        pack_arrays({"scores": [[*scores[0][:3], 1, *scores[0][4:]], *rest]}),
        pack_arrays({"scores": [[*scores[0][:8], 1, None], *rest]}),
        pack_arrays({"scores": [[*scores[0][:8], [1], None], *rest]}),
        pack_arrays({"scores": scores}, [np.zeros(1)]),
    ):
        with pytest.raises(ValueError, match=r"array|scores"):
            parse_scores(wrong, some)
