"""Answers that are to be the same whatever varies, and ways to vary it; used by tests and a benchmark."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.catalog.features import read_records
from imgmatch.catalog.fingerprints import read_fingerprints
from imgmatch.cores import usable_cores
from imgmatch.engines.flat import FlatEngine, FlatSegment
from imgmatch.engines.ivf import IvfEngine, IvfSegment
from imgmatch.engines.postings import Postings, piece_of
from imgmatch.features.codebook import shipped
from imgmatch.features.record import unpack
from imgmatch.model import Searched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.index import Index
    from imgmatch.model import CheckResult, Evidence, RingsReport

SEGMENTS = 10


def as_json(result: CheckResult | RingsReport | Evidence) -> str:
    """A result as text."""
    return json.dumps(asdict(result), default=str)


def rings_as_json(report: RingsReport) -> str:
    """Rings as text, but for what the search did: that depends on what was searched before."""
    return as_json(replace(report, searched=Searched()))


@contextmanager
def every_core_burning() -> Iterator[None]:
    """Keep every core busy meanwhile."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(usable_cores())]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def split(index: Index) -> None:
    """Let both engines hold in ten segments what they hold."""
    fingerprints, features, book = index.parts.fingerprints, index.parts.features, shipped()
    with index.parts.catalog.read() as session:
        records = [row for block in read_records(session, book.name) for row in block]
        blocks = list(read_fingerprints(session, index.parts.hasher_name))
    ids, codes = (np.concatenate([block[which] for block in blocks]) for which in (0, 1))
    watermarks = fingerprints.current().watermark, features.current().watermark
    parts = [FlatSegment(ids[span], codes[span]) for span in _spans(len(ids))]
    fingerprints._engine = FlatEngine(tuple(parts), watermarks[0])  # noqa: SLF001 -- as if appended to so
    pieces = [[(row, unpack(record)) for row, record in records[span]] for span in _spans(len(records))]
    postings = [Postings((piece_of(piece, book.lists),), len(piece), book.lists) for piece in pieces]
    segments = tuple(IvfSegment(book, each) for each in postings)
    features._engine = IvfEngine(book, segments, watermarks[1])  # noqa: SLF001 -- the same


def _spans(count: int) -> list[slice]:
    """So many rows in ten parts."""
    edges = np.linspace(0, count, SEGMENTS + 1).astype(int).tolist()
    return [slice(start, end) for start, end in pairwise(edges)]
