"""``imgmatch bank``: each subcommand, what it prints, and what it ends with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import photos
import pytest
from banking import off, pdq
from click.testing import CliRunner
from terminal import Done, imgmatch_here

from imgmatch.cli.main import cli
from imgmatch.index import Index
from imgmatch.model import NewPhoto

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (160, 200)
IMAGE = photos.picture(1, SIZE)
VALUE = pdq(IMAGE)
BANK = {
    "name", "purpose", "owner", "enabled", "ratio", "note", "created_at", "entries", "pictures", "quarantined",
    "checkpoint",
}  # fmt: skip
ENTRY = {
    "entry", "bank", "pdq", "is_picture", "ref", "added_at", "muted_until", "quarantined_at", "opinion", "opinion_by",
    "opinion_reason", "note", "category", "tags", "uri", "metadata", "label", "modified",
}  # fmt: skip
HIT = {
    "bank", "purpose", "entry", "ref", "kind", "score", "distance", "mirrored", "rotation", "overlap", "agreement",
    "negative", "query_frame",
}  # fmt: skip
IMPORT = {
    "bank", "form", "read", "added", "updated", "unchanged", "removed", "other", "poor", "bad", "first_bad", "dry_run",
    "checkpoint",
}  # fmt: skip


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of one photo, and that beside it."""
    folder = tmp_path_factory.mktemp("bank")
    (folder / "a.jpg").write_bytes(photos.jpeg(IMAGE))
    (folder / "b.jpg").write_bytes(photos.jpeg(photos.picture(2, SIZE)))
    with Index.create(folder / "index") as index:
        index.add([NewPhoto("ann", folder / "a.jpg", "a.jpg", "p1")])
    return folder


@pytest.fixture
def folder(filled: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMGMATCH_INDEX", str(filled / "index"))
    monkeypatch.chdir(filled)
    with Index.open(filled / "index") as index:
        for bank in index.bank_lists.all():
            index.bank_lists.delete(bank.name)
    return filled


class Shell:
    """Runs commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Done:
        return imgmatch_here(self._capsys, *arguments)

    def told(self, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401 -- what JSON holds
        """What a subcommand prints as JSON."""
        done = self("bank", *arguments, "--format", "json")
        assert done.code == code, done.err
        return json.loads(done.out)


@pytest.fixture
def shell(folder: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    del folder  # where it runs
    return Shell(capsys)


def test_a_bank_is_made_listed_changed_and_removed(shell: Shell) -> None:
    made = shell.told(
        "create", "acme", "--purpose", "stolen", "--owner", "Acme", "--ratio", "0.5", "--disabled", "--note", "n"
    )
    assert made.keys() == BANK
    assert (made["purpose"], made["owner"], made["ratio"], made["enabled"], made["note"]) == (
        "stolen", "Acme", 0.5, False, "n",
    )  # fmt: skip
    changed = shell.told("change", "acme", "--name", "new", "--purpose", "common", "--ratio", "1", "--enable")
    assert changed == made | {"name": "new", "purpose": "common", "ratio": 1.0, "enabled": True}
    assert shell.told("list") == [changed]
    assert "new" in shell("bank", "list").out
    assert CliRunner().invoke(cli, ["bank", "delete", "new"], input="n\n").exception is not None
    assert shell.told("list") == [changed]
    assert CliRunner().invoke(cli, ["bank", "delete", "new"], input="y\n").exit_code == 0
    assert shell.told("list") == []
    shell.told("create", "acme")
    assert shell("bank", "delete", "acme", "--yes").code == 0
    assert shell.told("list") == []


def test_photos_and_hashes_are_added_shown_and_removed(shell: Shell) -> None:
    shell.told("create", "acme")
    added = shell.told("add", "acme", "b.jpg", "--hash", VALUE, "--note", "n", "--by", "ana")
    assert [set(one) for one in added] == [ENTRY, ENTRY]
    assert [(one["pdq"], one["is_picture"], one["label"], one["note"]) for one in added] == [
        (VALUE, False, "", "n"),
        (pdq(photos.picture(2, SIZE)), True, "b.jpg", "n"),
    ]
    assert shell.told("show", "acme") == added
    assert shell.told("show", "acme", "--limit", "1") == added[:1]
    assert shell.told("show", "acme", "--after", str(added[0]["entry"])) == added[1:]
    assert shell.told("show", "acme", str(added[1]["entry"])) == added[1]
    assert shell("bank", "remove", "acme", str(added[0]["entry"])).code == 0
    assert shell.told("show", "acme") == added[1:]


def test_photos_that_cannot_be_used_are_named_and_the_rest_is_added(shell: Shell, folder: Path) -> None:
    shell.told("create", "acme")
    (folder / "no.jpg").write_bytes(b"no photo")
    done = shell("bank", "add", "acme", "no.jpg", "b.jpg", "--format", "json")
    assert (done.code, [one["label"] for one in json.loads(done.out)]) == (5, ["b.jpg"])
    assert "no.jpg: unreadable" in done.err
    assert shell("bank", "add", "acme", "no.jpg").code == 1


def test_an_entry_is_muted_and_spoken_of(shell: Shell) -> None:
    shell.told("create", "acme")
    [entry] = shell.told("add", "acme", "--hash", VALUE)
    number = str(entry["entry"])
    assert shell.told("mute", "acme", number, "--until", "2126-01-02")["muted_until"] == "2126-01-02T00:00:00Z"
    assert shell.told("lookup", VALUE) == []
    assert shell.told("mute", "acme", number)["muted_until"] is None
    said = shell.told("say", "dismissed", "acme", number, "--reason", "a logo", "--by", "ana")
    assert (said["opinion"], said["opinion_by"], said["opinion_reason"]) == ("dismissed", "ana", "a logo")
    assert shell.told("say", "confirmed", "acme", number)["opinion"] == "confirmed"
    assert shell.told("say", "nothing", "acme", number)["opinion"] is None


def test_what_hits_is_told_by_lookup_check_rings_and_hits(shell: Shell) -> None:
    shell.told("create", "acme", "--purpose", "stolen")
    shell.told("create", "partner")
    [entry] = shell.told("add", "acme", "--hash", off(VALUE, 5))
    [theirs] = shell.told("add", "partner", "--hash", off(VALUE, 30))
    found = shell.told("lookup", VALUE)
    assert [set(one) for one in found] == [HIT, HIT]
    assert [(one["entry"], one["distance"], one["purpose"]) for one in found] == [
        (entry["entry"], 5, "stolen"),
        (theirs["entry"], 30, "partner"),
    ]
    assert shell.told("lookup", VALUE.upper(), "--bank", "partner") == found[1:]
    assert shell.told("lookup", VALUE, "--max-distance", "29") == found[:1]
    [checked] = json.loads(shell("check", "a.jpg", "--format", "json").out)
    assert checked["banks"] == found
    [ring] = json.loads(shell("rings", "--format", "json").out)
    photo = {"account": "ann", "photo_id": "p1", "photo": "a.jpg", "frame": None}
    assert ring["bank_hits"] == [one | photo for one in found]
    assert shell.told("hits") == shell.told("hits", "--account", "ann") == ring["bank_hits"]
    assert shell.told("hits", "--account", "nobody") == []
    assert f"ann a.jpg: bank partner (partner), entry {theirs['entry']}: near, 30 bits away" in shell("rings").out
    assert "bank acme (stolen)" in shell("check", "a.jpg").out


def test_hits_on_banks_are_rows_of_their_own_in_csv(shell: Shell) -> None:
    shell.told("create", "acme")
    [entry] = shell.told("add", "acme", "--hash", VALUE)
    lines = shell("check", "a.jpg", "--format", "csv").out.splitlines()
    assert lines[0].endswith("frame,query_frame,purpose,entry,ref")
    assert [line.split(",")[-3:] for line in lines[1:]] == [["", "", ""], ["partner", str(entry["entry"]), ""]]
    assert shell("bank", "hits", "--format", "csv").code == 0


def test_a_list_is_imported_and_what_cannot_be_used_is_named(shell: Shell, folder: Path) -> None:
    (folder / "list.csv").write_text(f"Hash,Id\n{VALUE},r1\nzzz,r2\n")
    columns = ("--column", "pdq=Hash", "--column", "ref=Id")
    foreseen = shell.told("import", "acme", "list.csv", *columns, "--purpose", "stolen", "--dry-run", code=5)
    assert shell.told("list") == []
    done = shell("bank", "import", "acme", "list.csv", *columns, "--purpose", "stolen", "--format", "json")
    record = json.loads(done.out)
    assert (done.code, set(record)) == (5, IMPORT)
    assert foreseen == record | {"dry_run": True}
    assert (record["form"], record["read"], record["added"], record["bad"]) == ("csv", 2, 1, 1)
    assert record["first_bad"] == [{"line": 3, "reason": record["first_bad"][0]["reason"]}]
    assert done.err.startswith("list.csv:3: A PDQ value is 64 hexadecimal digits")
    assert shell.told("list")[0]["purpose"] == "stolen"
    (folder / "list.txt").write_text(f"{off(VALUE, 40)}\n")
    again = shell.told("import", "acme", "list.txt", "--as", "hashes", "--whole")
    assert (again["added"], again["removed"]) == (1, 1)
    assert shell("bank", "import", "acme", "list.txt").code == 0


def test_only_the_first_bad_lines_are_named_and_the_others_counted(shell: Shell, folder: Path) -> None:
    (folder / "bad.csv").write_text("pdq\n" + "zzz\n" * 25)
    done = shell("bank", "import", "acme", "bad.csv")
    assert (done.code, len(done.err.splitlines())) == (5, 21)
    assert done.err.endswith("bad.csv: 5 more could not be used\n")
    assert shell("bank", "import", "acme", "bad.csv", "--quiet").err == ""


def test_a_bank_is_exported_to_standard_output_or_into_a_file(shell: Shell, folder: Path) -> None:
    shell.told("create", "acme")
    [bare, picture] = shell.told("add", "acme", "b.jpg", "--hash", VALUE)
    assert shell("bank", "export", "acme").out == f"pdq {VALUE}\npdq {picture['pdq']}\n"
    shell.told("say", "dismissed", "acme", str(bare["entry"]))
    assert shell("bank", "export", "acme", "--by", "ana").out == f"pdq {picture['pdq']}\n"
    [logged] = json.loads(shell("audit", "list", "--limit", "1", "--format", "json").out)
    assert (logged["actor"], logged["action"], logged["subject"]) == ("ana", "export", "acme: 1 entries as tx")
    done = shell("bank", "export", "acme", "--as", "stopncii", "--opinions", "--source", "us", "--out", "out.json")
    assert (done.code, done.out) == (0, "")
    [record] = json.loads((folder / "out.json").read_text())
    assert record["CSPFeedbacks"] == [{"source": "us", "feedbackValue": "NotBlocked", "tags": []}]
    assert "b.jpg" not in shell("bank", "export", "acme", "--as", "csv").out
    assert "b.jpg" in shell("bank", "export", "acme", "--as", "csv", "--with-sources").out
    shell.told("say", "nothing", "acme", str(bare["entry"]))


def test_a_bank_is_shared_with_a_key_and_imported_by_it(shell: Shell, folder: Path) -> None:
    shell.told("create", "acme")
    shell.told("add", "acme", "b.jpg")
    public = shell("bank", "key", "our.key").out.strip()
    assert public.startswith("imgmatch-ed25519:")
    assert shell("bank", "key", "our.key").out.strip() == public
    done = shell("bank", "share", "acme", "acme.shared", "--key", "our.key", "--sender", "Us")
    assert (done.code, done.err) == (0, "1 entries written to acme.shared\n")
    record = shell.told("import", "theirs", "acme.shared", "--from", public)
    assert (record["form"], record["added"], record["dry_run"]) == ("imgmatch", 1, False)
    (folder / "our.pub").write_text(public)
    assert shell.told("import", "theirs", "acme.shared", "--from", "our.pub", "--dry-run")["unchanged"] == 1
    assert shell.told("list")[1]["owner"] == "Us"


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("create", "a b"), 2, "a bank's name is letters"),
        (("create", "acme"), 1, "there is a bank 'acme' already"),
        (("create", "known-stolen"), 1, "known-stolen is filled by decisions alone"),
        (("create", "x", "--ratio", "2"), 2, "--ratio"),
        (("create", "x", "--note", "n" * 256), 2, "a note has at most 255 characters"),
        (("change", "acme"), 2, "say what is to be changed"),
        (("change", "none", "--enable"), 1, "there is no bank 'none'"),
        (("change", "acme", "--name", "-"), 2, "a bank's name is letters"),
        (("delete", "none", "--yes"), 1, "there is no bank 'none'"),
        (("show", "none"), 1, "there is no bank 'none'"),
        (("show", "acme", "7"), 1, "bank 'acme' has no entry 7"),
        (("show", "acme", "9" * 30), 1, "has no entry 9999"),
        (("show", "acme", "x"), 2, "not a valid integer"),
        (("add", "acme"), 2, "give a PHOTO, or a PDQ value with --hash"),
        (("add", "acme", "--hash", "zz"), 2, "64 lowercase hex digits"),
        (("add", "none", "--hash", "0" * 64), 1, "there is no bank 'none'"),
        (("add", "none", "b.jpg"), 1, "there is no bank 'none'"),
        (("mute", "acme", "7"), 1, "has no entry 7"),
        (("mute", "acme", "7", "--until", "soon"), 2, "--until"),
        (("say", "maybe", "acme", "7"), 2, "maybe"),
        (("say", "confirmed", "acme", "7"), 1, "has no entry 7"),
        (("remove", "acme", "7"), 1, "has no entry 7"),
        (("lookup", "zz"), 2, "64 lowercase hex digits"),
        (("lookup", "0" * 64, "--max-distance", "257"), 2, "--max-distance"),
        (("import", "acme", "none.txt"), 2, "none.txt"),
        (("import", "a b", "a.jpg", "--as", "hashes"), 2, "a bank's name is letters"),
        (("import", "known-common", "a.jpg", "--as", "hashes"), 1, "filled by decisions alone"),
        (("import", "acme", "a.jpg"), 1, "a.jpg"),
        (("import", "acme", "a.jpg", "--column", "pdq"), 2, "--column takes FIELD=HEADER"),
        (("import", "acme", "a.jpg", "--column", "no=x"), 2, "an entry has no field no"),
        (("import", "acme", "a.jpg", "--from", "none.pub"), 1, "none.pub"),
        (("import", "acme", "a.jpg", "--from", "imgmatch-ed25519:x"), 1, "44 letters"),
        (("import", "acme", "a.jpg", "--from", "x", "--whole"), 2, "--from takes nothing of a list"),
        (("export", "none"), 1, "there is no bank 'none'"),
        (("export", "acme", "--as", "ncmec"), 2, "ncmec"),
        (("share", "acme", "x.shared", "--key", "a.jpg", "--sender", "x"), 1, "a.jpg"),
        (("share", "acme", "x.shared", "--key", "none.key", "--sender", "x"), 2, "none.key"),
    ],
)
def test_what_cannot_be_done_is_said(shell: Shell, arguments: tuple[str, ...], code: int, text: str) -> None:
    shell.told("create", "acme")
    done = shell("bank", *arguments)
    assert (done.code, text in done.err) == (code, True), done.err
    assert [bank["name"] for bank in shell.told("list")] == ["acme"]
