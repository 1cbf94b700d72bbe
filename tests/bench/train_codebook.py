"""Train the codebook of local features: ``python tests/bench/train_codebook.py PHOTOS OUT.npz``, about ten minutes.

The one that ships was trained by this road on ``../shared/photos``. It never changes under its name: codes written with
it stay readable. A better one gets a new name.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import faiss
import numpy as np

from imgmatch.errors import PhotoError
from imgmatch.features.codebook import train
from imgmatch.features.extract import QUERY, STORED, extract
from imgmatch.imaging.limits import Limits
from imgmatch.imaging.picture import small_picture

SEED = 20_260
NAME = "sift-4096-32x4-v1"
LISTS = 4096
QUERIES = 4
"""Every so many photos give the richer points of a query."""


def main(folder: Path, out: Path) -> None:
    """Take the points of every photo, half of them mirrored as queries are, and write the codebook."""
    cv2.setNumThreads(1)
    faiss.omp_set_num_threads(1)
    rng = np.random.default_rng(SEED)
    parts = []
    for number, path in enumerate(sorted(path for path in folder.rglob("*") if path.is_file())):
        try:
            picture = small_picture(path.read_bytes(), Limits())
        except PhotoError as error:
            sys.stderr.write(f"skipped {path}: {error}\n")
            continue
        features = extract(picture.grey, QUERY if number % QUERIES == 0 else STORED)
        parts.append((features.mirrored() if rng.random() < 1 / 2 else features).descriptors)
    train(np.concatenate(parts), LISTS, NAME, SEED).save(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
