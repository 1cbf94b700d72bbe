"""A canvas to draw on: smooth outlines, soft shadows, clipping, noise and light.

Points are float arrays of shape ``(n, 2)`` in pixels, x to the right and y down.
Colours are red, green, blue in 0..255.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from imgmatch.demo.shapes import Colour, Field, Pixels, Points


_SUBPIXEL_BITS = 4
_SUBPIXELS = 1 << _SUBPIXEL_BITS
_STRIP = 16  # rows at a time, so that the work stays in the processor's cache


class Canvas:
    """A picture being drawn.

    Attributes:
        pixels: ``uint8`` of shape ``(height, width, 3)``, changed in place.
        corner: where its upper left corner lies, x and y; points are given from the corner of the whole picture.
    """

    def __init__(self, pixels: Pixels, corner: tuple[int, int] = (0, 0)) -> None:
        self.pixels = pixels
        self.corner = corner

    @classmethod
    def blank(cls, width: int, height: int, colour: Colour) -> Canvas:
        """A canvas of one colour; sizes in pixels."""
        pixels = np.empty((height, width, 3), dtype=np.uint8)
        cv2.rectangle(pixels, (0, 0), (width, height), colour, cv2.FILLED)
        return cls(pixels)

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return int(self.pixels.shape[0])

    def fill(self, points: Points, colour: Colour) -> None:
        """Fills an outline."""
        cv2.fillPoly(self.pixels, [self._fixed(points)], colour, cv2.LINE_AA, _SUBPIXEL_BITS)

    def stroke(self, points: Points, colour: Colour, width: float, *, closed: bool = False) -> None:
        """Draws a line ``width`` pixels wide along points."""
        thickness = max(1, round(width))
        cv2.polylines(self.pixels, [self._fixed(points)], closed, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)

    def strands(self, lines: NDArray[np.float64], colour: Colour, width: float) -> None:
        """Draws many lines at once; ``lines`` is of shape ``(lines, points, 2)``."""
        thickness = max(1, round(width))
        threads = list(self._fixed(lines))
        cv2.polylines(
            self.pixels,
            threads,
            isClosed=False,
            color=colour,
            thickness=thickness,
            lineType=cv2.LINE_AA,
            shift=_SUBPIXEL_BITS,
        )

    def gradient(self, top: Colour, bottom: Colour) -> None:
        """Fills everything, one colour running into the other."""
        ramp = np.linspace(0, 1, self.height)[:, None, None]
        self.pixels[:] = (np.array(top) * (1 - ramp) + np.array(bottom) * ramp).astype(np.uint8)

    def soft(self, points: Points, colour: Colour, opacity: float, blur: float) -> None:
        """Fills an outline with soft edges, half transparent.

        Args:
            points: the outline.
            colour: its colour.
            opacity: 0..1.
            blur: how soft, as the standard deviation in pixels.
        """
        outline = self._fixed(points)
        spot = self._window(outline, 2.5 * blur)
        if spot is None:
            return
        region = self.pixels[spot]
        weight = _soft_mask(outline - _start(spot) * _SUBPIXELS, region.shape, blur)
        paint = np.empty_like(region)
        cv2.rectangle(paint, (0, 0), paint.shape[1::-1], colour, cv2.FILLED)
        weight *= np.float32(opacity)
        self.pixels[spot] = cv2.blendLinear(paint, region, weight, 1 - weight)

    @contextmanager
    def clipped(self, points: Points) -> Iterator[Canvas]:
        """A canvas of which only what falls inside the outline is kept."""
        outline = self._fixed(points)
        spot = self._window(outline, 1.0)
        if spot is None:
            yield Canvas.blank(1, 1, (0, 0, 0))
            return
        start = _start(spot)
        layer = Canvas(self.pixels[spot].copy(), (self.corner[0] + int(start[0]), self.corner[1] + int(start[1])))
        yield layer
        weight = _soft_mask(outline - start * _SUBPIXELS, layer.pixels.shape, 0.0)
        self.pixels[spot] = cv2.blendLinear(layer.pixels, self.pixels[spot], weight, 1 - weight)

    def light(self, field: Field, grain: Field | None = None) -> None:
        """Multiplies all colours by a field of shape ``(height, width)``.

        Args:
            field: factors.
            grain: added to the factors, shape ``(rows, width)`` with rows a multiple of 16; repeated downwards.
        """
        for top in range(0, self.height, _STRIP):
            strip = self.pixels[top : top + _STRIP]
            factors = field[top : top + _STRIP]
            if grain is not None:
                start = top % grain.shape[0]
                factors = factors + grain[start : start + strip.shape[0]]
            cv2.multiply(strip, cv2.merge([factors] * 3), strip, 1, cv2.CV_8U)

    def _fixed(self, points: Points) -> NDArray[np.int32]:
        """Points in OpenCV's fixed-point form, from the corner of this canvas."""
        return np.rint((points - self.corner) * _SUBPIXELS).astype(np.int32)

    def _window(self, outline: NDArray[np.int32], margin: float) -> tuple[slice, slice] | None:
        """The rows and columns of the canvas that a fixed-point outline and a margin in pixels touch."""
        x, y, width, height = (value / _SUBPIXELS for value in cv2.boundingRect(outline))
        rows = slice(max(0, int(y - margin) - 1), min(self.height, int(y + height + margin) + 2))
        columns = slice(max(0, int(x - margin) - 1), min(self.width, int(x + width + margin) + 2))
        return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None


def _start(spot: tuple[slice, slice]) -> NDArray[np.int32]:
    """The upper left corner of a window, x and y."""
    return np.array((spot[1].start, spot[0].start), dtype=np.int32)


def _soft_mask(outline: NDArray[np.int32], shape: tuple[int, ...], blur: float) -> Field:
    """A fixed-point outline as weights 0..1; soft ones are drawn small and enlarged: quick, and it looks the same."""
    step = max(1, int(blur / 1.2))
    mask = np.zeros((shape[0] // step + 1, shape[1] // step + 1), dtype=np.uint8)
    cv2.fillPoly(mask, [outline // step], (255,), cv2.LINE_AA, _SUBPIXEL_BITS)
    if blur > 0:
        side = 2 * max(1, round(blur / step)) + 1
        for _ in range(2):  # two box filters are nearly a Gaussian
            cv2.blur(mask, (side, side), mask)
    if step > 1:
        large = cv2.resize(mask, (mask.shape[1] * step, mask.shape[0] * step), interpolation=cv2.INTER_LINEAR)
        mask = np.asarray(large, dtype=np.uint8)
    return mask[: shape[0], : shape[1]].astype(np.float32) * np.float32(1 / 255)
