"""Who holds a shard, and the way to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from imgmatch.engines.shards.questions import Message


@dataclass(frozen=True, slots=True, order=True)
class Seat:
    """One of those who hold a shard.

    Attributes:
        shard: from 0.
        replica: from 0.
    """

    shard: int
    replica: int


def seats_of(shards: int, replicas: int) -> list[Seat]:
    """All there are of so many shards and replicas."""
    return [Seat(shard, replica) for shard in range(shards) for replica in range(replicas)]


class ShardLink(Protocol):
    """The way to all who hold shards of one index. Safe to use from several threads."""

    @property
    def is_lost(self) -> bool:
        """Whether nobody can be reached by it any more."""
        ...

    def ask(self, seats: Sequence[Seat], message: Message) -> Mapping[Seat, Future[Message]]:
        """Ask several the same; an answer that is cancelled is not waited for.

        Raises:
            ImgmatchError: nobody can be reached.
        """
        ...

    def place(self, home: str, shards: int, replicas: int, *, keep_others: bool, seconds: float) -> None:
        """Have as many who hold shards as are wanted, without waiting until they have read their rows.

        Args:
            home: the URL of the database, without a password.
            shards: how many; 0 to end them all.
            replicas: how many hold each.
            keep_others: those who are there beyond these go on for now.
            seconds: in which that is done.

        Raises:
            ImgmatchError: a node is refused, which is named; or it cannot be done, or not in time.
        """
        ...

    def close(self) -> None:
        """Leave; whoever holds shards goes on to hold them."""
        ...
