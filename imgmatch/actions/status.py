"""Counts and health of an index."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from imgmatch.catalog.erasures import count_begun
from imgmatch.catalog.lookups import counts, unfinished_scans
from imgmatch.engines.sync import load_features, load_fingerprints
from imgmatch.model import IndexStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgmatch.engines.folder import Layout
    from imgmatch.engines.header import Header, Snapshot
    from imgmatch.engines.parts import Parts


def status(parts: Parts, *, verify: bool = False) -> IndexStatus:
    """Look at an index; with ``verify`` read its engine files from end to end, else only whether they are complete."""
    header = parts.folder.header()
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
            snapshot=_health(parts, header.snapshot, partial(load_fingerprints, verify=verify)),
            features_snapshot=_health(parts, header.features, partial(load_features, verify=verify)),
        )


def _health(parts: Parts, snapshot: Snapshot | None, load: Callable[[Layout, Header], object | None]) -> str:
    if snapshot is None or not parts.folder.snapshot_path(snapshot).is_file():
        return "missing"
    return "ok" if load(parts.folder, parts.folder.header()) is not None else "damaged"
