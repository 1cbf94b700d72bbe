"""Ten million photos, fingerprints only: opening, status, memory, checks, scanning, publishing and removing.

``bench_scale.py --photos 1000000`` takes fewer; ``--folder PLACE`` keeps what was drawn there for the next run, with
all that this one adds to it. Prints one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
from bench_check import TimedPool
from common import QUICK, anonymous_mib, milliseconds, peak_mib, print_figures, resident_mib, say, spread
from cropped import crops
from scale_index import fill
from sqlalchemy import func, select

from imgmatch.catalog import schema
from imgmatch.describing.settings import Settings
from imgmatch.engines.snapshots import map_arrays
from imgmatch.index import Index
from imgmatch.model import Depth, NewPhoto

if TYPE_CHECKING:
    from collections.abc import Sequence

REAL = 2_000
ROUNDS, ROUND_PHOTOS = 3, 200 if QUICK else 4_000
SMALL = 10_000
QUERIES = 60
STATUS_RUNS = 5


def run() -> dict[str, Any]:
    if "--ask" in sys.argv:
        return asked(*map(Path, sys.argv[sys.argv.index("--ask") + 1 :][:2]))
    if "--rebuild" in sys.argv:
        return rebuilt(Path(option("--rebuild", "")))
    photos = int(option("--photos", "100000" if QUICK else "10000000"))
    with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as temporary:
        place = Path(option("--folder", temporary))
        say("drawing photos")
        pictures = crops(place / "photos", REAL + ROUNDS * ROUND_PHOTOS)
        small = made(place / f"index-{SMALL}", pictures[:REAL], SMALL)
        large = made(place / f"index-{photos}", pictures[:REAL], photos)
        return {
            "rebuild": in_a_process("--rebuild", place / f"index-{photos}"),
            "large": large | sizes(place / f"index-{photos}"),
            "open": in_a_process("--ask", place / f"index-{photos}", place / "photos"),
            "status_seconds": status_seconds(place / f"index-{photos}"),
            "scan": rates(place, photos, pictures[REAL:]),
            "publish": published(place / f"index-{photos}", pictures[:REAL]),
            "remove": removed(place / f"index-{photos}", pictures[REAL]),
            "small": small | sizes(place / f"index-{SMALL}"),
        }


def option(name: str, default: str) -> str:
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default


def in_a_process(*arguments: object) -> Any:  # noqa: ANN401 -- whatever it prints
    """The same in a process of its own, so that memory and caches are those of that work alone."""
    done = subprocess.run([sys.executable, __file__, *map(str, arguments)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def numbered(path: Path) -> NewPhoto:
    return NewPhoto.at(path, account=f"real-{path.stem}")


def made(place: Path, real: Sequence[Path], photos: int) -> dict[str, Any]:
    """An index of so many photos, some of them real."""
    if (place / "index.json").exists():
        return {"kept": True}
    with Index.create(place, workers=2, depth=Depth.FINGERPRINT) as index:
        index.add(map(numbered, real))
        say(f"writing {photos:,} drawn photos")
        count = len(index)
    filling = milliseconds(lambda: fill(place, photos - count, REAL - 100))
    return {"fill_seconds": round(filling / 1000, 1)}


def rebuilt(place: Path) -> dict[str, Any]:
    with Index.open(place) as index:
        seconds = milliseconds(index.rebuild) / 1000
        return {"seconds": round(seconds, 1), "peak_resident_mib": peak_mib()}


def sizes(place: Path) -> dict[str, Any]:
    with Index.open(place) as index:
        photos = len(index)
        header = index.parts.folder.header()
    catalog = (place / "catalog.sqlite3").stat().st_size
    engine = sum((place / name).stat().st_size for name in header.files)
    return {
        "photos": photos,
        "catalog_bytes_a_photo": round(catalog / photos, 1),
        "engine_bytes_a_photo": round(engine / photos, 1),
    }


def asked(place: Path, pictures: Path) -> dict[str, Any]:
    """Opening, memory and checks."""
    started = time.perf_counter()
    usual = Index.open(place).parts
    usual.fingerprints.current()
    opened = time.perf_counter() - started
    memory = {"opened_resident_mib": resident_mib(), "opened_anonymous_mib": anonymous_mib()}
    usual.runner.close()
    pool = TimedPool(1, Settings(usual.header.hashers))
    with Index(replace(usual, runner=pool)) as index:
        queries = sorted(pictures.glob("*.jpg"))[: QUERIES + 10]
        totals, describing, found = [], [], 0
        for number, query in enumerate(queries):
            pool.waited = 0.0
            started = time.perf_counter()
            result = index.check(query)
            totals.append((time.perf_counter() - started) * 1000)
            describing.append(pool.waited * 1000)
            found += any(match.photo.account == f"real-{query.stem}" for match in result)
            if number == 0:
                first = {"first_check_ms": round(totals[0]), "of_that_describing_ms": round(describing[0])}
        beyond = [total - waited for total, waited in zip(totals, describing, strict=True)]
        memory |= {"peak_resident_mib": peak_mib(), "anonymous_mib": anonymous_mib()}
        return {
            "open_seconds": round(opened, 2),
            "max_distance": index.parts.hasher.profile.max_distance,
            "threads": faiss.omp_get_max_threads(),
            "found": f"{found} of {len(queries)}",
            "check_ms": spread(totals[10:]),
            "describing_ms": spread(describing[10:]),
            "beyond_describing_ms": spread(beyond[10:]),
            **first,
            **memory,
            "peers": peers(index),
        }


def peers(index: Index) -> dict[str, Any]:
    """FAISS's own index over the same codes, which copies them, and SQLite's own count."""
    snapshot = index.parts.folder.header().snapshot
    if snapshot is None:
        raise ValueError("nothing was published")
    _, codes = map_arrays(index.parts.folder.snapshot_path(snapshot))
    queries = [np.ascontiguousarray(codes[at : at + 8]) for at in range(0, 200, 8)]
    ours = spread(
        milliseconds(partial(index.parts.fingerprints.search, rows, index.parts.hasher.profile.max_distance))
        for rows in queries
    )
    flat = faiss.IndexBinaryFlat(256)
    copying = milliseconds(lambda: flat.add(np.ascontiguousarray(codes)))
    theirs = spread(
        milliseconds(partial(flat.range_search, rows, index.parts.hasher.profile.max_distance + 1)) for rows in queries
    )
    with index.parts.catalog.read() as session:
        counting = milliseconds(lambda: session.sql.scalar(select(func.count()).select_from(schema.photos)))
    return {
        "search_alone_ms": ours,
        "faiss IndexBinaryFlat.range_search, ms": theirs,
        "faiss IndexBinaryFlat.add, ms": round(copying),
        "sqlite count(*) of photos, ms": round(counting),
    }


def status_seconds(place: Path) -> dict[str, float]:
    """The command from its start to its end."""
    command = [sys.executable, "-m", "imgmatch", "status", "--index", str(place)]
    times = [milliseconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(STATUS_RUNS)]
    verified = milliseconds(lambda: subprocess.run([*command, "--verify"], check=True, capture_output=True))
    return {
        "median": round(spread(times)["median"] / 1000, 2),
        "worst": round(max(times) / 1000, 2),
        "with_verify": round(verified / 1000, 2),
    }


def rates(place: Path, photos: int, pictures: Sequence[Path]) -> dict[str, Any]:
    """Photos a second into the small and the large index: the same photos in turn, two workers, starts included.

    The photos are read beforehand: whichever index came first would else wait for the disk for both. What a run before
    this one has added is taken out again.
    """
    for size in (SMALL, photos):
        with Index.open(place / f"index-{size}", depth=Depth.FINGERPRINT) as index:
            for number in range(ROUNDS):
                index.add([], source=f"round {number}", prune=True)
    found: dict[int, list[float]] = {SMALL: [], photos: []}
    for number in range(ROUNDS):
        batch = pictures[number * ROUND_PHOTOS :][:ROUND_PHOTOS]
        for path in batch:
            path.read_bytes()
        for size in (SMALL, photos) if number % 2 else (photos, SMALL):
            say(f"scanning into {size:,}")
            with Index.open(place / f"index-{size}", workers=2, depth=Depth.FINGERPRINT) as index:
                added = index.add(map(numbered, batch), source=f"round {number}")
            found[size].append(round(added.photos_per_second, 1))
    medians = {size: sorted(rounds)[ROUNDS // 2] for size, rounds in found.items()}
    return {
        "photos_per_second": {f"at {size}": rounds for size, rounds in found.items()},
        "large_to_small": round(medians[photos] / medians[SMALL], 3),
    }


def published(place: Path, real: Sequence[Path]) -> dict[str, Any]:
    """A new generation is written while another index, opened on the same folder, keeps asking."""
    with Index.open(place) as writer, Index.open(place) as reader:
        list(reader.check_many(real[:20]))
        quiet = [milliseconds(partial(reader.check, path)) for path in real[:QUERIES]]
        over, times, lost = threading.Event(), [], []

        def keep_asking() -> None:
            for path in cycle(real[:QUERIES]):
                if over.is_set():
                    return
                started = time.perf_counter()
                result = reader.check(path)
                times.append((time.perf_counter() - started) * 1000)
                if not any(match.photo.account == f"real-{path.stem}" for match in result):
                    lost.append(path)

        asking = threading.Thread(target=keep_asking)
        asking.start()
        writing = milliseconds(lambda: writer.parts.fingerprints.publish(writer.parts.folder.header()))
        time.sleep(2)  # until the reader has met the new generation
        over.set()
        asking.join()
        return {
            "publish_seconds": round(writing / 1000, 2),
            "checks_meanwhile": len(times),
            "checks_without_their_photo": len(lost),
            "check_ms_meanwhile": spread(times) | {"worst": round(max(times), 1)},
            "check_ms_before": spread(quiet),
        }


def removed(place: Path, path: Path) -> dict[str, Any]:
    """An account is erased: its rows, a generation without it, the catalog compacted."""
    say("erasing an account")
    command = [sys.executable, "-m", "imgmatch", "erase", "--account", f"real-{path.stem}", "--index", str(place)]
    seconds = milliseconds(lambda: subprocess.run(command, check=True, capture_output=True))
    with Index.open(place) as index:
        still = any(match.photo.account == f"real-{path.stem}" for match in index.check(path))
        compacting = milliseconds(index.parts.catalog.compact)
        current = index.parts.fingerprints.is_current(index.parts.folder.header())
    return {
        "erase_with_proof_seconds": round(seconds / 1000, 1),
        "of_that_compacting_about": round(compacting / 1000, 1),
        "found_after": still,
        "engine_file_exact": current,
    }


if __name__ == "__main__":
    if {"--ask", "--rebuild"} & set(sys.argv):
        print(json.dumps(run()))
    else:
        print_figures("scale", run)
