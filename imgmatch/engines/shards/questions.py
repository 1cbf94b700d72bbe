"""What a shard is asked and answers, as it crosses the network: a head of JSON, and arrays as raw bytes.

Whatever arrives is looked at before it is used: a reply of another form, or with rows that the shard does not hold, is
none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from imgmatch.engines.base import Codes, Hits
from imgmatch.engines.neighbours import Neighbours
from imgmatch.engines.shards.division import Division
from imgmatch.engines.votes import GEOMETRY_BITS
from imgmatch.engines.voting import CUT, NEIGHBOURS, Probes
from imgmatch.features.describe import LENGTH
from imgmatch.model import FINGERPRINT_BYTES

Message = tuple[Mapping[str, Any], bytes]
"""Head and body."""

FoundT = TypeVar("FoundT")
FoundT_co = TypeVar("FoundT_co", covariant=True)

Watermarks = tuple[int, int]
"""Row ids of fingerprints and of features: every row up to these is to be taken into account."""

_Column = tuple[DTypeLike, tuple[int, ...]]

_FOUND_BYTES = 20
"""Of one hit or code: which query, its id and its distance."""


class NoReplyError(ValueError):
    """What came is no reply to what was asked."""


class Question(Protocol[FoundT_co]):
    """Something that every shard is asked, and whose answers are merged."""

    def message(self) -> Message:
        """It, as it is sent."""
        ...

    def parse(self, head: Mapping[str, Any], body: bytes, division: Division, shard: int) -> FoundT_co:
        """The answer of one shard.

        Raises:
            NoReplyError: it is none.
        """
        ...


@dataclass(frozen=True, slots=True)
class Asked(Generic[FoundT]):
    """A question to one division of the shards.

    Attributes:
        question: what is asked.
        division: of whom.
        through: what is to be taken into account.
    """

    question: Question[FoundT]
    division: Division
    through: Watermarks

    def message(self) -> Message:
        """It, as it is sent."""
        head, body = self.question.message()
        asked = {"shards": self.division.shards, "version": self.division.version, "through": list(self.through)}
        return {**head, **asked}, body

    def parse(self, head: Mapping[str, Any], body: bytes, shard: int) -> FoundT:
        """The answer of one shard; raises NoReplyError where it is none."""
        return self.question.parse(head, body, self.division, shard)


@dataclass(frozen=True, slots=True)
class NearFingerprints:
    """Which fingerprints are near to some.

    Attributes:
        queries: shape (q, 32), dtype uint8.
        max_distance: in bits, inclusive.
    """

    verb: ClassVar[str] = "near"
    queries: Codes
    max_distance: int

    def message(self) -> Message:
        """See :class:`Question`."""
        head = {"verb": self.verb, "queries": len(self.queries), "max_distance": self.max_distance}
        return head, np.ascontiguousarray(self.queries).tobytes()

    @classmethod
    def of(cls, head: Mapping[str, Any], body: bytes) -> NearFingerprints:
        """It, as it arrives."""
        (queries,) = cut(body, [(np.uint8, (_count(head, "queries"), FINGERPRINT_BYTES))])
        return cls(queries, int(head["max_distance"]))

    def parse(self, head: Mapping[str, Any], body: bytes, division: Division, shard: int) -> Hits:
        """See :class:`Question`."""
        count = _count(head, "found")
        queries, ids, distances = cut(body, [(np.int64, (count,)), (np.int64, (count,)), (np.int32, (count,))])
        _refuse_unless(
            _within(queries, 0, len(self.queries) - 1)
            and _within(ids, 0, None)
            and _within(distances, 0, self.max_distance)
            and bool(division.holds(shard, ids).all())
        )
        return Hits(queries, ids, distances)


@dataclass(frozen=True, slots=True)
class NearestCodes:
    """Which codes are nearest to some descriptors."""

    verb: ClassVar[str] = "nearest"
    probes: Probes

    def message(self) -> Message:
        """See :class:`Question`."""
        probes = self.probes
        head = {"verb": self.verb, "descriptors": len(probes), "probes": probes.lists.shape[1]}
        parts = (np.ascontiguousarray(probes.descriptors), probes.far, probes.lists.astype(np.int32))
        return head, b"".join(part.tobytes() for part in parts)

    @classmethod
    def of(cls, head: Mapping[str, Any], body: bytes) -> NearestCodes:
        """It, as it arrives."""
        count, probes = _count(head, "descriptors"), _count(head, "probes")
        columns: list[_Column] = [
            (np.uint8, (count, LENGTH)),
            (np.float32, (count, probes)),
            (np.int32, (count, probes)),
        ]
        descriptors, far, lists = cut(body, columns)
        return cls(Probes(descriptors, far, lists.astype(np.int64)))

    def parse(self, head: Mapping[str, Any], body: bytes, division: Division, shard: int) -> Neighbours:
        """See :class:`Question`."""
        count = _count(head, "found")
        queries, ids, distances = cut(body, [(np.int64, (count,)), (np.int64, (count,)), (np.float32, (count,))])
        _refuse_unless(
            _within(queries, 0, len(self.probes) - 1)
            and _within(ids, 0, None)
            and bool(((distances >= 0) & (distances < CUT)).all())
            and bool((np.diff(queries) >= 0).all())
            and (not count or int(np.bincount(queries).max()) <= NEIGHBOURS)
            and bool(division.holds(shard, ids >> GEOMETRY_BITS).all())
        )
        return Neighbours(queries, ids, distances)


@dataclass(frozen=True, slots=True)
class Both:
    """What a check asks for, on one way there and back: fingerprints and codes."""

    verb: ClassVar[str] = "both"
    near: NearFingerprints
    nearest: NearestCodes

    def message(self) -> Message:
        """See :class:`Question`."""
        (near, prints), (nearest, codes) = self.near.message(), self.nearest.message()
        return {"verb": self.verb, "near": near, "nearest": nearest}, prints + codes

    @classmethod
    def of(cls, head: Mapping[str, Any], body: bytes) -> Both:
        """It, as it arrives."""
        near, nearest = (_inner(head, name) for name in ("near", "nearest"))
        end = _count(near, "queries") * FINGERPRINT_BYTES
        return cls(NearFingerprints.of(near, body[:end]), NearestCodes.of(nearest, body[end:]))

    def parse(self, head: Mapping[str, Any], body: bytes, division: Division, shard: int) -> tuple[Hits, Neighbours]:
        """See :class:`Question`."""
        near, nearest = (_inner(head, name) for name in ("near", "nearest"))
        end = _count(near, "found") * _FOUND_BYTES
        hits = self.near.parse(near, body[:end], division, shard)
        return hits, self.nearest.parse(nearest, body[end:], division, shard)


def both_message(hits: Hits, codes: Neighbours) -> Message:
    """What a shard has found of both, as it is sent."""
    (near, first), (nearest, second) = found_message(hits), found_message(codes)
    return {"near": near, "nearest": nearest}, first + second


def found_message(found: Hits | Neighbours) -> Message:
    """What a shard has found, as it is sent."""
    columns = (found.queries, found.ids, found.distances)
    return {"found": len(found)}, b"".join(np.ascontiguousarray(column).tobytes() for column in columns)


def cut(body: bytes, columns: Sequence[_Column]) -> list[NDArray[Any]]:
    """The arrays that lie in a body one behind the other, each of a type and a shape.

    Raises:
        NoReplyError: it is not as long as they are.
    """
    sizes = [int(np.prod(shape)) * np.dtype(kind).itemsize for kind, shape in columns]
    _refuse_unless(sum(sizes) == len(body))
    found, start = [], 0
    for (kind, shape), size in zip(columns, sizes, strict=True):
        found.append(np.frombuffer(body[start : start + size], kind).reshape(shape))
        start += size
    return found


def _inner(head: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = head.get(name)
    _refuse_unless(isinstance(inner, Mapping))
    return cast("Mapping[str, Any]", inner)


def _count(head: Mapping[str, Any], name: str) -> int:
    count = head.get(name)
    _refuse_unless(type(count) is int and 0 <= count <= 1 << 40)
    return int(count or 0)


def _within(values: NDArray[Any], least: int, most: int | None) -> bool:
    return bool((values >= least).all()) and (most is None or bool((values <= most).all()))


def _refuse_unless(sound: bool) -> None:  # noqa: FBT001 -- a condition
    if not sound:
        raise NoReplyError("a shard answered what is no reply")
