"""How fast PDQ values are looked up among a million: the banded engine, the flat one, and threatexchange's index.

Every way is measured in a process of its own, which this file is when it is given a set and a way: what one leaves in
memory and caches would slow the next.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import faiss
import numpy as np
from common import QUICK, anonymous_mib, milliseconds, say, spread

from imgmatch.engines.banded import BandedSegment
from imgmatch.engines.flat import FlatSegment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from imgmatch.engines.base import Codes

    Answer = list[tuple[int, int]]

HELD = 100_000 if QUICK else 1_000_000
QUERIES = 200 if QUICK else 1_000
COPIES = 100
"""Of each picture, where values are clustered."""

AT_ONCE = 8
MOST_DISTANCE = 31
WARM_UP = 20


def lookups() -> dict[str, Any]:
    """Both sets, with every way to search them; all must give the same answers."""
    figures: dict[str, Any] = {"held": HELD, "queries": QUERIES, "max_distance": MOST_DISTANCE}
    for name in SETS:
        found = {way: _in_a_process(name, way) for way in WAYS}
        answers = {way: one.pop("answers") for way, one in found.items() if "answers" in one}
        figures[name] = {**found, "answers_equal": len(set(answers.values())) == 1}
        if "one" in found["PDQIndex"]:
            theirs, ours = found["PDQIndex"], found["banded"]
            figures[name]["ratio"] = {
                kind: {part: round(theirs[kind][part] / ours[kind][part], 1) for part in ours[kind]} for kind in KINDS
            }
        say(f"look-ups, {name}: {json.dumps(figures[name])}")
    return figures


def _in_a_process(name: str, way: str) -> dict[str, Any]:
    command = [sys.executable, __file__, name, way, *(["--quick"] if QUICK else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return cast("dict[str, Any]", json.loads(done.stdout))


def random_values() -> Codes:
    return np.random.default_rng(1).integers(0, 256, (HELD, 32), dtype=np.uint8)


def clustered_values() -> Codes:
    """Pictures with a hundred copies each, 3 % of the bits turned in each, in no order."""
    rng = np.random.default_rng(2)
    codes = np.repeat(rng.integers(0, 256, (HELD // COPIES, 32), dtype=np.uint8), COPIES, axis=0)
    for start in range(0, HELD, 50_000):
        part = codes[start : start + 50_000]
        part ^= np.packbits(rng.random((len(part), 256)) < 0.03, axis=1)
    return codes[rng.permutation(HELD)]


def asked(codes: Codes) -> Codes:
    """Half of them 0 to 31 bits off a held one, half of them strangers, by turns."""
    rng = np.random.default_rng(3)
    queries = rng.integers(0, 256, (QUERIES, 32), dtype=np.uint8)
    for number in range(0, QUERIES, 2):
        bits = np.unpackbits(codes[rng.integers(0, HELD)])
        bits[rng.choice(256, int(rng.integers(0, MOST_DISTANCE + 1)), replace=False)] ^= 1
        queries[number] = np.packbits(bits)
    return queries


def banded(codes: Codes, queries: Codes) -> Callable[[slice], Answer]:
    return _segment(BandedSegment(np.arange(HELD, dtype=np.int64), codes), queries)


def flat(codes: Codes, queries: Codes) -> Callable[[slice], Answer]:
    return _segment(FlatSegment(np.arange(HELD, dtype=np.int64), codes), queries)


def _segment(segment: BandedSegment | FlatSegment, queries: Codes) -> Callable[[slice], Answer]:
    def search(part: slice) -> Answer:
        hits = segment.search(queries[part], MOST_DISTANCE)
        return list(zip(hits.distances.tolist(), hits.ids.tolist(), strict=True))

    search(slice(0, 1))  # what is made by the first search belongs to building
    return search


def pdq_index(codes: Codes, queries: Codes) -> Callable[[slice], Answer]:
    """threatexchange's, which takes text and one query a call."""
    module = import_module("threatexchange.signal_type.pdq.pdq_index")
    index = module.PDQIndex.build((code.tobytes().hex(), number) for number, code in enumerate(codes))
    asked_for = [query.tobytes().hex() for query in queries]

    def search(part: slice) -> Answer:
        found = (match for query in asked_for[part] for match in index.query(query))
        return [(match.similarity_info.distance, match.metadata) for match in found]

    return search


def pdq_index_alone(codes: Codes, queries: Codes) -> Callable[[slice], Answer]:
    """The same with one thread: for a single query those that FAISS starts only wait for each other."""
    faiss.omp_set_num_threads(1)
    return pdq_index(codes, queries)


SETS = {"random": random_values, "clustered": clustered_values}
WAYS = {"banded": banded, "flat": flat, "PDQIndex": pdq_index_alone, "PDQIndex as it comes": pdq_index}
KINDS = ("one", "one_near", "one_stranger", "eight")


def measured(name: str, way: str) -> dict[str, Any]:
    """Times in milliseconds of one query and of eight in a call, and a digest of what each query found."""
    codes = SETS[name]()
    queries = asked(codes)
    few = BandedSegment(np.arange(30_000), codes[:30_000].copy())
    few.search(queries[:1], MOST_DISTANCE)  # compiles what is searched by
    before, started = anonymous_mib(), time.perf_counter()
    try:
        search = WAYS[way](codes, queries)
    except ImportError as error:
        return {"peer": f"not installed: {error}"}
    seconds, after = time.perf_counter() - started, anonymous_mib()
    answers = [sorted(search(part)) for part in _parts(1)]
    one = [milliseconds(partial(search, part)) for part in _parts(1)]
    eight = [milliseconds(partial(search, part)) for part in _parts(AT_ONCE)]
    memory = None if before is None or after is None else round(after - before)
    times = zip(KINDS, (one, one[::2], one[1::2], eight), strict=True)
    return {
        "build_s": round(seconds, 2),
        "memory_mib": memory,
        **{kind: spread(taken) for kind, taken in times},
        "hits": sum(map(len, answers)),
        "answers": hashlib.sha256(repr(answers).encode()).hexdigest(),
    }


def _parts(count: int) -> Iterator[slice]:
    return (slice(number, number + count) for number in range(0, QUERIES - count + 1, count))


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], sys.argv[2])))
