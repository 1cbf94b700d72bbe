"""A catalog knows itself, and the engine files that were published of it, by tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from filled import opened
from sqlalchemy import delete, insert

from imgmatch.catalog import schema
from imgmatch.catalog.tokens import (
    announce_publication,
    confirm_publication,
    is_token,
    make_own_token,
    new_token,
    own_token,
    publications,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.catalog.sqlite import SqliteCatalog

KIND = "fingerprints"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


@pytest.mark.sqlite
def test_a_new_catalog_has_a_token_that_stays(catalog: SqliteCatalog, tmp_path: Path) -> None:
    with catalog.read() as session:
        token = own_token(session)
    assert is_token(token)
    catalog.migrate()
    with catalog.write() as session:
        assert make_own_token(session) == own_token(session) == token
    (tmp_path / "another").mkdir()
    for another in opened(tmp_path / "another"):
        with another.read() as session:
            assert own_token(session) not in {None, token}


@pytest.mark.sqlite
def test_a_catalog_whose_token_is_lost_or_none_gets_another_one(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        before = own_token(session)
        for lost in (None, "x" * 32, "0" * 31, b"\xff" * 32):
            session.sql.execute(delete(schema.tokens))
            if lost is not None:
                statement = "INSERT INTO tokens VALUES ('catalog', ?, NULL)"
                session.sql.exec_driver_sql(statement, (lost,))
            assert own_token(session) is None
            assert make_own_token(session) == own_token(session) != before


@pytest.mark.parametrize("named", ["before", "after"])
def test_a_publication_that_is_killed_leaves_both_files_for_its_own(catalog: SqliteCatalog, named: str) -> None:
    first, second, third = (new_token() for _ in range(3))
    with catalog.write() as session:
        assert publications(session, KIND) == set()
        announce_publication(session, KIND, first, None)
        assert publications(session, KIND) == {first}
        confirm_publication(session, KIND, first)
        assert publications(session, KIND) == {first}
        announce_publication(session, KIND, second, first)
        assert publications(session, KIND) == {first, second}
        held = first if named == "before" else second
        announce_publication(session, KIND, third, held)
        assert publications(session, KIND) == {held, third}
        confirm_publication(session, KIND, third)
        assert publications(session, KIND) == {third}
        assert publications(session, "features") == set()


def test_a_file_that_is_not_of_the_catalog_does_not_become_its_own_when_another_is_announced(
    catalog: SqliteCatalog,
) -> None:
    mine, foreign, coming = (new_token() for _ in range(3))
    with catalog.write() as session:
        confirm_publication(session, KIND, mine)
        announce_publication(session, KIND, coming, foreign)
        assert publications(session, KIND) == {mine, coming}


def test_what_is_no_token_is_nobodys(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        session.sql.execute(insert(schema.tokens).values(kind=KIND, token="", pending="no token"))
        assert publications(session, KIND) == set()
