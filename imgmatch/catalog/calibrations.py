"""What scores are calibrated by, fit after fit; the latest counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from imgmatch import damage
from imgmatch.catalog import schema
from imgmatch.catalog.times import now

if TYPE_CHECKING:
    from imgmatch.catalog.session import Session


_SLOPES, _MOST_SHIFT = (1e-3, 1e3), 1e3
"""Between and up to which a fit is one: those of sound decisions are between 0.05 and some tens."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fit to an operator's own decisions.

    Attributes:
        slope: what the pair model's log odds are multiplied by.
        shift: what is added to them.
        accept: score from which a check calls a candidate a copy.
        pairs: labelled pairs it was fitted to; 0 where only ``accept`` was chosen.
    """

    slope: float
    shift: float
    accept: float
    pairs: int


def latest_calibration(session: Session) -> Calibration | None:
    """The one that counts; ``None`` where the one that ships does, also where the one that counted is damaged."""
    table = schema.calibrations.c
    query = select(table.slope, table.shift, table.accept, table.pairs).order_by(table.id.desc()).limit(1)
    row = session.sql.execute(query).first()
    if row is None:
        return None
    found = Calibration(*row)
    if not _SLOPES[0] <= found.slope <= _SLOPES[1] or not abs(found.shift) <= _MOST_SHIFT or math.isnan(found.accept):
        damage.note("calibrations", "what ships with imgmatch is used")
        return None
    return found


def store_calibration(session: Session, calibration: Calibration) -> None:
    """Let this one count from now on; earlier ones stay on record."""
    session.sql.execute(
        insert(schema.calibrations).values(
            fitted_at=now(),
            slope=calibration.slope,
            shift=calibration.shift,
            accept=calibration.accept,
            pairs=calibration.pairs,
        )
    )
