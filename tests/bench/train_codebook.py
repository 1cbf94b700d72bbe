"""Train the codebooks of local features on a folder of photos.

``python tests/bench/train_codebook.py PHOTOS OUT.npz`` trains the one of 4,096 lists, in about ten minutes, and with
``--refinements`` what cuts its lists, in a few. Those that ship were trained by this road on ``../shared/photos``. They
never change under their names: codes written with them stay readable. A better one gets a new name.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import faiss
import numpy as np

from imgmatch.errors import PhotoError
from imgmatch.features.codebook import U8, shipped, train
from imgmatch.features.extract import QUERY, STORED, extract
from imgmatch.features.refined import train_refinements
from imgmatch.imaging.limits import Limits
from imgmatch.imaging.picture import small_picture

SEED = 20_260
NAME = "sift-4096-32x4-v1"
LISTS = 4096
REFINED_NAME = "sift-4096x16-32x4-v1"
QUERIES = 4
"""Every so many photos give the richer points of a query."""


def main(folder: Path, out: Path, *, refinements: bool) -> None:
    """Write a codebook."""
    cv2.setNumThreads(1)
    faiss.omp_set_num_threads(1)
    points = points_of(folder)
    if refinements:
        train_refinements(points, shipped(), REFINED_NAME, SEED).save(out)
    else:
        train(points, LISTS, NAME, SEED).save(out)


def points_of(folder: Path) -> U8:
    """The points of every photo, half of them mirrored as queries are."""
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
    return np.concatenate(parts)


if __name__ == "__main__":
    arguments = [one for one in sys.argv[1:] if not one.startswith("--")]
    main(Path(arguments[0]), Path(arguments[1]), refinements="--refinements" in sys.argv)
