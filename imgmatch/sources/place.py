"""Where a source lies, as those that ``registry.SOURCES`` names are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgmatch.errors import PhotoError, SourceError
from imgmatch.rooted import open_regular
from imgmatch.sources.base import PathGuard, shown
from imgmatch.sources.names import USUAL_NAMES, NameRule
from imgmatch.sources.remote import Remote
from imgmatch.sources.urls import is_url, shown_url

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Place:
    """Where a source lies, and what it is read with.

    Attributes:
        key: an absolute path, or a URL in normal form.
        guard: keeps the source and its photos inside a root.
        remote: the connections for URLs; ``None`` where URLs are not read.
        names: what is passed over by its name.
    """

    key: str
    guard: PathGuard
    remote: Remote | None = None
    names: NameRule = USUAL_NAMES

    @property
    def is_remote(self) -> bool:
        """Whether it is a URL."""
        return is_url(self.key)

    def file(self) -> Path:
        """The path to open, of a source that is read from this machine only.

        Raises:
            PhotoError: it lies outside the root.
            SourceError: it is a URL.
        """
        if self.is_remote:
            where = shown(shown_url(self.key))
            raise SourceError(f"{where}: archives are read from this machine only; download it first.")
        return self.guard.admit(self.key)

    def open(self) -> BinaryIO:
        """The file itself, of a source that is read from this machine only, from its beginning.

        Raises:
            OSError: it cannot be opened, or is no regular file.
            SourceError: it lies outside the root, or is a URL.
        """
        try:
            return open_regular(self.file(), self.guard.root)
        except PhotoError as error:
            raise SourceError(f"{shown(self.key)}: {error.detail}") from error
