"""The walks of docs/how-it-works.md name modules in the order in which a photo meets them."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from photos import picture, write_accounts

from imgmatch import registry
from imgmatch.cli.main import run
from imgmatch.describing.messages import Job
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.engines import packed
from imgmatch.imaging.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "how-it-works.md"
PACKAGE = f"{ROOT / 'imgmatch'}/"
FUNCTION = 1  # inspect.CO_OPTIMIZED: what runs, not the body of a class or of a module


def walk(heading: str) -> list[str]:
    """The modules that the steps below a heading name, in order."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n### {heading}\n")[2].partition("\n##")[0]
    return re.findall(r"\]\(\.\./imgmatch/([\w/]+\.py)\)", section)


@contextmanager
def watched() -> Iterator[list[str]]:
    """The modules of imgmatch that are entered inside, each when it is first entered."""
    entered: dict[str, None] = {}

    def note(frame: FrameType, event: str, argument: object) -> None:
        del argument
        code = frame.f_code
        if event == "call" and code.co_flags & FUNCTION and code.co_filename.startswith(PACKAGE):
            module = code.co_filename.removeprefix(PACKAGE)
            if module not in entered and not _importing(frame):
                entered[module] = None

    order: list[str] = []
    sys.setprofile(note)
    try:
        yield order
    finally:
        sys.setprofile(None)
        order += entered


def _importing(frame: FrameType | None) -> bool:
    """Whether a module of imgmatch is being imported, which runs functions, too."""
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(PACKAGE):
            return True
        frame = frame.f_back
    return False


def entered_by(*arguments: str) -> list[str]:
    """The modules that a command enters, but for what its workers do."""
    with redirect_stdout(StringIO()), watched() as order:
        assert run(arguments) == 0
    return order


@pytest.fixture(scope="module", autouse=True)
def _own_workers() -> Iterator[None]:
    """A pool that the session has open already would be met later than one that the command opens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "DEFAULT_RUNNER", "processes")
        # Nor would one that has asked much already ask FAISS.
        patch.setattr(packed, "WORTH_NUMBA", sys.maxsize)
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Accounts that share a picture, and its crop."""
    folder = tmp_path_factory.mktemp("walk")
    whole = picture(1)
    crop = whole.crop((60, 60, 420, 480))
    accounts = {"a": {"1": whole}, "b": {"1": whole}, "c": {"1": crop}, "d": {"1": picture(2)}}
    write_accounts(folder / "photos", accounts)
    return folder


@pytest.fixture(scope="module")
def scanned(world: Path) -> tuple[str, list[str]]:
    """The index, and what the scan entered."""
    index = str(world / "index")
    return index, entered_by("scan", str(world / "photos"), "--index", index, "--quiet")


def check_walk(heading: str, entered: list[str]) -> None:
    steps = walk(heading)
    assert steps
    assert [step for step in steps if step not in entered] == []
    assert sorted(steps, key=entered.index) == steps


def test_a_photo_meets_the_modules_of_a_description_in_order(world: Path) -> None:
    settings = Settings(registry.DEFAULT_HASHERS, Limits(), features=True, thumbnails=True)
    photo = next(world.glob("photos/a/*"))
    with open_runner("in-process", 1, settings) as runner, watched() as order:
        list(runner.describe([photo], Job))
    check_walk("describe", order)


def test_a_photo_meets_the_modules_of_a_scan_in_order(scanned: tuple[str, list[str]]) -> None:
    check_walk("scan", scanned[1])


@pytest.mark.slow
def test_a_photo_meets_the_modules_of_a_check_in_order(scanned: tuple[str, list[str]], world: Path) -> None:
    check_walk("check", entered_by("check", str(next(world.glob("photos/c/*"))), "--index", scanned[0]))


def test_a_photo_meets_the_modules_of_rings_in_order(scanned: tuple[str, list[str]]) -> None:
    check_walk("rings", entered_by("rings", "--index", scanned[0], "--quiet"))


@pytest.mark.parametrize("heading", ["describe", "scan", "check", "rings"])
def test_a_walk_names_each_module_once(heading: str) -> None:
    assert len(set(walk(heading))) == len(walk(heading))
