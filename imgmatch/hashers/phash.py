"""``phash``: the signs of the 256 lowest frequencies of a 64x64 picture.

Equal to ``imagehash.phash(hash_size=16)`` bit by bit. Method: the imagehash project, after hackerfactor.com, "Looks
Like It" (2011).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch.hashers import spectrum
from imgmatch.hashers.base import HasherProfile
from imgmatch.hashers.lanczos import shrunk

if TYPE_CHECKING:
    from imgmatch.hashers.base import Codes, Grey
    from imgmatch.hashers.shrink import Plane

_SIDE = 64


class PHash:
    """The 16x16 lowest frequencies, the constant one included, against their median.

    A flat picture has one bit set, and pictures that are symmetric or striped leave many bits to rounding; scipy's
    transform is used so that even those are imagehash's.
    """

    __slots__ = ()
    name = "phash"
    # Of 4,620 photos the nearest two strangers are 46 bits apart, and 19 pairs are within reach; of 57,000 pictures
    # none were nearer than 22 (BENCHMARKS.md, "rings"). 51 % of copies edited in every way are within the greatest
    # distance, 58 % within reach. The curve was fitted with the pair model, on harder strangers than the others.
    profile = HasherProfile(
        max_distance=36,
        sure_distance=18,
        reach=60,
        near_slope=-0.23709274216790593,
        near_shift=15.514971417675039,
    )

    def fingerprint(self, grey: Grey) -> Codes:
        """Hash one picture of at least one pixel; returns shape (32,)."""
        return spectrum.codes(_transform(grey))

    def orientations(self, grey: Grey) -> Codes:
        """Hash the picture brought back from each orientation; returns shape (8, 32).

        One transform is turned eight times, which is at most 6 bits off the long way; on average, less than 1.
        """
        return spectrum.codes(spectrum.orientations_of_spectra(_transform(grey)))

    def estimated_orientations(self, codes: Codes) -> Codes:
        """Estimate the orientations from fingerprints alone; (n, 32) gives (8, n, 32).

        Of 1,000 photos the estimates are 5 bits off on average, and more than 16 in one of a hundred.
        """
        return spectrum.estimated_orientations(codes)


def _transform(grey: Grey) -> Plane:
    from scipy.fftpack import dct  # noqa: PLC0415 -- half a second that whoever needs the profile alone does not wait

    columns = dct(shrunk(grey, _SIDE, _SIDE), axis=0)[: spectrum.SIZE]
    lowest: Plane = dct(columns, axis=1)[:, : spectrum.SIZE]
    return lowest
