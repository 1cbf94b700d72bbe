"""A scan that is killed ten times at random, and the same scan left alone: do both end with the same index?

``bench_kills.py --photos 5000`` takes fewer than 50,000; ``--folder PLACE`` keeps the drawn photos. The index holds
some of the photos already; some of those have changed since, some are gone (``--prune``), and some files are no photos.
Two workers, full depth. Prints one line of JSON.
"""

from __future__ import annotations

import csv
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import QUICK, print_figures, say
from cropped import crops

from imgmatch.index import Index

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SEED = 12
KILLS = 3 if QUICK else 10
KNOWN, CHANGED, GONE, BROKEN = 0.1, 0.01, 0.01, 0.002
"""Shares of the photos: in the index beforehand, changed since, gone since, and files that are none."""
QUERIES = 20 if QUICK else 200


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as temporary:
        place = Path(option("--folder", temporary))
        count = int(option("--photos", "2000" if QUICK else "50000"))
        say("drawing photos")
        drawn = crops(place / "photos", count)
        say("two indexes of a tenth of them")
        work = Work(Path(temporary), drawn)
        left_alone, killed = Path(temporary) / "left alone", Path(temporary) / "killed"
        for index in (left_alone, killed):
            work.scan(index)
        work.changes()
        say("left alone")
        seconds = work.scan(left_alone)
        say("killed")
        kills = work.scan_killed(killed, seconds)
        say("comparing")
        return {
            "photos": count,
            "seconds_left_alone": round(seconds, 1),
            **kills,
            **compared(left_alone, killed, drawn),
        }


def option(name: str, default: str) -> str:
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default


class Work:
    """A manifest, what becomes of it, and scans of it by the command."""

    def __init__(self, place: Path, drawn: list[Path]) -> None:
        rng = random.Random(SEED)
        self._rng = rng
        known = set(rng.sample(range(len(drawn)), round(KNOWN * len(drawn))))
        changed = set(rng.sample(sorted(known), round(CHANGED * len(drawn))))
        gone = set(rng.sample(sorted(known - changed), round(GONE * len(drawn))))
        broken = set(rng.sample(sorted(set(range(len(drawn))) - known), round(BROKEN * len(drawn))))
        no_photo = place / "no-photo.jpg"
        no_photo.write_bytes(b"this is no photo")
        # A photo that has changed: its line leads to another file.
        changes = {number: drawn[(number + 1) % len(drawn)] for number in changed} | dict.fromkeys(broken, no_photo)
        left = (number for number in range(len(drawn)) if number not in gone)
        self._after = [(number, changes.get(number, drawn[number])) for number in left]
        self._manifest = place / "accounts.csv"
        written(self._manifest, ((number, drawn[number]) for number in sorted(known)))

    def changes(self) -> None:
        """What the next night finds in its place."""
        written(self._manifest, self._after)

    def scan(self, index: Path) -> float:
        started = time.perf_counter()
        code = self._started(index).wait()
        if code not in {0, 5}:
            raise SystemExit(f"a scan ended with {code}")
        return time.perf_counter() - started

    def _started(self, index: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "imgmatch", "scan", str(self._manifest), "--index", str(index)]
        return subprocess.Popen([*command, "--prune", "--quiet", "--workers", "2"], stdout=subprocess.DEVNULL)

    def scan_killed(self, index: Path, seconds: float) -> dict[str, Any]:
        """Kill the scan at ten random moments, then let it end."""
        photos_then = []
        workers: set[Path] = set()
        for number in range(KILLS):
            process = self._started(index)
            time.sleep(self._rng.uniform(0.2, seconds / KILLS))
            workers |= children_of(process)
            process.send_signal(signal.SIGKILL)
            if process.wait() != -signal.SIGKILL:
                raise SystemExit("a scan ended before it was killed")
            photos_then.append(photos_in_catalog(index))
            say(f"  killed {number + 1} times, {photos_then[-1]:,} photos written")
        time.sleep(3)
        alive = sum(worker.exists() for worker in workers)
        last = self.scan(index)
        return {"photos_after_each_kill": photos_then, "workers_left": alive, "seconds_of_the_last": round(last, 1)}


def written(path: Path, photos: Iterable[tuple[int, Path]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("account", "photo", "photo_id"))
        rows.writerows((f"account-{number // 2}", photo, f"photo-{number}") for number, photo in photos)


def photos_in_catalog(index: Path) -> int:
    with closing(sqlite3.connect(index / "catalog.sqlite3")) as connection:
        return int(connection.execute("SELECT count(*) FROM photos").fetchone()[0])


def children_of(process: subprocess.Popen[bytes]) -> set[Path]:
    """Its workers, as folders of /proc."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
    return {Path("/proc") / child for task in tasks for child in task.read_text().split()}


EVERYTHING = {
    "photos": "SELECT p.photo_id, a.account, s.key, p.label, p.path, p.seen_at, p.file_bytes, p.file_mtime_ns,"
    " p.sha256, p.width, p.height, p.format, p.quality"
    " FROM photos p JOIN accounts a ON a.id = p.account_id JOIN sources s ON s.id = p.source_id",
    "pictures": "SELECT p.photo_id, s.place, s.pixels FROM photo_pictures s JOIN photos p ON p.id = s.photo_id",
    "accounts": "SELECT account, name, first_seen, attributes FROM accounts",
    "fingerprints": "SELECT hasher, bits FROM fingerprints",
    "links": "SELECT p.photo_id, f.hasher, f.bits FROM photo_fingerprints l"
    " JOIN photos p ON p.id = l.photo_id JOIN fingerprints f ON f.id = l.fingerprint_id",
    "features": "SELECT pixels, codebook, record, thumbnail FROM features",
    "skipped": "SELECT photo_id, account, label, line, reason, detail FROM skipped",
    "row_counts": "SELECT kind, part, number FROM row_counts WHERE number",
    "orphans": "SELECT kind, row FROM orphans",
    "unfinished scans": "SELECT id FROM scans WHERE finished_at IS NULL",
}
"""All that a scan writes, without the row ids it happens to get."""


def contents(index: Path) -> Iterator[tuple[str, list[Any]]]:
    with closing(sqlite3.connect(index / "catalog.sqlite3")) as connection:
        for name, query in EVERYTHING.items():
            yield name, sorted(connection.execute(query).fetchall(), key=repr)
        yield "integrity", connection.execute("PRAGMA integrity_check").fetchall()
        yield "foreign keys", connection.execute("PRAGMA foreign_key_check").fetchall()


def compared(left_alone: Path, killed: Path, drawn: list[Path]) -> dict[str, Any]:
    """Rows of each kind in both, and how many differ; answers to queries; health."""
    rows, different = {}, {}
    for (name, one), (_, other) in zip(contents(left_alone), contents(killed), strict=True):
        rows[name] = len(one)
        if one != other:
            different[name] = len(set(map(repr, one)) ^ set(map(repr, other)))
    asked = random.Random(SEED + 1).sample(drawn, min(QUERIES, len(drawn)))
    answers = [answers_of(index, asked) for index in (left_alone, killed)]
    return {
        "rows": rows,
        "rows_that_differ": different,
        "queries": len(asked),
        "answers_that_differ": sum(one != other for one, other in zip(*answers, strict=True)),
        "matches": sum(map(len, answers[0])),
        "engine_files_current": [current(index) for index in (left_alone, killed)],
    }


def answers_of(index: Path, asked: list[Path]) -> list[list[Any]]:
    with Index.open(index, workers=2) as opened:
        return [
            [(match.photo.photo_id, match.photo.account, match.evidence) for match in result]
            for result in opened.check_many(asked)
        ]


def current(index: Path) -> bool:
    with Index.open(index) as opened:
        header = opened.parts.folder.header()
        return opened.parts.fingerprints.is_current(header) and opened.parts.features.is_current(header)


if __name__ == "__main__":
    print_figures("kills", run)
