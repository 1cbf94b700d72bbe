"""The rows of one table that a shard holds, made from the catalog or from what was saved, and kept up with it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

import numpy as np

from imgmatch.catalog.row_counts import last_given, tombstones
from imgmatch.catalog.slots import SLOTS
from imgmatch.engines.base import Ids
from imgmatch.engines.header import filed_as
from imgmatch.engines.rows import EngineRows, EngineT

if TYPE_CHECKING:
    from collections.abc import Collection

    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.session import Session
    from imgmatch.engines.header import Header
    from imgmatch.engines.shards.division import Division

_NEWEST = 32
"""Rows that are looked at again, whether they still are what they were."""

_LOOK_SECONDS = 2.0
"""So long nobody looks whether the catalog was put back from an older copy, unless something hints at it."""


@dataclass(frozen=True, slots=True)
class Frozen(Generic[EngineT]):
    """What a shard held of one table at a time.

    Attributes:
        engine: never changes.
        ids: of its rows, in order, shape (n,).
        newest: digests of what the catalog holds under some of the highest.
        losses: as they were counted then.
    """

    engine: EngineT
    ids: Ids
    newest: Mapping[int, bytes]
    losses: int


class HeldRows(Generic[EngineT]):
    """The part of an engine that one shard holds. Safe to use from several threads."""

    def __init__(self, catalog: Catalog, header: Header, rows: EngineRows[EngineT], shard: int) -> None:
        """Nothing is read yet. ``shard`` is counted from 0."""
        self._catalog, self._header, self._rows, self._shard = catalog, header, rows, shard
        self._part = rows.part(header)
        self._guard = threading.Lock()
        self._slots: frozenset[int] = frozenset()
        self._losses = 0
        self._forget_all()

    def _forget_all(self) -> None:
        self._losses += 1
        self._engine = self._rows.empty(self._header)
        self._ids: Ids = np.empty(0, np.int64)
        self._newest: dict[int, bytes] = {}
        self._looked = time.monotonic()

    def current(self, division: Division, through: int) -> EngineT:
        """The engine with every row of this shard up to ``through``, at the least.

        Raises:
            IndexUnusableError: the catalog cannot be read.
        """
        with self._guard:
            self._divide(division)
            watermark, due = self._engine.watermark, time.monotonic() - self._looked > _LOOK_SECONDS
            if watermark != through or due:
                with self._catalog.read() as session:
                    self._ensure_same(session)
                    if self._engine.watermark < through:
                        self._catch_up(session)
            return self._engine

    @property
    def extent(self) -> tuple[int, int]:
        """How many rows it holds, and up to which id it has looked at all."""
        engine = self._engine
        return len(engine), engine.watermark

    def frozen(self) -> Frozen[EngineT]:
        """What it holds now, to be saved."""
        with self._guard:
            return Frozen(self._engine, self._ids, dict(self._newest), self._losses)

    @property
    def losses(self) -> int:
        """Rises whenever it lets go of something."""
        return self._losses

    def begin(self, engine: EngineT, ids: Ids, newest: Mapping[int, bytes], division: Division) -> bool:
        """Hold this, which was saved, in place of nothing; whether it is of the catalog in the state that this is in.

        Raises:
            IndexUnusableError: the catalog cannot be read.
        """
        with self._guard, self._catalog.read() as session:
            self._engine, self._ids, self._newest = engine, ids, dict(newest)
            self._slots = division.slots_of(self._shard)
            before = self._losses
            self._ensure_same(session)
            return self._losses == before

    def clear(self) -> None:
        """Hold nothing: the next question reads all anew."""
        with self._guard:
            self._forget_all()

    def forget(self, place: str) -> bool:
        """Let go of what the catalog has lost, as it has noted for the place of the shards.

        Returns:
            whether any of it may be in what this shard has saved.
        """
        with self._guard, self._catalog.read() as session:
            self._ensure_same(session)
            filed = filed_as(self._rows.table, place)
            gone = np.array(tombstones(session, filed, self._part, self._engine.watermark), np.int64)
            self._drop(gone)
            return self._engine.watermark == 0 or not self._slots.isdisjoint((gone % SLOTS).tolist())

    def _divide(self, division: Division) -> None:
        """Let go of rows that are another shard's now, and take over those that were."""
        slots = division.slots_of(self._shard)
        if slots == self._slots:
            return
        gained = slots - self._slots
        self._drop(self._ids[~division.holds(self._shard, self._ids)])
        if gained and self._engine.watermark:
            with self._catalog.read() as session:
                self._add(session, 0, gained, self._engine.watermark)
        self._slots = slots

    def _drop(self, ids: Ids) -> None:
        gone = np.intersect1d(ids, self._ids)
        if len(gone):
            self._losses += 1
            self._engine = self._engine.removed(gone).cleared()
            self._ids = np.setdiff1d(self._ids, gone, assume_unique=True)
            self._newest = {row: seen for row, seen in self._newest.items() if row not in set(gone.tolist())}

    def _catch_up(self, session: Session) -> None:
        self._add(session, self._engine.watermark, self._slots, None)
        last = max(self._rows.last(session), self._engine.watermark)
        self._engine = self._engine.appended(self._rows.nothing, last)
        self._newest = self._seen(session, self._ids[-_NEWEST:].tolist())
        self._looked = time.monotonic()

    def _add(self, session: Session, after: int, slots: Collection[int], through: int | None) -> None:
        """Append rows above ``after`` that are in these slots; with ``through`` older ones, which move no watermark."""
        for portion, last in self._rows.after(session, self._part, after, lambda _: None, slots):
            some = portion if through is None else self._rows.until(portion, through)
            self._engine = self._engine.appended(some, last if through is None else self._engine.watermark)
            self._ids = np.sort(np.concatenate([self._ids, self._rows.ids(some)]))
            if through is not None and last >= through:
                return

    def _ensure_same(self, session: Session) -> None:
        """Begin anew where the catalog was put back from an older copy: it gives row ids a second time then."""
        self._looked = time.monotonic()
        newest = self._seen(session, list(self._newest))
        if last_given(session, self._rows.table) < self._engine.watermark or any(
            self._newest[row] != seen for row, seen in newest.items()
        ):
            self._forget_all()

    def _seen(self, session: Session, rows: list[int]) -> dict[int, bytes]:
        known: Mapping[int, bytes] = self._rows.known(session, rows) if rows else {}
        return {row: hashlib.sha256(content).digest() for row, content in known.items()}
