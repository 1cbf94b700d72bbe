"""An erasure that is killed at a hundred random moments, each time repeated: is anything left in any file?

``bench_erase.py --kills 20`` kills less often. Each time a small index with one account to erase is copied, the erasure
is killed and then repeated, and every byte of every file is looked at. Prints one line of JSON.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import QUICK, print_figures, say, spread
from erasing import VICTIM, WHEN_READY, erasing, left, make, sought

from imgmatch.errors import NotFoundError
from imgmatch.index import Index

SEED = 12


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as temporary:
        place = Path(temporary)
        say("an index")
        whole = make(place / "whole")
        needles = sought(whole)
        longest = max(erased(shutil.copytree(whole, place / "measured"), None), 0.1)
        moments, rng = [], random.Random(SEED)
        counted = {"killed": 0, "unfinished": 0, "repeated": 0, "already_gone": 0, "traces_left": 0}
        for number in range(option("--kills", 10 if QUICK else 100)):
            copy = shutil.copytree(whole, place / f"copy {number}")
            moments.append(rng.uniform(0, longest))
            counted["killed"] += erased(copy, moments[-1]) < 0
            with Index.open(copy) as index:
                counted["unfinished"] += index.status().unfinished_erasures
                counted[repeated(index)] += 1
            counted["traces_left"] += len(left(copy, needles))
            shutil.rmtree(copy)
            if number % 10 == 9:
                say(f"  killed {number + 1} times")
        return counted | {"seconds_of_an_erasure": round(longest, 2), "killed_after": spread(moments)}


def option(name: str, default: int) -> int:
    return int(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else default


def erased(folder: Path, kill_after: float | None) -> float:
    """Erase, and kill after so many seconds; how long it took, or -1 if it was killed."""
    with erasing(WHEN_READY, folder) as process:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise SystemExit("an erasure did not begin")
        began = time.monotonic()
        if kill_after is not None:
            time.sleep(kill_after)
            process.kill()
        process.wait()
        return -1 if process.returncode else time.monotonic() - began


def repeated(index: Index) -> str:
    """Erase again; what is counted of that."""
    try:
        erasure = index.erase(account=VICTIM)
    except NotFoundError:
        return "already_gone"
    if not erasure.finished:
        raise SystemExit(f"the repeated erasure is not finished: {erasure}")
    return "repeated"


if __name__ == "__main__":
    print_figures("erase", run)
