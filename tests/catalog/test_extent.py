"""How far the rows reach that are searched is read once for all that one question asks."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
from filled import opened
from sqlalchemy import event

from imgmatch.catalog.extent import SearchExtent, read_extent
from imgmatch.catalog.features import FeatureRow, last_features, store_features
from imgmatch.catalog.fingerprints import intern_fingerprints, last_fingerprint
from imgmatch.catalog.postgresql import PostgresqlCatalog
from imgmatch.catalog.shards import ShardRecord, drop_shards, parsed_record, write_shards
from imgmatch.catalog.tokens import new_token
from imgmatch.errors import IndexDamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgresql_server import Server

    from imgmatch.catalog.base import Catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    yield from opened(tmp_path)


def extent_of(catalog: Catalog) -> SearchExtent:
    with catalog.read() as session:
        return read_extent(session)


def test_an_empty_catalog_reaches_nowhere(catalog: Catalog) -> None:
    assert extent_of(catalog) == SearchExtent({"fingerprints": 0, "features": 0, "bank_entries": 0}, 0, None)


def test_it_is_the_last_row_of_each_table_in_one_statement(catalog: Catalog) -> None:
    with catalog.write() as session:
        intern_fingerprints(session, "pdq", [bytes([number]) * 32 for number in range(3)])
        store_features(session, [FeatureRow(b"p" * 16, "book", b"record", None)])
    ran: list[str] = []
    with catalog.read() as session:
        fingerprint, picture = last_fingerprint(session), last_features(session)
        event.listen(session.sql, "before_cursor_execute", lambda *arguments: ran.append(arguments[2]))
        extent = read_extent(session)
    assert extent.last == {"fingerprints": fingerprint, "features": picture, "bank_entries": 0}
    assert len(ran) == 1


@pytest.mark.sqlite
def test_it_says_who_holds_the_engines_of_an_index_in_a_database(postgresql: Server) -> None:
    catalog = PostgresqlCatalog(postgresql.database())
    catalog.migrate()
    record = ShardRecord("ray://head:10001", 4, 2, 1, new_token(), 5.0)
    with catalog.write() as session:
        write_shards(session, record)
    assert extent_of(catalog).shards == record
    with catalog.write() as session:
        drop_shards(session)
    assert extent_of(catalog).shards is None
    catalog.close()


def test_an_earlier_imgmatch_says_nothing_of_snapshots_of_shards() -> None:
    said = asdict(ShardRecord("ray://head:10001", 4, 2, 1, new_token(), 5.0, "s3://bucket/shards"))
    assert parsed_record(json.dumps(said)) == ShardRecord(**said)
    earlier = {name: value for name, value in said.items() if name != "snapshots"}
    assert parsed_record(json.dumps(earlier)) == ShardRecord(**earlier)
    with pytest.raises(IndexDamagedError):
        parsed_record(json.dumps(said | {"snapshots": 5}))
