"""Items in chunks to whoever answers them, and the replies in the order of the items."""

from __future__ import annotations

from collections import deque
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

from imgmatch.describing.messages import Job
from imgmatch.describing.process import CLOSED
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from imgmatch.describing.messages import Reply
    from imgmatch.describing.runner import Item
    from imgmatch.model import Failure

CHUNK = 16
"""Jobs handed over at once."""

_FIRST_CHUNK = 2

HELD_BYTES = 96 << 20
"""While photos that are read ahead as bytes hold so many, no more are read."""


def in_order(
    items: Iterable[Item],
    job_of: Callable[[Item], Job | Failure],
    submit: Callable[[list[Job]], Future[list[Reply]]],
    ahead: int,
) -> Iterator[tuple[Item, Reply]]:
    """Yield each item with its reply, in order.

    Args:
        items: what is described.
        job_of: the work that each stands for; a failure is its own reply.
        submit: answers jobs, not at once.
        ahead: so many chunks are handed over before the reply to the first one is there, and fewer where the photos
            among them hold ``HELD_BYTES``.

    Raises:
        ImgmatchError: what was handed over was taken back, as by closing the runner.
    """
    chunks = _chunks(items, job_of)
    running: deque[tuple[list[Item], list[Job | Failure], int, Future[list[Reply]]]] = deque()
    held = 0
    try:
        while True:
            while len(running) < ahead and held < HELD_BYTES and (chunk := next(chunks, None)) is not None:
                of_chunk, jobs = chunk
                size = sum(map(_held, jobs))
                running.append((of_chunk, jobs, size, submit([job for job in jobs if isinstance(job, Job)])))
                held += size
            if not running:
                return
            done, jobs, size, future = running.popleft()
            replies = iter(_result(future))
            yield from zip(done, (next(replies) if isinstance(job, Job) else job for job in jobs), strict=True)
            held -= size
    finally:
        for *_, future in running:
            future.cancel()


def _chunks(
    items: Iterable[Item], job_of: Callable[[Item], Job | Failure]
) -> Iterator[tuple[list[Item], list[Job | Failure]]]:
    """Items and their jobs, in chunks: shorter ones first, so that all workers begin, and where photos are large."""
    chunk: list[Item] = []
    jobs: list[Job | Failure] = []
    size, most = 0, _FIRST_CHUNK
    for item in items:
        chunk.append(item)
        jobs.append(job_of(item))
        size += _held(jobs[-1])
        if len(chunk) == most or size >= HELD_BYTES // CHUNK:
            yield chunk, jobs
            chunk, jobs, size, most = [], [], 0, min(2 * most, CHUNK)
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
