"""What a codebook of more lists saves: codes a check scans, and copies it still finds among its candidates.

Real photos are indexed with others drawn from them as in ``bench_depth.py``; edited copies of the real ones are asked
for, as a check asks for them and as ``rings`` does for what is stored. A copy counts as found where its original is
among the candidates that verification would look at. Lists are read as the codebook has it, and at other numbers of
probes. What 10^6 and 10^7 photos cost is taken from lists filled
to the length that they would have. Prints one line of JSON; ``--each N`` asks for N copies of each edit, ``--drawn N``
adds N photos.
"""

from __future__ import annotations

import random
import sys
import time
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import cv2
import faiss
import numpy as np
from bench_depth import drawn as drawn_records
from common import QUICK, photos_in, print_figures, say
from edited_copies import Asked, drawn
from edits import EDITS

from imgmatch import registry
from imgmatch.describing.describe import Describer
from imgmatch.describing.messages import Description, Job
from imgmatch.describing.settings import Settings
from imgmatch.engines.ivf import IvfEngine
from imgmatch.features.codebook import CODE_BYTES, floats
from imgmatch.features.extract import Features
from imgmatch.features.recoding import recoded
from imgmatch.features.record import unpack
from imgmatch.matching.stored_pairs import stored_features
from imgmatch.matching.verification import LEAST_VOTES, MOST_CANDIDATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from imgmatch.engines.base import Candidate
    from imgmatch.features.codebook import F32, Codebook

    I64 = NDArray[np.int64]
    Rows = list[tuple[int, bytes]]

SEED = 41
STORED = ("portraits", "phone", "generated", "avatars")
PROBES = {"sift-4096-32x4-v1": (1, 2, 4, 8), "sift-4096x16-32x4-v1": (8, 16, 24, 32)}
SIZES = (1_000_000, 10_000_000)
POINTS = 100
TIMED = 32
"""Descriptors whose lists are filled to be timed: of 10^7 photos, a gigabyte."""

REPEATED = 10


@dataclass(frozen=True, slots=True)
class Question:
    """An edited copy: the row of its original, and its features."""

    row: int
    features: Features


def run() -> dict[str, Any]:
    cv2.setNumThreads(1)
    faiss.omp_set_num_threads(1)
    paths = photos_in(*STORED)
    describer = Describer(Settings())
    say(f"describing {len(paths):,} photos")
    found = [describer.describe(Job(path)) for path in paths]
    real: Rows = [
        (row, reply.first.stored.record)
        for row, reply in enumerate(found, 1)
        if isinstance(reply, Description) and reply.first.stored is not None
    ]
    return measured(real, *questions(describer, real))


def measured(real: Rows, asked: Sequence[Question], kept: Sequence[Question]) -> dict[str, Any]:
    """The figures of every codebook."""
    rows = real + others(real, option("--drawn", 500 if QUICK else 20_000), 100_000)
    source = registry.codebook(registry.DEFAULT_CODEBOOK)
    figures: dict[str, Any] = {"photos": len(rows), "asked": len(asked)}
    for name in registry.CODEBOOKS:
        book = registry.codebook(name)
        written = [(row, recoded(record, source, book)) for row, record in rows]
        sizes = [sizes_of(some, book) for some in (written[: len(real)], written)]
        figures[name] = {
            "lists": book.lists,
            "probes": [book.probes, book.probes_of_few],
            "check": searched(book, written, sizes[1], asked),
            "rings": searched(book, written, sizes[1], kept),
            "at": {probes: searched(with_probes(book, probes), written, sizes[1], asked) for probes in PROBES[name]},
            "ms_a_check_of": {size: milliseconds_of(book, sizes[0], asked, size) for size in SIZES},
        }
    return figures


def option(name: str, default: int) -> int:
    return int(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else default


def others(real: Rows, count: int, first: int) -> Rows:
    """Records whose points are drawn from all over the real ones, some digits of their codes altered."""
    pool = [unpack(record) for _, record in real]
    lists = np.concatenate([one.lists for one in pool])
    codes = np.concatenate([one.codes for one in pool])
    rng = np.random.default_rng(SEED)
    return [(first + number, record) for number, record in enumerate(drawn_records(rng, lists, codes, count))]


def questions(describer: Describer, real: Rows) -> tuple[list[Question], list[Question]]:
    """Edited copies of photos drawn by lot, each edit as often: as they are asked for, and as they would be stored."""
    rng = random.Random(SEED)
    paths, people = photos_in(*STORED), photos_in("same-person")
    chances = [1 if path.parent.name in {"portraits", "phone"} else 4 for path in paths]
    indexed = dict(real)
    each = option("--each", 1 if QUICK else 12)
    say(f"drawing {each * len(EDITS):,} edited copies")
    asked: list[Question] = []
    kept: list[Question] = []
    for name in EDITS:
        for place in rng.choices(range(len(paths)), chances, k=each):
            data = drawn(Asked(paths[place], name, 1, rng.getrandbits(32)), people)
            replies = [describer.describe(Job(data, query=query)) for query in (True, False)]
            for reply in replies if place + 1 in indexed else ():
                picture = reply.first if isinstance(reply, Description) else None
                if picture is not None and picture.asked is not None:
                    asked.append(Question(place + 1, picture.asked.features))
                if picture is not None and picture.stored is not None:
                    record = stored_features(picture.stored.record, registry.DEFAULT_CODEBOOK)
                    kept.append(Question(place + 1, record))
    return asked, kept


def sizes_of(rows: Rows, book: Codebook) -> I64:
    """How many codes each list has."""
    return np.bincount(np.concatenate([unpack(record).lists for _, record in rows]), minlength=book.lists)


def with_probes(book: Codebook, probes: int) -> Codebook:
    """The same codebook, with so many lists read for a descriptor."""
    kind = type("Probing", (type(book),), {"probes": probes, "probes_of_few": probes})
    varied: Codebook = kind(**{field.name: getattr(book, field.name) for field in fields(book)})
    return varied


def searched(book: Codebook, rows: Rows, sizes: I64, asked: Sequence[Question]) -> dict[str, Any]:
    """Copies found, codes scanned and time in the engine, a check."""
    say(f"{book.name}, {book.probes} probes, {len(asked):,} copies")
    engine = IvfEngine.empty(book).appended([(row, unpack(record)) for row, record in rows], 1 << 40)
    engine.search([asked[0].features], 1)  # it is built when it is first asked
    started = time.process_time()
    answers = [engine.search([one.features], MOST_CANDIDATES, LEAST_VOTES)[0] for one in asked]
    took = time.process_time() - started
    codes = [sizes[lists_of(book, one)].sum() for one in asked]
    return {
        "found_percent": percent([one.row in rows_of(answer) for one, answer in zip(asked, answers, strict=True)]),
        "first_percent": percent(
            [rows_of(answer)[:1] == [one.row] for one, answer in zip(asked, answers, strict=True)]
        ),
        "codes_a_check": round(float(np.mean(codes))),
        "engine_cpu_ms_a_check": round(1000 * took / len(asked), 1),
    }


def rows_of(answer: Sequence[Candidate]) -> list[int]:
    return [candidate.row for candidate in answer]


def percent(found: Sequence[bool]) -> float:
    return round(100 * sum(found) / len(found), 2)


def both_sides(question: Question) -> F32:
    features = question.features
    return floats(np.concatenate([features.descriptors, features.mirrored().descriptors]))


def lists_of(book: Codebook, question: Question) -> I64:
    """Which lists a query reads."""
    return book.nearest(both_sides(question), book.probes_for(len(question.features)))[1]


def milliseconds_of(book: Codebook, real: I64, asked: Sequence[Question], photos: int) -> dict[str, float]:
    """What the lists of a check cost among so many photos, when lists grow as those of the real ones are long."""
    rng = np.random.default_rng(SEED)
    shares = real / real.sum()
    read = [shares[lists_of(book, one)].sum() for one in asked]
    descriptors = float(np.mean([2 * len(one.features) for one in asked]))
    some = [both_sides(asked[number]) for number in rng.integers(0, len(asked), TIMED)]
    chosen = np.stack([vectors[rng.integers(0, len(vectors))] for vectors in some if len(vectors)])
    far, lists = book.nearest(chosen, book.probes)
    filled = book.empty_index()
    for number in np.unique(lists).tolist():
        count = int(shares[number] * photos * POINTS)
        if not count:
            continue
        ids, code = np.arange(count), rng.integers(0, 256, (count, CODE_BYTES), dtype=np.uint8)
        filled.invlists.add_entries(number, count, faiss.swig_ptr(ids), faiss.swig_ptr(code))
        filled.ntotal += count
    index: Any = faiss.IndexIVFPQFastScan(filled)
    index.nprobe = book.probes
    started = time.process_time()
    for _ in range(REPEATED):
        index.search_preassigned(chosen, 20, lists, far)
    took = (time.process_time() - started) / REPEATED / len(chosen)
    codes = float(np.mean(read)) * photos * POINTS
    return {"codes": round(codes), "cpu_ms": round(1000 * took * descriptors, 1)}


if __name__ == "__main__":
    print_figures("codebook", run)
