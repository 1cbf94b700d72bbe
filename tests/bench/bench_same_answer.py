"""A thousand checks a case, and rings, byte by byte the same: ``make bench NAME=same_answer``.

What varies: threads that ask at once, workers, batches, a rebuild, ten segments in place of one, and other processes
that burn every core. Each answer is compared as JSON with the one that one thread was given, photo by photo. With
``--quick`` fifty checks a case.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import PHOTOS, QUICK, print_figures, say
from comparing import SEGMENTS, as_json, every_core_burning, rings_as_json, split
from PIL import Image, ImageOps

from imgmatch import Index
from imgmatch.model import NewPhoto

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

QUESTIONS = 50
TIMES = 1 if QUICK else 20
"""How often each question is asked in a case."""

STORED = 200 if QUICK else 600
"""Photos in the index."""


def main() -> None:
    """Run every case and print the table."""
    print_figures("same_answer", run)


def run() -> dict[str, Any]:
    """Every case; the figures are how many answers differed, which must be none."""
    every = sorted(path for path in (PHOTOS / "portraits").iterdir() if path.is_file())
    stored = every[:: max(1, len(every) // STORED)][:STORED]
    questions = [edited(path, number) for number, path in enumerate(stored[:: STORED // QUESTIONS][:QUESTIONS])]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "index"
        with Index.create(home, workers=2) as index:
            index.add(NewPhoto.at(path, account=path.stem) for path in stored)
        found = {name: counted(name, case) for name, case in cases(home, questions, Path(folder)).items()}
        rings = rings_differing(home, stored, Path(folder))
    say("\ncase                                  checks  differing")
    for name, (checks, differing) in found.items():
        say(f"{name:36s}  {checks:6d}  {differing:9d}")
    for name, differing in rings.items():
        say(f"{name:36s}  rings   {int(differing):9d}")
    differing = sum(count for _, count in found.values()) + sum(rings.values())
    return {"photos": len(stored), "checks": sum(count for count, _ in found.values()), "differing": differing}


def counted(name: str, case: Callable[[], tuple[int, int]]) -> tuple[int, int]:
    """A case's checks, and how many of them differed."""
    started = time.perf_counter()
    found = case()
    say(f"{name}: {found[1]} of {found[0]} differ, {time.perf_counter() - started:.0f} s")
    return found


def edited(path: Path, number: int) -> bytes:
    """A copy of a photo: cropped, mirrored, on a screen, shrunk or recompressed."""
    picture = Image.open(path).convert("RGB")
    width, height = picture.size
    match number % 5:
        case 0:
            picture = picture.crop((width // 10, height // 8, width * 9 // 10, height * 7 // 8))
        case 1:
            picture = ImageOps.mirror(picture).rotate(5)
        case 2:
            screen = Image.new("RGB", (720, 1280), (240, 240, 240))
            picture.thumbnail((420, 520))
            screen.paste(picture, (150, 300))
            picture = screen
        case 3:
            picture = picture.resize((max(1, width // 2), max(1, height // 2)))
        case _:
            pass
    packed = BytesIO()
    picture.save(packed, "JPEG", quality=70)
    return packed.getvalue()


def cases(home: Path, questions: Sequence[bytes], folder: Path) -> dict[str, Callable[[], tuple[int, int]]]:
    """Every case by its name: asks a thousand times and says how many answers differed."""
    with Index.open(home) as index:
        expected = [as_json(index.check(question)) for question in questions]

    def compared(answers: Sequence[str]) -> tuple[int, int]:
        pairs = zip(answers, expected * TIMES, strict=True)
        return len(answers), sum(one != other for one, other in pairs)

    def threads(count: int, place: Path = home) -> tuple[int, int]:
        with Index.open(place, workers=2) as index, ThreadPoolExecutor(count) as pool:
            return compared(list(pool.map(lambda one: as_json(index.check(one)), [*questions] * TIMES)))

    def batches(size: int, workers: int = 2) -> tuple[int, int]:
        every = [*questions] * TIMES
        with Index.open(home, workers=workers) as index:
            some = (every[at : at + size] for at in range(0, len(every), size))
            return compared([as_json(one) for batch in some for one in index.check_many(batch)])

    def busy() -> tuple[int, int]:
        with every_core_burning():
            return threads(8)

    def rebuilt() -> tuple[int, int]:
        shutil.copytree(home, folder / "rebuilt")
        with Index.open(folder / "rebuilt") as index:
            index.rebuild()
        return threads(2, folder / "rebuilt")

    def segmented() -> tuple[int, int]:
        with Index.open(home, workers=2) as index:
            split(index)
            return compared([as_json(one) for one in index.check_many([*questions] * TIMES)])

    return {
        **{f"{count} threads": partial(threads, count) for count in (1, 2, 8, 16)},
        **{f"batches of {size}": partial(batches, size) for size in (7, 64)},
        **{f"{workers} workers": partial(batches, 64, workers) for workers in (1, 8)},
        "8 threads, every core burning": busy,
        "after a rebuild": rebuilt,
        f"in {SEGMENTS} segments": segmented,
    }


def rings_differing(home: Path, stored: Sequence[Path], folder: Path) -> dict[str, bool]:
    """Whether the rings of an index differ: run by more workers, scanned by more, rebuilt, on busy cores."""

    def rings(name: str, workers: int = 1, *, anew: bool = False, rebuild: bool = False) -> str:
        place = folder / name
        if anew:
            with Index.create(place, workers=workers) as index:
                index.add(NewPhoto.at(path, account=path.stem) for path in stored)
        else:
            shutil.copytree(home, place)
        with Index.open(place, workers=workers) as index:
            if rebuild:
                index.rebuild()
            report = index.rings()
        return rings_as_json(report)

    expected = rings("rings-1")
    found = {
        "rings by 2 workers": rings("rings-2", 2),
        "scanned and run by 8 workers": rings("rings-8", 8, anew=True),
        "rings after a rebuild": rings("rings-rebuilt", rebuild=True),
    }
    with every_core_burning():
        found["rings, every core burning"] = rings("rings-busy", 2)
    return {name: answer != expected for name, answer in found.items()}


if __name__ == "__main__":
    main()
