from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from filled import opened, photo, store
from sqlalchemy import insert

from imgmatch.catalog import schema
from imgmatch.catalog.checked import Structure, Words
from imgmatch.catalog.texts import OWN_TEXTS, TEXTS, format_texts, names_in_use, read_texts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.catalog.sqlite import SqliteCatalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


def test_every_column_of_text_is_either_of_people_or_of_imgmatch() -> None:
    columns = {
        (table.name, column.name)
        for table in schema.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, (Words, Structure))
    }
    named = [(table, column) for kind in (TEXTS, OWN_TEXTS) for table, some in kind.items() for column in some]
    assert sorted(named) == sorted(columns)


def test_texts_are_read_as_the_database_has_them_in_blocks_with_their_column(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1, "a1", name="Zoë", attributes={"city": "Zürich"}), photo(2, "b2")])
    with catalog.write() as session:
        session.sql.execute(insert(schema.leases).values(name="scan:/x", owner="{}", token="", acquired_at=1,
                                                         heartbeat_at=1, expires_at=1))  # fmt: skip
        found = dict(read_texts(session))
    assert found["accounts.name"] == "Zoë\0".encode()
    assert found["accounts.attributes"] == b'{"city": "Z\\u00fcrich"}\0'
    assert found["photos.path"] == b"/photos/1.jpg\x00/photos/2.jpg"
    assert found["leases.name"] == b"scan:/x"
    assert "decisions.reason" not in found


def test_a_name_is_in_use_as_an_id_a_name_a_path_a_label_or_a_file_name(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1, "a1", name="Zoe")])
    used = {"a1", "p1", "Zoe", "a1/1.jpg", "/photos/1.jpg", "1.jpg"}
    with catalog.read() as session:
        assert names_in_use(session, used | {"zoe", "p2", "/photos", "photos/1", "%.jpg", ".jpg"}) == used
        assert names_in_use(session, set()) == set()


@pytest.mark.sqlite
def test_the_words_of_the_format_are_those_of_tables_and_triggers(catalog: SqliteCatalog) -> None:
    with catalog.read() as session:
        words = format_texts(session)
    assert b"photo_fingerprints" in words
    assert b"AFTER DELETE ON photos" in words
