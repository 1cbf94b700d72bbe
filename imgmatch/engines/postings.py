"""Codes of local features sorted by list: what the engine of features is built from, and the file it is loaded from.

The file is a NumPy archive, as for fingerprints, read in pieces: at a million photos it is larger than what a process
should hold twice. Its checksums are compared while it is read.
"""

from __future__ import annotations

import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from imgmatch.engines.snapshots import DAMAGE, open_archive, read_array_header, write_array
from imgmatch.engines.votes import GEOMETRY_BITS, geometry
from imgmatch.features.codebook import CODE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from imgmatch.features.record import Stored

I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]

_WHOLE = np.dtype(np.int64)

PIECE = 1_000_000
"""Codes handled at once, about 25 MB."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Codes of some lists, in the order of the lists.

    Attributes:
        sizes: how many codes each of all lists has in this piece, shape (lists,).
        ids: row id of the picture and place of the point, see ``votes.geometry``, shape (n,).
        codes: shape (n, 16).
    """

    sizes: I64
    ids: I64
    codes: U8


def piece_of(records: Iterable[tuple[int, Stored]], lists: int) -> Piece:
    """Sort the points of some pictures, each under its row id."""
    found = list(records)
    ids = [(np.int64(row) << GEOMETRY_BITS) | geometry(stored.points) for row, stored in found]
    of = np.concatenate([np.empty(0, np.int64), *(stored.lists.astype(np.int64) for _, stored in found)])
    codes = np.concatenate([np.empty((0, CODE_BYTES), np.uint8), *(stored.codes for _, stored in found)])
    order = np.argsort(of, kind="stable")
    every = np.concatenate([np.empty(0, np.int64), *ids])
    return Piece(np.bincount(of, minlength=lists), every[order], np.ascontiguousarray(codes[order]))


class Postings:
    """Codes that never change: kept in memory, or read from their file when they are asked for."""

    def __init__(
        self,
        pieces: Sequence[Piece],
        pictures: int,
        lists: int,
        path: Path | None = None,
        tombstones: I64 | None = None,
    ) -> None:
        """``pieces`` in memory, or ``path`` of a file; ``pictures`` counts those without any point as well.

        Points of the pictures whose row ids are among ``tombstones`` are left out.
        """
        self._pieces = tuple(pieces)
        self._tombstones = tombstones
        self.path = path
        self.pictures = pictures
        self.lists = lists

    def pieces(self) -> Iterator[Piece]:
        """All codes.

        Raises:
            ValueError: the file is damaged.
        """
        pieces = self._pieces if self.path is None else _read_pieces(self.path, self.lists)
        for piece in pieces:
            yield piece if self._tombstones is None else _without(piece, self._tombstones)

    def without(self, rows: I64) -> Postings:
        """The same, but for the points of the pictures with these row ids; they are counted still."""
        tombstones = rows if self._tombstones is None else np.union1d(self._tombstones, rows)
        return Postings(self._pieces, self.pictures, self.lists, self.path, tombstones)

    def loaded(self) -> Postings:
        """The same in memory; raises ValueError where the file is damaged."""
        return Postings(tuple(self.pieces()), self.pictures, self.lists)

    @classmethod
    def open(cls, path: Path, lists: int) -> Postings:
        """The postings in a file, of which only the counts are read here.

        Raises:
            ValueError: the file is missing, damaged or of another kind.
        """
        try:
            with open_archive(path) as (_, archive), _member(archive, "pictures", _WHOLE, (1,)) as member:
                counted = np.frombuffer(_exactly(member, 8), np.int64)
            if counted[0] < 0:
                raise ValueError("its pictures are not counted")
        except DAMAGE as error:
            raise ValueError(f"{path.name} is not a file of features, or it is damaged") from error
        return cls((), int(counted[0]), lists, path)


def _without(piece: Piece, tombstones: I64) -> Piece:
    kept = ~np.isin(piece.ids >> GEOMETRY_BITS, tombstones)
    of = np.repeat(np.arange(len(piece.sizes)), piece.sizes)[kept]
    return Piece(np.bincount(of, minlength=len(piece.sizes)), piece.ids[kept], piece.codes[kept])


def compacted(parts: Sequence[Postings]) -> Postings:
    """Parts that are in memory as one."""
    pieces = [piece for part in parts for piece in part.pieces()]
    lists = parts[0].lists
    of = np.concatenate([np.repeat(np.arange(lists), piece.sizes) for piece in pieces])
    order = np.argsort(of, kind="stable")
    piece = Piece(
        np.bincount(of, minlength=lists),
        np.concatenate([piece.ids for piece in pieces])[order],
        np.concatenate([piece.codes for piece in pieces])[order],
    )
    return Postings((piece,), sum(part.pictures for part in parts), lists)


def save_postings(path: Path, parts: Sequence[Postings], lists: int, pictures: int) -> None:
    """Write ``parts``, of so many ``pictures``, as one file, list after list, holding a few lists of all at a time."""
    sizes = [sum((piece.sizes for piece in part.pieces()), np.zeros(lists, np.int64)) for part in parts]
    total = sum(sizes, np.zeros(lists, np.int64))
    count = int(total.sum())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        write_array(archive, "pictures", _WHOLE, (1,), [np.array([pictures], np.int64)])
        write_array(archive, "sizes", _WHOLE, (lists,), [total])
        write_array(archive, "ids", _WHOLE, (count,), (ids for ids, _ in _merged(parts, total)))
        blocks = (codes for _, codes in _merged(parts, total))
        write_array(archive, "codes", np.dtype(np.uint8), (count, CODE_BYTES), blocks)


def _merged(parts: Sequence[Postings], total: I64) -> Iterator[tuple[I64, U8]]:
    """Ids and codes of one list after the other, those of all parts together."""
    readers = [_ListReader(part) for part in parts]
    for number in np.flatnonzero(total).tolist():
        found = [reader.take(number) for reader in readers]
        yield np.concatenate([ids for ids, _ in found]), np.concatenate([codes for _, codes in found])


class _ListReader:
    """Hands out the lists of one part in rising order."""

    def __init__(self, part: Postings) -> None:
        # Where there are several pieces, they come from a file, in which every list lies in one piece.
        self._pieces = part.pieces()
        self._piece: Piece | None = None
        self._starts: I64 = np.zeros(1, np.int64)
        self._last = -1

    def take(self, number: int) -> tuple[I64, U8]:
        """Ids and codes of list ``number``; none if it is empty."""
        while number > self._last:
            self._piece = next(self._pieces, None)
            if self._piece is None:
                self._last = len(self._starts)
                break
            self._starts = np.concatenate([[0], np.cumsum(self._piece.sizes)])
            filled = np.flatnonzero(self._piece.sizes)
            self._last = int(filled[-1]) if len(filled) else self._last
        if self._piece is None:
            return np.empty(0, np.int64), np.empty((0, CODE_BYTES), np.uint8)
        span = slice(int(self._starts[number]), int(self._starts[number + 1]))
        return self._piece.ids[span], self._piece.codes[span]


def _read_pieces(path: Path, lists: int) -> Iterator[Piece]:
    try:
        with open_archive(path) as (_, archive):
            with _member(archive, "sizes", _WHOLE, (lists,)) as member:
                sizes = np.frombuffer(_exactly(member, 8 * lists), np.int64)
            if (sizes < 0).any():
                raise ValueError("its lists are not those of the codebook")
            if (sizes > path.stat().st_size).any():  # nor can their sum run over then
                raise ValueError("its lists are longer than itself")
            total = int(sizes.sum())
            with (
                _member(archive, "ids", _WHOLE, (total,)) as ids,
                _member(archive, "codes", np.dtype(np.uint8), (total, CODE_BYTES)) as codes,
            ):
                for some in _groups(sizes):
                    count = int(some.sum())
                    yield Piece(
                        some,
                        np.frombuffer(_exactly(ids, 8 * count), np.int64),
                        np.frombuffer(_exactly(codes, CODE_BYTES * count), np.uint8).reshape(-1, CODE_BYTES),
                    )
                if ids.read(1) or codes.read(1):  # at the end the checksums are compared
                    raise ValueError("it is longer than it says")
    except DAMAGE as error:
        raise ValueError(f"{path.name} is not a file of features, or it is damaged") from error


def _groups(sizes: I64) -> Iterator[I64]:
    """``sizes`` cut into runs of lists of about ``PIECE`` codes, each as long as ``sizes``, zero elsewhere."""
    run = np.cumsum(sizes) // PIECE
    for number in np.unique(run).tolist():
        yield np.where(run == number, sizes, 0)


@contextmanager
def _member(archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Iterator[IO[bytes]]:
    """An array of the archive, at its values; nothing is read of one of another shape, or of one that is packed."""
    described = archive.getinfo(f"{name}.npy")
    if described.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is packed: a few bytes may stand for any number")
    with archive.open(described) as member:
        npy.read_magic(member)
        found, fortran, kind = read_array_header(member)
        if found != shape or fortran or kind != dtype:
            raise ValueError(f"an array of {kind} {found} is not one of {dtype} {shape}")
        yield member


def _exactly(member: IO[bytes], count: int) -> bytes:
    data = member.read(count)
    if len(data) != count:
        raise EOFError
    return data
