"""A check of an index that one machine searches beside the same through one, two and four shards, question by question.

The same photos (``--photos 1200`` crops of real ones) lie in a database for each side. Three nodes of a Ray cluster on
this machine hold all shards. Each question is asked of every side before the next one, so that whatever else the
machine does falls on all of them; the differences are the medians of those of one question. Answers are compared.
Prints one line of JSON.
"""

from __future__ import annotations

import json
import operator
import random
import statistics
import time
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench_writers import manifest, option
from common import QUICK, print_figures, say, spread
from cropped import crops
from three_nodes import three_nodes

from imgmatch.index import Index

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COUNTS = (1, 2, 4)
QUESTIONS = 10 if QUICK else 60
WARM = 3
DEADLINE = 60.0


def run() -> dict[str, Any]:
    count = int(option("--photos", "200" if QUICK else "1200"))
    with three_nodes() as (place, server, nodes, _), ExitStack() as opened:
        drawn = crops(place / "photos", count)
        sides: dict[str, Index] = {}
        with Index.create(place / "index", workers=2) as first:
            first.scan([manifest(place, "known", drawn)])
            for name in ("local", *(f"{shards} shards" for shards in COUNTS)):
                say(f"{name}: copied")
                url = server.database()
                first.copy(url)
                sides[name] = opened.enter_context(Index.open(url, workers=1))
        sides["local"].rebuild()
        for shards in COUNTS:
            say(f"{shards} shards: started")
            sides[f"{shards} shards"].start_shards(shards, at=f"ray:{nodes.address}", deadline=DEADLINE)
        waits, same = asked(sides, random.Random(1).choices(drawn, k=QUESTIONS + WARM))
    return {
        "photos": count,
        "same_answers": same,
        "check_ms": {name: spread(took) for name, took in waits.items()},
        "more_than_local_ms": {
            name: round(statistics.median(map(operator.sub, took, waits["local"])), 1)
            for name, took in waits.items()
            if name != "local"
        },
    }


def asked(sides: dict[str, Index], questions: Sequence[Path]) -> tuple[dict[str, list[float]], bool]:
    """How long each check takes on each side, in turns, and whether the answers are the same."""
    waits: dict[str, list[float]] = {name: [] for name in sides}
    same = True
    for number, photo in enumerate(questions):
        answers = list[str]()
        # Who comes first changes, too: the first one finds the photo in no cache.
        for name in sorted(sides, key=lambda name: random.Random(f"{number} {name}").random()):
            began = time.perf_counter()
            found = sides[name].check(photo)
            took = 1_000 * (time.perf_counter() - began)
            answers.append(json.dumps(asdict(found), default=str))
            if number >= WARM:
                waits[name].append(took)
        same &= len(set(answers)) == 1
    return waits, same


if __name__ == "__main__":
    print_figures("shards", run)
