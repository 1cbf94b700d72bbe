"""Items in chunks to whoever answers them, and the replies in the order of the items."""

from __future__ import annotations

from collections import deque
from io import BytesIO
from typing import TYPE_CHECKING, Any

from imgmatch.describing.messages import Job, read_message, write_message
from imgmatch.describing.pool import CHUNK, HELD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Future

    from imgmatch.describing.messages import Reply
    from imgmatch.describing.runner import Item
    from imgmatch.model import Failure

Message = tuple["Mapping[str, Any]", bytes]
"""Head and body, as of :mod:`imgmatch.describing.messages`."""

PART_BYTES = HELD_BYTES // CHUNK
"""A chunk ends with the photo that brings it to so many bytes."""

NO_REPLIES = (ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, RecursionError)
"""What reading raises of bytes that are no replies."""


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
            replies = iter(future.result())
            yield from zip(done, (next(replies) if isinstance(job, Job) else job for job in jobs), strict=True)
            held -= size
    finally:
        for *_, future in running:
            future.cancel()


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
        if len(chunk) == CHUNK or size >= PART_BYTES:
            yield chunk, jobs
            chunk, jobs, size = [], [], 0
    if chunk:
        yield chunk, jobs


def _held(job: Job | Failure) -> int:
    """Bytes of a photo that are in memory."""
    return len(job.photo) if isinstance(job, Job) and isinstance(job.photo, bytes) else 0


def packed(messages: Iterable[Message]) -> bytes:
    """Messages one behind the other: what crosses the network is plain bytes."""
    stream = BytesIO()
    for head, body in messages:
        write_message(stream, head, body)
    return stream.getvalue()


def unpacked(data: bytes) -> list[Message]:
    """The messages in ``data``.

    Raises:
        EOFError: it is cut off.
        ValueError: it is something else.
    """
    stream = BytesIO(data)
    messages: list[Message] = []
    while stream.tell() < len(data):
        messages.append(read_message(stream))
    return messages
