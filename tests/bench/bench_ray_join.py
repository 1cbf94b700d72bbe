"""The join of a run on two slots of a private Ray cluster beside two threads of this process, by turns.

Fingerprints are drawn: a tenth are copies, up to eight bits from another one. So many new ones, in eight orientations,
are joined with as many old ones (``--rows 100000``), as in the first step of a run of ``rings``. The cluster is there
and warm before the first turn; that the fingerprints travel is part of each. Prints one line of JSON.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from bench_writers import option
from common import QUICK, print_figures, say, spread

from imgmatch import registry
from imgmatch.clustering.joining import join_new
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.joins.blocks import JoinOptions
from imgmatch.joins.sending import JoinSender

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgmatch.tasks import Tasks

TURNS = 2 if QUICK else 8
WORKERS = 2


def run() -> dict[str, Any]:
    rows = int(option("--rows", "20000" if QUICK else "100000"))
    codes = drawn(rows)
    seconds: dict[str, list[float]] = {"local": [], "ray": []}
    found: dict[str, set[str]] = {"local": set(), "ray": set()}
    with open_runner("ray", WORKERS, Settings(features=False)) as runner:
        assert runner.tasks is not None
        for turn in range(TURNS + 1):
            for name, tasks in (("local", None), ("ray", runner.tasks)):
                took, pairs = joined(codes, tasks)
                say(f"{name}: {took:.2f} s")
                found[name].add(pairs)
                if turn:  # the first one starts processes and loads what was compiled
                    seconds[name].append(took)
    return {
        "rows": rows,
        "workers": WORKERS,
        "same_pairs": found["local"] == found["ray"] and len(found["ray"]) == 1,
        "took": {name: spread(took) for name, took in seconds.items()},
        "ray_to_local": round(statistics.median(seconds["ray"]) / statistics.median(seconds["local"]), 2),
    }


def drawn(rows: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(20)
    bits = rng.integers(0, 2, (rows, 256), dtype=np.uint8)
    for row in range(0, rows - 1, 10):
        bits[row + 1] = bits[row]
        bits[row + 1, rng.choice(256, rng.integers(1, 9), replace=False)] ^= 1
    return np.packbits(bits, axis=1)


def joined(codes: NDArray[np.uint8], tasks: Tasks | None) -> tuple[float, str]:
    """Seconds, and a digest of the pairs in order."""
    began = time.perf_counter()
    sender = None if tasks is None else JoinSender(tasks, worth=0)
    options = JoinOptions(threads=WORKERS, sender=sender)
    hasher = registry.hasher("phash")
    ids = np.arange(1, len(codes) + 1)
    blocks = list(join_new(hasher, ids, codes, 0, hasher.profile.max_distance, options))
    if sender is not None:
        sender.close()
    took = time.perf_counter() - began
    columns = [np.concatenate([getattr(one, side) for one in blocks]) for side in ("low", "high", "distances")]
    order = np.lexsort((columns[1], columns[0]))
    return took, hashlib.sha256(b"".join(column[order].tobytes() for column in columns)).hexdigest()


if __name__ == "__main__":
    print_figures("ray_join", run)
