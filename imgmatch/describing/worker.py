"""The worker process: reads jobs from standard input, answers on standard output, ends with its input.

Started by :mod:`imgmatch.describing.process` as ``python -m imgmatch.describing.worker SETTINGS``.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgmatch.children import confine, private_streams
from imgmatch.describing.describe import Describer
from imgmatch.describing.messages import Job, reply_message
from imgmatch.describing.settings import Settings
from imgmatch.framing import read_message, write_message
from imgmatch.imaging.limits import Limits
from imgmatch.numeric import use_one_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

ALONE_FACTOR = 3
"""A worker whose pool is gone ends itself after this many times the time by the clock that one photo may take."""


def main() -> None:
    """Serve until the input ends."""
    settings = parse_settings(sys.argv[1])
    jobs, replies = private_streams()
    confine(settings.limits.worker_bytes)
    _free_alarms()
    use_one_thread()
    describer = Describer(settings)
    _fill_buffers()
    with contextlib.suppress(EOFError, BrokenPipeError):
        write_message(replies, {"ready": True})
        while True:
            head, body = read_message(jobs)
            with _timed(settings.limits):
                reply = describer.describe(parse_job(head, body))
            write_message(replies, *reply_message(reply))


def parse_settings(text: str) -> Settings:
    """The settings in the JSON text the pool passes."""
    raw = json.loads(text)
    limits = Limits(**{field.name: raw["limits"][field.name] for field in fields(Limits)})
    return Settings(tuple(raw["hashers"]), limits, raw["features"], raw["thumbnails"], raw["codebook"])


def parse_job(head: dict[str, Any], body: bytes) -> Job:
    """The job in a received message."""
    known = bytes.fromhex(head["known"]) if "known" in head else None
    photo = Path(head["path"]) if "path" in head else body
    root = Path(head["root"]) if "root" in head else None
    return Job(photo, known, head["query"], head["view"], head["features"], root, head.get("frame"))


def _free_alarms() -> None:
    if sys.platform == "win32":
        return
    for alarm in (signal.SIGPROF, signal.SIGALRM):  # whoever started the pool may have had them ignored
        signal.signal(alarm, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF, signal.SIGALRM})


def _fill_buffers() -> None:
    # OpenBLAS takes its memory at the first product, and ends the process if there is none left by then.
    square = np.ones((256, 256))
    np.matmul(square, square)


@contextlib.contextmanager
def _timed(limits: Limits) -> Iterator[None]:
    """Have the system end this process if what is done inside takes too long.

    Both signals end it by default, wherever it is: a decoder that is stuck would let no Python code run.
    """
    if sys.platform == "win32":
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, limits.seconds)
    signal.setitimer(signal.ITIMER_REAL, limits.wall_seconds * ALONE_FACTOR)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    main()
