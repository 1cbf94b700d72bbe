"""Groups as the last run, and what people decided since, have left them: rows, read as they are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.lookups import PHOTO_COLUMNS
from imgmatch.catalog.pictures import shows
from imgmatch.catalog.rows import StoredPhoto
from imgmatch.model import Evidence, Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from typing import Any

    from imgmatch.catalog.session import Session
    from imgmatch.model import Outline


@dataclass(frozen=True, slots=True)
class KeptPhoto:
    """A photo of a group and how it stands to the medoid."""

    photo: StoredPhoto
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class KeptGroup:
    """A group as it is kept.

    Attributes:
        name: the id it goes by.
        medoid: row id of the fingerprint of the medoid.
        medoid_photo: row id of the first photo that shows it; ``None`` where only a bank holds it.
        fingerprints: row ids of those that belong to it.
        photos: the earliest first.
        common: whether it ties nobody.
        diameter: see ``model.Group``.
        bank: the list of known pictures it is on.
        decision: what was said of it last.
        decided: the number of that decision.
        id: row id; ``None`` before it is written.
        ring_id: row id of the ring it ties, if it does.
    """

    name: str
    medoid: int
    medoid_photo: int | None
    fingerprints: tuple[int, ...]
    photos: tuple[KeptPhoto, ...]
    common: bool
    diameter: int
    bank: str | None
    decision: str | None
    decided: int | None
    id: int | None = None
    ring_id: int | None = None


_GROUP = tuple(
    schema.groups.c[name]
    for name in ("id", "name", "medoid", "medoid_photo", "common", "diameter", "bank", "decision", "decided", "ring_id")
)
_EVIDENCE = tuple(
    schema.group_photos.c[name]
    for name in (
        *("kind", "score", "distance", "mirrored", "rotation", "overlap", "agreement"),
        *("outline_photo", "outline_medoid", "negative"),
    )
)


def store_groups(session: Session, groups: Sequence[KeptGroup]) -> list[int]:
    """Keep new groups; returns their row ids."""
    if not groups:
        return []
    made = insert(schema.groups).returning(schema.groups.c.id, sort_by_parameter_order=True)
    ids = list(session.sql.scalars(made, [_group_values(group) for group in groups]))
    for chunk in chunks(ids):  # where rows are damaged, what is left of an earlier group may be in the way
        for table in (schema.group_fingerprints, schema.group_photos):
            session.sql.execute(delete(table).where(table.c.group_id.in_(chunk)))
    links = [
        {"fingerprint_id": row, "group_id": group_id}
        for group_id, group in zip(ids, groups, strict=True)
        for row in group.fingerprints
    ]
    members = [
        {"group_id": group_id, "place": place, "photo_row": kept.photo.id, "picture": kept.photo.place}
        | _evidence_values(kept.evidence)
        for group_id, group in zip(ids, groups, strict=True)
        for place, kept in enumerate(group.photos)
    ]
    if links:
        session.sql.execute(insert(schema.group_fingerprints), links)
    if members:
        session.sql.execute(insert(schema.group_photos), members)
    return ids


def _group_values(group: KeptGroup) -> dict[str, Any]:
    return {
        "name": group.name,
        "medoid": group.medoid,
        "medoid_photo": group.medoid_photo,
        "common": int(group.common),
        "diameter": group.diameter,
        "bank": group.bank,
        "decision": group.decision,
        "decided": group.decided,
    }


def _evidence_values(evidence: Evidence) -> dict[str, Any]:
    return {
        "kind": str(evidence.kind),
        "score": evidence.score,
        "distance": evidence.distance,
        "mirrored": int(evidence.mirrored),
        "rotation": evidence.rotation,
        "overlap": evidence.overlap,
        "agreement": evidence.agreement,
        "outline_photo": evidence.outline_query,
        "outline_medoid": evidence.outline_stored,
        "negative": int(evidence.negative),
    }


def groups_of_fingerprints(session: Session, fingerprints: Collection[int]) -> set[int]:
    """Row ids of the groups that these fingerprints belong to."""
    table = schema.group_fingerprints.c
    found: set[int] = set()
    for chunk in chunks(fingerprints):
        found.update(session.sql.scalars(select(table.group_id).where(table.fingerprint_id.in_(chunk))))
    return found


def groups_of_photos(session: Session, rows: Collection[int]) -> set[int]:
    """Row ids of the groups that these photos, by row id, stand in."""
    table = schema.group_photos.c
    return {
        group
        for chunk in chunks(sorted(rows))
        for group in session.sql.scalars(select(table.group_id).where(table.photo_row.in_(chunk)).distinct())
    }


def fingerprints_of_groups(session: Session, groups: Collection[int]) -> set[int]:
    """Row ids of the fingerprints that belong to these groups."""
    table = schema.group_fingerprints.c
    found: set[int] = set()
    for chunk in chunks(groups):
        found.update(session.sql.scalars(select(table.fingerprint_id).where(table.group_id.in_(chunk))))
    return found


def remove_groups(session: Session, groups: Collection[int]) -> None:
    """Forget these, by row id."""
    for chunk in chunks(groups):
        session.sql.execute(delete(schema.groups).where(schema.groups.c.id.in_(chunk)))


def read_groups(session: Session, groups: Collection[int] | None = None) -> Iterator[KeptGroup]:
    """Groups by their row ids, or all of them, in order; those of which no photo is left are passed over."""
    query = select(*_GROUP).order_by(schema.groups.c.id)
    if groups is None:
        for rows in chunks(session.sql.execute(query).all()):
            yield from _kept(session, rows)
        return
    for chunk in chunks(sorted(groups)):
        yield from _kept(session, session.sql.execute(query.where(schema.groups.c.id.in_(chunk))).all())


def _kept(session: Session, rows: Sequence[Any]) -> Iterator[KeptGroup]:
    ids = [row[0] for row in rows]
    links: dict[int, list[int]] = defaultdict(list)
    table = schema.group_fingerprints.c
    query = select(table.group_id, table.fingerprint_id).where(table.group_id.in_(ids))
    for group_id, fingerprint in session.sql.execute(query.order_by(table.fingerprint_id)):
        links[group_id].append(fingerprint)
    photos: dict[int, list[KeptPhoto]] = defaultdict(list)
    members = schema.group_photos
    joined = (
        select(members.c.group_id, *PHOTO_COLUMNS, *_EVIDENCE)
        .join(schema.photos, schema.photos.c.id == members.c.photo_row)
        .join(schema.photo_pictures, shows(schema.photos.c.id, func.coalesce(members.c.picture, 0)))
        .join(schema.accounts, schema.accounts.c.id == schema.photos.c.account_id)
        .where(members.c.group_id.in_(ids))
        .order_by(members.c.group_id, members.c.place)
    )
    for group_id, *columns in session.sql.execute(joined):
        stored = StoredPhoto(*columns[: len(PHOTO_COLUMNS)])
        photos[group_id].append(KeptPhoto(stored, _evidence(*columns[len(PHOTO_COLUMNS) :])))
    for row, name, medoid, medoid_photo, common, diameter, *said, ring in rows:
        if photos[row]:
            bank, decision, decided = said
            yield KeptGroup(
                name=name,
                medoid=medoid,
                medoid_photo=medoid_photo,
                fingerprints=tuple(links[row]),
                photos=tuple(photos[row]),
                common=bool(common),
                diameter=diameter,
                bank=bank,
                decision=decision,
                decided=decided,
                id=row,
                ring_id=ring,
            )


def _evidence(  # noqa: PLR0913, PLR0917 -- a row has as many columns
    kind: str,
    score: float,
    distance: int | None,
    mirrored: int,
    rotation: int,
    overlap: float | None,
    agreement: float | None,
    outline_photo: Outline | None,
    outline_medoid: Outline | None,
    negative: int | None,
) -> Evidence:
    about = (bool(mirrored), rotation, overlap, agreement, outline_photo, outline_medoid, bool(negative))
    return Evidence(Kind(kind), score, distance, *about)
