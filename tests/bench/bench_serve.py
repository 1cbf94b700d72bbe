"""Fifty moderators at once, ten that decide while a scan goes on, and how soon a page is painted.

``bench_serve.py`` checks against 100,000 photos (as ``bench_depth.py`` makes them), ``--photos N`` against as many. The
server is a process of its own, as ``imgmatch serve`` starts it; ``check_many`` in one process is measured beside it.
Pages are painted in headless Chromium. ``--part load|decisions|pages`` measures one of the three. Prints one line of
JSON.
"""

from __future__ import annotations

import hashlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
from bench_depth import build
from bench_depth import copies as cropped_copies
from bench_writers import manifest
from common import QUICK, peak_mib, photos_in, print_figures, say, spread
from cropped import crops
from playwright.sync_api import sync_playwright

from imgmatch.catalog import photos as photo_rows
from imgmatch.catalog import scans as scan_rows
from imgmatch.catalog.rows import FileState, PhotoRecord, PictureRecord
from imgmatch.catalog.times import to_microseconds
from imgmatch.index import Index
from imgmatch.model import Depth, NewPhoto, QueueState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SEED = 15
USERS = 8 if QUICK else 50
EACH = 3 if QUICK else 20
"""Checks that each makes, one after another."""

PEOPLE, DECISIONS = 4 if QUICK else 10, 50 if QUICK else 1_000
RINGS, IN_LARGE = 300 if QUICK else 5_000, 100 if QUICK else 500
PAINTED = 3 if QUICK else 10
CHROMIUM = "/usr/bin/chromium"
DAY = datetime(2026, 1, 1, tzinfo=UTC)


def run() -> dict[str, Any]:
    parts: dict[str, Callable[[Path], dict[str, Any]]] = {"load": load, "decisions": decisions, "pages": pages}
    wanted = [sys.argv[sys.argv.index("--part") + 1]] if "--part" in sys.argv else list(parts)
    found = {}
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as folder:
            say(name)
            found[name] = parts[name](Path(folder))
    return found


@contextmanager
def serving(home: Path, *arguments: str) -> Iterator[tuple[str, int]]:
    """A server of its own process; its URL, and its process id."""
    command = [sys.executable, "-m", "imgmatch", "--log-json", "serve", "--index", str(home / "index"), "--port", "0"]
    with (
        (home / "log").open("w") as log,
        subprocess.Popen([*command, "--uploads", str(home / "uploads"), *arguments], stderr=log) as process,
    ):
        port = _told(home / "log", process)
        url = f"http://127.0.0.1:{port}"
        while _answers(f"{url}/readyz") is None:
            time.sleep(0.1)
        yield url, process.pid
        process.terminate()
        if process.wait(60):
            raise SystemExit(f"the server ended with {process.returncode}")


def _told(log: Path, process: subprocess.Popen[bytes]) -> int:
    while process.poll() is None:
        for line in log.read_text().splitlines():
            if "port" in (said := json.loads(line)):
                return int(said["port"])
        time.sleep(0.1)
    raise SystemExit(log.read_text())


def _answers(url: str) -> httpx.Response | None:
    try:
        return httpx.get(url, timeout=60)
    except httpx.TransportError:
        return None


# -- checks -----------------------------------------------------------------------------------------------------------


def load(home: Path) -> dict[str, Any]:
    """Checks by one and by many, beside ``check_many`` in one process."""
    photos = int(sys.argv[sys.argv.index("--photos") + 1]) if "--photos" in sys.argv else 3_000 if QUICK else 100_000
    built = build(home / "index", photos)
    asked = [data for data, _ in cropped_copies(60)] + [path.read_bytes() for path in photos_in("same-person")[:60]]
    random.Random(SEED).shuffle(asked)
    with Index.open(home / "index", workers=2) as index:
        index.warm_up()
        list(index.check_many(asked))
        began = time.perf_counter()
        expected = [result.accounts for result in index.check_many(asked)]
        in_process = len(asked) / (time.perf_counter() - began)
        memory_alone = peak_mib()
    with serving(home, "--workers", "2", "--waiting", "64") as (url, process):
        with httpx.Client(base_url=url, timeout=120) as http:
            for data in asked[:10]:
                _check(http, data)
            one = [_check(http, data)[0] for data in asked]
        before = _memory(process)
        with ThreadPoolExecutor(USERS) as threads:
            began = time.perf_counter()
            everybody = list(threads.map(lambda number: moderator(url, asked, number), range(USERS)))
            seconds = time.perf_counter() - began
        memory = _memory(process)
        refused = _overloaded(url, asked[0])
    waits = [wait for some in everybody for wait, _, _ in some]
    wrong = sum(accounts != expected[place % len(asked)] for some in everybody for _, place, accounts in some)
    means = [statistics.mean(wait for wait, _, _ in some) for some in everybody]
    return {
        "photos": built["photos"],
        "check_many_in_process_per_second": round(in_process, 1),
        "users": USERS,
        "checks": len(waits),
        "checks_per_second": round(len(waits) / seconds, 1),
        "share_of_check_many": round(len(waits) / seconds / in_process, 2),
        "errors": sum(len(some) < EACH for some in everybody),
        "other_answers_than_in_process": wrong,
        "one_user_ms": spread(one),
        "all_users_ms": spread(waits),
        "mean_of_the_luckiest_and_unluckiest_user_ms": [round(min(means)), round(max(means))],
        "server_mib_before_and_after": [before, memory],
        "check_many_peak_mib": memory_alone,
        "beyond_the_queue": refused,
    }


def moderator(url: str, asked: list[bytes], number: int) -> list[tuple[float, int, int]]:
    """Milliseconds, which photo, and how many accounts, of each check that one makes."""
    with httpx.Client(base_url=url, timeout=120) as http:
        places = range(number * EACH, (number + 1) * EACH)
        return [_asked_once(http, asked, place) for place in places]


def _asked_once(http: httpx.Client, asked: list[bytes], place: int) -> tuple[float, int, int]:
    wait, accounts = _check(http, asked[place % len(asked)])
    return wait, place, accounts


def _check(http: httpx.Client, data: bytes) -> tuple[float, int]:
    """Milliseconds, and how many accounts carry the photo."""
    began = time.perf_counter()
    answer = http.post("/api/v1/check", files={"photo": ("x.jpg", data)})
    wait = 1000 * (time.perf_counter() - began)
    if answer.status_code != 200:
        raise SystemExit(f"{answer.status_code}: {answer.text}")
    return wait, int(answer.json()["results"][0]["accounts"])


def _overloaded(url: str, data: bytes) -> dict[str, int]:
    """What 120 that ask in the same moment are answered."""

    def ask(_: int) -> int:
        return httpx.post(f"{url}/api/v1/check", files={"photo": ("x.jpg", data)}, timeout=120).status_code

    with ThreadPoolExecutor(120) as threads:
        answers = list(threads.map(ask, range(120)))
    return {str(status): answers.count(status) for status in sorted(set(answers))}


def _memory(process: int) -> int:
    """Peak of the server and its workers together, in MiB."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return round(sum(peak_mib(each) or 0 for each in [str(process), *children]))


# -- decisions --------------------------------------------------------------------------------------------------------


def decisions(home: Path) -> dict[str, Any]:
    """Ten people decide over HTTP while a scan goes on."""
    drawn = crops(home / "photos", 200 if QUICK else 2_000)
    known = drawn[: len(drawn) // 4]
    _imgmatch("scan", manifest(home, "known", known), "--workers", "2", at=home)
    _imgmatch("rings", at=home)
    rest = manifest(home, "rest", drawn[len(known) :])
    with serving(home, "--workers", "1") as (url, _):
        scanning = _Scans(home, rest)
        scanning.start()
        with ThreadPoolExecutor(PEOPLE) as threads:
            began = time.perf_counter()
            everybody = list(threads.map(lambda number: person(url, number, len(known)), range(PEOPLE)))
            seconds = time.perf_counter() - began
        scanning.end()
        with Index.open(home / "index") as index:
            kept = [one.number for one in index.decisions(limit=1 << 30)]
            whole = index.people.verify_audit()
    waits = [wait for some in everybody for wait, _ in some]
    made = [number for some in everybody for _, number in some]
    return {
        "people": PEOPLE,
        "decisions": len(made),
        "decisions_per_second": round(len(made) / seconds, 1),
        "lost": len(set(made) - set(kept)),
        "doubled": len(kept) - len(set(made)),
        "waits_ms": spread(waits),
        "scans_meanwhile": scanning.count,
        "log_entries": whole.entries,
        "log_is_whole": whole.is_whole,
    }


def person(url: str, number: int, photos: int) -> list[tuple[float, int]]:
    rng = random.Random(SEED + number)
    made = []
    with httpx.Client(base_url=url, timeout=120) as http:
        for _ in range(DECISIONS):
            one, other = rng.sample(range(photos), 2)
            query = {
                "verdict": rng.choice(["confirm", "dismiss", "common"]),
                "pair": [f"known-{one}", f"known-{other}"],
            }
            began = time.perf_counter()
            answer = http.post("/api/v1/decisions", json=query)
            wait = 1000 * (time.perf_counter() - began)
            if answer.status_code != 201:
                raise SystemExit(f"{answer.status_code}: {answer.text}")
            made.append((wait, int(answer.json()["decision"])))
    return made


class _Scans(threading.Thread):
    """A scan, again and again."""

    def __init__(self, home: Path, path: str) -> None:
        super().__init__()
        self._home, self._path = home, path
        self._over = threading.Event()
        self.count = 0

    def run(self) -> None:
        while not self._over.is_set():
            _imgmatch("scan", self._path, "--workers", "1", at=self._home)
            _imgmatch("source", "drop", self._path, "--yes", at=self._home)
            self.count += 1

    def end(self) -> None:
        self._over.set()
        self.join()


def _imgmatch(*arguments: str, at: Path) -> None:
    command = [sys.executable, "-m", "imgmatch", *arguments, "--index", str(at / "index")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 5}:
        raise SystemExit(f"{command}: {done.stderr}")


# -- pages ------------------------------------------------------------------------------------------------------------


def pages(home: Path) -> dict[str, Any]:
    """Seconds from a drop, a link or a key to what is painted for it."""
    large = plant(home)
    photo = str(photos_in("portraits")[0])
    with serving(home, "--workers", "2") as (url, _), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        drops, queues, nexts, larges = [], [], [], []
        for _ in range(PAINTED):
            tab.goto(url)
            tab.wait_for_load_state("networkidle")
            drops.append(_painted(tab, lambda: tab.set_input_files("#photo", photo), ".answer h2"))
            queues.append(_painted(tab, lambda: tab.goto(f"{url}/rings", wait_until="commit"), "#rings tbody tr"))
            larges.append(
                _painted(tab, lambda: tab.goto(f"{url}/rings/{large}", wait_until="commit"), "#items tbody tr")
            )
        tab.goto(f"{url}/rings/next")
        for _ in range(PAINTED):
            tab.wait_for_load_state("networkidle")
            time.sleep(0.5)  # a moderator looks at it; the next one is loaded meanwhile
            nexts.append(tab.evaluate(_NEXT))
        browser.close()
    static = Path(__file__).resolve().parents[2] / "imgmatch" / "web" / "static"
    return {
        "rings": RINGS,
        "accounts_of_the_large_ring": IN_LARGE,
        "drop_to_answer_seconds": spread(drops),
        "queue_seconds": spread(queues),
        "large_ring_seconds": spread(larges),
        "next_ring_ms": spread(nexts),
        "scripts_and_styles_bytes": sum(path.stat().st_size for path in static.iterdir()),
    }


_NEXT = """() => new Promise((done) => {
  const before = document.getElementById("ring").dataset.ring, began = performance.now();
  document.querySelector('.deck [data-act="next"]').click();
  const look = () => document.getElementById("ring").dataset.ring === before ? requestAnimationFrame(look)
    : requestAnimationFrame(() => done(performance.now() - began));
  look();
})"""


def _painted(tab: Any, act: Callable[[], object], selector: str) -> float:  # noqa: ANN401 -- Playwright's own
    began = time.perf_counter()
    act()
    tab.wait_for_selector(selector)
    tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return time.perf_counter() - began


def plant(home: Path) -> str:
    """Rings whose fingerprints are drawn, of real photos to look at; the id of the one that is large."""
    rng = np.random.default_rng(SEED)
    files = photos_in("portraits")[:500]
    digests = [hashlib.sha256(path.read_bytes()).digest() for path in files]
    with Index.create(home / "index", depth=Depth.FINGERPRINT) as index:
        parts = index.parts
        with parts.catalog.write() as session:
            scan = scan_rows.begin_scan(session, "planted")
        number = 0
        for start in range(0, RINGS + 1, 100):
            records = []
            for ring in range(start, min(start + 100, RINGS + 1)):
                bits = {name: rng.bytes(32) for name in ("phash", "pdq")}
                for place in range(IN_LARGE if ring == RINGS else 2 + ring % 5):
                    file = number % len(files)
                    seen_at = DAY + timedelta(hours=ring + place)
                    new = NewPhoto(
                        f"u{number}", files[file], f"u{number}/1.jpg", f"p{number}", f"Name {number % 900}", seen_at
                    )
                    picture = PictureRecord(rng.bytes(16), bits)
                    state = FileState(1, 1)
                    records.append(
                        PhotoRecord(new, to_microseconds(seen_at), state, digests[file], 4, 5, "JPEG", 90, (picture,))
                    )
                    number += 1
            with parts.catalog.write() as session:
                photo_rows.store_photos(session, scan, records)
        index.rebuild()
        report = index.rings()
        if len(report.rings) != RINGS + 1:
            raise SystemExit(f"{len(report.rings)} rings")
        say(f"{index.queue(state=QueueState.ALL, limit=1).total} rings of {number} photos")
        return report.rings[0].ring


if __name__ == "__main__":
    print_figures("serve", run)
