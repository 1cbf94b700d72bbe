"""Scan sources into an index."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from imgmatch.actions.absent import AbsentPhotos
from imgmatch.actions.nesting import Nesting
from imgmatch.catalog.lookalikes import count_lookalikes, some_lookalikes
from imgmatch.catalog.scans import SCAN
from imgmatch.catalog.times import to_microseconds
from imgmatch.errors import ScanInterrupted, SourceError
from imgmatch.ingest.adding import add
from imgmatch.ingest.intake import WORK
from imgmatch.ingest.pruning import Caution
from imgmatch.ingest.retention import kept
from imgmatch.model import NewPhoto, ScanResult, Skipped, SkipReason
from imgmatch.progress import SILENT, ItemCount
from imgmatch.sources.base import shown
from imgmatch.sources.guard import guarded
from imgmatch.sources.names import NameRule
from imgmatch.sources.remote import Remote
from imgmatch.sources.retrying import RemoteOptions
from imgmatch.sources.several import UnopenedSource, opened_sources
from imgmatch.sources.total import SourceTotal
from imgmatch.sources.urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from os import PathLike
    from pathlib import Path

    from imgmatch.engines.parts import Parts
    from imgmatch.progress import Progress
    from imgmatch.sources.base import Source

SHOWN_LOOKALIKES = 10
"""Sets of accounts that look alike are named up to this number, and counted in all."""


def scan(  # noqa: PLR0913 -- each is an option of the command
    parts: Parts,
    sources: Sequence[str | PathLike[str] | Source],
    *,
    root: Path | None = None,
    prune: bool = False,
    prune_all: bool = False,
    progress: Progress = SILENT,
    count_ahead: bool = False,
    remote: Remote | None = None,
    since: datetime | None = None,
    include: Sequence[str] = (),
) -> ScanResult:
    """Add or update the photos of every source, one after another.

    A source that cannot be opened, or breaks off, costs what follows in it, and is a skipped item itself; it is not
    pruned.

    Args:
        parts: of the index they are added to.
        sources: folders, manifests, archives or single photos, by path or URL, or opened already.
        root: refuse photos outside this folder.
        prune: remove photos of these sources that are gone from them, if those are not far more than go in a night.
        prune_all: remove them however many they are; only what may lie where the source could not be read stays.
        progress: hears how many photos are done with, those passed over too, and of every skipped one.
        count_ahead: count all photos beside the work, so that ``progress`` hears of how many, once that is known.
        remote: the connections for URLs; ``None`` makes some for this scan.
        since: pass over photos first seen before this moment, which has a time zone; with ``prune`` those that are
            there are removed.
        include: patterns of names that are passed over otherwise, see :class:`imgmatch.sources.names.NameRule`.

    Raises:
        MissingExtraError: what reads a source is not installed.
        SourceError: there is nothing where a source should be, which shows before anything is written; or one cannot be
            opened, has broken off, or is a manifest none of whose photos is there, and no source has given any photo
            that could be used.
        IndexLockedError: one of them is being scanned by somebody else.
        IndexUnusableError: the index cannot be written.
        ScanInterrupted: somebody has interrupted it; what was described so far is written.
    """
    with ExitStack() as stack:
        connections = stack.enter_context(Remote()) if remote is None else remote
        opened = opened_sources(sources, root=root, remote=connections, names=NameRule(tuple(include)))
        for source in opened:  # all of them, before anything is written
            if not isinstance(source, UnopenedSource):
                stack.enter_context(parts.catalog.lease(f"{SCAN}{source.key}"))
        ahead = stack.enter_context(SourceTotal(opened)) if count_ahead else None
        count = ItemCount(progress, lambda: None if ahead is None else ahead.total)
        caution = None if prune_all else Caution(None if since is None else to_microseconds(since))
        results: list[ScanResult] = []
        broken: list[SourceError] = []
        with _counting_kept(results):
            for source in opened:
                if isinstance(source, UnopenedSource):
                    results.append(_unopened(source, count))
                    broken.append(source.error)
                    continue
                taken = _Taken(source, kept(guarded(source), since, lambda: count.add(WORK)), count)
                done = add(
                    parts,
                    taken,
                    source=source.key,
                    prune=prune or prune_all,
                    progress=taken.absent,
                    whole=taken.is_whole,
                    caution=caution,
                )
                broken += taken.errors()
                results.append(replace(done, hints=taken.hints()))
                count.end_part(WORK)
    return with_lookalikes(parts, _sum(results, broken))


def with_lookalikes(parts: Parts, result: ScanResult) -> ScanResult:
    """The same result, with the accounts that look alike now."""
    with parts.catalog.read() as session:
        return replace(result, lookalikes=count_lookalikes(session), alike=some_lookalikes(session, SHOWN_LOOKALIKES))


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
    sources: Sequence[str | PathLike[str]],
    *,
    root: Path | None = None,
    remote: RemoteOptions | None = None,
    include: Sequence[str] = (),
) -> Iterator[list[Source]]:
    """Open sources to be scanned, before an index is: reads nothing but the heads of manifests.

    Args:
        sources: folders, manifests, archives and photos, by path or URL.
        root: refuse photos outside this folder.
        remote: how photos are fetched from URLs.
        include: patterns of names that are passed over otherwise, such as ``@eaDir`` or ``*.pdf``.

    Raises:
        MissingExtraError: what reads a source is not installed.
        SourceError: there is nothing where one should be, or none of them can be opened. One among others that is
            not opened the scan tells of.
    """
    with Remote(remote or RemoteOptions()) as connections:
        yield opened_sources(sources, root=root, remote=connections, names=NameRule(tuple(include)))


def _unopened(source: UnopenedSource, count: ItemCount) -> ScanResult:
    """Tell of a source that could not be opened: nothing of it is noted."""
    count.skipped(Skipped(shown(shown_url(source.key)), source.error.reason, str(source.error)))
    count.add(WORK)
    return ScanResult(0, 0, 0, 0, 1, 0.0)


class _Taken:
    """The items of a source up to where it breaks off; then, as the last one, why it does.

    Attributes:
        absent: counts the photos that are not there.
    """

    def __init__(self, source: Source, items: Iterable[NewPhoto | Skipped], progress: Progress) -> None:
        self.absent = AbsentPhotos(source, progress)
        self._key = source.key
        self._nesting = Nesting(source)
        self._items = self._nesting.counted(self.absent.counted(items))
        self._surprised = False
        self._error: SourceError | None = None

    def __iter__(self) -> Iterator[NewPhoto | Skipped]:
        try:
            for item in self._items:
                self._surprised |= isinstance(item, Skipped) and item.reason is SkipReason.INTERNAL
                yield item
        except SourceError as error:
            self._error = error
            yield Skipped(shown(shown_url(self._key)), error.reason, str(error))

    def is_whole(self) -> bool:
        """Whether these were all photos of the source: a line on which imgmatch stumbled may name one more."""
        return not self._surprised and not self.errors()

    def hints(self) -> tuple[str, ...]:
        """What an operator should look at."""
        return tuple(hint for hint in (self.absent.hint(), self._nesting.hint()) if hint is not None)

    def errors(self) -> list[SourceError]:
        """What is wrong with the whole of it."""
        return [error for error in (self._error or self.absent.error(),) if error is not None]


def _sum(results: Sequence[ScanResult], broken: Sequence[SourceError]) -> ScanResult:
    parts = {field.name: [getattr(result, field.name) for result in results] for field in fields(ScanResult)}
    hints = tuple(hint for some in parts.pop("hints") for hint in some)
    total = ScanResult(**{name: sum(values) for name, values in parts.items() if name != "alike"}, hints=hints)
    if broken and not total.added + total.updated + total.unchanged:
        reason = next((error.reason for error in broken if error.reason is SkipReason.INTERNAL), broken[0].reason)
        raise SourceError("; ".join(map(str, broken)), reason)
    return total
