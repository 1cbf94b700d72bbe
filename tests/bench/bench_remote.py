"""How fast photos are scanned from a web server that takes 50 ms to answer, next to the same photos as local files.

Prints one line of JSON. Needs the folder ../shared, and the extra remote.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from common import PHOTOS, QUICK, photos_in, print_figures, say

from imgmatch.actions.scan import scan
from imgmatch.describing.messages import Job
from imgmatch.index import Index
from imgmatch.sources.remote import Remote
from imgmatch.sources.retrying import RemoteOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

COUNT = 100 if QUICK else 1000
WARM_UP = 32
"""Photos, not among those timed, that every pool sees first."""

LATENCY = 0.05
ROUNDS = 1 if QUICK else 3
WORKERS = 2
FOLDERS = ("phone", "portraits")


def run() -> dict[str, Any]:
    photos = photos_in(*FOLDERS)
    warm, timed = photos[:WARM_UP], photos[WARM_UP : WARM_UP + COUNT]
    server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline()) if server.stdout else 0
        with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as folder:
            place = Path(folder)
            names = {
                "local": [str(photo) for photo in timed],
                "http": [f"http://127.0.0.1:{port}/{quote(str(photo.relative_to(PHOTOS)))}" for photo in timed],
            }
            rates = measured(place, names, warm)
    finally:
        server.terminate()
        server.wait()
    best = {kind: max(found) for kind, found in rates.items() if kind != "again"}
    return {
        "photos": len(timed),
        "kib_a_photo": round(sum(photo.stat().st_size for photo in timed) / len(timed) / 1024, 1),
        "latency_ms": LATENCY * 1000,
        "fetchers": RemoteOptions().fetchers,
        "workers": WORKERS,
        "local_photos_per_second": rates["local"],
        "http_photos_per_second": rates["http"],
        "http_second_scan_photos_per_second": rates["again"],
        "ratio_of_best": round(best["http"] / best["local"], 3),
        "target_ratio": 0.8,
    }


def measured(place: Path, names: dict[str, list[str]], warm: Sequence[Path]) -> dict[str, list[float]]:
    """Photos per second of each round, the two kinds by turns; ``again`` is a scan that finds all unchanged."""
    rates: dict[str, list[float]] = {"local": [], "http": [], "again": []}
    for number in range(ROUNDS):
        for kind, found in names.items():
            manifest = written(place / f"{kind}.csv", found)
            with Index.create(place / f"{kind}{number}", workers=WORKERS) as index:
                for _ in index.parts.runner.describe(warm, Job):
                    pass
                rates[kind].append(rate(index, manifest, len(found)))
                if kind == "http":
                    rates["again"].append(rate(index, manifest, len(found)))
            say(f"  round {number + 1} of {ROUNDS}, {kind}: {rates[kind][-1]} photos a second")
    return rates


def rate(index: Index, manifest: Path, count: int) -> float:
    started = time.perf_counter()
    with Remote(RemoteOptions(allow_private=True)) as remote:
        result = scan(index.parts, [manifest], remote=remote)
    seconds = time.perf_counter() - started
    if result.added + result.unchanged < 0.98 * count:
        raise RuntimeError(f"the scan went wrong: {result}")
    return round(count / seconds, 1)


def written(path: Path, names: Sequence[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["account", "photo"])
        writer.writerows([f"account-{number}", name] for number, name in enumerate(names))
    return path


class _Late(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *rest: Any) -> None:  # noqa: ANN401 - as the library has it
        super().__init__(*rest, directory=str(PHOTOS))

    def send_head(self) -> Any:  # noqa: ANN401 - as above
        time.sleep(LATENCY)
        return super().send_head()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def serve() -> None:
    """Serve the photos until ended; the port is printed."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Late)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve()
    else:
        print_figures("remote", run)
