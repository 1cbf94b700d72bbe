"""Records of drawn pictures for tests of engines of features, and queries for them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import photos

from imgmatch import registry
from imgmatch.features.codebook import shipped
from imgmatch.features.describe import LENGTH
from imgmatch.features.extract import Features, extract, extract_query
from imgmatch.features.record import Stored, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from imgmatch.features.codebook import Codebook

    Grey = NDArray[np.uint8]

Record = tuple[int, Stored]
BOOK = shipped()
PICTURES = 31


def drawn(seed: int) -> Grey:
    return np.asarray(photos.picture(seed, (360, 450)).convert("L"))


@cache
def drawn_records(codebook: str = registry.DEFAULT_CODEBOOK) -> tuple[Record, ...]:
    """Pictures 0 to 30 under rows 10, 20 and so on; picture 5 is flat and has no points."""
    book = registry.codebook(codebook)
    pictures = [drawn(seed) if seed != 5 else np.full((40, 50), 90, np.uint8) for seed in range(PICTURES)]
    return tuple((10 * seed + 10, unpack(pack(extract(picture), book))) for seed, picture in enumerate(pictures))


def asked(picture: Grey) -> Features:
    return extract_query(picture, picture)


def near_the_codes(records: Sequence[Record], seed: int, count: int, book: Codebook = BOOK) -> Features:
    """A query whose descriptors are those of stored points, a little off, so that every one has hits."""
    rng = np.random.default_rng(seed)
    lists = np.concatenate([stored.lists for _, stored in records])
    codes = np.concatenate([stored.codes for _, stored in records])
    chosen = rng.integers(0, len(lists), count)
    vectors = book.decode(lists[chosen], codes[chosen]) + rng.normal(0, 0.02, (count, LENGTH))
    points = np.column_stack([rng.random((count, 2)), np.full(count, 0.02), rng.uniform(0, 6, count)])
    return Features(points.astype(np.float32), np.clip(np.rint(vectors * 512), 0, 255).astype(np.uint8), 1.0, 0.8)
