"""How fast photos are scanned into an index, next to ThreatExchange's PDQ on the same files, and what it costs.

Prints one line of JSON. Needs the folder ../shared; psutil and threatexchange are optional, and the line says so where
they are missing.
"""

from __future__ import annotations

import csv
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from common import QUICK, peak_mib, peer, photos_in, print_figures, say
from cropped import crops
from PIL import Image

from imgmatch.actions.scan import scan
from imgmatch.describing.messages import Job
from imgmatch.index import Index
from imgmatch.model import Depth, NewPhoto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SEED = 20
SMALL_SIZE = (400, 533)
SMALL_ROUNDS = 1 if QUICK else 5
WARM_UP = 64
"""Photos of the same size, not among those timed, that every pool sees first."""

LARGE_SIDE = 2000
LARGE_QUALITY = 88
LARGE_PHOTOS = 40 if QUICK else 150
LARGE_ROUNDS = 1 if QUICK else 3
LARGE_PEER_EVERY = 4
"""The peer takes a third of a second a large photo, so it gets every fourth."""

MEMORY_PHOTOS = 100 if QUICK else 500
MEMORY_TIMES = (1, 4, 16)
MEMORY_SIZE = (352, 480)

BUSY_PHOTOS = 400 if QUICK else 20_000

KIB = 1024


def run() -> dict[str, Any]:
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as folder:
        place = Path(folder)
        say("400 x 533")
        small = Bench(place / "small", small_photos(), WARM_UP).figures(SMALL_ROUNDS, peer_every=1)
        say(f"making photos of {LARGE_SIDE} pixels")
        photos = large_photos(place / "photos")
        say(f"{LARGE_SIDE} pixels")
        large = Bench(place / "large", photos, WARM_UP // 4).figures(LARGE_ROUNDS, peer_every=LARGE_PEER_EVERY)
        say("memory")
        memory = memory_figures(place)
        busy = busy_figures(place)
    return {
        "small": {"pixels": "400x533", "target_ratio": 2, "target_scaling": 1.8, **small},
        "large": {"pixels": f"{LARGE_SIDE} a side", "target_ratio": 12, **large},
        "memory": memory,
        "busy": busy,
    }


def busy_figures(place: Path) -> dict[str, Any]:
    """How much of both cores a long scan uses: CPU time of the parent and its two workers, of twice the time passed."""
    say(f"drawing {BUSY_PHOTOS:,} photos")
    photos = crops(place / "busy", BUSY_PHOTOS)
    return {str(depth): busy_scan(place / f"busy-{depth}", photos, depth) for depth in Depth}


def busy_scan(place: Path, photos: Sequence[Path], depth: Depth) -> dict[str, Any]:
    say(f"scanning {len(photos):,} photos, {depth}")
    started, before = time.perf_counter(), os.times()
    with Index.create(place, workers=2, depth=depth) as index:
        index.add(NewPhoto.at(path, account=path.stem) for path in photos)
        seconds = time.perf_counter() - started
    after = os.times()  # with that of the workers, which have ended
    parent, workers = (sum(after[at : at + 2]) - sum(before[at : at + 2]) for at in (0, 2))
    return {
        "photos": len(photos),
        "seconds": round(seconds, 1),
        "photos_per_second": round(len(photos) / seconds, 1),
        "busy_percent": round(100 * (parent + workers) / (2 * seconds), 1),
        "of_that_parent_percent": round(100 * parent / (2 * seconds), 1),
    }


def small_photos() -> list[Path]:
    photos = []
    for file in photos_in("phone"):
        with Image.open(file) as image:
            if image.size == SMALL_SIZE:
                photos.append(file)
    return photos


def large_photos(folder: Path) -> list[Path]:
    """Phone photos and portraits scaled up to a longer side of 2,000 pixels."""
    folder.mkdir()
    rng = random.Random(SEED)
    made = []
    for number, file in enumerate(rng.sample(photos_in("phone", "portraits"), LARGE_PHOTOS)):
        with Image.open(file) as image:
            scale = LARGE_SIDE / max(image.size)
            size = round(image.width * scale), round(image.height * scale)
            picture = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
        made.append(folder / f"{number:03}.jpg")
        picture.save(made[-1], "JPEG", quality=LARGE_QUALITY)
    return made


@dataclass(frozen=True, slots=True)
class Cost:
    """What one photo of a scan took, in milliseconds."""

    wall: float
    parent_cpu: float
    workers_cpu: float


class Bench:
    """Scans of the same photos, into a fresh index each time."""

    def __init__(self, place: Path, photos: Sequence[Path], warm_up: int) -> None:
        self._place = place
        place.mkdir()
        self._warm, self._photos = photos[:warm_up], photos[warm_up:]
        self._manifest = write_manifest(place / "photos.csv", self._photos)
        self._indexes = 0

    def figures(self, rounds: int, *, peer_every: int) -> dict[str, Any]:
        costs: dict[int, list[Cost]] = {1: [], 2: []}
        peers: list[float] = []
        hash_from_file, problem = peer_hasher()
        for number in range(rounds):
            say(f"  round {number + 1} of {rounds}")
            for workers, found in costs.items():
                found.append(self.scanned(workers))
            if hash_from_file:
                peers.append(peer_milliseconds(hash_from_file, self._photos[::peer_every]))
        one, two = (median_cost(costs[workers]) for workers in (1, 2))
        cold = {workers: self.cold_seconds(workers) for workers in (1, 2)}
        count = len(self._photos)
        figures: dict[str, Any] = {
            "photos": count,
            "rounds": rounds,
            "kib_a_photo": round(sum(file.stat().st_size for file in self._photos) / count / KIB, 1),
            "one_worker": describe_cost(one) | {"with_start_seconds": round(cold[1], 2)},
            "two_workers": describe_cost(two) | {"with_start_seconds": round(cold[2], 2)},
            "scaling": round(one.wall / two.wall, 2),
            "rescan_unchanged_photos_per_second": round(count / self.rescanned()),
        }
        if not peers:
            return figures | {"peer": problem}
        peer_ms = statistics.median(peers)
        return figures | {
            "peer": "threatexchange PdqSignal.hash_from_file, one process",
            "peer_photos": len(self._photos[::peer_every]),
            "peer_ms": round(peer_ms, 3),
            "ratio": round(peer_ms / one.wall, 2),
            "ratio_of_cpu": round(peer_ms / (one.parent_cpu + one.workers_cpu), 2) if one.workers_cpu else None,
        }

    @contextmanager
    def _index(self, workers: int) -> Iterator[Index]:
        self._indexes += 1
        with Index.create(self._place / f"index{self._indexes}", workers=workers, depth=Depth.FINGERPRINT) as index:
            yield index

    def scanned(self, workers: int) -> Cost:
        """A scan by workers that run already, written and published."""
        with self._index(workers) as index:
            warm_up(index, self._warm)
            cpu, started = cpu_seconds(), time.perf_counter()
            result = scan(index.parts, [self._manifest])
            wall, spent = time.perf_counter() - started, cpu_seconds()
            if result.added < 0.99 * len(self._photos):
                raise RuntimeError(f"the scan went wrong: {result}")
        share = 1000 / len(self._photos)
        return Cost(wall * share, (spent[0] - cpu[0]) * share, (spent[1] - cpu[1]) * share)

    def cold_seconds(self, workers: int) -> float:
        """From making the index to its being published, starting the workers included."""
        started = time.perf_counter()
        with self._index(workers) as index:
            scan(index.parts, [self._manifest])
        return time.perf_counter() - started

    def rescanned(self) -> float:
        """Seconds of a second scan of the same manifest."""
        with self._index(2) as index:
            scan(index.parts, [self._manifest])
            return min(scan(index.parts, [self._manifest]).seconds for _ in range(3))


def write_manifest(path: Path, photos: Sequence[Path]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["account", "photo"])
        writer.writerows([f"account-{number}", photo] for number, photo in enumerate(photos))
    return path


def warm_up(index: Index, photos: Sequence[Path]) -> None:
    """Start every worker and let it meet the sizes of picture to come; nothing is written."""
    for _ in index.parts.runner.describe(photos, Job):
        pass


def cpu_seconds() -> tuple[float, float]:
    """Processor time of this process and of its workers, which must be running; 0 for the workers without psutil."""
    psutil = peer("psutil")
    times = [] if isinstance(psutil, str) else [child.cpu_times() for child in psutil.Process().children()]
    return time.process_time(), sum(found.user + found.system for found in times)


def median_cost(costs: Sequence[Cost]) -> Cost:
    return sorted(costs, key=lambda cost: cost.wall)[len(costs) // 2]


def describe_cost(cost: Cost) -> dict[str, Any]:
    return {
        "ms_a_photo": round(cost.wall, 3),
        "photos_per_second": round(1000 / cost.wall, 1),
        "cpu_ms_parent": round(cost.parent_cpu, 3),
        "cpu_ms_workers": round(cost.workers_cpu, 3) if cost.workers_cpu else "psutil is not installed",
    }


def peer_hasher() -> tuple[Callable[[Path], str] | None, str]:
    """ThreatExchange's own way from a file to a PDQ, or what keeps us from it."""
    module = peer("threatexchange.signal_type.pdq.signal")
    if isinstance(module, str):
        return None, f"threatexchange is {module}"
    return module.PdqSignal.hash_from_file, ""


def peer_milliseconds(hash_from_file: Callable[[Path], str], photos: Sequence[Path]) -> float:
    started = time.perf_counter()
    for photo in photos:
        hash_from_file(photo)
    return (time.perf_counter() - started) * 1000 / len(photos)


def memory_figures(place: Path) -> dict[str, Any]:
    """How memory and disk grow with the number of photos; each size is scanned by a process of its own."""
    folder = place / "many"
    photos = many_photos(folder)
    rows = []
    for times in MEMORY_TIMES:
        manifest = write_manifest(place / f"many{times}.csv", photos[: times * MEMORY_PHOTOS])
        command = [sys.executable, __file__, "--memory", str(manifest), str(place / f"memory{times}")]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        rows.append(json.loads(done.stdout))
        say(f"  {rows[-1]}")
    first, last = rows[0], rows[-1]
    more = last["photos"] - first["photos"]
    growth = {
        f"{name}_bytes_a_photo": round((last[name] - first[name]) * KIB * KIB / more)
        for name in ("parent_peak_mib", "worker_peak_mib", "catalog_mib", "engine_mib")
        if first[name] is not None
    }
    return {"sizes": rows, **{name.replace("_mib", ""): value for name, value in growth.items()}}


def many_photos(folder: Path) -> list[Path]:
    """Different pictures, in the order in which to take them: crops of the phone photos, each set at another offset."""
    folder.mkdir()
    width, height = MEMORY_SIZE
    bases = []
    for file in small_photos()[:MEMORY_PHOTOS]:
        with Image.open(file) as image:
            bases.append(np.asarray(image.convert("RGB")))
    made = []
    for times in range(max(MEMORY_TIMES)):
        left, top = times % 4 * 16, times // 4 * 16
        for number, base in enumerate(bases):
            made.append(folder / f"{times:02}-{number:04}.jpg")
            crop = cv2.cvtColor(base[top : top + height, left : left + width], cv2.COLOR_RGB2BGR)
            made[-1].write_bytes(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())
    return made


def scan_for_memory(manifest: Path, place: Path) -> dict[str, Any]:
    """One scan in this process, and what it held at its peak."""
    with Index.create(place, workers=2, depth=Depth.FINGERPRINT) as index:
        result = scan(index.parts, [manifest])
        workers = worker_pids()
        worker_peak = max((peak for pid in workers if (peak := peak_mib(pid)) is not None), default=None)
        parent_peak = peak_mib()
        rescan = min(scan(index.parts, [manifest]).seconds for _ in range(2))
        rescan_peak = peak_mib()
        engine = index.parts.folder.header().snapshot
    return {
        "photos": result.added,
        "parent_peak_mib": parent_peak and round(parent_peak, 2),
        "parent_peak_after_rescan_mib": rescan_peak and round(rescan_peak, 2),
        "worker_peak_mib": worker_peak and round(worker_peak, 2),
        "catalog_mib": round((place / "catalog.sqlite3").stat().st_size / KIB**2, 3),
        "engine_mib": round((place / engine.file).stat().st_size / KIB**2, 3) if engine else None,
        "rescan_unchanged_photos_per_second": round(result.added / rescan),
    }


def worker_pids() -> list[int]:
    """The processes this one has started (Linux; elsewhere none are found and their memory is not told)."""
    try:
        lists = [task / "children" for task in Path("/proc/self/task").iterdir()]
        return [int(pid) for children in lists for pid in children.read_text(encoding="utf-8").split()]
    except OSError:
        return []


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        print(json.dumps(scan_for_memory(Path(sys.argv[2]), Path(sys.argv[3]))))
    else:
        print_figures("scan", run)
