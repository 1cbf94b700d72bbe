"""Connected regions of pixels: what a sticker hides is one, and so is where a template holds another photo."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt


def largest(places: npt.NDArray[np.generic]) -> int:
    """Pixels of the largest region of a picture (height, width) that is not 0, connected by sides; 0 without one."""
    count, _, regions, _ = cv2.connectedComponentsWithStats(places.astype(np.uint8), connectivity=4)
    return int(regions[1:, cv2.CC_STAT_AREA].max()) if count > 1 else 0
