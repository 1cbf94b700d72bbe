"""How a ring spread: its accounts against time, as the line of a small drawing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 240, 56
_EDGE = 4
MOST_DOTS = 40
"""Beyond so many accounts the dots would run together: then the line alone is drawn."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A stair of accounts: ``path`` as SVG has it, ``dots`` where each account came, from ``start`` to ``end``."""

    path: str
    dots: tuple[tuple[str, str], ...]
    start: datetime
    end: datetime


def spread(times: Sequence[datetime]) -> Spread:
    """The stair of accounts that came at these ``times``, which are in order and at least one."""
    start, end = times[0], times[-1]
    whole = (end - start).total_seconds()
    points = [
        (
            _number(_EDGE + (WIDTH - 2 * _EDGE) * ((time - start).total_seconds() / whole if whole else 0.5)),
            _number(HEIGHT - _EDGE - (HEIGHT - 2 * _EDGE) * place / len(times)),
        )
        for place, time in enumerate(times, start=1)
    ]
    path = f"M{points[0][0]} {HEIGHT - _EDGE}" + "".join(f"H{x}V{y}" for x, y in points)
    return Spread(path, tuple(points) if len(points) <= MOST_DOTS else (), start, end)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
