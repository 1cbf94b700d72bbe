from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from filled import bits, opened, photo, store
from pictured import HASHER, feature_pictures, feature_row, pixels, showing
from sqlalchemy import select

from imgmatch.catalog import banks as rows
from imgmatch.catalog import schema
from imgmatch.catalog.banks import KNOWN_COMMON, KNOWN_STOLEN
from imgmatch.catalog.fingerprints import intern_fingerprints
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.catalog.photos import remove_photos

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from imgmatch.catalog.database import Catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """A picture on two accounts, of which the later has the lower number; another; one without features."""
    for catalog in opened(tmp_path):
        later, earlier = showing(1, "a", picture="x", days=2), showing(2, "b", picture="x", days=1)
        store(catalog, [later, earlier, showing(3, "c", picture="y"), photo(4, "d", picture="bare")])
        yield catalog


def add(connection: Connection, *photo_ids: str, bank: str = KNOWN_STOLEN) -> int:
    return rows.add_to_bank(connection, bank, photo_ids, HASHER)


def held(connection: Connection) -> list[tuple[str, bytes, str | None]]:
    return [(picture.bank, picture.pixels, picture.photo_id) for picture in rows.read_banks(connection)]


def drop_unused(connection: Connection) -> tuple[int, int]:
    """How many fingerprints and features a sweep removes."""
    gone = remove_orphans(connection)
    return gone["fingerprints"], gone["features"]


def fingerprints(connection: Connection, hasher: str = HASHER) -> set[bytes]:
    table = schema.fingerprints.c
    return set(connection.scalars(select(table.bits).where(table.hasher == hasher)))


def unshown(
    connection: Connection, prints: Sequence[int] = (), features: Sequence[int] = ()
) -> list[tuple[int | None, int | None, bytes]]:
    return [(one, other, found.pixels) for one, other, found in rows.unshown_pictures(connection, prints, features)]


def test_each_picture_is_on_a_list_once_as_its_earliest_photo_shows_it(catalog: Catalog) -> None:
    with catalog.write() as connection:
        assert add(connection, "p1", "p2", "p3", "gone") == 2
        assert add(connection, "p1", "p3") == 0
        found = {picture.pixels: picture for picture in rows.read_banks(connection)}
        ids = intern_fingerprints(connection, HASHER, [bits((HASHER, "x"))])
    assert set(found) == {pixels("x"), pixels("y")}
    x = found[pixels("x")]
    assert (x.bank, x.photo_id, x.account, x.label) == (KNOWN_STOLEN, "p2", "b", "b/2.jpg")
    assert [x.fingerprint_id] == list(ids.values())


def test_a_picture_may_be_on_both_lists_and_then_it_is_said_to_be_stolen(catalog: Catalog) -> None:
    with catalog.write() as connection:
        for first, second, photo_id in ((KNOWN_STOLEN, KNOWN_COMMON, "p1"), (KNOWN_COMMON, KNOWN_STOLEN, "p3")):
            assert add(connection, photo_id, bank=first) == 1
            assert add(connection, photo_id, bank=second) == 1
        add(connection, "p4", bank=KNOWN_COMMON)
        assert len(held(connection)) == 5
        of = rows.banks_of(connection, [pixels("x"), pixels("y"), pixels("bare"), pixels("never")])
    assert of == {pixels("x"): KNOWN_STOLEN, pixels("y"): KNOWN_STOLEN, pixels("bare"): KNOWN_COMMON}


def test_a_picture_leaves_only_the_list_it_is_taken_off_by_any_photo_that_shows_it(catalog: Catalog) -> None:
    with catalog.write() as connection:
        add(connection, "p2", "p3")
        add(connection, "p2", bank=KNOWN_COMMON)
        assert rows.remove_from_bank(connection, KNOWN_STOLEN, ["p1", "gone"]) == 1
        assert held(connection) == [(KNOWN_STOLEN, pixels("y"), "p3"), (KNOWN_COMMON, pixels("x"), "p2")]
        assert rows.remove_from_bank(connection, KNOWN_STOLEN, ["p1"]) == 0


def test_fingerprint_and_features_stay_when_the_photos_go_and_are_dropped_when_the_bank_lets_go(
    catalog: Catalog,
) -> None:
    with catalog.write() as connection:
        add(connection, "p3")
        for account in "abcd":
            remove_photos(connection, account=account)
        drop_unused(connection)
        assert feature_pictures(connection) == {pixels("y")}
        assert (fingerprints(connection), fingerprints(connection, "pdq")) == ({bits((HASHER, "y"))}, set())
        connection.execute(schema.bank_pictures.delete())
        assert drop_unused(connection) == (1, 1)
        assert (feature_pictures(connection), fingerprints(connection)) == (set(), set())


def test_what_photos_still_show_is_not_dropped_when_the_bank_lets_go(catalog: Catalog) -> None:
    with catalog.write() as connection:
        add(connection, "p1", "p3")
        rows.remove_from_bank(connection, KNOWN_STOLEN, ["p1", "p3"])
        assert drop_unused(connection) == (0, 0)


def test_a_known_picture_is_told_by_its_fingerprint_and_its_features_once_no_photo_shows_it(catalog: Catalog) -> None:
    with catalog.write() as connection:
        add(connection, "p1", "p4")
        prints = intern_fingerprints(connection, HASHER, [bits((HASHER, name)) for name in ("x", "y", "bare")])
        x, y, bare = (prints[bits((HASHER, name))] for name in ("x", "y", "bare"))
        of_x, of_y = feature_row(connection, "x"), feature_row(connection, "y")
        assert unshown(connection, [x, y, bare, 999], [of_x, of_y, 999]) == []
        remove_photos(connection, account="b")
        assert unshown(connection, [x], [of_x]) == []  # one photo is left
        for account in "acd":
            remove_photos(connection, account=account)
        found = unshown(connection, [x, y, bare, 999], [of_x, of_y, 999])
        assert sorted(found, key=repr) == sorted(
            [(x, None, pixels("x")), (bare, None, pixels("bare")), (None, of_x, pixels("x"))], key=repr
        )
        assert unshown(connection) == []


def test_a_picture_stays_known_when_its_photo_is_erased_without_a_word_of_where_it_came_from(catalog: Catalog) -> None:
    with catalog.write() as connection:
        add(connection, "p2", "p3", "p4")
        rows.forget_bank_origins(connection, account="b", photo_id=None)
        rows.forget_bank_origins(connection, account=None, photo_id="p3")
        found = {picture.pixels: picture for picture in rows.read_banks(connection)}
    origins = {key: (picture.label, picture.photo_id, picture.account) for key, picture in found.items()}
    assert origins == {
        pixels("x"): ("erased", None, None),
        pixels("y"): ("erased", None, None),
        pixels("bare"): ("d/4.jpg", "p4", "d"),
    }


def test_more_photos_than_a_statement_takes_enter_and_leave_a_list(catalog: Catalog) -> None:
    store(catalog, [photo(number, picture=number // 2) for number in range(100, 1_300)])
    ids = [f"p{number}" for number in range(100, 1_300)]
    with catalog.write() as connection:
        assert add(connection, *ids) == 600
        assert add(connection, *ids) == 0
        assert len(rows.banks_of(connection, [pixels(number) for number in range(50, 650)])) == 600
        assert rows.remove_from_bank(connection, KNOWN_STOLEN, ids) == 600
