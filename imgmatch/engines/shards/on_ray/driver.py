"""The process that speaks to the shards of one index on a Ray cluster: questions come in, answers go out.

Started as ``python -m imgmatch.engines.shards.on_ray.driver ORDER``; :mod:`imgmatch.cluster.serving` says why it is one
of its own.
"""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from imgmatch.cluster import serving
from imgmatch.cluster.build import build_digest, differences, own_build
from imgmatch.cluster.joining import joined, last_line, ray_api, refuse_strange_nodes, working_nodes
from imgmatch.cluster.packing import NO_REPLIES, PIECE_BYTES, in_pieces, packed, unpacked
from imgmatch.engines.shards.on_ray.actor import ANSWER_PIECES, ShardActor
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from imgmatch.cluster.packing import Message
    from imgmatch.cluster.serving import Out

_THREADS = 16

_MOST_PIECES = 16
"""A question of more than these is kept once by Ray, and read from there."""

_AT_ONCE = 16
"""Questions that one shard answers at once."""

_MOST_WAITING = 64
"""Questions that may wait for one shard's answers: of one that hangs, more fail at once."""

_NODES_SECONDS = 60.0


def serve(order: Mapping[str, Any], asked: Iterator[Message], out: Out) -> None:
    """Answer until there are no more questions."""
    with joined(order["address"], 0, None):
        actors = _Actors(order["token"], out)
        threads = ThreadPoolExecutor(_THREADS, "imgmatch-shards")
        for head, body in asked:
            if "dropped" in head:
                actors.drop(head["dropped"])
            elif "asked" in head:
                threads.submit(actors.ask, head["asked"], head["question"], body)
            elif "start" in head:
                threads.submit(actors.start, head)
        threads.shutdown(wait=False, cancel_futures=True)


class _Actors:
    """The actors that hold the shards of one index, by their names in a namespace of that."""

    def __init__(self, token: str, out: Out) -> None:
        self._token, self._namespace, self._out = token, f"imgmatch-{token}", out
        self._guard = threading.Lock()
        self._known: dict[str, Any] = {}
        self._dropped: set[int] = set()

    def drop(self, number: int) -> None:
        """Nobody waits for this answer any more."""
        with self._guard:
            self._dropped.add(number)

    def _is_dropped(self, number: int) -> bool:
        with self._guard:
            if number in self._dropped:
                self._dropped.discard(number)
                return True
        return False

    def ask(self, asked: list[list[int]], question: Mapping[str, Any], body: bytes) -> None:
        """Send one question to several; each answer goes out when it comes."""
        ray = ray_api()
        asked = [each for each in asked if not self._is_dropped(each[0])]
        head = packed([({**question, "build": build_digest()}, b"")])
        try:
            pieces = max(-(-len(body) // PIECE_BYTES), 1)
            content = [ray.put(body)] if pieces > _MOST_PIECES else in_pieces(body, pieces)
        except Exception as error:  # noqa: BLE001 -- whatever Ray raises, those that wait must hear of it
            for number, _, _ in asked:
                self._refuse(number, error)
            return
        for number, shard, replica in asked:
            name = _name(shard, replica)
            try:
                method = self._actor(name).answer.options(num_returns=ANSWER_PIECES)
                answer = [piece.future() for piece in method.remote(head, *content)]
            except Exception as error:  # noqa: BLE001 -- likewise
                self._lost(name, number, error)
                continue
            _when_all(answer, partial(self._take, name, number))

    def _take(self, name: str, number: int, done: Sequence[Future[bytes]]) -> None:
        with self._guard:
            self._dropped.discard(number)
        try:
            data = b"".join(piece.result() for piece in done)
        except Exception as error:  # noqa: BLE001 -- likewise
            self._lost(name, number, error)
            return
        try:
            ((head, body),) = unpacked(data)
            if "strange" in head:
                other = differences(own_build(), json.loads(body))
                head, body = {"strange": f"node {head['strange']} has {other}; install the same on every node"}, b""
            self._out.write({"number": number, "answer": dict(head)}, body)
        except NO_REPLIES:
            self._out.write({"number": number, "answer": {}})

    def _lost(self, name: str, number: int, error: BaseException) -> None:
        with self._guard:  # another one may have its name by now
            self._known.pop(name, None)
        self._refuse(number, error)

    def _refuse(self, number: int, error: BaseException) -> None:
        self._out.write({"number": number, "error": last_line(error)})

    def _actor(self, name: str) -> Any:  # noqa: ANN401 -- Ray's handle
        with self._guard:
            if name in self._known:
                return self._known[name]
        found = ray_api().get_actor(name, namespace=self._namespace)
        with self._guard:
            return self._known.setdefault(name, found)

    def start(self, head: Mapping[str, Any]) -> None:
        """Have as many actors as are wanted: those that are there stay, and others end."""
        number = head["start"]
        try:
            if head["shards"]:
                refuse_strange_nodes(_NODES_SECONDS, "hold shards")
            self._start(head["home"], head["shards"], head["replicas"], keep_others=head["keep_others"])
        except ImgmatchError as error:
            self._out.write({"number": number, "error": str(error)})
        except Exception as error:  # noqa: BLE001 -- likewise
            self._refuse(number, error)
        else:
            self._out.write({"number": number, "answer": {"started": True}})

    def _start(self, home: str, shards: int, replicas: int, *, keep_others: bool) -> None:
        ray = ray_api()
        there = {
            found["name"]
            for found in ray.util.list_named_actors(all_namespaces=True)
            if found["namespace"] == self._namespace
        }
        nodes = sorted(working_nodes())
        wanted = {_name(shard, replica): (shard, replica) for shard in range(shards) for replica in range(replicas)}
        for name, (shard, replica) in wanted.items():
            if name in there:
                continue
            # One node is preferred, so that those who hold one shard lie apart; where it is gone, Ray takes another.
            pinned = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
            options: dict[str, Any] = {
                "name": name,
                "namespace": self._namespace,
                "lifetime": "detached",
                "get_if_exists": True,
                "max_restarts": -1,
                "max_task_retries": 0,
                "max_concurrency": _AT_ONCE,
                "max_pending_calls": _MOST_WAITING,
                "num_cpus": 0,
                "memory": 1,  # a byte that every node has: for one that needs nothing, Ray takes any node
                "scheduling_strategy": pinned(nodes[(shard + replica) % len(nodes)], soft=True) if nodes else "SPREAD",
            }
            ray.remote(ShardActor).options(**options).remote(home, shard, self._token)
        if keep_others:
            return
        for name in there - wanted.keys():
            ray.kill(ray.get_actor(name, namespace=self._namespace))


def _when_all(futures: Sequence[Future[bytes]], then: Callable[[Sequence[Future[bytes]]], None]) -> None:
    """Have ``then`` called once, when the last of these is done."""
    left, guard = [len(futures)], threading.Lock()

    def count(_: Future[bytes]) -> None:
        with guard:
            left[0] -= 1
            is_last = not left[0]
        if is_last:
            then(futures)

    for future in futures:
        future.add_done_callback(count)


def _name(shard: int, replica: int) -> str:
    return f"shard-{shard}-{replica}"


if __name__ == "__main__":
    serving.run(serve)
