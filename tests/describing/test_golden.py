"""Descriptions that are stored must be those of every later version: what differs would no longer be found."""

from __future__ import annotations

import numpy as np
import photos
import pytest
from drawn import drawn
from PIL import Image

from imgmatch import registry
from imgmatch.describing.messages import Description, Job
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.features.record import unpack

GOLDEN = {
    (533, 400): {
        "pixels": "cf838671c8b93f79aaac48f299231055",
        "phash": "e0224ab2e2b54aba5aa5f08e21dfed4ac3ebc7989454b5855f880c3bcf9c1c3e",
        "pdq": "e8fe361c9cf9ce1888fdd0d615140cb1eb61a95bfdc2b88752ad2ea95203a6a9",
        "dhash": "f141e6c79c1bb47cf17451bcc7e82e419683ae0e789c71f9c4658a719aaa628a",
        "whash": "3de0710147c9ff0f3c07f80e60fcc370c3e05f8704873c5f7a35e510e8ff30ca",
    },
    (900, 700): {  # scaled down first
        "pixels": "b781131fde1d13e678b4cf0807242b47",
        "phash": "e0224ab2e2b54aba5aa5f08e21dfed4ac36bc7989454b5855f8c0c3bcf9c1c3e",
        "pdq": "e8be361c9cf9ce1888fdd0d695140cb1eb61a95bfdc2b88752ad2ea95403a6a9",
        "dhash": "f141e6c79c13a47cf17451bcc7e82e419683ae0e789c71f9c4658a7192aa628a",
        "whash": "3de0710147c9ff0f3c07f80e60fcc370c3e05f8704873c5f7a35c510e8ff38ca",
    },
}
"""Of pictures drawn by formula, in files without losses, by height and width."""

FEATURES = {(533, 400): (100, 198_483, 6_421), (900, 700): (100, 186_047, 6_352)}
"""Points, the sum of their list numbers, and the bits set in their codes."""


def described(size: tuple[int, int]) -> Description:
    data = photos.png(Image.fromarray(drawn(3, *size)))
    with open_runner("in-process", 1, Settings(tuple(registry.HASHERS))) as runner:
        ((_, reply),) = runner.describe([data], Job)
    assert isinstance(reply, Description)
    return reply


@pytest.mark.parametrize("size", GOLDEN)
def test_pixels_and_fingerprints_outlive_releases(size: tuple[int, int]) -> None:
    found = described(size)
    assert {"pixels": found.first.pixels.hex()} | {
        name: bits.hex() for name, bits in found.first.fingerprints.items()
    } == GOLDEN[size]


@pytest.mark.parametrize("size", FEATURES)
def test_features_outlive_releases(size: tuple[int, int]) -> None:
    """Up to what another processor rounds otherwise."""
    stored = described(size).first.stored
    assert stored is not None
    features = unpack(stored.record)
    found = len(features.points), int(features.lists.sum()), int(np.bitwise_count(features.codes).sum())
    assert found == pytest.approx(FEATURES[size], rel=0.01)
