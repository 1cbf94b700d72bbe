from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from filled import opened
from sqlalchemy import func, select

from imgmatch.catalog import schema
from imgmatch.catalog.reports import ReportedRing, forget_reported, last_report, store_report
from imgmatch.catalog.times import now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.catalog.sqlite import SqliteCatalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


def ring(name: str, *accounts: str, pictures: int = 1) -> ReportedRing:
    return ReportedRing(name, frozenset(accounts), pictures)


def test_before_the_first_report_there_is_none(catalog: SqliteCatalog) -> None:
    with catalog.read() as session:
        assert last_report(session) is None
        assert session.sql.scalar(select(func.count()).select_from(schema.reports)) == 0


def test_a_report_is_read_as_it_was_made_its_rings_in_order_of_their_ids(catalog: SqliteCatalog) -> None:
    before = now()
    with catalog.write() as session:
        store_report(session, [ring("r2", "c", "d", pictures=3), ring("r1", "b", "a")])
        found = last_report(session)
    assert found is not None
    assert found.rings == (ring("r1", "a", "b"), ring("r2", "c", "d", pictures=3))
    assert before <= found.made_at <= now()


def test_a_report_takes_the_place_of_the_last_one_of_which_only_the_time_stays(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        store_report(session, [ring("r1", "a", "b"), ring("r2", "c", "d")])
        store_report(session, [ring("r1", "a", "e", pictures=2)])
        found = last_report(session)
        assert found is not None
        assert found.rings == (ring("r1", "a", "e", pictures=2),)
        assert session.sql.scalar(select(func.count()).select_from(schema.reports)) == 2
        tables = (schema.report_rings, schema.report_members)
        assert [session.sql.scalar(select(func.count()).select_from(table)) for table in tables] == [1, 2]


def test_a_report_without_rings_is_a_report(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        store_report(session, [ring("r1", "a", "b")])
        store_report(session, [])
        found = last_report(session)
    assert found is not None
    assert found.rings == ()


def test_an_account_that_is_erased_leaves_the_report_and_its_ring_stays(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        store_report(session, [ring("r1", "a", "b"), ring("r2", "c")])
        forget_reported(session, "a")
        forget_reported(session, "c")
        forget_reported(session, "nobody")
        found = last_report(session)
    assert found is not None
    assert found.rings == (ring("r1", "b"), ring("r2"))
