"""Connected regions of pixels."""

from __future__ import annotations

import numpy as np

from imgmatch.features.regions import largest


def test_the_largest_region_counts_and_corners_do_not_connect() -> None:
    """Of regions of six, of four and of one pixel, the last two of which touch at a corner, the first is told."""
    places = np.zeros((8, 9), np.bool_)
    places[0:2, 0:3] = True
    places[4:6, 5:7] = True
    places[6, 7] = True
    assert largest(places) == 6
    assert largest(places[4:].astype(np.uint8)) == 4


def test_where_nothing_is_there_is_no_region() -> None:
    """An empty picture has none."""
    assert largest(np.zeros((4, 4), np.bool_)) == 0
