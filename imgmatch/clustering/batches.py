"""Batches of pairs of pictures judged in this process, or where the runner works."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from imgmatch.matching.pair_units import PICTURES_A_UNIT, send
from imgmatch.matching.stored_pairs import PairJudge
from imgmatch.tasks import in_turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from imgmatch.catalog.pair_scores import PairScore
    from imgmatch.engines.parts import Parts
    from imgmatch.matching.stored_pairs import PairCandidate, StoredQuery

Batch = TypeVar("Batch")

_BATCH = 128
"""Pictures in most batches."""


class BatchJudge:
    """Judges batches; the scores are the same wherever that is done."""

    def __init__(self, parts: Parts) -> None:
        self._codebook = parts.codebook
        self._judge = PairJudge(parts.codebook)
        self._tasks = parts.runner.tasks

    def judged(
        self, batches: Iterable[tuple[Batch, Sequence[tuple[StoredQuery, Sequence[PairCandidate]]]]]
    ) -> Iterator[tuple[Batch, list[PairScore]]]:
        """Yield what names each batch, with one score for each candidate, in order; elsewhere, reads some ahead.

        Raises:
            ImgmatchError: whoever judges elsewhere is gone.
        """
        if self._tasks is None:
            for batch, pairs in batches:
                yield batch, self._judge.judge(pairs)
            return
        tasks = self._tasks
        given = ((batch, send(tasks, self._codebook, pairs)) for batch, pairs in batches)
        for batch, answers in in_turn(given, _BATCH // PICTURES_A_UNIT + 2 * tasks.slots):
            yield batch, list(chain.from_iterable(answers))
