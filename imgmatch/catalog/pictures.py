"""What a run looks at: pictures by their fingerprints and features, and the photos that show them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import func, select, union

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.fingerprints import by_hasher
from imgmatch.model.names import named_by

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sqlalchemy import ColumnElement

    from imgmatch.catalog.session import Session


Columns = TypeVar("Columns")


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A file that shows a picture.

    Attributes:
        path: where it was.
        sha256: the digest of its bytes then.
        side: the longer side, in pixels.
        frame: of a moving picture, from 1; ``None`` where the file holds one picture.
    """

    path: Path
    sha256: bytes
    side: int
    frame: int | None = None


def shows(photo: ColumnElement[int], place: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a picture is this one of a photo, by the photo's row id."""
    pictures = schema.photo_pictures.c
    return (pictures.photo_id == photo) & (pictures.place == place)


def meant(
    rows: Iterable[tuple[str, int, Columns]], fingerprints: Collection[int] | None
) -> Iterator[tuple[str, int, Columns]]:
    """Of each photo the pictures that have one of these fingerprints, or else its first one; all if none are given.

    Args:
        rows: the id of a photo, the row id of the fingerprint of a picture of it, and what else is known of that; those
            of one photo stand together, in order of their places.
        fingerprints: row ids.
    """
    for _, some in groupby(rows, key=lambda row: row[0]):
        pictures = list(some)
        named = [row for row in pictures if fingerprints is None or row[1] in fingerprints]
        yield from named or pictures[:1]


def fingerprints_of_pictures(
    session: Session, hasher: str, feature_ids: Collection[int] | None = None
) -> Iterator[tuple[int, int]]:
    """Row ids of features, in order, each with that of the fingerprint by ``hasher`` of the picture; all, or some."""
    links, pictures, table = schema.photo_fingerprints.c, schema.photo_pictures.c, schema.features.c
    prints, banked = schema.fingerprints.c, schema.bank_entries.c
    query = (
        select(table.id, func.min(links.fingerprint_id))
        .join(schema.photo_pictures, pictures.pixels == table.pixels)
        .join(schema.photo_fingerprints, shows(links.photo_id, links.place))
        .join(schema.fingerprints, prints.id == links.fingerprint_id)
        .where(prints.hasher == hasher if feature_ids is None else by_hasher(hasher))
        .group_by(table.id)
    )
    kept = select(table.id, banked.fingerprint_id).join(schema.bank_entries, banked.pixels == table.pixels)
    found: dict[int, int] = {}
    for chunk in [None] if feature_ids is None else chunks(sorted(feature_ids)):
        some = [each if chunk is None else each.where(table.id.in_(chunk)) for each in (query, kept)]
        found |= {row: fingerprint for row, fingerprint in session.sql.execute(some[0])}  # noqa: C416 -- rows, not pairs
        for row, fingerprint in session.sql.execute(some[1]):
            found.setdefault(row, fingerprint)
    yield from sorted(found.items())


def fingerprints_beside(session: Session, hasher: str, fingerprint_ids: Collection[int]) -> set[int]:
    """Row ids of the fingerprints by ``hasher`` that other pictures of photos with these fingerprints have."""
    beside = schema.photo_fingerprints.alias("beside")
    links, others = schema.photo_fingerprints.c, beside.c
    found: set[int] = set()
    for chunk in chunks(sorted(fingerprint_ids)):
        query = (
            select(others.fingerprint_id)
            .join(schema.photo_fingerprints, (links.photo_id == others.photo_id) & (links.place != others.place))
            .join(schema.fingerprints, schema.fingerprints.c.id == others.fingerprint_id)
            .where(links.fingerprint_id.in_(chunk), by_hasher(hasher))
        )
        found.update(session.sql.scalars(query.distinct()))
    return found


def pictures_with(session: Session, fingerprint_ids: Collection[int]) -> set[int]:
    """Row ids of the features of all pictures that photos with these fingerprints show, or banks hold."""
    links, pictures, table = schema.photo_fingerprints.c, schema.photo_pictures.c, schema.features.c
    banked = schema.bank_entries.c
    found: set[int] = set()
    for chunk in chunks(sorted(fingerprint_ids)):
        shown = (
            select(table.id)
            .join(schema.photo_pictures, pictures.pixels == table.pixels)
            .join(schema.photo_fingerprints, shows(links.photo_id, links.place))
            .where(links.fingerprint_id.in_(chunk))
        )
        kept = select(table.id).join(schema.bank_entries, banked.pixels == table.pixels)
        found.update(session.sql.scalars(union(shown, kept.where(banked.fingerprint_id.in_(chunk)))))
    return found


def photos_with_panels(session: Session, feature_ids: Collection[int]) -> dict[int, set[int]]:
    """Which of these pictures are panels, or have some: row ids of features, each with those of the photos."""
    table, pictures = schema.features.c, schema.photo_pictures.c
    beside = schema.photo_pictures.alias("beside")
    found: dict[int, set[int]] = {}
    for chunk in chunks(feature_ids):
        query = (
            select(table.id, pictures.photo_id)
            .join(schema.photo_pictures, pictures.pixels == table.pixels)
            .join(beside, beside.c.photo_id == pictures.photo_id)
            .where(table.id.in_(chunk), beside.c.panel.is_not(None))
        )
        for row, photo in session.sql.execute(query.distinct()):
            found.setdefault(row, set()).add(photo)
    return found


def files_of_pictures(session: Session, feature_ids: Collection[int]) -> dict[int, PictureFile]:
    """For each of these pictures the file of the first photo that shows it, by row id of its features.

    A part of a photo has none: it was cut from the largest picture that is taken of one, and there is no more of it.
    """
    table, photos, pictures = schema.features.c, schema.photos.c, schema.photo_pictures.c
    found: dict[int, PictureFile] = {}
    for chunk in chunks(feature_ids):
        query = (
            select(table.id, photos.path, photos.sha256, photos.width, photos.height, pictures.frame)
            .join(schema.photo_pictures, pictures.pixels == table.pixels)
            .join(schema.photos, photos.id == pictures.photo_id)
            .where(table.id.in_(chunk), pictures.panel.is_(None))
            .order_by(photos.id.desc())  # so that the first photo has the last word
        )
        for row, path, sha256, width, height, frame in session.sql.execute(query):
            found[row] = PictureFile(Path(named_by(path)), sha256, max(width, height), frame)
    return found
