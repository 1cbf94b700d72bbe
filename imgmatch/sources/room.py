"""Memory for photos that are fetched ahead of their turn: so many bytes together, given out in their order."""

from __future__ import annotations

import asyncio
import threading

_LOOK_AGAIN = 0.05
"""Seconds."""


class NoRoomError(Exception):
    """A photo does not fit beside those that are fetched already; it is to be asked for again once it does.

    Attributes:
        size: bytes it needs.
    """

    def __init__(self, size: int) -> None:
        super().__init__(f"{size:,} bytes")
        self.size = size


class Room:
    """So many bytes for all reservations. Whoever's turn is next gets what it needs in any case: nobody waits for ever.

    Args:
        most: bytes.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[Reservation, int] = {}
        self._refused: set[Reservation] = set()
        self._guard = threading.Lock()  # they are given up in another thread than the one that fetches

    def reservation(self) -> Reservation:
        """One behind all others, of nothing yet."""
        made = Reservation(self)
        with self._guard:
            self._held[made] = 0
        return made

    def is_full(self) -> bool:
        """Whether somebody waits for room, or would."""
        with self._guard:
            return bool(self._refused) or sum(self._held.values()) >= self._most

    def reserve(self, reservation: Reservation, size: int) -> bool:
        """Let one have ``size`` bytes in all; whether it may."""
        with self._guard:
            more = size - self._held.get(reservation, 0)
            first = next(iter(self._held), reservation)
            if more > 0 and sum(self._held.values()) + more > self._most and reservation is not first:
                self._refused.add(reservation)
                return False
            self._keep(reservation, size)
            return True

    def take(self, reservation: Reservation, size: int) -> None:
        """Let one have ``size`` bytes in all."""
        with self._guard:
            self._keep(reservation, size)

    def _keep(self, reservation: Reservation, size: int) -> None:
        if reservation in self._held:
            self._held[reservation] = max(size, self._held[reservation])
        self._refused.discard(reservation)

    def leave(self, reservation: Reservation) -> None:
        """Give one up, with what it has."""
        with self._guard:
            self._held.pop(reservation, None)
            self._refused.discard(reservation)


class Reservation:
    """Room for one photo; see :class:`imgmatch.model.photos.Reserving`."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def reserve(self, size: int) -> None:
        """Have so many bytes in all.

        Raises:
            NoRoomError: there are not so many now.
        """
        if not self._room.reserve(self, size):
            raise NoRoomError(size)

    async def wait_for(self, size: int) -> None:
        """Have so many bytes in all, once there are."""
        while not self._room.reserve(self, size):  # noqa: ASYNC110 -- it is given up in another thread
            await asyncio.sleep(_LOOK_AGAIN)

    def take(self, size: int) -> None:
        """Have so many bytes in all, whether there are or not: they are here already."""
        self._room.take(self, size)

    def leave(self) -> None:
        """Need no room any more."""
        self._room.leave(self)
