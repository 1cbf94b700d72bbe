"""The runner without processes, for tests and for photos of one's own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from imgmatch.describing.describe import Describer
from imgmatch.describing.here import TasksHere
from imgmatch.describing.messages import Job
from imgmatch.describing.runner import Runner
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from imgmatch.describing.messages import Reply
    from imgmatch.describing.runner import Item
    from imgmatch.describing.settings import Settings
    from imgmatch.model import Failure


class InProcessRunner(Runner):
    """Describes photos one after another, in the process and thread that asks.

    There is no isolation: a photo that crashes its decoder ends the process, one that hangs is waited for, and the
    limits on time and memory of a worker do not hold. Not for photos of strangers.
    """

    def __init__(self, workers: int, settings: Settings) -> None:
        """``workers`` is at least 1, as for every runner, and without effect."""
        if workers < 1:
            raise ValueError("a runner needs at least one worker")
        self._describer = Describer(settings)
        self._one_at_a_time = threading.Lock()
        self._closed = False
        self._tasks = TasksHere()

    @property
    def tasks(self) -> TasksHere:
        """Units of work, answered where they are given out."""
        return self._tasks

    def describe(
        self, items: Iterable[Item], job_of: Callable[[Item], Job | Failure], *, spare: int = 0
    ) -> Iterator[tuple[Item, Reply]]:
        """Yield each item with its reply, in order; reads one item at a time, whatever is spare.

        Raises:
            ImgmatchError: the runner is closed, or was while photos were waiting.
        """
        del spare
        for item in items:
            yield item, self._reply(job_of(item))

    def _reply(self, job: Job | Failure) -> Reply:
        with self._one_at_a_time:
            if self._closed:
                raise ImgmatchError("the runner is closed")
            return self._describer.describe(job) if isinstance(job, Job) else job

    def warm_up(self) -> None:
        """Nothing: it is ready."""

    def close(self) -> None:
        """Refuse more work."""
        self._closed = True
