"""Catalogs of versions before 8, in which one account may have several spellings."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from filled import bits, opened, photo, store
from older import make_old
from sqlalchemy import insert, select

from imgmatch.catalog import migrations, schema
from imgmatch.catalog.erasing import Erased, mentions
from imgmatch.catalog.lookalikes import count_lookalikes
from imgmatch.catalog.row_counts import row_count
from imgmatch.catalog.spellings import former_spellings, ids_of_respelt
from imgmatch.catalog.stale import stale_fingerprints
from imgmatch.model import NewPhoto, derived_photo_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.catalog.sqlite import SqliteCatalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


def accounts(catalog: SqliteCatalog) -> dict[str, list[str] | None]:
    with catalog.read() as session:
        table = schema.accounts.c
        return {account: former for account, former in session.sql.execute(select(table.account, table.former))}  # noqa: C416 -- rows are not pairs


@pytest.mark.sqlite
def test_accounts_of_an_older_catalog_that_are_one_become_one_with_all_their_photos(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1, "u1", days=5), photo(2, "x", name="Ann", days=1, attributes={"a": "b"}), photo(3, "y")])
    store(catalog, [photo(4, "José"), photo(5, "U1"), photo(6, "z")])
    make_old(catalog, {"x": "u1 ", "y": "\ufeffu1", "José": "Jose\u0301", "z": "\u200b"})
    catalog.migrate()
    former = accounts(catalog)
    assert sorted(former.pop("u1") or ()) == ["u1 ", "\ufeffu1"]
    assert former == {"José": ["Jose\u0301"], "U1": None, "\u200b": None}
    with catalog.read() as session:
        table = schema.accounts.c
        row = session.sql.execute(
            select(table.name, table.attributes, table.first_seen).where(table.account == "u1")
        ).one()
        first = session.sql.scalar(select(schema.photos.c.seen_at).where(schema.photos.c.photo_id == "p3"))
        assert tuple(row) == ("Ann", {"a": "b"}, first)
        owners = select(schema.photos.c.photo_id).join(schema.accounts).where(table.account == "u1")
        assert set(session.sql.scalars(owners)) == {"p1", "p2", "p3"}
        assert row_count(session, "accounts") == 4
        assert count_lookalikes(session) == 1
        assert sorted(former_spellings(session, "u1")) == ["u1 ", "\ufeffu1"]
        assert former_spellings(session, "U1") == []
    assert catalog.faults() == []


@pytest.mark.sqlite
def test_all_that_names_an_account_of_an_older_catalog_names_it_by_its_one_spelling(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1, "u1"), photo(2, "x"), photo(3, "y")])
    with catalog.write() as session:
        run = session.sql.execute
        run(insert(schema.clusterings).values(id=1, joined_watermark=99, joined_distance=31, options={}))
        run(insert(schema.decisions).values(id=1, decided_at=1, verdict="confirm", kind="pair", by="ana"))
        decided = {"decision_id": 1, "picture": 0, "photo_id": "p2", "account": "x", "bits": bits(1)}
        run(insert(schema.decision_photos).values(**decided))
        run(insert(schema.reports).values(id=1, made_at=1))
        run(insert(schema.report_members), [{"report_id": 1, "account": one, "ring": "r"} for one in ("u1", "x", "y")])
        ring = {"id": 1, "ring": "r", "changes": [], "joined": ["u1", "x", "y"], "left": ["x"]}
        run(insert(schema.rings).values(**ring, came_from=[], went_to=[]))
        run(insert(schema.ring_accounts), [{"ring_id": 1, "account": one} for one in ("u1", "x", "y")])
    make_old(catalog, {"x": "u1 ", "y": "Jose\u0301"})
    with catalog.write() as session:
        session.sql.exec_driver_sql("DELETE FROM stale_fingerprints")
    catalog.migrate()
    with catalog.read() as session:
        get = session.sql.scalars
        assert list(get(select(schema.decision_photos.c.account))) == ["u1"]
        assert sorted(get(select(schema.report_members.c.account))) == ["José", "u1"]
        assert sorted(get(select(schema.ring_accounts.c.account))) == ["José", "u1"]
        assert list(get(select(schema.rings.c.joined))) == [["u1", "José"]]
        assert mentions(session, Erased(account="u1 ")) == 0
        linked = select(schema.photo_fingerprints.c.fingerprint_id).join(schema.photos)
        assert set(stale_fingerprints(session)) == set(get(linked.where(schema.photos.c.photo_id != "p1")))


@pytest.mark.sqlite
def test_a_damaged_account_of_an_older_catalog_stays_as_it_is(catalog: SqliteCatalog, tmp_path: Path) -> None:
    store(catalog, [photo(1, "u1"), photo(2, "x")])
    make_old(catalog, {"x": "x "})
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite3")) as connection:
        connection.execute("UPDATE accounts SET account = CAST(x'ff20' AS TEXT) WHERE account = 'u1'")
        connection.commit()
    catalog.migrate()
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite3")) as connection:
        connection.text_factory = bytes
        assert set(connection.execute("SELECT account, look IS NULL FROM accounts")) == {(b"\xff ", 1), (b"x", 0)}
    assert catalog.version() == migrations.VERSION


@pytest.mark.sqlite
def test_a_photo_of_a_respelt_account_is_known_by_its_path_and_keeps_the_id_it_has(catalog: SqliteCatalog) -> None:
    before = {number: f"{number:020x}" for number in range(1, 4)}
    store(catalog, [photo(1, "x"), photo(2, "x"), photo(3, "y")])
    with catalog.write() as session:
        for number in (1, 3):
            session.sql.exec_driver_sql(
                "UPDATE photos SET photo_id = ? WHERE photo_id = ?", (before[number], f"p{number}")
            )
    make_old(catalog, {"x": "u1 "})
    catalog.migrate()

    def asked(number: int, account: str, photo_id: str | None = None) -> NewPhoto:
        return NewPhoto.at(f"/photos/{number}.jpg", account=account, photo_id=photo_id)

    with catalog.read() as session:
        met = [asked(1, "u1"), asked(2, "u1"), asked(4, "u1"), asked(3, "y"), asked(1, "u1", "own"), asked(1, "y")]
        assert ids_of_respelt(session, met) == {derived_photo_id("u1", "/photos/1.jpg"): before[1]}
