"""Several workers, fed in chunks, answering in order."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from imgmatch.describing.messages import Job
from imgmatch.describing.process import CLOSED, WorkerProcess
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import Self

    from imgmatch.describing.messages import Reply
    from imgmatch.describing.runner import Item
    from imgmatch.describing.settings import Settings
    from imgmatch.model import Failure

CHUNK = 16
"""Jobs handed to a worker at once."""

HELD_BYTES = 96 << 20
"""While photos that are read ahead as bytes hold so many, no more are read."""

_WATCH_SECONDS = 0.1


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
        chunks = _chunks(items, job_of)
        running: deque[tuple[list[Item], int, Future[list[Reply]]]] = deque()
        ahead, held = 2 * len(self._workers) + 1 + spare // CHUNK, 0
        try:
            while True:
                while len(running) < ahead and held < HELD_BYTES and (chunk := next(chunks, None)) is not None:
                    of_chunk, jobs = chunk
                    size = sum(map(_held, jobs))
                    running.append((of_chunk, size, self._submit(jobs)))
                    held += size
                if not running:
                    return
                done, size, future = running.popleft()
                yield from zip(done, _result(future), strict=True)
                held -= size
        finally:
            for _, _, future in running:
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


def _chunks(
    items: Iterable[Item], job_of: Callable[[Item], Job | Failure]
) -> Iterator[tuple[list[Item], list[Job | Failure]]]:
    """Items and their jobs, in chunks that are shorter where photos are large."""
    chunk: list[Item] = []
    jobs: list[Job | Failure] = []
    size = 0
    for item in items:
        chunk.append(item)
        jobs.append(job_of(item))
        size += _held(jobs[-1])
        if len(chunk) == CHUNK or size >= HELD_BYTES // CHUNK:
            yield chunk, jobs
            chunk, jobs, size = [], [], 0
    if chunk:
        yield chunk, jobs


def _held(job: Job | Failure) -> int:
    """Bytes of a photo that are in memory."""
    return len(job.photo) if isinstance(job, Job) and isinstance(job.photo, bytes) else 0


def _result(future: Future[list[Reply]]) -> list[Reply]:
    try:
        return future.result()
    except CancelledError:
        raise ImgmatchError(CLOSED) from None
