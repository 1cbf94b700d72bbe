"""The eight orientations, as what must be done to a picture to bring it back upright."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from imgmatch.model import ORIENTATIONS, Orientation

if TYPE_CHECKING:
    from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Turn:
    """How a picture is brought back: rows and columns swapped first, then the order of either reversed.

    Attributes:
        transposed: swap rows and columns.
        upside_down: then reverse the order of the rows.
        backwards: then reverse the order of the columns.
    """

    transposed: bool
    upside_down: bool
    backwards: bool

    def __call__(self, picture: NDArray[Value]) -> NDArray[Value]:
        """Bring back a picture, or a stack of them in the last two axes; returns a view."""
        turned = np.swapaxes(picture, -1, -2) if self.transposed else picture
        return turned[..., :: -1 if self.upside_down else 1, :: -1 if self.backwards else 1]


def _back_from(orientation: Orientation) -> Turn:
    # A picture mirrored and then turned clockwise is brought back by turning it anticlockwise and then mirroring it.
    # A quarter anticlockwise is a transposition with the rows reversed, three quarters one with the columns reversed.
    quarters = orientation.rotation // 90
    return Turn(
        transposed=quarters in (1, 3),
        upside_down=quarters in (1, 2),
        backwards=(quarters in (2, 3)) != orientation.mirrored,
    )


TURNS_BACK: tuple[Turn, ...] = tuple(_back_from(orientation) for orientation in ORIENTATIONS)
"""The way back from each of ``model.ORIENTATIONS``, in that order."""


def oriented(picture: NDArray[Value]) -> list[NDArray[Value]]:
    """The picture brought back from each of ``model.ORIENTATIONS``.

    Args:
        picture: shape (..., height, width), any dtype.

    Returns:
        Eight views of ``picture``; ``[i]`` is the upright picture if ``picture`` shows it in orientation ``i``.
    """
    return [turn(picture) for turn in TURNS_BACK]
