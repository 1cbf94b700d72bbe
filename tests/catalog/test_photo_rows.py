from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filled import begin, bits, opened, photo, remove_photos, store, with_picture
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from imgmatch.catalog import photos as rows
from imgmatch.catalog import schema
from imgmatch.catalog.lookups import counts, photos_with
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.catalog.rows import FileState, KnownPhoto

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.catalog.rows import PhotoRecord
    from imgmatch.catalog.session import Session
    from imgmatch.catalog.sqlite import SqliteCatalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


def known(catalog: SqliteCatalog, record: PhotoRecord) -> KnownPhoto:
    with catalog.read() as session:
        return rows.known_photos(session, [record.photo.photo_id])[record.photo.photo_id]


def column(session: Session, name: str) -> list[Any]:
    return list(session.sql.scalars(select(schema.photos.c[name]).order_by(schema.photos.c.photo_id)))


def fingerprints_of(session: Session, photo_id: str) -> set[bytes]:
    links, prints = schema.photo_fingerprints, schema.fingerprints
    query = (
        select(prints.c.bits)
        .join(links, links.c.fingerprint_id == prints.c.id)
        .join(schema.photos, schema.photos.c.id == links.c.photo_id)
    )
    return set(session.sql.scalars(query.where(schema.photos.c.photo_id == photo_id)))


def test_a_stored_photo_is_known_again(catalog: SqliteCatalog) -> None:
    record = photo(1)
    scan = store(catalog, [record])
    found = known(catalog, record)
    assert (found.file, found.sha256, found.seen_at, found.scan_id) == (
        record.file,
        record.sha256,
        record.seen_at,
        scan.scan_id,
    )


def test_a_replaced_photo_keeps_its_one_row_and_has_only_its_new_fingerprints(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1, picture="old"), photo(2)])
    before = known(catalog, photo(1))
    store(catalog, [photo(1, "other account", picture="new"), photo(3)])
    assert known(catalog, photo(1)).id == before.id
    with catalog.read() as session:
        assert counts(session)["photos"] == 3
        assert fingerprints_of(session, "p1") == {bits(("phash", "new")), bits(("pdq", "new"))}


def test_a_photo_without_fingerprints_is_stored(catalog: SqliteCatalog) -> None:
    store(catalog, [with_picture(photo(1), fingerprints={})])
    with catalog.read() as session:
        assert counts(session) | {"scans": 0, "sources": 0} == {
            "photos": 1, "accounts": 1, "fingerprints": 0, "features": 0, "ties": 0, "decisions": 0,
            "bank_pictures": 0, "bank_entries": 0, "skipped": 0, "sources": 0, "scans": 0,
        }  # fmt: skip


def test_storing_nothing_changes_nothing(catalog: SqliteCatalog) -> None:
    store(catalog, [])
    with catalog.read() as session:
        assert counts(session)["photos"] == 0


def test_a_thousand_photos_are_stored_replaced_and_known(catalog: SqliteCatalog) -> None:
    records = [photo(number, f"a{number % 7}") for number in range(1_200)]
    store(catalog, records)
    store(catalog, [replace(record, quality=3) for record in records])
    with catalog.read() as session:
        found = rows.known_photos(session, [record.photo.photo_id for record in records])
        assert len(found) == counts(session)["photos"] == 1_200
        assert set(column(session, "quality")) == {3}


def test_a_photo_seen_again_takes_what_its_line_says_now(catalog: SqliteCatalog) -> None:
    record = photo(1, "a1", name="Lena")
    store(catalog, [record])
    moved = replace(record.photo, account="a2", label="new label", path=Path("/elsewhere/1.jpg"), name="Mia")
    with catalog.write() as session:
        scan = begin(session, "other source")
        rows.mark_seen(session, scan, [(known(catalog, record), moved, 42, FileState(1, 2))])
    again = known(catalog, record)
    assert (again.seen_at, again.scan_id, again.file) == (42, scan.scan_id, FileState(1, 2))
    with catalog.read() as session:
        assert column(session, "label") == ["new label"]
        assert column(session, "path") == [str(Path("/elsewhere/1.jpg"))]
        fingerprint_ids = session.sql.scalars(select(schema.fingerprints.c.id)).all()
        assert {found.account for _, found in photos_with(session, fingerprint_ids)} == {"a2"}


def test_pruning_removes_what_this_source_no_longer_has_and_nothing_else(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1), photo(2), photo(3), photo(4)], "s")
    store(catalog, [photo(5)], "other")
    with catalog.write() as session:
        scan = begin(session, "s")
        rows.store_photos(session, scan, [photo(2)])
        rows.mark_line_seen(session, scan, ["p4", "p5"])
        parts, last = [], 0
        while some := rows.prune_photos(session, scan, last, 1):
            parts.append(len(some))
            last = some[-1]
        assert parts == [1, 1]
        assert column(session, "photo_id") == ["p2", "p4", "p5"]


def test_removing_takes_an_accounts_photos_or_one_and_their_links(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1, "a"), photo(2, "a"), photo(3, "b"), photo(4, "b")])
    with catalog.write() as session:
        assert remove_photos(session, account="a") == 2
        assert remove_photos(session, photo_id="p3") == 1
        assert remove_photos(session, account="nobody") == 0
        assert remove_photos(session, photo_id="nothing") == 0
        assert column(session, "photo_id") == ["p4"]
        links = select(func.count()).select_from(schema.photo_fingerprints)
        assert session.sql.scalar(links) == 2


def test_only_accounts_without_photos_are_dropped(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1, "a"), photo(2, "b")])
    with catalog.write() as session:
        remove_orphans(session)
        assert set(session.sql.scalars(select(schema.accounts.c.account))) == {"a", "b"}
        remove_photos(session, account="a")
        remove_orphans(session)
        assert list(session.sql.scalars(select(schema.accounts.c.account))) == ["b"]


def test_a_link_to_nothing_is_refused(catalog: SqliteCatalog) -> None:
    with pytest.raises(IntegrityError), catalog.write() as session:
        session.sql.execute(insert(schema.photo_fingerprints).values(fingerprint_id=1, photo_id=1, place=0))
