"""The process that describes photos on a Ray cluster, seen from ours."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from imgmatch.cluster.link import ClusterLink
from imgmatch.cluster.packing import packed, unpacked
from imgmatch.describing.messages import Job, Reply, job_message, parse_reply
from imgmatch.describing.process import START_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from imgmatch.describing.settings import Settings

PATIENCE_SECONDS = START_SECONDS
"""So long a cluster may have nobody for us, and a node may take to answer beside what its photos may take."""


class Link:
    """A connection to a cluster, made with the first chunk. Safe to use from several threads."""

    def __init__(self, address: str, workers: int, settings: Settings) -> None:
        order = {"workers": workers, "settings": asdict(settings), "patience": PATIENCE_SECONDS}
        driver = "imgmatch.describing.on_ray.driver"
        self._cluster = ClusterLink(address, driver, order, work="describing on", waiting="photos")

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

        number, future = self._cluster.expect(replies)
        self._cluster.write({"number": number}, packed(map(job_message, jobs)))
        future.add_done_callback(lambda done: self._cluster.take_back(number) if done.cancelled() else None)
        return future

    def close(self) -> None:
        """End the connection, and a cluster that is private to it; what is still waiting is given up."""
        self._cluster.close()
