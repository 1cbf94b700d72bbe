"""Work on two slots of a private Ray cluster beside the same by two workers of this machine, by turns.

Photos are described (``--photos 600`` crops of real ones), at full depth. Fingerprints are joined: they are drawn, a
tenth are copies, up to eight bits from another one; so many new ones, in eight orientations, with as many old ones
(``--rows 100000``), as in the first step of a run of ``rings``. The cluster is there and warm before the first turn;
that photos and fingerprints travel is part of each. Prints one line of JSON.
"""

from __future__ import annotations

import hashlib
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from bench_writers import option
from common import QUICK, print_figures, say, spread
from cropped import crops

from imgmatch import registry
from imgmatch.clustering.joining import join_new
from imgmatch.describing.messages import Description, Job
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.joins.blocks import JoinOptions
from imgmatch.joins.sending import JoinSender

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from imgmatch.describing.runner import Runner
    from imgmatch.tasks import Tasks

TURNS = 2 if QUICK else 8
WORKERS = 2


def run() -> dict[str, Any]:
    return {"workers": WORKERS, "describing": describing(), "join": joining()}


def describing() -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as place,
        open_runner("processes", WORKERS, Settings()) as local,
        open_runner("ray", WORKERS, Settings()) as ray,
    ):
        photos = [path.read_bytes() for path in crops(Path(place), int(option("--photos", "60" if QUICK else "600")))]
        figures = by_turns({"local": lambda: described(local, photos), "ray": lambda: described(ray, photos)})
    return {"photos": len(photos), **figures}


def described(runner: Runner, photos: Sequence[bytes]) -> str:
    """A digest of the replies in order."""
    digest = hashlib.sha256()
    for _, reply in runner.describe(photos, Job):
        assert isinstance(reply, Description)
        stored = reply.first.stored
        assert stored is not None
        digest.update(stored.record + stored.thumbnail)
    return digest.hexdigest()


def joining() -> dict[str, Any]:
    rows = int(option("--rows", "20000" if QUICK else "100000"))
    codes = drawn(rows)
    with open_runner("ray", WORKERS, Settings(features=False)) as runner:
        assert runner.tasks is not None
        figures = by_turns({"local": partial(joined, codes, None), "ray": partial(joined, codes, runner.tasks)})
    return {"rows": rows, **figures}


def by_turns(sides: Mapping[str, Callable[[], str]]) -> dict[str, Any]:
    """Whether both give the same, and what they take, in seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    found = set[str]()
    for turn in range(TURNS + 1):
        for name, work in sides.items():
            began = time.perf_counter()
            found.add(work())
            took = time.perf_counter() - began
            say(f"{name}: {took:.2f} s")
            if turn:  # the first one starts processes and loads what was compiled
                seconds[name].append(took)
    return {
        "same": len(found) == 1,
        "seconds": {name: spread(took) for name, took in seconds.items()},
        "ray_to_local": round(statistics.median(seconds["ray"]) / statistics.median(seconds["local"]), 2),
    }


def drawn(rows: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(20)
    bits = rng.integers(0, 2, (rows, 256), dtype=np.uint8)
    for row in range(0, rows - 1, 10):
        bits[row + 1] = bits[row]
        bits[row + 1, rng.choice(256, rng.integers(1, 9), replace=False)] ^= 1
    return np.packbits(bits, axis=1)


def joined(codes: NDArray[np.uint8], tasks: Tasks | None) -> str:
    """A digest of the pairs in order."""
    sender = None if tasks is None else JoinSender(tasks, worth=0)
    options = JoinOptions(threads=WORKERS, sender=sender)
    hasher = registry.hasher("phash")
    ids = np.arange(1, len(codes) + 1)
    blocks = list(join_new(hasher, ids, codes, 0, hasher.profile.max_distance, options))
    if sender is not None:
        sender.close()
    columns = [np.concatenate([getattr(one, side) for one in blocks]) for side in ("low", "high", "distances")]
    order = np.lexsort((columns[1], columns[0]))
    return hashlib.sha256(b"".join(column[order].tobytes() for column in columns)).hexdigest()


if __name__ == "__main__":
    print_figures("ray", run)
