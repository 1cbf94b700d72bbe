"""How widely the detail of a picture is spread: over all of it, as in a photo, or along a few edges, as in a flag.

A global hash sees little more than the layout of light and dark. Many flags, icons and drawn avatars have the same
layout, so such a picture would match others that are not copies of it. PDQ's quality does not tell: it counts contrast,
and a flag has plenty, while a dark photo has little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NOTHING = 1e-9


def detail(samples: NDArray[np.float64]) -> float:
    """The spread of detail, 0..1, whatever the contrast.

    Args:
        samples: the picture at few points, grey levels, shape (64, 64).

    Method: the mixed second difference leaves out what changes along one axis only (gradients, stripes); the ratio of
    its l1/2 and l1 norms, a common measure of sparsity (Hurley and Rickard, "Comparing Measures of Sparsity", 2009), is
    1 where it is the same everywhere and near 0 where it is gathered in a few places.
    """
    mixed = np.abs(np.diff(np.diff(samples, axis=0), axis=1))
    mean = float(mixed.mean())
    return float(np.sqrt(mixed).mean()) ** 2 / mean if mean > _NOTHING else 0.0
