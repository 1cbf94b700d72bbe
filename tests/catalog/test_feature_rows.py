from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from filled import bits, opened, photo, remove_photos, store, with_picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from imgmatch.catalog import features as rows
from imgmatch.catalog import schema
from imgmatch.catalog.erasing import Erased, features_of
from imgmatch.catalog.fingerprints import intern_fingerprints
from imgmatch.catalog.lookups import counts, photos_showing
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.catalog.photos import known_photos
from imgmatch.catalog.row_counts import tombstones

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.catalog.rows import PhotoRecord
    from imgmatch.catalog.session import Session
    from imgmatch.catalog.sqlite import SqliteCatalog

BOOK, OTHER_BOOK = "book-1", "book-2"

LAST = 2**62
"""Later than any row id."""


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


def row(picture: object, codebook: str = BOOK, thumbnail: bytes | None = b"small") -> rows.FeatureRow:
    """The features of a picture: of its pixels, and a record that says which codebook it is by."""
    pixels = hashlib.sha256(f"bytes {picture}".encode()).digest()[:16]  # as photos of this picture have them
    return rows.FeatureRow(pixels, codebook, f"record of {picture} by {codebook}".encode(), thumbnail)


def showing(number: int, account: str = "a", *, picture: object, kept: bool = True) -> PhotoRecord:
    record = photo(number, account, picture=picture)
    return with_picture(record, features=row(picture)) if kept else record


def all_rows(session: Session) -> dict[int, rows.FeatureRow]:
    table = schema.features.c
    ids = session.sql.scalars(select(table.id)).all()
    found = rows.features_by_id(session, ids)
    assert set(found) == set(ids)
    return found


def dropped(session: Session) -> set[int]:
    """Sweeps; gives the row ids of the features that has removed."""
    before = set(tombstones(session, "features", BOOK, LAST))
    remove_orphans(session)
    return set(tombstones(session, "features", BOOK, LAST)) - before


def id_of(session: Session, picture: object) -> int:
    (found,) = [key for key, kept in all_rows(session).items() if kept.pixels == row(picture).pixels]
    return found


def test_photos_with_equal_pixels_share_one_row(catalog: SqliteCatalog) -> None:
    store(catalog, [showing(number, f"a{number}", picture=number % 3) for number in range(700)])
    store(catalog, [showing(900, picture=1)])
    with catalog.read() as session:
        assert set(all_rows(session).values()) == {row(0), row(1), row(2)}
        assert counts(session)["features"] == rows.count_features(session, BOOK) == 3


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(
        st.lists(st.tuples(st.integers(0, 9), st.sampled_from([BOOK, OTHER_BOOK]), st.booleans()), max_size=9),
        max_size=5,
    )
)
def test_rows_are_kept_replaced_and_given_thumbnails_as_a_dictionary_would(
    catalog: SqliteCatalog, batches: list[list[tuple[int, str, bool]]]
) -> None:
    with catalog.write() as session:
        session.sql.execute(schema.features.delete())
        expected: dict[int, rows.FeatureRow] = {}
        seen: set[int] = set()
        for batch in batches:
            given_rows = [row(picture, codebook, b"small" if small else None) for picture, codebook, small in batch]
            rows.store_features(session, given_rows)
            for kept in {kept.pixels: kept for kept in given_rows}.values():
                old = next((key for key, other in expected.items() if other.pixels == kept.pixels), None)
                if old is not None and expected[old].codebook == kept.codebook:
                    expected[old] = replace(expected[old], thumbnail=expected[old].thumbnail or kept.thumbnail)
                    continue
                if old is not None:
                    del expected[old]
                new = next(key for key, other in all_rows(session).items() if other == kept)
                assert new not in seen
                seen.add(new)
                expected[new] = kept
            assert all_rows(session) == expected
            for codebook in (BOOK, OTHER_BOOK):
                number = sum(kept.codebook == codebook for kept in expected.values())
                assert rows.count_features(session, codebook) == number
            assert rows.last_features(session) == max(expected, default=0)


def test_a_thumbnail_is_added_where_there_was_none_and_never_replaced_or_taken_away(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        for given_small, kept_small in [(None, None), (b"first", b"first"), (b"second", b"first"), (None, b"first")]:
            rows.store_features(session, [row("x", thumbnail=given_small)])
            assert all_rows(session) == {1: row("x", thumbnail=kept_small)}


def test_a_row_of_another_codebook_is_replaced_under_a_new_id(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        rows.store_features(session, [row(1), row(2), row(3)])
        rows.store_features(session, [row(2, OTHER_BOOK), row(4)])
        found = all_rows(session)
    assert set(found.values()) == {row(1), row(2, OTHER_BOOK), row(3), row(4)}
    assert [found[key] for key in (1, 3)] == [row(1), row(3)]
    assert 2 not in found


def test_an_id_is_never_used_again(catalog: SqliteCatalog) -> None:
    store(catalog, [showing(1, "a", picture=1), showing(2, "a", picture=2)])
    with catalog.write() as session:
        first = set(all_rows(session))
        remove_photos(session, account="a")
        assert dropped(session) == first
        assert rows.last_features(session) == 0
    catalog.compact()
    with catalog.write() as session:
        rows.store_features(session, [row(2), row(3)])
        assert min(all_rows(session)) > max(first)


def test_a_photo_is_known_with_the_codebook_of_its_features(catalog: SqliteCatalog) -> None:
    store(catalog, [showing(1, picture=1), showing(2, picture=2, kept=False)])
    with catalog.read() as session:
        known = known_photos(session, ["p1", "p2"])
    assert (known["p1"].codebook, known["p2"].codebook) == (BOOK, None)


@pytest.mark.parametrize("count", [0, 1, rows._READ_AT_ONCE, rows._READ_AT_ONCE + 1, 2 * rows._READ_AT_ONCE + 7])  # noqa: SLF001 -- the edges of a block
def test_records_are_read_in_blocks_in_order_from_after_a_row(catalog: SqliteCatalog, count: int) -> None:
    with catalog.write() as session:
        rows.store_features(session, [row(number, OTHER_BOOK if number % 5 == 0 else BOOK) for number in range(count)])
        slow = sorted((key, kept.record) for key, kept in all_rows(session).items() if kept.codebook == BOOK)
        for after in {0, 1, count // 2, count - 1, count, count + 9}:
            blocks = list(rows.read_records(session, BOOK, after))
            assert [one for block in blocks for one in block] == [one for one in slow if one[0] > after]
            assert all(0 < len(block) <= rows._READ_AT_ONCE for block in blocks)  # noqa: SLF001 -- see above


def test_records_of_another_codebook_are_not_read(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        rows.store_features(session, [row(1), row(2, OTHER_BOOK)])
        assert [record for block in rows.read_records(session, OTHER_BOOK) for _, record in block] == [
            row(2, OTHER_BOOK).record
        ]
        assert list(rows.read_records(session, "unknown")) == []


def test_a_row_that_is_gone_leads_nowhere(catalog: SqliteCatalog) -> None:
    with catalog.read() as session:
        assert rows.features_by_id(session, [1, 99]) == {}
        assert rows.features_of_fingerprints(session, [1, 99]) == {}
        assert rows.fingerprints_of_features(session, "phash", [1, 99]) == {}
        assert list(photos_showing(session, [1, 99])) == []


worlds = st.lists(
    # The picture's pixels, its fingerprint (near copies with other pixels may share one), whether features are kept.
    st.tuples(st.integers(0, 6), st.integers(0, 4), st.booleans()),
    max_size=14,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=worlds)
def test_lookups_in_both_directions_are_those_of_a_walk_over_all_photos(
    catalog: SqliteCatalog, world: list[tuple[int, int, bool]]
) -> None:
    records = [
        with_picture(showing(number, f"a{number % 4}", picture=picture, kept=kept), fingerprints={"phash": bits(value)})
        for number, (picture, value, kept) in enumerate(world)
    ]
    with catalog.write() as session:
        for table in reversed(schema.metadata.sorted_tables):
            session.sql.execute(table.delete()) if table is not schema.versions else None
    store(catalog, records)
    with catalog.write() as session:
        of = {kept.pixels: key for key, kept in all_rows(session).items()}
        prints = intern_fingerprints(session, "phash", [bits(value) for value in range(5)])
        features = rows.features_of_fingerprints(session, [*prints.values(), 999])
        found_prints = rows.fingerprints_of_features(session, "phash", [*of.values(), 999])
        assert rows.fingerprints_of_features(session, "pdq", of.values()) == {}
        shown = sorted((key, found.photo_id) for key, found in photos_showing(session, [*of.values(), 999]))
    pairs = {
        (of[r.pictures[0].pixels], r.pictures[0].fingerprints["phash"]) for r in records if r.pictures[0].pixels in of
    }
    assert features == {
        prints[value]: min(key for key, other in pairs if other == value) for value in {value for _, value in pairs}
    }
    first: dict[int, bytes] = {}
    for record in records:
        if record.pictures[0].pixels in of:
            first.setdefault(of[record.pictures[0].pixels], record.pictures[0].fingerprints["phash"])
    assert found_prints == first
    assert shown == sorted((of[r.pictures[0].pixels], r.photo.photo_id) for r in records if r.pictures[0].pixels in of)


def test_more_rows_than_a_statement_takes_are_looked_up(catalog: SqliteCatalog) -> None:
    store(catalog, [showing(number, picture=number) for number in range(1_100)])
    with catalog.write() as session:
        prints = intern_fingerprints(session, "phash", [bits(("phash", number)) for number in range(1_100)])
        ids = list(all_rows(session))
        assert len(rows.features_of_fingerprints(session, prints.values())) == 1_100
        assert set(rows.fingerprints_of_features(session, "phash", ids).values()) == set(prints)
        assert len(list(photos_showing(session, ids))) == 1_100


def test_only_features_of_pictures_no_photo_shows_are_dropped(catalog: SqliteCatalog) -> None:
    store(
        catalog, [showing(1, "a", picture="own"), showing(2, "a", picture="shared"), showing(3, "b", picture="shared")]
    )
    with catalog.write() as session:
        own, shared = id_of(session, "own"), id_of(session, "shared")
        assert dropped(session) == set()
        remove_photos(session, account="a")
        assert dropped(session) == {own}
        assert list(all_rows(session).values()) == [row("shared")]
        remove_photos(session, account="b")
        assert dropped(session) == {shared}
        assert session.sql.scalar(select(func.count()).select_from(schema.features)) == 0


def test_a_photo_that_shows_another_picture_now_leaves_the_features_of_the_old_one_unused(
    catalog: SqliteCatalog,
) -> None:
    store(catalog, [showing(1, picture="old")])
    store(catalog, [showing(1, picture="new")])
    with catalog.write() as session:
        assert set(all_rows(session).values()) == {row("old"), row("new")}
        id_of_old = id_of(session, "old")
        assert dropped(session) == {id_of_old}
        assert set(all_rows(session).values()) == {row("new")}


def test_what_an_erasure_looks_for_are_the_records_and_thumbnails_of_those_photos(catalog: SqliteCatalog) -> None:
    bare = with_picture(photo(2, "a", picture="bare"), features=row("bare", thumbnail=None))
    store(catalog, [showing(1, "a", picture="own"), bare, showing(3, "b", picture="theirs"), photo(4, "a")])
    with catalog.read() as session:
        own, no_small = id_of(session, "own"), id_of(session, "bare")
        expected = {own: (row("own").record, b"small"), no_small: (row("bare").record, b"")}
        assert features_of(session, Erased(account="a")) == expected
        assert features_of(session, Erased(photo_id="p1")) == {own: expected[own]}
        assert features_of(session, Erased(photo_id="p4")) == {}


def test_pieces_in_use_are_those_some_record_or_thumbnail_contains(
    catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_READ_AT_ONCE", 2)
    with catalog.write() as session:
        kept = [row(number, thumbnail=f"small {number}".encode() if number % 2 else None) for number in range(7)]
        rows.store_features(session, kept)
        used = {b"record of 6", b" of 2 by book", b"small 5", b"mall"}
        assert rows.pieces_in_use(session, used | {b"small 4", b"record of 7", b"7"}) == used
        assert rows.pieces_in_use(session, []) == set()
