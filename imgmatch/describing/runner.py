"""What every runner gives: photos in, descriptions out, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from imgmatch import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import Self

    from imgmatch.describing.messages import Job, Reply
    from imgmatch.describing.settings import Settings
    from imgmatch.model import Failure
    from imgmatch.tasks import Tasks

Item = TypeVar("Item")


class Runner(Protocol):
    """Describes photos, wherever that is done; every runner gives the same replies to the byte.

    Safe to use from several threads at once. To be closed when it is done with, or used in a ``with`` block.
    """

    def describe(
        self, items: Iterable[Item], job_of: Callable[[Item], Job | Failure], *, spare: int = 0
    ) -> Iterator[tuple[Item, Reply]]:
        """Yield each item with its reply, in order; reads ``items`` only a little ahead.

        An item whose job is a failure already gets that failure, and so does one whose photo cannot be used.

        Args:
            items: what is described.
            job_of: the work that each stands for.
            spare: so many more items may be read ahead, that there is work while the caller is busy otherwise.

        Raises:
            ImgmatchError: the runner is closed, or was while photos were waiting.
        """
        ...

    @property
    def tasks(self) -> Tasks | None:
        """What answers units of other work where photos are described; ``None`` where it pays to do that work here."""
        return None

    def warm_up(self) -> None:
        """Begin to get ready, without waiting for it: the caller does other work meanwhile."""
        ...

    def close(self) -> None:
        """End it; what is still waiting is given up. May be called again."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_runner(name: str, workers: int, settings: Settings) -> Runner:
    """Open the runner of that name.

    Args:
        name: a key of ``registry.RUNNERS``; or one of ``registry.CLUSTERS``, a colon, and where that is, such as
            ``ray://head:10001``, ``ray:head:6379`` and ``ray:auto``.
        workers: how many photos are described at once, where the runner can do several.
        settings: what is computed.

    Raises:
        UnknownNameError: there is no such runner.
        ValueError: ``workers`` is less than 1.
    """
    kind, separator, address = name.partition(":")
    return registry.cluster(kind)(address, workers, settings) if separator else registry.runner(name)(workers, settings)
