"""``pdq``: Facebook's PDQ, the fingerprint the field exchanges.

Method: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (Facebook, 2019). The picture is
reduced to a longest side of 512 pixels, smoothed by two box filters, sampled at 64x64 points and transformed; the bits
are the signs of 16x16 frequencies about their median. Here reduction, filters and sampling are one matrix a side.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.hashers import spectrum
from imgmatch.hashers.base import HasherProfile
from imgmatch.hashers.detail import detail
from imgmatch.hashers.shrink import across, cut, down
from imgmatch.hashers.turns import TURNS_BACK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgmatch.hashers.base import Codes, Grey
    from imgmatch.hashers.shrink import Plane, Side

_LONGEST = 512
_SAMPLES = 64
# Samples and frequencies are kept to this part of a grey level: far finer than it matters and far coarser than
# rounding errors, so that what should be equal is equal on every machine.
_PARTS = 2.0**20
# The sum of all steps, in hundredths of the grey range, that makes one point of quality.
_STEPS_PER_POINT = 90

# The published text form begins with the highest frequency of both axes, so the transform is built in that order.
_FREQUENCIES = np.arange(spectrum.SIZE, 0, -1)
_COSINES = np.cos(np.pi / (2 * _SAMPLES) * np.outer(_FREQUENCIES, 2 * np.arange(_SAMPLES) + 1))


class Pdq:
    """PDQ, equal to the published reference values where it is given luma in fractions of a grey level.

    All methods take such luma (dtype float64) besides whole levels. Rounding it to whole levels changes none of the
    bits of most pictures, and up to six of some.
    """

    __slots__ = ()
    name = "pdq"
    # Of 4,620 photos the nearest two strangers are 50 bits apart, and 17 pairs are within reach. 51 % of copies edited
    # in every way are within the greatest distance, 57 % within reach. Sure is what it is for phash.
    profile = HasherProfile(
        max_distance=40,
        sure_distance=18,
        reach=60,
        near_slope=-0.5011,
        near_shift=30.688,
    )

    def fingerprint(self, grey: Grey | Plane) -> Codes:
        """Hash one picture of at least one pixel; returns shape (32,)."""
        return spectrum.codes(_transform(_samples(grey)))

    def quality(self, grey: Grey | Plane) -> int:
        """How much there is to see, 0..100; the field discards fingerprints below 50."""
        return _quality(_samples(grey))

    def fingerprint_and_quality(self, grey: Grey | Plane) -> tuple[Codes, int]:
        """Both for little more than the price of one; returns shape (32,) and 0..100."""
        samples = _samples(grey)
        return spectrum.codes(_transform(samples)), _quality(samples)

    def measured(self, grey: Grey | Plane) -> tuple[Codes, int, float]:
        """Fingerprint, shape (32,), quality, 0..100, and the spread of detail, 0..1, for the price of little more."""
        samples = _samples(grey)
        return spectrum.codes(_transform(samples)), _quality(samples), detail(samples)

    def orientations(self, grey: Grey | Plane) -> Codes:
        """Hash the picture brought back from each orientation, exactly; returns shape (8, 32)."""
        return spectrum.codes(_transform(_samples_of_all(grey)))

    def estimated_orientations(self, codes: Codes) -> Codes:
        """Estimate the orientations from fingerprints alone; (n, 32) gives (8, n, 32).

        Of 1,000 photos the estimates are 15 bits off on average and more than 31 in one of twelve: PDQ does not sample
        a picture and its mirror image at the same points.
        """
        return spectrum.estimated_orientations(codes)


def _samples(grey: Grey | Plane) -> Plane:
    """The picture at 64x64 points, in grey levels."""
    height, width = grey.shape
    longest = max(height, width)
    return _settled(across(down(grey, _side(height, longest)), _side(width, longest)))


def _samples_of_all(grey: Grey | Plane) -> Plane:
    """The same for the picture brought back from each orientation; shape (8, 64, 64)."""
    height, width = grey.shape
    longest = max(height, width)
    # The samples lie nearer to the end of a side than to its start, by up to two pixels. So those of a mirrored side
    # are others, not the same in reverse, and changing signs in the transform would be 13 bits off on average.
    mirrored = [
        [across(shrunk, _side(width, longest, mirrored=backwards)) for backwards in (False, True)]
        for shrunk in (down(grey, _side(height, longest, mirrored=upside_down)) for upside_down in (False, True))
    ]
    return _settled(
        np.stack(
            [
                # Rows and columns are sampled alike: swapping them swaps the samples, and which side is mirrored.
                mirrored[turn.backwards][turn.upside_down].T
                if turn.transposed
                else mirrored[turn.upside_down][turn.backwards]
                for turn in TURNS_BACK
            ]
        )
    )


def _settled(samples: Plane) -> Plane:
    return np.rint(samples * _PARTS) / _PARTS


def _transform(samples: Plane) -> Plane:
    """Frequencies from samples, in 2**-20 of their unit; (..., 64, 64) gives (..., 16, 16)."""
    # The transform leaves out frequency 0 on both axes, and so whatever changes along one axis only. Taken away
    # beforehand it cannot come back as rounding errors: flat and striped pictures have no bit set at all.
    relative = samples - samples[..., :1, :] - samples[..., :, :1] + samples[..., :1, :1]
    transform: Plane = np.rint(_COSINES @ relative @ _COSINES.T * _PARTS)
    return transform


def _quality(samples: Plane) -> int:
    steps = (np.diff(samples, axis=axis) * 100.0 / 255.0 for axis in (0, 1))
    total = sum(int(np.abs(np.trunc(step)).sum()) for step in steps)
    return min(total // _STEPS_PER_POINT, 100)


@lru_cache(maxsize=512)
def _side(side: int, longest: int, *, mirrored: bool = False) -> Side:
    """The matrix that takes one side of a picture with the given longest side, or its mirror image, to 64 samples."""
    reduced = side if longest <= _LONGEST else max(1, round(side * _LONGEST / longest))
    points = ((np.arange(_SAMPLES) + 0.5) * reduced / _SAMPLES).astype(np.int64)
    before, after = _reach(reduced)
    # No window around a sample meets the border, so the second filter is a plain mean of the first.
    twice = np.mean([_box(points + offset, reduced) for offset in range(-before, after + 1)], axis=0)
    matrix = _over_larger_pixels(twice, side) if reduced < side else twice
    return cut(matrix[:, ::-1] if mirrored else matrix)


def _reach(side: int) -> tuple[int, int]:
    """How many pixels the window reaches to the start of the side and to its end.

    The window is a 128th of the side, rounded up. An even one reaches further to the end.
    """
    window = -(-side // (2 * _SAMPLES))
    return (window - 1) // 2, window // 2


def _box(points: NDArray[np.int64], side: int) -> Plane:
    """The box filter at some points of a side; shape (points, side), rows add up to 1.

    At the borders windows shrink to what there is.
    """
    before, after = _reach(side)
    offsets = np.arange(side) - points[:, np.newaxis]
    inside = (offsets >= -before) & (offsets <= after)
    weights: Plane = inside / inside.sum(axis=1, keepdims=True)
    return weights


def _over_larger_pixels(matrix: Plane, side: int) -> Plane:
    """Let a matrix for a reduced side read the whole one, each reduced pixel being the mean of the area it covers."""
    reduced = matrix.shape[1]
    sums = np.pad(np.cumsum(matrix, axis=1), ((0, 0), (1, 0)))
    edges = np.arange(side + 1) * (reduced / side)
    before = np.minimum(edges.astype(np.int64), reduced - 1)
    return np.diff(sums[:, before] + (edges - before) * matrix[:, before], axis=1)
