"""Erase an account or a photo everywhere, and look whether it is really gone."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgmatch.catalog.erasing import digests_in_use, digests_of, mentions
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from imgmatch.index import Index


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased, and the proof.

    Attributes:
        account: the account that was named, if one was.
        photo_id: the photo that was named, if one was.
        photos: photos removed.
        searched_for: digests and fingerprints that no other photo has and that were looked for afterwards.
        files_searched: files of the index that were read from end to end.
        traces: how many of them were found, and rows that still name the account or photo; 0 is the proof.
    """

    account: str | None
    photo_id: str | None
    photos: int
    searched_for: int
    files_searched: int
    traces: int


def erase(index: Index, *, account: str | None = None, photo_id: str | None = None) -> Erasure:
    """Remove an account's photos, or one photo, from the catalog and the engine files, then search the files.

    Raises:
        ImgmatchError: there is no such account or photo.
        ValueError: neither or both were named.
        IndexUnusableError: the index cannot be written.
    """
    with index.writing():
        with index.catalog.read() as connection:
            if not mentions(connection, account=account, photo_id=photo_id):
                named = f"account {account!r}" if account is not None else f"photo {photo_id!r}"
                raise ImgmatchError(f"index {index.path} has no {named}")
            digests = digests_of(connection, account=account, photo_id=photo_id)
        removed = index.remove(account=account, photo_id=photo_id)
        with index.catalog.read() as connection:
            gone = digests - digests_in_use(connection, digests)
            left = mentions(connection, account=account, photo_id=photo_id)
        files = [entry for entry in sorted(index.path.iterdir()) if entry.is_file() and entry.stat().st_size]
        found = sum(_occurrences(file, gone) for file in files)
    return Erasure(account, photo_id, removed, len(gone), len(files), found + left)


def _occurrences(path: Path, digests: Collection[bytes]) -> int:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return sum(content.find(digest) >= 0 for digest in digests)
