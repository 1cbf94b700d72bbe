from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from filled import opened, remove_photos, store
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictured import feature_row, showing
from sqlalchemy import text

from imgmatch.catalog import schema
from imgmatch.catalog.lookups import counts
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.catalog.pair_scores import (
    PairScore,
    begin_feature_search,
    count_pair_scores,
    read_pair_scores,
    search_watermark,
    store_pair_scores,
    store_search_watermark,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.catalog.session import Session
    from imgmatch.catalog.sqlite import SqliteCatalog

PICTURES = 40


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    """With forty pictures, whose features have the row ids 1 to 40."""
    for catalog in opened(tmp_path):
        store(catalog, [showing(number, f"a{number}", picture=number) for number in range(1, PICTURES + 1)])
        yield catalog


def tie(low: int, high: int, odds: float = 1.0) -> PairScore:
    return PairScore(
        low, high, odds, mirrored=odds > 2, rotation=90, overlap_low=0.25, overlap_high=None, agreement=0.5
    )


def kept(session: Session) -> list[PairScore]:
    return list(read_pair_scores(session))


def test_a_pair_of_which_a_picture_was_removed_since_it_was_judged_is_left_out(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        store_pair_scores(session, [tie(1, PICTURES + 1), tie(PICTURES + 1, PICTURES + 2), tie(1, 2)])
        assert kept(session) == [tie(1, 2)]


def test_a_tie_is_read_as_it_was_kept_and_all_come_in_order(catalog: SqliteCatalog) -> None:
    far = PairScore(2, 3, -40.0, mirrored=True, rotation=0, overlap_low=None, overlap_high=None, agreement=None)
    with catalog.write() as session:
        store_pair_scores(session, [far, tie(1, 3), tie(1, 2)])
        assert kept(session) == [tie(1, 2), tie(1, 3), far]
        assert [type(one.mirrored) for one in kept(session)] == [bool] * 3
        assert counts(session)["ties"] == 3


def test_the_better_score_of_a_pair_stays_and_that_it_was_compared_as_negatives(catalog: SqliteCatalog) -> None:
    def as_negatives(pair: PairScore) -> PairScore:
        return replace(pair, negative=True)

    worse, better = as_negatives(tie(1, 2, -5.0)), tie(1, 2, -1.0)
    for scores in ([better, worse], [worse, better]):
        for at_once in (False, True):
            with catalog.write() as session:
                for some in [scores] if at_once else [[one] for one in scores]:
                    store_pair_scores(session, some)
                assert kept(session) == [replace(better, negative=False)]
                store_pair_scores(session, [tie(1, 2, 3.0)])
                assert kept(session) == [replace(tie(1, 2, 3.0), negative=False)]
                store_pair_scores(session, [as_negatives(tie(1, 2, 4.0)), tie(1, 2)])
                assert kept(session) == [as_negatives(tie(1, 2, 4.0))]
                session.sql.execute(schema.pair_scores.delete())


def test_outlines_are_read_as_they_were_kept_and_none_where_there_were_none(catalog: SqliteCatalog) -> None:
    low, high = ((0.25, 0.0), (1.0, 0.0), (0.6667, 1.0)), ((0.0, 0.1234), (1.0, 0.125), (0.5, 1.0))
    outlined = replace(tie(1, 2), outline_low=low, outline_high=high)
    with catalog.write() as session:
        store_pair_scores(session, [outlined, tie(1, 3)])
        assert kept(session) == [outlined, tie(1, 3)]
        assert isinstance(kept(session)[0].outline_low, tuple)
        statement = text("SELECT count(*) FROM pair_scores WHERE outline_low IS NULL AND outline_high IS NULL")
        assert session.sql.scalar(statement) == 1
        store_pair_scores(session, [replace(tie(1, 3), log_odds=2.0, outline_low=low, outline_high=high)])
        assert [one.outline_high for one in kept(session)] == [high, high]


PAIRS = st.sampled_from(list(combinations(range(1, 6), 2)))
BATCHES = st.lists(st.lists(st.tuples(PAIRS, st.integers(-3, 3)), max_size=12), max_size=4)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES)
def test_of_a_pair_the_best_score_stays_whatever_the_order(
    catalog: SqliteCatalog, batches: list[list[tuple[tuple[int, int], int]]]
) -> None:
    expected: dict[tuple[int, int], int] = {}
    with catalog.write() as session:
        session.sql.execute(schema.pair_scores.delete())
        for batch in batches:
            store_pair_scores(session, [tie(*pair, odds) for pair, odds in batch])
            for pair, odds in batch:
                expected[pair] = max(odds, expected.get(pair, odds))
            assert kept(session) == [tie(*pair, odds) for pair, odds in sorted(expected.items())]


def test_pairs_are_counted_from_a_score_on_and_below_another(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        store_pair_scores(session, [tie(1, 2, -5.0), tie(1, 3, -3.5), tie(2, 3, -2.0), tie(1, 4, -5.1)])
        assert count_pair_scores(session, -5.0, -2.0) == 2


def test_of_equal_odds_the_first_stays(catalog: SqliteCatalog) -> None:
    first, second = tie(1, 2), replace(tie(1, 2), rotation=180)
    with catalog.write() as session:
        store_pair_scores(session, [first, second])
        store_pair_scores(session, [second])
        assert kept(session) == [first]


def test_more_ties_than_a_statement_takes_are_kept_and_bettered(catalog: SqliteCatalog) -> None:
    pairs = [(low, high) for low in range(1, PICTURES) for high in range(low + 1, PICTURES + 1)]
    assert len(pairs) > 700
    with catalog.write() as session:
        store_pair_scores(session, [tie(*pair) for pair in pairs])
        store_pair_scores(session, [tie(*pair, 0.0 if sum(pair) % 2 else 2.0) for pair in pairs])
        assert kept(session) == [tie(*pair, 1.0 if sum(pair) % 2 else 2.0) for pair in pairs]


def test_a_tie_goes_with_the_features_of_either_picture(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        assert [feature_row(session, picture) for picture in (1, 2, 3)] == [1, 2, 3]
        store_pair_scores(session, [tie(1, 2), tie(2, 3), tie(3, 4)])
        remove_photos(session, photo_id="p2")
        assert kept(session) == [tie(1, 2), tie(2, 3), tie(3, 4)]
        remove_orphans(session)
        assert kept(session) == [tie(3, 4)]


def test_how_far_was_searched_is_known_by_the_rule_that_judged(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        assert search_watermark(session, "one") == 0
        assert begin_feature_search(session, "one") == 0
        store_search_watermark(session, "one", 7)
        store_search_watermark(session, "one", 12)
        assert search_watermark(session, "one") == begin_feature_search(session, "one") == 12
        assert search_watermark(session, "other") == 0


def test_another_rule_drops_all_ties_and_begins_anew_and_the_same_one_none(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        begin_feature_search(session, "one")
        store_pair_scores(session, [tie(1, 2), tie(2, 3)])
        store_search_watermark(session, "one", 3)
        begin_feature_search(session, "one")
        assert len(kept(session)) == 2
        search_watermark(session, "other")
        assert len(kept(session)) == 2
        assert begin_feature_search(session, "other") == 0
        assert kept(session) == []
        assert begin_feature_search(session, "one") == 0
