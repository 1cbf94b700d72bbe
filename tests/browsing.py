"""A headless Chromium for the tests of pages, and what is said where there is none."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Dialog, Page

CHROMIUM = next(
    (path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path is not None), None
)
REQUIRED = "IMGMATCH_REQUIRE_CHROMIUM"
"""An environment variable: where it is set, a machine without Chromium fails its tests instead of skipping them."""

NO_CHROMIUM = "there is no Chromium on this machine"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BLURRED = "element => getComputedStyle(element).filter.includes('blur')"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests of a module."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 -- not every machine has it

    with sync_playwright() as driver:
        own = driver.chromium.executable_path
        path = CHROMIUM or (own if Path(own).is_file() else None)
        if path is None:
            _give_up()
        started = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


class Tabs:
    """Two tabs, one of them without script, that tests have one after the other: starting one outlasts most tests."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._tabs: dict[bool, Page] = {}
        self.told: list[str] = []
        """What the page that is open has complained of, and what it has asked for."""

    def open(self, path: Path, *, width: int = 1280, scheme: str = "light", script: bool = True) -> Page:
        """Show a file, as if nothing had been shown before."""
        if script not in self._tabs:
            self._tabs[script] = self._started(script=script)
        tab = self._tabs[script]
        tab.goto("about:blank")
        self.told.clear()
        tab.set_viewport_size({"width": width, "height": 900})
        # Where motion is not reduced, a blur is half gone when it is looked at.
        tab.emulate_media(media="screen", color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        tab.mouse.move(0, 0)
        tab.goto(path.as_uri())
        tab.wait_for_load_state("load")
        return tab

    def _started(self, *, script: bool) -> Page:
        tab = self._browser.new_page(java_script_enabled=script)
        tab.set_default_timeout(10_000)
        tab.on("console", lambda message: self.told.append(message.text))
        tab.on("pageerror", lambda error: self.told.append(str(error)))
        tab.on("dialog", self._end)
        tab.on("request", lambda request: self._look_at(request.url))
        return tab

    def _end(self, dialog: Dialog) -> None:
        self.told.append(dialog.message)
        dialog.dismiss()

    def _look_at(self, url: str) -> None:
        if not url.startswith(("file:", "data:")):
            self.told.append(url)


@pytest.fixture(scope="module")
def tabs(browser: Browser) -> Tabs:
    return Tabs(browser)


def _give_up() -> NoReturn:
    if os.environ.get(REQUIRED):
        pytest.fail(f"{NO_CHROMIUM}, and {REQUIRED} is set; install it with: {_installing()}")
    pytest.skip(NO_CHROMIUM)


def _installing() -> str:
    """The command that installs Chromium here."""
    if shutil.which("apt-get") is None:
        return f"{sys.executable} -m playwright install chromium"
    return "apt-get install --yes chromium" if os.geteuid() == 0 else "sudo apt-get install --yes chromium"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say in the very last line which tests were skipped for want of Chromium."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:  # a worker of pytest-xdist: the process that started it says so
        return
    skipped = [report for report in reporter.stats.get("skipped", []) if NO_CHROMIUM in str(report.longrepr)]
    if skipped:
        reporter.write_line(
            f"not tested: pages in a browser ({len(skipped)} tests): {NO_CHROMIUM}; to install it: {_installing()}"
        )
