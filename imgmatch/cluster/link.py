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
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from imgmatch.cluster.joining import LOCAL
from imgmatch.cluster.packing import NO_REPLIES
from imgmatch.errors import ImgmatchError, MissingExtraError
from imgmatch.framing import read_message, write_message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO

AnswerT = TypeVar("AnswerT")

CLOSE_SECONDS = 60.0
"""A connection that has not ended by then is ended."""

_WRITE_SECONDS = 5.0
"""In which a message is written to a process that reads."""

_MISSING = '{work} a Ray cluster needs ray: pip install "imgmatch[ray]"'

_LOGGER = logging.getLogger(__name__)

_SHORT = Path("/tmp")  # noqa: S108 -- a socket's path may have a hundred characters; the folder in it is its owner's alone


class ClusterLink:
    """A process that is connected to a cluster, or will be with the first question. Any threads may use it."""

    def __init__(self, address: str, driver: str, order: Mapping[str, Any], *, work: str, waiting: str) -> None:
        """The link to a cluster; nothing is started yet.

        Args:
            address: as ``ray.init`` takes it, or ``joining.LOCAL``.
            driver: the module that is run as the process; see :mod:`imgmatch.cluster.serving`.
            order: what it is told when it starts, beside ``address`` and ``folder``.
            work: what needs a cluster, for messages: ``describing on``.
            waiting: what waits for answers, for messages: ``photos``.
        """
        self._address, self._driver, self._order = address, driver, dict(order)
        self._work, self._what = work, waiting
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: str | None = None
        self._threads: list[threading.Thread] = []
        self._numbers = count()
        self._waiting: dict[int, tuple[Callable[[Mapping[str, Any], bytes], Any], Future[Any]]] = {}
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
        if self._address == LOCAL:
            self._folder = tempfile.mkdtemp(prefix="imgmatch-", dir=_SHORT if _SHORT.is_dir() else None)
        order = {**self._order, "address": self._address, "folder": self._folder}
        return subprocess.Popen(  # noqa: S603 -- our own interpreter and module
            # -P: a file in the current folder must not stand in for a library.
            [sys.executable, "-P", "-m", self._driver, json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Out of the reach of Ctrl-C and Ctrl-Z, as the processes of the pool are.
            process_group=None if sys.platform == "win32" else 0,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )

    def expect(self, parse: Callable[[Mapping[str, Any], bytes], AnswerT]) -> tuple[int, Future[AnswerT]]:
        """The number under which an answer will come, and that answer; cancelling it takes the question back.

        Args:
            parse: makes of head and body what the answer is; an error of ``NO_REPLIES`` says that it is none.

        Raises:
            ImgmatchError: the connection is closed, or was lost.
        """
        self.start()
        future: Future[AnswerT] = Future()
        number = next(self._numbers)
        with self._guard:
            if self._error is not None:
                raise _again(self._error)
            self._waiting[number] = parse, future
        return number, future

    def take_back(self, number: int) -> None:
        """No answer is expected under this number any more."""
        with self._guard:
            self._waiting.pop(number, None)
        self.write({"dropped": number})

    @property
    def is_lost(self) -> bool:
        """Whether there will be no more answers."""
        return self._error is not None

    def write(self, head: Mapping[str, Any], body: bytes = b"") -> None:
        """Send a message; it names the numbers under which answers to it are expected."""
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
            missing = _MISSING.format(work=self._work)
            return MissingExtraError(missing if "'ray'" in head["missing"] else f"{missing} ({head['missing']})")
        if "failed" in head:
            return ImgmatchError(head["failed"])
        with self._guard:
            parse, future = self._waiting.pop(head["number"], (None, None))
        if parse is None or future is None or not future.set_running_or_notify_cancel():
            return None
        if "error" in head:
            future.set_exception(ImgmatchError(head["error"]))
            return None
        try:
            answer = parse(head, body)
        except NO_REPLIES:
            future.set_exception(ImgmatchError("the Ray cluster answered what is no reply"))
        else:
            future.set_result(answer)
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
        self._end(ImgmatchError(f"the connection to the Ray cluster was closed while {self._what} were waiting"))
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


def _again(error: ImgmatchError) -> ImgmatchError:
    """The same error, for one more that waits: an exception that is raised twice drags its first traceback along."""
    return type(error)(*error.args)
