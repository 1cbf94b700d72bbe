"""The frame of a process that speaks to Ray: it reads from standard input and answers on standard output.

Started by :mod:`imgmatch.cluster.link`. Ray lives in a process of its own, because one that has joined a cluster ends
when the cluster does, whatever else it was doing; because Ray takes over its signals, environment and logging; and
because a process joins one cluster at most.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from imgmatch.children import private_streams
from imgmatch.cluster.joining import prepare
from imgmatch.errors import ImgmatchError
from imgmatch.framing import read_message, write_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO, NoReturn

    from imgmatch.cluster.packing import Message

LEAVE_SECONDS = 20.0
"""When its input has ended, a process that is still joining a cluster, or leaving one, is given so long."""


class Out:
    """The way back, which several threads share."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._one = stream, threading.Lock()

    def write(self, head: Mapping[str, Any], body: bytes = b"") -> None:
        """Answer, under a ``number``."""
        with self._one, contextlib.suppress(OSError, ValueError):  # nobody listens any more: the input ends, too
            write_message(self._stream, head, body)

    def say(self, text: str) -> None:
        """Tell an operator something."""
        self.write({"said": text})


def run(serve: Callable[[Mapping[str, Any], Iterator[Message], Out], None]) -> NoReturn:
    """Have ``serve`` answer what comes in until that ends, and end the process."""
    order = json.loads(sys.argv[1])
    questions, answers = private_streams()
    out = Out(answers)
    asked: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(questions, asked, order["folder"]), name="imgmatch-input", daemon=True).start()
    try:
        prepare(order["address"])
        serve(order, iter(asked.get, None), out)
    except ImportError as error:
        out.write({"missing": str(error)})
    except ImgmatchError as error:
        out.write({"failed": str(error)})
    _leave(order["folder"])


def _leave(folder: str | None) -> NoReturn:
    """End at once: a thread may still wait for a cluster that is gone."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _read(questions: BinaryIO, asked: queue.SimpleQueue[Message | None], folder: str | None) -> None:
    with contextlib.suppress(EOFError, OSError, ValueError):
        while True:
            asked.put(read_message(questions))
    asked.put(None)
    time.sleep(LEAVE_SECONDS)  # the process ends before that, unless Ray is stuck; its children end with it
    _leave(folder)
