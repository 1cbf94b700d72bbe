"""Counts and health of an index."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from imgmatch import registry
from imgmatch.catalog.damaged_rows import damaged_values, feature_blobs
from imgmatch.catalog.erasures import count_begun
from imgmatch.catalog.extent import read_extent
from imgmatch.catalog.leases import held_leases
from imgmatch.catalog.lookups import counts, unfinished_scans
from imgmatch.catalog.places import read_places
from imgmatch.catalog.tokens import is_token
from imgmatch.engines.comparing import differing_buckets
from imgmatch.engines.rows import ENGINES
from imgmatch.engines.shards import tending
from imgmatch.engines.sync import load_engine
from imgmatch.features.record import check_thumbnail, unpack
from imgmatch.model import IndexStatus
from imgmatch.sources.base import shown
from imgmatch.sources.urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from imgmatch.catalog.session import Session
    from imgmatch.engines.base import Engine
    from imgmatch.engines.header import Header
    from imgmatch.engines.parts import Parts
    from imgmatch.engines.rows import EngineRows
    from imgmatch.model import EnginePlace, HeldLease, ShardHealth

MOST_NAMED = 20
"""Damaged rows that are named; the others are counted."""

_LOOKED_AGAIN = 5
"""How often engine files are looked at again that another process has replaced meanwhile."""


def status(parts: Parts, *, verify: bool = False) -> IndexStatus:
    """Look at an index; with ``verify`` compare its engine files with its catalog, and look at every row of that.

    Without it, only whether the engine files are complete.
    """
    record = parts.search.record()
    shards = () if record is None else tending.healths(parts.catalog, parts.search.holders, record)
    header, healths = _healths(parts, verify=verify)
    damage = _Damage()
    if verify:
        damage.look(parts)
    with parts.catalog.read() as session:
        return IndexStatus(
            **counts(session),
            unfinished_scans=unfinished_scans(session),
            unfinished_erasures=count_begun(session),
            format=header.format,
            hashers=header.hashers,
            engine=header.engine,
            codebook=header.codebook,
            generation=header.generation,
            snapshot=_of_shards(healths[0], shards),
            features_snapshot=_of_shards(healths[1], shards),
            access=None if parts.folder.place else _access(parts.folder.root),
            damaged=damage.count if verify else None,
            damage=tuple(damage.named),
            shards=shards,
            shards_at=None if record is None else record.address,
            leases=tuple(map(_named, held_leases(session))),
            places=() if parts.url is None else tuple(_places(session, parts)),
        )


def _places(session: Session, parts: Parts) -> list[EnginePlace]:
    return read_places(session, parts.folder.place, read_extent(session).last)


def leases(parts: Parts) -> tuple[HeldLease, ...]:
    """What is under way that must not run twice, the longest first."""
    with parts.catalog.read() as session:
        return tuple(map(_named, held_leases(session)))


def _named(lease: HeldLease) -> HeldLease:
    """Under a name that says nothing secret, nor what folder of engine files it is about: its machine tells that."""
    what, _, of = lease.name.rpartition("/")
    return replace(lease, name=what if is_token(of) else shown(shown_url(lease.name)))


def _of_shards(health: str, shards: tuple[ShardHealth, ...]) -> str:
    """Where shards hold the engines, no file is missed."""
    return "shards" if shards and health == "missing" else health


class _Damage:
    """What is damaged: counted, and the first of it named."""

    def __init__(self) -> None:
        self.count = 0
        self.named: list[str] = []

    def look(self, parts: Parts) -> None:
        """Through the catalog."""
        self._note(parts.catalog.faults())
        with parts.catalog.read() as session:
            self._note(damaged_values(session))
            self._note(_damaged_features(session))

    def _note(self, found: Iterable[str]) -> None:
        for one in found:
            self.count += 1
            if len(self.named) < MOST_NAMED:
                self.named.append(one)


def _damaged_features(session: Session) -> Iterator[str]:
    """Records and thumbnails that are bytes, but not those of one."""
    for row, codebook, record, thumbnail in feature_blobs(session):
        lists = registry.codebook(codebook).lists if codebook in registry.CODEBOOKS else None
        try:
            unpack(record) if lists is None else unpack(record, lists)
        except ValueError as error:
            yield f"features {row}: {error}"
        try:
            check_thumbnail(thumbnail) if thumbnail else None
        except ValueError as error:
            yield f"features {row}: {error}"


def _access(folder: Path) -> str | None:
    if os.name == "nt":
        return None
    mode = folder.stat().st_mode
    if mode & stat.S_IRWXO:
        return "everyone"
    return "group" if mode & stat.S_IRWXG else "owner"


def _healths(parts: Parts, *, verify: bool) -> tuple[Header, tuple[str, str]]:
    """The header, and what the engine files are like that it names: of one state, whoever publishes meanwhile."""
    header = parts.folder.header()
    for _ in range(_LOOKED_AGAIN):
        fingerprints, features = (_health(parts, header, rows, verify=verify) for rows in ENGINES)
        again = parts.folder.header()
        if (fingerprints, features) == ("ok", "ok") or again.generation == header.generation:
            break
        header = again
    return header, (fingerprints, features)


def _health(parts: Parts, header: Header, rows: EngineRows[Engine[Any]], *, verify: bool) -> str:
    snapshot = rows.snapshot(header)
    if snapshot is None or not parts.folder.snapshot_path(snapshot).is_file():
        return "missing"
    try:
        engine = load_engine(rows, parts.folder, header, verify=verify and not rows.verified_by_reading)
        if engine is not None and verify:
            with parts.catalog.read() as session:
                return "different" if differing_buckets(session, rows, header, engine) else "ok"
    except ValueError:  # found while it is read
        return "damaged"
    return "damaged" if engine is None else "ok"
