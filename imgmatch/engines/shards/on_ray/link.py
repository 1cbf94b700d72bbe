"""The way to shards on a Ray cluster."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from imgmatch.cluster.link import ClusterLink
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from imgmatch.engines.shards.questions import Message
    from imgmatch.engines.shards.seats import Seat


class RayShards:
    """See :class:`imgmatch.engines.shards.seats.ShardLink`: actors by their names in a namespace of the index."""

    def __init__(self, address: str, token: str) -> None:
        """Nothing is connected before the first question.

        Args:
            address: as ``ray.init`` takes it.
            token: of the catalog.
        """
        driver = "imgmatch.engines.shards.on_ray.driver"
        self._cluster = ClusterLink(address, driver, {"token": token}, work="shards on", waiting="look-ups")

    @property
    def is_lost(self) -> bool:
        """See the contract."""
        return self._cluster.is_lost

    def ask(self, seats: Sequence[Seat], message: Message) -> Mapping[Seat, Future[Message]]:
        """See the contract."""
        expected = {seat: self._cluster.expect(_answer) for seat in seats}
        head, body = message
        asked = [[number, seat.shard, seat.replica] for seat, (number, _) in expected.items()]
        self._cluster.write({"asked": asked, "question": dict(head)}, body)
        for number, future in expected.values():
            future.add_done_callback(partial(self._drop, number))
        return {seat: future for seat, (_, future) in expected.items()}

    def _drop(self, number: int, done: Future[Message]) -> None:
        if done.cancelled():
            self._cluster.take_back(number)

    def place(self, home: str, shards: int, replicas: int, *, keep_others: bool, seconds: float) -> None:
        """See the contract."""
        number, future = self._cluster.expect(_answer)
        wanted = {"home": home, "shards": shards, "replicas": replicas, "keep_others": keep_others}
        self._cluster.write({"start": number, **wanted})
        try:
            future.result(seconds)
        except TimeoutError:
            raise ImgmatchError(f"the Ray cluster has not placed shards within {seconds:g} seconds") from None

    def close(self) -> None:
        """See the contract."""
        self._cluster.close()


def _answer(head: Mapping[str, Any], body: bytes) -> Message:
    return head["answer"], body


def open_at(address: str, token: str) -> RayShards:
    """The way to shards at what stands behind ``ray:``; ``//`` and a host stand for Ray's client."""
    return RayShards(f"ray:{address}" if address.startswith("//") else address, token)
