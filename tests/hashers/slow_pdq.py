"""PDQ the slow way: loops over Python's own floats, one published step after the other."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgmatch.hashers.base import Grey

Rows = list[list[float]]


def slow_pdq(grey: Grey) -> tuple[list[list[float]], int]:
    """The 16x16 coefficients, frequency 1 first, and the quality."""
    picture = reduced([[float(level) for level in row] for row in grey])
    for _ in range(2):
        picture = [smoothed(row) for row in picture]
        picture = flipped([smoothed(column) for column in flipped(picture)])
    points = [[picture[y][x] for x in sampled(len(picture[0]))] for y in sampled(len(picture))]
    half = [[cosine_sum(row, frequency) for frequency in range(1, 17)] for row in points]
    return flipped([[cosine_sum(column, frequency) for frequency in range(1, 17)] for column in flipped(half)]), (
        quality(points)
    )


def flipped(rows: Rows) -> Rows:
    return [list(column) for column in zip(*rows, strict=True)]


def reduced(rows: Rows) -> Rows:
    """Longest side to 512, each pixel the mean of the area it covers."""
    longest = max(len(rows), len(rows[0]))
    if longest <= 512:
        return rows
    height, width = (max(1, round(side * 512 / longest)) for side in (len(rows), len(rows[0])))
    return flipped([averaged(column, height) for column in flipped([averaged(row, width) for row in rows])])


def averaged(line: list[float], size: int) -> list[float]:
    step = len(line) / size
    means = []
    for i in range(size):
        start, end = i * step, (i + 1) * step
        covered = range(int(start), min(math.ceil(end), len(line)))
        means.append(sum((min(end, j + 1) - max(start, j)) * line[j] for j in covered) / step)
    return means


def smoothed(line: list[float]) -> list[float]:
    """Box filter; of an even window the smaller half lies before the pixel."""
    window = math.ceil(len(line) / 128)
    before = (window - 1) // 2
    boxes = (line[max(0, i - before) : i - before + window] for i in range(len(line)))
    return [sum(box) / len(box) for box in boxes]


def sampled(side: int) -> list[int]:
    return [int((i + 0.5) * side / 64) for i in range(64)]


def cosine_sum(line: list[float], frequency: int) -> float:
    return sum(value * math.cos(math.pi * frequency * (2 * i + 1) / 128) for i, value in enumerate(line)) / 8 / 2**0.5


def quality(points: Rows) -> int:
    total = 0
    for rows in (points, flipped(points)):
        for row in rows:
            total += sum(abs(int((after - before) * 100 / 255)) for before, after in pairwise(row))
    return min(total // 90, 100)
