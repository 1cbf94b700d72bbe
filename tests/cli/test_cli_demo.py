from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import pytest
from terminal import Done, imgmatch

from imgmatch.actions.demo import MARKER
from imgmatch.demo.world import RING_PLANS
from imgmatch.formats.reported import reader

pytestmark = pytest.mark.slow

Lines = list[dict[str, str]]

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "world"


@pytest.fixture(scope="module")
def done(world: Path) -> Done:
    return imgmatch("demo", world, "--workers", "2", "--quiet")


@pytest.fixture(scope="module")
def lines(world: Path, done: Done) -> Lines:
    assert done.code == 0
    return list(csv.DictReader(io.StringIO((world / "manifest.csv").read_text(encoding="utf-8"))))


def test_every_planted_ring_is_found_exactly_and_it_is_said_where_to_look(world: Path, done: Done) -> None:
    assert (done.code, done.err) == (0, "")
    assert "4 photos skipped (damaged, empty or flat). 6 of 6 planted rings found exactly.\n" in done.out
    assert f"  imgmatch rings --index {world / 'index'} --format jsonl\n" in done.out


def test_the_rings_are_written_as_a_page_and_it_is_said_where(world: Path, done: Done) -> None:
    page = world / "rings.html"
    assert f"The rings as a page, with their photos: {page}\n" in done.out
    content = page.read_bytes()
    read, is_report = reader(content[:1000], ".html")
    assert is_report
    assert read is not None
    shows = read(content)
    rings = imgmatch("rings", "--index", world / "index", "--format", "jsonl").lines
    assert len(rings) == len(RING_PLANS)
    assert shows is not None
    assert {member["account"] for ring in rings for member in ring["accounts"]} <= shows.accounts


def test_there_is_no_ring_but_those_planted_and_the_first_account_had_its_photo_first(
    world: Path, lines: Lines
) -> None:
    seen: dict[str, datetime] = {}
    for line in lines:
        moment = datetime.fromisoformat(line["seen_at"])
        seen[line["account"]] = min(moment, seen.get(line["account"], moment))
    rings = imgmatch("rings", "--index", world / "index", "--format", "jsonl").lines
    found = sorted(len(ring["accounts"]) for ring in rings)
    assert found == sorted(gang + victims for gang, victims in RING_PLANS)
    for ring in rings:
        assert ring["first_account"] == min((member["account"] for member in ring["accounts"]), key=seen.__getitem__)


def test_the_default_avatar_is_the_one_common_picture(world: Path, done: Done, lines: Lines) -> None:
    accounts = defaultdict(set)
    for line in lines:
        accounts[hashlib.sha256((world / line["photo"]).read_bytes()).hexdigest()].add(line["account"])
    most = max(map(len, accounts.values()))
    [common] = [line for line in done.out.splitlines() if line.startswith("common picture, ties nobody: ")]
    assert common.endswith(f" on {most} accounts")


def test_the_suspect_is_found_mirrored(world: Path, done: Done) -> None:
    [head] = [line for line in done.out.splitlines() if line.startswith(f"{world / 'suspect.jpg'}: ")]
    assert head.endswith(" accounts")
    assert "mirrored" in done.out.partition(head)[2]


def test_the_readme_shows_what_a_check_of_the_suspect_prints(done: Done) -> None:
    shown = README.read_text(encoding="utf-8").partition("$ imgmatch check demo-world/suspect.jpg\n")[2]
    lines = shown.partition("\n  ...\n")[0].splitlines()
    assert len(lines) > 1
    assert set(lines[1:]) <= set(done.out.splitlines())
    assert lines[0].partition(": ")[2] in done.out


def test_a_demo_knows_its_own_folder_again(world: Path, done: Done) -> None:
    assert done.code == 0
    assert (world / MARKER).is_file()
