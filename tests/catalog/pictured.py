"""Photos with features, for the tests of what nights find and people decide."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from filled import photo, with_picture
from sqlalchemy import select

from imgmatch.catalog import schema
from imgmatch.catalog.features import FeatureRow

if TYPE_CHECKING:
    from imgmatch.catalog.rows import PhotoRecord
    from imgmatch.catalog.session import Session

HASHER = "phash"


def pixels(picture: object) -> bytes:
    """The digest of a picture, as photos that show it have it."""
    return hashlib.sha256(f"bytes {picture}".encode()).digest()[:16]


def showing(number: int, account: str = "a", *, picture: object, days: int = 0) -> PhotoRecord:
    """Photo ``p<number>``, which shows a picture, with the features of that."""
    kept = FeatureRow(pixels(picture), "book", f"record of {picture}".encode(), b"small")
    return with_picture(photo(number, account, picture=picture, days=days), features=kept)


def feature_row(session: Session, picture: object) -> int:
    """The row id of the features of a picture."""
    table = schema.features.c
    row: int = session.sql.execute(select(table.id).where(table.pixels == pixels(picture))).scalar_one()
    return row


def feature_pictures(session: Session) -> set[bytes]:
    """The pictures that have features."""
    return set(session.sql.scalars(select(schema.features.c.pixels)))
