"""Several workers, fed in chunks, answering in order."""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from imgmatch.describing.chunks import CHUNK, in_order
from imgmatch.describing.process import CLOSED, WorkerProcess
from imgmatch.describing.runner import Runner
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from imgmatch.describing.messages import Job, Reply
    from imgmatch.describing.runner import Item
    from imgmatch.describing.settings import Settings
    from imgmatch.model import Failure

_WATCH_SECONDS = 0.1


class WorkerPool(Runner):
    """Describes photos in ``workers`` processes.

    The processes start with the first job. Safe to use from several threads at once.
    """

    def __init__(self, workers: int, settings: Settings) -> None:
        if workers < 1:
            raise ValueError("a pool needs at least one worker")
        self._workers = [WorkerProcess(settings) for _ in range(workers)]
        self._idle: queue.LifoQueue[WorkerProcess] = queue.LifoQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(workers, "imgmatch-worker")
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._kill_late_ones, name="imgmatch-watch", daemon=True)
        self._watch.start()

    def describe(
        self, items: Iterable[Item], job_of: Callable[[Item], Job | Failure], *, spare: int = 0
    ) -> Iterator[tuple[Item, Reply]]:
        """Yield each item with its reply, in order; reads ``items`` only a few chunks ahead.

        An item whose job is a failure already gets that failure.

        Args:
            items: what is described.
            job_of: the work that each stands for.
            spare: so many more items are read ahead, that the workers have work while the caller is busy otherwise.

        Raises:
            ImgmatchError: the pool is closed, or was while photos were waiting.
        """
        return in_order(items, job_of, self._submit, 2 * len(self._workers) + 1 + spare // CHUNK)

    def warm_up(self) -> None:
        """Start the first process without waiting for it: it loads its libraries while the caller does other work."""
        self._workers[-1].warm_up()  # the last one put among the idle is the first one taken

    def _submit(self, jobs: list[Job]) -> Future[list[Reply]]:
        try:
            return self._threads.submit(self._answer, jobs)
        except RuntimeError:  # no new work after shutdown
            raise ImgmatchError(CLOSED) from None

    def _answer(self, jobs: list[Job]) -> list[Reply]:
        worker = self._idle.get()
        try:
            return worker.describe(jobs)
        finally:
            self._idle.put(worker)

    def _kill_late_ones(self) -> None:
        before = time.monotonic()
        while not self._closing.wait(_WATCH_SECONDS):
            now = time.monotonic()
            # A process that was stopped itself (Ctrl-Z, a debugger) must not hold that time against its workers.
            passed, before = min(now - before, 10 * _WATCH_SECONDS), now
            for worker in self._workers:
                worker.pass_time(passed)

    def close(self) -> None:
        """End every worker; what is still waiting is given up."""
        self._closing.set()
        self._watch.join()
        for worker in self._workers:
            worker.stop()
        self._threads.shutdown(cancel_futures=True)
