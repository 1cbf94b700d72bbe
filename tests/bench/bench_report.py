"""The page of a report with 1,000 rings and 5,000 pictures: ``make bench NAME=report``, about two minutes.

The pictures are real photos, each decoded to the small view that ``imgmatch rings --format html`` puts in. Said is how
large the file is, how long it takes to be written, and in headless Chromium how long until something is painted, until
the page answers, and how long it takes from a key to the frame that shows what was found, chosen or sorted. The browser
itself tells that (Event Timing), in steps of 8 ms.

Options: ``--rings 1000``, ``--out PATH`` to keep the page.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import QUICK, peer, photos_in, print_figures, say, spread

from imgmatch.cli.pages import LEAST_SIDE, SIDES
from imgmatch.formats.ring_page import Shown, rings_page
from imgmatch.imaging.limits import Limits
from imgmatch.imaging.view import view
from imgmatch.model import Change, Evidence, Group, Kind, Photo, Ring, RingAccount, RingsReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from imgmatch.formats.ring_shown import Pictures

PICTURES_A_RING = 5
START = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = ("u1", "lena 7", "r000000012", "nobody is called so", "p0003")
BOXES = {"change": 3, "decided": 2, "order": 3}
"""The boxes to choose from, and how many choices follow the first."""

LOADS = 5
LEAST = 16
"""Milliseconds: of what takes less the browser tells nothing."""

REST = 400
"""Milliseconds between two answers: all that follows one is done by then, and told of."""

EXACT = Evidence(Kind.EXACT, 1.0, 0, mirrored=False, rotation=0, overlap=1.0, agreement=1.0)
NEAR = Evidence(Kind.NEAR, 0.97, 12, mirrored=True, rotation=0)
PARTIAL = Evidence(Kind.PARTIAL, 0.91, None, mirrored=False, rotation=0, overlap=0.4, agreement=0.9)

READY = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
PAINTED = "performance.getEntriesByName('first-contentful-paint').map(entry => entry.startTime)[0]"
WATCH = f"""
  window.answers = [];
  new PerformanceObserver(list => window.answers.push(...list.getEntries().map(entry => entry.duration)))
    .observe({{ type: "event", durationThreshold: {LEAST} }});
"""


def pictures(side: int, count: int) -> Iterator[Shown]:
    """So many different pictures; photos that come again are cut a little closer each time."""
    files = photos_in("portraits", "phone", "same-person", "generated", "avatars")
    for number in range(count):
        data = files[number % len(files)].read_bytes()
        small = view(data, Limits(), side - number // len(files))
        yield Shown(small.jpeg, small.width, small.height)


def report_of(rings: int) -> RingsReport:
    """Rings of five accounts and two or three groups; ids and names are as long as they are in life."""
    made = []
    for number in range(rings):
        owned = [_photo(number, place) for place in range(PICTURES_A_RING)]
        halves = (owned[:2], owned[2:]) if number % 2 else (owned,)
        groups = tuple(
            Group(
                part[0].photo_id,
                part[0],
                tuple(part),
                tuple(photo.account for photo in part),
                common=False,
                evidence=(EXACT, *(NEAR, PARTIAL, EXACT, NEAR)[: len(part) - 1]),
            )
            for part in halves
        )
        changes = ((Change.NEW,), (Change.GROWN,), ())[number % 3]
        made.append(
            Ring(
                ring=f"r{number:09d}",
                accounts=tuple(RingAccount(photo.account, photo.name, photo.seen_at) for photo in owned),
                groups=groups,
                first_account=owned[0].account,
                names=(),
                opened_at=owned[1].seen_at,
                new=number % 3 == 0,
                accounts_per_day=number % 7 / 3,
                changes=changes,
                joined=(owned[-1].account,) if changes else (),
            )
        )
    return RingsReport(tuple(made), (), since=START)


def _photo(ring: int, place: int) -> Photo:
    number = ring * PICTURES_A_RING + place
    account = f"u{number * 7919 % 1_000_000:06d}"
    seen_at = START + timedelta(hours=number)
    return Photo(account, f"photos/{account}/{place + 1}.jpg", f"p{number:08d}", f"Lena {number * 31 % 997}", seen_at)


def in_browser(page: Path) -> dict[str, Any] | str:
    """What a person waits for."""
    playwright, chromium = peer("playwright.sync_api"), shutil.which("chromium") or shutil.which("google-chrome")
    if isinstance(playwright, str) or chromium is None:
        return playwright if isinstance(playwright, str) else "there is no Chromium on this machine"
    painted: list[float] = []
    ready: list[float] = []
    answered: dict[str, list[float]] = {}
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(LOADS):
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            tab.add_init_script(WATCH)
            tab.goto(page.as_uri(), wait_until="load")
            tab.wait_for_timeout(500)
            painted.append(tab.evaluate(PAINTED))
            ready.append(tab.evaluate(READY))
            for what, took in answers(tab):
                answered.setdefault(what, []).append(took)
            tab.close()
        browser.close()
    return {
        "first_contentful_paint_ms": spread(painted),
        "ready_ms": spread(ready),
        "answer_ms": {what: spread(times) | {"worst": max(times)} for what, times in answered.items()},
        "answer_worst_ms": max(took for times in answered.values() for took in times),
    }


def answers(tab: Any) -> Iterator[tuple[str, float]]:  # noqa: ANN401 -- a page of a module that may be missing
    """How long each thing that is found, chosen or sorted takes to be seen, in milliseconds."""
    keys = tab.keyboard
    tab.focus("#filter")
    for word in WORDS:
        yield f"find {word}", _answer(tab, partial(keys.insert_text, word))
        keys.press("Control+A")
        yield "find cleared", _answer(tab, partial(keys.press, "Backspace"))
    for box, choices in BOXES.items():
        tab.focus(f"#{box}")
        for key in ["ArrowDown"] * choices + ["ArrowUp"] * choices:
            yield box, _answer(tab, partial(keys.press, key))


def _answer(tab: Any, act: Callable[[], None]) -> float:  # noqa: ANN401 -- as above
    """From the key to the frame that shows what it did; never less than ``LEAST``."""
    tab.wait_for_timeout(REST)
    tab.evaluate("window.answers.length = 0")
    act()
    tab.wait_for_timeout(REST)
    took: list[float] = tab.evaluate("window.answers")
    return max([LEAST, *took])


def run(rings: int, out: Path) -> dict[str, Any]:
    """Write the page and open it."""
    report = report_of(rings)
    ids = [photo.photo_id for ring in report.rings for group in ring.groups for photo in group.photos]
    side = next((side for most, side in SIDES if len(ids) <= most), LEAST_SIDE)
    started = time.perf_counter()
    shown: Pictures = dict(zip(ids, pictures(side, len(ids)), strict=True))
    decoded = time.perf_counter() - started
    say(f"{len(shown):,} pictures decoded in {decoded:.0f} s")
    started = time.perf_counter()
    with out.open("w", encoding="utf-8") as file:
        file.writelines(rings_page(report, shown, at=START))
    written = time.perf_counter() - started
    return {
        "rings": rings,
        "pictures": len({picture.jpeg for picture in shown.values()}),
        "side": side,
        "file_mb": round(out.stat().st_size / 1e6, 2),
        "of_it_pictures_mb": round(sum(len(picture.jpeg or b"") for picture in shown.values()) * 4 / 3e6, 2),
        "decode_seconds_one_process": round(decoded, 1),
        "write_seconds": round(written, 2),
        "browser": in_browser(out),
    }


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rings", type=int, default=50 if QUICK else 1000)
    parser.add_argument("--quick", action="store_true", help="50 rings")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print_figures("report", lambda: run(asked.rings, asked.out or Path(folder) / "rings.html"))


if __name__ == "__main__":
    main()
