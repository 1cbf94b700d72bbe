from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from filled import opened, store
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictured import feature_row, showing
from sqlalchemy import text

from imgmatch.catalog import schema
from imgmatch.catalog.database import Catalog
from imgmatch.catalog.lookups import counts
from imgmatch.catalog.orphans import sweep
from imgmatch.catalog.pair_scores import Tie, begin_search, note_searched, read_ties, searched_through, store_ties
from imgmatch.catalog.photos import remove_photos

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

PICTURES = 40


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """With forty pictures, whose features have the row ids 1 to 40."""
    for catalog in opened(tmp_path):
        store(catalog, [showing(number, f"a{number}", picture=number) for number in range(1, PICTURES + 1)])
        yield catalog


def tie(low: int, high: int, odds: float = 1.0) -> Tie:
    return Tie(low, high, odds, mirrored=odds > 2, rotation=90, overlap_low=0.25, overlap_high=None, agreement=0.5)


def kept(connection: Connection) -> list[Tie]:
    return list(read_ties(connection))


def test_a_tie_is_read_as_it_was_kept_and_all_come_in_order(catalog: Catalog) -> None:
    far = Tie(2, 3, -40.0, mirrored=True, rotation=0, overlap_low=None, overlap_high=None, agreement=None)
    with catalog.write() as connection:
        store_ties(connection, [far, tie(1, 3), tie(1, 2)])
        assert kept(connection) == [tie(1, 2), tie(1, 3), far]
        assert [type(one.mirrored) for one in kept(connection)] == [bool] * 3
        assert counts(connection)["ties"] == 3


def test_outlines_are_read_as_they_were_kept_and_none_where_there_were_none(catalog: Catalog) -> None:
    low, high = ((0.25, 0.0), (1.0, 0.0), (0.6667, 1.0)), ((0.0, 0.1234), (1.0, 0.125), (0.5, 1.0))
    outlined = replace(tie(1, 2), outline_low=low, outline_high=high)
    with catalog.write() as connection:
        store_ties(connection, [outlined, tie(1, 3)])
        assert kept(connection) == [outlined, tie(1, 3)]
        assert isinstance(kept(connection)[0].outline_low, tuple)
        statement = text("SELECT count(*) FROM ties WHERE outline_low IS NULL AND outline_high IS NULL")
        assert connection.scalar(statement) == 1
        store_ties(connection, [replace(tie(1, 3), odds=2.0, outline_low=low, outline_high=high)])
        assert [one.outline_high for one in kept(connection)] == [high, high]


def test_a_catalog_of_version_3_keeps_its_ties_without_outlines(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    for catalog in opened(tmp_path):
        store(catalog, [showing(number, f"a{number}", picture=number) for number in (1, 2)])
    with closing(sqlite3.connect(path)) as old:
        for (trigger,) in old.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            old.execute(f"DROP TRIGGER {trigger}")
        old.executescript("""
            DROP TABLE ties; DROP TABLE tallies; DROP TABLE unlinked; DROP TABLE swept; UPDATE versions SET version = 3;
            CREATE TABLE ties (
              low INTEGER NOT NULL, high INTEGER NOT NULL, odds FLOAT NOT NULL, mirrored INTEGER NOT NULL,
              rotation INTEGER NOT NULL, overlap_low FLOAT, overlap_high FLOAT, agreement FLOAT,
              PRIMARY KEY (low, high), FOREIGN KEY(low) REFERENCES features (id) ON DELETE CASCADE,
              FOREIGN KEY(high) REFERENCES features (id) ON DELETE CASCADE
            ) WITHOUT ROWID;
            CREATE INDEX ix_ties_high ON ties (high);
            INSERT INTO ties VALUES (1, 2, 1.0, 0, 90, 0.25, NULL, 0.5);
        """)
    with closing(Catalog(path)) as catalog:
        assert catalog.version() == 3
        catalog.migrate()
        with catalog.read() as connection:
            assert kept(connection) == [tie(1, 2)]
            assert kept(connection)[0].outline_low is kept(connection)[0].outline_high is None


PAIRS = st.sampled_from(list(combinations(range(1, 6), 2)))
BATCHES = st.lists(st.lists(st.tuples(PAIRS, st.integers(-3, 3)), max_size=12), max_size=4)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES)
def test_of_a_pair_the_best_odds_stay_whatever_the_order(
    catalog: Catalog, batches: list[list[tuple[tuple[int, int], int]]]
) -> None:
    expected: dict[tuple[int, int], int] = {}
    with catalog.write() as connection:
        connection.execute(schema.ties.delete())
        for batch in batches:
            store_ties(connection, [tie(*pair, odds) for pair, odds in batch])
            for pair, odds in batch:
                expected[pair] = max(odds, expected.get(pair, odds))
            assert kept(connection) == [tie(*pair, odds) for pair, odds in sorted(expected.items())]


def test_of_equal_odds_the_first_stays(catalog: Catalog) -> None:
    first, second = tie(1, 2), replace(tie(1, 2), rotation=180)
    with catalog.write() as connection:
        store_ties(connection, [first, second])
        store_ties(connection, [second])
        assert kept(connection) == [first]


def test_more_ties_than_a_statement_takes_are_kept_and_bettered(catalog: Catalog) -> None:
    pairs = [(low, high) for low in range(1, PICTURES) for high in range(low + 1, PICTURES + 1)]
    assert len(pairs) > 700
    with catalog.write() as connection:
        store_ties(connection, [tie(*pair) for pair in pairs])
        store_ties(connection, [tie(*pair, 0.0 if sum(pair) % 2 else 2.0) for pair in pairs])
        assert kept(connection) == [tie(*pair, 1.0 if sum(pair) % 2 else 2.0) for pair in pairs]


def test_a_tie_goes_with_the_features_of_either_picture(catalog: Catalog) -> None:
    with catalog.write() as connection:
        assert [feature_row(connection, picture) for picture in (1, 2, 3)] == [1, 2, 3]
        store_ties(connection, [tie(1, 2), tie(2, 3), tie(3, 4)])
        remove_photos(connection, photo_id="p2")
        assert kept(connection) == [tie(1, 2), tie(2, 3), tie(3, 4)]
        sweep(connection)
        assert kept(connection) == [tie(3, 4)]


def test_how_far_was_searched_is_known_by_the_rule_that_judged(catalog: Catalog) -> None:
    with catalog.write() as connection:
        assert searched_through(connection, "one") == 0
        assert begin_search(connection, "one") == 0
        note_searched(connection, "one", 7)
        note_searched(connection, "one", 12)
        assert searched_through(connection, "one") == begin_search(connection, "one") == 12
        assert searched_through(connection, "other") == 0


def test_another_rule_drops_all_ties_and_begins_anew_and_the_same_one_none(catalog: Catalog) -> None:
    with catalog.write() as connection:
        begin_search(connection, "one")
        store_ties(connection, [tie(1, 2), tie(2, 3)])
        note_searched(connection, "one", 3)
        begin_search(connection, "one")
        assert len(kept(connection)) == 2
        searched_through(connection, "other")
        assert len(kept(connection)) == 2
        assert begin_search(connection, "other") == 0
        assert kept(connection) == []
        assert begin_search(connection, "one") == 0
