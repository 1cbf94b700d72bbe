"""From a chunk of jobs to its replies, whatever becomes of the nodes meanwhile."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgmatch.cluster.packing import packed, unpacked
from imgmatch.describing.chunks import CHUNK, HELD_BYTES
from imgmatch.describing.messages import reply_message
from imgmatch.describing.on_ray.slots import SlotLostError
from imgmatch.errors import ImgmatchError, PhotoError
from imgmatch.imaging.files import read_photo
from imgmatch.model import Failure
from imgmatch.rooted import look_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from imgmatch.cluster.packing import Message
    from imgmatch.describing.messages import Reply
    from imgmatch.describing.on_ray.slots import Slots
    from imgmatch.imaging.limits import Limits

PART_BYTES = HELD_BYTES // CHUNK
"""What is read here ends a part with the photo that brings it to so many bytes."""

TRIES = 3
"""So many slots are lost with a chunk before its photos are tried singly, and with a photo before it is to blame."""


class Answerer:
    """Answers chunks of jobs. Safe to use from several threads at once."""

    def __init__(self, slots: Slots, limits: Limits, patience: float, say: Callable[[str], None]) -> None:
        """A slot that does not answer a chunk within ``patience`` seconds beside what its photos may take is lost.

        What an operator should know is handed to ``say``.
        """
        self._slots, self._limits, self._patience, self._say = slots, limits, patience, say
        self._room = _Room(HELD_BYTES)
        self._said = False

    def packed(self, chunk: bytes) -> bytes:
        """As :meth:`answer`, of jobs that were packed; so are the replies."""
        return packed(self.answer(unpacked(chunk)))

    def answer(self, jobs: Sequence[Message]) -> list[Message]:
        """The replies to jobs, in order.

        A photo in a file is read by the node where that sees the same file, and here where it does not.

        Raises:
            ImgmatchError: the cluster has nobody who describes photos.
        """
        files = [_file_of(job) for job in jobs]
        asked = [number for number, (head, _) in enumerate(jobs) if "path" not in head or files[number] is not None]
        found = dict(
            zip(asked, self._tried([_with_file(jobs[number], files[number]) for number in asked]), strict=True)
        )
        unseen = [number for number in asked if found[number] is None]
        if unseen and not self._said:
            self._said = True
            self._say(
                f"not every node sees {jobs[unseen[0]][0]['path']} and its like: such photos are read here and sent; a"
                " folder that all nodes share under one path would save the network"
            )
        here = [number for number in range(len(jobs)) if found.get(number) is None]
        for part, size in _parts((number, _held(files[number], self._limits)) for number in here):
            found.update(zip(part, self._read_here([jobs[number] for number in part], size), strict=True))
        return [reply_message(_present(found[number])) for number in range(len(jobs))]

    def _read_here(self, jobs: Sequence[Message], size: int) -> list[Reply]:
        """The replies to jobs whose files, of so many bytes together, are read here."""
        with self._room.taken(size):
            read = [self._with_bytes(job) for job in jobs]
            replies = iter(self._tried([job for job in read if not isinstance(job, Failure)]))
            return [job if isinstance(job, Failure) else _present(next(replies)) for job in read]

    def _with_bytes(self, job: Message) -> Message | Failure:
        head, _ = job
        path, root = _place(head)
        try:
            body = read_photo(path, self._limits, root)
        except PhotoError as error:
            return Failure(error.reason, error.detail)
        return {name: value for name, value in head.items() if name not in {"path", "root"}}, body

    def _tried(self, chunk: Sequence[Message]) -> list[Reply | None]:
        """The replies of the first slot that is not lost with the chunk."""
        if not chunk:
            return []
        seconds = self._patience + len(chunk) * self._limits.wall_seconds
        last: SlotLostError | None = None
        for _ in range(TRIES):
            with self._slots.taken() as slot:
                try:
                    return slot.describe(chunk, seconds)
                except SlotLostError as lost:
                    last = lost
        if len(chunk) > 1:
            return [reply for message in chunk for reply in self._tried([message])]
        if last is None or last.reason is None:
            raise ImgmatchError(str(last))
        return [Failure(last.reason, f"{last}, {TRIES} times over")]


def _file_of(job: Message) -> tuple[int, int] | None:
    """Size and time of the file that a job names, by which a node tells it from others; ``None`` without one."""
    if "path" not in job[0]:
        return None
    try:
        state = look_at(*_place(job[0]))
    except (OSError, ValueError, PhotoError):  # reading it says why
        return None
    return state.st_size, state.st_mtime_ns


def _with_file(job: Message, file: tuple[int, int] | None) -> Message:
    return job if file is None else ({**job[0], "file": file}, job[1])


def _held(file: tuple[int, int] | None, limits: Limits) -> int:
    """Bytes that reading a file takes: one that is too large is not read to its end."""
    return 0 if file is None else min(file[0], limits.file_bytes + 1)


def _parts(numbers: Iterable[tuple[int, int]]) -> Iterator[tuple[list[int], int]]:
    """Numbers in parts that hold not much more than ``PART_BYTES``, and how many those hold."""
    part: list[int] = []
    size = 0
    for number, held in numbers:
        part.append(number)
        size += held
        if size >= PART_BYTES:
            yield part, size
            part, size = [], 0
    if part:
        yield part, size


def _present(reply: Reply | None) -> Reply:
    if reply is None:
        raise ImgmatchError("a node says that it does not see a photo that was sent to it")
    return reply


def _place(head: Mapping[str, Any]) -> tuple[Path, Path | None]:
    return Path(head["path"]), Path(head["root"]) if "root" in head else None


class _Room:
    """Memory for photos that are read here. One that is larger than all of it waits until it is alone."""

    def __init__(self, size: int) -> None:
        self._size, self._taken = size, 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        size = min(size, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._taken + size <= self._size)
            self._taken += size
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()
