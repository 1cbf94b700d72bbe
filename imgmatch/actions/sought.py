"""What an erasure has removed: all by which it could be known again, to be looked for afterwards."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from imgmatch.catalog.banks import bank_origins
from imgmatch.catalog.decisions import decided_of
from imgmatch.catalog.erasing import Erased, erased_photos, features_of, fingerprints_of, pixels_of
from imgmatch.catalog.scans import skips_of
from imgmatch.catalog.spellings import former_spellings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.catalog.session import Session

_PIECE, _EVERY = 48, 512  # bytes; longer than two codes, which any two pictures may have in common
_WHOLE = 256
"""Bytes up to which a text lies in one piece."""

_TEXTS = ("accounts", "photos", "others", "names", "attributes", "paths", "sources")
_BLOBS = ("digests", "pixels", "fingerprints")


@dataclass(slots=True)
class Sought:
    """What was removed.

    Attributes:
        accounts: ids of the accounts whose photos were removed.
        photos: ids of the photos that were removed.
        others: ids of photos that were only spoken of: skipped, decided on, or in a bank.
        names: display names of the accounts.
        attributes: what else was known of the accounts.
        paths: paths and labels of photos.
        sources: keys of sources that nothing came from any more.
        digests: SHA-256 of the files.
        pixels: digests of the pictures.
        fingerprints: of every hasher.
        features: pieces of the record and of the thumbnail, by the row id of the features.
    """

    accounts: set[str] = field(default_factory=set)
    photos: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    digests: set[bytes] = field(default_factory=set)
    pixels: set[bytes] = field(default_factory=set)
    fingerprints: set[bytes] = field(default_factory=set)
    features: dict[int, tuple[set[bytes], set[bytes]]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in (*_TEXTS, *_BLOBS, "features"))

    def note_photos(self, session: Session, erased: Erased) -> set[str]:
        """Note photos that are removed next; returns their ids."""
        photos = erased_photos(session, erased)
        for photo in photos:
            self.photos.add(photo.photo_id)
            self.accounts.add(photo.account)
            self.names |= set() if photo.name is None else {photo.name}
            self.attributes |= set((photo.attributes or {}).values())
            self.paths |= {photo.label, photo.path}
            self.digests.add(photo.sha256)
        self.pixels |= pixels_of(session, erased)
        self.fingerprints |= fingerprints_of(session, erased)
        for row, (record, thumbnail) in features_of(session, erased).items():
            self.features[row] = pieces_of(record), pieces_of(thumbnail)
        return {photo.photo_id for photo in photos}

    def note_mentions(self, session: Session, erased: Erased) -> None:
        """Note what decisions, banks and skipped photos say of it, which is removed next."""
        if erased.before is not None:
            return
        account, photo_id = erased.account, erased.photo_id
        self.accounts |= set() if account is None else {account, *former_spellings(session, account)}
        self.others |= set() if photo_id is None else {photo_id}
        for decided, bits in decided_of(session, account=account, photo_id=photo_id):
            self.others.add(decided)
            self.fingerprints.add(bits)
        for rows_of in (bank_origins, skips_of):
            for spoken, label in rows_of(session, account=account, photo_id=photo_id):
                self.others |= set() if spoken is None else {spoken}
                self.paths.add(label)

    def identifiers(self) -> set[str]:
        """Texts that stand for one account or photo alone."""
        return self.accounts | self.photos | self.others | self.paths

    def spoken(self) -> set[str]:
        """Texts by which a person may speak of it: the same, display names, and file names."""
        return self.identifiers() | self.names | {PurePosixPath(path).name for path in self.paths}

    def packed(self) -> bytes:
        """All of it as JSON."""
        texts = {name: sorted(getattr(self, name)) for name in _TEXTS}
        blobs = {name: _hex(getattr(self, name)) for name in _BLOBS}
        rows = [[row, _hex(record), _hex(thumbnail)] for row, (record, thumbnail) in self.features.items()]
        return json.dumps({**texts, **blobs, "features": rows}).encode()

    def add(self, packed: bytes) -> None:
        """Add what :meth:`packed` gave."""
        found: dict[str, Any] = json.loads(packed)
        for name in _TEXTS:
            getattr(self, name).update(found[name])
        for name in _BLOBS:
            getattr(self, name).update(map(bytes.fromhex, found[name]))
        for row, record, thumbnail in found["features"]:
            self.features[row] = set(map(bytes.fromhex, record)), set(map(bytes.fromhex, thumbnail))


def pieces_of(blob: bytes) -> set[bytes]:
    """Parts of a blob to look for: a database does not keep it in one piece, and what it begins with others share."""
    last = len(blob) - _PIECE
    return {blob[start : start + _PIECE] for start in range(min(len(blob) // 2, max(last, 0)), last + 1, _EVERY)}


def pieces_of_text(text: str) -> Iterator[bytes]:
    """A text as a file may hold it: as it is, and as JSON has it; of a long one pieces, as of a blob."""
    for written in {text, json.dumps(text)[1:-1]}:
        content = written.encode()
        yield from (content,) if len(content) <= _WHOLE else pieces_of(content)


def _hex(pieces: set[bytes]) -> list[str]:
    return sorted(piece.hex() for piece in pieces)
