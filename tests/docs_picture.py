"""Take the pictures of README.md: the report of a demo world, and the page that checks a photo, some pictures shown.

Run as ``python tests/docs_picture.py``; it needs Chromium. Every face on it is drawn by imgmatch.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from browsing import ARGUMENTS, CHROMIUM
from PIL import Image
from playwright.sync_api import sync_playwright
from serving import served

from imgmatch.cli.demo import PAGE
from imgmatch.cli.main import run

DOCS = Path(__file__).resolve().parents[1] / "docs"
WIDTH, HEIGHT = 1280, 990
CHECK_HEIGHT = 830
RING = 3
"""Which ring, from 0: one that fits into the window with all its pictures."""
COLORS = 255
TO_TOP = "ring => window.scrollTo(0, ring.offsetTop - document.querySelector('.bar').offsetHeight - 12)"


def make_page(folder: Path) -> Path:
    """A demo world's page of rings."""
    world = folder / "world"
    if code := run(("demo", str(world), "--quiet")):
        raise SystemExit(code)
    return world / PAGE


def take(page: Path) -> bytes:
    """The ring at the top of the window, the medoids of its groups still blurred: a PNG."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        tab.goto(page.as_uri())
        ring = tab.locator(".ring").nth(RING)
        for thumb in ring.locator(".thumb:not(.reference)").all():
            thumb.click()
        tab.mouse.move(0, 0)
        tab.evaluate("document.activeElement.blur()")
        ring.evaluate(TO_TOP)
        ring.locator(".thumb img[src]").last.wait_for()
        picture = tab.screenshot(animations="disabled")
        browser.close()
    return picture


def take_check(world: Path) -> bytes:
    """The page of a check of the suspect, its first match shown: a PNG."""
    with served(world / "index") as server, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        tab = browser.new_page(viewport={"width": WIDTH, "height": CHECK_HEIGHT}, reduced_motion="reduce")
        tab.goto(server.url)
        tab.set_input_files("#photo", world / "suspect.jpg")
        tab.wait_for_url("**/checks/*")
        tab.wait_for_load_state("networkidle")
        tab.locator(".matches .pic").first.click()
        tab.locator(".head .pic").first.click()
        tab.mouse.move(0, 0)
        tab.wait_for_load_state("networkidle")
        picture = tab.screenshot(animations="disabled")
        browser.close()
    return picture


def main() -> None:
    """Make the pages, take the pictures, and write them with few colours."""
    with tempfile.TemporaryDirectory() as folder:
        page = make_page(Path(folder))
        taken = {"rings.png": take(page), "page.png": take_check(page.parent)}
    for name, picture in taken.items():
        small = Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLORS)
        small.save(DOCS / name, optimize=True)


if __name__ == "__main__":
    main()
