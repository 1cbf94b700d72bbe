"""Which frames of a moving picture stand for it: by thumbnails of all of them, and how long each is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

EQUAL = 2.0
"""Grey levels, the mean over a thumbnail, up to which frames in a row count as one that stands still."""

ALIKE = 0.95
"""Correlation of two thumbnails from which they show the same, brighter, darker or moved a little. Of 80,000 pairs of
photos of strangers one has more."""

LEAST_CONTRAST = 4.0
"""Grey levels, the standard deviation over a thumbnail, below which a frame is black, white or plain."""


@dataclass(frozen=True, slots=True)
class Look:
    """A frame as it was looked at.

    Attributes:
        frame: its number, from 1.
        shown_ms: for how long a viewer shows it, in milliseconds.
        thumbnail: shape (n,), dtype float32, grey levels.
    """

    frame: int
    shown_ms: float
    thumbnail: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A frame that stands for a moving picture: its number, from 1, and the share of the time, 0..1, of all like it."""

    frame: int
    share: float


def chosen(looks: Sequence[Look], most: int) -> list[Chosen]:
    """Frames that differ, at most so many: the one that is shown longest first, the others in order.

    Of frames that look alike that one is taken which stands still longest. Where more differ than are wanted, those are
    taken to which all others are nearest, each counting for as long as it is shown (greedy, as for facilities).
    """
    total = sum(look.shown_ms for look in looks)
    still = _standing(looks)
    scenes = _scenes([one for one in still if one.thumbnail.std() >= LEAST_CONTRAST])
    if not scenes:
        scenes = [[max(still, key=lambda one: one.shown_ms)]]
    times = np.array([sum(one.shown_ms for one in scene) for scene in scenes])
    places = _spread(np.stack([_normal(scene[0].thumbnail) for scene in scenes]), times, most)
    first, *others = (Chosen(_longest(scenes[place]).frame, round(float(times[place]) / total, 4)) for place in places)
    return [first, *sorted(others, key=lambda one: one.frame)]


def _standing(looks: Sequence[Look]) -> list[Look]:
    """Frames in a row that are nearly equal, as one."""
    found: list[Look] = []
    for look in looks:
        if found and np.abs(look.thumbnail - found[-1].thumbnail).mean() <= EQUAL:
            found[-1] = Look(found[-1].frame, found[-1].shown_ms + look.shown_ms, found[-1].thumbnail)
        else:
            found.append(look)
    return found


def _scenes(looks: Sequence[Look]) -> list[list[Look]]:
    """Those that show the same, by the first of them: never by chaining, which would take a slow change for none."""
    scenes: list[list[Look]] = []
    leaders = np.empty((len(looks), looks[0].thumbnail.size if looks else 0), np.float32)
    for look in looks:
        normal = _normal(look.thumbnail)
        alike = np.flatnonzero(leaders[: len(scenes)] @ normal >= ALIKE)
        if len(alike):
            scenes[alike[0]].append(look)
        else:
            leaders[len(scenes)] = normal
            scenes.append([look])
    return scenes


def _longest(scene: Sequence[Look]) -> Look:
    """That which stands still longest; of a picture that fades in evenly, the clearest."""
    return max(scene, key=lambda one: (one.shown_ms, float(one.thumbnail.std()), -one.frame))


def _normal(thumbnail: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centred, of length 1: the product of two is their correlation."""
    centred = thumbnail - thumbnail.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-6), np.float32)


def _spread(normals: NDArray[np.float32], times: NDArray[np.float64], most: int) -> list[int]:
    """Places of those from which the others, weighed by their times, are least far."""
    picked = [int(times.argmax())]
    if len(times) <= most:
        return picked + [place for place in range(len(times)) if place != picked[0]]
    apart = 1 - normals @ normals.T
    nearest = apart[picked[0]].copy()
    while len(picked) < most:
        gains = np.maximum(nearest - apart, 0) @ times
        gains[picked] = -1
        picked.append(int(gains.argmax()))
        nearest = np.minimum(nearest, apart[picked[-1]])
    return picked
