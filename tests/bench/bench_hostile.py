"""What hostile input costs: ``make bench NAME=hostile``.

The command line scans two folders of malformed files, then each trial of ../shared/trials/hostile in an index of its
own. Said is what came of it: exit code, answers by reason, processor time of the command and of its workers, peak
memory of each, and the last line it printed. Each file is also described alone, to name the slowest. ``--quick`` leaves
out the 2,000 near copies. Linux only: peaks are read from /proc.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import PHOTOS, QUICK, SHARED, print_figures, say

from imgmatch.describing.messages import Job
from imgmatch.describing.pool import WorkerPool
from imgmatch.describing.settings import Settings
from imgmatch.model import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

TRIALS = SHARED / "trials" / "hostile"
FOLDERS = ("hostile", "formats")
COPIES = 2_000
PAUSE = 0.02
"""Seconds between two looks at the memory of a command."""

LONGEST = 600.0


@dataclass
class Peaks:
    """The most memory that a process, and any of its children, had in hand, in MiB."""

    parent: float = 0.0
    worker: float = 0.0
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self, pid: int) -> None:
        """Look again and again until it is over."""
        while not self.over.wait(PAUSE):
            self.parent = max(self.parent, _peak(pid))
            self.worker = max([self.worker, *map(_peak, _children(pid))])


def _peak(pid: int) -> float:
    with suppress(OSError, ValueError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
    return 0.0


def _children(pid: int) -> list[int]:
    """Of all its threads: workers are children of the thread that started them."""
    found: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (thread / "children").read_text(encoding="ascii").split()]
    return found


def command(*arguments: str, cwd: Path) -> dict[str, Any]:
    """Run ``imgmatch`` and say what came of it."""
    peaks, started = Peaks(), time.perf_counter()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen([sys.executable, "-m", "imgmatch", *arguments], cwd=cwd, stdout=out, stderr=err)
        killer = threading.Timer(LONGEST, process.kill)
        watch = threading.Thread(target=peaks.watch, args=(process.pid,))
        killer.start()
        watch.start()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        killer.cancel()
        peaks.over.set()
        watch.join()
        err.seek(0)
        said = err.read().decode(errors="replace").strip().splitlines()
        out.seek(0)
        printed = out.read()
    return {
        "exit": process.returncode,
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "parent_peak_mib": round(peaks.parent),
        "worker_peak_mib": round(peaks.worker),
        "says": said[-1][:160] if said else "",
        "printed_bytes": len(printed),
    }


def scanned(source: str, place: Path, *options: str) -> dict[str, Any]:
    """A scan of one source into an index of its own, with what was skipped, by reason."""
    skips = place / "skips.csv"
    figures = command(
        "scan", source, "--index", "index", "--skipped", str(skips), "--format", "json", *options, cwd=place
    )
    with skips.open(encoding="utf-8", newline="") as file:
        figures["skipped"] = dict(Counter(row["reason"] for row in csv.DictReader(file)))
    return figures


def run() -> dict[str, Any]:
    return {
        "folders": {name: in_place(partial(scanned, str(SHARED / name))) for name in FOLDERS},
        "slowest": slowest(),
        "trials": {name: told(name, case) for name, case in CASES.items() if not (QUICK and name in LONG)},
    }


def told(name: str, case: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    say(name)
    return in_place(case)


def in_place(case: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """Run a case in an empty folder with ten photos in it."""
    with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as temporary:
        place = Path(temporary)
        (place / "photos").mkdir()
        for number, photo in enumerate(sorted((PHOTOS / "phone").glob("*.jpg"))[:10]):
            shutil.copy(photo, place / "photos" / f"{number}.jpg")
        return case(place)


def slowest() -> list[dict[str, Any]]:
    """The five files that take longest, each described alone."""
    files = sorted(path for name in FOLDERS for path in (SHARED / name).rglob("*") if path.is_file())
    times = []
    with WorkerPool(1, Settings()) as pool:
        list(pool.describe(files[:1], Job))  # it loads its libraries
        for file in files:
            started = time.perf_counter()
            [(_, reply)] = pool.describe([file], Job)
            times.append((time.perf_counter() - started, file, reply))
    times.sort(key=lambda one: -one[0])
    return [
        {
            "file": str(file.relative_to(SHARED)),
            "seconds": round(seconds, 2),
            "answer": str(reply.reason) if isinstance(reply, Failure) else "used",
        }
        for seconds, file, reply in times[:5]
    ]


def trial(name: str) -> Callable[[Path], dict[str, Any]]:
    """Scan the one file of a trial, beside a folder of good photos."""

    def case(place: Path) -> dict[str, Any]:
        [file] = [path for path in (TRIALS / name).iterdir() if path.suffix not in {"", ".py", ".sh"}]
        shutil.copy(file, place)
        return scanned(file.name, place)

    return case


def made(script: str, *arguments: str, gives: str) -> Callable[[Path], dict[str, Any]]:
    """Scan what a script of a trial makes."""

    def case(place: Path) -> dict[str, Any]:
        with (place / "printed").open("w", encoding="utf-8") as out:
            subprocess.run([sys.executable, TRIALS / script, *arguments], cwd=place, stdout=out, check=True)
        if gives == "h.csv":
            (place / "printed").rename(place / gives)
        return scanned(gives, place)

    return case


def redirected(place: Path) -> dict[str, Any]:
    """Photos at a server that redirects to what is no URL."""

    class Redirect(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", "http://[::1")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 -- the name that the server looks for

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Redirect) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        lines = f"account,photo\na,http://127.0.0.1:{server.server_port}/x\nb,photos/0.jpg\n"
        (place / "m.csv").write_text(lines, encoding="utf-8")
        figures = scanned("m.csv", place, "--allow-private")
        server.shutdown()
    return figures


def linked(place: Path) -> dict[str, Any]:
    """A new index where a link waits for what will be written."""
    (place / "victim").write_text("precious", encoding="utf-8")
    (place / "index").mkdir()
    (place / "index" / "index.json.new").symlink_to(place / "victim")
    figures = command("scan", "photos", "--index", "index", cwd=place)
    return figures | {"victim_is_whole": (place / "victim").read_text(encoding="utf-8") == "precious"}


def near_copies(place: Path) -> dict[str, Any]:
    """Rings of 2,000 near copies of one photo on as many accounts."""
    script = TRIALS / "rings-near-copies" / "near.py"
    subprocess.run([sys.executable, script, str(COPIES)], cwd=place, check=True)
    scan = command("scan", f"near{COPIES}", "--index", "index", "--quiet", cwd=place)
    rings = command("rings", "--index", "index", "--format", "json", "--out", "rings.json", cwd=place)
    found = json.loads((place / "rings.json").read_text(encoding="utf-8"))
    return {"scan": scan, "rings": rings, "rings_found": [len(ring["accounts"]) for ring in found]}


CASES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "csv-quotes": trial("csv-quotes"),
    "many-columns": made("many-columns/make.py", gives="h.csv"),
    "parquet-bomb": trial("parquet-bomb"),
    "parquet-column-name": trial("parquet-column-name"),
    "redirect": redirected,
    "symlink-new": linked,
    "tar-bz2-bomb": trial("tar-bz2-bomb"),
    "tar-chain": trial("tar-chain"),
    "tar-global-pax": made("tar-global-pax/gp.py", gives="gpax20.tar.gz"),
    "zip-lzma": trial("zip-lzma"),
    "rings-near-copies": near_copies,
}
LONG = {"rings-near-copies"}


if __name__ == "__main__":
    print_figures("hostile", run)
