"""Several workers, fed in chunks, answering in order."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from imgmatch.describing.messages import Job
from imgmatch.describing.process import CLOSED, WorkerProcess
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import Self

    from imgmatch.describing.messages import Reply
    from imgmatch.describing.settings import Settings
    from imgmatch.model import Failure

CHUNK = 16
"""Jobs handed to a worker at once."""

_WATCH_SECONDS = 0.1

Item = TypeVar("Item")


class WorkerPool:
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
        source = iter(items)
        running: deque[tuple[list[Item], Future[list[Reply]]]] = deque()
        ahead = 2 * len(self._workers) + 1 + spare // CHUNK
        try:
            while True:
                while len(running) < ahead and (chunk := list(islice(source, CHUNK))):
                    running.append((chunk, self._submit([job_of(item) for item in chunk])))
                if not running:
                    return
                chunk, future = running.popleft()
                yield from zip(chunk, _result(future), strict=True)
        finally:
            for _, future in running:
                future.cancel()

    def warm_up(self) -> None:
        """Start the first process without waiting for it: it loads its libraries while the caller does other work."""
        self._workers[-1].warm_up()  # the last one put among the idle is the first one taken

    def _submit(self, jobs: list[Job | Failure]) -> Future[list[Reply]]:
        try:
            return self._threads.submit(self._answer, jobs)
        except RuntimeError:  # no new work after shutdown
            raise ImgmatchError(CLOSED) from None

    def _answer(self, jobs: list[Job | Failure]) -> list[Reply]:
        worker = self._idle.get()
        try:
            replies = iter(worker.describe([job for job in jobs if isinstance(job, Job)]))
        finally:
            self._idle.put(worker)
        return [next(replies) if isinstance(job, Job) else job for job in jobs]

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _result(future: Future[list[Reply]]) -> list[Reply]:
    try:
        return future.result()
    except CancelledError:
        raise ImgmatchError(CLOSED) from None
