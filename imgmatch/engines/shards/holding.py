"""Those who hold the shards of one index: the way to them, and what is known of each."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import wait
from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.engines.shards.division import Division, shard_name
from imgmatch.engines.shards.gathering import Gathered, Gatherer
from imgmatch.engines.shards.questions import Asked, FoundT
from imgmatch.engines.shards.seats import seats_of
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from imgmatch.catalog.shards import ShardRecord
    from imgmatch.engines.shards.questions import Question, Watermarks
    from imgmatch.engines.shards.seats import Seat, ShardLink

_LOGGER = logging.getLogger(__name__)

_PAUSE_SECONDS = 2.0
"""So long nobody tries again to reach a cluster that could not be reached."""


class ShardHolders:
    """Asks the shards of one index. Safe to use from several threads."""

    def __init__(self, token: str) -> None:
        """Nothing is connected before the first question; ``token`` is that of the catalog."""
        self._token = token
        self._gatherer = Gatherer()
        self._guard = threading.Lock()
        self._link: ShardLink | None = None
        self._address = ""
        self._due, self._why = 0.0, ""
        self._said: frozenset[int] = frozenset()

    @property
    def counts(self) -> Mapping[str, int]:
        """What became of replies so far: ``answered``, ``late``, ``garbage``, ``failed``."""
        return dict(self._gatherer.counts)

    def ask(
        self, record: ShardRecord, question: Question[FoundT], through: Watermarks, but: Collection[int] = ()
    ) -> Gathered[FoundT]:
        """Ask all shards of an index, but for some; where nobody can be reached, every shard is missing.

        Raises:
            MissingExtraError: Ray is not installed here.
        """
        asked = Asked(question, Division(record.shards, record.version), through)
        try:
            link = self.link(record.address)
        except ImgmatchError as error:
            found = Gathered[FoundT]({}, {shard: str(error) for shard in range(record.shards) if shard not in but})
        else:
            found = self._gatherer.gather(link, asked, record.replicas, record.deadline, but=but)
        self._say(found.missing, record.shards)
        return found

    def ask_each(
        self, record: ShardRecord, head: Mapping[str, object], seconds: float, seats: Sequence[Seat] | None = None
    ) -> dict[Seat, Mapping[str, object] | str]:
        """Ask each one who holds a shard for something of its own; in place of an answer, why there is none."""
        seats = seats_of(record.shards, record.replicas) if seats is None else seats
        try:
            futures = self.link(record.address).ask(seats, (head, b""))
        except ImgmatchError as error:
            return dict.fromkeys(seats, str(error))
        wait(futures.values(), seconds)
        found: dict[Seat, Mapping[str, object] | str] = {}
        for seat, future in futures.items():
            if not future.done():
                future.cancel()
                found[seat] = "no answer in time"
                continue
            try:
                answer = future.result()[0]
            except ImgmatchError as error:
                found[seat] = str(error)
            else:
                said = answer.get("error", answer.get("strange"))
                found[seat] = answer if said is None else str(said)
        return found

    def link(self, address: str) -> ShardLink:
        """The way to those at an address.

        Raises:
            ImgmatchError: they could not be reached a moment ago.
        """
        with self._guard:
            lost = self._link is not None and self._link.is_lost
            if self._link is not None and (lost or address != self._address):
                self._link.close()
                self._link = None
            if self._link is None:
                if lost and address == self._address:
                    self._due = time.monotonic() + _PAUSE_SECONDS
                if address == self._address and time.monotonic() < self._due:
                    raise ImgmatchError(f"the cluster at {address} could not be reached a moment ago")
                self._link, self._address = registry.shard_link(address, self._token), address
            return self._link

    def _say(self, missing: Mapping[int, str], shards: int) -> None:
        """Tell an operator once of a shard that does not answer, and once that it does again."""
        with self._guard:
            new, self._said = missing.keys() - self._said, frozenset(missing)
        for shard in sorted(new):
            _LOGGER.warning("%s does not answer: %s", shard_name(shard, shards), missing[shard])

    def close(self) -> None:
        """Leave the cluster; shards stay."""
        with self._guard:
            if self._link is not None:
                self._link.close()
                self._link = None
