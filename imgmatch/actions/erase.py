"""Erase an account or a photo everywhere, and look whether it is really gone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from imgmatch import registry
from imgmatch.actions.traces import found_in_folder
from imgmatch.catalog.erasing import (
    Erased,
    accounts_in_use,
    digests_in_use,
    digests_of,
    features_of,
    mentions,
    names_of,
    remove_erased,
)
from imgmatch.catalog.features import features_by_id, pieces_in_use
from imgmatch.catalog.lookups import fingerprints_of_photos
from imgmatch.catalog.orphans import has_orphans, remove_orphans
from imgmatch.catalog.scans import drop_empty_sources, remove_skips
from imgmatch.catalog.times import to_microseconds
from imgmatch.clustering.keeping import kept_current
from imgmatch.engines.postings import Postings
from imgmatch.engines.publishing import publish
from imgmatch.engines.votes import GEOMETRY_BITS
from imgmatch.errors import NotFoundError
from imgmatch.model import Erasure

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from imgmatch.catalog.session import Session
    from imgmatch.engines.parts import Parts

_PIECE, _EVERY = 48, 512  # bytes; longer than two codes, which any two pictures may have in common

_ERASED_AT_ONCE = 500
"""Photos removed in one transaction."""

_LOOKED_AT_AGAIN = 5


class _Gone:
    """What was removed: what is to be looked for afterwards."""

    def __init__(self) -> None:
        self.photos: set[str] = set()
        self.accounts: set[str] = set()
        self.digests: set[bytes] = set()
        self.features: dict[int, tuple[bytes, bytes]] = {}

    def note(self, session: Session, erased: Erased) -> frozenset[str]:
        """Note what is removed next; returns the ids of the photos."""
        photos, accounts = names_of(session, erased)
        self.photos |= photos
        self.accounts |= accounts
        self.digests |= digests_of(session, erased)
        self.features |= features_of(session, erased)
        return photos


def erase(
    parts: Parts, *, account: str | None = None, photo_id: str | None = None, before: datetime | None = None
) -> Erasure:
    """Remove photos from the catalog and the engine files, then search the files.

    Others may read and write meanwhile. Where somebody reads an older state of the catalog for so long that its pages
    cannot be cleared, the traces that are left in them are counted.

    Args:
        parts: of the index they are in.
        account: all photos of this account,
        photo_id: or this photo,
        before: or all photos first seen before this moment, which has a time zone; there may be none.

    Raises:
        NotFoundError: there is no such account or photo.
        ValueError: not one of these was given.
        IndexUnusableError: the index cannot be written.
    """
    erased = _erased(account, photo_id, before)
    with parts.catalog.read() as session:
        if before is None and not mentions(session, erased):
            named = f"account {account!r}" if account is not None else f"photo {photo_id!r}"
            raise NotFoundError(f"index {parts.folder.root} has no {named}")
    gone = _removed(parts, erased)
    with parts.catalog.read() as session:
        lost = gone.features.keys() - features_by_id(session, gone.features).keys()
        left = mentions(session, erased)
        used = accounts_in_use(session, gone.accounts)
    pieces = {piece for row in lost for blob in gone.features[row] for piece in pieces_of(blob)}
    searched_for, files, traces = _searched(parts, gone.digests, pieces)
    return Erasure(
        account=account,
        photo_id=photo_id,
        photos=len(gone.photos),
        searched_for=searched_for,
        files_searched=files,
        traces=traces + left + _in_engine(parts, lost),
        gone_photos=frozenset(gone.photos.union([] if photo_id is None else [photo_id])),
        gone_accounts=frozenset((gone.accounts - used).union([] if account is None else [account])),
    )


def remove(
    parts: Parts, *, account: str | None = None, photo_id: str | None = None, before: datetime | None = None
) -> int:
    """As :func:`erase`, without looking for traces and without complaint where there is nothing; how many photos went.

    Raises:
        ValueError: not one of these was given.
        IndexUnusableError: the index cannot be written.
    """
    return len(_removed(parts, _erased(account, photo_id, before)).photos)


def _erased(account: str | None, photo_id: str | None, before: datetime | None) -> Erased:
    if sum(one is not None for one in (account, photo_id, before)) != 1:
        raise ValueError("name an account, a photo_id or a moment")
    return Erased(account, photo_id, None if before is None else to_microseconds(before))


def _removed(parts: Parts, erased: Erased) -> _Gone:
    """Remove photos, some in each transaction, then make sure that no file has them any more."""
    gone, some = _Gone(), replace(erased, at_once=_ERASED_AT_ONCE)
    left = True
    while left:
        with parts.catalog.write() as session, kept_current(session, parts.hasher, erased.account) as touched:
            photos = gone.note(session, some)
            touched.update(fingerprints_of_photos(session, parts.hasher_name, photos))
            removed = remove_erased(session, some)
            remove_orphans(session)
            left = removed == _ERASED_AT_ONCE or has_orphans(session)
    with parts.catalog.write() as session:
        if erased.before is None:
            remove_skips(session, account=erased.account, photo_id=erased.photo_id)
        drop_empty_sources(session)
    publish(parts)
    parts.catalog.compact()
    return gone


def _searched(parts: Parts, digests: set[bytes], pieces: set[bytes]) -> tuple[int, int, int]:
    """How many of these no photo has any more, how many files were read, and how often one of them was found there."""
    met = found_in_folder(parts.folder.root, digests | pieces)
    every = set[bytes]().union(*met)
    # Others may have the same picture, and a copy that differs in a few pixels whole stretches of it: those are not its
    # own. What is in use is found; so only of what is found it need be asked.
    with parts.catalog.read() as session:
        used = digests_in_use(session, digests & every) | pieces_in_use(session, pieces & every)
    own = (digests | pieces) - used
    return len(own), len(met), sum(len(each & own) for each in met)


def pieces_of(blob: bytes) -> set[bytes]:
    """Parts of a blob to look for: a database does not keep it in one piece, and what it begins with others share."""
    last = len(blob) - _PIECE
    return {blob[start : start + _PIECE] for start in range(min(len(blob) // 2, max(last, 0)), last + 1, _EVERY)}


def _in_engine(parts: Parts, rows: Collection[int]) -> int:
    """How many points of these pictures the engine file of features still holds."""
    erased = np.fromiter(rows, np.int64)
    for left in reversed(range(_LOOKED_AT_AGAIN)):  # another may be published, and this one dropped, at any moment
        snapshot = parts.folder.header().features
        if snapshot is None:
            break
        try:
            postings = Postings.open(parts.folder.snapshot_path(snapshot), registry.codebook(snapshot.of).lists)
            return sum(int(np.isin(piece.ids >> GEOMETRY_BITS, erased).sum()) for piece in postings.pieces())
        except ValueError:
            if not left:
                raise
    return 0
