"""Where a photo lies in a source, told from the key of the source and the photo's label: so ids of moved photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.errors import ConflictError, PhotoError
from imgmatch.model import LIBRARY_SOURCE, derived_photo_id
from imgmatch.sources.base import lexical
from imgmatch.sources.opening import suffix_of
from imgmatch.sources.urls import checked, is_url, joined, url_path

if TYPE_CHECKING:
    from collections.abc import Callable


def kind_of(key: str) -> str:
    """What kind of source a key is of, as far as that shows: a photo may be a ``folder``."""
    if key == LIBRARY_SOURCE:
        return "library"
    suffix = suffix_of(url_path(key) if is_url(key) else key)
    if suffix is not None:
        return "archive" if _archive(suffix) else "manifest"
    if is_url(key):
        return "bucket" if key.endswith("/") else "url"
    return "folder"


class Move:
    """A source that has moved.

    Args:
        old: its key.
        new: the key it is to have.

    Raises:
        ConflictError: no source of its kind can have that key.
    """

    def __init__(self, old: str, new: str) -> None:
        kinds = (kind_of(old), kind_of(new))
        if _shape(old) != _shape(new):
            raise ConflictError(f"{old} is a source of another kind ({kinds[0]}) than {new} ({kinds[1]})")
        self.old = old
        self.new = new

    def moved(self, account: str, photo_id: str, label: str, path: str) -> tuple[str, str]:
        """The id and the path of a photo once its source has moved; the same where they do not hang on its place.

        Args:
            account: whose it is.
            photo_id: its id so far.
            label: its label.
            path: its path so far.
        """
        for place in _PLACES:
            before = _placed(place, self.old, label)
            if before is None or (derived_photo_id(account, before) != photo_id and before != path):
                continue
            after = _placed(place, self.new, label)
            if after is None:
                continue
            derived = derived_photo_id(account, before) == photo_id
            return derived_photo_id(account, after) if derived else photo_id, after if before == path else path
        return photo_id, path


def _shape(key: str) -> str:
    """What must stay when a source moves: how ids hang on its place."""
    kind = kind_of(key)
    if kind == "archive":
        return _archive(suffix_of(key) or "") or kind
    return "folder" if kind == "bucket" else kind


def _archive(suffix: str) -> str | None:
    """The kind of archive with this suffix, by its module."""
    name = registry.SOURCES.get(suffix, "")
    return name if ".archive_" in name else None


def _placed(place: Callable[[str, str], str | None], key: str, label: str) -> str | None:
    try:
        return place(key, label)
    except PhotoError:
        return None


def _in_folder(key: str, label: str) -> str | None:
    if is_url(key):
        return key + label if key.endswith("/") else None
    return str(Path(key, label))


def _itself(key: str, label: str) -> str | None:
    name = (url_path(key) if is_url(key) else key).rpartition("/")[2]
    return key if name == label else None


def _in_archive(key: str, label: str) -> str | None:
    kind = _archive(suffix_of(key) or "")
    return None if kind is None else f"{'zip' if kind.endswith('open_zip') else 'tar'}://{label}::{key}"


def _beside(key: str, label: str) -> str | None:
    """As a manifest names it."""
    if is_url(label):
        return None
    return checked(joined(key, label)) if is_url(key) else lexical(str(Path(key).parent), label)


_PLACES = (_in_folder, _itself, _in_archive, _beside)
