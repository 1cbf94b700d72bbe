"""One worker process, seen from the pool's side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

from imgmatch.errors import ImgmatchError
from imgmatch.model import SkipReason
from imgmatch.workers.messages import Failure, Job, Reply, job_message, parse_reply, read_message, write_message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from imgmatch.workers.settings import Settings

START_SECONDS = 60.0
"""A worker that has not loaded its libraries by then cannot be used."""

AHEAD = 4
"""Jobs sent before their turn: the worker never waits for the pool, and neither side's pipe can fill up."""

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class WorkerProcess:
    """A worker that is started again whenever it dies or is killed for taking too long.

    One thread at a time may call :meth:`describe`; :meth:`kill_if_late` may be called from another.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline: float | None = None
        self._late = False
        self._ready = False
        self._stopped = False
        self._guard = threading.Lock()

    def describe(self, jobs: Sequence[Job]) -> list[Reply]:
        """Answer every job, in order; one that ends the worker is a :class:`Failure`."""
        replies: list[Reply] = []
        while len(replies) < len(jobs):
            if self._stopped:
                raise ImgmatchError("the worker processes were closed while photos were waiting")
            replies.extend(self._run(jobs[len(replies) :]))
        return replies

    def _run(self, jobs: Sequence[Job]) -> list[Reply]:
        """Answer jobs until all are done or one has ended the worker; that one is answered as a failure."""
        stdin, stdout = self._streams()
        replies: list[Reply] = []
        waiting: deque[Job] = deque(jobs)
        sent = 0
        try:
            while len(replies) < len(jobs):
                while waiting and sent - len(replies) < AHEAD:
                    write_message(stdin, *job_message(waiting.popleft()))
                    sent += 1
                self._expect(self._settings.limits.seconds)
                head, _ = read_message(stdout)
                replies.append(parse_reply(head))
        except (EOFError, OSError):
            replies.append(self._cause_of_death())
        finally:
            self._expect(None)
        return replies

    def _streams(self) -> tuple[BinaryIO, BinaryIO]:
        if self._process is not None and self._process.poll() is not None:
            self.close()
        self.warm_up()
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise ImgmatchError("the worker processes were closed while photos were waiting")
        stdin, stdout = cast("BinaryIO", process.stdin), cast("BinaryIO", process.stdout)
        if not self._ready:
            self._late = False
            self._greet(stdout)
            self._ready = True
        return stdin, stdout

    def warm_up(self) -> None:
        """Start the process if there is none, without waiting until it is ready."""
        with self._guard:
            if self._process is None and not self._stopped:
                self._process = self._spawned()

    def _spawned(self) -> subprocess.Popen[bytes]:
        limits = asdict(self._settings.limits)
        settings = json.dumps({"hashers": self._settings.hashers, "limits": limits})
        return subprocess.Popen(  # noqa: S603 -- our own interpreter and module
            # -P: a file in the current folder must not stand in for a library.
            [sys.executable, "-P", "-m", "imgmatch.workers.worker", settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | _ONE_THREAD,
        )

    def _greet(self, stdout: BinaryIO) -> None:
        """Wait until a new process is ready."""
        try:
            self._expect(START_SECONDS)
            read_message(stdout)
        except (EOFError, OSError):
            raise ImgmatchError("a worker process could not start; try: python -m imgmatch.workers.worker") from None
        finally:
            self._expect(None)

    def _expect(self, seconds: float | None) -> None:
        with self._guard:
            self._deadline = None if seconds is None else time.monotonic() + seconds

    def kill_if_late(self) -> None:
        """End the process if the photo in hand has used up its time."""
        with self._guard:
            if self._deadline is not None and time.monotonic() > self._deadline and self._process is not None:
                self._late = True
                self._deadline = None
                self._process.kill()

    def _cause_of_death(self) -> Failure:
        late = self._late
        code = self._process.wait() if self._process is not None else None
        self.close()
        if late:
            return Failure(SkipReason.TIMED_OUT, f"not done within {self._settings.limits.seconds:g} seconds")
        return Failure(SkipReason.CRASHED, f"its decoder ended the worker process (exit {code})")

    def stop(self) -> None:
        """End the process for good."""
        self._stopped = True
        self.close()

    def close(self) -> None:
        """End the process; the next job starts another."""
        process, self._process = self._process, None
        self._ready = False
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # a message half written to a dead worker
                    continue
        process.wait()
