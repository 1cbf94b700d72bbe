from __future__ import annotations

from typing import TYPE_CHECKING

import imagehash
import numpy as np
import pytest
from drawn import drawn, flat, noise
from PIL import Image

from imgmatch.hashers.whash import WHash

if TYPE_CHECKING:
    from imgmatch.hashers.base import Grey

WHASH = WHash()


@pytest.mark.parametrize("grey", [drawn(), flat(), noise(0, 16, 16), noise(0, 5, 7)], ids=["drawn", "flat", "16", "5"])
def test_every_bit_is_the_one_of_imagehash(grey: Grey) -> None:
    expected = imagehash.whash(Image.fromarray(grey), hash_size=16, mode="haar")
    assert np.array_equal(WHASH.fingerprint(grey), np.packbits(expected.hash))


def test_turned_fingerprints_are_those_of_the_turned_tiles() -> None:
    tiles = np.kron(noise(0, 16, 16), np.ones((16, 16), dtype=np.uint8))
    turned = WHASH.estimated_orientations(WHASH.fingerprint(tiles)[np.newaxis])[:, 0]
    assert np.array_equal(turned[1], WHASH.fingerprint(np.ascontiguousarray(np.rot90(tiles))))
