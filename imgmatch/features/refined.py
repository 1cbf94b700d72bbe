"""A codebook of 65,536 lists for indexes of many millions of photos: each list of another one cut into 16.

With few long lists a query reads much that is far from it. Here a list is one of the other codebook and one of 16
refinements, vectors that are added to every centroid alike: a residual coarse quantiser, all of it 2 KB in the package.
Which refinement a point belongs to is a function of its code alone, and the code is that of the other codebook. So
nothing is lost by going from one to the other, see ``recoding``, and what a code stands for is the same in both.

All sums are of whole numbers, so that every machine chooses the same lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import ClassVar

import faiss
import numpy as np
import numpy.typing as npt

from imgmatch.features import codebook
from imgmatch.features.codebook import F32, I64, PART_LENGTH, PARTS, U8, U16, Codebook, digits_of, floats
from imgmatch.features.describe import LENGTH, UNIT

I16 = npt.NDArray[np.int16]

REFINEMENTS = 16
"""With 4,096 lists as many as a record can name."""

_LOOKED_THROUGH = 16
"""Lists of the other codebook whose refinements are compared: more find nothing more (BENCHMARKS.md, "codebook")."""

_MOST = 256
"""A coordinate of a refinement is smaller than this, as the difference of two descriptors is."""

_NEVER = np.int64(1) << 62


@dataclass(frozen=True)
class RefinedCodebook(Codebook):
    """Centroids and parts are those of the codebook that it refines.

    Attributes:
        refines: the name of that codebook.
        refinements: shape (16, 128), dtype int16, in units of 1/512.
    """

    refines: str
    refinements: I16

    probes: ClassVar[int] = 24
    probes_of_few: ClassVar[int] = 48

    @property
    def lists(self) -> int:
        """How many lists there are."""
        return len(self.centroids) * REFINEMENTS

    @classmethod
    def refine(cls, name: str, coarse: Codebook, refinements: I16) -> RefinedCodebook:
        """The codebook ``coarse`` with its lists cut."""
        return cls(name, coarse.centroids, coarse.parts, coarse.shelves, coarse.name, refinements)

    @classmethod
    def load(cls, path: Path, coarse: Codebook | None = None) -> RefinedCodebook:
        """Read an .npz written by `save`, over ``coarse`` or the codebook that ships.

        Raises:
            ValueError: it is none, or it refines another codebook.
        """
        coarse = codebook.shipped() if coarse is None else coarse
        with np.load(path, allow_pickle=False) as data:
            name, refines, refinements = str(data["name"]), str(data["refines"]), data["refinements"]
        if refinements.shape != (REFINEMENTS, LENGTH) or refinements.dtype != np.int16 or refines != coarse.name:
            raise ValueError(f"{path} does not refine the codebook {coarse.name}")
        if np.abs(refinements.astype(np.int64)).max() >= _MOST:
            raise ValueError(f"{path} has refinements that are larger than descriptors")
        return cls.refine(name, coarse, refinements)

    def save(self, path: Path) -> None:
        """Write what the other codebook has not."""
        np.savez_compressed(
            path, name=np.array(self.name), refines=np.array(self.refines), refinements=self.refinements
        )

    def encode(self, descriptors: U8) -> tuple[U16, U8]:
        """List (n,) uint16 and code (n, 16) uint8 of each descriptor; the code is that of the other codebook."""
        lists, codes = super().encode(descriptors)
        return self.refined(lists, codes), codes

    def refined(self, lists: U16, codes: U8) -> U16:
        """The lists (n,) of points whose list and code in the other codebook these are."""
        likeness = self._likeness[np.arange(PARTS), digits_of(codes)].sum(1)  # sums of whole numbers
        return np.asarray(lists * REFINEMENTS + likeness.argmax(1), np.uint16)

    def coarse(self, lists: U16) -> U16:
        """The lists (n,) of the other codebook that these are cut from; the codes stay as they are."""
        return np.asarray(lists // REFINEMENTS, np.uint16)

    def decode(self, lists: U16, codes: U8) -> F32:
        """The descriptors (n, 128) float32 that the codes stand for, bit for bit as in the other codebook."""
        return super().decode(self.coarse(lists), codes)

    def nearest(self, vectors: F32, count: int) -> tuple[F32, I64]:
        """Squared distances and lists, both (n, count), of the lists nearest to descriptors (n, 128), see `floats`.

        The refinements of the nearest 16 centroids are compared. Of equally near lists the smaller come first; where
        there are too few, the list is -1.
        """
        far, centroids = self.nearest_centroids(vectors, _LOOKED_THROUGH)
        there = centroids >= 0
        squares = np.rint(np.where(there, far, 0).astype(np.float64) * UNIT**2).astype(np.int64)
        along = np.rint((vectors.astype(np.float64) * UNIT) @ self.refinements.T.astype(np.float64)).astype(np.int64)
        # |q - c - r|^2 = |q - c|^2 - 2 qr + (2 cr + r^2): no vector is compared again.
        distances = squares[:, :, None] - 2 * along[:, None, :] + self._offsets[centroids]
        lists = centroids[:, :, None] * REFINEMENTS + np.arange(REFINEMENTS)
        keys = np.where(there[:, :, None], distances << 16 | lists, _NEVER)
        keys = keys.reshape(len(vectors), _LOOKED_THROUGH * REFINEMENTS)
        first = np.sort(np.partition(keys, count - 1, axis=1)[:, :count], axis=1)
        given = first < _NEVER
        near = np.where(given, (first >> 16) / UNIT**2, np.finfo(np.float32).max)
        return near.astype(np.float32), np.where(given, first & 0xFFFF, -1)

    @cached_property
    def _likeness(self) -> I64:
        """(32, 16, 16): of each digit of a code and each refinement, a share of their 2 rx - r^2, the nearest most."""
        parts = np.rint(self.parts.astype(np.float64) * UNIT).astype(np.int64)
        refinements = self.refinements.astype(np.int64).reshape(REFINEMENTS, PARTS, PART_LENGTH)
        products = np.einsum("pld,rpd->plr", parts, refinements)
        return np.asarray(2 * products - (refinements**2).sum(2).T[:, None, :], np.int64)

    @cached_property
    def _offsets(self) -> I64:
        """(4096, 16): 2 cr + r^2 of each centroid and refinement."""
        centroids, refinements = np.rint(self.centroids * UNIT).astype(np.int64), self.refinements.astype(np.int64)
        return np.asarray(2 * centroids @ refinements.T + (refinements**2).sum(1), np.int64)

    def residual_centroids(self) -> F32:
        """(lists, 128): the middle that each list's codes are counted from."""
        return np.repeat(self.centroids, REFINEMENTS, axis=0)


@cache
def shipped() -> RefinedCodebook:
    """The codebook of 65,536 lists that comes with the package, over the other one."""
    return RefinedCodebook.load(Path(__file__).parent / "data" / "refinements.npz")


def train_refinements(descriptors: U8, coarse: Codebook, name: str, seed: int) -> RefinedCodebook:
    """Fit refinements of a codebook to (n, 128) uint8 descriptors."""
    sample = descriptors[np.random.default_rng(seed).permutation(len(descriptors))[:300_000]]
    vectors = floats(sample)
    centroids = coarse.centroids[coarse.nearest(vectors, 1)[1][:, 0]]
    groups = faiss.Kmeans(LENGTH, REFINEMENTS, niter=25, seed=seed, max_points_per_centroid=len(sample))
    groups.train((vectors - centroids) * np.float32(UNIT))
    return RefinedCodebook.refine(name, coarse, np.rint(np.asarray(groups.centroids)).astype(np.int16))
