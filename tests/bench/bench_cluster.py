"""An index in a folder beside one in PostgreSQL: the same answers, and what they cost.

One after the other, both on this machine: photos are scanned, rings are found, photos are checked one by one. Then ten
processes write and fifty read for a while (``--minutes 10``), the index goes from the folder to the database and back
(``--copied 100000`` drawn photos), and sizes are compared. ``--only writers`` leaves out all but those who write and
read (``--writers 10 --readers 50``). The server is one of its own, with the settings that PostgreSQL comes with: every
commit is on the disk.

What Ray adds follows: work on its slots beside local workers (`bench_ray`), a check through shards beside one without
(`bench_shards`), and the same answers while nodes are killed (`bench_shards_same`), with their own options.
``--only postgresql`` leaves these out. Prints one line of JSON.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_writers import manifest, option
from common import QUICK, print_figures, say, spread
from cropped import crops
from postgresql_server import Server, database_of, running
from scale_index import fill
from sqlalchemy import Engine, event

from imgmatch.catalog import copying
from imgmatch.catalog.decisions import read_decisions
from imgmatch.errors import ImgmatchError
from imgmatch.formats.records import check_record, ring_record
from imgmatch.index import Index
from imgmatch.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgmatch.homes import Home

WRITERS = int(option("--writers", "2" if QUICK else "10"))
READERS = int(option("--readers", "5" if QUICK else "50"))
CHECKS = 20 if QUICK else 200
ONLY = option("--only", "")
ON_RAY = ("ray", "shards", "shards_same")
"""Other benchmarks, imported when their turn comes: the processes that write and read need no Ray."""


def run() -> dict[str, Any]:
    figures = postgresql()
    return figures if ONLY else figures | {name: import_module(f"bench_{name}").run() for name in ON_RAY}


def postgresql() -> dict[str, Any]:
    count = int(option("--photos", "200" if QUICK else "2000"))
    with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as temporary, running(durable=True) as server:
        place = Path(temporary)
        say("drawing photos")
        drawn = crops(place / "photos", count)
        source = manifest(place, "known", drawn)
        if ONLY == "writers":
            return {"photos": count, "writers": writers_and_readers(scanned(server, source), count)}
        homes: dict[str, Home] = {"folder": place / "index", "postgresql": server.database()}
        sides = {name: side(name, home, source, drawn) for name, home in homes.items()}
        answers = {name: one.pop("answers") for name, one in sides.items()}
        return {
            "photos": count,
            "same_answers": answers["folder"] == answers["postgresql"],
            **sides,
            "bytes_per_photo": sizes(place / "index", server, str(homes["postgresql"]), count),
            "writers": writers_and_readers(str(homes["postgresql"]), count),
            "copied": copied(place, server),
        }


def scanned(server: Server, source: str) -> str:
    """A database whose photos have been scanned and run."""
    url = server.database()
    with Index.open(url, create=True, workers=2) as index:
        say("scan and rings")
        index.scan([source])
        index.rings()
    return url


def side(name: str, home: Home, source: str, drawn: Sequence[Path]) -> dict[str, Any]:
    """One home: what it costs, and what it answers."""
    with Index.open(home, create=True, workers=2) as index:
        say(f"{name}: scan")
        began = time.perf_counter()
        index.scan([source])
        scanned = time.perf_counter() - began
        say(f"{name}: rings")
        began = time.perf_counter()
        rings = [ring_record(ring) for ring in index.rings().rings]
        joined = time.perf_counter() - began
        index.rebuild()
        say(f"{name}: checks")
        chosen = random.Random(1).sample(list(drawn), min(CHECKS, len(drawn)))
        index.check(chosen[0])
        waits, found = list[float](), list[Any]()
        with counted() as statements, counted("begin") as transactions:
            for photo in chosen:
                began = time.perf_counter()
                found.append(check_record(index.check(photo)))
                waits.append(1_000 * (time.perf_counter() - began))
        return {
            "scan_photos_per_second": round(len(drawn) / scanned, 1),
            "rings_seconds": round(joined, 2),
            "check_ms": spread(waits),
            "statements_per_check": round(len(statements) / len(chosen), 1),
            "transactions_per_check": round(len(transactions) / len(chosen), 1),
            "answers": (rings, found),
        }


@contextmanager
def counted(what: str = "before_cursor_execute") -> Iterator[list[str]]:
    """Every statement that is run meanwhile, or what else SQLAlchemy tells of."""
    heard: list[str] = []

    def note(*arguments: Any) -> None:  # noqa: ANN401 -- as SQLAlchemy calls it
        heard.append(what if len(arguments) < 3 else arguments[2])

    event.listen(Engine, what, note)
    try:
        yield heard
    finally:
        event.remove(Engine, what, note)


def sizes(folder: Path, server: Server, url: str, count: int) -> dict[str, int]:
    kept = sum(file.stat().st_size for file in folder.glob("catalog.sqlite3*"))
    database = int(server.say(f"SELECT pg_database_size('{database_of(url)}')"))
    empty = int(server.say("SELECT pg_database_size('template1')"))
    return {"folder": round(kept / count), "postgresql": round((database - empty) / count)}


# -- many at once ---------------------------------------------------------------------------------------------------


def writers_and_readers(url: str, photos: int) -> dict[str, Any]:
    """Ten who decide and fifty who read, each a process of its own; what was acknowledged is looked for afterwards."""
    minutes = float(option("--minutes", "0.2" if QUICK else "10"))
    say(f"{WRITERS} writers and {READERS} readers for {minutes:g} minutes")
    with Index.open(url) as index, index.parts.catalog.read() as session:
        before = {one.id for one in read_decisions(session)}
    tasks = [("write", number) for number in range(WRITERS)] + [("read", number) for number in range(READERS)]
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, "--task", kind, str(number), url, str(60 * minutes), str(photos)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for kind, number in tasks
    ]
    told = [json.loads(process.communicate()[0]) for process in processes]
    wrote = [one for (kind, _), one in zip(tasks, told, strict=True) if kind == "write"]
    read = [one for (kind, _), one in zip(tasks, told, strict=True) if kind == "read"]
    with Index.open(url) as index, index.parts.catalog.read() as session:
        kept = {one.id: one.reason for one in read_decisions(session) if one.id not in before}
    said = {int(number): words for one in wrote for number, words in one["made"].items()}
    return {
        "writers": WRITERS,
        "readers": READERS,
        "minutes": minutes,
        "decisions": len(said),
        "reads": sum(len(one["waits"]) for one in read),
        "lost": sum(kept.get(number) != words for number, words in said.items()),
        "not_acknowledged": len(kept.keys() - said.keys()),
        "errors": sorted({error for one in told for error in one["errors"]}),
        "decide_ms": spread([wait for one in wrote for wait in one["waits"]]),
        "decide_longest_ms": round(max((wait for one in wrote for wait in one["waits"]), default=0)),
        "read_ms": spread([wait for one in read for wait in one["waits"]] or [0.0]),
    }


def task(kind: str, number: int, url: str, seconds: float, photos: int) -> None:
    rng = random.Random(f"{kind} {number}")
    made: dict[int, str] = {}
    waits, errors = list[float](), list[str]()
    with Index.open(url) as index:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            one, other = (f"known-{each}" for each in rng.sample(range(photos), 2))
            began = time.perf_counter()
            try:
                if kind == "write":
                    words = f"{number} {len(made)}"
                    verdict = rng.choice([Verdict.DISMISS, Verdict.CONFIRM])
                    made[index.decide(verdict, pair=(one, other), by=f"w{number}", reason=words).number] = words
                else:
                    index.account(one)
            except ImgmatchError as error:
                errors.append(str(error))
            waits.append(1_000 * (time.perf_counter() - began))
            time.sleep(0.05 if kind == "write" else 0.2)
    print(json.dumps({"made": made, "waits": waits, "errors": errors}))


# -- there and back ---------------------------------------------------------------------------------------------------


def copied(place: Path, server: Server) -> dict[str, Any]:
    """An index of drawn photos goes to the database and back: how long, and whether every row is the same."""
    count = int(option("--copied", "2000" if QUICK else "100000"))
    first, back, url = place / "first", place / "back", server.database()
    with Index.create(first, workers=2) as index:
        index.scan([manifest(place, "real", crops(place / "photos", 200))])
    fill(first, count, 200)
    seconds = {}
    say(f"{count:,} photos there")
    with Index.open(first) as index:
        began = time.perf_counter()
        rows = index.copy(url).rows
        seconds["there"] = round(time.perf_counter() - began, 1)
    say("and back")
    with Index.open(url) as index:
        began = time.perf_counter()
        index.copy(back)
        seconds["back"] = round(time.perf_counter() - began, 1)
    return {"photos": count, "rows": rows, "seconds": seconds, "equal": equal(first, back)}


def equal(one: Path, other: Path) -> bool:
    with (
        Index.open(one) as first,
        Index.open(other) as second,
        first.parts.catalog.read() as here,
        second.parts.catalog.read() as there,
    ):
        return all(copying.first_difference(here, there, table) is None for table in copying.tables())


if __name__ == "__main__":
    if "--task" in sys.argv:
        kind, number, url, seconds, photos = sys.argv[sys.argv.index("--task") + 1 :]
        task(kind, int(number), url, float(seconds), int(photos))
    else:
        print_figures("cluster", run)
