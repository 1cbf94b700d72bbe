"""An engine is compared with the catalog bit by bit, whatever has been lost since it was published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from shelves import NAMES, FingerprintShelf, Shelf, shelf_at
from sqlalchemy import select, update

from imgmatch import damage
from imgmatch.catalog import schema
from imgmatch.engines.comparing import differing_buckets
from imgmatch.engines.rows import ENGINES
from imgmatch.engines.sync import load_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=NAMES)
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    opened = shelf_at(tmp_path / "index", request.param)
    yield opened
    opened.close()


def differing(shelf: Shelf, after: int = 0) -> int:
    """In how many buckets the published file differs from the catalog."""
    (rows,) = (rows for rows in ENGINES if rows.table == shelf.kind)
    header = shelf.layout.header()
    engine = load_engine(rows, shelf.layout, header)
    assert engine is not None
    with shelf.catalog.read() as session:
        return differing_buckets(session, rows, header, engine, after=after)


def test_a_published_file_is_equal_to_the_catalog_also_when_that_has_changed_since(shelf: Shelf) -> None:
    shelf.add(1, 2, 3)
    shelf.add_others(9)
    shelf.publish()
    assert differing(shelf) == 0
    shelf.drop(2, 3)
    shelf.add(4)
    shelf.drop(4, 2)
    assert differing(shelf) == 0
    shelf.publish()
    assert differing(shelf) == 0


def test_an_empty_file_is_equal_to_an_empty_catalog(shelf: Shelf) -> None:
    shelf.publish()
    assert differing(shelf) == 0


@pytest.mark.parametrize("at_once", [1, 3, 1_000_000])
def test_blocks_of_any_size_are_compared_alike(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr("imgmatch.engines.segments._AT_ONCE", at_once)
    monkeypatch.setattr("imgmatch.engines.ivf.PIECE", at_once)
    monkeypatch.setattr("imgmatch.engines.rows._APPENDED_AT_ONCE", at_once)
    monkeypatch.setattr(shelf.reads, min(at_once, 7))
    shelf.add(1, 2)
    shelf.publish()
    assert differing(shelf) == 0
    change(shelf, max(shelf.rows()))
    assert differing(shelf) == 1


def change(shelf: Shelf, row: int) -> None:
    """Change one bit of a row in the catalog."""
    column = schema.fingerprints.c.bits if isinstance(shelf, FingerprintShelf) else schema.features.c.record
    with shelf.catalog.write() as session:
        value = session.sql.scalars(select(column).where(id_of(shelf) == row)).one()
        changed = value[:-1] + bytes([value[-1] ^ 1])  # of a record of features the last digit of a code
        session.sql.execute(update(shelf.table).where(id_of(shelf) == row).values({column.name: changed}))


def id_of(shelf: Shelf) -> Any:  # noqa: ANN401 -- a column
    return shelf.table.c.id


def test_one_bit_in_one_row_is_seen_where_it_is_looked_for(shelf: Shelf) -> None:
    shelf.add(1, 2)
    shelf.publish()
    last = max(shelf.rows())
    change(shelf, last)
    assert differing(shelf) == differing(shelf, after=last - 1) == 1
    assert differing(shelf, after=last) == 0


def test_a_row_that_has_another_id_is_seen(shelf: Shelf) -> None:
    shelf.add(1)
    shelf.publish()
    rows = sorted(shelf.rows())
    with shelf.catalog.write() as session:
        for old, new in ((rows[0], 10**6), (rows[1], rows[0]), (10**6, rows[1])):
            session.sql.execute(update(shelf.table).where(id_of(shelf) == old).values(id=new))
    assert 0 < differing(shelf) <= 2


def test_what_is_exchanged_between_two_rows_of_one_bucket_does_not_cancel_out(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgmatch.engines.comparing._BUCKETS", 1)
    test_a_row_that_has_another_id_is_seen(shelf)


def test_a_file_with_another_number_of_rows_differs(shelf: Shelf) -> None:
    shelf.add(1)
    shelf.publish()
    shelf.drop(1, 1)
    with shelf.catalog.write() as session:
        session.sql.execute(schema.tombstones.delete())
    assert differing(shelf) > 0


def test_a_fingerprint_that_is_damaged_in_the_catalog_is_left_out(tmp_path: Path) -> None:
    shelf = FingerprintShelf(tmp_path / "index", "flat")
    shelf.add(1)
    shelf.publish()
    for spoilt, number in (("text", 0), (b"short", 1)):
        row = sorted(shelf.rows())[number]
        with shelf.catalog.write() as session:
            session.sql.exec_driver_sql("UPDATE fingerprints SET bits = ? WHERE id = ?", (spoilt, row))
    assert differing(shelf) == 0
    change(shelf, max(shelf.rows()))
    assert differing(shelf) == 1
    shelf.close()
    damage.forget()
