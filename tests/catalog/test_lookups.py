from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from filled import bits, opened, photo, store

from imgmatch.catalog import erasing, lookups
from imgmatch.catalog.fingerprints import intern_fingerprints
from imgmatch.catalog.lookups import ShownAs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.catalog.session import Session
    from imgmatch.catalog.sqlite import SqliteCatalog
    from imgmatch.model import Outline

ANY = ShownAs.ANY


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


def ids(session: Session, *pictures: object) -> list[int]:
    """The phash rows of pictures."""
    values = [bits(("phash", picture)) for picture in pictures]
    found = intern_fingerprints(session, "phash", values)
    return [found[value] for value in values]


def test_owners_are_the_accounts_with_their_earliest_time_and_whether_bytes_are_the_same(
    catalog: SqliteCatalog,
) -> None:
    one, two = photo(1, "a", days=4, picture="x"), photo(2, "a", days=2, picture="x")
    store(catalog, [one, two, photo(3, "b", picture="x"), photo(4, "c", picture="y")])
    with catalog.write() as session:
        (x, y) = ids(session, "x", "y")
        found = set(lookups.owners(session, [x, y], one.sha256, bytes(16), ANY))
    assert found == {(x, "a", two.seen_at, True), (x, "b", photo(3).seen_at, True), (y, "c", photo(4).seen_at, False)}


def test_photos_are_found_by_fingerprint_for_all_or_some_accounts(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1, "a", name="A", picture="x"), photo(2, "b", picture="x"), photo(3, "b", picture="y")])
    with catalog.write() as session:
        (x, y) = ids(session, "x", "y")
        every = {(row, found.photo_id, found.name) for row, found in lookups.photos_with(session, [x, y])}
        some = {(row, found.photo_id) for row, found in lookups.photos_of(session, [x, y], ["b"], ANY)}
    assert every == {(x, "p1", "A"), (x, "p2", None), (y, "p3", None)}
    assert some == {(x, "p2"), (y, "p3")}


def test_only_those_photos_are_found_that_show_a_picture_in_the_way_that_is_asked_for(catalog: SqliteCatalog) -> None:
    """p1 shows x and is no page; p2 shows x as a page, and y as a panel; p3 shows x as a panel."""
    page, other = photo(2, "b", picture="x"), photo(3, "c", picture="z")
    part: Outline = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5))
    panels = {name: replace(photo(9, "z", picture=name).pictures[0], panel=part) for name in "xy"}
    page = replace(page, pictures=(*page.pictures, panels["y"]))
    other = replace(other, pictures=(*other.pictures, panels["x"]))
    store(catalog, [photo(1, "a", picture="x"), page, other])
    wanted = {
        ShownAs.ANY: {("p1", None), ("p2", None), ("p2", part), ("p3", part)},
        ShownAs.WHOLE: {("p1", None), ("p2", None)},
        ShownAs.NO_PAGE: {("p1", None)},
    }
    with catalog.write() as session:
        rows = ids(session, "x", "y")
        for shown, expected in wanted.items():
            found = lookups.photos_of(session, rows, ["a", "b", "c"], shown)
            assert {(one.photo_id, one.panel) for _, one in found} == expected
            accounts = {account for _, account, *_ in lookups.owners(session, rows, bytes(32), bytes(16), shown)}
            assert accounts == {one.account for _, one in lookups.photos_of(session, rows, ["a", "b", "c"], shown)}
        numbers = [one.id for _, one in lookups.photos_with(session, rows)]
        assert len(lookups.pages_among(session, numbers)) == 2


def test_accounts_are_counted_once_however_many_photos_they_have(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(number, f"a{number % 3}", picture=number % 2) for number in range(12)])
    with catalog.write() as session:
        (even, odd) = ids(session, 0, 1)
        assert dict(lookups.accounts_per_fingerprint(session, "phash")) == {even: 3, odd: 3}


def test_more_fingerprints_than_a_statement_takes_are_looked_up(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(number, f"a{number}") for number in range(1_100)])
    with catalog.write() as session:
        rows = ids(session, *range(1_100))
        assert len(list(lookups.photos_with(session, rows))) == 1_100


def test_a_fingerprint_that_is_gone_leads_nowhere(catalog: SqliteCatalog) -> None:
    with catalog.read() as session:
        assert list(lookups.owners(session, [99], bytes(32), bytes(16), ANY)) == []
        assert list(lookups.photos_with(session, [99])) == []


def digests_of(session: Session, erased: erasing.Erased) -> set[bytes]:
    of_photos = {one.sha256 for one in erasing.erased_photos(session, erased)}
    return of_photos | erasing.pixels_of(session, erased) | erasing.fingerprints_of(session, erased)


def test_what_an_erasure_looks_for_is_every_digest_nobody_else_has(catalog: SqliteCatalog) -> None:
    mine, shared, theirs = photo(1, "a"), photo(2, "a", picture="x"), photo(3, "b", picture="x")
    store(catalog, [mine, shared, theirs])
    with catalog.write() as session:
        digests = digests_of(session, erasing.Erased(account="a"))
        assert digests == {
            digest
            for record in (mine, shared)
            for digest in (record.sha256, record.pictures[0].pixels, *record.pictures[0].fingerprints.values())
        }
        assert digests_of(session, erasing.Erased(photo_id="p1")) < digests
        assert erasing.mentions(session, erasing.Erased(account="a")) == 1
        assert erasing.mentions(session, erasing.Erased(photo_id="p9")) == 0
        assert erasing.digests_in_use(session, digests) == digests
