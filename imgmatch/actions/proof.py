"""The proof of an erasure: every file of the index is searched for what was removed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from imgmatch import registry
from imgmatch.actions.sought import pieces_of_text
from imgmatch.actions.traces import LEAST_BYTES, Pieces, found_in_folder
from imgmatch.catalog.erasing import digests_in_use
from imgmatch.catalog.features import existing_features, pieces_in_use
from imgmatch.catalog.texts import format_texts, read_texts, some_texts
from imgmatch.engines.folder import ALLOWED_BESIDE
from imgmatch.engines.postings import Postings
from imgmatch.engines.votes import GEOMETRY_BITS
from imgmatch.errors import IndexUnusableError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from imgmatch.actions.sought import Sought
    from imgmatch.engines.parts import Parts

OF_TEXTS = ("ids", "names", "attributes", "paths")
OF_BYTES = ("digests", "pixels", "fingerprints", "features", "thumbnails")
"""Kinds of what is searched for."""

_ARRAYS = "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), } ids.npy codes.npy pictures.npy sizes.npy NUMPY"

_LOOKED_AT_AGAIN = 5


@dataclass(frozen=True, slots=True)
class Proof:
    """What was searched for, and found.

    Attributes:
        searched: how many pieces of each kind that nobody else has.
        found: file to kind to how many of these pieces are in it; ``points`` are those an engine file still holds.
        in_use: column to how many texts were found that others still use, and it is one of those.
        files: how many files were read.
    """

    searched: Mapping[str, int]
    found: Mapping[str, Mapping[str, int]]
    in_use: Mapping[str, int]
    files: int

    @property
    def traces(self) -> int:
        """How many were found."""
        return sum(number for kinds in self.found.values() for number in kinds.values())


def prove(parts: Parts, gone: Sought) -> Proof:
    """Search every file of an index for what was removed from it.

    What others still have is no trace: the same picture, a copy that has whole stretches of it, the same name or path.

    Raises:
        IndexUnusableError: a file cannot be read.
    """
    with parts.catalog.read() as session:
        lost = gone.features.keys() - existing_features(session, gone.features)
        common = some_texts(session)
    kinds = dict(_pieces(gone, lost))
    met = found_in_folder(parts.folder.root, kinds.keys(), ALLOWED_BESIDE, common)
    every = set[bytes]().union(*met.values())
    used, in_use = _in_use(parts, {piece: kinds[piece] for piece in every}, common)
    found: dict[str, dict[str, int]] = {}
    for name, pieces in met.items():
        if pieces - used:
            found[name] = _counted(kinds[piece] for piece in pieces - used)
    for name, points in _points_in_engine(parts, lost):
        found.setdefault(name, {})["points"] = points
    return Proof(_counted(kind for piece, kind in kinds.items() if piece not in used), found, in_use, len(met))


def _pieces(gone: Sought, lost: Collection[int]) -> Iterator[tuple[bytes, str]]:
    """What is searched for, each with its kind; shorter ones prove nothing."""
    texts = (gone.attributes, gone.paths | gone.sources, gone.names, gone.accounts | gone.photos | gone.others)
    for kind, some in zip(("attributes", "paths", "names", "ids"), texts, strict=True):
        for text in some:
            yield from ((piece, kind) for piece in pieces_of_text(text) if len(piece) >= LEAST_BYTES)
    for row in lost:
        for kind, pieces in zip(("features", "thumbnails"), gone.features[row], strict=True):
            yield from ((piece, kind) for piece in pieces)
    for kind, blobs in zip(OF_BYTES, (gone.digests, gone.pixels, gone.fingerprints), strict=False):
        yield from ((blob, kind) for blob in blobs)


def _in_use(parts: Parts, found: Mapping[bytes, str], common: bytes) -> tuple[set[bytes], dict[str, int]]:
    """Which of these pieces others have, and the columns of the texts.

    What is in use is found in some file: so only of what is found it need be asked.
    """
    of_texts = {piece for piece, kind in found.items() if kind in OF_TEXTS}
    of_pictures = {piece for piece, kind in found.items() if kind in {"features", "thumbnails"}}
    columns: dict[str, int] = defaultdict(int)
    with parts.catalog.read() as session:
        used = digests_in_use(session, found.keys() - of_texts - of_pictures) | pieces_in_use(session, of_pictures)
        pieces = Pieces(of_texts, common)
        left = of_texts - pieces.within(format_texts(session) + b"\0" + _words_of_files(parts))
        for column, texts in read_texts(session) if left else ():
            if here := pieces.within(texts) & left:
                columns[column] += len(here)
                left = left - here
            if not left:
                break
    return used | (of_texts - left), dict(columns)


def _words_of_files(parts: Parts) -> bytes:
    """The words of ``index.json`` and of engine files, which a name may happen to be."""
    header = parts.folder.header()
    return json.dumps([asdict(header), _ARRAYS]).encode()


def _points_in_engine(parts: Parts, rows: Collection[int]) -> Iterator[tuple[str, int]]:
    """The engine file of features, if it still holds points of these pictures, and how many."""
    if not rows:
        return
    snapshot = parts.folder.header().features
    points = points_in_engine(parts, rows)
    if points:
        yield "features" if snapshot is None else snapshot.file, points


def points_in_engine(parts: Parts, rows: Collection[int]) -> int:
    """How many points of these pictures the engine file of features still holds."""
    erased = np.fromiter(rows, np.int64)
    for left in reversed(range(_LOOKED_AT_AGAIN)):  # another may be published, and this one dropped, at any moment
        snapshot = parts.folder.header().features
        if snapshot is None:
            break
        try:
            postings = Postings.open(parts.folder.snapshot_path(snapshot), registry.codebook(snapshot.of).lists)
            return sum(int(np.isin(piece.ids >> GEOMETRY_BITS, erased).sum()) for piece in postings.pieces())
        except (OSError, ValueError) as error:
            if not left:
                raise IndexUnusableError(f"{snapshot.file} cannot be read: {error}") from error
    return 0


def _counted(kinds: Iterator[str]) -> dict[str, int]:
    """How many there are of each kind, in the order of the kinds."""
    found: dict[str, int] = defaultdict(int)
    for kind in kinds:
        found[kind] += 1
    return {kind: found[kind] for kind in (*OF_TEXTS, *OF_BYTES) if kind in found}
