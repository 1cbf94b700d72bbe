"""The index of PDQ values that ``tx`` builds, keeps in a file and queries: imgmatch's banded engine.

The file is plain: two lines of text, a line for each different entry (JSON, see :mod:`imgmatch.exchange.tx_entries`),
32 bytes a hash, four bytes a hash that say which entry is its own, and a checksum of it all.
"""

from __future__ import annotations

import hashlib
import json
import threading
import warnings
from typing import IO, TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from threatexchange.signal_type.index import IndexMatchUntyped, SignalSimilarityInfoWithIntDistance, SignalTypeIndex

from imgmatch.engines.banded import BandedEngine
from imgmatch.exchange.tx_entries import from_line, to_line
from imgmatch.hashers.hexform import from_hex
from imgmatch.model import FINGERPRINT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from imgmatch.engines.base import Codes

Entry = TypeVar("Entry")

MOST_DISTANCE = 31
"""Bits within which the field calls two PDQ values a match."""

_MAGIC = b"imgmatch-tx-index 1\n"
_LONGEST_LINE = 1 << 24
_MOST_HASHES = 2**31 - 16
_BLOCK = 1 << 20
_NUMBER = np.dtype("<u4")


class TurnedHash(str):
    """A PDQ value that also carries those of the photo in all eight orientations.

    It is the plain value to everybody else; an index of ours that is asked with it finds mirrored and turned copies.
    """

    __slots__ = ("codes",)
    codes: Codes

    @classmethod
    def of(cls, codes: Codes) -> Self:
        """The value of the upright photo, row 0, with all of ``codes``, shape (8, 32)."""
        value = cls(codes[0].tobytes().hex())
        value.codes = codes
        return value


def checked_value(text: str) -> str:
    """A PDQ value as the field writes it: 64 lowercase hex digits; capitals and space around them are mended.

    Raises:
        ValueError: it is none.
    """
    value = text.strip().lower()
    from_hex(value)
    return value


class BandedIndex(SignalTypeIndex, Generic[Entry]):  # type: ignore[misc]  # threatexchange has no types here
    """PDQ values with entries, several under one value if need be. May be queried by several threads."""

    def __init__(self, entries: Iterable[tuple[str, Entry]] = ()) -> None:
        super().__init__()
        self._entries: list[Entry] = []
        self._waiting: list[bytes] = []
        self._engine = BandedEngine.empty()
        self._taking_in = threading.Lock()
        self.add_all(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, signal_str: str, entry: Entry) -> None:
        """Add an entry, beside those that have the same value.

        Raises:
            ValueError: the signal is no PDQ value.
        """
        value = bytes.fromhex(checked_value(signal_str))
        with self._taking_in:
            self._waiting.append(value)
            self._entries.append(entry)

    def add_all(self, entries: Iterable[tuple[str, Entry]]) -> None:
        """Add many; those that are no PDQ values are left out, with a warning that counts them and shows the first.

        ``tx`` takes lines of a partner's file as they are: one that is broken must not cost the others.
        """
        broken, first = 0, ""
        for signal_str, entry in entries:
            try:
                self.add(signal_str, entry)
            except ValueError as error:
                broken, first = broken + 1, first or str(error)
        if broken:
            warnings.warn(f"{broken:,} signals are left out; of the first: {first}", UserWarning, stacklevel=2)

    def query(self, query: str) -> list[Any]:
        """The entries within 31 bits, nearest first; none for ``""``, which is what an unusable photo hashes to.

        Returns:
            ``IndexMatch`` with the distance in bits; of a photo in eight orientations, the least of the eight.

        Raises:
            ValueError: the query is no PDQ value.
        """
        if not query:
            return []
        codes = query.codes if isinstance(query, TurnedHash) else from_hex(checked_value(query))[np.newaxis]
        hits = self._taken_in().search(codes, MOST_DISTANCE)
        least: dict[int, int] = {}
        for row, distance in zip(hits.ids.tolist(), hits.distances.tolist(), strict=True):
            least[row] = min(distance, least.get(row, distance))
        return [
            IndexMatchUntyped(SignalSimilarityInfoWithIntDistance(distance), self._entries[row])
            for row, distance in sorted(least.items(), key=lambda found: (found[1], found[0]))
        ]

    def _taken_in(self) -> BandedEngine:
        """The engine, with everything that was added."""
        with self._taking_in:
            if self._waiting:
                codes = np.frombuffer(b"".join(self._waiting), np.uint8).reshape(-1, FINGERPRINT_BYTES)
                held = len(self._engine)
                ids = np.arange(held, held + len(codes), dtype=np.int64)
                self._engine = self._engine.appended((ids, codes), int(ids[-1]))
                self._waiting = []
            return self._engine

    def serialize(self, fout: IO[bytes]) -> None:
        """Write all of it to a file.

        Raises:
            TypeError: an entry is neither plain data nor one of ``tx``'s records; nothing is written then.
        """
        numbers: dict[str, int] = {}
        engine = self._taken_in()
        held = self._entries[: len(engine)]
        of_each = np.array([numbers.setdefault(to_line(entry), len(numbers)) for entry in held], _NUMBER)
        codes = np.empty((len(held), FINGERPRINT_BYTES), np.uint8)
        for ids, words in engine.contents():
            codes[ids] = words.view(np.uint8)
        file = _Summed(fout)
        file.write(_MAGIC)
        file.write(json.dumps({"hashes": len(held), "entries": len(numbers)}).encode() + b"\n")
        for line in numbers:
            file.write(line.encode() + b"\n")
        file.write(codes.tobytes())
        file.write(of_each.tobytes())
        fout.write(file.digest())

    @classmethod
    def deserialize(cls, fin: IO[bytes]) -> Self:
        """Read what :meth:`serialize` wrote; equal entries become one and the same.

        Raises:
            ValueError: it is something else, or damaged.
        """
        file = _Summed(fin)
        if file.line() != _MAGIC:
            raise ValueError("this is no index of imgmatch's; build it anew: tx dataset --rebuild-indices")
        hashes, different = _counts(file.line())
        entries: list[Any] = [from_line(file.line()) for _ in range(different)]
        codes = np.frombuffer(file.read(hashes * FINGERPRINT_BYTES), np.uint8).reshape(-1, FINGERPRINT_BYTES)
        numbers = np.frombuffer(file.read(hashes * _NUMBER.itemsize), _NUMBER)
        if file.digest() != fin.read(hashlib.sha256().digest_size) or (hashes and numbers.max() >= different):
            raise ValueError("this index is damaged; build it anew: tx dataset --rebuild-indices")
        index = cls()
        index._entries = [entries[number] for number in numbers.tolist()]
        index._engine = index._engine.appended((np.arange(hashes, dtype=np.int64), codes), max(hashes - 1, 0))
        return index


def _counts(line: bytes) -> tuple[int, int]:
    """How many hashes and different entries there are."""
    try:
        head = json.loads(line)
        known = all(type(head[name]) is int for name in ("hashes", "entries"))
    except (ValueError, TypeError, LookupError) as error:
        raise ValueError("this index does not say how long it is") from error
    if not known:
        raise ValueError("this index does not say how long it is")
    hashes, entries = head["hashes"], head["entries"]
    if not 0 <= entries <= hashes <= _MOST_HASHES:
        raise ValueError(f"an index cannot have {hashes:,} hashes and {entries:,} entries")
    return hashes, entries


class _Summed:
    """A file, with the checksum of what has gone by; what it says of its own length is not believed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._sum = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self._sum.update(data)
        self._file.write(data)

    def line(self) -> bytes:
        """The next line, with its end."""
        line = self._file.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ValueError("this index ends too soon, or has a line that is too long")
        self._sum.update(line)
        return line

    def read(self, size: int) -> bytes:
        """The next bytes, as many as said; room is made for them as they come."""
        data = bytearray()
        while len(data) < size:
            block = self._file.read(min(_BLOCK, size - len(data)))
            if not block:
                raise ValueError("this index ends too soon")
            data += block
        self._sum.update(data)
        return bytes(data)

    def digest(self) -> bytes:
        return self._sum.digest()
