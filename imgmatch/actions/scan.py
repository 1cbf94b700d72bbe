"""Scan sources into an index."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from imgmatch.errors import SourceError
from imgmatch.model import NewPhoto, ScanResult
from imgmatch.sources import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from imgmatch.index import Index
    from imgmatch.intake import Watcher
    from imgmatch.model import Skipped
    from imgmatch.sources.base import Source


def scan(
    index: Index,
    paths: Sequence[Path],
    *,
    root: Path | None = None,
    prune: bool = False,
    watcher: Watcher | None = None,
) -> ScanResult:
    """Add or update the photos of every source in ``paths``, one after another.

    Args:
        index: where to.
        paths: folders, manifests or single photos.
        root: refuse photos outside this folder.
        prune: remove photos of these sources that are gone from them.
        watcher: told of every photo.

    Raises:
        SourceError: a source cannot be read at all; sources are opened before anything is written.
        IndexUnusableError: the index cannot be written.
    """
    sources = open_sources(paths, root=root)
    with index.writing():
        results = [
            index.add(_not_empty(source, prune=prune), source=source.key, prune=prune, watcher=watcher)
            for source in sources
        ]
    return _sum(results)


def open_sources(paths: Sequence[Path], *, root: Path | None = None) -> list[Source]:
    """Open every source, reading nothing but the heads of manifests.

    Raises:
        SourceError: one of them cannot be read at all.
    """
    return [open_source(path, root=root) for path in paths]


def _not_empty(source: Source, *, prune: bool) -> Iterator[NewPhoto | Skipped]:
    """Refuse to prune by an empty source: a disk that is not mounted looks like one."""
    photos = 0
    for item in source:
        photos += isinstance(item, NewPhoto)
        yield item
    if prune and not photos:
        raise SourceError(f"{source.key} has no photos; pruning by it would remove everything that came from it")


def _sum(results: Sequence[ScanResult]) -> ScanResult:
    return ScanResult(
        **{field.name: sum(getattr(result, field.name) for result in results) for field in fields(ScanResult)}
    )
