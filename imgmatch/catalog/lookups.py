"""From fingerprints back to photos and accounts, and counts for people."""

from __future__ import annotations

from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, case, exists, func, or_, select

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks, wanted
from imgmatch.catalog.fingerprints import by_hasher
from imgmatch.catalog.pictures import shows
from imgmatch.catalog.row_counts import COUNTED, row_count
from imgmatch.catalog.rows import PhotoFile, StoredPhoto
from imgmatch.model.names import named_by

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import Select

    from imgmatch.catalog.session import Session
    from imgmatch.model import Outline

    MeantPicture = tuple[str, int | None, Outline | None]
    """The id of a photo, and which picture of it: the number of the frame, and where the panel lies in it."""

PHOTO_COLUMNS = (
    schema.photos.c.id,
    schema.photos.c.photo_id,
    schema.accounts.c.account,
    schema.accounts.c.name,
    schema.photos.c.label,
    schema.photos.c.seen_at,
    schema.photos.c.sha256,
    schema.photo_pictures.c.place,
    schema.photo_pictures.c.pixels,
    schema.photo_pictures.c.frame,
    schema.photos.c.damaged,
    schema.photo_pictures.c.panel,
)
"""What a :class:`~imgmatch.catalog.rows.StoredPhoto` is made of, in its order."""


class ShownAs(Enum):
    """How a photo may show a picture: in any way, as the whole of it, or as a photo that is no page of several."""

    ANY = "any"
    WHOLE = "whole"
    NO_PAGE = "no page"


_PARTS = schema.photo_pictures.alias("parts")
_WHOLE = schema.photo_pictures.c.panel.is_(None)
_SHOWN = {
    ShownAs.ANY: (),
    ShownAs.WHOLE: (_WHOLE,),
    ShownAs.NO_PAGE: (
        _WHOLE,
        ~exists(
            select(_PARTS.c.place).where(
                _PARTS.c.photo_id == schema.photo_pictures.c.photo_id, _PARTS.c.panel.is_not(None)
            )
        ),
    ),
}


def pages_among(session: Session, photos: Collection[int]) -> set[int]:
    """Those of these photos, by row id, that have panels."""
    table = schema.photo_pictures.c
    found: set[int] = set()
    for chunk in chunks(sorted(photos)):
        query = select(table.photo_id).where(table.photo_id.in_(chunk), table.panel.is_not(None))
        found.update(session.sql.scalars(query.distinct()))
    return found


def _photos_by_fingerprint() -> Select[Any]:
    links = schema.photo_fingerprints.c
    return (
        select(links.fingerprint_id, *PHOTO_COLUMNS)
        .join(schema.photos, schema.photos.c.id == links.photo_id)
        .join(schema.photo_pictures, shows(links.photo_id, links.place))
        .join(schema.accounts, schema.accounts.c.id == schema.photos.c.account_id)
    )


def _photos_with_first_picture() -> Select[Any]:
    photos, pictures = schema.photos.c, schema.photo_pictures.c
    return (
        select(*PHOTO_COLUMNS)
        .join(schema.photo_pictures, (pictures.photo_id == photos.id) & (pictures.place == 0))
        .join(schema.accounts, schema.accounts.c.id == photos.account_id)
    )


def owners(
    session: Session, fingerprint_ids: Collection[int], sha256: bytes, pixels: bytes, shown: ShownAs
) -> Iterator[tuple[int, str, int, bool]]:
    """Which accounts carry these fingerprints.

    Yields fingerprint, account, the earliest ``seen_at`` of the account with it, and whether one of those photos has
    the bytes or the pixels of the given digests; of the pictures that look so those that are shown in that way.
    """
    for chunk in chunks(fingerprint_ids):
        for row in session.sql.execute(_owners(shown), {"wanted": chunk, "sha256": sha256, "pixels": pixels}):
            yield row[0], row[1], row[2], bool(row[3])


@cache
def _owners(shown: ShownAs) -> Select[Any]:
    links, photos, pictures = schema.photo_fingerprints.c, schema.photos.c, schema.photo_pictures.c
    there = or_(photos.sha256 == bindparam("sha256"), pictures.pixels == bindparam("pixels"))
    same = case((there, 1), else_=0)
    return (
        select(links.fingerprint_id, schema.accounts.c.account, func.min(photos.seen_at), func.max(same))
        .join(schema.photos, photos.id == links.photo_id)
        .join(schema.photo_pictures, shows(links.photo_id, links.place))
        .join(schema.accounts, schema.accounts.c.id == photos.account_id)
        .where(links.fingerprint_id.in_(wanted()), *_SHOWN[shown])
        .group_by(links.fingerprint_id, schema.accounts.c.account)
    )


def photos_of(
    session: Session, fingerprint_ids: Collection[int], accounts: Collection[str], shown: ShownAs
) -> Iterator[tuple[int, StoredPhoto]]:
    """The photos of ``accounts`` that show a picture with one of these fingerprints so, each with that fingerprint."""
    for chunk in chunks(fingerprint_ids):
        for names in chunks(accounts):
            query = _photos_by_fingerprint().where(
                schema.photo_fingerprints.c.fingerprint_id.in_(chunk),
                schema.accounts.c.account.in_(names),
                *_SHOWN[shown],
            )
            for row in session.sql.execute(query):
                yield row[0], StoredPhoto(*row[1:])


def photos_showing(
    session: Session, feature_ids: Collection[int], shown: ShownAs = ShownAs.ANY
) -> Iterator[tuple[int, StoredPhoto]]:
    """Every photo that shows a picture with these features so, each with the row id of the features."""
    table, photos, pictures = schema.features.c, schema.photos.c, schema.photo_pictures.c
    for chunk in chunks(feature_ids):
        query: Select[Any] = (
            select(table.id, *PHOTO_COLUMNS)
            .join(schema.photo_pictures, pictures.pixels == table.pixels)
            .join(schema.photos, photos.id == pictures.photo_id)
            .join(schema.accounts, schema.accounts.c.id == photos.account_id)
            .where(table.id.in_(chunk), *_SHOWN[shown])
        )
        for row in session.sql.execute(query):
            yield row[0], StoredPhoto(*row[1:])


def photos_of_account(session: Session, account: str) -> list[StoredPhoto]:
    """Every photo of an account, in the order they were first seen, each with its first picture."""
    photos = schema.photos.c
    query = _photos_with_first_picture().where(schema.accounts.c.account == account)
    return [StoredPhoto(*row) for row in session.sql.execute(query.order_by(photos.seen_at, photos.photo_id))]


def photos_by_id(session: Session, photo_ids: Collection[str]) -> list[StoredPhoto]:
    """Those of these photos that are there, each with its first picture."""
    query, photos = _photos_with_first_picture(), schema.photos.c
    found = (session.sql.execute(query.where(photos.photo_id.in_(chunk))) for chunk in chunks(photo_ids))
    return [StoredPhoto(*row) for rows in found for row in rows]


def paths_beneath(
    session: Session, folder: Path, *, account: str | None = None, photo_ids: Collection[str] = ()
) -> set[str]:
    """The paths of the photos of an account, or of these photos, that lie beneath a folder."""
    photos = schema.photos.c
    query = select(photos.path).join(schema.accounts, schema.accounts.c.id == photos.account_id)
    wanted = [query.where(photos.photo_id.in_(chunk)) for chunk in chunks(photo_ids)]
    wanted += [] if account is None else [query.where(schema.accounts.c.account == account)]
    found = (path for each in wanted for path in session.sql.scalars(each))
    return {path for path in found if Path(path).is_relative_to(folder)}


def paths_in_use(session: Session, paths: Collection[str]) -> set[str]:
    """Which of these some photo lies at."""
    photos = schema.photos.c
    found = (session.sql.scalars(select(photos.path).where(photos.path.in_(chunk))) for chunk in chunks(sorted(paths)))
    return {path for rows in found for path in rows}


def every_photo_id(session: Session) -> list[str]:
    """The ids of all photos, in order."""
    return list(session.sql.scalars(select(schema.photos.c.photo_id).order_by(schema.photos.c.photo_id)))


def account_of(session: Session, photo_ids: Collection[str]) -> dict[str, str]:
    """Whose each of these photos is."""
    found: dict[str, str] = {}
    for chunk in chunks(photo_ids):
        query = select(schema.photos.c.photo_id, schema.accounts.c.account).join(
            schema.accounts, schema.accounts.c.id == schema.photos.c.account_id
        )
        rows = session.sql.execute(query.where(schema.photos.c.photo_id.in_(chunk)))
        found |= {photo_id: account for photo_id, account in rows}  # noqa: C416 -- rows are not pairs
    return found


def files_of(session: Session, photo_ids: Collection[str]) -> dict[str, PhotoFile]:
    """Where the files of these photos were, and the thumbnails that are kept of their first pictures."""
    photos, first = schema.photos.c, schema.photo_pictures.c.place == 0
    found = {}
    for chunk in chunks(photo_ids):
        for photo_id, *columns in session.sql.execute(_FILES.where(photos.photo_id.in_(chunk), first)):
            found[photo_id] = _photo_file(*columns)
    return found


def frames_of(session: Session, photo_ids: Collection[str]) -> dict[tuple[str, int], PhotoFile]:
    """The same of each frame of these photos that is kept, by the id of the photo and the number of the frame."""
    photos, moving = schema.photos.c, schema.photo_pictures.c.frame.is_not(None)
    found = {}
    for chunk in chunks(photo_ids):
        for photo_id, *columns in session.sql.execute(_FILES.where(photos.photo_id.in_(chunk), moving)):
            file = _photo_file(*columns)
            found[photo_id, file.frame or 0] = file
    return found


_FILES = (
    select(
        schema.photos.c.photo_id,
        schema.photos.c.path,
        schema.photos.c.sha256,
        schema.features.c.thumbnail,
        schema.photo_pictures.c.frame,
    )
    .join(schema.photo_pictures, schema.photo_pictures.c.photo_id == schema.photos.c.id)
    .join(schema.features, schema.features.c.pixels == schema.photo_pictures.c.pixels, isouter=True)
)


def _photo_file(path: str, sha256: bytes, thumbnail: bytes | None, frame: int | None) -> PhotoFile:
    return PhotoFile(Path(named_by(path)), sha256, thumbnail, frame)


def fingerprints_of_photos(session: Session, hasher: str, photo_ids: Collection[str]) -> set[int]:
    """Row ids of the fingerprints by ``hasher`` that these photos have."""
    links, photos, prints = schema.photo_fingerprints.c, schema.photos.c, schema.fingerprints.c
    found: set[int] = set()
    for chunk in chunks(photo_ids):
        query = (
            select(links.fingerprint_id)
            .join(schema.photos, photos.id == links.photo_id)
            .join(schema.fingerprints, prints.id == links.fingerprint_id)
            .where(photos.photo_id.in_(chunk), by_hasher(hasher))
        )
        found.update(session.sql.scalars(query))
    return found


def bits_of_several(session: Session, photo_ids: Collection[str]) -> dict[str, set[bytes]]:
    """The fingerprints, by every hasher, of those of these photos that have several pictures, by their ids."""
    links, photos, prints = schema.photo_fingerprints.c, schema.photos.c, schema.fingerprints.c
    pictures = schema.photo_pictures.c
    found: dict[str, set[bytes]] = {}
    for chunk in chunks(photo_ids):
        several = select(pictures.photo_id).where(pictures.photo_id == photos.id, pictures.place > 0).exists()
        query = (
            select(photos.photo_id, prints.bits)
            .join(schema.photo_fingerprints, links.photo_id == photos.id)
            .join(schema.fingerprints, prints.id == links.fingerprint_id)
            .where(photos.photo_id.in_(chunk), several)
        )
        for photo_id, bits in session.sql.execute(query):
            found.setdefault(photo_id, set()).add(bits)
    return found


def fingerprints_of_keys(session: Session, hasher: str, keys: Collection[MeantPicture]) -> set[int]:
    """Row ids of the fingerprints by ``hasher`` that these pictures of photos have."""
    links, photos, prints = schema.photo_fingerprints.c, schema.photos.c, schema.fingerprints.c
    pictures, found = schema.photo_pictures.c, set[int]()
    for chunk in chunks(sorted({photo_id for photo_id, *_ in keys})):
        query = (
            select(photos.photo_id, pictures.frame, pictures.panel, links.fingerprint_id)
            .join(schema.photo_fingerprints, links.photo_id == photos.id)
            .join(schema.photo_pictures, shows(links.photo_id, links.place))
            .join(schema.fingerprints, prints.id == links.fingerprint_id)
            .where(photos.photo_id.in_(chunk), by_hasher(hasher))
        )
        found.update(row for *key, row in session.sql.execute(query) if tuple(key) in keys)
    return found


def photos_with(session: Session, fingerprint_ids: Collection[int]) -> Iterator[tuple[int, StoredPhoto]]:
    """Every photo with one of these fingerprints, each with that fingerprint."""
    for chunk in chunks(fingerprint_ids):
        query = _photos_by_fingerprint().where(schema.photo_fingerprints.c.fingerprint_id.in_(chunk))
        for row in session.sql.execute(query):
            yield row[0], StoredPhoto(*row[1:])


def accounts_per_fingerprint(
    session: Session, hasher: str, fingerprint_ids: Collection[int] | None = None
) -> Iterator[tuple[int, int]]:
    """How many distinct accounts carry each fingerprint of ``hasher``, or each of some, by fingerprint."""
    links, photos, prints = schema.photo_fingerprints.c, schema.photos.c, schema.fingerprints.c
    query = select(links.fingerprint_id, func.count(photos.account_id.distinct())).join(
        schema.photos, photos.id == links.photo_id
    )
    query = query.group_by(links.fingerprint_id).order_by(links.fingerprint_id)
    if fingerprint_ids is None:
        joined = query.join(schema.fingerprints, prints.id == links.fingerprint_id).where(prints.hasher == hasher)
        for row in session.sql.execute(joined):
            yield row[0], row[1]
        return
    for chunk in chunks(sorted(fingerprint_ids)):
        for row in session.sql.execute(query.where(links.fingerprint_id.in_(chunk))):
            yield row[0], row[1]


def counts(session: Session) -> dict[str, int]:
    """How many rows of each kind there are; pair scores go by their older name, ``ties``, which programs read."""
    tables = {
        "decisions": schema.decisions,
        "skipped": schema.skipped,
        "sources": schema.sources,
        "scans": schema.scans,
    }
    counted = {name: session.sql.scalar(select(func.count()).select_from(table)) or 0 for name, table in tables.items()}
    pictures = select(func.count()).select_from(schema.bank_entries).where(schema.bank_entries.c.fingerprint_id > 0)
    counted["bank_pictures"] = session.sql.scalar(pictures) or 0
    kept = {"ties" if kind == "pair_scores" else kind: row_count(session, kind) for kind in COUNTED}
    return kept | counted


def unfinished_scans(session: Session) -> int:
    """How many scans were interrupted, or are under way."""
    unfinished = select(func.count()).select_from(schema.scans).where(schema.scans.c.finished_at.is_(None))
    return session.sql.scalar(unfinished) or 0
