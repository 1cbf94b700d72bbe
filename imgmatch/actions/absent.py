"""Photos of a manifest that are not there: where nearly all are missing, a disk is, or it lies in another folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch.errors import SourceError
from imgmatch.model import NewPhoto, SkipReason
from imgmatch.sources.base import shown
from imgmatch.sources.manifest import ManifestSource
from imgmatch.sources.urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imgmatch.model import Skipped
    from imgmatch.progress import Progress
    from imgmatch.sources.base import Source

_FEW = 10
"""Of fewer photos nothing is said while one of them is there."""

_NEARLY_ALL = 0.9


class AbsentPhotos:
    """Counts photos of one source, and as a :class:`~imgmatch.progress.Progress` those that are missing.

    Args:
        source: a manifest, or another source, of which nothing is said.
        progress: hears what this hears.
    """

    def __init__(self, source: Source, progress: Progress) -> None:
        self._progress = progress
        self._manifest = shown(shown_url(source.key)) if isinstance(source, ManifestSource) else None
        self._base = shown(shown_url(source.key.rpartition("/")[0]))
        self._photos = self._missing = 0
        self._first = ""

    def counted(self, items: Iterable[NewPhoto | Skipped]) -> Iterator[NewPhoto | Skipped]:
        """The same items."""
        for item in items:
            self._photos += isinstance(item, NewPhoto)
            yield item

    def step(self, work: str, done: float, total: float | None = None) -> None:
        """Pass it on."""
        self._progress.step(work, done, total)

    def skipped(self, skipped: Skipped) -> None:
        """Pass it on, and count it if it is missing; one that comes twice counts once."""
        self._photos -= skipped.reason is SkipReason.DUPLICATE
        if skipped.reason is SkipReason.MISSING:
            self._missing += 1
            self._first = self._first or skipped.photo
        self._progress.skipped(skipped)

    def error(self) -> SourceError | None:
        """Why the manifest is not taken for the photos there are now: none of them is there."""
        if self._manifest is None or not self._photos or self._missing < self._photos:
            return None
        return SourceError(self._said(f"none of its photos is there ({self._photos:,})"), SkipReason.MISSING)

    def hint(self) -> str | None:
        """What to look at where all or nearly all are missing."""
        if (error := self.error()) is not None:
            return str(error)
        if self._manifest is None or self._photos < _FEW or self._missing < _NEARLY_ALL * self._photos:
            return None
        return self._said(f"{self._missing:,} of its {self._photos:,} photos are not there")

    def _said(self, what: str) -> str:
        advice = f"paths in a manifest are relative to its folder, {self._base}"
        return f"{self._manifest}: {what}, such as {self._first}; {advice}"
