"""Pairs of stored pictures judged elsewhere: units that carry all that is known of a few pictures, and their answers.

What the catalog keeps of both pictures of a pair goes along, some 25 KB for each picture that is asked about and 4 KB
for each candidate: so whoever answers needs no catalog, and holds no more than the unit.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from imgmatch.arrays import check_arrays, pack_arrays, unpack_arrays
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.features import FeatureRow
from imgmatch.catalog.pair_scores import PairScore
from imgmatch.features.extract import Features
from imgmatch.matching.stored_pairs import NO_PICTURE, PairCandidate, PairJudge, StoredQuery
from imgmatch.model import FINGERPRINT_BYTES
from imgmatch.tasks import SentUnit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from imgmatch.arrays import Expected
    from imgmatch.model import Outline
    from imgmatch.tasks import Tasks

    Claimed = tuple[StoredQuery, Sequence[PairCandidate]]
    """A picture, and those that may lie in it."""

KIND = "verify"

CANDIDATES_A_UNIT = 48
"""Half a second of work, or of eight pictures that were searched; what is near to one picture may be thousands."""

UNIT_BYTES = 4 << 20
"""A unit ends with the picture that brings it to so many: one that was read again may have 3 MB."""

_QUERY: Sequence[Expected] = (
    ("<f4", (None, 4)),
    ("|u1", (None, 128)),
    ("|b1", (None, None)),
    ("|u1", (None, None)),
    ("|u1", (None, FINGERPRINT_BYTES)),
)
_CANDIDATE: Sequence[Expected] = (("|u1", (None,)), ("|u1", (None,)), ("|u1", (FINGERPRINT_BYTES,)))

_BROKEN = (ValueError, TypeError, KeyError, AttributeError)
"""What reading raises of a head that is none."""


def send(tasks: Tasks, codebook: str, pairs: Iterable[Claimed]) -> Iterator[SentUnit[list[PairScore]]]:
    """Have pairs judged, unit by unit, each given out when it is asked for here.

    The scores of all units, one after the other, are those that a judge of all pairs gives.

    Raises:
        ImgmatchError: nobody answers.
    """
    for some in _units(pairs):
        yield SentUnit(tasks, KIND, pack_pairs(codebook, some), partial(parse_scores, pairs=some))


def _units(pairs: Iterable[Claimed]) -> Iterator[list[Claimed]]:
    unit: list[Claimed] = []
    candidates = size = 0
    for asked, claims in pairs:
        for some in chunks(claims, CANDIDATES_A_UNIT):
            unit.append((asked, some))
            candidates += len(some)
            size += asked.picture.nbytes + asked.features.descriptors.nbytes
            if candidates >= CANDIDATES_A_UNIT or size >= UNIT_BYTES:
                yield unit
                unit, candidates, size = [], 0, 0
    if unit:
        yield unit


def pack_pairs(codebook: str, pairs: Sequence[Claimed]) -> bytes:
    """A unit as bytes."""
    heads: list[dict[str, Any]] = []
    arrays: list[NDArray[Any]] = []
    for asked, candidates in pairs:
        features, drawn = asked.features, asked.features.drawn
        arrays += [features.points, features.descriptors, np.zeros((0, 0), np.bool_) if drawn is None else drawn]
        arrays += [asked.picture, asked.turned]
        claims = []
        for one in candidates:
            thumbnail = one.known.thumbnail
            arrays += [np.frombuffer(part, np.uint8) for part in (one.known.record, thumbnail or b"", one.bits)]
            claims.append([one.row, one.mirrored, one.rotation, one.negative, thumbnail is not None])
        heads.append(
            {
                "row": asked.row,
                "again": asked.again,
                "bare": asked.picture is NO_PICTURE,
                "size": [features.width, features.height],
                "candidates": claims,
            }
        )
    return pack_arrays({"codebook": codebook, "asked": heads}, arrays)


def answer(unit: bytes, kept: Sequence[NDArray[np.uint8]]) -> bytes:
    """The scores of the pairs in a unit; nothing is kept for it.

    Raises:
        ValueError: it is no unit.
        UnknownNameError: there is no such codebook.
    """
    del kept
    codebook, pairs = parse_pairs(unit)
    scores = PairJudge(codebook).judge(pairs)
    return pack_arrays({"scores": [_listed(score) for score in scores]})


def parse_pairs(unit: bytes) -> tuple[str, list[Claimed]]:
    """The codebook and the pairs in a unit.

    Raises:
        ValueError: it is no unit.
    """
    head, arrays = unpack_arrays(unit)
    try:
        codebook, heads = str(head["codebook"]), head["asked"]
        wanted = [kind for one in heads for kind in [*_QUERY, *list(_CANDIDATE) * len(one["candidates"])]]
        check_arrays(arrays, wanted)
        coming = iter(arrays)
        return codebook, [_asked(one, codebook, coming) for one in heads]
    except _BROKEN as error:
        raise ValueError(f"these are no pairs of pictures: {error}") from None


def _asked(head: dict[str, Any], codebook: str, coming: Iterator[NDArray[Any]]) -> Claimed:
    points, descriptors, drawn, picture, turned = (next(coming) for _ in _QUERY)
    if len(points) != len(descriptors):
        raise ValueError("points without descriptors")
    width, height = head["size"]
    features = Features(points, descriptors, width, height, drawn if len(drawn) else None)
    asked = StoredQuery(head["row"], features, NO_PICTURE if head["bare"] else picture, turned, again=head["again"])
    candidates = []
    for row, mirrored, rotation, negative, has_thumbnail in head["candidates"]:
        record, thumbnail, bits = (next(coming).tobytes() for _ in _CANDIDATE)
        known = FeatureRow(b"", codebook, record, thumbnail if has_thumbnail else None)
        candidates.append(PairCandidate(row, known, bits, mirrored, rotation, negative))
    return asked, candidates


def _listed(score: PairScore) -> list[object]:
    return [
        *(score.low, score.high, score.log_odds, score.mirrored, score.rotation),
        *(score.overlap_low, score.overlap_high, score.agreement, score.outline_low, score.outline_high),
        score.negative,
    ]


def parse_scores(data: bytes, pairs: Sequence[Claimed]) -> list[PairScore]:
    """The scores in an answer, one for each candidate.

    Raises:
        ValueError: it is no answer to these pairs.
    """
    head, arrays = unpack_arrays(data)
    check_arrays(arrays, [])
    try:
        scores = [_score(*one) for one in head["scores"]]
    except _BROKEN as error:
        raise ValueError(f"these are no scores: {error}") from None
    ends = [sorted((asked.row, one.row)) for asked, candidates in pairs for one in candidates]
    if [[score.low, score.high] for score in scores] != ends:
        raise ValueError("these are no scores of the pairs that were asked for")
    return scores


def _score(  # noqa: PLR0913, PLR0917 -- as they are listed
    low: object,
    high: object,
    log_odds: object,
    mirrored: object,
    rotation: object,
    overlap_low: object,
    overlap_high: object,
    agreement: object,
    outline_low: object,
    outline_high: object,
    negative: object,
) -> PairScore:
    if not (type(low) is int and type(high) is int and type(rotation) is int and type(mirrored) is bool):
        raise ValueError("no pair")
    if negative is not None and type(negative) is not bool:
        raise ValueError("no pair")
    shares = [None if share is None else _number(share) for share in (overlap_low, overlap_high, agreement)]
    return PairScore(
        *(low, high, _number(log_odds), mirrored, rotation),
        overlap_low=shares[0],
        overlap_high=shares[1],
        agreement=shares[2],
        outline_low=None if outline_low is None else _outline(outline_low),
        outline_high=None if outline_high is None else _outline(outline_high),
        negative=negative,
    )


def _number(value: object) -> float:
    if not isinstance(value, float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return value


def _outline(corners: object) -> Outline:
    if not isinstance(corners, list):
        raise TypeError("no outline")
    return tuple((_number(x), _number(y)) for x, y in corners)
