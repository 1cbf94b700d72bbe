"""Candidate to evidence: match points again in full, align, compare window by window, and give the pair features.

The engine compares a query with ten neighbours a point; here all points of one stored picture are compared with all of
the query, which finds pairs that the engine never saw. A picture whose fingerprint is near is also aligned with the
query frame on frame, which serves where blur or smallness have left no points.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imgmatch.features.agree import Agreement, Layers, compare
from imgmatch.features.align import Alignment, Pairs, align, frame_on_frame, pair, supported
from imgmatch.features.codebook import F32, Codebook, floats
from imgmatch.features.record import Stored
from imgmatch.features.scalespace import U8
from imgmatch.features.shape import Shape, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgmatch.features.extract import Features

LARGEST_DISTANCE = 0.75  # squared, of unit descriptors: pairs farther apart are chance
LEAST_ALIGNED = 4
ALIKE = tuple(field.name for field in fields(Agreement) if field.name != "matrix")
"""What is known of a pair by the thumbnail alone."""

FAR = 128.0
"""Bits between the fingerprints of two unrelated pictures: what is taken where one of them has none."""


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A stored picture as verification sees it.

    Attributes:
        features: its points and codes.
        thumbnail: shape (height, width), dtype uint8, grey; ``None`` where none is kept.
    """

    features: Stored
    thumbnail: U8 | None


@dataclass(frozen=True, slots=True)
class PairFeatures:
    """What the pair model judges, in this order. All are floats; NaN where no thumbnail was there to compare with.

    points: distinct points that agree. stored_rate, query_rate: their share of the points each picture has inside the
    shared part. distance: mean squared distance of their descriptors. error: see `Alignment`. stretch: ratio of axes.
    share to bits: see `Agreement`. spread: how much of the shared part the points are spread over, of 4x4
    cells of the box round it those with one, 0..1. overlap_stored, overlap_query: see `Shape`. apart: bits between the
    fingerprints of the whole pictures, the least over the eight orientations. pair_rate: of all matched points those
    that agree, 0..1. one_tone to edges_added: see `Agreement`.
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
    both: float
    hole: float
    clash: float
    another: float
    photo: float
    photo_share: float
    best_half: float
    fine_third: float
    small: float
    small_photo: float
    equal: float
    equal_detail: float
    unequal: float
    tone_error: float
    windows: float
    bits: float
    spread: float
    overlap_stored: float
    overlap_query: float
    apart: float
    pair_rate: float
    one_tone: float
    edges: float
    edges_half: float
    edges_share: float
    edges_clash: float
    directions: float
    edges_lost: float
    edges_added: float

    def row(self) -> F32:
        """(39,) float32 in the order of the fields."""
        return np.array([getattr(self, field.name) for field in fields(self)], np.float32)


@dataclass(frozen=True, slots=True)
class Placed:
    """One candidate, aligned: where it lies in the query, or in the mirrored or negative one, if the two are copies.

    pairs: all matched points; apart: bits between the fingerprints.
    """

    alignment: Alignment
    known: StoredPicture
    pairs: Pairs
    apart: float
    mirrored: bool
    negative: bool


@dataclass(frozen=True, slots=True)
class Verified:
    """One candidate, aligned and compared.

    mirrored: whether the query had to be mirrored; the alignment then speaks of the mirrored query, `outline_query`
    here of the query as it was given. Outlines: (k, 2) float64 corners, in shares of width and height. negative:
    whether it was the query's negative that was compared.
    """

    alignment: Alignment
    figures: PairFeatures
    mirrored: bool
    outline_query: npt.NDArray[np.float64]
    outline_stored: npt.NDArray[np.float64]
    negative: bool

    @property
    def rotation(self) -> int:
        """Whole degrees, clockwise, 0..359, by which the (mirrored) query is turned to lie on the stored photo."""
        return round(float(np.degrees(self.alignment.angle))) % 360


class _Side:
    """A query as it is, mirrored, in negative, or both."""

    def __init__(self, picture: U8, features: Features) -> None:
        self.features = features
        self.vectors = floats(features.descriptors)
        self._picture = picture

    @cached_property
    def layers(self) -> Layers:
        """The picture and its halvings."""
        return Layers(np.ascontiguousarray(self._picture))


class Query:
    """A query photo ready to be verified against many candidates, as it is, mirrored, and in negative."""

    def __init__(self, picture: U8, features: Features) -> None:
        self._picture, self._features = picture, features
        self._sides: dict[tuple[bool, bool], _Side] = {}

    def _side(self, *, mirrored: bool, negative: bool) -> _Side:
        """One of them, made when it is first asked for: few queries are looked at in negative."""
        key = (mirrored, negative)
        if key not in self._sides:
            picture, features = self._picture, self._features
            if negative:
                picture, features = ~picture, features.negated()
            if mirrored:
                picture, features = picture[:, ::-1], features.mirrored()
            self._sides[key] = _Side(picture, features)
        return self._sides[key]

    def placed(
        self,
        known: StoredPicture,
        codebook: Codebook,
        *,
        mirrored: bool,
        negative: bool = False,
        apart: float = FAR,
        rotation: int | None = None,
        least: int = LEAST_ALIGNED,
    ) -> list[Placed]:
        """The ways in which a stored picture lies in the query: by points, and frame on frame; none where none holds.

        Args:
            known: the stored picture.
            codebook: what its codes mean.
            mirrored: whether to look at the mirrored query.
            negative: whether to look at its negative.
            apart: bits between the fingerprints of the whole pictures.
            rotation: degrees clockwise by which to turn the query for the second way; ``None`` leaves that out.
            least: distinct points that must agree in the first way.
        """
        side, stored = self._side(mirrored=mirrored, negative=negative), known.features
        features = side.features
        pairs = pair(side.vectors, codebook.decode(stored.lists, stored.codes), LARGEST_DISTANCE)
        ways = [align(features.points, stored.points, pairs, least)]
        if rotation is not None:
            matrix = frame_on_frame((features.width, features.height), (stored.width, stored.height), rotation)
            ways.append(supported(matrix, features.points, stored.points, pairs))
        return [Placed(way, known, pairs, apart, mirrored, negative) for way in ways if way is not None]

    def compared(self, ways: Iterable[Placed]) -> list[Verified]:
        """The same ways, once the pictures are laid over each other, without those in which they share too little."""
        return [found for way in ways if (found := self._compared(way))]

    def _compared(self, placed: Placed) -> Verified | None:
        side = self._side(mirrored=placed.mirrored, negative=placed.negative)
        features, stored, thumbnail = side.features, placed.known.features, placed.known.thumbnail
        matrix, agreement = placed.alignment.matrix, None
        if thumbnail is not None:
            agreement = compare(side.layers, thumbnail, matrix, features.drawn, stored.drawn)
            if agreement is None:
                return None
            matrix = agreement.matrix
        shape = _shape(features, stored, matrix)
        if shape is None:
            return None
        figures = _figures(features, placed, agreement, shape)
        outline = shape.query / [features.width, features.height]
        if placed.mirrored:
            outline[:, 0] = 1 - outline[:, 0]
        outlines = outline, shape.stored / [stored.width, stored.height]
        return Verified(placed.alignment, figures, placed.mirrored, *outlines, placed.negative)

    def bare(self, placed: Placed) -> PairFeatures | None:
        """What is known of a way before anything is laid over it; ``None`` where the frames share nothing."""
        features = self._side(mirrored=placed.mirrored, negative=placed.negative).features
        shape = _shape(features, placed.known.features, placed.alignment.matrix)
        return None if shape is None else _figures(features, placed, None, shape)


def _shape(features: Features, stored: Stored, matrix: npt.NDArray[np.float64]) -> Shape | None:
    return shape_of(matrix, (features.width, features.height), (stored.width, stored.height))


def _figures(features: Features, placed: Placed, agreement: Agreement | None, shape: Shape) -> PairFeatures:
    alignment, stored, pairs = placed.alignment, placed.known.features, placed.pairs
    moved = features.points[:, :2] @ alignment.matrix[:, :2].T + alignment.matrix[:, 2]
    back = np.linalg.inv(alignment.matrix[:, :2])
    returned = (stored.points[:, :2] - alignment.matrix[:, 2]) @ back.T
    shown = _within(moved, stored.width, stored.height)
    visible = _within(returned, features.width, features.height)
    distances, places = pairs.distance[alignment.inliers], stored.points[pairs.stored[alignment.inliers]]
    alike = {name: float("nan") if agreement is None else getattr(agreement, name) for name in ALIKE}
    return PairFeatures(
        points=float(alignment.points),
        stored_rate=min(1.0, alignment.points / max(visible, 1)),
        query_rate=min(1.0, alignment.points / max(shown, 1)),
        distance=float(distances.mean()) if len(distances) else LARGEST_DISTANCE,
        error=alignment.error,
        stretch=alignment.stretch,
        **alike,
        spread=_spread(places, shape.stored),
        overlap_stored=shape.overlap_stored,
        overlap_query=shape.overlap_query,
        apart=placed.apart,
        pair_rate=len(alignment.inliers) / max(len(pairs.query), 1),
    )


def _within(places: npt.NDArray[np.floating], width: float, height: float) -> int:
    return int(((places >= 0) & (places <= [width, height])).all(1).sum())


def _spread(points: F32, outline: npt.NDArray[np.float64]) -> float:
    """See `PairFeatures.spread`; points (k, 4) as in `Features`, outline (c, 2), both of the stored picture."""
    low, size = outline.min(0), np.maximum(np.ptp(outline, axis=0), 1e-6)
    cells = np.clip((points[:, :2] - low) / size * 4, 0, 3).astype(np.int64) @ [4, 1]
    return len(set(cells.tolist())) / 16
