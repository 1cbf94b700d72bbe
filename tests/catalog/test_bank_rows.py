from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from filled import bits, opened, photo, remove_photos, store
from pictured import HASHER, feature_pictures, feature_row, pixels, showing
from sqlalchemy import event, select

from imgmatch.catalog import banks as rows
from imgmatch.catalog import schema
from imgmatch.catalog.banks import KNOWN_COMMON, KNOWN_STOLEN
from imgmatch.catalog.erasing import Erased, remove_erased
from imgmatch.catalog.fingerprints import intern_fingerprints
from imgmatch.catalog.orphans import remove_orphans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from imgmatch.catalog.session import Session
    from imgmatch.catalog.sqlite import SqliteCatalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    """A picture on two accounts, of which the later has the lower number; another; one without features."""
    for catalog in opened(tmp_path):
        later, earlier = showing(1, "a", picture="x", days=2), showing(2, "b", picture="x", days=1)
        store(catalog, [later, earlier, showing(3, "c", picture="y"), photo(4, "d", picture="bare")])
        yield catalog


def add(session: Session, *photo_ids: str, bank: str = KNOWN_STOLEN) -> int:
    return rows.add_to_bank(session, bank, photo_ids, HASHER)


def held(session: Session) -> list[tuple[str, bytes, str | None]]:
    return [(picture.bank, picture.pixels, picture.photo_id) for picture in rows.read_banks(session)]


def drop_unused(session: Session) -> tuple[int, int]:
    """How many fingerprints and features a sweep removes."""
    gone = remove_orphans(session)
    return gone["fingerprints"], gone["features"]


def fingerprints(session: Session, hasher: str = HASHER) -> set[bytes]:
    table = schema.fingerprints.c
    return set(session.sql.scalars(select(table.bits).where(table.hasher == hasher)))


def unshown(
    session: Session, prints: Sequence[int] = (), features: Sequence[int] = ()
) -> list[tuple[int | None, int | None, bytes]]:
    every = rows.bank_pictures_like(session, prints, features)
    return [(one, other, found.pixels) for one, other, is_shown, found in every if not is_shown]


def test_each_picture_is_on_a_list_once_as_its_earliest_photo_shows_it(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        assert add(session, "p1", "p2", "p3", "gone") == 2
        assert add(session, "p1", "p3") == 0
        found = {picture.pixels: picture for picture in rows.read_banks(session)}
        ids = intern_fingerprints(session, HASHER, [bits((HASHER, "x"))])
    assert set(found) == {pixels("x"), pixels("y")}
    x = found[pixels("x")]
    assert (x.bank, x.photo_id, x.account, x.label) == (KNOWN_STOLEN, "p2", "b", "b/2.jpg")
    assert [x.fingerprint_id] == list(ids.values())


def test_a_picture_may_be_on_both_lists_and_then_it_is_said_to_be_stolen(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        for first, second, photo_id in ((KNOWN_STOLEN, KNOWN_COMMON, "p1"), (KNOWN_COMMON, KNOWN_STOLEN, "p3")):
            assert add(session, photo_id, bank=first) == 1
            assert add(session, photo_id, bank=second) == 1
        add(session, "p4", bank=KNOWN_COMMON)
        assert len(held(session)) == 5
        of = rows.banks_of(session, [pixels("x"), pixels("y"), pixels("bare"), pixels("never")])
    assert of == {pixels("x"): KNOWN_STOLEN, pixels("y"): KNOWN_STOLEN, pixels("bare"): KNOWN_COMMON}


def test_a_picture_leaves_only_the_list_it_is_taken_off_by_any_photo_that_shows_it(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        add(session, "p2", "p3")
        add(session, "p2", bank=KNOWN_COMMON)
        assert rows.remove_from_bank(session, KNOWN_STOLEN, ["p1", "gone"]) == 1
        assert held(session) == [(KNOWN_STOLEN, pixels("y"), "p3"), (KNOWN_COMMON, pixels("x"), "p2")]
        assert rows.remove_from_bank(session, KNOWN_STOLEN, ["p1"]) == 0


def test_fingerprint_and_features_stay_when_the_photos_go_and_are_dropped_when_the_bank_lets_go(
    catalog: SqliteCatalog,
) -> None:
    with catalog.write() as session:
        add(session, "p3")
        for account in "abcd":
            remove_photos(session, account=account)
        drop_unused(session)
        assert feature_pictures(session) == {pixels("y")}
        assert (fingerprints(session), fingerprints(session, "pdq")) == ({bits((HASHER, "y"))}, set())
        session.sql.execute(schema.bank_entries.delete())
        assert drop_unused(session) == (1, 1)
        assert (feature_pictures(session), fingerprints(session)) == (set(), set())


def test_what_photos_still_show_is_not_dropped_when_the_bank_lets_go(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        add(session, "p1", "p3")
        rows.remove_from_bank(session, KNOWN_STOLEN, ["p1", "p3"])
        assert drop_unused(session) == (0, 0)


def test_a_known_picture_is_told_by_its_fingerprint_and_its_features_once_no_photo_shows_it(
    catalog: SqliteCatalog,
) -> None:
    with catalog.write() as session:
        add(session, "p1", "p4")
        prints = intern_fingerprints(session, HASHER, [bits((HASHER, name)) for name in ("x", "y", "bare")])
        x, y, bare = (prints[bits((HASHER, name))] for name in ("x", "y", "bare"))
        of_x, of_y = feature_row(session, "x"), feature_row(session, "y")
        assert unshown(session, [x, y, bare, 999], [of_x, of_y, 999]) == []
        remove_photos(session, account="b")
        assert unshown(session, [x], [of_x]) == []  # one photo is left
        for account in "acd":
            remove_photos(session, account=account)
        found = unshown(session, [x, y, bare, 999], [of_x, of_y, 999])
        assert sorted(found, key=repr) == sorted(
            [(x, None, pixels("x")), (bare, None, pixels("bare")), (None, of_x, pixels("x"))], key=repr
        )
        assert unshown(session) == []


def test_a_picture_stays_known_when_its_photo_is_erased_without_a_word_of_where_it_came_from(
    catalog: SqliteCatalog,
) -> None:
    with catalog.write() as session:
        add(session, "p2", "p3", "p4")
        rows.forget_bank_origins(session, account="b")
        rows.forget_bank_origins(session, photo_ids=["p3", "nobody's"])
        found = {picture.pixels: picture for picture in rows.read_banks(session)}
    origins = {key: (picture.label, picture.photo_id, picture.account) for key, picture in found.items()}
    assert origins == {
        pixels("x"): ("erased", None, None),
        pixels("y"): ("erased", None, None),
        pixels("bare"): ("d/4.jpg", "p4", "d"),
    }


def test_the_banks_are_gone_through_once_for_many_photos_that_are_erased(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(number, "a", picture=number) for number in range(100, 300)])
    said: list[str] = []
    with catalog.write() as session:
        add(session, "p100", "p299")
        event.listen(session.sql, "before_cursor_execute", lambda *given: said.append(given[2]))
        assert remove_erased(session, Erased(account="a")) == 201
        origins = [(picture.label, picture.photo_id) for picture in rows.read_banks(session)]
    assert origins == [("erased", None)] * 2
    assert len([one for one in said if one.startswith("UPDATE bank_entries")]) == 2


def test_more_photos_than_a_statement_takes_enter_and_leave_a_list(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(number, picture=number // 2) for number in range(100, 1_300)])
    ids = [f"p{number}" for number in range(100, 1_300)]
    with catalog.write() as session:
        assert add(session, *ids) == 600
        assert add(session, *ids) == 0
        assert len(rows.banks_of(session, [pixels(number) for number in range(50, 650)])) == 600
        assert rows.remove_from_bank(session, KNOWN_STOLEN, ids) == 600
