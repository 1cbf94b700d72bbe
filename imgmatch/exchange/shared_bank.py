"""A bank's fingerprints and features in one signed file, so that two sites find crops of each other's pictures.

There is no picture in it and no thumbnail. It begins with a line that names the format; the head and each entry follow,
each behind its length (u32, little-endian); a length of 0 ends them. Then come their count (u64), the SHA-256 of all
bytes before it, and the Ed25519 signature of that line and that digest. Entries stand in the order of their refs, so
that the same entries are the same bytes.

Whoever reads one trusts nobody: the file is read twice, first to prove who has signed it, and nothing of it is handed
out before that. What is read the second time is compared, block by block, with what was read the first.
"""

from __future__ import annotations

import hashlib
import os
import struct
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from imgmatch import registry, rooted
from imgmatch.errors import ConflictError, SourceError
from imgmatch.exchange.shared_packing import MOST_ENTRY, MOST_HEAD, pack_entry, pack_head, unpack_entry, unpack_head
from imgmatch.exchange.signing import SIGNATURE_BYTES
from imgmatch.model import BadEntry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from imgmatch.exchange.shared_values import SharedEntry, SharedHead
    from imgmatch.exchange.signing import PublicKey, SigningKey

MAGIC = b"imgmatch-shared-bank 1\n"
"""What a file begins with: its format, and the version of that."""

_ANY_VERSION = b"imgmatch-shared-bank "
_LENGTH, _COUNT = struct.Struct("<I"), struct.Struct("<Q")
_DIGEST_BYTES = hashlib.sha256().digest_size
_SEAL_BYTES = _DIGEST_BYTES + SIGNATURE_BYTES
_BLOCK = 1 << 20


def write_shared(stream: BinaryIO, head: SharedHead, entries: Iterable[SharedEntry], key: SigningKey) -> int:
    """Write a file of shared features, entry by entry; returns how many.

    Args:
        stream: where to; what it holds is of no use until this returns.
        head: what the file says of itself; its count and its key are those of what is written.
        entries: in rising order of their refs, as Python compares texts (SQLite likewise; PostgreSQL with ``COLLATE
            "C"``).
        key: whose signature it gets.

    Raises:
        UnknownNameError: there is no such codebook.
        ValueError: the head, or an entry, says what may not be said, or entries are out of order.
    """
    lists, digest = registry.codebook(head.codebook).lists, hashlib.sha256()

    def put(*pieces: bytes) -> None:
        for piece in pieces:
            digest.update(piece)
            stream.write(piece)

    said = pack_head(head, key.public_key)
    put(MAGIC, _LENGTH.pack(len(said)), said)
    count, before = 0, ""
    for entry in entries:
        if entry.ref <= before:
            raise ValueError(f"entry {entry.ref!r} comes behind {before!r}: refs have to rise")
        try:
            packed = pack_entry(entry, head.hashers, lists)
        except ValueError as error:
            raise ValueError(f"entry {entry.ref!r} cannot be shared: {error}") from None
        put(_LENGTH.pack(len(packed)), packed)
        count, before = count + 1, entry.ref
    put(_LENGTH.pack(0), _COUNT.pack(count))
    stream.write(digest.digest() + key.sign(MAGIC + digest.digest()))
    return count


@contextmanager
def read_shared(
    path: str | os.PathLike[str], *, trusted: Collection[PublicKey], codebook: str | None = None
) -> Iterator[tuple[SharedHead, Iterator[SharedEntry | BadEntry]]]:
    """Prove who has signed a file of shared features, then give its head and, one by one, its entries.

    The file is open until the ``with`` block ends, and no entry is read after that. Whether the sequence number has
    risen is for the caller to see.

    Args:
        path: of the file.
        trusted: keys of those it may come from.
        codebook: what the features have to be coded by; without it any that we know will do.

    Raises:
        ConflictError: its features are coded by another codebook.
        MissingExtraError: what proves signatures is not installed.
        SourceError: it cannot be read, is no such file, of another version, cut short, damaged, or signed by nobody who
            is trusted. While entries are read: it was changed meanwhile.
    """
    name = os.fspath(path)
    with _opened(name) as file:
        head, digests = _proved(file, name, trusted)
        wanted = registry.CODEBOOKS if codebook is None else {codebook}
        if head.codebook not in registry.CODEBOOKS or head.codebook not in wanted:
            raise ConflictError(
                f"{name}: its features are coded by {head.codebook!r}, which means nothing beside "
                f"{', '.join(sorted(wanted))}; ask the sender for features of that"
            )
        yield head, _entries(_Pieces(name, _same_blocks(file, name, digests)), head)


class _Pieces:
    """What stands in a file, piece after piece, of blocks that are read as they are needed."""

    def __init__(self, name: str, blocks: Iterator[bytes]) -> None:
        self.name, self.entries = name, 0
        self._blocks, self._held, self._at = blocks, b"", 0

    def has(self, size: int) -> bool:
        """Whether so many bytes are still there."""
        while len(self._held) - self._at < size:
            block = next(self._blocks, b"")
            if not block:
                return False
            self._held, self._at = self._held[self._at :] + block, 0
        return True

    def take(self, size: int) -> bytes:
        if not self.has(size):
            raise SourceError(f"{self.name}: it is cut short, after {self.entries:,} entries")
        self._at += size
        return self._held[self._at - size : self._at]

    def head(self) -> SharedHead:
        begins = self.take(len(MAGIC)) if self.has(len(MAGIC)) else b""
        if begins != MAGIC:
            if not begins.startswith(_ANY_VERSION):
                raise SourceError(f"{self.name}: it is no file of shared features")
            version = begins.removeprefix(_ANY_VERSION).split(b"\n")[0].decode("ascii", "replace")
            raise SourceError(f"{self.name}: it is of version {version!r} of the format; we read version '1'")
        try:
            return unpack_head(self._framed("its head", MOST_HEAD))
        except ValueError as error:
            raise SourceError(f"{self.name}: its head is damaged: {error}") from None

    def bodies(self) -> Iterator[bytes]:
        """The bytes of each entry; what is taken after them stands behind their end."""
        while body := self._framed(f"entry {self.entries + 1:,}", MOST_ENTRY):
            self.entries += 1
            yield body

    def _framed(self, what: str, most: int) -> bytes:
        (length,) = _LENGTH.unpack(self.take(_LENGTH.size))
        if length > most:
            raise SourceError(f"{self.name}: it is damaged: {what} would have {length:,} bytes, and {most:,} at most")
        return self.take(length)


def _opened(name: str) -> BinaryIO:
    try:
        return rooted.open_regular(Path(name))
    except (OSError, ValueError) as error:
        raise SourceError(f"{name}: it cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _proved(file: BinaryIO, name: str, trusted: Collection[PublicKey]) -> tuple[SharedHead, list[bytes]]:
    """The head of a file whose signature is proved, and the digest of each block of it."""
    signed, digests = hashlib.sha256(), list[bytes]()
    pieces = _Pieces(name, _first_blocks(file, name, signed, digests))
    head = pieces.head()
    if head.public_key is None or head.public_key not in trusted:
        raise SourceError(f"{name}: it says that {head.public_key} has signed it, and that key is not trusted")
    for _ in pieces.bodies():
        pass
    (count,) = _COUNT.unpack(pieces.take(_COUNT.size))
    digest, signature = pieces.take(_DIGEST_BYTES), pieces.take(SIGNATURE_BYTES)
    if pieces.has(1):
        raise SourceError(f"{name}: something was appended to it")
    if digest != signed.digest() or count != pieces.entries:
        raise SourceError(f"{name}: it is damaged: its bytes are not those that its digest was made of")
    if not head.public_key.has_signed(MAGIC + digest, signature):
        raise SourceError(f"{name}: the signature does not fit: {head.public_key} has not signed this file")
    return replace(head, count=count), digests


def _first_blocks(file: BinaryIO, name: str, signed: hashlib._Hash, digests: list[bytes]) -> Iterator[bytes]:
    """The blocks of a file; notes the digest of each, and of all together but for the seal at the end."""
    left = max(0, os.fstat(file.fileno()).st_size - _SEAL_BYTES)
    while block := _block(file, name):
        signed.update(block[:left])
        left -= min(left, len(block))
        digests.append(hashlib.sha256(block).digest())
        yield block


def _same_blocks(file: BinaryIO, name: str, digests: list[bytes]) -> Iterator[bytes]:
    """The blocks of a file from its beginning, once more, if they are those whose digests these are."""
    file.seek(0)
    for digest in digests:
        block = _block(file, name)
        if hashlib.sha256(block).digest() != digest:
            raise SourceError(f"{name}: it was changed while it was read; what came before that is as it was signed")
        yield block


def _block(file: BinaryIO, name: str) -> bytes:
    try:
        return file.read(_BLOCK)
    except OSError as error:
        raise SourceError(f"{name}: it cannot be read: {error.strerror or error}") from error


def _entries(pieces: _Pieces, head: SharedHead) -> Iterator[SharedEntry | BadEntry]:
    lists, before = registry.codebook(head.codebook).lists, ""
    pieces.head()
    for body in pieces.bodies():
        try:
            entry = _risen(unpack_entry(body, head.hashers, lists), before)
        except ValueError as error:
            yield BadEntry(pieces.entries, str(error))
            continue
        before = entry.ref
        yield entry


def _risen(entry: SharedEntry, before: str) -> SharedEntry:
    if entry.ref <= before:
        raise ValueError("its ref stands there twice, or out of order")
    return entry
