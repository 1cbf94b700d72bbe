"""The process that speaks to Ray, seen from ours."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import deque
from concurrent.futures import Future, InvalidStateError
from dataclasses import asdict
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from imgmatch.describing.messages import Job, Reply, job_message, parse_reply, read_message, write_message
from imgmatch.describing.on_ray.packing import NO_REPLIES, packed, unpacked
from imgmatch.describing.process import START_SECONDS
from imgmatch.errors import ImgmatchError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray

    from imgmatch.describing.settings import Settings

    _Waiting = tuple[Callable[[bytes], Any], Future[Any]]

Answer = TypeVar("Answer")

PATIENCE_SECONDS = START_SECONDS
"""So long a cluster may have nobody for us, and a node may take to answer beside what its photos may take."""

CLOSE_SECONDS = 60.0
"""A connection that has not ended by then is ended."""

_WRITE_SECONDS = 5.0
"""In which a message is written to a process that reads."""

CLOSED = "the connection to the Ray cluster was closed while photos were waiting"

MISSING = 'describing on a Ray cluster needs ray: pip install "imgmatch[ray]"'

_LOGGER = logging.getLogger(__name__)

_SHORT = Path("/tmp")  # noqa: S108 -- a socket's path may have a hundred characters; the folder in it is its owner's alone


class Link:
    """A process that is connected to a cluster, or will be with the first chunk. Safe to use from several threads."""

    def __init__(self, address: str, workers: int, settings: Settings) -> None:
        self._address, self._workers, self._settings = address, workers, settings
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: str | None = None
        self._threads: list[threading.Thread] = []
        self._numbers = count()
        self._waiting: dict[int, _Waiting] = {}
        self._last_words: deque[str] = deque(maxlen=1)
        self._error: ImgmatchError | None = None

    def start(self) -> None:
        """Begin to connect, without waiting for it.

        Raises:
            ImgmatchError: the connection is closed, or was lost.
        """
        with self._guard:
            if self._error is not None:
                raise _again(self._error)
            if self._process is None:
                self._process = self._spawned()
                for work in (self._hear, self._listen):
                    thread = threading.Thread(target=work, args=(self._process,), name="imgmatch-ray", daemon=True)
                    thread.start()
                    self._threads.append(thread)

    def _spawned(self) -> subprocess.Popen[bytes]:
        if self._address == "local":
            self._folder = tempfile.mkdtemp(prefix="imgmatch-", dir=_SHORT if _SHORT.is_dir() else None)
        order = {
            "address": self._address,
            "workers": self._workers,
            "settings": asdict(self._settings),
            "patience": PATIENCE_SECONDS,
            "folder": self._folder,
        }
        return subprocess.Popen(  # noqa: S603 -- our own interpreter and module
            # -P: a file in the current folder must not stand in for a library.
            [sys.executable, "-P", "-m", "imgmatch.describing.on_ray.driver", json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Out of the reach of Ctrl-C and Ctrl-Z, as the processes of the pool are.
            process_group=None if sys.platform == "win32" else 0,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )

    def send(self, jobs: list[Job]) -> Future[list[Reply]]:
        """Have jobs answered; cancelling what is returned takes them back.

        Raises:
            ImgmatchError: the connection is closed, or was lost.
        """
        if not jobs:
            self.start()
            nothing: Future[list[Reply]] = Future()
            nothing.set_result([])
            return nothing
        return self._asked({}, packed(map(job_message, jobs)), partial(_replies, len(jobs)))

    @property
    def slots(self) -> int:
        """How many chunks or units are answered at once, at most."""
        return self._workers

    def keep(self, data: NDArray[np.uint8]) -> int:
        """Put bytes, shape (n,), where every node can have them, for units that need them; returns what to call them.

        Raises:
            ImgmatchError: the connection is closed, or was lost.
        """
        self.start()
        number = next(self._numbers)
        self._write({"kept": number}, data.tobytes())
        return number

    def forget(self, number: int) -> None:
        """Keep them no longer."""
        self._write({"forgotten": number})

    def submit(self, kind: str, unit: bytes, kept: Sequence[int] = ()) -> Future[bytes]:
        """Have a unit of work answered, as of :class:`imgmatch.tasks.Tasks`.

        Raises:
            ImgmatchError: the connection is closed, or was lost.
        """
        return self._asked({"unit": kind, "needs": list(kept)}, unit, bytes)

    def _asked(self, head: Mapping[str, Any], body: bytes, parse: Callable[[bytes], Answer]) -> Future[Answer]:
        self.start()
        future: Future[Answer] = Future()
        number = next(self._numbers)
        with self._guard:
            if self._error is not None:
                raise _again(self._error)
            self._waiting[number] = parse, future
        self._write({"chunk": number, **head}, body)
        future.add_done_callback(lambda done: self._drop(number) if done.cancelled() else None)
        return future

    def _drop(self, number: int) -> None:
        with self._guard:
            self._waiting.pop(number, None)
        self._write({"dropped": number})

    def _write(self, head: Mapping[str, Any], body: bytes = b"") -> None:
        process = self._process
        # Where it is gone, the thread that listens finds out why, and those who wait hear of it.
        if process is not None:
            with self._writing, contextlib.suppress(OSError, ValueError):
                write_message(cast("BinaryIO", process.stdin), head, body)

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """Hand out replies until there are no more."""
        error: ImgmatchError | None = None
        try:
            while error is None:
                error = self._take(*read_message(cast("BinaryIO", process.stdout)))
        except (*NO_REPLIES, OSError):
            process.kill()  # one that is alive has said what is no reply
            process.wait()
            why = "".join(f": {line}" for line in self._last_words)
            error = ImgmatchError(f"the connection to the Ray cluster at {self._address} was lost{why}")
        self._end(error)

    def _take(self, head: Mapping[str, Any], body: bytes) -> ImgmatchError | None:
        """Deal with a message; an error that ends everything is returned."""
        if "said" in head:
            _LOGGER.warning("%s", head["said"])
            return None
        if "missing" in head:
            return MissingExtraError(MISSING if "'ray'" in head["missing"] else f"{MISSING} ({head['missing']})")
        if "failed" in head:
            return ImgmatchError(head["failed"])
        with self._guard:
            parse, future = self._waiting.pop(head["chunk"], (bytes, None))
        if future is None or not future.set_running_or_notify_cancel():
            return None
        if "error" in head:
            future.set_exception(ImgmatchError(head["error"]))
            return None
        try:
            future.set_result(parse(body))
        except NO_REPLIES:
            future.set_exception(ImgmatchError("the Ray cluster answered what is no reply"))
        return None

    def _hear(self, process: subprocess.Popen[bytes]) -> None:
        """Keep what Ray complains of last."""
        for line in cast("BinaryIO", process.stderr):
            text = line.decode(errors="replace").strip()
            if text:
                self._last_words.append(text)
                _LOGGER.debug("%s", text)

    def _end(self, error: ImgmatchError) -> None:
        """From now on there is this error only."""
        with self._guard:
            self._error = self._error or error
            waiting, self._waiting = list(self._waiting.values()), {}
        for _, future in waiting:
            with contextlib.suppress(InvalidStateError):  # taken back meanwhile
                future.set_exception(_again(self._error))

    def close(self) -> None:
        """End the connection, and a cluster that is private to it; what is still waiting is given up."""
        self._end(ImgmatchError(CLOSED))
        with self._guard:
            process, self._process = self._process, None
        if process is None:
            return
        self._hang_up(process)
        try:
            process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (process.stdout, process.stderr):
            cast("BinaryIO", stream).close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _hang_up(self, process: subprocess.Popen[bytes]) -> None:
        if not self._writing.acquire(timeout=_WRITE_SECONDS):
            process.kill()  # it reads no more, and somebody waits in the middle of a message
            self._writing.acquire()
        try:
            cast("BinaryIO", process.stdin).close()
        except OSError:  # a message half written to a process that is gone
            pass
        finally:
            self._writing.release()


def _replies(count: int, body: bytes) -> list[Reply]:
    """The replies to so many jobs; raises one of ``NO_REPLIES`` where these are none."""
    replies = [parse_reply(*message) for message in unpacked(body)]
    if len(replies) != count:
        raise ValueError("another number of replies")
    return replies


def _again(error: ImgmatchError) -> ImgmatchError:
    """The same error, for one more that waits: an exception that is raised twice drags its first traceback along."""
    return type(error)(*error.args)
