"""Readers given files changed at random, for ten minutes: what they answer, and what the worst of it took.

``bench_fuzz.py --seconds 60`` takes less. Every kind of source gets an equal share. An answer that none may give
ends it, with the input that hypothesis has made small. Prints one line of JSON.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import QUICK, peak_mib, print_figures, say
from fuzzing import SEEDS, FuzzTally, fuzz


def run() -> dict[str, Any]:
    seconds = float(option("--seconds", "20" if QUICK else "600"))
    tally, start = FuzzTally(), int(time.time())
    before = peak_mib()
    with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as folder:
        for kind in SEEDS:
            say(kind)
            fuzz(kind, seconds / len(SEEDS), Path(folder), tally, start)
    taken, kind, size = tally.slowest
    return {
        "seed": start,
        "runs": tally.runs.total(),
        "runs_of_each": dict(tally.runs),
        "outcomes": dict(tally.outcomes),
        "slowest": {"cpu_seconds": taken, "kind": kind, "bytes": size},
        "peak_mib_before": before,
        "peak_mib": peak_mib(),
        "peak_mib_of_children": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    }


def option(name: str, default: str) -> str:
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default


if __name__ == "__main__":
    print_figures("fuzz", run)
