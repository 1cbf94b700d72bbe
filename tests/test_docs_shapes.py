"""docs/formats.md names the fields that the commands print, no more and no less."""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from photos import picture, write_accounts

from imgmatch.cli.main import run

PAGE = Path(__file__).resolve().parents[1] / "docs" / "formats.md"


def printed(*arguments: str) -> str:
    """What a command prints; it succeeds."""
    with redirect_stdout(io.StringIO()) as out:
        assert run(arguments) == 0
    return out.getvalue()


def answer(*arguments: str) -> Any:  # noqa: ANN401 -- what JSON holds
    return json.loads(printed(*arguments, "--format", "json"))


def fields(heading: str) -> list[list[str]]:
    """The fields in the first column of each table below a heading."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n### {heading}\n")[2].partition("\n##")[0]
    tables = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)
    return [
        [field for row in table.splitlines()[2:] for field in re.findall(r"`([\w]+)`", row.split("|")[1])]
        for table in tables
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three accounts, two of which share a picture, in an index beside them."""
    folder = tmp_path_factory.mktemp("shapes")
    write_accounts(folder / "photos", {"a": {"1": picture(1)}, "b": {"1": picture(1)}, "c": {"1": picture(2)}})
    return folder


@pytest.fixture(scope="module")
def index(world: Path) -> str:
    path = str(world / "index")
    assert sorted(answer("scan", str(world / "photos"), "--index", path, "--quiet")) == sorted(fields("scan")[0])
    return path


@pytest.fixture(scope="module")
def photo(world: Path) -> str:
    return str(next(world.glob("photos/a/*")))


def test_the_fields_of_a_check_are_documented(index: str, photo: str) -> None:
    whole, match, evidence, frames = fields("check")
    (result,) = answer("check", photo, "--index", index)
    assert sorted(result) == sorted(whole)
    assert sorted(result["matches"][0]) == sorted(match + evidence + frames)
    header = next(csv.reader(io.StringIO(printed("check", photo, "--index", index, "--format", "csv"))))
    of_banks = {"bank", "purpose", "entry", "ref"}
    assert set(header) == {
        "query",
        "status",
        "reason",
        "query_damaged",
        "incomplete",
        *match,
        *evidence,
        *frames,
        *of_banks,
    }


def test_the_fields_of_a_comparison_are_documented(photo: str) -> None:
    _, _, evidence, frames = fields("check")
    assert sorted(answer("compare", photo, photo)) == sorted(fields("compare")[0] + evidence + frames)


def test_the_fields_of_a_hash_are_documented(photo: str) -> None:
    (record,) = answer("hash", photo)
    assert sorted(record) == sorted(fields("hash")[0])


def test_the_fields_of_rings_and_groups_are_documented(index: str) -> None:
    ring, group = fields("rings")
    (record,) = answer("rings", "--index", index, "--quiet")
    assert sorted(record) == sorted(ring)
    assert sorted(record["groups"][0]) == sorted(group)
    assert sorted(record["accounts"][0]) == ["account", "first_seen", "name"]
    expected = ["photo_id", "account", "photo", "seen_at", *fields("check")[2], "frame"]
    assert sorted(record["groups"][0]["photos"][0]) == sorted(expected)


def test_the_fields_of_banks_are_documented(photo: str, world: Path) -> None:
    own = str(world / "banks")
    assert printed("scan", str(world / "photos"), "--index", own, "--quiet")
    hit, bank, entry, imported = fields("bank")
    stored = {"account", "photo_id", "photo", "frame"}
    pdq = answer("hash", photo)[0]["pdq"]
    (world / "list.txt").write_text(f"pdq {pdq}\n")
    done = answer("bank", "import", "north", str(world / "list.txt"), "--index", own, "--quiet")
    assert sorted(done) == sorted(imported)
    assert [sorted(one) for one in answer("bank", "list", "--index", own)] == [sorted(bank)]
    assert [sorted(one) for one in answer("bank", "show", "north", "--index", own)] == [sorted(entry)]
    assert [set(one) for one in answer("bank", "lookup", pdq, "--index", own)] == [set(hit) - stored]
    assert [set(one) for one in answer("check", photo, "--index", own)[0]["banks"]] == [set(hit) - stored]
    (ring,) = answer("rings", "--index", own, "--quiet")
    assert [set(one) for one in ring["bank_hits"]] == [set(hit)] * 2
    assert [set(one) for one in answer("bank", "hits", "--index", own)] == [set(hit)] * 2


@pytest.mark.parametrize("command", ["status", "rebuild"])
def test_the_fields_of_a_status_are_documented(command: str, index: str) -> None:
    assert sorted(answer(command, "--index", index)) == sorted(fields("status, rebuild")[0])


def test_the_fields_of_a_calibration_are_documented(index: str) -> None:
    assert sorted(answer("calibrate", "--index", index, "--sample", "1")) == sorted(fields("calibrate")[0])


def test_the_fields_of_a_decision_are_documented(index: str) -> None:
    (ring,) = answer("rings", "--index", index, "--quiet")
    record = answer("decide", "dismiss", "--ring", ring["ring"], "--by", "ana", "--index", index)
    assert sorted(record) == sorted(fields("decide")[0])


def test_the_fields_of_an_erasure_are_documented(index: str, tmp_path: Path) -> None:
    record = answer("erase", "--account", "c", "--index", index, "--reports", str(tmp_path))
    assert sorted(record) == sorted(fields("erase")[0])
