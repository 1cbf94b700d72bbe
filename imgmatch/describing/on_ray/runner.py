"""The runner that describes photos on a Ray cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch.describing.chunks import CHUNK, in_order
from imgmatch.describing.on_ray.link import Link
from imgmatch.describing.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from imgmatch.describing.messages import Job, Reply
    from imgmatch.describing.runner import Item
    from imgmatch.describing.settings import Settings
    from imgmatch.model import Failure
    from imgmatch.tasks import Tasks


class RayRunner(Runner):
    """Describes photos in ``workers`` task slots of a Ray cluster, each with a decode process that may crash alone.

    The connection is made with the first photos. Before any of them is described, every node says what it describes
    with, and one that differs is refused by name. A Ray worker, actor or node that ends costs repeated work, never a
    photo: a chunk is sent to another slot, and when it has ended three its photos are tried one by one. A photo in a
    file is read by the node where that sees the same file under the same path, else it is read here and sent.

    A connection that is lost ends the run with an error; the next run goes on. Safe to use from several threads.
    """

    def __init__(self, workers: int, settings: Settings, address: str = "local") -> None:
        """The runner of a cluster; nothing is connected yet.

        Args:
            workers: task slots, of one processor each. Those that the cluster has no room for are done without.
            settings: what is computed.
            address: as ``ray.init`` takes it: ``ray://head:10001``, ``head:6379`` from a machine of the cluster, or
                ``auto``; ``local`` is a private cluster on this machine that nobody else reaches.

        Raises:
            ValueError: ``workers`` is less than 1.
        """
        if workers < 1:
            raise ValueError("a runner needs at least one worker")
        self._workers = workers
        self._link = Link(address, workers, settings)

    def describe(
        self, items: Iterable[Item], job_of: Callable[[Item], Job | Failure], *, spare: int = 0
    ) -> Iterator[tuple[Item, Reply]]:
        """Yield each item with its reply, in order; reads ``items`` only a few chunks ahead.

        Args:
            items: what is described.
            job_of: the work that each stands for.
            spare: so many more items are read ahead, that the cluster has work while the caller is busy otherwise.

        Raises:
            ImgmatchError: the runner is closed, or was while photos were waiting; the cluster cannot be reached, one of
                its nodes is refused, or nobody there is free.
            MissingExtraError: Ray is not installed.
        """
        return in_order(items, job_of, self._link.send, 2 * self._workers + 1 + spare // CHUNK)

    @property
    def tasks(self) -> Tasks:
        """Units of other work, answered in the same slots."""
        return self._link

    def warm_up(self) -> None:
        """Begin to connect and to start actors, without waiting for it."""
        self._link.start()

    def close(self) -> None:
        """Leave the cluster; what is still waiting is given up."""
        self._link.close()


def open_at(address: str, workers: int, settings: Settings) -> RayRunner:
    """The runner for what stands behind ``ray:`` in its name; ``//`` and a host stand for Ray's client."""
    return RayRunner(workers, settings, f"ray:{address}" if address.startswith("//") else address)
