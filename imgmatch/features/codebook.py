"""The codebook: 4,096 coarse centroids and a product quantiser that turn a descriptor into 2 + 16 bytes.

It ships with the package and never changes under a given id, so codes written today can be read, merged and indexed
for ever, and an index needs no training. Residual product quantisation after Jegou, Douze and Schmid (PAMI 2011),
with 32 sub-quantisers of 4 bits so that FAISS can scan codes in registers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import faiss
import numpy as np
import numpy.typing as npt

from imgmatch.features.describe import LENGTH, UNIT

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]
U16 = npt.NDArray[np.uint16]
I32 = npt.NDArray[np.int32]

PARTS = 32  # sub-quantisers
LEVELS = 16  # centroids of each: 4 bits
PART_LENGTH = LENGTH // PARTS
CODE_BYTES = PARTS // 2
SHELVES = 128  # groups of centroids
_SHELVES_READ = 16  # groups that are looked through
FEW = 200  # points; a query has some 500, a stored picture 100
COLUMNS = 16  # centroids of a shelf that are compared at once


def floats(descriptors: U8) -> F32:
    """Descriptors (n, 128) uint8 as float32 of length about one."""
    return np.asarray(descriptors, np.float32) / np.float32(UNIT)


class Shelves(NamedTuple):
    """The centroids of a codebook by the shelf that holds them, sixteen a block, as compiled loops read them.

    Attributes:
        middles: of the shelves, shape (shelves, 128), dtype float32.
        starts: the first block of each shelf, and where the last one ends, shape (shelves + 1,), dtype int64.
        blocks: in whole units, two coordinates beside each other, shape (blocks, 64, 16, 2), dtype uint8.
        squares: their squared lengths, in a place without one ``FAR_OFF``, shape (blocks, 16), dtype int32.
        names: their numbers, shape (blocks, 16), dtype int64.
    """

    middles: F32
    starts: I64
    blocks: U8
    squares: I32
    names: I64


FAR_OFF = 1 << 30
"""More than any squared distance in whole units."""


@dataclass(frozen=True)
class Codebook:
    """The numbers that codes mean something by.

    Attributes:
        name: what an index records.
        centroids: shape (lists, 128), dtype float32, multiples of 1/512: distances to descriptors are exact.
        parts: shape (32, 16, 4), dtype float32, of residuals.
        shelves: shape (128, 128), dtype float32: the middles of groups of centroids, by which the nearest are found.
            They are kept, not fitted anew, so that every machine looks through the same groups.
    """

    name: str
    centroids: F32
    parts: F32
    shelves: F32

    probes: ClassVar[int] = 8
    """Lists that are read for one descriptor of a query."""

    probes_of_few: ClassVar[int] = 8
    """The same of a query that has fewer points than ``FEW``: a stored picture, mostly."""

    @property
    def lists(self) -> int:
        """How many lists there are: here one of each coarse centroid."""
        return len(self.centroids)

    @classmethod
    def load(cls, path: Path) -> Codebook:
        """Read an .npz written by `save`. Raises ValueError where the shapes are not those of a codebook."""
        with np.load(path, allow_pickle=False) as data:
            centroids = data["centroids"].astype(np.float32) / np.float32(UNIT)
            parts, shelves = data["parts"].astype(np.float32), data["shelves"].astype(np.float32)
            name = str(data["name"])
        shapes = (centroids.shape[1:], parts.shape, shelves.shape)
        if shapes != ((LENGTH,), (PARTS, LEVELS, PART_LENGTH), (SHELVES, LENGTH)):
            raise ValueError(f"{path} is not a codebook of this format")
        return cls(name, centroids, parts, shelves)

    def save(self, path: Path) -> None:
        """Write centroids as uint8, the quantiser and the groups as float32: about 0.5 MB."""
        centroids = np.clip(np.rint(self.centroids * UNIT), 0, 255).astype(np.uint8)
        name = np.array(self.name)
        np.savez_compressed(path, name=name, centroids=centroids, parts=self.parts, shelves=self.shelves)

    def probes_for(self, points: int) -> int:
        """Lists that are read for each descriptor of a query of so many points."""
        return self.probes_of_few if points < FEW else self.probes

    def encode(self, descriptors: U8) -> tuple[U16, U8]:
        """Coarse list (n,) uint16 and code (n, 16) uint8 of each descriptor; even parts sit in the low nibbles."""
        vectors = floats(descriptors)
        if not len(vectors):
            return np.zeros(0, np.uint16), np.zeros((0, CODE_BYTES), np.uint8)
        lists = self.nearest_centroids(vectors, 1)[1][:, 0]
        residuals = (vectors - self.centroids[lists]).reshape(-1, PARTS, PART_LENGTH)
        near = np.einsum("npd,pld->npl", residuals, self.parts, optimize=True) - (self.parts**2).sum(2) / 2
        digits = near.argmax(2).astype(np.uint8)
        return lists.astype(np.uint16), digits[:, ::2] | digits[:, 1::2] << 4

    def nearest(self, vectors: F32, count: int) -> tuple[F32, I64]:
        """Squared distances and numbers, both (n, count), of the lists nearest to (n, 128) vectors."""
        return self.nearest_centroids(vectors, count)

    def nearest_centroids(self, vectors: F32, count: int) -> tuple[F32, I64]:
        """The same of the centroids."""
        distances, lists = self._finder.search(vectors, count)
        return distances, lists

    @cached_property
    def _finder(self) -> Any:  # noqa: ANN401 -- FAISS's own stubs describe the C++ signatures
        """A FAISS index over the centroids: three times as fast as comparing with all, wrong once in a thousand.

        FAISS's scan of 4-bit codes would be faster still, but returned no neighbour at all for whole batches now and
        then (1.15).
        """
        quantiser = faiss.IndexFlatL2(LENGTH)
        quantiser.add(self.shelves)
        index = faiss.IndexIVFFlat(quantiser, LENGTH, SHELVES)
        index.add(self.centroids)
        index.nprobe = _SHELVES_READ
        return index

    @property
    def shelves_read(self) -> int:
        """Groups of centroids that are looked through for the nearest."""
        return _SHELVES_READ

    @cached_property
    def by_shelf(self) -> Shelves:
        """The centroids by the shelf that FAISS has put them on."""
        lists = self._finder.invlists
        groups = [faiss.rev_swig_ptr(lists.get_ids(shelf), lists.list_size(shelf)).copy() for shelf in range(SHELVES)]
        counts = [-(-len(group) // COLUMNS) for group in groups]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        names = np.full((int(starts[-1]), COLUMNS), -1, np.int64)
        for start, group in zip(starts.tolist(), groups, strict=False):
            names[start:].ravel()[: len(group)] = group
        units = np.rint(self.centroids[names] * UNIT).astype(np.uint8)
        squares = np.where(names < 0, FAR_OFF, (units.astype(np.int32) ** 2).sum(2)).astype(np.int32)
        pairs = units.transpose(0, 2, 1).reshape(len(names), LENGTH // 2, 2, COLUMNS).swapaxes(2, 3)
        return Shelves(self.shelves, starts, np.ascontiguousarray(pairs), squares, names)

    def decode(self, lists: U16, codes: U8) -> F32:
        """The descriptors (n, 128) float32 that the codes stand for."""
        residuals = self.parts[np.arange(PARTS), digits_of(codes)].reshape(len(codes), LENGTH)
        return np.asarray(self.centroids[lists] + residuals, np.float32)

    def empty_index(self) -> Any:  # noqa: ANN401 -- FAISS's own stubs describe the C++ signatures
        """A trained, empty FAISS `IndexIVFPQ` over these codes: the plain layout, which accepts ready codes.

        FAISS's Python constructors keep a reference to what they are given, so the quantiser lives as long.
        """
        index: Any = faiss.IndexIVFPQ(self._quantiser, LENGTH, self.lists, PARTS, 4)
        faiss.copy_array_to_vector(np.ascontiguousarray(self.parts).ravel(), index.pq.centroids)
        index.is_trained = True
        index.use_precomputed_table = 0
        return index

    @cached_property
    def _quantiser(self) -> Any:  # noqa: ANN401 -- FAISS's own stubs describe the C++ signatures
        """What tells FAISS where the residuals of a list are counted from; all indexes share it."""
        quantiser = faiss.IndexFlatL2(LENGTH)
        quantiser.add(self.residual_centroids())
        return quantiser

    def residual_centroids(self) -> F32:
        """(lists, 128): what each list's codes are counted from."""
        return self.centroids


def digits_of(codes: U8) -> U8:
    """The (n, 32) digits of (n, 16) codes."""
    digits = np.empty((len(codes), PARTS), np.uint8)
    digits[:, ::2], digits[:, 1::2] = codes & 15, codes >> 4
    return digits


@cache
def shipped() -> Codebook:
    """The codebook that an index has unless it was made with another."""
    return Codebook.load(Path(__file__).parent / "data" / "codebook.npz")


def train(descriptors: U8, lists: int, name: str, seed: int) -> Codebook:
    """Fit a codebook to (n, 128) uint8 descriptors, n at least 40 times `lists`."""
    vectors = floats(descriptors)
    coarse = faiss.Kmeans(LENGTH, lists, niter=12, seed=seed, max_points_per_centroid=160, verbose=True)
    coarse.train(vectors)
    # Centroids are kept as bytes: round before the residuals are taken, so that nothing is lost twice.
    centroids = np.clip(np.rint(np.asarray(coarse.centroids) * UNIT), 0, 255).astype(np.float32) / np.float32(UNIT)
    flat = faiss.IndexFlatL2(LENGTH)
    flat.add(centroids)
    sample = vectors[np.random.default_rng(seed).permutation(len(vectors))[:100_000]]
    _, nearest = flat.search(sample, 1)
    quantiser = faiss.ProductQuantizer(LENGTH, PARTS, 4)
    quantiser.train(sample - centroids[nearest[:, 0]])
    parts = faiss.vector_to_array(quantiser.centroids).reshape(PARTS, LEVELS, PART_LENGTH)
    return Codebook(name, centroids, parts.astype(np.float32), _shelves(centroids))


def _shelves(centroids: F32) -> F32:
    groups = faiss.Kmeans(LENGTH, SHELVES, niter=10, seed=1, min_points_per_centroid=1)
    groups.train(centroids)
    return np.asarray(groups.centroids, np.float32)
