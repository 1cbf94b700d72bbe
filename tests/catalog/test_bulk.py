"""Many rows are added at once as one by one: the same values, ids that rise, and triggers that count them."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
from filled import opened
from sqlalchemy import insert, select

from imgmatch.catalog import schema
from imgmatch.catalog.bulk import insert_numbered, insert_rows
from imgmatch.catalog.postgresql import PostgresqlCatalog
from imgmatch.catalog.row_counts import last_given, row_count

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgresql_server import Server

    from imgmatch.catalog.base import Catalog

WORDS = ["plain", "tab\there", "line\nbreak", "back\\slash \\N \\.", "ünï 写真 🖼", "", '"quoted", {x}']


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    yield from opened(tmp_path)


def account(word: str, number: int) -> dict[str, object]:
    about = {word or "nothing": word} if number % 2 else None
    return {"account": f"{number} {word}", "name": word or None, "first_seen": number - 2, "attributes": about}


def test_rows_are_what_an_insert_would_have_made_of_them(catalog: Catalog) -> None:
    rows = [account(word, number) for number, word in enumerate(WORDS)]
    table = schema.accounts
    columns = [table.c[name] for name in rows[0]]
    with catalog.write() as session:
        session.sql.execute(insert(table), rows)
        expected = session.sql.execute(select(*columns).order_by(table.c.id)).all()
    with catalog.write() as session:
        again = [row | {"account": f"again {row['account']}"} for row in rows]
        ids = insert_numbered(session, table, again, "account")
        found = session.sql.execute(select(table.c.id, *columns).where(table.c.id.in_(ids.values()))).all()
        assert row_count(session, "accounts") == 2 * len(rows)
    assert [(f"again {name}", *rest) for name, *rest in expected] == [tuple(row[1:]) for row in sorted(found)]
    assert ids == {row.account: row.id for row in found}
    assert list(ids.values()) == sorted(ids.values())


def test_bytes_are_kept_and_numbers_that_were_given_are_given_once(catalog: Catalog) -> None:
    codes = [bytes(range(number, number + 32)) for number in range(50)]
    with catalog.write() as session:
        first = insert_numbered(session, schema.fingerprints, [{"hasher": "pdq", "bits": one} for one in codes], "bits")
        assert last_given(session, "fingerprints") == max(first.values())
        insert_rows(session, schema.features, [{"pixels": codes[0][:16], "codebook": "b", "record": codes[1]}])
        assert insert_numbered(session, schema.fingerprints, [], "bits") == {}
        insert_rows(session, schema.features, [])
    with catalog.write() as session:
        more = insert_numbered(session, schema.fingerprints, [{"hasher": "phash", "bits": codes[0]}], "bits")
        assert min(more.values()) > max(first.values())
        table = schema.fingerprints.c
        kept = session.sql.execute(select(table.bits, table.id).where(table.hasher == "pdq")).all()
        assert first == {bits: row for bits, row in kept}  # noqa: C416 -- rows are not pairs
        assert row_count(session, "fingerprints", "pdq") == len(codes)
        row = session.sql.execute(select(schema.features)).one()
        assert (row.pixels, row.record, row.thumbnail) == (codes[0][:16], codes[1], None)


@pytest.mark.sqlite
def test_a_row_that_is_there_already_is_a_mistake_of_ours_and_nothing_is_written(postgresql: Server) -> None:
    rows = [{"hasher": "pdq", "bits": bytes(32)}] * 2
    with closing(PostgresqlCatalog(postgresql.database())) as catalog:
        catalog.migrate()
        with pytest.raises(psycopg.IntegrityError), catalog.write() as session:
            insert_rows(session, schema.fingerprints, rows)
        with catalog.read() as session:
            assert row_count(session, "fingerprints") == 0
