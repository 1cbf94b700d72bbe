from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import photos
import pytest

from imgmatch.catalog.decisions import read_decisions
from imgmatch.catalog.lookups import every_photo_id
from imgmatch.index import Index
from imgmatch.model import Depth, NewPhoto, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

pytestmark = [
    pytest.mark.serial,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9 on Windows"),
]

KNOWN, NEW, PICTURES = 12, 700, 30

DECIDE = """
import sys
from itertools import count
from imgmatch import Index, Verdict
name, folder = sys.argv[1:]
with Index.open(folder) as index:
    for number in count():
        pair = f"known-{number % 11}", f"known-{number % 11 + 1}"
        verdict = [Verdict.CONFIRM, Verdict.DISMISS, Verdict.COMMON][number % 3]
        made = index.decide(verdict, pair=pair, by=name, reason=f"{name} {number}")
        print(made.number, made.by, number, flush=True)
        if not sys.stdin.readline():
            break
"""


class Place:
    """An index that holds some photos, and a folder of more."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "index"
        drawn = [photos.jpeg(photos.picture(number, (80, 96))) for number in range(PICTURES)]
        for account in ("new", "other"):
            for number in range(NEW):
                path = home / account / f"a{number % 50}" / f"{number}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(drawn[number % PICTURES])
        for number in range(KNOWN):
            (home / f"{number}.jpg").write_bytes(photos.jpeg(photos.picture(100 + number // 2, (80, 96)), 70 + number))
        known = [
            NewPhoto.at(home / f"{number}.jpg", account=f"k{number}", photo_id=f"known-{number}")
            for number in range(KNOWN)
        ]
        with Index.create(self.folder, depth=Depth.FINGERPRINT) as index:
            assert index.add(known).added == KNOWN

    def scan(self, name: str = "new") -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "imgmatch", "scan", str(self.home / name), "--index", str(self.folder)]
        options = ["--depth", "fingerprint", "--workers", "1", "--quiet", "--format", "json"]
        return subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)

    def person(self, name: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", DECIDE, name, str(self.folder)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def photos(self) -> int:
        with Index.open(self.folder) as index:
            return len(index)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def under_way(place: Place, scan: subprocess.Popen[str], least: int = 1) -> None:
    """Wait until so many photos of the scan are in the index."""
    with Index.open(place.folder) as index:
        while len(index) < KNOWN + least:
            assert scan.poll() is None
            time.sleep(0.01)


def added(scan: subprocess.Popen[str]) -> int:
    output, _ = scan.communicate()
    assert scan.returncode == 0
    return int(json.loads(output)["added"])


def decide_until(ended: subprocess.Popen[str], people: Iterable[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """Have each decide in turn until the scan has ended; the number and the words of what was acknowledged."""
    made = []
    rounds = 0
    while ended.poll() is None or rounds < 3:
        for person in people:
            assert person.stdin is not None
            assert person.stdout is not None
            number, name, said = person.stdout.readline().split()
            made.append((int(number), f"{name} {said}"))
            person.stdin.write("\n")
            person.stdin.flush()
        rounds += 1
    return made


def kept(place: Place) -> list[tuple[int, str]]:
    with Index.open(place.folder) as index, index.parts.catalog.read() as session:
        return [(one.id, str(one.reason)) for one in read_decisions(session)]


def test_decisions_of_several_people_during_a_scan_are_neither_lost_nor_doubled_nor_refused(place: Place) -> None:
    scan = place.scan()
    people = [place.person(f"person{number}") for number in range(3)]
    made = decide_until(scan, people)
    assert added(scan) == NEW
    people[0].send_signal(signal.SIGKILL)  # in the midst of a decision, or after one that it did not acknowledge yet
    for person in people:
        with person:
            person.communicate()
    found = kept(place)
    assert set(made) <= set(found)
    assert len(set(found) - set(made)) <= len(people)  # each had one more under way
    assert max(Counter(words for _, words in found).values()) == 1
    assert [number for number, _ in found] == list(range(1, len(found) + 1))


def test_all_that_people_do_goes_on_at_any_moment_of_a_scan(place: Place) -> None:
    scan = place.scan()
    decided, looked, erased = 0, 0, set[str]()
    with Index.open(place.folder) as index:
        while scan.poll() is None or looked < 8:
            pair = f"known-{looked % 3}", f"known-{looked % 3 + 1}"
            index.decide(Verdict.CONFIRM, pair=pair, by="ana")
            decided += 1
            assert index.check(place.home / "0.jpg").status is Status.MATCH
            assert index.status().decisions == decided
            if looked < 6:
                one = f"known-{KNOWN - 1 - looked}"
                assert index.erase(photo_id=one).traces == 0
                erased.add(one)
            looked += 1
        assert added(scan) == NEW
        with index.parts.catalog.read() as session:
            there = set(every_photo_id(session))
        assert len(there) == KNOWN - len(erased) + NEW
        assert not there & erased


def test_scans_of_two_sources_go_on_side_by_side(place: Place) -> None:
    new, other = place.scan("new"), place.scan("other")
    assert (added(new), added(other)) == (NEW, NEW)
    assert place.photos() == KNOWN + 2 * NEW


def test_of_a_killed_scan_nothing_is_lost_and_the_next_one_takes_its_lease_over_at_once(place: Place) -> None:
    killed = place.scan()
    under_way(place, killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    there = place.photos()
    assert KNOWN < there < KNOWN + NEW
    assert added(place.scan()) == KNOWN + NEW - there
    assert place.photos() == KNOWN + NEW
