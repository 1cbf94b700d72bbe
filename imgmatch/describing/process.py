"""One worker process, seen from the pool's side."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

from imgmatch.describing.messages import (
    Job,
    Reply,
    job_message,
    parse_reply,
)
from imgmatch.errors import ImgmatchError
from imgmatch.framing import message_bytes, read_message, write_message
from imgmatch.model import Failure, SkipReason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from imgmatch.describing.settings import Settings

START_SECONDS = 300.0
"""A worker that has not loaded its libraries by then, be the machine ever so busy, cannot be used."""

AHEAD = 4
"""Jobs sent before their turn, so that the worker never waits for the pool."""

PIPE_BYTES = 4096
"""What may be on its way to a worker that has not read it yet: more could fill its pipe while its reply fills ours, and
both would wait for ever."""

START_TRIES = 3
"""How often a process that dies before it is ready is started anew."""

CLOSED = "the worker processes were closed while photos were waiting"

_SPENT = None if sys.platform == "win32" else -signal.SIGPROF
"""The exit code of a process whose photo has used up its processor time, where the system ends it for that."""

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

# glibc gives a freed picture back to the system at once, and takes it again for the next photo: half the system time.
_KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(8 << 20), "MALLOC_TRIM_THRESHOLD_": str(32 << 20)}


class WorkerProcess:
    """A worker that is started again whenever it dies or is killed for taking too long.

    One thread at a time may call :meth:`describe`; the others may be called from any.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._seconds_left: float | None = None
        self._late = False
        self._ready = False
        self._stopped = False
        self._guard = threading.Lock()

    def describe(self, jobs: Sequence[Job]) -> list[Reply]:
        """Answer every job, in order; one that ends the worker is a :class:`Failure`."""
        replies: list[Reply] = []
        while len(replies) < len(jobs):
            replies.extend(self._run(jobs[len(replies) :]))
        return replies

    def _run(self, jobs: Sequence[Job]) -> list[Reply]:
        """Answer jobs until all are done or one has ended the worker; that one is answered as a failure."""
        stdin, stdout = self._streams()
        replies: list[Reply] = []
        waiting = deque(job_message(job) for job in jobs)
        on_the_way: deque[int] = deque()
        try:
            while len(replies) < len(jobs) and not self._late:
                while waiting and len(on_the_way) < AHEAD:
                    size = message_bytes(*waiting[0])
                    if on_the_way and sum(on_the_way) + size > PIPE_BYTES:
                        break
                    self._expect(self._settings.limits.wall_seconds)
                    write_message(stdin, *waiting.popleft())
                    on_the_way.append(size)
                self._expect(self._settings.limits.wall_seconds)
                head, body = read_message(stdout)
                self._expect(None)
                on_the_way.popleft()
                replies.append(parse_reply(head, body))
        except (EOFError, OSError, ValueError):  # ValueError: what it said is no reply, or the stream is closed
            replies.append(self._cause_of_death())
        finally:
            self._expect(None)
        if self._late:  # ended just after its last reply, which counts; the next photo is not to blame
            self.close()
        return replies

    def _streams(self) -> tuple[BinaryIO, BinaryIO]:
        for _ in range(START_TRIES):
            process = self._running()
            stdin, stdout = cast("BinaryIO", process.stdin), cast("BinaryIO", process.stdout)
            if self._ready or self._greeted(stdout):
                self._ready = True
                return stdin, stdout
            self.close()
        raise ImgmatchError("a worker process could not start; try: python -m imgmatch.describing.worker")

    def _running(self) -> subprocess.Popen[bytes]:
        process = self._process
        if process is not None and process.poll() is not None:
            self.close()
        self.warm_up()
        process = self._process
        if process is None:
            raise ImgmatchError(CLOSED)
        return process

    def warm_up(self) -> None:
        """Start the process if there is none, without waiting until it is ready."""
        with self._guard:
            if self._process is None and not self._stopped:
                self._late = False
                self._process = self._spawned()

    def _spawned(self) -> subprocess.Popen[bytes]:
        settings = json.dumps(asdict(self._settings))
        return subprocess.Popen(  # noqa: S603 -- our own interpreter and module
            # -P: a file in the current folder must not stand in for a library.
            [sys.executable, "-P", "-m", "imgmatch.describing.worker", settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_KEPT_MEMORY | os.environ | _ONE_THREAD,
            # Out of the reach of Ctrl-C and Ctrl-Z: the pool decides when its workers end.
            process_group=None if sys.platform == "win32" else 0,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )

    def _greeted(self, stdout: BinaryIO) -> bool:
        """Wait until a new process is ready; tells whether it is."""
        try:
            self._expect(START_SECONDS)
            read_message(stdout)
        except (EOFError, OSError, ValueError):
            return False
        finally:
            self._expect(None)
        return not self._late

    def _expect(self, seconds: float | None) -> None:
        with self._guard:
            self._seconds_left = seconds

    def pass_time(self, seconds: float) -> None:
        """Take ``seconds`` off what the photo in hand has left; end the process if that was all."""
        with self._guard:
            if self._seconds_left is None or self._process is None:
                return
            self._seconds_left -= seconds
            if self._seconds_left < 0:
                self._late = True
                self._seconds_left = None
                self._process.kill()

    def _cause_of_death(self) -> Failure:
        late, process = self._late, self._process
        if process is not None:
            process.kill()  # one that is alive has said what is no reply
            process.wait()
        self.close()
        if self._stopped:
            raise ImgmatchError(CLOSED)
        limits, code = self._settings.limits, None if process is None else process.returncode
        if late:
            return Failure(SkipReason.TIMED_OUT, f"not done within {limits.wall_seconds:g} seconds, waiting included")
        if code is not None and code == _SPENT:
            return Failure(SkipReason.TIMED_OUT, f"not done within {limits.seconds:g} seconds of processor time")
        return Failure(SkipReason.CRASHED, f"its decoder ended the worker process (exit {code})")

    def stop(self) -> None:
        """End the process for good."""
        with self._guard:
            self._stopped = True
        self.close()

    def close(self) -> None:
        """End the process; the next job starts another."""
        with self._guard:
            process, self._process = self._process, None
            self._ready = self._late = False
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
