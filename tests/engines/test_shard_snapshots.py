"""Shards that are made from what they saved in shared storage, without any cluster."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from bucket_server import moto, send
from shelves import NAMES, Shelf, shelf_at
from sqlalchemy import Engine, event, insert

from imgmatch.catalog import schema
from imgmatch.catalog.sqlite_files import FILE as CATALOG
from imgmatch.catalog.tokens import new_token
from imgmatch.engines.shards import held
from imgmatch.engines.shards.division import Division
from imgmatch.engines.shards.saving import drop_snapshots, folder_of
from imgmatch.engines.shards.shard import Shard
from imgmatch.engines.shards.stores import refuse_unless_writable, snapshot_store
from imgmatch.errors import ImgmatchError, IndexUnusableError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from imgmatch.engines.header import Header

PLACE = "0" * 32
TWO = Division(2, 1)
LAST = 1 << 40
USED, NOT_USED = "made from its snapshot", "its snapshot was not used: "


@pytest.fixture(params=[NAMES[0], NAMES[-1]])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    opened = shelf_at(tmp_path / "index", request.param)
    opened.add(1, 2, 3)
    yield opened
    opened.close()


@pytest.fixture
def header(shelf: Shelf) -> Header:
    return replace(shelf.layout.header(), catalog=new_token())


class Held:
    """One shard of two, as a node has it."""

    def __init__(self, shelf: Shelf, header: Header, place: object, number: int = 0) -> None:
        self._shelf, self._place = shelf, str(place)
        self._shard = Shard(shelf.catalog, header, number)
        self.asked("ready", through=[LAST, LAST], snapshots=self._place)

    def asked(self, verb: str, division: Division = TWO, **more: object) -> dict[str, Any]:
        head = {"verb": verb, "shards": division.shards, "version": division.version, **more}
        return dict(self._shard.answer(head, b"")[0])

    def save(self, division: Division = TWO) -> dict[str, Any]:
        return self.asked("save", division, through=[LAST, LAST], snapshots=self._place)

    @property
    def said(self) -> str | None:
        said: str | None = self.asked("held")["snapshot"]
        return said

    def rows(self) -> set[int]:
        """The row ids it holds, once it is up to date."""
        self.asked("ready", through=[LAST, LAST], snapshots=self._place)
        rows: Any = self._shard._features if self._shelf.kind == "features" else self._shard._fingerprints  # noqa: SLF001 -- what a search would read
        engine = rows.current(TWO, LAST)
        found = {row for ids, _ in engine.contents() for row in ids.tolist()}
        assert len(engine) == len(found)
        return found


def mine(shelf: Shelf, number: int = 0) -> set[int]:
    """The rows that fall to a shard of two."""
    return {row for row in shelf.rows() if TWO.holds(number, np.array([row]))[0]}


def files(place: Path) -> dict[str, Path]:
    """By what comes last in their names."""
    return {path.name.rpartition(".")[2]: path for path in place.glob("*/shard-1-of-2.*")}


def read_behind(table: str, work: Callable[[], object]) -> set[int]:
    """Behind which ids rows of a table are read meanwhile."""
    asked = set[int]()

    def hear(_: object, __: object, statement: str, parameters: tuple[Any, ...], *___: object) -> None:
        before, found, _ = statement.partition(f"{table}.id > ?")
        if found and statement.startswith("SELECT"):
            asked.add(int(parameters[before.count("?")]))

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        work()
    finally:
        event.remove(Engine, "before_cursor_execute", hear)
    return asked


def test_a_shard_that_is_started_anew_reads_only_what_came_after_it_was_saved(
    shelf: Shelf, header: Header, tmp_path: Path
) -> None:
    for number in (0, 1):
        assert Held(shelf, header, tmp_path / "shared", number).save() == {"saved": True}
    saved = max(shelf.rows())
    shelf.add(4)
    made: list[Held] = []
    behind = read_behind(
        shelf.kind, lambda: made.extend(Held(shelf, header, tmp_path / "shared", number) for number in (0, 1))
    )
    assert [one.said for one in made] == [USED, USED]
    assert [one.rows() for one in made] == [mine(shelf, 0), mine(shelf, 1)]
    assert min(behind) >= saved


def test_it_is_saved_anew_only_where_that_is_worth_it_and_nothing_older_is_left(
    shelf: Shelf, header: Header, tmp_path: Path
) -> None:
    shard = Held(shelf, header, tmp_path)
    assert shard.save() == {"saved": True}
    before = files(tmp_path)
    assert shard.save() == {"saved": False}
    assert Held(shelf, header, tmp_path).save() == {"saved": False}
    shelf.add(4)
    assert shard.save() == {"saved": True}
    after = files(tmp_path)
    assert before.keys() == after.keys() == {"json", "fingerprints", "features"}
    assert before["features"] != after["features"]
    assert Held(shelf, header, tmp_path).rows() == mine(shelf)


def cut(place: Path) -> None:
    for name in ("fingerprints", "features"):
        files(place)[name].write_bytes(files(place)[name].read_bytes()[:-20])


def lengthened(place: Path) -> None:
    with files(place)["features"].open("ab") as file:
        file.write(b"more")


def changed(place: Path) -> None:
    data = bytearray(files(place)["fingerprints"].read_bytes())
    data[len(data) // 2] ^= 1
    files(place)["fingerprints"].write_bytes(data)


def missing(place: Path) -> None:
    files(place)["features"].unlink()


def garbled(place: Path) -> None:
    files(place)["json"].write_bytes(b"\xff{" * 40)


def nested(place: Path) -> None:
    files(place)["json"].write_bytes(b"[" * 200_000)


def said(place: Path, **changes: object) -> None:
    manifest = json.loads(files(place)["json"].read_text())
    files(place)["json"].write_text(json.dumps(manifest | changes))


def of_tables(place: Path, **changes: object) -> None:
    manifest = json.loads(files(place)["json"].read_text())
    said(place, tables={name: table | changes for name, table in manifest["tables"].items()})


def of_the_other_shard(place: Path) -> None:
    stem = files(place)["json"].name.removesuffix("json")
    for path in list(place.glob("*/shard-2-of-2.*")):
        shutil.copy(path, path.with_name(stem + path.name.removeprefix("shard-2-of-2.")))


def unreachable(place: Path) -> None:
    shutil.rmtree(place)
    place.write_bytes(b"")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut, "bytes"),
        (lengthened, "more than"),
        (changed, "digest"),
        (missing, "features are missing"),
        (garbled, "manifest is none"),
        (nested, "manifest is none"),
        (lambda place: said(place, format=2), "a newer imgmatch wrote it (format 2"),
        (lambda place: said(place, format=0), "manifest is none"),
        (lambda place: said(place, catalog="f" * 32), "of another index"),
        (lambda place: said(place, save="../../etc"), "manifest is none"),
        (lambda place: said(place, tables={}), "it has no fingerprints"),
        (lambda place: of_tables(place, of="whash"), "is whash, and of the index phash"),
        (lambda place: of_tables(place, engine="other"), "engine of its fingerprints is other"),
        (lambda place: of_tables(place, rows=-1), "manifest is damaged"),
        (lambda place: of_tables(place, rows=7), "not those of this shard"),
        (lambda place: of_tables(place, through="7"), "manifest is damaged"),
        (lambda place: of_tables(place, newest={"x": "y"}), "manifest is damaged"),
        (of_the_other_shard, "not those of this shard"),
        (unreachable, "cannot be used"),
    ],
)
def test_a_snapshot_that_does_not_fit_is_refused_and_the_shard_is_made_from_the_catalog(
    shelf: Shelf, header: Header, tmp_path: Path, harm: Callable[[Path], None], words: str
) -> None:
    """What was wrong is said."""
    place = tmp_path / "shared"
    for number in (0, 1):
        Held(shelf, header, place, number).save()
    harm(place)
    shard = Held(shelf, header, place)
    assert shard.rows() == mine(shelf)
    assert shard.said is not None
    assert shard.said.startswith(NOT_USED)
    assert words in shard.said


def test_a_node_without_room_saves_nothing_and_reads_the_catalog(
    shelf: Shelf, header: Header, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = Held(shelf, header, tmp_path / "shared")
    shard.save()
    shelf.add(4)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert "cannot be written on this node" in shard.save()["error"]
    anew = Held(shelf, header, tmp_path / "shared")
    assert (anew.rows(), (anew.said or "").startswith(NOT_USED)) == (mine(shelf), True)


def test_where_nothing_was_saved_nothing_is_said(shelf: Shelf, header: Header, tmp_path: Path) -> None:
    shard = Held(shelf, header, tmp_path / "nowhere")
    assert (shard.rows(), shard.said) == (mine(shelf), None)


@pytest.mark.sqlite
def test_a_snapshot_of_a_database_that_was_put_back_is_refused(
    shelf: Shelf, header: Header, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives row ids a second time."""
    monkeypatch.setattr(held, "_LOOK_SECONDS", 0.0)
    Held(shelf, header, tmp_path).save()
    kept = max(shelf.rows()) - shelf.each
    with sqlite3.connect(shelf.layout.root / CATALOG) as database:
        for trigger in [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]:
            database.execute(f'DROP TRIGGER "{trigger}"')
        database.execute(f"DELETE FROM {shelf.kind} WHERE id > {kept}")
        database.execute(f"UPDATE sqlite_sequence SET seq = {kept} WHERE name = '{shelf.kind}'")
    database.close()
    shelf.add(50, 51)
    shard = Held(shelf, header, tmp_path)
    assert shard.rows() == mine(shelf)
    assert "another state" in (shard.said or "")


def note_removed(shelf: Shelf, rows: list[int]) -> None:
    """As a database notes it for the place of the shards."""
    part = "phash" if shelf.kind == "fingerprints" else shelf.layout.header().codebook
    removed = [{"kind": f"{shelf.kind}/{PLACE}", "row": row, "part": part} for row in rows]
    with shelf.catalog.write() as session:
        session.sql.execute(insert(schema.tombstones), removed)


@pytest.mark.parametrize("anew", [False, True])
def test_what_the_catalog_has_lost_is_in_no_file_once_a_shard_has_let_go_of_it(
    shelf: Shelf, header: Header, tmp_path: Path, *, anew: bool
) -> None:
    """Whether it is the shard that has saved it, or one that was made from that."""
    shard = Held(shelf, header, tmp_path / "shared")
    shard.save()
    shard = Held(shelf, header, tmp_path / "shared") if anew else shard
    note_removed(shelf, shelf.drop(1))
    assert shard.asked("forget", place=PLACE) == {"forgotten": True}
    assert files(tmp_path / "shared") == {}
    assert shard.rows() == mine(shelf)
    assert shard.save() == {"saved": True}
    assert Held(shelf, header, tmp_path / "shared").rows() == mine(shelf) == shard.rows()


def test_a_shard_that_cannot_remove_what_it_has_saved_does_not_say_that_it_has_let_go(
    shelf: Shelf, header: Header, tmp_path: Path
) -> None:
    """Until it can."""
    place, shard = tmp_path / "shared", Held(shelf, header, tmp_path / "shared")
    shard.save()
    note_removed(shelf, shelf.drop(1))
    place.rename(tmp_path / "moved")
    place.write_bytes(b"")
    assert "cannot be used" in shard.asked("forget", place=PLACE)["error"]
    place.unlink()
    (tmp_path / "moved").rename(place)
    assert shard.asked("forget", place=PLACE) == {"forgotten": True}
    assert files(place) == {}


def test_what_was_saved_by_other_shards_is_removed(shelf: Shelf, header: Header, tmp_path: Path) -> None:
    for number in (0, 1):
        Held(shelf, header, tmp_path, number).save()
    alone = Division(1, 2)
    one = Held(shelf, header, tmp_path)
    one.asked("ready", alone, through=[LAST, LAST], snapshots=str(tmp_path))
    assert one.save(alone) == {"saved": True}
    drop_snapshots(str(tmp_path), header.catalog, alone)
    assert {path.name.split(".")[0] for path in tmp_path.glob("*/shard-*")} == {"shard-1-of-1"}
    drop_snapshots(f"file://{tmp_path}", header.catalog)
    assert not list(tmp_path.glob("*/shard-*"))


@pytest.mark.parametrize("place", ["here/below", "s3://", "https://example.org/x", "file://there", ""])
def test_what_is_no_place_for_snapshots_is_refused(place: str) -> None:
    with pytest.raises(UnknownNameError, match="no place for snapshots"):
        snapshot_store(place, "x")


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ImgmatchError, match="cannot be used"):
        refuse_unless_writable(str(tmp_path / "file"), "x")
    refuse_unless_writable(str(tmp_path / "new"), "x")
    assert list((tmp_path / "new" / "x").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("shelf", [NAMES[-1]], indirect=True)
def test_snapshots_lie_in_buckets_as_in_folders(
    shelf: Shelf, header: Header, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A bucket that is not there, or a server, costs reading the catalog."""
    pytest.importorskip("moto.server", reason="moto[server], which plays S3, is not installed")
    pytest.importorskip("s3fs", reason="the extra s3 is not installed")
    for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    place = "s3://kept/some/where"
    with moto() as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(IndexUnusableError, match="cannot be used"):
            refuse_unless_writable(place, folder_of(header.catalog))
        send(port, "PUT", "/kept")
        refuse_unless_writable(place, folder_of(header.catalog))
        shard = Held(shelf, header, place)
        assert (shard.said, shard.save()) == (None, {"saved": True})
        shelf.add(4)
        again = Held(shelf, header, place)
        assert (again.said, again.rows()) == (USED, mine(shelf))
        assert again.save() == {"saved": True}
        assert len(snapshot_store(place, folder_of(header.catalog)).names()) == 3
        note_removed(shelf, shelf.drop(1))
        assert again.asked("forget", place=PLACE) == {"forgotten": True}
        assert snapshot_store(place, folder_of(header.catalog)).names() == []
        assert again.save() == {"saved": True}
    gone = Held(shelf, header, place)
    assert gone.rows() == mine(shelf)
    assert (gone.said or "").startswith(f"{NOT_USED}{place}")
