"""Decisions by ten people while a scan and a run of rings go on: is any lost, doubled, refused; how long do they wait?

Ten processes make 1,000 decisions each on pairs of photos that the index holds, each as soon as the last one is made,
while one process scans photos, at full depth, and another runs ``rings``, again and again until the last decision is
made. What the catalog then holds is compared with what was acknowledged. ``--decisions 500`` makes fewer by each,
``--photos 400`` takes fewer than 2,000. Prints one line of JSON.
"""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from common import QUICK, print_figures, say, spread
from cropped import crops

from imgmatch.catalog.decisions import read_decisions
from imgmatch.errors import ImgmatchError
from imgmatch.index import Index
from imgmatch.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

PEOPLE = 4 if QUICK else 10
KNOWN = 0.25
"""Share of the photos that the index holds beforehand: they are what is decided on."""
ALONE = 50 if QUICK else 300
"""Decisions by one person while nothing else goes on."""
PAUSE = 0.05


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as temporary:
        place = Path(temporary)
        count = int(option("--photos", "300" if QUICK else "2000"))
        decisions = int(option("--decisions", "25" if QUICK else "1000"))
        say("drawing photos, and an index of some")
        drawn = crops(place / "photos", count)
        known = drawn[: round(KNOWN * count)]
        finished(started("scan", manifest(place, "known", known), "--workers", "2", at=place))
        finished(started("rings", at=place))
        say("one person alone")
        alone = acknowledged([person(place, "alone", ALONE, len(known))])
        say(f"{PEOPLE} people, a scan and runs of rings")
        began = time.perf_counter()
        people = [person(place, f"person-{number}", decisions, len(known)) for number in range(PEOPLE)]
        work = Work(place, drawn[len(known) :])
        while any(one.process.poll() is None for one in people):
            work.go_on()
            time.sleep(PAUSE)
        seconds = time.perf_counter() - began
        made = acknowledged(people)
        ended = work.end()
        return {
            "photos_before": len(known),
            "people": PEOPLE,
            "decisions": PEOPLE * decisions,
            "seconds_of_decisions": round(seconds, 1),
            "decisions_per_second": round(len(made["numbers"]) / seconds, 1),
            **compared(place, [alone, made]),
            "alone_ms": shown(alone["waits"]),
            "waits_ms": shown(made["waits"]),
            **ended,
        }


def option(name: str, default: str) -> str:
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default


def manifest(place: Path, name: str, photos: Sequence[Path]) -> str:
    """Each photo on an account of its own, under an id of its own."""
    with (place / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["account", "photo", "photo_id"])
        rows.writerows([f"{name}-{number}", str(path), f"{name}-{number}"] for number, path in enumerate(photos))
    return str(place / f"{name}.csv")


def started(*arguments: str, at: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "imgmatch", *arguments, "--index", str(at / "index"), "--quiet"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def finished(process: subprocess.Popen[bytes]) -> None:
    if process.wait() not in {0, 5}:
        raise SystemExit(f"{process.args!r} ended with {process.returncode}")


class Person(NamedTuple):
    """Who decides, and the file that says what was acknowledged."""

    process: subprocess.Popen[bytes]
    output: Path


class Work:
    """A scan and a run of rings, each begun again as soon as it has ended; photos come on new accounts each time."""

    def __init__(self, place: Path, photos: Sequence[Path]) -> None:
        self._place, self._photos = place, photos
        self._ended: Counter[str] = Counter()
        self._running = {"scan": self._begin("scan"), "rings": self._begin("rings")}

    def _begin(self, what: str) -> subprocess.Popen[bytes]:
        if what == "rings":
            return started("rings", at=self._place)
        path = manifest(self._place, f"scan-{self._ended['scan']}", self._photos)
        return started("scan", path, "--workers", "2", at=self._place)

    def go_on(self) -> None:
        for what, process in self._running.items():
            if process.poll() is not None:
                finished(process)
                self._ended[what] += 1
                self._running[what] = self._begin(what)

    def end(self) -> dict[str, int]:
        """Wait for what is under way; how many scans and runs there were."""
        for what, process in self._running.items():
            finished(process)
            self._ended[what] += 1
        return {f"{what}_runs": number for what, number in sorted(self._ended.items())}


def person(place: Path, name: str, decisions: int, photos: int) -> Person:
    command = [sys.executable, __file__, "--decide", name, str(place / "index"), str(decisions), str(photos)]
    output = place / f"{name}.jsonl"
    with output.open("w") as file:
        return Person(subprocess.Popen(command, stdout=file), output)


def decide(name: str, folder: str, decisions: int, photos: int) -> None:
    """Print the number of each decision once it is acknowledged, with its wait in ms; in place of one refused, why."""
    rng = random.Random(name)
    with Index.open(folder) as index:
        for number in range(decisions):
            one, other = rng.sample(range(photos), 2)
            verdict = rng.choice([Verdict.CONFIRM, Verdict.DISMISS, Verdict.COMMON])
            began = time.perf_counter()
            try:
                made = index.decide(
                    verdict, pair=(f"known-{one}", f"known-{other}"), by=name, reason=f"{name} {number}"
                )
            except ImgmatchError as error:
                print(json.dumps({"refused": str(error)}), flush=True)
            else:
                wait = 1_000 * (time.perf_counter() - began)
                print(json.dumps({"number": made.number, "said": f"{name} {number}", "wait": wait}), flush=True)


def acknowledged(people: Sequence[Person]) -> dict[str, Any]:
    found: dict[str, Any] = {"numbers": {}, "waits": [], "refused": 0}
    for one in people:
        finished(one.process)
        for line in map(json.loads, one.output.read_text().splitlines()):
            found["refused"] += "refused" in line
            with suppress(KeyError):
                found["numbers"][line["number"]] = line["said"]
                found["waits"].append(line["wait"])
    return found


def compared(place: Path, made: Sequence[dict[str, Any]]) -> dict[str, int]:
    """What was acknowledged, against what the catalog holds."""
    said = {number: words for one in made for number, words in one["numbers"].items()}
    with Index.open(place / "index") as index, index.parts.catalog.read() as session:
        kept = {one.id: one.reason for one in read_decisions(session)}
    return {
        "lost": sum(kept.get(number) != words for number, words in said.items()),
        "doubled": sum(number - 1 for number in Counter(kept.values()).values()) + len(kept.keys() - said.keys()),
        "refused": sum(one["refused"] for one in made),
    }


def shown(waits: Sequence[float]) -> dict[str, float]:
    return {**spread(waits), "max": round(max(waits), 1)}


if __name__ == "__main__":
    if "--decide" in sys.argv:
        decide(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        print_figures("writers", run)
