"""The process that has a Ray cluster describe photos, and do other work, seen from ours."""

from __future__ import annotations

from dataclasses import asdict
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from imgmatch.cluster.link import ClusterLink
from imgmatch.cluster.packing import packed, unpacked
from imgmatch.describing.messages import Job, Reply, job_message, parse_reply
from imgmatch.describing.process import START_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    import numpy as np
    from numpy.typing import NDArray

    from imgmatch.describing.settings import Settings

Answer = TypeVar("Answer")

PATIENCE_SECONDS = START_SECONDS
"""So long a cluster may have nobody for us, and a node may take to answer beside what its photos may take."""


class Link:
    """A connection to a cluster, made with the first chunk. Safe to use from several threads."""

    def __init__(self, address: str, workers: int, settings: Settings) -> None:
        order = {"workers": workers, "settings": asdict(settings), "patience": PATIENCE_SECONDS}
        driver = "imgmatch.describing.on_ray.driver"
        self._workers, self._kept = workers, count()
        self._cluster = ClusterLink(address, driver, order, work="working on", waiting="photos or units of work")

    def start(self) -> None:
        """Begin to connect, without waiting for it.

        Raises:
            ImgmatchError: the connection is closed, or was lost.
        """
        self._cluster.start()

    def send(self, jobs: list[Job]) -> Future[list[Reply]]:
        """Have jobs answered; cancelling what is returned takes them back.

        Raises:
            ImgmatchError: the connection is closed, or was lost.
        """

        def replies(_: Mapping[str, Any], body: bytes) -> list[Reply]:
            found = [parse_reply(*message) for message in unpacked(body)]
            if len(found) != len(jobs):
                raise ValueError("another number of photos than was asked")
            return found

        return self._asked({}, packed(map(job_message, jobs)), replies)

    @property
    def slots(self) -> int:
        """How many chunks or units are answered at once, at most."""
        return self._workers

    def keep(self, data: NDArray[np.uint8]) -> int:
        """Put bytes, shape (n,), where every node can have them, for units that need them; returns what to call them.

        Raises:
            ImgmatchError: the connection is closed, or was lost.
        """
        self._cluster.start()
        kept = next(self._kept)
        self._cluster.write({"kept": kept}, data.tobytes())
        return kept

    def forget(self, number: int) -> None:
        """Keep them no longer."""
        self._cluster.write({"forgotten": number})

    def submit(self, kind: str, unit: bytes, kept: Sequence[int] = ()) -> Future[bytes]:
        """Have a unit of work answered, as of :class:`imgmatch.tasks.Tasks`.

        Raises:
            ImgmatchError: the connection is closed, or was lost.
        """
        return self._asked({"unit": kind, "needs": list(kept)}, unit, lambda _, body: body)

    def _asked(
        self, head: Mapping[str, Any], body: bytes, parse: Callable[[Mapping[str, Any], bytes], Answer]
    ) -> Future[Answer]:
        number, future = self._cluster.expect(parse)
        self._cluster.write({"number": number, **head}, body)
        future.add_done_callback(lambda done: self._cluster.take_back(number) if done.cancelled() else None)
        return future

    def close(self) -> None:
        """End the connection, and a cluster that is private to it; what is still waiting is given up."""
        self._cluster.close()
