"""The task slots of a cluster: which are ready, and what takes the place of one that is lost."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from imgmatch.cluster.build import differences, own_build
from imgmatch.cluster.joining import free_room, last_line, ray_api, working_nodes
from imgmatch.cluster.packing import NO_REPLIES, packed, unpacked
from imgmatch.describing.messages import Reply, parse_reply
from imgmatch.describing.on_ray.slot import UNSEEN, Slot
from imgmatch.describing.process import START_TRIES
from imgmatch.errors import ImgmatchError
from imgmatch.model import SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgmatch.cluster.packing import Message

_WATCH_SECONDS = 0.2
_PAUSE_SECONDS = 2.0
"""Before an actor that could not start is started anew."""


class SlotLostError(Exception):
    """A slot is gone, and with it what it was doing.

    Attributes:
        reason: what to say of a photo that this happens to each time; ``None`` where it is not to blame.
    """

    def __init__(self, message: str, reason: SkipReason | None) -> None:
        super().__init__(message)
        self.reason = reason


class PlacedSlot:
    """One actor, from here. One thread at a time may use it."""

    def __init__(self, settings: str) -> None:
        ray = ray_api()
        wanted = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD")(Slot)
        self._actor: Any = wanted.remote(settings)
        self.begun: Any = self._actor.begin.remote()
        self.is_lost = False

    def describe(self, chunk: Sequence[Message], seconds: float) -> list[Reply | None]:
        """The replies to a chunk of jobs; ``None`` for a photo that the node does not see.

        Raises:
            SlotLostError: there are none, nor will there be.
        """
        self.is_lost = True  # unless all goes well
        replies = parsed(self._got(self._actor.describe.remote(packed(chunk)), seconds), len(chunk))
        self.is_lost = False
        return replies

    def answer(self, kind: str, unit: bytes, kept: Sequence[Any], seconds: float) -> bytes:
        """The answer to a unit of other work, which needs what stands behind some references of Ray's.

        Raises:
            SlotLostError: there is none, nor will there be.
            ImgmatchError: the unit cannot be answered, by nobody.
        """
        self.is_lost = True
        answer = answer_in(self._got(self._actor.answer.remote(kind, unit, *kept), seconds))
        self.is_lost = False
        if isinstance(answer, ImgmatchError):
            raise answer
        return answer

    def _got(self, reference: Any, seconds: float) -> object:  # noqa: ANN401 -- Ray's reference
        ray = ray_api()
        try:
            return ray.get(reference, timeout=seconds)
        except ray.exceptions.GetTimeoutError:
            raise SlotLostError(f"its node did not answer within {seconds:g} seconds", SkipReason.TIMED_OUT) from None
        except ray.exceptions.RayTaskError as error:
            raise SlotLostError(f"a node could not do its work: {last_line(error)}", None) from None
        except ray.exceptions.RayError:
            raise SlotLostError("the Ray worker or node that worked on it ended", SkipReason.CRASHED) from None

    def end(self) -> None:
        """Kill the actor; its process ends with it."""
        ray_api().kill(self._actor)


def parsed(data: object, count: int) -> list[Reply | None]:
    """The replies in what a node answered to so many jobs; ``None`` for a photo that it does not see.

    Raises:
        SlotLostError: it is something else.
    """
    try:
        if not isinstance(data, bytes):
            raise TypeError
        messages = unpacked(data)
        if messages and "error" in messages[0][0]:
            raise SlotLostError(f"a node could not describe photos: {messages[0][0]['error']}", None)
        replies = [None if head == UNSEEN[0] else parse_reply(head, body) for head, body in messages]
    except NO_REPLIES:
        raise SlotLostError("a node answered what is no reply", None) from None
    if len(replies) != count:
        raise SlotLostError("a node answered another number of photos than it was asked", None)
    return replies


def answer_in(data: object) -> bytes | ImgmatchError:
    """The answer to a unit of work in what a node said, or why the unit has none.

    Raises:
        SlotLostError: it is something else.
    """
    try:
        if not isinstance(data, bytes):
            raise TypeError
        ((head, body),) = unpacked(data)
        return ImgmatchError(f"a node of the Ray cluster says: {head['error']}") if "error" in head else body
    except NO_REPLIES:
        raise SlotLostError("a node answered what is no reply", None) from None


class _Start(NamedTuple):
    """An actor that has not begun yet.

    Attributes:
        slot: the actor.
        failed: so many before it could not start.
        until: a moment of the monotonic clock, after which it is given up.
    """

    slot: PlacedSlot
    failed: int
    until: float


class Slots:
    """As many actors as are wanted, as soon as the cluster has room for them. Safe to use from several threads."""

    def __init__(self, count: int, settings: str, patience: float) -> None:
        """With ``patience``, in seconds, a slot is waited for while there is none at all, and an actor to begin."""
        self._settings, self._patience = settings, patience
        self._changed = threading.Condition()
        self._idle: deque[PlacedSlot] = deque()
        self._starting: dict[Any, _Start] = {}
        self._due: list[tuple[float, int]] = [(0.0, 0)] * count
        self._busy = 0
        self._dry_since = time.monotonic()
        self._error: str | None = None
        self._last_failure = ""
        self._closed = False
        self._keeper = threading.Thread(target=self._keep, name="imgmatch-slots", daemon=True)
        self._keeper.start()

    @contextmanager
    def taken(self) -> Iterator[PlacedSlot]:
        """A slot for as long as the block lasts.

        It is the one that has been idle the longest, so that a chunk whose slot was lost goes to another.

        Raises:
            ImgmatchError: there is none, and none to be expected.
        """
        slot = self._take()
        try:
            yield slot
        finally:
            self._give_back(slot)

    def _take(self) -> PlacedSlot:
        with self._changed:
            while not self._idle:
                if self._error is not None:
                    raise ImgmatchError(self._error)
                if self._busy == 0 and time.monotonic() - self._dry_since > self._patience:
                    why = self._last_failure or free_room()
                    raise ImgmatchError(
                        f"no processor of the cluster was to be had in {self._patience:g} seconds: {why}"
                    )
                self._changed.wait(1)
            self._busy += 1
            return self._idle.popleft()

    def _give_back(self, slot: PlacedSlot) -> None:
        if slot.is_lost:
            slot.end()
        with self._changed:
            self._busy -= 1
            self._dry_since = time.monotonic()
            if slot.is_lost:
                self._due.append((0.0, 0))
            else:
                self._idle.append(slot)
            self._changed.notify()

    def _keep(self) -> None:
        """Start actors, and see which have begun."""
        ray = ray_api()
        while not self._closed:
            try:
                self._start_due()
                begun = (
                    ray.wait(list(self._starting), num_returns=1, timeout=_WATCH_SECONDS)[0] if self._starting else ()
                )
                if not begun:
                    time.sleep(_WATCH_SECONDS)
                for ref in begun:
                    self._settle(ref)
                self._give_up_late()
            except Exception as error:  # noqa: BLE001 -- whatever Ray raises, those that wait must hear of it
                self._fail(f"Ray could not start the actors: {last_line(error)}")
                return

    def _start_due(self) -> None:
        now = time.monotonic()
        with self._changed:
            due = [failed for moment, failed in self._due if moment <= now]
            self._due = [each for each in self._due if each[0] > now]
        for failed in due:
            slot = PlacedSlot(self._settings)
            self._starting[slot.begun] = _Start(slot, failed, now + self._patience)

    def _give_up_late(self) -> None:
        """End actors that have not begun in time, and have others in their place.

        Their node may hang. It may also be that the cluster has no room, so that none counts as having failed.
        """
        now = time.monotonic()
        for ref, start in list(self._starting.items()):
            if start.until < now:
                del self._starting[ref]
                start.slot.end()
                with self._changed:
                    self._due.append((now, start.failed))

    def _settle(self, ref: Any) -> None:  # noqa: ANN401 -- Ray's reference
        ray = ray_api()
        start = self._starting.pop(ref)
        slot = start.slot
        try:
            node, build = ray.get(ref)
            there = json.loads(build)
        except (ray.exceptions.RayError, ValueError) as error:
            self._try_again(slot, start.failed + 1, last_line(error))
            return
        if other := differences(own_build(), there):
            name = working_nodes().get(node, node)
            self._fail(f"node {name}, which has joined the cluster, has {other}; install the same on every node")
            return
        with self._changed:
            self._idle.append(slot)
            self._changed.notify()

    def _try_again(self, slot: PlacedSlot, failed: int, why: str) -> None:
        slot.end()
        with self._changed:
            self._last_failure = why
            if failed < START_TRIES:
                self._due.append((time.monotonic() + _PAUSE_SECONDS, failed))
            elif not (self._idle or self._busy or self._starting or self._due):
                self._error = f"no actor could start on the cluster: {why}"
                self._changed.notify_all()

    def _fail(self, message: str) -> None:
        with self._changed:
            self._error = message
            self._changed.notify_all()

    def close(self) -> None:
        """Begin no more."""
        self._closed = True
