"""One photo as a source: an account of its own, named by its file stem."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.errors import SourceError
from imgmatch.model import NewPhoto, Skipped, derived_photo_id
from imgmatch.sources.base import account_problem, stem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.sources.place import Place


class SinglePhotoSource:
    """A single file, whatever it is called.

    Args:
        place: of the file.

    Raises:
        PhotoError: the file lies outside the root.
        SourceError: the file's stem cannot be an account.
    """

    def __init__(self, place: Place) -> None:
        name = Path(place.key).name
        account = stem(name)
        if problem := account_problem(account):
            raise SourceError(f"The photo cannot be named by its file: {problem}")
        self.key = place.key
        self._photo = NewPhoto(account, place.file(), name, derived_photo_id(account, place.key), root=place.guard.root)

    def __iter__(self) -> Iterator[NewPhoto | Skipped]:
        yield self._photo

    def to_count(self) -> Iterator[object]:
        """See :class:`imgmatch.sources.base.Countable`."""
        return iter(self)
