"""How a stored photo lies in a query: a similarity transform or, where more points want it, an affine one.

Every matched pair of points proposes a whole transform from its two places, scales and angles (weak geometric
consistency: Jegou, Douze and Schmid, ECCV 2008); all proposals are judged on all pairs at once, the best are refitted
by least squares. That is RANSAC without chance, and without a Python loop. Places are complex numbers x + iy, so a
similarity is z -> a z + b. A picture that was squeezed has its sides scaled unalike, which no similarity follows: the
best are also bent, and a bent one is taken if clearly more points agree on it than on any other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgmatch.features.codebook import F32

C64 = npt.NDArray[np.complex64]
Bool = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

MOST_PAIRS = 200  # pairs that take part; the nearest descriptors are kept
MOST_PROPOSALS = 96  # pairs whose transform is tried
MOST_REFITTED = 12  # proposals that are refined
MOST_COUNTED = 4  # refined transforms whose distinct points are counted
LOOSE, FINE = 0.06, 0.02  # how far a point may land from its partner, in longest sides of the stored photo
SCALE_SLACK = 0.6  # octaves by which its scale may differ from the transform's
FACING = float(np.cos(0.5))  # cosine of the angle, in radians, by which its direction may
LARGEST_SCALE = 24.0
PATCH = 40  # points closer than 1/40 of a side count as one
AFFINE_FROM = 6  # distinct points an affine fit needs
MOST_STRETCH = 1.7  # ratio of axes beyond which an affine fit is refused
BENT = (0.06, 0.045, 0.03, FINE)  # reach while a transform is bent
BENT_FACING, BENT_SLACK = float(np.cos(0.75)), 0.95  # a squeeze turns points, and changes their scales
BENT_FROM = 7  # distinct points that must agree on a bent one
BENT_GAIN = 1.2  # and how many times as many as agree on one that is not
MOST_BENT = 2.3  # ratio of axes beyond which it is refused
SMALLEST_SPREAD = 0.012  # points on a line or in a heap prove nothing


@dataclass(frozen=True, slots=True)
class Pairs:
    """Matched points. query, stored: (m,) rows. distance: (m,) float32, squared, of unit descriptors."""

    query: Rows
    stored: Rows
    distance: F32


@dataclass(frozen=True, slots=True)
class Alignment:
    """query -> stored, both in longest sides.

    matrix: (2, 3) float64. inliers: (k,) rows of the pairs that agree. points: distinct points among them, the
    smaller of both sides. error: mean distance in longest sides of the stored photo. stretch: ratio of axes, from 1.
    """

    matrix: npt.NDArray[np.float64]
    inliers: Rows
    points: int
    error: float
    stretch: float

    @property
    def scale(self) -> float:
        """Longest sides of the stored photo a longest side of the query."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    @property
    def angle(self) -> float:
        """Clockwise turn from query to stored in radians, -pi..pi."""
        (a, b, _), (c, d, _) = self.matrix
        return float(np.arctan2(c - b, a + d))


def pair(query: F32, stored: F32, largest: float) -> Pairs:
    """Match (n, 128) with (m, 128) unit descriptors: each point's nearest on the other side, both ways."""
    if not len(query) or not len(stored):
        return Pairs(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0, np.float32))
    likeness = query @ stored.T
    likeness *= -2
    likeness += (query**2).sum(1)[:, None]
    likeness += (stored**2).sum(1)
    forth, back = likeness.argmin(1), likeness.argmin(0)
    rest = np.flatnonzero(forth[back] != np.arange(len(stored)))  # those not paired already
    rows = np.concatenate([np.arange(len(query)), back[rest]])
    columns = np.concatenate([forth, rest])
    distance = likeness[rows, columns]
    near = np.flatnonzero(distance < largest)
    if len(near) > MOST_PAIRS:
        near = near[np.argsort(distance[near], kind="stable")[:MOST_PAIRS]]  # of equally far ones the first rows
    return Pairs(rows[near], columns[near], distance[near].astype(np.float32))


def align(query: F32, stored: F32, pairs: Pairs, least: int) -> Alignment | None:
    """The transform most distinct points agree on; None where fewer than `least` do or their places prove nothing.

    query, stored: (n, 4) points as in `Features`.
    """
    if len(pairs.query) < least:
        return None
    q, s = query[pairs.query], stored[pairs.stored]
    field = _Field(_places(q), _places(s), s[:, 2] / q[:, 2], s[:, 3] - q[:, 3], np.maximum(0.05, 1.2 - pairs.distance))
    a, b, agree = _refit(*_propose(field), field)
    front = np.argsort(-(agree @ field.weight), kind="stable")[:MOST_COUNTED]
    counts = [_distinct(field.zq[agree[i]], field.zs[agree[i]]) for i in front]
    best = int(np.argmax(counts))
    chosen = front[best]
    found = _finish(a[chosen], b[chosen], agree[chosen], field, counts[best]) if counts[best] >= least else None
    needed = max(least, BENT_FROM, BENT_GAIN * (0 if found is None else found.points))
    bent = _bent(a, b, field, needed) if len(pairs.query) >= needed else None  # no more can agree than there are
    return found if bent is None or bent.points < needed else bent


def frame_on_frame(query: tuple[float, float], stored: tuple[float, float], rotation: int) -> npt.NDArray[np.float64]:
    """(2, 3) float64: the whole query, turned clockwise by 0, 90, 180 or 270 degrees, placed on the whole photo.

    query, stored: width and height in longest sides.
    """
    width, height = query
    turned = {
        0: [[1, 0, 0], [0, 1, 0]],
        90: [[0, -1, height], [1, 0, 0]],
        180: [[-1, 0, width], [0, -1, height]],
        270: [[0, 1, 0], [-1, 0, width]],
    }[rotation]
    across, down = (width, height) if rotation in {0, 180} else (height, width)
    return np.diag([stored[0] / across, stored[1] / down]) @ np.array(turned, np.float64)


def supported(matrix: npt.NDArray[np.float64], query: F32, stored: F32, pairs: Pairs) -> Alignment:
    """A transform that is given, with the pairs of points that bear it out; query, stored: (n, 4) as in `Features`."""
    zq, zs = _places(query[pairs.query]), _places(stored[pairs.stored])
    gap = np.abs(_apply(matrix, zq) - zs)
    rows = np.flatnonzero(gap < FINE * 2)
    error = float(gap[rows].mean()) if len(rows) else FINE * 2
    return Alignment(matrix, rows, _distinct(zq[rows], zs[rows]), error, _stretch(matrix))


class _Field:
    """All pairs of one candidate: places, ratio of scales, difference of angles and weight, prepared for judging."""

    def __init__(self, zq: C64, zs: C64, ratio: F32, turn: F32, weight: F32) -> None:
        self.zq, self.zs, self.weight = zq, zs, weight.astype(np.float32)
        self.proposed = (ratio * np.exp(1j * turn)).astype(np.complex64)
        self._octaves = np.log2(ratio)
        self._query = np.stack([zq.real, zq.imag, np.ones(len(zq), np.float32)])
        self._turn = np.stack([np.cos(turn), np.sin(turn)]).astype(np.float32)

    def agreeing(self, a: C64, b: C64, reach: float) -> Bool:
        """(h, m): which of m pairs agree with each of h transforms in place, scale and angle."""
        return self.within(_matrices(a, b), reach) & self.alike(a, FACING, SCALE_SLACK)

    def within(self, matrices: npt.NDArray[np.floating], reach: float) -> Bool:
        """(h, m): which pairs agree in place with each of h affine transforms, (h, 2, 3)."""
        x = matrices[:, 0].astype(np.float32) @ self._query
        y = matrices[:, 1].astype(np.float32) @ self._query
        x -= self.zs.real
        y -= self.zs.imag
        x *= x
        y *= y
        x += y
        return np.asarray(x < reach * reach, np.bool_)

    def alike(self, a: C64, facing: float, slack: float) -> Bool:
        """(h, m): which pairs agree with each of h similarities in angle, by its cosine, and in scale, by octaves."""
        size = np.maximum(np.abs(a), 1e-9)
        turned = np.stack([a.real / size, a.imag / size], 1) @ self._turn
        octaves = np.abs(self._octaves - np.log2(size)[:, None])
        return np.asarray((turned > facing) & (octaves < slack), np.bool_)


def _matrices(a: C64, b: C64) -> F32:
    """Similarities as matrices, (h, 2, 3)."""
    return np.stack([a.real, -a.imag, b.real, a.imag, a.real, b.imag], 1).reshape(-1, 2, 3)


def _places(points: F32) -> C64:
    return (points[:, 0] + 1j * points[:, 1]).astype(np.complex64)


def _propose(field: _Field) -> tuple[C64, C64, Bool]:
    """The transforms of the nearest pairs, each judged on all pairs; the best MOST_REFITTED."""
    a = field.proposed
    order = np.argsort(-field.weight, kind="stable")[:MOST_PROPOSALS]
    size = np.abs(a[order])
    possible = order[(size < LARGEST_SCALE) & (size > 1 / LARGEST_SCALE)]
    a, b = a[possible], field.zs[possible] - a[possible] * field.zq[possible]
    agree = field.agreeing(a, b, LOOSE)
    best = np.argsort(-(agree @ field.weight), kind="stable")[:MOST_REFITTED]
    return a[best], b[best], agree[best]


def _refit(a: C64, b: C64, agree: Bool, field: _Field) -> tuple[C64, C64, Bool]:
    """Least squares on the pairs that agree, three times with a reach that shrinks; one row a transform."""
    zq, zs = field.zq, field.zs
    for reach in (LOOSE * 0.8, LOOSE * 0.55, FINE):
        w = agree * field.weight
        total = np.maximum(w.sum(1), 1e-9)
        mean_q, mean_s = w @ zq / total, w @ zs / total
        # Sums of products about the means, without an array of h x m differences.
        power = w @ (zq.real**2 + zq.imag**2) - total * np.abs(mean_q) ** 2
        cross = w @ (zs * np.conj(zq)) - total * mean_s * np.conj(mean_q)
        fitted = cross / np.maximum(power, 1e-9)
        usable = (power > 1e-6) & (np.abs(fitted) > 1 / LARGEST_SCALE) & (np.abs(fitted) < LARGEST_SCALE)  # noqa: PLR2004 -- far below what matters
        a = np.where(usable, fitted, a).astype(np.complex64)
        b = np.where(usable, mean_s - a * mean_q, b).astype(np.complex64)
        agree = field.agreeing(a, b, reach)
    return a, b, agree


def _bent(a: C64, b: C64, field: _Field, needed: float) -> Alignment | None:
    """The affine transform most distinct points agree on, of those near these similarities; None where too few do.

    Where fewer than `needed` pairs are near any of them to begin with, as among strangers, none is looked for.
    """
    matrices, alike = _matrices(a, b).astype(np.float64), field.alike(a, BENT_FACING, BENT_SLACK)
    agree = alike & field.within(matrices, BENT[0])
    if agree.sum(1).max() < needed:
        return None
    places = np.stack([field.zq.real, field.zq.imag], 1).astype(np.float64)
    wanted = np.stack([field.zs.real, field.zs.imag], 1).astype(np.float64)
    for reach in BENT[1:]:
        matrices = _fitted(matrices, places, wanted, agree * field.weight)
        agree = alike & field.within(matrices, reach)
    for chosen in np.argsort(-(agree @ field.weight), kind="stable")[:2]:
        matrix, rows = matrices[chosen], np.flatnonzero(agree[chosen])
        points = _distinct(field.zq[rows], field.zs[rows])
        if points < BENT_FROM or np.linalg.det(matrix[:, :2]) <= 0 or _stretch(matrix) > MOST_BENT:
            continue
        if (found := _alignment(matrix, rows, points, field)) is not None:
            return found
    return None


def _fitted(
    matrices: npt.NDArray[np.float64],
    places: npt.NDArray[np.float64],
    wanted: npt.NDArray[np.float64],
    weights: npt.NDArray[np.floating],
) -> npt.NDArray[np.float64]:
    """Least squares for six numbers each, (h, 2, 3), drawn to what they were as by two more points.

    places, wanted: (m, 2). weights: (h, m).
    """
    total = np.maximum(weights.sum(1), 1e-9)
    centre = weights @ places / total[:, None]
    about = places[None] - centre[:, None]
    moved = matrices[:, :, :2] @ centre[:, :, None] + matrices[:, :, 2:]
    gap = wanted[None] - (about @ matrices[:, :, :2].transpose(0, 2, 1) + moved.transpose(0, 2, 1))
    weighed = about * weights[:, :, None]
    square = weighed.transpose(0, 2, 1) @ about
    pull = (2 / total)[:, None] * np.einsum("hii->hi", square) + 1e-6
    turned = np.linalg.solve(square + pull[:, :, None] * np.eye(2), weighed.transpose(0, 2, 1) @ gap)
    shift = (weights[:, :, None] * gap).sum(1) / (total + 0.02)[:, None]
    linear = matrices[:, :, :2] + turned.transpose(0, 2, 1)
    offset = moved[:, :, 0] + shift - (linear @ centre[:, :, None])[:, :, 0]
    return np.concatenate([linear, offset[:, :, None]], axis=2)


def _distinct(zq: C64, zs: C64) -> int:
    """Distinct places, the smaller of both sides: one logo matched twenty times over is one point."""
    return min(_places_taken(zq), _places_taken(zs))


def _places_taken(z: C64) -> int:
    cells = np.rint(z.real * PATCH).astype(np.int64) * 65_536 + np.rint(z.imag * PATCH).astype(np.int64)
    return len(set(cells.tolist()))  # a set is faster than a sort here


def _spread(z: C64) -> float:
    """Standard deviation along the shorter axis of the points."""
    flat = np.stack([z.real, z.imag])
    return float(np.sqrt(max(0.0, np.linalg.eigvalsh(np.cov(flat))[0])))


def _finish(a: complex, b: complex, agree: Bool, field: _Field, points: int) -> Alignment | None:
    """Try an affine transform near the similarity, keep it if no fewer points agree, and refuse degenerate ones."""
    matrix = np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]], np.float64)
    zq, zs = field.zq, field.zs
    rows = np.flatnonzero(agree)
    if points >= AFFINE_FROM:
        bent = _affine(matrix, zq, zs, np.abs(_apply(matrix, zq) - zs) < 2 * FINE, agree)
        near = np.abs(_apply(bent, zq) - zs) < FINE
        near &= np.abs(_apply(matrix, zq) - zs) < 3 * FINE
        count = _distinct(zq[near], zs[near])
        if count >= points and _stretch(bent) < MOST_STRETCH:
            matrix, rows, points = bent, np.flatnonzero(near), count
    return _alignment(matrix, rows, points, field)


def _alignment(matrix: npt.NDArray[np.float64], rows: Rows, points: int, field: _Field) -> Alignment | None:
    """A transform with the pairs that agree on it; None where their places prove nothing."""
    zq, zs = field.zq[rows], field.zs[rows]
    error = float(np.abs(_apply(matrix, zq) - zs).mean())
    found = Alignment(matrix, rows, points, error, _stretch(matrix))
    return found if min(_spread(zs), _spread(zq) * found.scale) >= SMALLEST_SPREAD else None


def _apply(matrix: npt.NDArray[np.float64], z: C64) -> npt.NDArray[np.complex128]:
    x, y = matrix @ np.stack([z.real, z.imag, np.ones(len(z))])
    return np.asarray(x + 1j * y, np.complex128)


def _stretch(matrix: npt.NDArray[np.float64]) -> float:
    large, small = np.linalg.svd(matrix[:, :2], compute_uv=False)
    return float(large / max(small, 1e-9))


def _affine(matrix: npt.NDArray[np.float64], zq: C64, zs: C64, near: Bool, agree: Bool) -> npt.NDArray[np.float64]:
    """Least squares for six numbers, drawn towards the similarity as by two more points."""
    chosen = near & (agree | near)
    centre = zq[chosen].mean()
    design = np.stack([zq[chosen].real - centre.real, zq[chosen].imag - centre.imag, np.ones(chosen.sum())], 1).astype(
        np.float64
    )
    start = matrix.copy()
    start[:, 2] = matrix @ [centre.real, centre.imag, 1]
    target = np.stack([zs[chosen].real, zs[chosen].imag], 1)
    pull = np.diag([np.var(design[:, 0]) + 1e-9, np.var(design[:, 1]) + 1e-9, 0.01]) * 2
    moved = np.linalg.solve(design.T @ design + pull, design.T @ (target - design @ start.T))
    result = start + moved.T
    result[:, 2] -= result[:, :2] @ [centre.real, centre.imag]
    return np.asarray(result, np.float64)
