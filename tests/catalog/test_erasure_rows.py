from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from filled import opened
from sqlalchemy import select

from imgmatch.catalog import erasures as rows
from imgmatch.catalog import schema
from imgmatch.catalog.erasing import Erased
from imgmatch.catalog.erasures import ErasureStage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.catalog.sqlite import SqliteCatalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


def test_an_erasure_is_noted_with_its_portions_until_it_ends(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        assert (rows.has_begun(session), rows.count_begun(session)) == (False, 0)
        begun = rows.begin_erasure(session, Erased(account="gone-account"), masking=False)
        rows.add_portion(session, begun, b"first portion", 500)
        rows.add_portion(session, begun, b"", 0)
        rows.add_portion(session, begun, b"second portion", 7)
        rows.note_stage(session, begun, ErasureStage.CLEARING)
    with catalog.read() as session:
        (found,) = rows.begun_erasures(session)
        assert (found.erased, found.stage, found.photos) == (Erased(account="gone-account"), ErasureStage.CLEARING, 507)
        assert list(rows.read_portions(session, found)) == [b"first portion", b"", b"second portion"]
        assert (rows.has_begun(session), rows.count_begun(session)) == (True, 1)
    with catalog.write() as session:
        rows.end_erasure(session, found)
        assert rows.begun_erasures(session) == []
        assert session.sql.scalar(select(schema.erasure_portions.c.number)) is None


def test_nothing_of_what_is_noted_stands_in_the_files_as_it_is(catalog: SqliteCatalog, tmp_path: Path) -> None:
    digest = bytes(range(32))
    with catalog.write() as session:
        begun = rows.begin_erasure(session, Erased(photo_id="gone-photo"), masking=True)
        for _ in range(2):
            rows.add_portion(session, begun, b"gone-photo" + digest, 1)
        kept = list(session.sql.scalars(select(schema.erasure_portions.c.gone)))
    assert kept[0] != kept[1]
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"gone-photo" not in files
    assert digest[8:] not in files


def test_the_same_erasure_again_goes_on_in_its_row_and_another_gets_its_own(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        first = rows.begin_erasure(session, Erased(account="a"), masking=True)
        rows.add_portion(session, first, b"x", 3)
        rows.note_stage(session, first, ErasureStage.SEARCHED)
        again = rows.begin_erasure(session, Erased(account="a"), masking=False)
        photo = rows.begin_erasure(session, Erased(photo_id="a"), masking=False)
        assert (again.id, again.seal, again.photos, again.masking) == (first.id, first.seal, 3, True)
        assert photo.id != first.id
        found = rows.begun_erasures(session)
        assert [(one.stage, one.masking) for one in found] == [("removing", True), ("removing", False)]
        assert list(rows.read_portions(session, found[0])) == [b"x"]


@pytest.mark.parametrize(("first", "second", "kept"), [(5, 9, 9), (9, 5, 9), (0, 0, 0)])
def test_of_two_erasures_of_old_photos_the_later_moment_counts(
    catalog: SqliteCatalog, first: int, second: int, kept: int
) -> None:
    with catalog.write() as session:
        rows.begin_erasure(session, Erased(before=first), masking=False)
        assert rows.begin_erasure(session, Erased(before=second), masking=False).erased == Erased(before=kept)
        assert [one.erased for one in rows.begun_erasures(session)] == [Erased(before=kept)]


def test_a_portion_longer_than_a_row_may_be_comes_back_whole(
    catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_PIECE_BYTES", 4)
    with catalog.write() as session:
        begun = rows.begin_erasure(session, Erased(account="gone"), masking=False)
        for portion in (b"much more than four", b"", b"four", b"five!"):
            rows.add_portion(session, begun, portion, 1)
        assert list(rows.read_portions(session, begun)) == [b"much more than four", b"", b"four", b"five!"]
        lengths = session.sql.scalars(select(schema.erasure_portions.c.gone)).all()
    assert max(map(len, lengths)) == 5
