"""What engines are made of: rows of the catalog, and what the header of an index says of their files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from imgmatch import registry
from imgmatch.catalog.features import (
    count_features,
    count_features_after,
    features_by_id,
    last_features,
    read_records,
)
from imgmatch.catalog.fingerprints import (
    bits_by_id,
    count_fingerprints,
    count_fingerprints_after,
    damaged_fingerprints,
    last_fingerprint,
    read_fingerprints,
)
from imgmatch.engines.base import Engine, FeatureEngine, FingerprintEngine
from imgmatch.features.record import unpacked
from imgmatch.model import FINGERPRINT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from imgmatch.catalog.session import Session
    from imgmatch.engines.base import Codes, Ids
    from imgmatch.engines.header import Header, Snapshot
    from imgmatch.features.record import Stored

EngineT = TypeVar("EngineT", bound=Engine[Any])
EngineT_co = TypeVar("EngineT_co", bound=Engine[Any], covariant=True)

_APPENDED_AT_ONCE = 40_000
"""Pictures, about 100 MB."""


class EngineRows(Protocol[EngineT_co]):
    """The rows of one table that an engine is made of."""

    table: str
    """Its name, as tombstones are filed under."""

    verified_by_reading: bool
    """Whether an engine that is opened without looking at all of its file says what is wrong with it when all of it is
    read, such as to be saved. Where it does not, damage would be written with a new checksum."""

    nothing: Any
    """What is appended to move the watermark alone."""

    def engine_name(self, header: Header) -> str:
        """Which engine the index uses for them."""
        ...

    def part(self, header: Header) -> str:
        """The hasher or codebook whose rows are taken."""
        ...

    def snapshot(self, header: Header) -> Snapshot | None:
        """The engine file the header names."""
        ...

    def empty(self, header: Header) -> EngineT_co:
        """An engine that holds nothing."""
        ...

    def open(self, header: Header, path: Path, watermark: int, *, verify: bool) -> EngineT_co:
        """An engine from its file; raises ValueError where that is missing or damaged."""
        ...

    def last(self, session: Session) -> int:
        """The highest row id there is: no row will show itself under a lower one."""
        ...

    def count(self, session: Session, part: str) -> int:
        """How many rows there are."""
        ...

    def count_after(self, session: Session, part: str, row: int) -> int:
        """How many rows have an id above ``row``."""
        ...

    def after(
        self,
        session: Session,
        part: str,
        row: int,
        read: Callable[[int], None],
        slots: Collection[int] | None = None,
    ) -> Iterator[tuple[Any, int]]:
        """The rows above ``row`` in order, in portions to be appended, each with the last id in it.

        ``read`` hears how many have been read, as they are. With ``slots`` only rows in these are given.
        """
        ...

    def ids(self, portion: Any) -> Ids:  # noqa: ANN401 -- what the engine takes
        """The row ids in a portion."""
        ...

    def until(self, portion: Any, row: int) -> Any:  # noqa: ANN401 -- the same
        """A portion without the rows above ``row``."""
        ...

    def known(self, session: Session, rows: Sequence[int]) -> Mapping[int, bytes]:
        """What stands under those of these row ids that are there, to see whether they are the rows they were."""
        ...

    def unreadable(self, session: Session, part: str) -> list[int]:
        """The rows that are damaged so that each look gives something else."""
        ...


class FingerprintRows:
    """The fingerprints of the first hasher."""

    table = "fingerprints"
    verified_by_reading = False
    nothing: tuple[Ids, Codes] = (np.empty(0, np.int64), np.empty((0, FINGERPRINT_BYTES), np.uint8))

    def engine_name(self, header: Header) -> str:
        """The engine of fingerprints."""
        return header.engine

    def part(self, header: Header) -> str:
        """The first hasher."""
        return header.hashers[0]

    def snapshot(self, header: Header) -> Snapshot | None:
        """The engine file of fingerprints."""
        return header.snapshot

    def empty(self, header: Header) -> FingerprintEngine:
        """An engine without fingerprints."""
        return registry.engine(header.engine).empty()

    def open(self, header: Header, path: Path, watermark: int, *, verify: bool) -> FingerprintEngine:
        """An engine from its file."""
        return registry.engine(header.engine).open(path, watermark, verify=verify)

    def last(self, session: Session) -> int:
        """The highest row id of any hasher."""
        return last_fingerprint(session)

    def count(self, session: Session, part: str) -> int:
        """How many fingerprints there are."""
        return count_fingerprints(session, part)

    def count_after(self, session: Session, part: str, row: int) -> int:
        """How many there are above ``row``."""
        return count_fingerprints_after(session, part, row)

    def after(
        self,
        session: Session,
        part: str,
        row: int,
        read: Callable[[int], None],
        slots: Collection[int] | None = None,
    ) -> Iterator[tuple[tuple[Ids, Codes], int]]:
        """Those above ``row``."""
        count = 0
        for ids, codes in read_fingerprints(session, part, row, slots):
            yield (ids, codes), int(ids[-1])
            count += len(ids)
            read(count)

    def ids(self, portion: tuple[Ids, Codes]) -> Ids:
        """Those of fingerprints."""
        return portion[0]

    def until(self, portion: tuple[Ids, Codes], row: int) -> tuple[Ids, Codes]:
        """The fingerprints up to ``row``."""
        ids, codes = portion
        return ids[ids <= row], codes[ids <= row]

    def known(self, session: Session, rows: Sequence[int]) -> Mapping[int, bytes]:
        """Their bits."""
        return bits_by_id(session, rows)

    def unreadable(self, session: Session, part: str) -> list[int]:
        """Those whose bits are none: random ones stand in for them."""
        return damaged_fingerprints(session, part)


class FeatureRows:
    """The local features coded by the codebook of the index."""

    table = "features"
    verified_by_reading = True
    nothing: Sequence[tuple[int, Stored]] = ()

    def engine_name(self, header: Header) -> str:
        """The only engine of features so far."""
        del header
        return registry.DEFAULT_FEATURE_ENGINE

    def part(self, header: Header) -> str:
        """The codebook."""
        return header.codebook

    def snapshot(self, header: Header) -> Snapshot | None:
        """The engine file of features."""
        return header.features

    def empty(self, header: Header) -> FeatureEngine:
        """An engine without pictures."""
        return self._engine(header).empty(registry.codebook(header.codebook))

    def open(self, header: Header, path: Path, watermark: int, *, verify: bool) -> FeatureEngine:
        """An engine from its file."""
        return self._engine(header).open(registry.codebook(header.codebook), path, watermark, verify=verify)

    def _engine(self, header: Header) -> type[FeatureEngine]:
        return registry.feature_engine(self.engine_name(header))

    def last(self, session: Session) -> int:
        """The highest row id of any codebook."""
        return last_features(session)

    def count(self, session: Session, part: str) -> int:
        """How many pictures have features."""
        return count_features(session, part)

    def count_after(self, session: Session, part: str, row: int) -> int:
        """How many of them lie above ``row``."""
        return count_features_after(session, part, row)

    def after(
        self,
        session: Session,
        part: str,
        row: int,
        read: Callable[[int], None],
        slots: Collection[int] | None = None,
    ) -> Iterator[tuple[list[tuple[int, Stored]], int]]:
        """Those above ``row``; a record that is damaged is taken for one without any point."""
        lists = registry.codebook(part).lists
        count, waiting = 0, []
        for block in read_records(session, part, row, slots):
            waiting += [(one, unpacked(record, lists)) for one, record in block]
            count += len(block)
            read(count)
            if len(waiting) >= _APPENDED_AT_ONCE:
                yield waiting, waiting[-1][0]
                waiting = []
        if waiting:
            yield waiting, waiting[-1][0]

    def ids(self, portion: Sequence[tuple[int, Stored]]) -> Ids:
        """Those of pictures."""
        return np.array([row for row, _ in portion], np.int64)

    def until(self, portion: Sequence[tuple[int, Stored]], row: int) -> Sequence[tuple[int, Stored]]:
        """The pictures up to ``row``."""
        return [each for each in portion if each[0] <= row]

    def known(self, session: Session, rows: Sequence[int]) -> Mapping[int, bytes]:
        """Their records."""
        return {row: found.record for row, found in features_by_id(session, rows).items()}

    def unreadable(self, session: Session, part: str) -> list[int]:
        """None: a damaged record is always taken for one without any point."""
        del session, part
        return []


ENGINES: tuple[EngineRows[Engine[Any]], ...] = (FingerprintRows(), FeatureRows())
"""What an index has engine files of: fingerprints, then features."""
