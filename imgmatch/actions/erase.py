"""Erase an account or a photo everywhere, and look whether it is really gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgmatch import registry
from imgmatch.actions.traces import found_in
from imgmatch.catalog.erasing import (
    Erased,
    accounts_in_use,
    digests_in_use,
    digests_of,
    features_of,
    mentions,
    names_of,
)
from imgmatch.catalog.features import features_by_id, pieces_in_use
from imgmatch.catalog.times import to_microseconds
from imgmatch.engines.postings import Postings
from imgmatch.engines.votes import GEOMETRY_BITS
from imgmatch.errors import NotFoundError
from imgmatch.model import Erasure

_PIECE, _EVERY = 48, 512  # bytes; longer than two codes, which any two pictures may have in common

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from imgmatch.index import Index


def erase(
    index: Index, *, account: str | None = None, photo_id: str | None = None, before: datetime | None = None
) -> Erasure:
    """Remove photos from the catalog and the engine files, then search the files.

    Args:
        index: where they are.
        account: all photos of this account,
        photo_id: or this photo,
        before: or all photos first seen before this moment, which has a time zone; there may be none.

    Raises:
        NotFoundError: there is no such account or photo.
        ValueError: not one of these was given.
        IndexUnusableError: the index cannot be written.
    """
    erased = Erased(account, photo_id, None if before is None else to_microseconds(before))
    with index.writing():
        with index.catalog.read() as connection:
            if before is None and not mentions(connection, erased):
                named = f"account {account!r}" if account is not None else f"photo {photo_id!r}"
                raise NotFoundError(f"index {index.path} has no {named}")
            gone, owners = names_of(connection, erased)
            digests = digests_of(connection, erased)
            features = features_of(connection, erased)
        removed = index.remove(account=account, photo_id=photo_id, before=before)
        with index.catalog.read() as connection:
            lost = features.keys() - features_by_id(connection, features).keys()
            left = mentions(connection, erased)
            owners -= accounts_in_use(connection, owners)
        pieces = {piece for row in lost for blob in features[row] for piece in pieces_of(blob)}
        searched_for, files, traces = _searched(index, digests, pieces)
        left += _in_engine(index, lost)
    return Erasure(
        account=account,
        photo_id=photo_id,
        photos=removed,
        searched_for=searched_for,
        files_searched=files,
        traces=traces + left,
        gone_photos=gone.union([] if photo_id is None else [photo_id]),
        gone_accounts=owners.union([] if account is None else [account]),
    )


def _searched(index: Index, digests: set[bytes], pieces: set[bytes]) -> tuple[int, int, int]:
    """How many of these no photo has any more, how many files were read, and how often one of them was found there."""
    files = [entry for entry in sorted(index.path.iterdir()) if entry.is_file() and entry.stat().st_size]
    found = [found_in(file, digests | pieces) for file in files]
    met = set[bytes]().union(*found)
    # Others may have the same picture, and a copy that differs in a few pixels whole stretches of it: those are not its
    # own. What is in use is found; so only of what is found it need be asked.
    with index.catalog.read() as connection:
        used = digests_in_use(connection, digests & met) | pieces_in_use(connection, pieces & met)
    own = (digests | pieces) - used
    return len(own), len(files), sum(len(each & own) for each in found)


def pieces_of(blob: bytes) -> set[bytes]:
    """Parts of a blob to look for: a database does not keep it in one piece, and what it begins with others share."""
    last = len(blob) - _PIECE
    return {blob[start : start + _PIECE] for start in range(min(len(blob) // 2, max(last, 0)), last + 1, _EVERY)}


def _in_engine(index: Index, rows: Collection[int]) -> int:
    """How many points of these pictures the engine file of features still holds."""
    snapshot = index.header.features
    if snapshot is None:
        return 0
    postings = Postings.open(index.layout.snapshot_path(snapshot), registry.codebook(snapshot.of).lists)
    erased = np.fromiter(rows, np.int64)
    return sum(int(np.isin(piece.ids >> GEOMETRY_BITS, erased).sum()) for piece in postings.pieces())
