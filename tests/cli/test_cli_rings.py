"""``imgmatch rings`` and ``imgmatch decide``, night after night."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import photos
import pytest

from imgmatch.cli.main import run
from imgmatch.formats.records import RING_COLUMNS
from imgmatch.index import Index
from imgmatch.model import Change

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (480, 600)


class Nights:
    """Runs commands against one index."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capsys = capsys
        self.err = ""

    def scan(self, pictures: dict[str, Any]) -> None:
        lines = []
        for day, (account, picture) in enumerate(pictures.items(), 1):
            (self.home / f"{account}.jpg").write_bytes(photos.jpeg(picture))
            lines.append(f"{account},{account}.jpg,p-{account},2026-01-{day:02}T00:00:00Z\n")
        (self.home / "m.csv").write_text("account,photo,photo_id,seen_at\n" + "".join(lines))
        self("scan", self.home / "m.csv", "-q", "--workers", "1")

    def __call__(self, *arguments: str | Path, code: int = 0) -> str:
        self._capsys.readouterr()
        assert run([*map(str, arguments), "--index", str(self.home / "index")]) == code
        said = self._capsys.readouterr()
        self.err = said.err
        return said.out

    def rings(self, *arguments: str) -> list[dict[str, Any]]:
        rings: list[dict[str, Any]] = json.loads(self("rings", "--format", "json", "--workers", "1", *arguments))
        return rings

    def count(self, name: str) -> int:
        with Index.open(self.home / "index") as index:
            return index.counts()[name]


def crop(seed: int) -> Any:  # noqa: ANN401 -- a picture
    return photos.picture(seed, SIZE).crop((60, 90, 420, 490))


@pytest.fixture
def nights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Nights:
    """Accounts a and b with a picture and a crop of it."""
    nights = Nights(tmp_path, capsys)
    nights.scan({"a": photos.picture(1, SIZE), "b": crop(1)})
    return nights


def test_a_crop_ties_accounts_and_the_evidence_is_in_every_format(nights: Nights) -> None:
    (ring,) = nights.rings()
    assert [member["account"] for member in ring["accounts"]] == ["a", "b"]
    kinds = {photo["account"]: photo["kind"] for photo in ring["groups"][0]["photos"]}
    assert "partial" in kinds.values()
    assert json.loads(nights("rings", "--format", "jsonl")) == ring
    rows = list(csv.DictReader(io.StringIO(nights("rings", "--format", "csv"))))
    assert [tuple(row) for row in rows] == [RING_COLUMNS, RING_COLUMNS]
    assert [(row["account"], row["first"], row["kind"]) for row in rows] == [
        ("a", "true", kinds["a"]),
        ("b", "false", kinds["b"]),
    ]
    text = nights("rings", "--format", "table")
    assert text.startswith(f"ring {ring['ring']}: 2 accounts, 1 shared picture, since 2026-01-02\n")
    assert nights("rings", "--min-score", "1") == "no rings\n"


def test_without_a_search_nothing_is_written_and_no_crop_is_found(nights: Nights) -> None:
    assert nights.rings("--no-search") == []
    assert (nights.count("ties"), nights("rings", "--no-search")) == (0, "no rings\n")
    (ring,) = nights.rings()
    assert nights.count("ties") > 0
    (again,) = nights.rings("--no-search")  # by what is on record
    assert again["accounts"] == ring["accounts"]
    assert nights("rings", "--new", "--no-search", code=2) == ""
    assert "--no-search writes nothing" in nights.err


def test_each_new_report_tells_only_what_has_changed_since_the_last_one(nights: Nights) -> None:
    (first,) = nights.rings("--new")
    assert (first["new"], first["changes"]) == (None, [])
    assert nights.rings("--new") == []
    (whole,) = nights.rings()
    assert (whole["ring"], whole["new"], whole["changes"]) == (first["ring"], False, [])
    nights.scan({"a": photos.picture(1, SIZE), "b": crop(1), "c": photos.picture(1, SIZE).resize((300, 375))})
    (grown,) = nights.rings()  # no report: the next one still tells of it
    assert nights.rings("--new") == [grown]
    assert (grown["ring"], grown["joined"], Change.GROWN in grown["changes"]) == (first["ring"], ["c"], True)
    assert nights.rings("--new") == []


def test_a_report_that_could_not_be_written_is_not_the_last_one(nights: Nights) -> None:
    nights("rings", "--new", "--out", nights.home / "no" / "file", code=1)
    assert len(nights.rings("--new")) == 1


def test_large_photos_that_could_not_be_read_again_are_told_unless_quiet(nights: Nights) -> None:
    nights.scan({"large": photos.picture(5, (900, 1125))})
    (nights.home / "large.jpg").unlink()
    nights("rings", "--format", "json")
    assert nights.err == "1 large photo could not be read again: parts of them were not looked for\n"


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "table"])
def test_a_decision_is_told_in_every_format(nights: Nights, form: str) -> None:
    said = nights("decide", "dismiss", "--pair", "p-a", "p-b", "--by", "ann", "--reason", "twins", "--format", form)
    expected = {"decision": 1, "verdict": "dismiss", "kind": "pair", "subject": "p-a p-b", "photos": 2}
    expected |= {"by": "ann", "reason": "twins"}
    match form:
        case "json" | "jsonl":
            record = json.loads(said)
            assert list(record) == [*expected, "decided_at", "undone_by"]
            assert record == expected | {"decided_at": record["decided_at"], "undone_by": None}
        case "csv":
            (row,) = csv.DictReader(io.StringIO(said))
            assert row == {name: str(value) for name, value in expected.items()} | {
                "decided_at": row["decided_at"],
                "undone_by": "",
            }
        case _:
            assert "verdict     dismiss\n" in said
    assert nights.rings() == []


def test_a_ring_is_confirmed_and_a_group_made_common_and_both_are_heeded(nights: Nights) -> None:
    (ring,) = nights.rings()
    nights("decide", "confirm", "--ring", ring["ring"], "--by", "ann")
    (confirmed,) = nights.rings()
    assert (confirmed["decision"], confirmed["bank"]) == ("confirm", "known-stolen")
    assert nights.count("bank_pictures") == 2
    nights("decide", "common", "--group", ring["groups"][0]["group"], "--by", "ann")
    assert nights.rings() == []
    assert nights.err == "1 common pictures tie nobody\n"
    assert (nights.count("decisions"), nights.count("bank_pictures")) == (2, 2)


@pytest.mark.parametrize(
    ("named", "why"),
    [
        (("--ring", "r0"), "has no ring 'r0'"),
        (("--group", "p-x"), "has no group 'p-x'"),
        (("--pair", "p-a", "p-x"), "has no photo 'p-x'"),
        (("--pair", "p-a", "p-a"), "a pair needs two photos"),
    ],
)
def test_what_is_not_there_cannot_be_decided_on(nights: Nights, named: tuple[str, ...], why: str) -> None:
    assert nights("decide", "confirm", *named, "--by", "ann", code=1) == ""
    assert why in nights.err
    assert nights.err.count("\n") == 1
    assert (nights.count("decisions"), nights.count("bank_pictures")) == (0, 0)


def test_without_an_index_nothing_is_decided_and_none_is_made(tmp_path: Path) -> None:
    assert run(["decide", "confirm", "--ring", "r1", "--by", "ann", "--index", str(tmp_path / "other")]) == 4
    assert not (tmp_path / "other").exists()
