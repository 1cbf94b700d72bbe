from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import photos
import pytest
from PIL import ImageOps
from terminal import imgmatch

from imgmatch.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (160, 200)
COMMON = ("--common-accounts", "2", "--common-days", "0.5")
FORMATS = ("table", "json", "jsonl", "csv")
MANIFEST = """account,photo,name,seen_at
a17,a.jpg,Lena,2026-01-04T00:00:00Z
b2,b.jpg,"=HYPERLINK(""http://x"")",2026-01-05T00:00:00Z
c3,c.jpg,Mia,2026-01-06T00:00:00Z
d4,flat.jpg,Flat,
e5,gone.jpg,Gone,
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What a run printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def rows(self) -> list[dict[str, str]]:
        """The output as CSV."""
        return list(csv.DictReader(io.StringIO(self.out)))


def read_rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


class Terminal:
    """Runs commands in this process, against one index."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capsys = capsys

    def __call__(self, *arguments: str | Path, index: Path | None = None) -> Said:
        texts = list(map(str, arguments))
        if texts[0] not in ("hash", "compare", "demo"):
            texts += ["--index", str(index or self.home / "index")]
        self._capsys.readouterr()
        code = run(texts)
        return Said(code, *self._capsys.readouterr())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``a.jpg`` and a mirrored ``b.jpg`` are one picture; ``q.jpg`` is a copy of it."""
    home = tmp_path_factory.mktemp("cli")
    shared = photos.picture(1, SIZE)
    files = {"a": shared, "b": ImageOps.mirror(shared), "c": photos.picture(2, SIZE), "flat": photos.flat(SIZE)}
    for name, image in files.items():
        (home / f"{name}.jpg").write_bytes(photos.jpeg(image))
    (home / "q.jpg").write_bytes(photos.jpeg(shared, 40))
    (home / "nobody.jpg").write_bytes(photos.jpeg(photos.picture(9, SIZE)))
    (home / "junk.jpg").write_bytes(b"junk")
    (home / "manifest.csv").write_text(MANIFEST)
    assert run(["scan", str(home / "manifest.csv"), "--index", str(home / "index"), "--quiet"]) == 5
    return home


@pytest.fixture
def terminal(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.chdir(home)
    return Terminal(home, capsys)


# -- scan -------------------------------------------------------------------------------------------------------------


def test_a_scan_prints_its_counts_and_names_what_it_skipped(terminal: Terminal, tmp_path: Path) -> None:
    said = terminal("scan", "manifest.csv", "--format", "json", index=tmp_path / "index")
    assert said.code == 5
    record = json.loads(said.out)
    counts = [
        "added",
        "updated",
        "unchanged",
        "removed",
        "skipped",
        "passed_over",
        "kept",
        "seconds",
        "photos_per_second",
    ]
    assert list(record) == [*counts, "respelt", "lookalikes", "alike", "hints"]
    assert (record["added"], record["skipped"]) == (3, 2)
    flat, gone = sorted(said.err.splitlines())
    assert flat.startswith("skipped flat.jpg (line 5): flat: too little detail")
    assert gone == "skipped gone.jpg (line 6): missing: there is no such file"


@pytest.mark.parametrize("form", FORMATS)
def test_a_scan_speaks_every_format_and_quiet_silences_the_rest(terminal: Terminal, form: str) -> None:
    said = terminal("scan", "manifest.csv", "--format", form, "--quiet")
    assert (said.code, said.err) == (5, "")
    match form:
        case "json" | "jsonl":
            record = json.loads(said.out)
        case "csv":
            [record] = said.rows
        case _:
            record = dict(line.split() for line in said.out.splitlines())
    assert (int(record["unchanged"]), int(record["skipped"])) == (3, 2)


def test_skipped_photos_are_listed_as_csv(terminal: Terminal, tmp_path: Path) -> None:
    terminal("scan", "manifest.csv", "--skipped", tmp_path / "skipped.csv")
    flat, gone = sorted(read_rows(tmp_path / "skipped.csv"), key=lambda row: row["line"])
    assert list(flat) == ["photo", "account", "line", "reason", "detail"]
    assert (flat["photo"], flat["account"], flat["line"], flat["reason"]) == ("flat.jpg", "d4", "5", "flat")
    assert list(gone.values()) == ["gone.jpg", "e5", "6", "missing", "there is no such file"]


def test_a_scan_without_skipped_photos_still_writes_the_list(terminal: Terminal, tmp_path: Path) -> None:
    said = terminal("scan", "a.jpg", "--skipped", tmp_path / "skipped.csv", index=tmp_path / "index")
    assert said.code == 0
    assert (tmp_path / "skipped.csv").read_text() == "photo,account,line,reason,detail\n"


def test_of_many_skipped_photos_the_first_are_named_and_the_rest_counted(terminal: Terminal, tmp_path: Path) -> None:
    lines = "".join(f"a{number},gone{number}.jpg\n" for number in range(25))
    (tmp_path / "m.csv").write_text(f"account,photo\n{lines}bad\n{terminal.home / 'a.jpg'},{terminal.home / 'a.jpg'}\n")
    said = terminal("scan", tmp_path / "m.csv", index=tmp_path / "index")
    told = said.err.splitlines()
    assert len(told) == 12
    assert told[-2] == "... and 16 more; in all 25 missing, 1 bad line; --skipped FILE lists them"
    assert "25 of its 26 photos are not there, such as gone0.jpg; paths in a manifest are relative to" in told[-1]


def test_a_manifest_none_of_whose_photos_is_there_ends_with_one(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("account,photo\na,1.jpg\nb,2.jpg\n")
    said = terminal("scan", tmp_path / "m.csv", index=tmp_path / "index")
    assert (said.code, said.out) == (1, "")
    assert "none of its photos is there (2), such as 1.jpg; paths in a manifest are relative to its folder" in said.err


@pytest.mark.slow
def test_accounts_that_look_alike_and_are_spelt_otherwise_are_told(terminal: Terminal, tmp_path: Path) -> None:
    photo = terminal.home / "a.jpg"
    lines = "".join(f"{account},{photo}\n" for account in ("u1", "U1", "Zoe\u0301", "zo\u200be\u0301 "))
    (tmp_path / "m.csv").write_text(f"account,photo\n{lines}", encoding="utf-8")
    said = terminal("scan", tmp_path / "m.csv", "--format", "json", index=tmp_path / "index")
    record = json.loads(said.out)
    assert (record["respelt"], record["lookalikes"]) == (2, 2)
    assert record["alike"] == [["Zoé", "zo\u200bé"], ["u1", "U1"]]
    spelt, alike = said.err.splitlines()
    assert spelt.startswith("2 photos name their account with blanks")
    assert alike.endswith(
        r"2 sets of accounts look alike and may be one account each: 'Zo\xe9' and 'zo\u200b\xe9'; 'u1' and 'U1'"
    )
    (ring,) = json.loads(terminal("rings", "--format", "json", index=tmp_path / "index").out)
    assert sorted(map(sorted, ring["lookalikes"])) == [["U1", "u1"], ["Zoé", "zo\u200bé"]]
    assert not ring["all_alike"]
    table = terminal("rings", index=tmp_path / "index").out
    assert table.count("lookalike") == 4
    said = terminal("erase", "--account", "ZOÉ", index=tmp_path / "index")
    assert said.code == 1
    assert r"no account 'ZOÉ'; what looks like it: 'Zo\xe9', 'zo\u200b\xe9'" in said.err
    said = terminal("check", photo, "--account", "\tu1", "--format", "json", index=tmp_path / "index")
    assert {match["account"] for match in json.loads(said.out)[0]["matches"]} == {"U1", "Zoé", "zo\u200bé"}
    said = terminal("erase", "--account", "Zoe\u0301\u200b", "--format", "json", index=tmp_path / "index")
    assert (said.code, json.loads(said.out)["account"], json.loads(said.out)["photos"]) == (0, "Zoé", 1)


def test_a_mistyped_source_ends_with_one_and_makes_no_index(terminal: Terminal, tmp_path: Path) -> None:
    for source, why in (("manifst.csv", "does not exist"), ("a.jpg/x", "does not exist")):
        said = terminal("scan", source, index=tmp_path / "index")
        assert (said.code, said.out) == (1, "")
        assert why in said.err
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("who,what\na,b\n", "missing: account, photo"),
        ("account,photo,photo\n", "more than once: photo"),
        ("\xff\xfe", "found"),
    ],
)
def test_a_file_that_is_no_manifest_ends_with_one_and_says_why(
    terminal: Terminal, tmp_path: Path, text: str, why: str
) -> None:
    (tmp_path / "m.csv").write_text(text, encoding="utf-8")
    said = terminal("scan", tmp_path / "m.csv", index=tmp_path / "index")
    assert said.code == 1
    assert why in said.err
    assert said.err.count("\n") == 1


def test_bad_lines_and_paths_that_leave_the_root_are_skipped_by_line(terminal: Terminal, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "1.jpg").write_bytes((terminal.home / "a.jpg").read_bytes())
    (inside / "link.jpg").symlink_to(terminal.home / "b.jpg")
    (inside / "m.csv").write_text(
        "account,photo,seen_at,photo_id\n"
        "a,1.jpg,,p1\n"
        f"b,{terminal.home / 'b.jpg'},,p2\n"
        "c,../manifest.csv,,p3\n"
        "d,link.jpg,,p4\n"
        "e,1.jpg,soon,p5\n"
        "f,1.jpg,,p1\n"
        "g,https://example.com/x.jpg,,p6\n"
        'h,"1.jpg\n'
    )
    said = terminal(
        "scan", inside / "m.csv", "--root", inside, "--skipped", tmp_path / "s.csv", index=tmp_path / "index"
    )
    assert said.code == 5
    skipped = {row["line"]: row["reason"] for row in read_rows(tmp_path / "s.csv")}
    assert skipped == {
        "3": "refused",
        "4": "refused",
        "5": "refused",
        "6": "bad line",
        "7": "duplicate",
        "8": "refused",
        "9": "bad line",
    }
    assert terminal("scan", "manifest.csv", "--root", inside, index=tmp_path / "index").code == 1


def test_pruning_removes_what_left_the_manifest(terminal: Terminal, tmp_path: Path) -> None:
    manifest = tmp_path / "m.csv"
    rows = [f"a,{terminal.home / 'a.jpg'}", f"c,{terminal.home / 'c.jpg'}"]
    manifest.write_text("\n".join(["account,photo", *rows]))
    assert terminal("scan", manifest, index=tmp_path / "index").code == 0
    manifest.write_text("\n".join(["account,photo", rows[0]]))
    said = terminal("scan", manifest, "--prune", "--format", "json", index=tmp_path / "index")
    assert json.loads(said.out)["removed"] == 1
    manifest.write_text("account,photo\n")
    said = terminal("scan", manifest, "--prune", index=tmp_path / "index")
    assert said.code == 5
    assert "pruning by it would remove everything" in said.err
    said = terminal("scan", manifest, "--prune-all", "--format", "json", index=tmp_path / "index")
    assert (said.code, json.loads(said.out)["removed"]) == (0, 1)


def test_what_is_passed_over_is_no_reason_for_another_exit_code(terminal: Terminal, tmp_path: Path) -> None:
    """It is counted and listed, and can be taken in."""
    photos.write_accounts(
        tmp_path / "nas", {"a": {"1.jpg": photos.picture(1, SIZE)}, "@eaDir": {"t.jpg": photos.flat()}}
    )
    listed = tmp_path / "skipped.csv"
    said = terminal("scan", tmp_path / "nas", "--format", "json", "--skipped", listed, index=tmp_path / "index")
    assert (said.code, said.err, json.loads(said.out)["passed_over"]) == (0, "", 1)
    assert [(row["photo"].lstrip("'"), row["reason"]) for row in read_rows(listed)] == [("@eaDir", "passed over")]
    said = terminal("scan", tmp_path / "nas", "--include", "@eaDir", "--format", "json", index=tmp_path / "index")
    assert (said.code, json.loads(said.out)["passed_over"]) == (5, 0)


# -- check ------------------------------------------------------------------------------------------------------------


def test_a_check_prints_the_object_of_the_design(terminal: Terminal) -> None:
    said = terminal("check", "q.jpg", "--format", "jsonl")
    assert (said.code, said.err) == (0, "")
    [line] = said.lines
    assert list(line) == [
        "photo",
        "status",
        "reason",
        "accounts",
        "truncated",
        "damaged",
        "matches",
        "banks",
        "incomplete",
    ]
    assert (line["photo"], line["status"], line["accounts"], line["truncated"]) == ("q.jpg", "match", 2, False)
    match = line["matches"][0]
    assert list(match) == [
        "account", "name", "photo", "photo_id", "seen_at", "bank", "damaged",
        "kind", "score", "distance", "mirrored", "rotation", "overlap", "agreement", "negative",
        "frame", "query_frame",
    ]  # fmt: skip
    assert (match["account"], match["name"], match["photo"]) == ("a17", "Lena", "a.jpg")
    assert (match["seen_at"], match["kind"], match["mirrored"]) == ("2026-01-04T00:00:00Z", "near", False)
    assert line["matches"][1]["mirrored"] is True


@pytest.mark.parametrize("form", FORMATS)
def test_a_check_speaks_every_format_and_keeps_the_order_given(terminal: Terminal, form: str) -> None:
    queries = ("nobody.jpg", "q.jpg", "flat.jpg", "junk.jpg", "gone.jpg", "q.jpg")
    said = terminal("check", *queries, "--format", form, "--quiet")
    assert (said.code, said.err) == (5, "")
    states = ["no_match", "match", "not_searchable", "unreadable", "unreadable", "match"]
    match form:
        case "json":
            assert [one["status"] for one in json.loads(said.out)] == states
        case "jsonl":
            assert [one["photo"] for one in said.lines] == list(queries)
            assert [one["status"] for one in said.lines] == states
        case "csv":
            assert [row["query"] for row in said.rows] == [q for q in queries for _ in range(1 + (q == "q.jpg"))]
            assert said.rows[2]["name"] == '\'=HYPERLINK("http://x")'
        case _:
            heads = [line for line in said.out.splitlines() if not line.startswith("  ")]
            assert [head.split(":")[0] for head in heads] == list(queries)


def test_a_folder_and_a_manifest_stand_for_their_photos(terminal: Terminal, tmp_path: Path) -> None:
    photos.write_accounts(tmp_path / "new", {"x": {"1.jpg": photos.picture(1, SIZE), "2.jpg": photos.picture(9, SIZE)}})
    said = terminal("check", tmp_path / "new", "manifest.csv", "--format", "jsonl")
    assert said.code == 5
    assert [line["photo"] for line in said.lines] == [
        str(tmp_path / "new" / "x" / "1.jpg"),
        str(tmp_path / "new" / "x" / "2.jpg"),
        *("a.jpg", "b.jpg", "c.jpg", "flat.jpg", "gone.jpg"),
    ]
    assert said.lines[2]["matches"][0]["kind"] == "exact"


def test_an_account_is_left_out_and_a_limit_kept(terminal: Terminal) -> None:
    [line] = terminal("check", "a.jpg", "--account", "a17", "--format", "jsonl").lines
    assert [match["account"] for match in line["matches"]] == ["b2"]
    [line] = terminal("check", "a.jpg", "--limit", "1", "--format", "jsonl").lines
    assert (line["accounts"], line["truncated"], len(line["matches"])) == (2, True, 1)
    [line] = terminal("check", "q.jpg", "--max-distance", "0", "--account", "a17", "--format", "jsonl").lines
    assert "near" not in {match["kind"] for match in line["matches"]}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["q.jpg", "flat.jpg"], 0),
        (["nobody.jpg", "flat.jpg", "--fail-on-match"], 0),
        (["junk.jpg", "gone.jpg", "--fail-on-match"], 1),
        (["junk.jpg", "q.jpg"], 5),
        (["junk.jpg", "nobody.jpg", "--fail-on-match"], 5),
        (["junk.jpg", "q.jpg", "--fail-on-match"], 10),
    ],
)
def test_the_exit_code_tells_of_matches_when_asked_and_of_photos_not_read(
    terminal: Terminal, arguments: list[str], code: int
) -> None:
    assert terminal("check", *arguments).code == code


@pytest.mark.slow
def test_a_photo_comes_from_standard_input(home: Path) -> None:
    given = (home / "q.jpg").read_bytes()
    done = imgmatch("check", "-", "-", "--format", "jsonl", "--index", home / "index", stdin=given)
    assert done.code == 0
    assert [(line["photo"], line["accounts"]) for line in done.lines] == [("-", 2)] * 2, "as often as it is named"


def test_a_photo_outside_the_root_is_not_read(terminal: Terminal, tmp_path: Path) -> None:
    said = terminal("check", "q.jpg", "--root", tmp_path, "--format", "jsonl")
    assert said.code == 1
    assert said.lines[0]["status"] == "unreadable"
    assert said.lines[0]["reason"].startswith("refused: ")


def test_the_index_is_found_by_the_environment(
    terminal: Terminal, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMGMATCH_INDEX", str(home / "index"))
    monkeypatch.chdir(tmp_path)
    assert run(["status", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["photos"] >= 3
    monkeypatch.delenv("IMGMATCH_INDEX")
    monkeypatch.chdir(terminal.home)
    assert run(["status"]) == 0  # ./index


# -- the others -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_rings_speak_every_format(terminal: Terminal, form: str) -> None:
    said = terminal("rings", "--format", form)
    assert (said.code, said.err) == (0, "")
    match form:
        case "json" | "jsonl":
            [ring] = json.loads(said.out) if form == "json" else said.lines
            assert list(ring) == [
                "ring", "accounts", "groups", "first_account", "names", "opened_at", "strength", "accounts_per_day",
                "bank", "new", "changes", "joined", "left", "came_from", "went_to", "decision",
                "lookalikes", "all_alike", "version", "bank_hits",
            ]  # fmt: skip
            assert [member["account"] for member in ring["accounts"]] == ["a17", "b2"]
            assert (ring["first_account"], ring["opened_at"]) == ("a17", "2026-01-05T00:00:00Z")
        case "csv":
            assert [(row["account"], row["first"]) for row in said.rows] == [("a17", "true"), ("b2", "false")]
        case _:
            assert said.out.startswith("ring r")
            assert ": 2 accounts, 1 shared picture, since 2026-01-05\n" in said.out
            assert "wrong ties to be expected in the whole index: " in said.out


def test_rings_are_written_to_a_file_and_common_pictures_are_told_beside_it(terminal: Terminal, tmp_path: Path) -> None:
    said = terminal("rings", "--format", "jsonl", "--out", tmp_path / "rings.jsonl", *COMMON)
    assert (said.code, said.out) == (0, "")
    assert said.err == "1 common pictures tie nobody\n"
    assert (tmp_path / "rings.jsonl").read_text() == ""
    assert terminal("rings", "--format", "jsonl", *COMMON, "--quiet").err == ""
    assert terminal("rings", "--min-accounts", "3").out == "no rings\n"


@pytest.mark.parametrize("form", FORMATS)
def test_hashes_speak_every_format(terminal: Terminal, form: str) -> None:
    said = terminal("hash", "a.jpg", "--format", form, "--hasher", "pdq", "--hasher", "dhash")
    assert said.code == 0
    assert said.err.startswith("a.jpg: 160 x 200 JPEG, quality ")
    match form:
        case "json" | "jsonl":
            [record] = json.loads(said.out) if form == "json" else said.lines
        case "csv":
            [record] = said.rows
        case _:
            record = dict(line.split() for line in said.out.splitlines())
            assert list(record) == ["pdq", "dhash"]
    assert len(record["pdq"]) == len(record["dhash"]) == 64


def test_the_default_hashes_are_pdq_and_phash_and_photos_without_any_are_told(terminal: Terminal) -> None:
    said = terminal("hash", "a.jpg", "junk.jpg", "--format", "jsonl")
    assert said.code == 5
    assert list(said.lines[0])[:3] == ["photo", "pdq", "phash"]
    assert said.lines[1] == {
        "photo": "junk.jpg",
        "quality": None,
        "width": None,
        "height": None,
        "format": None,
        "reason": "unreadable: not a picture in a format imgmatch reads",
        "damaged": None,
        "frames": [],
    }
    assert said.err.splitlines()[1] == "junk.jpg: unreadable: not a picture in a format imgmatch reads"
    assert terminal("hash", "junk.jpg", "--quiet").err == ""
    assert terminal("hash", "junk.jpg").code == 1


@pytest.mark.slow
def test_a_hash_comes_from_standard_input(home: Path) -> None:
    from_file, from_input = (
        imgmatch("hash", home / "a.jpg", "-q"),
        imgmatch("hash", "-", "-q", stdin=(home / "a.jpg").read_bytes()),
    )
    assert from_file.out == from_input.out != ""
    assert (from_input.code, from_input.err) == (0, "")


@pytest.mark.parametrize("form", FORMATS)
def test_a_comparison_speaks_every_format(terminal: Terminal, form: str) -> None:
    said = terminal("compare", "q.jpg", "b.jpg", "--format", form)
    assert said.code == 0
    match form:
        case "json" | "jsonl":
            record = json.loads(said.out)
            assert list(record)[:4] == ["query", "stored", "match", "query_damaged"]
            assert (record["match"], record["mirrored"]) == (True, True)
        case "csv":
            assert (said.rows[0]["match"], said.rows[0]["mirrored"]) == ("true", "true")
        case _:
            assert "mirrored        True\n" in said.out


def test_a_comparison_tells_of_a_match_by_its_exit_code_when_asked(terminal: Terminal) -> None:
    assert terminal("compare", "q.jpg", "a.jpg", "--fail-on-match").code == 10
    assert terminal("compare", "q.jpg", "c.jpg", "--fail-on-match").code == 0
    said = terminal("compare", "q.jpg", "gone.jpg")
    assert (said.code, said.err) == (1, "imgmatch: missing: gone.jpg: there is no such file\n")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("command", ["status", "rebuild"])
def test_status_and_rebuild_speak_every_format(terminal: Terminal, command: str, form: str) -> None:
    said = terminal(command, "--format", form)
    assert (said.code, said.err) == (0, "")
    match form:
        case "json" | "jsonl":
            record = json.loads(said.out)
            counts = ("photos", "accounts", "fingerprints", "skipped", "generation", "format")
            assert all(isinstance(record[name], int) for name in counts)
            assert record["hashers"] == ["phash", "pdq"]
        case "csv":
            assert said.rows[0]["snapshot"] == "ok"
        case _:
            assert "hashers" in said.out
            assert "phash, pdq\n" in said.out


@pytest.mark.parametrize("which", ["snapshot", "features_snapshot"])
def test_the_status_finds_a_cut_engine_file_at_a_glance_and_an_altered_one_when_it_is_to_verify(
    terminal: Terminal, tmp_path: Path, which: str
) -> None:
    def told(*options: str) -> tuple[str, str]:
        said = terminal("status", *options, "--format", "json", index=index)
        assert said.code == 0
        assert ("imgmatch rebuild" in said.err) == ('": "damaged"' in said.out)
        record = json.loads(said.out)
        return record.pop(which), record["features_snapshot" if which == "snapshot" else "snapshot"]

    index = tmp_path / "index"
    terminal("scan", "manifest.csv", index=index)
    (path,) = index.glob("phash.*" if which == "snapshot" else "features.*")
    whole = path.read_bytes()
    last = whole.rindex(b"PK\3\4") - 1  # the token follows on the last code
    path.write_bytes(whole[:last] + bytes([whole[last] ^ 1]) + whole[last + 1 :])
    assert (told(), told("--verify")) == (("ok", "ok"), ("damaged", "ok"))
    path.write_bytes(whole[:-1])
    assert (told(), told("--verify")) == (("damaged", "ok"), ("damaged", "ok"))
    path.unlink()
    assert (told(), told("--verify")) == (("missing", "ok"), ("missing", "ok"))
    terminal("rebuild", index=index)
    assert told() == told("--verify") == ("ok", "ok")


def test_an_index_with_files_of_another_one_says_so_and_goes_on(terminal: Terminal, tmp_path: Path) -> None:
    for name in ("one", "other"):
        terminal("scan", "manifest.csv", index=tmp_path / name)
    shutil.copy(tmp_path / "other" / "index.json", tmp_path / "one" / "index.json")
    said = terminal("check", "q.jpg", index=tmp_path / "one")
    assert said.code == 0
    assert said.err.startswith(f"index {tmp_path / 'one'}: index.json is of another catalog; ")
    assert said.err.endswith("; engine files are made anew from the catalog\n")
    assert terminal("check", "q.jpg", index=tmp_path / "one").err == ""


@pytest.mark.parametrize("form", FORMATS)
def test_an_erasure_speaks_every_format(terminal: Terminal, tmp_path: Path, form: str) -> None:
    index = tmp_path / "index"
    terminal("scan", "manifest.csv", index=index)
    said = terminal("erase", "--account", "c3", "--format", form, index=index)
    assert (said.code, said.err) == (0, "")
    match form:
        case "json" | "jsonl":
            record = json.loads(said.out)
            assert (record["account"], record["photos"], record["traces"]) == ("c3", 1, 0)
            assert record["searched_for"] > 4
        case "csv":
            assert said.rows[0]["traces"] == "0"
        case _:
            assert "traces          0\n" in said.out
    again = terminal("erase", "--account", "c3", index=index)
    assert (again.code, again.err) == (1, f"imgmatch: index {index} has no account 'c3'\n")
    assert terminal("check", "c.jpg", index=index).out == "c.jpg: no match\n"


@pytest.mark.slow
def test_one_photo_is_erased_by_its_id(terminal: Terminal, tmp_path: Path) -> None:
    index = tmp_path / "index"
    terminal("scan", "manifest.csv", index=index)
    [line] = terminal("check", "a.jpg", "--format", "jsonl", index=index).lines
    photo_id = line["matches"][0]["photo_id"]
    assert terminal("erase", "--photo-id", photo_id, index=index).code == 0
    [line] = terminal("check", "a.jpg", "--format", "jsonl", index=index).lines
    assert [match["account"] for match in line["matches"]] == ["b2"]
    assert terminal("erase", "--photo-id", photo_id, index=index).code == 1


def test_a_page_holds_every_photo_asked_about_and_the_pictures_of_its_matches(terminal: Terminal) -> None:
    said = terminal("check", "q.jpg", "nobody.jpg", "junk.jpg", "--format", "html")
    assert said.code == 5
    assert said.out.startswith("<!doctype html>")
    assert said.out.count("data:image/jpeg;base64,") >= 3
    assert "q.jpg" in said.out
    assert "nobody.jpg" in said.out


def test_a_comparison_is_drawn_on_a_page(terminal: Terminal) -> None:
    said = terminal("compare", "q.jpg", "a.jpg", "--format", "html", "--fail-on-match")
    assert (said.code, said.err) == (10, "")
    assert said.out.count("data:image/jpeg;base64,") == 2
    assert "</html>" in said.out


@pytest.mark.parametrize("form", FORMATS)
def test_a_forecast_speaks_every_format_and_changes_nothing(terminal: Terminal, form: str) -> None:
    said = terminal("calibrate", "--sample", "2", "--checks", "500", "--format", form)
    assert (said.code, said.err) == (0, "")
    assert "500" in said.out
    if form == "json":
        assert json.loads(said.out)["checks"] == 500


def test_pairs_that_cannot_be_read_are_named_and_too_few_are_refused(terminal: Terminal) -> None:
    (terminal.home / "pairs.csv").write_text("query,stored,copy\nq.jpg,a.jpg,yes\nq.jpg,b.jpg,maybe\n")
    said = terminal("calibrate", terminal.home / "pairs.csv", "--sample", "1")
    assert said.code == 1
    assert "pairs.csv: line 3" in said.err
    assert "at least 10 of each" in said.err


@pytest.mark.slow
def test_a_scan_says_how_deep_it_goes(terminal: Terminal, tmp_path: Path) -> None:
    index = tmp_path / "index"
    terminal("scan", "manifest.csv", "--depth", "fingerprint", index=index)
    assert json.loads(terminal("status", "--format", "json", index=index).out)["features"] == 0
    scanned = json.loads(terminal("scan", "manifest.csv", "--no-thumbnails", "--format", "json", index=index).out)
    assert scanned["updated"] == 3
    status = json.loads(terminal("status", "--format", "json", index=index).out)
    assert (status["features"], status["features_snapshot"]) == (3, "ok")
