"""What nights have found: how alike stored pictures are by their features, pair by pair, and how far was searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.times import now
from imgmatch.model import Outline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

_ONLY = 1
"""The one row of ``searches``."""


@dataclass(frozen=True, slots=True)
class Tie:
    """How one picture lies in another.

    Attributes:
        low: row id of the features of one picture, smaller than ``high``.
        high: row id of the other's.
        odds: the rule's log odds that they are copies of one picture.
        mirrored: ``high`` is mirrored against ``low``.
        rotation: degrees clockwise that ``high`` is turned against ``low``, after mirroring.
        overlap_low: share of ``low`` seen in ``high``, 0..1; ``None`` where neither lies in the other.
        overlap_high: share of ``high`` seen in ``low``, likewise.
        agreement: share of the overlap that looks alike; ``None`` where it was not measured.
        outline_low: the shared part in ``low``; ``None`` where it was not kept.
        outline_high: the shared part in ``high``; its corners are those of ``outline_low``, in that order.
    """

    low: int
    high: int
    odds: float
    mirrored: bool
    rotation: int
    overlap_low: float | None
    overlap_high: float | None
    agreement: float | None
    outline_low: Outline | None = None
    outline_high: Outline | None = None


def store_ties(connection: Connection, ties: Sequence[Tie]) -> None:
    """Keep these; of what is known of a pair already, the better odds stay."""
    table = schema.ties
    best: dict[tuple[int, int], Tie] = {}
    for tie in ties:
        known = best.get((tie.low, tie.high))
        if known is None or tie.odds > known.odds:
            best[tie.low, tie.high] = tie
    for chunk in chunks(list(best)):
        query = select(table.c.low, table.c.high, table.c.odds).where(table.c.low.in_({low for low, _ in chunk}))
        for low, high, odds in connection.execute(query):
            if (low, high) in best:
                if odds >= best[low, high].odds:
                    del best[low, high]
                else:
                    connection.execute(delete(table).where(table.c.low == low, table.c.high == high))
    if best:
        connection.execute(
            insert(table),
            [
                {
                    "low": tie.low,
                    "high": tie.high,
                    "odds": tie.odds,
                    "mirrored": int(tie.mirrored),
                    "rotation": tie.rotation,
                    "overlap_low": tie.overlap_low,
                    "overlap_high": tie.overlap_high,
                    "agreement": tie.agreement,
                    "outline_low": tie.outline_low,
                    "outline_high": tie.outline_high,
                }
                for tie in best.values()
            ],
        )


def read_ties(connection: Connection) -> Iterator[Tie]:
    """Every pair looked at, in order."""
    table = schema.ties.c
    turn, shares = (table.mirrored, table.rotation), (table.overlap_low, table.overlap_high, table.agreement)
    columns = (table.low, table.high, table.odds, *turn, *shares, table.outline_low, table.outline_high)
    query = select(*columns).order_by(table.low, table.high)
    for low, high, odds, mirrored, rotation, of_low, of_high, alike, *outlines in connection.execute(query):
        yield Tie(low, high, odds, bool(mirrored), rotation, of_low, of_high, alike, *map(_outline, outlines))


def _outline(kept: list[list[float]] | None) -> Outline | None:
    return None if kept is None else tuple((x, y) for x, y in kept)


def judged_pairs(connection: Connection) -> set[tuple[int, int]]:
    """The pairs looked at, each as the row ids of both features, the smaller one first."""
    table = schema.ties.c
    return {(low, high) for low, high in connection.execute(select(table.low, table.high))}


def searched_through(connection: Connection, rule: str) -> int:
    """Up to which row id of features pictures were searched and judged by ``rule``; 0 where that was another."""
    table = schema.searches.c
    return connection.scalar(select(table.through).where(table.id == _ONLY, table.rule == rule)) or 0


def begin_search(connection: Connection, rule: str) -> int:
    """As :func:`searched_through`; what another rule has judged is dropped first."""
    table = schema.searches
    if connection.scalar(select(table.c.rule).where(table.c.id == _ONLY)) != rule:
        connection.execute(delete(schema.ties))
        note_searched(connection, rule, 0)
    return searched_through(connection, rule)


def note_searched(connection: Connection, rule: str, through: int) -> None:
    """Keep how far was searched."""
    connection.execute(delete(schema.searches))
    connection.execute(insert(schema.searches).values(id=_ONLY, rule=rule, through=through, searched_at=now()))
