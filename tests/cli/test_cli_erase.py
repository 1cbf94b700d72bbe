"""``imgmatch erase --reports``: which reports still show what was erased."""

from __future__ import annotations

import csv
import io
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import photos
import pytest
from terminal import can_drop_rights, imgmatch

from imgmatch.catalog.lookups import every_photo_id
from imgmatch.cli.main import run
from imgmatch.formats.reported import PAGE_DATA
from imgmatch.index import Index

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZE = (160, 200)
FORMS = ("html", "json", "jsonl", "csv")
EVIL = 'a, "b"</script><script>alert(1)</script>\'; =1'


class World:
    """Runs commands against one index; reports lie in a folder beside it."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str] | None = None) -> None:
        self.home = home
        self.reports = home / "reports"
        self.reports.mkdir(exist_ok=True)
        self._capsys = capsys
        self.err = ""

    def __call__(self, *arguments: str | Path, code: int = 0) -> str:
        if self._capsys is not None:
            self._capsys.readouterr()
        assert run([*map(str, arguments), "--index", str(self.home / "index")]) == code
        if self._capsys is None:
            return ""
        said = self._capsys.readouterr()
        self.err = said.err
        return said.out

    def scan(self, shown: Sequence[tuple[str, int, int]]) -> None:
        """Photos by account, number of the picture, and days since it was seen; the id is ``account/picture``."""
        lines = []
        for place, (account, seed, days) in enumerate(shown):
            (self.home / f"{place}.jpg").write_bytes(photos.jpeg(photos.picture(seed, SIZE)))
            seen = (datetime.now(UTC) - timedelta(days=days)).isoformat()
            line = {"account": account, "photo": f"{place}.jpg", "photo_id": f"{account}/{seed}", "seen_at": seen}
            lines.append(json.dumps(line) + "\n")
        (self.home / "m.jsonl").write_text("".join(lines))
        self("scan", self.home / "m.jsonl", "-q", "--workers", "1", "--depth", "fingerprint", "--prune")

    def report(self, name: str) -> list[Path]:
        """The rings of this moment, in every format."""
        files = [self.reports / f"{name}.{form}" for form in FORMS]
        for file, form in zip(files, FORMS, strict=True):
            self("rings", "--format", form, "--out", file, "--workers", "1", "-q")
        return files

    def erase(self, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self("erase", *arguments, "--format", "json", code=code))
        return said


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports ``one`` of the ring of picture 1, and ``two``, made when only that of picture 2 was there."""
    world = World(tmp_path_factory.mktemp("drawn"))
    first, second = [("a", 1, 200), ("b", 1, 3), (EVIL, 1, 2)], [("c", 2, 5), ("d", 2, 4)]
    world.scan(first)
    world.report("one")
    world.scan(second)
    world.report("two")
    world.scan(first + second)
    return world.home


@pytest.fixture
def world(drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> World:
    return World(Path(shutil.copytree(drawn, tmp_path / "world")), capsys)


def names(paths: Sequence[str]) -> list[str]:
    return sorted(Path(path).name for path in paths)


@pytest.mark.parametrize(
    "named", [("--account", "b"), ("--account", EVIL), ("--photo-id", "a/1"), ("--older-than", "100")]
)
def test_exactly_the_reports_that_show_what_was_erased_are_named_and_left_as_they_are(
    world: World, named: tuple[str, str]
) -> None:
    before = {path: path.read_bytes() for path in world.reports.iterdir()}
    record = world.erase(*named, "--reports", world.reports, code=1)
    assert (record["photos"], record["traces"], record["reports_read"]) == (1, 0, 8)
    assert names(record["reports_showing"]) == ["one.csv", "one.html", "one.json", "one.jsonl"]
    assert all(Path(path).is_file() for path in record["reports_showing"])
    assert world.err == "4 reports still show what was erased; imgmatch deletes none: that is for you to decide\n"
    assert {path: path.read_bytes() for path in world.reports.iterdir()} == before


def test_reports_that_do_not_show_it_leave_the_exit_code_as_it_is(world: World) -> None:
    for path in world.reports.glob("two.*"):
        path.unlink()
    record = world.erase("--account", "c", "--reports", world.reports)
    assert (record["reports_read"], record["reports_showing"], world.err) == (4, [], "")


def test_files_and_folders_can_be_given_together(world: World) -> None:
    given = [world.reports / "one.html", world.reports / "two.csv", world.reports / "two.csv"]
    record = world.erase("--account", "d", *(part for path in given for part in ("--reports", path)), code=1)
    assert (record["reports_read"], record["reports_showing"]) == (2, [str(world.reports / "two.csv")])
    assert world.err.startswith("1 report still shows what was erased;")


def test_without_reports_nothing_is_said_of_any(world: World) -> None:
    assert "reports_read" not in world.erase("--account", "c")
    assert world.err == ""


@pytest.mark.slow
def test_an_account_that_has_photos_left_may_still_be_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = World(tmp_path, capsys)
    world.scan([("a", 1, 3), ("b", 1, 2)])
    world.report("new")
    world.scan([("a", 2, 200), ("b", 2, 2), ("old", 2, 200)])
    world.report("old")
    world.scan([("a", 1, 3), ("b", 1, 2), ("a", 2, 200), ("b", 2, 2), ("old", 2, 200)])
    record = world.erase("--older-than", "100", "--reports", world.reports, code=1)
    assert record["photos"] == 2
    assert names(record["reports_showing"]) == ["old.csv", "old.html", "old.json", "old.jsonl"]
    assert world.erase("--older-than", "100", "--reports", world.reports)["reports_showing"] == []


@pytest.mark.slow
def test_an_account_with_no_photo_left_counts_though_none_of_the_report_was_erased_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(tmp_path, capsys)
    world.scan([("a", 1, 200), ("b", 1, 2)])
    world.report("before")
    world.scan([("a", 2, 200), ("b", 1, 2)])  # its photo of the report is pruned
    for named in (("--older-than", "100"), ("--account", "b")):
        assert len(world.erase(*named, "--reports", world.reports, code=1)["reports_showing"]) == 4, named


def test_a_page_of_an_older_imgmatch_is_named_and_not_taken_for_clean(world: World) -> None:
    page = world.reports / "two.html"
    page.write_text(page.read_text(encoding="utf-8").replace(PAGE_DATA, "<script>"), encoding="utf-8")
    record = world.erase("--photo-id", "a/1", "--reports", page, code=1)
    assert (record["photos"], record["reports_read"], record["reports_showing"]) == (1, 0, [])
    assert world.err.startswith(f"{page}: cannot tell what it shows: the page does not say")
    assert world.err.count("\n") == 1


def test_whatever_lies_among_the_reports_the_erasure_is_done_and_told(world: World) -> None:
    (world.reports / "loop.html").symlink_to("loop.html")
    (world.reports / "around").symlink_to(world.reports)
    (world.reports / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    (world.reports / "torn.json").write_text('[{"ring": "r1", "accounts": [')
    (world.reports / "esc\x1b[31m.csv").write_bytes(b"\xff\xfe\x00")
    (world.reports / "deep.jsonl").write_text('{"ring": ' * 100_000)
    record = world.erase("--account", "a", "--reports", world.reports, code=1)
    assert (record["photos"], record["traces"], record["reports_read"]) == (1, 0, 8)
    assert len(record["reports_showing"]) == 4
    assert [line.split(":")[0] for line in world.err.splitlines()[:-1]] == [
        f"{world.reports}/{name}" for name in ("deep.jsonl", "esc\ufffd[31m.csv", "torn.json")
    ]


@pytest.mark.slow
@pytest.mark.skipif(not can_drop_rights(), reason="the modes of files count for nothing here")
def test_a_report_or_a_folder_that_may_not_be_read_is_named(world: World) -> None:
    shut = world.reports / "shut"
    shut.mkdir(mode=0)
    (world.reports / "one.html").chmod(0)
    given = ("--index", world.home / "index", "--reports", world.reports, "--format", "json")
    done = imgmatch("erase", "--account", "c", *given, without_rights=True)
    shut.chmod(0o700)
    assert (done.code, json.loads(done.out)["reports_read"]) == (1, 7)
    assert done.err.splitlines()[:2] == [
        f"{path}: cannot tell what it shows: Permission denied" for path in (world.reports / "one.html", shut)
    ]


def test_a_path_that_is_not_there_is_wrong_usage_and_nothing_is_erased(world: World) -> None:
    assert world("erase", "--account", "a", "--reports", world.home / "reprots", code=2) == ""
    assert "does not exist" in world.err
    assert world.erase("--account", "a")["photos"] == 1


@pytest.mark.slow
def test_what_is_named_is_told_in_every_format(world: World) -> None:
    page, sheet = world.reports / "one.html", world.reports / "one.csv"
    given = ("--reports", page, "--reports", sheet)
    (row,) = csv.DictReader(io.StringIO(world("erase", "--account", "a", *given, "--format", "csv", code=1)))
    assert (row["reports_read"], json.loads(row["reports_showing"])) == ("2", [str(page), str(sheet)])
    line = json.loads(world("erase", "--account", "b", *given, "--format", "jsonl", code=1))
    assert line["reports_showing"] == [str(page), str(sheet)]
    said = world("erase", "--account", EVIL, *given, code=1)
    assert "reports_read     2\n" in said
    assert "".join(said.split("reports_showing")[1].split()) == f"{page},{sheet}"  # folded where it is long


@pytest.mark.slow
def test_reasons_that_name_it_are_listed_with_exit_code_1_until_they_are_masked(world: World) -> None:
    reason = ("--by", "ana", "--reason", "account b? or c/2, or 0.JPG")
    world("decide", "dismiss", "--pair", "c/2", "d/2", *reason)
    record = world.erase("--account", "b")
    assert (record["traces"], record["reasons"]) == (0, [])  # a name of one letter is in any text
    record = world.erase("--photo-id", "a/1", code=1)
    assert (record["traces"], record["reasons"], record["masked_reasons"]) == (0, [1], [])
    assert world.err == "reasons that still speak of it: decision 1; --mask-reasons masks them\n"
    world("decide", "dismiss", "--pair", "c/2", "d/2", "--by", "ana", "--reason", "0.jpg/3.jpg/4.jpg")
    record = world.erase("--account", "c", "--mask-reasons")
    assert (record["reasons"], record["masked_reasons"]) == ([], [2])
    assert "masked_reasons  \n" not in world("erase", "--account", "d", "--mask-reasons")


@pytest.mark.slow
def test_what_was_found_where_is_said_in_words_and_the_erasure_is_not_finished(world: World, drawn: Path) -> None:
    (world.home / "index" / "left.tmp").write_bytes(str(drawn / "0.jpg").encode())
    record = world.erase("--photo-id", "a/1", code=1)
    assert (record["traces"], record["found"], record["finished"]) == (1, {"left.tmp": {"paths": 1}}, False)
    assert world.err == "left.tmp still holds 1 paths of what was erased; erase again once that is mended\n"
    (world.home / "index" / "left.tmp").unlink()
    assert world.erase("--photo-id", "a/1")["finished"]
    assert world.err == ""


@pytest.mark.slow
def test_where_somebody_reads_an_older_state_that_is_given_as_the_cause(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgmatch.catalog.waiting._READERS_GONE", 0.6)
    (world.home / "index" / "notes.tmp").write_text(EVIL)
    with Index.open(world.home / "index") as reader, reader.parts.catalog.read() as session:
        assert every_photo_id(session)
        record = world.erase("--account", EVIL, code=1)
        assert (record["finished"], record["compacted"]) == (False, False)
        assert len(record["found"]) > 1
        mended = [line for line in world.err.splitlines() if "once that is mended" in line]
        assert [line.split()[0] for line in mended] == ["notes.tmp"]
        assert "the erasure is not finished: somebody still reads an older state of the catalog" in world.err
    (world.home / "index" / "notes.tmp").unlink()
    assert world.erase("--account", EVIL)["finished"] is True
