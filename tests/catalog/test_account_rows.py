from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from filled import DAY_ONE, opened, photo, store
from sqlalchemy import select, text

from imgmatch.catalog import schema
from imgmatch.catalog.accounts import store_accounts
from imgmatch.catalog.times import from_microseconds
from imgmatch.model.photos import MOST_ATTRIBUTES_CHARS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.catalog.sqlite import SqliteCatalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


def account(catalog: SqliteCatalog, name: str) -> dict[str, Any]:
    with catalog.read() as session:
        row = session.sql.execute(select(schema.accounts).where(schema.accounts.c.account == name)).one()
    return dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for it


def test_the_latest_name_wins(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1, name="Lena"), photo(2, name="Mia")])
    assert account(catalog, "a1")["name"] == "Mia"
    store(catalog, [photo(3, name="Nora", days=-9)])
    assert account(catalog, "a1")["name"] == "Nora"


def test_a_photo_without_a_name_takes_none_away(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1, name="Lena"), photo(2)])
    store(catalog, [photo(3)])
    assert account(catalog, "a1")["name"] == "Lena"


def test_the_earliest_time_is_kept(catalog: SqliteCatalog) -> None:
    for batch in ([photo(1, days=5), photo(2, days=3)], [photo(3, days=9)], [photo(4, days=-400)]):
        store(catalog, batch)
    assert (from_microseconds(account(catalog, "a1")["first_seen"]) - DAY_ONE).days == -400


def test_attributes_are_merged_and_the_latest_value_wins(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1, attributes={"city": "Köln", "age": "30"}), photo(2, attributes={"age": "31"})])
    store(catalog, [photo(3, attributes={"job": "pilot"}), photo(4)])
    assert account(catalog, "a1")["attributes"] == {"city": "Köln", "age": "31", "job": "pilot"}


def test_an_account_without_attributes_has_an_empty_column(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1)])
    with catalog.read() as session:
        assert session.sql.scalar(text("SELECT count(*) FROM accounts WHERE attributes IS NULL")) == 1


def test_a_thousand_accounts_are_stored_and_found_again(catalog: SqliteCatalog) -> None:
    records = [photo(number, f"account {number}") for number in range(1_100)]
    with catalog.write() as session:
        first = store_accounts(session, ((record.photo, record.seen_at) for record in records))
        again = store_accounts(session, ((record.photo, record.seen_at) for record in reversed(records)))
    assert first == again
    assert len(set(first.values())) == 1_100


def test_names_of_any_script_and_sql_are_only_names(catalog: SqliteCatalog) -> None:
    odd = ["'; DROP TABLE accounts; --", "写真", "a\tb", "%", "_", "A", "a", " a"]
    store(catalog, [photo(number, name) for number, name in enumerate(odd)])
    assert [account(catalog, name)["account"] for name in odd] == odd


def test_attributes_that_are_too_long_together_are_those_of_the_last_line(catalog: SqliteCatalog) -> None:
    for number in range(1, 4):
        store(catalog, [photo(number, attributes={f"column {number}": "x" * (MOST_ATTRIBUTES_CHARS - 20)})])
    assert list(account(catalog, "a1")["attributes"]) == ["column 3"]
