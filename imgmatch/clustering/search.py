"""The nightly search: every new picture is looked up among all by its features, and what is found is judged and kept.

Only what the join of fingerprints has not tied already is judged. The outcome of each batch is written with how far was
searched, so that a night that is killed goes on where it was.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.features import features_by_id
from imgmatch.catalog.pair_scores import (
    begin_feature_search,
    scored_pairs,
    search_watermark,
    store_pair_scores,
    store_search_watermark,
)
from imgmatch.catalog.pictures import files_of_pictures
from imgmatch.clustering.nodes import turned_by
from imgmatch.describing.messages import Description, Job
from imgmatch.imaging.picture import KEPT, SMALL_SIDE
from imgmatch.matching.stored_pairs import Asking, Claim, PairJudge, asking, rule_name
from imgmatch.matching.verification import MOST_CANDIDATES
from imgmatch.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from imgmatch.catalog.features import FeatureRow
    from imgmatch.catalog.pictures import PictureFile
    from imgmatch.clustering.nodes import Nodes
    from imgmatch.engines.ivf import Candidate
    from imgmatch.index import Index
    from imgmatch.progress import Progress

AT_ONCE = 128
"""Pictures searched and judged between two writes."""

LEAST_VOTES = 1.5
"""Votes from which a candidate is judged: below are nine in ten candidates, and one copy in a hundred."""

MOST_JUDGED = 6
"""Candidates of one picture that are judged, those with most votes: who belongs to a group is laid over its medoid
later."""

LARGE = KEPT * SMALL_SIDE
"""Longer side, in pixels, above which a picture is read again: it may show another one as a small part."""


@dataclass(slots=True)
class Searched:
    """What a search did: pictures looked up, read again from their files, not to be had there any more, and judged."""

    pictures: int = 0
    read_again: int = 0
    unreadable: int = 0
    judged: int = 0


class Tied:
    """Pairs of nodes that the join has tied, to be asked for by fingerprint."""

    def __init__(self, nodes: Nodes, left: NDArray[np.int64], right: NDArray[np.int64]) -> None:
        one, other = nodes.fingerprints[left], nodes.fingerprints[right]
        low, high = np.minimum(one, other), np.maximum(one, other)
        self._keys = np.unique(low << 32 | high)

    def __contains__(self, pair: tuple[int, int]) -> bool:
        low, high = min(pair), max(pair)
        key = low << 32 | high
        place = int(np.searchsorted(self._keys, key))
        return place < len(self._keys) and int(self._keys[place]) == key


class PictureAsker:
    """Makes stored pictures into what is asked: from the catalog, and large ones from their files."""

    def __init__(self, index: Index, counted: Searched) -> None:
        self._index = index
        self._counted = counted

    def ask(self, rows: Sequence[int], bits: NDArray[np.uint8]) -> list[Asking]:
        """The pictures under these row ids of features, whose fingerprints are ``bits``, shape (n, 32)."""
        with self._index.catalog.read() as connection:
            known = features_by_id(connection, rows)
            files = files_of_pictures(connection, rows)
        turned = turned_by(self._index.hasher, bits)
        large = [(row, file) for row in rows if (file := files.get(row)) is not None and file.side > LARGE]
        again = dict(self._read_again(large))
        return [
            asking(row, known[row], turned[:, place], again[row].asked if row in again else None)
            for place, row in enumerate(rows)
            if row in known
        ]

    def _read_again(self, large: Sequence[tuple[int, PictureFile]]) -> Iterator[tuple[int, Description]]:
        for (row, file), reply in self._index.pool.describe(large, lambda item: Job(item[1].path, query=True)):
            if isinstance(reply, Description) and reply.sha256 == file.sha256 and reply.asked is not None:
                self._counted.read_again += 1
                yield row, reply
            else:
                self._counted.unreadable += 1


def search_new(index: Index, nodes: Nodes, tied: Tied, progress: Progress = SILENT) -> Searched:
    """Look up the pictures no night has looked up yet.

    Args:
        index: which must be free to be written.
        nodes: its pictures.
        tied: what the join of fingerprints has tied.
        progress: hears how many pictures are done, of how many.
    """
    counted = Searched()
    rule = rule_name(index.header.codebook)
    with index.catalog.read() as connection:
        through = search_watermark(connection, rule)
    new = [row for row in nodes.pictures if row > through]
    if not new:
        return counted
    with index.writing():
        with index.catalog.write() as connection:
            begin_feature_search(connection, rule)
        work = _Search(index, nodes, tied, counted)
        for batch, claims in work.ahead(chunks(new, AT_ONCE)):
            ties = work.judge.judge(claims)
            counted.pictures += len(batch)
            counted.judged += len(ties)
            with index.catalog.write() as connection:
                store_pair_scores(connection, ties)
                store_search_watermark(connection, rule, batch[-1])
            progress.step("pictures searched", counted.pictures, len(new))
    return counted


class _Search:
    def __init__(self, index: Index, nodes: Nodes, tied: Tied, counted: Searched) -> None:
        self.judge = PairJudge(index.header.codebook)
        self._index = index
        self._nodes = nodes
        self._tied = tied
        self._asker = PictureAsker(index, counted)
        with index.catalog.read() as connection:
            self._met = scored_pairs(connection)

    def ahead(self, batches: Iterable[list[int]]) -> Iterator[tuple[list[int], list[tuple[Asking, list[Claim]]]]]:
        """Each batch with what is to be judged; the next one is searched meanwhile."""
        waiting = iter(batches)
        with ThreadPoolExecutor(1, "imgmatch-search") as thread:
            batch = next(waiting, None)
            running = thread.submit(self._claims, batch) if batch else None
            while batch and running:
                done, claims = batch, running.result()
                batch = next(waiting, None)
                running = thread.submit(self._claims, batch) if batch else None
                yield done, claims

    def _claims(self, batch: Sequence[int]) -> list[tuple[Asking, list[Claim]]]:
        asked = self._asker.ask(batch, self._nodes.bits[[self._nodes.pictures[row] for row in batch]])
        found = self._index.features.search([one.features for one in asked], MOST_CANDIDATES)
        wanted = [(one, self._chosen(one, candidates)) for one, candidates in zip(asked, found, strict=True)]
        with self._index.catalog.read() as connection:
            known = features_by_id(connection, {each.row for _, candidates in wanted for each in candidates})
        return [(one, self._made(candidates, known)) for one, candidates in wanted]

    def _chosen(self, asked: Asking, candidates: Iterable[Candidate]) -> list[Candidate]:
        """The candidates to judge. From its other side a pair shows nothing new, unless more is known of that."""
        chosen = [each for each in candidates if self._is_new(asked.row, each)][:MOST_JUDGED]
        pairs = [(min(asked.row, each.row), max(asked.row, each.row)) for each in chosen]
        fresh = [each for each, pair in zip(chosen, pairs, strict=True) if asked.again or pair not in self._met]
        self._met.update(pairs)
        return fresh

    def _is_new(self, row: int, candidate: Candidate) -> bool:
        """Whether a pair is worth judging, and not tied already."""
        one, other = self._nodes.pictures.get(row), self._nodes.pictures.get(candidate.row)
        if candidate.votes < LEAST_VOTES or one is None or other is None:
            return False
        fingerprints = int(self._nodes.fingerprints[one]), int(self._nodes.fingerprints[other])
        return fingerprints[0] != fingerprints[1] and fingerprints not in self._tied

    def _made(self, candidates: Collection[Candidate], known: dict[int, FeatureRow]) -> list[Claim]:
        return [
            Claim(each.row, known[each.row], self._nodes.bits[self._nodes.pictures[each.row]].tobytes(), each.mirrored)
            for each in candidates
            if each.row in known
        ]
