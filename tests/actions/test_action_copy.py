"""An index goes from a folder to a database and back, and nobody starts over."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from postgresql_server import database_of
from serving import make_world

from imgmatch import Verdict
from imgmatch.catalog import copying, schema
from imgmatch.catalog.row_counts import last_given
from imgmatch.errors import ConflictError, ImgmatchError, IndexNotFoundError, NotAnIndexError
from imgmatch.index import Index
from imgmatch.model import Searched

if TYPE_CHECKING:
    from pathlib import Path

    from postgresql_server import Server

LARGE = "sift-4096x16-32x4-v1"

pytestmark = pytest.mark.sqlite


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index with rings, a decision, a bank and a user."""
    folder = make_world(tmp_path_factory.mktemp("world"))
    with Index.open(folder) as index:
        [first, *_] = index.rings().rings
        index.decide(Verdict.CONFIRM, ring=first.ring, by="ana", reason="it is so: \u2028 \"'\\ é")
        index.erase(account="lone")
    return folder


@pytest.fixture
def world(drawn: Path, tmp_path: Path) -> Path:
    return shutil.copytree(drawn, tmp_path / "world")


@pytest.fixture
def url(postgresql: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("IMGMATCH_ENGINES", str(tmp_path / "engines"))
    return postgresql.database()


def rows(home: Path | str) -> dict[str, list[tuple[Any, ...]]]:
    """All that is copied, as the drivers give it."""
    with Index.open(home) as index, index.parts.catalog.read() as session:
        return {
            table.name: [row for some in copying.rows_after(session, table) for row in some]
            for table in copying.tables()
        }


def said(home: Path | str) -> Any:  # noqa: ANN401 -- rings and decisions
    with Index.open(home) as index:
        return index.rings(), index.decisions(), index.counts()


def numbers(home: Path | str) -> list[int]:
    with Index.open(home) as index, index.parts.catalog.read() as session:
        return [last_given(session, kind) for kind in ("fingerprints", "features")]


@pytest.mark.slow
def test_there_and_back_it_has_every_row_and_says_the_same(world: Path, url: str, tmp_path: Path) -> None:
    back = tmp_path / "back"
    with Index.open(world) as index:
        done = index.copy(url)
    assert (done.home, done.kept) == (f"postgresql://imgmatch@/{database_of(url)}", 0)
    with Index.open(url) as index:
        assert index.status(verify=True).damaged == 0
        index.copy(back)
    assert rows(world) == rows(url) == rows(back)
    assert done.rows == sum(map(len, rows(back).values()))
    assert said(world) == said(url) == said(back)
    assert numbers(world) == numbers(url) == numbers(back)


@pytest.mark.slow
def test_a_check_of_a_copy_answers_as_the_index_does(drawn: Path, world: Path, url: str) -> None:
    photos = sorted((drawn.parent / "photos").glob("*.jpg"))
    with Index.open(world) as index:
        index.copy(url)
        expected = list(index.check_many(photos))
    with Index.open(url) as copied:
        copied.rebuild()
        assert list(copied.check_many(photos)) == expected


@pytest.mark.slow
@pytest.mark.parametrize("there", ["folder", "database"])
def test_a_copy_by_another_codebook_has_the_rows_a_scan_by_it_would_have_and_goes_back_without_loss(
    drawn: Path, world: Path, url: str, tmp_path: Path, there: str
) -> None:
    home, before = url if there == "database" else tmp_path / "large", rows(world)
    with Index.open(world) as index:
        index.copy(home, codebook=LARGE)
        expected = replace(index.rings(), searched=Searched())
    with Index.open(home) as index:
        assert index.status(verify=True).codebook == LARGE
        assert index.status(verify=True).damaged == 0
        index.copy(tmp_path / "back", codebook="sift-4096-32x4-v1")
        assert (
            replace(index.rings(), searched=Searched()) == expected
        )  # nothing is searched again, and nothing is found otherwise
        large = {row[1]: row[2:] for row in rows(home)["features"]}
    with Index.create(tmp_path / "anew", codebook=LARGE) as anew:
        anew.scan([drawn.parent / "photos"])
    scanned = {row[1]: row[2:] for row in rows(tmp_path / "anew")["features"]}
    assert large.keys() <= scanned.keys()
    assert large == {pixels: scanned[pixels] for pixels in large}
    assert rows(tmp_path / "back") == before


class Cut(Exception):  # noqa: N818 -- it is none
    """The copy ends here."""


class CutAfter:
    """Ends a copy after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self, work: str, done: float, total: float | None = None) -> None:
        del work, done, total
        self.left -= 1
        if self.left < 0:
            raise Cut

    def skipped(self, skipped: object) -> None:
        raise AssertionError(skipped)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [0, 1, 5, 12, 20, 30, 60])
def test_a_copy_that_was_cut_off_goes_on_and_ends_equal(
    world: Path, url: str, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "AT_ONCE", 3)
    with Index.open(world) as index:
        with pytest.raises(Cut):
            index.copy(url, progress=CutAfter(steps))
        with pytest.raises((IndexNotFoundError, NotAnIndexError)):
            Index.open(url)
        with pytest.raises((ConflictError, NotAnIndexError), match=r"half a copy|not as imgmatch makes it"):
            Index.create(url)
        done = index.copy(url)
    assert done.kept > 0
    assert rows(url) == rows(world)


def test_a_copy_into_a_folder_that_was_cut_off_goes_on(world: Path, tmp_path: Path) -> None:
    with Index.open(world) as index:
        with pytest.raises(Cut):
            index.copy(tmp_path / "copy", progress=CutAfter(6))
        index.copy(tmp_path / "copy")
    assert rows(tmp_path / "copy") == rows(world)


def test_what_changed_between_two_tries_is_noticed(world: Path, url: str) -> None:
    with Index.open(world) as index:
        with pytest.raises(Cut):
            index.copy(url, progress=CutAfter(30))
        with index.parts.catalog.write() as session:
            session.sql.execute(schema.accounts.update().values(name="changed"))
        with pytest.raises(ImgmatchError, match=r"accounts 1 is not the same in both"):
            index.copy(url)
    with pytest.raises((IndexNotFoundError, NotAnIndexError)):
        Index.open(url)


def test_neither_an_index_nor_half_a_copy_of_another_one_is_filled(world: Path, url: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    Index.create(other).close()
    with Index.open(world) as index:
        with pytest.raises(ConflictError, match="there is an index in"):
            index.copy(other)
        with pytest.raises(Cut):
            index.copy(url, progress=CutAfter(4))
    with Index.open(other) as index, pytest.raises(ImgmatchError, match="half a copy of another index"):
        index.copy(url)


def test_a_folder_of_something_else_is_refused_before_a_byte_is_copied(world: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    with Index.open(world) as index, pytest.raises(NotAnIndexError, match="holds other things"):
        index.copy(other)
    assert [entry.name for entry in other.iterdir()] == ["letter.txt"]


def test_a_value_that_postgresql_does_not_take_names_its_table_and_nothing_is_an_index(world: Path, url: str) -> None:
    with Index.open(world) as index:
        with index.parts.catalog.write() as session:
            session.sql.exec_driver_sql("UPDATE accounts SET name = 'a' || char(0) || 'b' WHERE id = 1")
        with pytest.raises(ImgmatchError, match="the table accounts has a value"):
            index.copy(url)
    with pytest.raises((IndexNotFoundError, NotAnIndexError)):
        Index.open(url)
