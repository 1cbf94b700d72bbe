"""What an index of 10 million to 1,000 million photos needs: ``make bench NAME=sizes``, a few seconds.

Nothing is measured here. Costs of one photo, one pair and one code are those of BENCHMARKS.md, on the cores of the
machine there; what they come to for more photos is calculated, and how long checks wait for each other is simulated:
they arrive at random (Poisson), each of them is work for every shard, and a shard's cores do one piece after another.
Prints a table for ``docs/cluster.md`` and one line of JSON.
"""

from __future__ import annotations

import heapq
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from common import print_figures

PHOTOS = (10**7, 10**8, 10**9)

ENGINE_BYTES = 2_400 + 40
"""Of features and fingerprints, a photo ("depth", "scan")."""

CATALOG_BYTES = 10_402
"""A photo, thumbnails included, in PostgreSQL ("cluster")."""

DESCRIBED_A_SECOND = 75
"""Photos of 400 pixels by one core at full depth ("depth")."""

CODE_SECONDS = 678e-3 / 4.6e8
"""Of one core for each code that is looked at; CHECK_CODES and NIGHT_CODES: codes a check, and a stored picture at
night, looks at for each stored photo, by the codebook of 65,536 lists ("codebook")."""
CHECK_CODES, NIGHT_CODES = 46.0, 18.0

SHARD_SECONDS = 0.04
"""Of one core for a check at each shard, whatever it holds ("cluster")."""

REST_SECONDS = 0.06
"""Of one core for a check beside the search: describing and verifying ("throughput")."""

PAIR_SECONDS = 27.8 / 1e12
"""Of one core for each pair of a new and an old fingerprint ("join")."""

NEW = 0.01
"""Share of the photos that is new in a night."""

CORE_HOUR = 0.04
"""Dollars for an hour of one rented core: an assumption."""

SHARD_BYTES, SHARD_CORES, SPARE = 16e9, 8, 0.75
"""A machine that holds one shard; so much of its memory is filled."""

QUICK_SECONDS = 1.0
"""In which 95 of 100 checks are to be answered."""

CHECKS, SEED = 4_000, 5


@dataclass(frozen=True, slots=True)
class Size:
    """What so many photos need."""

    photos: int
    memory_gb: float
    catalog_gb: float
    shards: int
    first_scan_core_hours: float
    night_describing_core_hours: float
    night_join_core_hours: float
    night_search_core_hours: float
    night_dollars: float
    check_core_seconds: float
    check_alone_ms: float
    checks_a_second: float


def size(photos: int) -> Size:
    """The figures for one number of photos."""
    memory = photos * ENGINE_BYTES
    shards = max(1, -(-int(memory) // int(SHARD_BYTES * SPARE)))
    new = photos * NEW
    describing, join = new / DESCRIBED_A_SECOND / 3600, new * photos * PAIR_SECONDS / 3600
    search = new * (NIGHT_CODES * photos * CODE_SECONDS + shards * SHARD_SECONDS) / 3600
    of_shard = SHARD_SECONDS + CHECK_CODES * photos / shards * CODE_SECONDS
    return Size(
        photos=photos,
        memory_gb=memory / 1e9,
        catalog_gb=photos * CATALOG_BYTES / 1e9,
        shards=shards,
        first_scan_core_hours=photos / DESCRIBED_A_SECOND / 3600,
        night_describing_core_hours=describing,
        night_join_core_hours=join,
        night_search_core_hours=search,
        night_dollars=(describing + join + search) * CORE_HOUR,
        check_core_seconds=REST_SECONDS + shards * of_shard,
        check_alone_ms=1e3 * (REST_SECONDS + of_shard),
        checks_a_second=most_checks(of_shard),
    )


def most_checks(of_shard: float) -> float:
    """Checks a second that leave 95 of 100 answered in time, to a hundredth of what the cores could do."""
    most = SHARD_CORES / of_shard
    rates = [most * step / 100 for step in range(1, 100)]
    kept = [rate for rate in rates if waits(rate, of_shard) + REST_SECONDS <= QUICK_SECONDS]
    return max(kept, default=0.0)


def waits(rate: float, of_shard: float) -> float:
    """Seconds in which a shard has answered 95 of 100 checks that arrive at this rate.

    One shard stands for all: each gets every check, and they are alike.
    """
    arrivals = np.cumsum(np.random.default_rng(SEED).exponential(1 / rate, CHECKS))
    free = [0.0] * SHARD_CORES
    took = []
    for arrival in arrivals.tolist():
        end = max(arrival, heapq.heappop(free)) + of_shard
        heapq.heappush(free, end)
        took.append(end - arrival)
    return float(np.percentile(took, 95))


def table(sizes: list[Size]) -> str:
    """As it stands in the documents."""
    rows = {
        "memory of the engines, once": [f"{one.memory_gb:,.0f} GB" for one in sizes],
        f"shards of {SHARD_BYTES / 1e9:.0f} GB and {SHARD_CORES} cores": [f"{one.shards:,}" for one in sizes],
        "catalog on disk": [f"{one.catalog_gb:,.0f} GB" for one in sizes],
        "first scan, core hours": [f"{one.first_scan_core_hours:,.0f}" for one in sizes],
        "a night with 1 % new: describing, core hours": [f"{one.night_describing_core_hours:,.1f}" for one in sizes],
        "join of fingerprints": [f"{one.night_join_core_hours:,.2f}" for one in sizes],
        "search for features": [f"{one.night_search_core_hours:,.0f}" for one in sizes],
        f"price of the night at ${CORE_HOUR} a core hour": [f"${one.night_dollars:,.2f}" for one in sizes],
        "a check, core seconds": [f"{one.check_core_seconds:,.1f}" for one in sizes],
        "a check that is alone, one core a shard": [f"{one.check_alone_ms:,.0f} ms" for one in sizes],
        "checks a second, 95 % within a second": [f"{one.checks_a_second:,.0f}" for one in sizes],
    }
    head = ["| photos | " + " | ".join(f"{one.photos:,}" for one in sizes) + " |", "|---" * (len(sizes) + 1) + "|"]
    return "\n".join(head + [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows.items()])


def run() -> dict[str, Any]:
    sizes = [size(photos) for photos in PHOTOS]
    print(table(sizes))
    return {"sizes": [asdict(one) for one in sizes]}


if __name__ == "__main__":
    print_figures("sizes", run)
