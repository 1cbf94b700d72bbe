"""Sources that have moved: their photos get other ids, and all that names those follows, some in each transaction.

What was begun is noted, so that it can be finished if it was cut off. A photo that has its new id is not found under
its old one again, so each step may be taken twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, delete, insert, select, update

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.known_sources import drop_source, source_of
from imgmatch.catalog.renamed_ids import rename_ids

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Select

    from imgmatch.catalog.session import Session


@dataclass(frozen=True, slots=True)
class BegunRename:
    """A rename that has not ended: its row, the source's row and key, and the key that it is to have."""

    id: int
    source_id: int
    old: str
    new: str


class PlacedPhoto(NamedTuple):
    """A photo, or a skipped one, with what its id may hang on; ``path`` is empty for a skipped one."""

    id: int
    photo_id: str
    account: str
    label: str
    path: str


class MovedPhoto(NamedTuple):
    """What becomes of one."""

    id: int
    before: str
    after: str
    path: str


def begin_rename(session: Session, source_id: int, new: str) -> None:
    """Note that a source is to have another key; once only."""
    table = schema.renames
    session.sql.execute(delete(table).where(table.c.source_id == source_id))
    session.sql.execute(insert(table).values(source_id=source_id, key=new))


def begun_renames(session: Session) -> list[BegunRename]:
    """All that have not ended, the oldest first."""
    table, sources = schema.renames.c, schema.sources.c
    query = select(table.id, table.source_id, sources.key, table.key).join(
        schema.sources, sources.id == table.source_id
    )
    return [BegunRename(*row) for row in session.sql.execute(query.order_by(table.id))]


def placed_photos(session: Session, source_id: int, after: int, at_once: int) -> list[PlacedPhoto]:
    """Photos of a source, so many at the most of those after a row id, in order."""
    photos = schema.photos.c
    query = _placed(source_id).where(photos.id > after).order_by(photos.id).limit(at_once)
    return [PlacedPhoto(*row) for row in session.sql.execute(query)]


def named_photos(session: Session, source_id: int, photo_ids: Collection[str]) -> list[PlacedPhoto]:
    """Those photos of a source that have one of these ids."""
    named = schema.photos.c.photo_id
    found = (session.sql.execute(_placed(source_id).where(named.in_(chunk))) for chunk in chunks(photo_ids))
    return [PlacedPhoto(*row) for rows in found for row in rows]


def _placed(source_id: int) -> Select[Any]:
    """The photos of a source, as :class:`PlacedPhoto` has them."""
    photos, accounts = schema.photos.c, schema.accounts.c
    columns = (photos.id, photos.photo_id, accounts.account, photos.label, photos.path)
    joined = select(*columns).join(schema.accounts, accounts.id == photos.account_id)
    return joined.where(photos.source_id == source_id)


def placed_skips(session: Session, source_id: int, after: int, at_once: int) -> list[PlacedPhoto]:
    """Skipped photos of a source that have an id and an account; likewise."""
    table = schema.skipped.c
    query = select(table.id, table.photo_id, table.account, table.label).where(
        table.source_id == source_id, table.photo_id.is_not(None), table.account.is_not(None), table.id > after
    )
    return [PlacedPhoto(*row, "") for row in session.sql.execute(query.order_by(table.id).limit(at_once))]


def move_photos(session: Session, begun: BegunRename, moved: Sequence[MovedPhoto]) -> int:
    """Give photos their new ids and paths, and their source's new row if it has one already.

    Where the same bytes were scanned under the new id meanwhile, the older photo stays; where other bytes were, the
    newer one. A photo whose new id another photo of the source has, that has not moved yet, must wait for that.

    Returns:
        how many must wait.
    """
    target = _target(session, begun)
    taken = _taken(session, [one.after for one in moved if one.after != one.before])
    waiting = {one.id for one in moved if one.after in taken and taken[one.after].source_id == begun.source_id
               and taken[one.after].id != one.id}  # fmt: skip
    going = [one for one in moved if one.id not in waiting]
    digests = _digests(session, [one.id for one in going if one.after in taken])
    newer = {one.id for one in going if one.id in digests and digests[one.id] != taken[one.after].sha256}
    older = [taken[one.after].id for one in going if one.id in digests and one.id not in newer]
    for rows in chunks([*newer, *older]):
        session.sql.execute(delete(schema.photos).where(schema.photos.c.id.in_(rows)))
    values = [
        {"row": one.id, "photo_id": one.after, "path": one.path, "source_id": target}
        for one in going
        if one.id not in newer
    ]
    if values:
        session.sql.execute(update(schema.photos).where(schema.photos.c.id == bindparam("row")), values)
    rename_ids(session, {one.before: one.after for one in going if one.before != one.after})
    return len(waiting)


def move_skips(session: Session, begun: BegunRename, moved: Sequence[MovedPhoto]) -> None:
    """Give skipped photos their new ids, and their source's new row if it has one already."""
    table, target = schema.skipped, _target(session, begun)
    if target != begun.source_id:
        for ids in chunks([one.after for one in moved]):
            again = table.c.photo_id.in_(ids) & (table.c.source_id == target)
            session.sql.execute(delete(table).where(again))
    values = [{"row": one.id, "photo_id": one.after, "source_id": target} for one in moved]
    if values:
        session.sql.execute(update(table).where(table.c.id == bindparam("row")), values)


def end_rename(session: Session, begun: BegunRename) -> None:
    """Its photos have moved: let the source have its new key, and forget that it was to have one."""
    target = _target(session, begun)
    forget_rename(session, begun)
    if target == begun.source_id:
        statement = update(schema.sources).where(schema.sources.c.id == begun.source_id)
        session.sql.execute(statement.values(key=begun.new))
        return
    lines = schema.skipped.c.source_id == begun.source_id
    session.sql.execute(delete(schema.skipped).where(lines))
    left = schema.photos.c.source_id == begun.source_id
    session.sql.execute(update(schema.photos).where(left).values(source_id=target))
    drop_source(session, begun.source_id)


def forget_rename(session: Session, begun: BegunRename) -> None:
    """The source keeps the key that it has."""
    session.sql.execute(delete(schema.renames).where(schema.renames.c.id == begun.id))


def _target(session: Session, begun: BegunRename) -> int:
    """The row that photos go to: the source's own, unless there is one of its new key."""
    found = source_of(session, begun.new)
    return begun.source_id if found is None else found


class _Holder(NamedTuple):
    id: int
    source_id: int
    sha256: bytes


def _taken(session: Session, photo_ids: Collection[str]) -> Mapping[str, _Holder]:
    table = schema.photos.c
    found: dict[str, _Holder] = {}
    for chunk in chunks(photo_ids):
        query = select(table.photo_id, table.id, table.source_id, table.sha256).where(table.photo_id.in_(chunk))
        found |= {photo_id: _Holder(*rest) for photo_id, *rest in session.sql.execute(query)}
    return found


def _digests(session: Session, rows: Collection[int]) -> Mapping[int, bytes]:
    table = schema.photos.c
    found: dict[int, bytes] = {}
    for chunk in chunks(rows):
        query = select(table.id, table.sha256).where(table.id.in_(chunk))
        found |= {row: sha256 for row, sha256 in session.sql.execute(query)}  # noqa: C416 -- rows are not pairs
    return found
