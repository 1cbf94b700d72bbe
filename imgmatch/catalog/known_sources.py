"""Sources as a whole: what is known of each, and forgetting one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, func, select

from imgmatch.catalog import schema

if TYPE_CHECKING:
    from imgmatch.catalog.session import Session


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source: its row and key, how many photos came from it, the path of one of them, and times in microseconds."""

    id: int
    key: str
    photos: int
    path: str | None
    last_scan: int | None
    last_finished: int | None


def read_sources(session: Session) -> list[SourceRow]:
    """All of them, by their keys."""
    sources, photos, scans = schema.sources.c, schema.photos.c, schema.scans.c
    counted = (
        select(photos.source_id, func.count().label("photos"), func.min(photos.path).label("path"))
        .group_by(photos.source_id)
        .subquery()
    )
    scanned = (
        select(scans.source_id, func.max(scans.started_at).label("begun"), func.max(scans.finished_at).label("ended"))
        .group_by(scans.source_id)
        .subquery()
    )
    query = (
        select(sources.id, sources.key, counted.c.photos, counted.c.path, scanned.c.begun, scanned.c.ended)
        .outerjoin(counted, counted.c.source_id == sources.id)
        .outerjoin(scanned, scanned.c.source_id == sources.id)
        .order_by(sources.key)
    )
    return [SourceRow(row, key, count or 0, *rest) for row, key, count, *rest in session.sql.execute(query)]


def source_of(session: Session, key: str) -> int | None:
    """The row of the source of this key; ``None`` where there is none."""
    return session.sql.scalar(select(schema.sources.c.id).where(schema.sources.c.key == key))


def drop_source(session: Session, source_id: int) -> None:
    """Forget a source that has no photos and nothing skipped any more."""
    session.sql.execute(delete(schema.scans).where(schema.scans.c.source_id == source_id))
    session.sql.execute(delete(schema.sources).where(schema.sources.c.id == source_id))


def sources_with_all(session: Session, source_id: int) -> list[str]:
    """The keys of other sources from which every photo of this one, by its bytes, came as well."""
    mine, theirs = schema.photos.alias("mine"), schema.photos.alias("theirs")
    shown, alike = schema.photo_pictures.alias("shown"), schema.photo_pictures.alias("alike")
    same = and_(theirs.c.sha256 == mine.c.sha256, theirs.c.source_id != mine.c.source_id)
    query = (
        select(schema.sources.c.key)
        .select_from(mine)
        .join(shown, and_(shown.c.photo_id == mine.c.id, shown.c.place == 0))  # there is an index of pixels
        .join(alike, and_(alike.c.pixels == shown.c.pixels, alike.c.place == 0))
        .join(theirs, and_(theirs.c.id == alike.c.photo_id, same))
        .join(schema.sources, schema.sources.c.id == theirs.c.source_id)
        .where(mine.c.source_id == source_id)
        .group_by(schema.sources.c.id)
    )
    photos = schema.photos
    number = select(func.count()).select_from(photos).where(photos.c.source_id == source_id).scalar_subquery()
    return list(session.sql.scalars(query.having(func.count(mine.c.id.distinct()) == number)))
