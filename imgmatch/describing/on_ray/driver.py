"""The process that speaks to Ray: reads chunks of jobs, and units of other work, and answers on standard output.

Started by :mod:`imgmatch.describing.on_ray.link` as ``python -m imgmatch.describing.on_ray.driver ORDER``. Ray lives in
a process of its own, because one that has joined a cluster ends when the cluster does, whatever else it was doing;
because Ray takes over its signals, environment and logging; and because a process joins one cluster at most.
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
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from imgmatch.children import private_streams
from imgmatch.describing.messages import read_message, write_message
from imgmatch.describing.on_ray.answers import Answerer
from imgmatch.describing.on_ray.cluster import joined, last_line, prepare, refuse_strange_nodes
from imgmatch.describing.on_ray.slots import Slots
from imgmatch.describing.on_ray.units import KeptBytes, answered
from imgmatch.describing.worker import parse_settings
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO, NoReturn

    from imgmatch.describing.on_ray.packing import Message

LEAVE_SECONDS = 20.0
"""When its input has ended, a process that is still joining a cluster, or leaving one, is given so long."""


def main() -> None:
    """Serve until the input ends."""
    order = json.loads(sys.argv[1])
    jobs, replies = private_streams()
    out = _Out(replies)
    asked: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(jobs, asked, order["folder"]), name="imgmatch-input", daemon=True).start()
    try:
        prepare(order["address"])
        _serve(order, asked, out)
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


def _read(jobs: BinaryIO, asked: queue.SimpleQueue[Message | None], folder: str | None) -> None:
    with contextlib.suppress(EOFError, OSError, ValueError):
        while True:
            asked.put(read_message(jobs))
    asked.put(None)
    time.sleep(LEAVE_SECONDS)  # the process ends before that, unless Ray is stuck; its children end with it
    _leave(folder)


def _serve(order: Mapping[str, Any], asked: queue.SimpleQueue[Message | None], out: _Out) -> None:
    workers, patience = order["workers"], order["patience"]
    settings = json.dumps(order["settings"])
    with joined(order["address"], workers, order["folder"]):
        refuse_strange_nodes(patience)
        slots = Slots(workers, settings, patience)
        answerer = Answerer(slots, parse_settings(settings).limits, patience, out.say)
        threads = ThreadPoolExecutor(workers, "imgmatch-chunk")
        kept = KeptBytes()
        running: dict[int, Future[None]] = {}
        while (message := asked.get()) is not None:
            head, body = message
            if "dropped" in head:
                if (future := running.pop(head["dropped"], None)) is not None:
                    future.cancel()
                continue
            if "kept" in head or "forgotten" in head:
                kept.note(head, body)
                continue
            answer = partial(answered, slots, kept.unit(head), patience) if "unit" in head else answerer.packed
            running[head["chunk"]] = threads.submit(_answer, answer, head["chunk"], body, out)
            running = {each: future for each, future in running.items() if not future.done()}
        slots.close()
        threads.shutdown(wait=False, cancel_futures=True)


def _answer(answer: Callable[[bytes], bytes], number: int, body: bytes, out: _Out) -> None:
    try:
        out.write({"chunk": number}, answer(body))
    except ImgmatchError as error:
        out.write({"chunk": number, "error": str(error)})
    except Exception as error:  # noqa: BLE001 -- whoever waits for the chunk must hear of it
        out.write({"chunk": number, "error": f"the work on the Ray cluster broke off: {last_line(error)}"})


class _Out:
    """The way back, which several threads share."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._one = stream, threading.Lock()

    def write(self, head: Mapping[str, Any], body: bytes = b"") -> None:
        with self._one, contextlib.suppress(OSError, ValueError):  # nobody listens any more: the input ends, too
            write_message(self._stream, head, body)

    def say(self, text: str) -> None:
        self.write({"said": text})


if __name__ == "__main__":
    main()
