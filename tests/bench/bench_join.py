"""How fast all near pairs among many fingerprints are found, next to faiss, on random and on real distributions.

Every case runs in a process of its own, so that its peak of memory is its own. Prints one line of JSON. Needs the
folder ../shared for its photos.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
from common import QUICK, peak_mib, photos_in, print_figures, resident_mib, say

from imgmatch import registry
from imgmatch.describing.describe import Describer
from imgmatch.describing.messages import Description, Job
from imgmatch.describing.settings import Settings
from imgmatch.joins.banded import banded_join, choose
from imgmatch.joins.blocks import JoinOptions, words_of
from imgmatch.joins.hamming import cross_join, self_join
from imgmatch.joins.near import near_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Codes = NDArray[np.uint8]

SEED = 20
RADIUS = 31
FOLDERS = ("phone", "portraits", "avatars", "generated", "same-person")
HASHERS = ("phash", "pdq")

AT_ONCE = 1_000_000
CLUSTERED, CLUSTER, CLUSTER_FLIPS = 0.1, 20, 8
"""A tenth of the rows are copies, twenty of one fingerprint, each up to eight bits from it."""

EQUAL = 1_000
"""So many rows are one default picture."""

REPEATS = {100_000: 5}
"""Short joins are run again and again, and the median is told."""

PEER_QUERIES = {100_000: 100_000, 1_000_000: 2_000, 10_000_000: 200}
"""How many fingerprints faiss is asked for, of how many; the rest is extrapolated."""


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement.

    Attributes:
        data: ``random``, or a hasher: fingerprints of the real photos with noise.
        rows: how many.
        radius: in bits.
        new: join so many others with them instead of them with themselves.
        kind: ``join``, ``turned`` (all eight orientations) or ``faiss``.
    """

    data: str
    rows: int
    radius: int = RADIUS
    new: int = 0
    kind: str = "join"

    @property
    def name(self) -> str:
        shape = f"{self.new:,} x {self.rows:,}" if self.new else f"{self.rows:,}"
        return f"{self.kind} {self.data} {shape} within {self.radius}"


SMALL, MIDDLE, LARGE = PEER_QUERIES
_EVERY = (
    *(Case("random", rows, kind=kind) for rows in (SMALL, MIDDLE) for kind in ("join", "faiss")),
    *(Case(data, rows, kind=kind) for data in HASHERS for rows in (SMALL, MIDDLE) for kind in ("join", "faiss")),
    *(Case(data, MIDDLE, registry.hasher(data).profile.max_distance) for data in HASHERS),
    *(Case("pdq", rows, kind="turned") for rows in (SMALL, MIDDLE)),
    *(Case(data, LARGE, new=SMALL, kind=kind) for data in ("random", "phash") for kind in ("join", "faiss")),
    *(Case(data, LARGE) for data in ("random", "phash")),
)
CASES = [case for case in _EVERY if case.rows == SMALL or not QUICK]


def run() -> dict[str, Any]:
    real = real_codes()
    cases = {}
    for case in CASES:
        say(case.name)
        cases[case.name] = in_a_process(case, real)
    return {
        "photos": len(real["phash"]),
        "cases": cases,
        "times_faster_than_faiss": {
            case.name: {
                measure: round(cases[peer][measure] / cases[case.name][measure], 1)
                for measure in ("seconds", "cpu_seconds")
            }
            for case in CASES
            if case.kind == "join" and (peer := case.name.replace("join", "faiss", 1)) in cases
        },
        "same_pairs_as_faiss": {
            case.name: [cases[case.name][what] for what in ("pairs", "checksum")]
            == [cases[peer][what] for what in ("pairs", "checksum")]
            for case in CASES
            if case.kind == "join" and cases.get(peer := case.name.replace("join", "faiss", 1), {}).get("whole")
        },
    }


def real_codes() -> dict[str, Codes]:
    """Fingerprints of the real photos, by hasher."""
    say("describing the photos")
    describer = Describer(Settings(HASHERS, features=False, thumbnails=False))
    replies = [describer.describe(Job(file)) for file in photos_in(*FOLDERS)]
    kept = [reply for reply in replies if isinstance(reply, Description)]
    joined = {name: b"".join(reply.first.fingerprints[name] for reply in kept) for name in HASHERS}
    return {name: np.frombuffer(data, np.uint8).reshape(-1, 32) for name, data in joined.items()}


def in_a_process(case: Case, real: dict[str, Codes]) -> dict[str, Any]:
    """What :func:`measure` gives in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, json.dumps(asdict(case))],
        input=real[case.data].tobytes() if case.data in real else b"",
        stdout=subprocess.PIPE,
        check=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def measure(case: Case, photos: Codes) -> dict[str, Any]:
    codes = fingerprints(case.rows, photos, SEED)
    new = None
    if case.new:  # half of the new ones are copies of old ones
        new = fingerprints(case.new, photos, SEED + 1)
        new[: case.new // 2] = codes[:: case.rows // case.new][: case.new // 2]
    if case.kind == "faiss":
        return by_faiss(case, codes, new)
    list(banded_join(words_of(codes[:2_000]), None, case.radius, JoinOptions()))  # compiles, or reads what is compiled
    list(banded_join(words_of(codes[:1_000]), words_of(codes[:500]), case.radius, JoinOptions()))
    if case.kind == "turned":
        codes = registry.hasher(case.data).estimated_orientations(codes)
    return by_us(case, codes, new)


def fingerprints(rows: int, photos: Codes, seed: int) -> Codes:
    """Random ones, or those of real photos with an eighth of the bits flipped; among them copies and equal ones."""
    rng = np.random.default_rng(seed)
    codes = np.empty((rows, 32), np.uint8)
    for start in range(0, rows, AT_ONCE):
        part = codes[start : start + AT_ONCE]
        noise = [rng.integers(0, 256, part.shape, dtype=np.uint8) for _ in range(3 if len(photos) else 1)]
        part[:] = np.bitwise_and.reduce(noise)
        if len(photos):
            part ^= photos[rng.integers(0, len(photos), len(part))]
    copies = int(rows * CLUSTERED)
    codes[:copies] = codes[copies : copies + -(-copies // CLUSTER)].repeat(CLUSTER, axis=0)[:copies]
    for _ in range(CLUSTER_FLIPS):
        codes[np.arange(copies), rng.integers(0, 32, copies)] ^= np.uint8(1) << rng.integers(0, 8, copies, np.uint8)
    codes[-EQUAL:] = codes[-1]
    rng.shuffle(codes)
    return codes


def by_us(case: Case, codes: Codes, new: Codes | None) -> dict[str, Any]:
    before = resident_mib()
    runs = [joined(case, codes, new) for _ in range(1 if case.new else REPEATS.get(case.rows, 1))]
    words = [words_of(side) for side in ((codes[0],) if case.kind == "turned" else (codes, new)) if side is not None]
    bands = Counter(f"{band.width} bits, {band.flips} flips" for band in choose(words[-1], words[0], case.radius))
    return {
        **runs[0],
        "seconds": round(statistics.median(run["seconds"] for run in runs), 3),
        "cpu_seconds": round(statistics.median(run["cpu_seconds"] for run in runs), 3),
        "runs": len(runs),
        "memory_before_mib": round(before or 0),
        "peak_mib": round(peak_mib() or 0),
        "bands": dict(bands),
    }


def joined(case: Case, codes: Codes, new: Codes | None) -> dict[str, Any]:
    terms = JoinOptions()
    started, busy = time.perf_counter(), time.process_time()
    if case.kind == "turned":
        blocks: Iterable[Any] = near_blocks(codes, case.radius, terms)
    else:
        blocks = self_join(codes, case.radius, terms) if new is None else cross_join(new, codes, case.radius, terms)
    pairs = checksum = 0
    for block in blocks:
        pairs += len(block)
        paused, idle = time.perf_counter(), time.process_time()
        checksum += int(summed(block.left, block.right, block.distances))
        started += time.perf_counter() - paused  # the comparison is not the join
        busy += time.process_time() - idle
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - busy,
        "pairs": pairs,
        "checksum": checksum % 2**63,
        "candidates": terms.counts.candidates,
        "threads": terms.threads,
    }


def by_faiss(case: Case, codes: Codes, new: Codes | None) -> dict[str, Any]:
    """All pairs if all are asked for; else the time of some, extrapolated."""
    index = faiss.IndexBinaryFlat(256)
    index.add(codes)
    asked = codes if new is None else new
    some = min(PEER_QUERIES[case.rows], len(asked))
    started, busy = time.perf_counter(), time.process_time()
    limits, distances, ids = index.range_search(asked[:some], case.radius + 1)
    seconds, busy = (now - then for now, then in ((time.perf_counter(), started), (time.process_time(), busy)))
    queries = np.repeat(np.arange(some), np.diff(limits.astype(np.int64)))
    once = queries < ids if new is None else np.ones(len(ids), dtype=bool)
    return {
        "seconds": round(seconds * len(asked) / some, 3),
        "cpu_seconds": round(busy * len(asked) / some, 3),
        "whole": some == len(asked),
        "queries": some,
        "extrapolated": some < len(asked),
        "pairs": int(once.sum()) if some == len(asked) else None,
        "checksum": int(summed(queries[once], ids[once], distances[once].astype(np.int64))) % 2**63,
        "threads": faiss.omp_get_max_threads(),
        "peak_mib": round(peak_mib() or 0),
    }


def summed(left: NDArray[np.int64], right: NDArray[np.int64], distances: NDArray[Any]) -> int:
    """The same for the same pairs with the same distances in any order."""
    mixed = (left * 1_000_003 + right) * 1_000_003 % 2**31 * (distances.astype(np.int64) + 1)
    return int(mixed.sum())


if __name__ == "__main__":
    if len(sys.argv) > 1 and not QUICK:
        given = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(-1, 32)
        print(json.dumps(measure(Case(**json.loads(sys.argv[1])), given)))
    else:
        print_figures("join", run)
