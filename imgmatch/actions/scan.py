"""Scan sources into an index."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import fields
from os import PathLike, fspath
from typing import TYPE_CHECKING

from imgmatch.catalog.scans import SCAN
from imgmatch.errors import ScanInterrupted, SourceError
from imgmatch.ingest.adding import add
from imgmatch.ingest.intake import WORK
from imgmatch.ingest.retention import kept
from imgmatch.model import NewPhoto, ScanResult, Skipped, SkipReason
from imgmatch.progress import SILENT, ItemCount
from imgmatch.sources import open_source
from imgmatch.sources.base import shown
from imgmatch.sources.guard import guarded
from imgmatch.sources.remote import Remote
from imgmatch.sources.retrying import RemoteOptions
from imgmatch.sources.total import SourceTotal
from imgmatch.sources.urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from imgmatch.engines.parts import Parts
    from imgmatch.progress import Progress
    from imgmatch.sources.base import Source


def scan(  # noqa: PLR0913 -- each is an option of the command
    parts: Parts,
    sources: Sequence[str | PathLike[str] | Source],
    *,
    root: Path | None = None,
    prune: bool = False,
    progress: Progress = SILENT,
    count_ahead: bool = False,
    remote: Remote | None = None,
    since: datetime | None = None,
) -> ScanResult:
    """Add or update the photos of every source, one after another.

    A source that breaks off costs what follows in it, and is a skipped item itself; it is not pruned.

    Args:
        parts: of the index they are added to.
        sources: folders, manifests, archives or single photos, by path or URL, or opened already.
        root: refuse photos outside this folder.
        prune: remove photos of these sources that are gone from them.
        progress: hears how many photos are done with, those passed over too, and of every skipped one.
        count_ahead: count all photos beside the work, so that ``progress`` hears of how many, once that is known.
        remote: the connections for URLs; ``None`` makes some for this scan.
        since: pass over photos first seen before this moment, which has a time zone; with ``prune`` those that are
            there are removed.

    Raises:
        MissingExtraError: what reads a source is not installed.
        SourceError: a source cannot be opened, which shows before anything is written; or one has broken off, and no
            source has given any photo that could be used.
        IndexLockedError: one of them is being scanned by somebody else.
        IndexUnusableError: the index cannot be written.
        ScanInterrupted: somebody has interrupted it; what was described so far is written.
    """
    with ExitStack() as stack:
        connections = stack.enter_context(Remote()) if remote is None else remote
        opened = _opened(sources, root, connections)
        for source in opened:  # all of them, before anything is written
            stack.enter_context(parts.catalog.lease(f"{SCAN}{source.key}"))
        ahead = stack.enter_context(SourceTotal(opened)) if count_ahead else None
        count = ItemCount(progress, lambda: None if ahead is None else ahead.total)
        results: list[ScanResult] = []
        broken: list[SourceError] = []
        with _counting_kept(results):
            for source in opened:
                photos = kept(_not_empty(source, prune=prune), since, lambda: count.add(WORK))
                taken = _Taken(source.key, photos)
                results.append(add(parts, taken, source=source.key, prune=prune, progress=count, whole=taken.is_whole))
                broken += [] if taken.error is None else [taken.error]
                count.end_part(WORK)
    return _sum(results, broken)


@contextmanager
def _counting_kept(results: Sequence[ScanResult]) -> Iterator[None]:
    """Have an interruption say what is kept of all sources."""
    try:
        yield
    except KeyboardInterrupt as error:
        last = error.kept if isinstance(error, ScanInterrupted) else 0
        raise ScanInterrupted(last + sum(result.added + result.updated for result in results)) from None


@contextmanager
def open_sources(
    sources: Sequence[str | PathLike[str]], *, root: Path | None = None, remote: RemoteOptions | None = None
) -> Iterator[list[Source]]:
    """Open sources to be scanned, before an index is: reads nothing but the heads of manifests.

    Args:
        sources: folders, manifests, archives and photos, by path or URL.
        root: refuse photos outside this folder.
        remote: how photos are fetched from URLs.

    Raises:
        MissingExtraError: what reads a source is not installed.
        SourceError: one of them cannot be read at all.
    """
    with Remote(remote or RemoteOptions()) as connections:
        yield _opened(sources, root, connections)


def _opened(sources: Sequence[str | PathLike[str] | Source], root: Path | None, remote: Remote | None) -> list[Source]:
    return [
        open_source(fspath(source), root=root, remote=remote) if isinstance(source, (str, PathLike)) else source
        for source in sources
    ]


class _Taken:
    """The items of a source up to where it breaks off; then, as the last one, why it does.

    Attributes:
        error: that, once it is known.
    """

    def __init__(self, key: str, items: Iterable[NewPhoto | Skipped]) -> None:
        self._key = key
        self._items = items
        self._surprised = False
        self.error: SourceError | None = None

    def __iter__(self) -> Iterator[NewPhoto | Skipped]:
        try:
            for item in self._items:
                self._surprised |= isinstance(item, Skipped) and item.reason is SkipReason.INTERNAL
                yield item
        except SourceError as error:
            self.error = error
            yield Skipped(shown(shown_url(self._key)), error.reason, str(error))

    def is_whole(self) -> bool:
        """Whether these were all photos of the source: a line on which imgmatch stumbled may name one more."""
        return self.error is None and not self._surprised


def _not_empty(source: Source, *, prune: bool) -> Iterator[NewPhoto | Skipped]:
    """Refuse to prune by an empty source: a disk that is not mounted looks like one."""
    photos = 0
    for item in guarded(source):
        photos += isinstance(item, NewPhoto)
        yield item
    if prune and not photos:
        raise SourceError(
            f"{shown_url(source.key)} has no photos; pruning by it would remove everything that came from it"
        )


def _sum(results: Sequence[ScanResult], broken: Sequence[SourceError]) -> ScanResult:
    total = ScanResult(
        **{field.name: sum(getattr(result, field.name) for result in results) for field in fields(ScanResult)}
    )
    if broken and not total.added + total.updated + total.unchanged:
        reason = next((error.reason for error in broken if error.reason is SkipReason.INTERNAL), broken[0].reason)
        raise SourceError("; ".join(map(str, broken)), reason)
    return total
