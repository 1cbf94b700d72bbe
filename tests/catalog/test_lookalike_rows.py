from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from filled import opened, photo, remove_photos, store
from sqlalchemy import select, update

from imgmatch.catalog import schema
from imgmatch.catalog.lookalikes import count_lookalikes, lookalikes_of, some_lookalikes
from imgmatch.catalog.orphans import remove_orphans

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.catalog.sqlite import SqliteCatalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


def kept(catalog: SqliteCatalog) -> list[int]:
    with catalog.read() as session:
        return sorted(session.sql.scalars(select(schema.lookalikes.c.number)))


def test_accounts_that_look_alike_are_counted_in_sets_as_they_come_and_go(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1, "anna"), photo(2, "bob")])
    assert kept(catalog) == []
    store(catalog, [photo(3, "Anna"), photo(4, "аnna"), photo(5, "BOB"), photo(6, "carl")])
    assert kept(catalog) == [2, 3]
    for account, left in (("аnna", [2, 2]), ("bob", [2]), ("Anna", []), ("BOB", [])):
        with catalog.write() as session:
            remove_photos(session, account=account)
            remove_orphans(session)
        assert kept(catalog) == left


def test_some_sets_are_named_those_found_last_first(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1, "anna"), photo(2, "Anna"), photo(3, "bob")])
    store(catalog, [photo(4, "Bob")])
    with catalog.read() as session:
        assert count_lookalikes(session) == 2
        assert some_lookalikes(session, 1) == (("bob", "Bob"),)
        assert some_lookalikes(session, 9) == (("bob", "Bob"), ("anna", "Anna"))


def test_of_a_large_set_a_few_are_named(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(number, "x" * 20 + "\u200b" * number + "y") for number in range(1, 40)])
    with catalog.read() as session:
        assert count_lookalikes(session) == 1
        assert [len(some) for some in some_lookalikes(session, 9)] == [5]


@pytest.mark.sqlite
def test_accounts_whose_looks_have_one_hash_by_chance_are_not_named(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1, "anna"), photo(2, "Anna")])
    with catalog.write() as session:
        session.sql.execute(update(schema.accounts).values(account=schema.accounts.c.account + schema.accounts.c.id))
        assert some_lookalikes(session, 9) == ()


def test_an_account_that_is_not_there_is_known_by_its_looks(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1, "anna"), photo(2, "Anna"), photo(3, "bob")])
    with catalog.read() as session:
        assert lookalikes_of(session, "ANNA") == ["anna", "Anna"]
        assert lookalikes_of(session, "anna") == ["Anna"]
        assert lookalikes_of(session, "carl") == []
