"""The process that has a Ray cluster work: chunks of photos and units of other work come in, answers go out.

Started as ``python -m imgmatch.describing.on_ray.driver ORDER``; :mod:`imgmatch.cluster.serving` says why it is one of
its own.
"""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from imgmatch.cluster import serving
from imgmatch.cluster.joining import joined, last_line, refuse_strange_nodes
from imgmatch.describing.on_ray.answers import Answerer
from imgmatch.describing.on_ray.slots import Slots
from imgmatch.describing.on_ray.units import KeptBytes, answered
from imgmatch.describing.worker import parse_settings
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
        kept = KeptBytes()
        running: dict[int, Future[None]] = {}
        for head, body in asked:
            if "dropped" in head:
                if (future := running.pop(head["dropped"], None)) is not None:
                    future.cancel()
                continue
            if "kept" in head or "forgotten" in head:
                kept.note(head, body)
                continue
            number = head["number"]
            answer = partial(answered, slots, kept.unit(head), patience) if "unit" in head else answerer.packed
            running[number] = threads.submit(_answer, answer, number, body, out)
            running = {each: future for each, future in running.items() if not future.done()}
        slots.close()
        threads.shutdown(wait=False, cancel_futures=True)


def _answer(answer: Callable[[bytes], bytes], number: int, body: bytes, out: Out) -> None:
    try:
        out.write({"number": number}, answer(body))
    except ImgmatchError as error:
        out.write({"number": number, "error": str(error)})
    except Exception as error:  # noqa: BLE001 -- whoever waits for the chunk must hear of it
        out.write({"number": number, "error": f"the work on the Ray cluster broke off: {last_line(error)}"})


if __name__ == "__main__":
    serving.run(serve)
