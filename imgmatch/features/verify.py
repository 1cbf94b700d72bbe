"""Candidate to evidence: match points again in full, align, lay over each other, and write down the figures.

The engine compares a query with ten neighbours a point; here all points of one stored photo are compared with all of
the query, which finds pairs that the engine never saw.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imgmatch.features.agree import Agreement, Layers, compare
from imgmatch.features.align import Alignment, align, pair
from imgmatch.features.codebook import F32, Codebook, floats

if TYPE_CHECKING:
    from imgmatch.features.extract import Features
    from imgmatch.features.record import Stored
    from imgmatch.features.scalespace import U8

LARGEST_DISTANCE = 0.75  # squared, of unit descriptors: pairs farther apart are chance
LEAST_POINTS = 4


@dataclass(frozen=True, slots=True)
class Figures:
    """What the learned rule judges, in this order. All are floats.

    points: distinct points that agree. stored_rate, query_rate: their share of the points each picture has inside the
    shared part. distance: mean squared distance of their descriptors. error: see `Alignment`. octaves: |log2 scale| of
    stored over query pixels. stretch: ratio of axes. The rest: see `Agreement`.
    """

    points: float
    stored_rate: float
    query_rate: float
    distance: float
    error: float
    stretch: float
    share: float
    share_well: float
    mean: float
    fine: float
    windows: float
    overlap_stored: float
    overlap_query: float
    bits: float

    def row(self) -> F32:
        """(14,) float32 in the order of the fields."""
        return np.array([getattr(self, f.name) for f in fields(self)], np.float32)


@dataclass(frozen=True, slots=True)
class Verified:
    """One candidate, aligned and compared.

    mirrored: whether the query had to be mirrored; alignment and agreement then speak of the mirrored query, except
    `outline_query` here, which is in the query as it was given.
    """

    alignment: Alignment
    agreement: Agreement
    figures: Figures
    mirrored: bool
    outline_query: npt.NDArray[np.float64]

    @property
    def rotation(self) -> int:
        """Whole degrees, clockwise, 0..359, by which the (mirrored) query is turned to lie on the stored photo."""
        return round(float(np.degrees(self.alignment.angle))) % 360


class Query:
    """A query photo ready to be verified against many candidates, as it is and mirrored."""

    def __init__(self, picture: U8, features: Features) -> None:
        mirrored = features.mirrored()
        self._sides = (features, mirrored)
        self._vectors = (floats(features.descriptors), floats(mirrored.descriptors))
        self._pictures = picture, np.ascontiguousarray(picture[:, ::-1])
        self._layers: dict[bool, Layers] = {}

    def layers(self, *, mirrored: bool) -> Layers:
        """The picture and its halvings."""
        if mirrored not in self._layers:
            self._layers[mirrored] = Layers(self._pictures[mirrored])
        return self._layers[mirrored]

    def verify(self, stored: Stored, thumbnail: U8, codebook: Codebook, *, mirrored: bool) -> Verified | None:
        """Evidence for one stored photo; None where no alignment holds."""
        features, vectors = self._sides[mirrored], self._vectors[mirrored]
        pairs = pair(vectors, codebook.decode(stored.lists, stored.codes), LARGEST_DISTANCE)
        alignment = align(features.points, stored.points, pairs, LEAST_POINTS)
        if alignment is None:
            return None
        agreement = compare(self.layers(mirrored=mirrored), thumbnail, alignment.matrix)
        if agreement is None:
            return None
        distance = float(pairs.distance[alignment.inliers].mean())
        figures = _figures(features, stored, alignment, agreement, distance)
        outline = agreement.outline_query.copy()
        if mirrored:
            outline[:, 0] = features.width - outline[:, 0]
        return Verified(alignment, agreement, figures, mirrored, outline)


def _figures(
    features: Features, stored: Stored, alignment: Alignment, agreement: Agreement, distance: float
) -> Figures:
    moved = features.points[:, :2] @ alignment.matrix[:, :2].T + alignment.matrix[:, 2]
    back = np.linalg.inv(alignment.matrix[:, :2])
    returned = (stored.points[:, :2] - alignment.matrix[:, 2]) @ back.T
    shown = _within(moved, stored.width, stored.height)
    visible = _within(returned, features.width, features.height)
    return Figures(
        float(alignment.points),
        min(1.0, alignment.points / max(visible, 1)),
        min(1.0, alignment.points / max(shown, 1)),
        distance,
        alignment.error,
        alignment.stretch,
        agreement.share,
        agreement.share_well,
        agreement.mean,
        agreement.fine,
        agreement.windows,
        agreement.overlap_stored,
        agreement.overlap_query,
        agreement.bits,
    )


def _within(places: npt.NDArray[np.floating], width: float, height: float) -> int:
    return int(((places >= 0) & (places <= [width, height])).all(1).sum())
