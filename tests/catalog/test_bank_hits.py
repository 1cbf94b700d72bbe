from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from filled import bits, moving, opened, photo, remove_photos, store
from pictured import feature_row, pixels, showing

from imgmatch.catalog import bank_entries as entries
from imgmatch.catalog import bank_hits as hits
from imgmatch.catalog import banks as rows
from imgmatch.catalog import schema
from imgmatch.catalog.clusterings import begin_clustering, note_joined
from imgmatch.catalog.fingerprints import ids_of_bits, last_fingerprint
from imgmatch.catalog.near_pairs import NearPairRows, store_near_pairs
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.catalog.pair_scores import PairScore, store_pair_scores
from imgmatch.catalog.stale import forget_stale, stale_fingerprints
from imgmatch.catalog.times import from_microseconds
from imgmatch.model import PDQ_QUALITY, Opinion, Purpose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.catalog.session import Session
    from imgmatch.catalog.sqlite import SqliteCatalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    """A picture on two accounts, another on a third; three entries of a partner, and one of our own."""
    for catalog in opened(tmp_path):
        store(
            catalog,
            [photo(1, "a", picture="x", days=2), photo(2, "b", picture="x", days=1), photo(3, "c", picture="y")],
        )
        with catalog.write() as session:
            for name, purpose, numbers in (("partner", Purpose.PARTNER, range(3)), ("ours", Purpose.STOLEN, range(1))):
                bank = rows.ensure_bank(session, name, purpose)
                entries.insert_entries(
                    session, bank, [{"key": bits((name, n))[:16], "pdq": bits((name, n))} for n in numbers]
                )
        yield catalog


def row(session: Session, picture: object, hasher: str = "pdq") -> int:
    [found] = ids_of_bits(session, hasher, [bits((hasher, picture))]).values()
    return found


def kept(session: Session) -> list[tuple[int, ...]]:
    return [tuple(one) for one in session.sql.execute(schema.bank_hits.select())]


def told(session: Session, **only: Any) -> list[tuple[str, int, int]]:  # noqa: ANN401 -- as photo_hits has them
    return [(stored.photo_id, entry, distance) for stored, entry, distance, _, _ in hits.photo_hits(session, **only)]


def test_how_far_was_compared_is_noted_and_nothing_at_first(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        assert hits.join_watermarks(session) == (0, 0)
        for noted in ((3, 2), (7, 1)):
            hits.note_compared(session, *noted)
            assert hits.join_watermarks(session) == noted
        assert len(list(session.sql.execute(schema.bank_joins.select()))) == 1


def test_a_hit_is_kept_once_as_it_was_and_only_of_what_is_there(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        x = row(session, "x")
        assert not hits.has_hits(session)
        hits.store_hits(session, [(1, x, 5, 3), (99, x, 0, 0), (1, 99, 0, 0)])
        hits.store_hits(session, [(1, x, 9, 0), (2, x, 7, 1)])
        hits.store_hits(session, [])
        assert kept(session) == [(1, x, 5, 3), (2, x, 7, 1)]
        assert hits.has_hits(session)


def test_a_hit_goes_with_its_entry_and_with_its_fingerprint(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        x, y = row(session, "x"), row(session, "y")
        hits.store_hits(session, [(1, x, 5, 0), (1, y, 6, 0), (2, x, 7, 0), (2, y, 8, 0)])
        entries.remove_entries(session, 1, [1])
        assert kept(session) == [(2, x, 7, 0), (2, y, 8, 0)]
        remove_photos(session, account="c")
        remove_orphans(session)
        assert kept(session) == [(2, x, 7, 0)]


def test_photos_that_hit_are_told_the_earliest_first_and_of_one_account_alone(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        hits.store_hits(
            session, [(2, row(session, "x"), 5, 4), (1, row(session, "x"), 6, 0), (1, row(session, "y"), 7, 0)]
        )
        assert told(session) == [("p3", 1, 7), ("p2", 1, 6), ("p2", 2, 5), ("p1", 1, 6), ("p1", 2, 5)]
        assert told(session, accounts=["a"]) == [("p1", 1, 6), ("p1", 2, 5)]
        [first, *_] = hits.photo_hits(session, ["b"])
        assert (first[0].account, first[3], first[4]) == ("b", 0, bits(("pdq", "x")))
        assert from_microseconds(first[0].seen_at) == datetime(2026, 1, 5, tzinfo=UTC)


def test_a_photo_of_too_low_a_quality_hits_nothing_though_another_has_its_fingerprint(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        x = row(session, "x")
        hits.store_hits(session, [(4, x, 5, 0)])
        photos = schema.photos
        session.sql.execute(photos.update().where(photos.c.photo_id == "p1").values(quality=PDQ_QUALITY - 1))
        assert told(session) == [("p2", 4, 5)]
        assert hits.flooded(session, 1) == [(4, 2, 1)]
        of = row(session, "x", "phash")
        assert [one.id for one in hits.hits_of_fingerprints(session, [of])[of]] == [4]
        session.sql.execute(photos.update().values(quality=PDQ_QUALITY - 1))
        assert (told(session), hits.flooded(session, 1)) == ([], [])
        assert hits.hits_of_fingerprints(session, [of]) == {}


def test_groups_are_told_what_counts_by_the_fingerprint_they_go_by(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        of = {name: row(session, name, "phash") for name in "xy"}
        hits.store_hits(
            session, [(1, row(session, "x"), 5, 0), (4, row(session, "x"), 5, 0), (2, row(session, "y"), 5, 0)]
        )
        found = hits.hits_of_fingerprints(session, of.values())
        assert {key: [(one.id, one.ties) for one in some] for key, some in found.items()} == {
            of["x"]: [(1, False), (4, True)],
            of["y"]: [(2, False)],
        }
        rows.change_bank(session, 1, enabled=0)
        rows.change_bank(session, 2, ratio=0.0)
        assert hits.hits_of_fingerprints(session, of.values()) == {}


def test_each_frame_of_a_moving_photo_hits_by_its_own_value(catalog: SqliteCatalog) -> None:
    store(catalog, [moving(photo(8, "m", picture="m1"), photo(9, picture="m2"))])
    with catalog.write() as session:
        hits.store_hits(session, [(1, row(session, "m2"), 4, 0)])
        [(stored, *_)] = hits.photo_hits(session)
        assert (stored.photo_id, stored.frame) == ("p8", 2)
        of = row(session, "m2", "phash")
        assert list(hits.hits_of_fingerprints(session, [of, row(session, "m1", "phash")])) == [of]


def test_what_many_accounts_hit_is_a_flood_unless_it_is_common_confirmed_or_in_quarantine(
    catalog: SqliteCatalog,
) -> None:
    with catalog.write() as session:
        x, y = row(session, "x"), row(session, "y")
        hits.store_hits(session, [(1, x, 5, 0), (1, y, 5, 0), (2, x, 5, 0), (4, x, 5, 0), (4, y, 5, 0)])
        assert hits.flooded(session, 2) == [(1, 1, 3), (4, 2, 3), (2, 1, 2)]
        assert hits.flooded(session, 3) == [(1, 1, 3), (4, 2, 3)]
        entries.change_entry(session, 1, 1, quarantined_at=1)
        rows.change_bank(session, 2, purpose="common")
        entries.give_opinion(session, bits(("partner", 1)), Opinion.CONFIRMED, "ana", None)
        assert hits.flooded(session, 1) == []


def test_what_changes_of_hits_makes_the_groups_of_those_pictures_stale_and_no_others(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        begin_clustering(session, 36, {})
        note_joined(session, last_fingerprint(session))
        x, of = row(session, "x"), {row(session, "x", "phash"), row(session, "x")}

        def stale() -> set[int]:
            found = set(stale_fingerprints(session))
            forget_stale(session, found)
            return found

        hits.store_hits(session, [(4, x, 5, 0)])
        assert stale() == of
        assert entries.fingerprints_hit(session, [4]) == of
        assert entries.entries_with_hits(session, 2) == [4]
        for change in ({"muted_until": 1}, {}):
            entries.change_entry(session, 2, 4, **change)
            assert stale() == of
        entries.end_mutes(session)
        assert stale() == of
        entries.change_entry(session, 1, 1, note="nobody hits it")
        assert stale() == set()
        entries.remove_entries(session, 2, [4])
        assert stale() == of


def test_near_pictures_are_told_from_either_side_with_which_is_the_higher(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        x, y = row(session, "x", "phash"), row(session, "y", "phash")
        assert x < y
        low, high = np.array([x]), np.array([y])
        store_near_pairs(session, NearPairRows(low, high, np.array([9], np.int32), np.array([1], np.int8)))
        assert list(hits.near_pictures(session, [x], 9)) == [(x, y, 9, 1, True)]
        assert list(hits.near_pictures(session, [y], 9)) == [(y, x, 9, 1, False)]
        assert list(hits.near_pictures(session, [x, y], 8)) == []


def test_scored_pictures_are_told_from_either_side(catalog: SqliteCatalog) -> None:
    store(catalog, [showing(5, "e", picture="e"), showing(6, "f", picture="f")])
    with catalog.write() as session:
        e, f = feature_row(session, "e"), feature_row(session, "f")
        pair = PairScore(e, f, 3.0, mirrored=False, rotation=90, overlap_low=0.5, overlap_high=1.0, agreement=0.9)
        store_pair_scores(session, [pair])
        assert list(hits.scored_pictures(session, [pixels("e"), pixels("x")])) == [(pixels("e"), f, pair, True)]
        assert list(hits.scored_pictures(session, [pixels("f")])) == [(pixels("f"), e, pair, False)]
        assert hits.pixels_of_features(session, [e, f, 99]) == {e: pixels("e"), f: pixels("f")}
