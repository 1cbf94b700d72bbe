"""What a run looks at: pictures by their fingerprints and features, and the photos that show them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.fingerprints import by_hasher

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from imgmatch.catalog.session import Session


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A file that shows a picture: where it was, the digest of its bytes then, and its longer side in pixels."""

    path: Path
    sha256: bytes
    side: int


def fingerprints_of_pictures(
    session: Session, hasher: str, feature_ids: Collection[int] | None = None
) -> Iterator[tuple[int, int]]:
    """Row ids of features, in order, each with that of the fingerprint by ``hasher`` of the picture; all, or some."""
    links, photos, table = schema.photo_fingerprints.c, schema.photos.c, schema.features.c
    prints, banked = schema.fingerprints.c, schema.bank_pictures.c
    query = (
        select(table.id, func.min(links.fingerprint_id))
        .join(schema.photos, photos.pixels == table.pixels)
        .join(schema.photo_fingerprints, links.photo_id == photos.id)
        .join(schema.fingerprints, prints.id == links.fingerprint_id)
        .where(prints.hasher == hasher if feature_ids is None else by_hasher(hasher))
        .group_by(table.id)
    )
    kept = select(table.id, banked.fingerprint_id).join(schema.bank_pictures, banked.pixels == table.pixels)
    found: dict[int, int] = {}
    for chunk in [None] if feature_ids is None else chunks(sorted(feature_ids)):
        some = [each if chunk is None else each.where(table.id.in_(chunk)) for each in (query, kept)]
        found |= {row: fingerprint for row, fingerprint in session.sql.execute(some[0])}  # noqa: C416 -- rows, not pairs
        for row, fingerprint in session.sql.execute(some[1]):
            found.setdefault(row, fingerprint)
    yield from sorted(found.items())


def pictures_with(session: Session, fingerprint_ids: Collection[int]) -> set[int]:
    """Row ids of the features of all pictures that photos with these fingerprints show, or banks hold."""
    links, photos, table = schema.photo_fingerprints.c, schema.photos.c, schema.features.c
    banked = schema.bank_pictures.c
    found: set[int] = set()
    for chunk in chunks(sorted(fingerprint_ids)):
        shown = (
            select(table.id)
            .join(schema.photos, photos.pixels == table.pixels)
            .join(schema.photo_fingerprints, links.photo_id == photos.id)
            .where(links.fingerprint_id.in_(chunk))
        )
        kept = select(table.id).join(schema.bank_pictures, banked.pixels == table.pixels)
        found.update(session.sql.scalars(shown.distinct()))
        found.update(session.sql.scalars(kept.where(banked.fingerprint_id.in_(chunk))))
    return found


def files_of_pictures(session: Session, feature_ids: Collection[int]) -> dict[int, PictureFile]:
    """For each of these pictures the file of the first photo that shows it, by row id of its features."""
    table, photos = schema.features.c, schema.photos.c
    found: dict[int, PictureFile] = {}
    for chunk in chunks(feature_ids):
        query = (
            select(table.id, photos.path, photos.sha256, photos.width, photos.height)
            .join(schema.photos, photos.pixels == table.pixels)
            .where(table.id.in_(chunk))
            .order_by(photos.id.desc())  # so that the first photo has the last word
        )
        for row, path, sha256, width, height in session.sql.execute(query):
            found[row] = PictureFile(Path(path), sha256, max(width, height))
    return found
