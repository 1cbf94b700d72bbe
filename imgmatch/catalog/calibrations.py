"""What scores are calibrated by, fit after fit; the latest counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from imgmatch.catalog import schema
from imgmatch.catalog.times import now

if TYPE_CHECKING:
    from imgmatch.catalog.session import Session


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
    """The one that counts; ``None`` where the one that ships does."""
    table = schema.calibrations.c
    query = select(table.slope, table.shift, table.accept, table.pairs).order_by(table.id.desc()).limit(1)
    row = session.sql.execute(query).first()
    return None if row is None else Calibration(*row)


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
