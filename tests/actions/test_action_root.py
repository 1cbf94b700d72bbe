"""Nothing that lies outside a root is read, also where links are put in the place of photos meanwhile."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import photos
import pytest
from hearing import Heard

from imgmatch import registry
from imgmatch.actions.hash import hash_photos
from imgmatch.actions.scan import scan
from imgmatch.describing import describe
from imgmatch.index import Index
from imgmatch.ingest import intake
from imgmatch.model import Depth, Skipped, SkipReason, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")

SIZE = (96, 120)
SECRET = photos.jpeg(photos.picture(9, SIZE))
WORDS = "a link has taken a place on its path since that was checked"


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DEFAULT_RUNNER", "in-process")


@pytest.fixture
def jail(tmp_path: Path) -> Path:
    """Three photos of three accounts and their manifest; a picture outside that nobody may read."""
    (tmp_path / "secret.jpg").write_bytes(SECRET)
    folder = tmp_path / "jail"
    for number in range(3):
        (folder / f"a{number}").mkdir(parents=True)
        (folder / f"a{number}" / "secret.jpg").write_bytes(photos.jpeg(photos.picture(number, SIZE)))
    (folder / "m.csv").write_text("account,photo\n" + "".join(f"a{n},a{n}/secret.jpg\n" for n in range(3)))
    return folder.resolve()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.create(tmp_path / "index", depth=Depth.FINGERPRINT) as index:
        yield index


def put_link(jail: Path, place: str) -> None:
    """Puts a link out of the jail in a place in it; where a file was, in one step, as who races does."""
    new = jail.parent / "new"
    if (jail / place).is_dir():
        new.symlink_to(jail.parent)
        (jail / place).rename(jail.parent / "was")
    else:
        new.symlink_to(jail.parent / "secret.jpg")
    new.replace(jail / place)


@contextmanager
def just_before(module: ModuleType, name: str, act: Callable[[], object]) -> Iterator[None]:
    """Do something when a function is called for the second photo, before it does anything."""
    real, calls = getattr(module, name), []

    def called(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            act()
        return real(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, called)
        yield
    assert len(calls) == 3


@pytest.mark.parametrize("place", ["a1", "a1/secret.jpg"])
@pytest.mark.parametrize(("module", "name"), [(intake, "file_state"), (describe, "read_photo")])
@pytest.mark.parametrize("source", ["", "m.csv"])
def test_a_scan_takes_in_nothing_that_a_link_leads_to(
    jail: Path, index: Index, source: str, module: ModuleType, name: str, place: str
) -> None:
    heard = Heard()
    with just_before(module, name, lambda: put_link(jail, place)):
        result = scan(index.parts, [jail / source], root=jail, progress=heard)
    assert (result.added, result.skipped) == (2, 1)
    skips = [skip for skip in heard.skips if skip.reason is not SkipReason.PASSED_OVER]
    assert skips == [Skipped("a1/secret.jpg", SkipReason.REFUSED, WORDS, "a1", 3 if source else None)]
    assert index.check(SECRET).status is Status.NO_MATCH


@pytest.mark.parametrize("source", ["", "m.csv"])
def test_a_check_and_a_hash_read_nothing_that_a_link_leads_to(jail: Path, index: Index, source: str) -> None:
    scan(index.parts, [jail])
    asks: tuple[Callable[[], list[str | None]], ...] = (
        lambda: [result.reason for result in index.check_many([jail / source], root=jail)],
        lambda: [result.reason for result in hash_photos([jail / source], root=jail)],
    )
    for ask in asks:
        good = (jail / "a1" / "secret.jpg").read_bytes()
        with just_before(describe, "read_photo", lambda: put_link(jail, "a1/secret.jpg")):
            assert ask() == [None, f"refused: {WORDS}", None]
        (jail / "a1" / "secret.jpg").unlink()
        (jail / "a1" / "secret.jpg").write_bytes(good)


def test_links_that_come_and_go_while_a_scan_runs_let_nothing_in(jail: Path, index: Index) -> None:
    names = [f"p{number}.jpg" for number in range(60)]
    for number, name in enumerate(names):
        (jail / name).write_bytes(photos.jpeg(photos.picture(number % 3, SIZE)))
    (jail / "m.csv").write_text("account,photo\n" + "".join(f"{name},{name}\n" for name in names))
    over = threading.Event()

    def swap() -> None:
        good = photos.jpeg(photos.picture(0, SIZE))
        while not over.is_set():
            for name in names:
                put_link(jail, name)
            for name in names:
                (jail.parent / "file").write_bytes(good)
                (jail.parent / "file").replace(jail / name)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        results = [scan(index.parts, [source], root=jail) for source in (jail / "m.csv", jail)]
    finally:
        over.set()
        thread.join()
    assert sum(result.added + result.skipped for result in results) > len(names) / 2
    assert index.check(SECRET).status is Status.NO_MATCH
