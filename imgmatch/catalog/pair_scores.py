"""Pair scores: how alike stored pictures are by their features, and how far was searched for such pairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, union, update

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import PARAMETERS, chunks, pairs_table
from imgmatch.catalog.features import existing_features
from imgmatch.catalog.times import now
from imgmatch.model import Outline

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from typing import Any

    from imgmatch.catalog.session import Session

_ONLY = 1
"""The one row of ``feature_searches``."""


@dataclass(frozen=True, slots=True)
class PairScore:
    """How one picture lies in another.

    Attributes:
        low: row id of the features of one picture, smaller than ``high``.
        high: row id of the other's.
        log_odds: the pair model's log odds, not calibrated, that they are copies of one picture.
        mirrored: ``high`` is mirrored against ``low``.
        rotation: degrees clockwise that ``high`` is rotated against ``low``, after mirroring.
        overlap_low: share of ``low`` seen in ``high``, 0..1; ``None`` where neither lies in the other.
        overlap_high: share of ``high`` seen in ``low``, likewise.
        agreement: share of the overlap that looks alike; ``None`` where it was not measured.
        outline_low: the shared part in ``low``; ``None`` where it was not kept.
        outline_high: the shared part in ``high``; its corners are those of ``outline_low``, in that order.
        negative: ``high`` is a negative of ``low``; ``None`` where the two were not compared as such.
    """

    low: int
    high: int
    log_odds: float
    mirrored: bool
    rotation: int
    overlap_low: float | None
    overlap_high: float | None
    agreement: float | None
    outline_low: Outline | None = None
    outline_high: Outline | None = None
    negative: bool | None = None


def store_pair_scores(session: Session, scores: Sequence[PairScore]) -> None:
    """Keep these; of what is known of a pair already, the better score stays, and that it was compared as negatives.

    A pair of which one picture was removed since it was judged is left out.
    """
    table = schema.pair_scores
    there = existing_features(session, {row for score in scores for row in (score.low, score.high)})
    best: dict[tuple[int, int], PairScore] = {}
    for score in scores:
        if not {score.low, score.high} <= there:
            continue
        known = best.get((score.low, score.high))
        best[score.low, score.high] = score if known is None else _better(known, score)
    _leave_what_is_known(session, best)
    if best:
        session.sql.execute(
            insert(table),
            [
                {
                    "low": score.low,
                    "high": score.high,
                    "log_odds": score.log_odds,
                    "mirrored": int(score.mirrored),
                    "rotation": score.rotation,
                    "overlap_low": score.overlap_low,
                    "overlap_high": score.overlap_high,
                    "agreement": score.agreement,
                    "outline_low": score.outline_low,
                    "outline_high": score.outline_high,
                    "negative": None if score.negative is None else int(score.negative),
                }
                for score in best.values()
            ],
        )


def _leave_what_is_known(session: Session, best: dict[tuple[int, int], PairScore]) -> None:
    """Take out of ``best`` what is no better than what is kept, and remove of that what is worse."""
    table = schema.pair_scores
    query = select(table.c.low, table.c.high, table.c.log_odds, table.c.negative)
    for chunk in chunks(list(best)):
        kept = session.sql.execute(query.where(table.c.low.in_({low for low, _ in chunk}))).all()
        for low, high, log_odds, negative in kept:
            score = best.get((low, high))
            if score is None:
                continue
            same = (table.c.low == low) & (table.c.high == high)
            if log_odds < score.log_odds:
                best[low, high] = score if negative is None else replace(score, negative=bool(score.negative))
                session.sql.execute(delete(table).where(same))
                continue
            del best[low, high]
            if negative is None and score.negative is not None:
                session.sql.execute(update(table).where(same).values(negative=0))


def _better(known: PairScore, other: PairScore) -> PairScore:
    best = other if other.log_odds > known.log_odds else known
    as_negatives = known.negative is not None or other.negative is not None
    return replace(best, negative=bool(best.negative)) if as_negatives else best


_COLUMNS = tuple(
    schema.pair_scores.c[name]
    for name in (
        *("low", "high", "log_odds", "mirrored", "rotation", "overlap_low", "overlap_high", "agreement"),
        *("outline_low", "outline_high", "negative"),
    )
)


def read_pair_scores(session: Session, among: Collection[int] | None = None) -> Iterator[PairScore]:
    """Every pair looked at, or those between some pictures, by row ids of features, in order."""
    table = schema.pair_scores.c
    if among is None:
        yield from map(_score, session.sql.execute(select(*_COLUMNS).order_by(table.low, table.high)))
        return
    wanted = set(among)
    for chunk in chunks(sorted(wanted)):
        query = select(*_COLUMNS).where(table.low.in_(chunk)).order_by(table.low, table.high)
        yield from (_score(row) for row in session.sql.execute(query) if row[1] in wanted)


def _score(row: Any) -> PairScore:  # noqa: ANN401 -- a row has no type of its own
    low, high, log_odds, mirrored, rotation, of_low, of_high, alike, in_low, in_high, negative = row
    about = (bool(mirrored), rotation, of_low, of_high, alike, in_low, in_high)
    return PairScore(low, high, log_odds, *about, None if negative is None else bool(negative))


def count_pair_scores(session: Session, least: float, below: float) -> int:
    """How many pairs have log odds of ``least`` or more, and less than ``below``."""
    table = schema.pair_scores
    within = (table.c.log_odds >= least) & (table.c.log_odds < below)
    return session.sql.scalar(select(func.count()).select_from(table).where(within)) or 0


def scored_neighbours(session: Session, rows: Collection[int], least: float) -> set[int]:
    """Pictures that make a pair of at least so many log odds with one of these, by row ids of features."""
    table = schema.pair_scores.c
    found: set[int] = set()
    for chunk in chunks(sorted(rows)):
        above = select(table.high).where(table.low.in_(chunk), table.log_odds >= least)
        below = select(table.low).where(table.high.in_(chunk), table.log_odds >= least)
        found.update(session.sql.scalars(union(above, below)))
    return found


def scored_pairs(session: Session, pairs: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Which of these pairs were looked at, each as the row ids of both features, the smaller one first."""
    table = schema.pair_scores.c
    found: set[tuple[int, int]] = set()
    for chunk in chunks(sorted(set(pairs)), PARAMETERS // 2):
        wanted = pairs_table(chunk)
        same = (table.low == wanted.c.low) & (table.high == wanted.c.high)
        query = select(table.low, table.high).join(wanted, same)
        found.update((low, high) for low, high in session.sql.execute(query))
    return found


def search_watermark(session: Session, model: str) -> int:
    """Up to which row id of features pictures were searched and scored by ``model``; 0 where that was another."""
    table = schema.feature_searches.c
    return session.sql.scalar(select(table.watermark).where(table.id == _ONLY, table.model == model)) or 0


def begin_feature_search(session: Session, model: str) -> int:
    """As :func:`search_watermark`; what another model has scored is dropped first."""
    table = schema.feature_searches
    if session.sql.scalar(select(table.c.model).where(table.c.id == _ONLY)) != model:
        session.sql.execute(delete(schema.pair_scores))
        store_search_watermark(session, model, 0)
    return search_watermark(session, model)


def store_search_watermark(session: Session, model: str, watermark: int) -> None:
    """Keep how far was searched."""
    table = schema.feature_searches
    session.sql.execute(delete(table))
    session.sql.execute(insert(table).values(id=_ONLY, model=model, watermark=watermark, searched_at=now()))
