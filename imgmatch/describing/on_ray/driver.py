"""The process that has a Ray cluster describe photos: chunks of jobs come in, replies go out.

Started as ``python -m imgmatch.describing.on_ray.driver ORDER``; :mod:`imgmatch.cluster.serving` says why it is one of
its own.
"""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from imgmatch.cluster import serving
from imgmatch.cluster.joining import joined, last_line, refuse_strange_nodes
from imgmatch.cluster.packing import packed, unpacked
from imgmatch.describing.on_ray.answers import Answerer
from imgmatch.describing.on_ray.slots import Slots
from imgmatch.describing.worker import parse_settings
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from imgmatch.cluster.packing import Message
    from imgmatch.cluster.serving import Out


def serve(order: Mapping[str, Any], asked: Iterator[Message], out: Out) -> None:
    """Answer chunks until there are no more."""
    workers, patience = order["workers"], order["patience"]
    settings = json.dumps(order["settings"])
    with joined(order["address"], workers, order["folder"]):
        refuse_strange_nodes(patience, "describe photos")
        slots = Slots(workers, settings, patience)
        answerer = Answerer(slots, parse_settings(settings).limits, patience, out.say)
        threads = ThreadPoolExecutor(workers, "imgmatch-chunk")
        running: dict[int, Future[None]] = {}
        for head, body in asked:
            if "dropped" in head:
                if (future := running.pop(head["dropped"], None)) is not None:
                    future.cancel()
                continue
            number = head["number"]
            running[number] = threads.submit(_answer, answerer, number, body, out)
            running = {each: future for each, future in running.items() if not future.done()}
        slots.close()
        threads.shutdown(wait=False, cancel_futures=True)


def _answer(answerer: Answerer, number: int, body: bytes, out: Out) -> None:
    try:
        out.write({"number": number}, packed(answerer.answer(unpacked(body))))
    except ImgmatchError as error:
        out.write({"number": number, "error": str(error)})
    except Exception as error:  # noqa: BLE001 -- whoever waits for the chunk must hear of it
        out.write({"number": number, "error": f"the work on the Ray cluster broke off: {last_line(error)}"})


if __name__ == "__main__":
    serving.run(serve)
