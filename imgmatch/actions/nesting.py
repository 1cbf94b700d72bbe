"""Folders that lie one deeper than accounts do: what a zip of a folder holds, which begins with that folder's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch.model import NewPhoto
from imgmatch.sources.base import shown
from imgmatch.sources.manifest import ManifestSource
from imgmatch.sources.urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imgmatch.model import Skipped
    from imgmatch.sources.base import Source


class Nesting:
    """Notices that all photos of a source are of one account, though they lie in several folders.

    Args:
        source: a folder, an archive or a bucket, or another source, of which nothing is said.
    """

    def __init__(self, source: Source) -> None:
        self._source = shown(shown_url(source.key))
        self._account: str | None = None
        self._is_nested = not isinstance(source, ManifestSource)
        self._folders: set[str] = set()

    def counted(self, items: Iterable[NewPhoto | Skipped]) -> Iterator[NewPhoto | Skipped]:
        """The same items."""
        for item in items:
            if self._is_nested and isinstance(item, NewPhoto):
                self._is_nested = self._look(item)
            yield item

    def _look(self, photo: NewPhoto) -> bool:
        """Whether it may still be so: this one has the account of those before it, and a folder within its folder."""
        account, _, rest = photo.label.partition("/")
        folder, slash, _ = rest.partition("/")
        self._account = self._account or account
        if not slash or account != self._account:
            return False
        self._folders.add(folder)
        return True

    def hint(self) -> str | None:
        """What to look at where it is so."""
        if not self._is_nested or len(self._folders) < 2:  # noqa: PLR2004 -- one alone might be a year
            return None
        account = shown(self._account or "")
        return (
            f"{self._source}: all photos are of one account, {account}, though they lie in"
            f" {len(self._folders):,} folders of it; if these are the accounts, scan the folder {account} itself,"
            " unpacked where it is in an archive"
        )
