"""Batches of pairs of pictures judged in this process, or where the runner works."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from imgmatch.matching.pair_units import send
from imgmatch.matching.stored_pairs import PairJudge
from imgmatch.tasks import in_turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from imgmatch.catalog.pair_scores import PairScore
    from imgmatch.engines.parts import Parts
    from imgmatch.matching.pair_units import Claimed
    from imgmatch.tasks import SentUnit, Tasks

Batch = TypeVar("Batch")

AHEAD = 16
"""Units that are out beside those that are worked on: as many as a batch has, while the next one is searched."""


class BatchJudge:
    """Judges batches; the scores are the same wherever that is done."""

    def __init__(self, parts: Parts) -> None:
        self._codebook = parts.codebook
        self._judge = PairJudge(parts.codebook)
        self._tasks = parts.runner.tasks

    def judged(self, batches: Iterable[tuple[Batch, Sequence[Claimed]]]) -> Iterator[tuple[Batch, list[PairScore]]]:
        """Yield what names each batch, with one score for each candidate, in order; elsewhere, reads some ahead.

        Raises:
            ImgmatchError: whoever judges elsewhere is gone.
        """
        if self._tasks is None:
            for batch, pairs in batches:
                yield batch, self._judge.judge(pairs)
            return
        judged: list[PairScore] = []
        for ended, scores in in_turn(self._sent(self._tasks, batches), AHEAD + 2 * self._tasks.slots):
            judged += scores or ()
            if ended is not None:
                yield ended[0], judged
                judged = []

    def _sent(
        self, tasks: Tasks, batches: Iterable[tuple[Batch, Sequence[Claimed]]]
    ) -> Iterator[tuple[tuple[Batch] | None, SentUnit[list[PairScore]] | None]]:
        """The units of each batch, and then what names it."""
        for batch, pairs in batches:
            for unit in send(tasks, self._codebook, pairs):
                yield None, unit
            yield (batch,), None
