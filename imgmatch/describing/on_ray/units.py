"""Units of other work than describing: given to slots, whatever becomes of those meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from imgmatch.cluster.joining import last_line, ray_api
from imgmatch.describing.on_ray.slots import SlotLostError
from imgmatch.errors import ImgmatchError
from imgmatch.tasks import TRIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imgmatch.describing.on_ray.slots import Slots


@dataclass(frozen=True, slots=True)
class AskedUnit:
    """What is known of a unit beside its bytes.

    Attributes:
        kind: which function answers.
        kept: Ray's references to what it needs, or why that could not be kept.
    """

    kind: str
    kept: tuple[Any, ...]


class KeptBytes:
    """What units need, in Ray's object store, under the numbers that the asker has given it."""

    def __init__(self) -> None:
        self._references: dict[int, Any] = {}

    def note(self, head: Mapping[str, Any], body: bytes) -> None:
        """Keep the bytes of a message, or let go of what it names."""
        if "forgotten" in head:
            self._references.pop(head["forgotten"], None)
            return
        try:
            # As an array the processes of a node read it where it lies, and make no copy each.
            self._references[head["kept"]] = ray_api().put(np.frombuffer(body, np.uint8))
        except Exception as error:  # noqa: BLE001 -- whoever waits for a unit that needs it must hear of it
            self._references[head["kept"]] = ImgmatchError(
                f"Ray could not keep {len(body):,} bytes: {last_line(error)}"
            )

    def unit(self, head: Mapping[str, Any]) -> AskedUnit:
        """What a message says of a unit; one that needs what is not kept has an error in its place."""
        unknown = ImgmatchError("a unit needs what is not kept")
        return AskedUnit(head["unit"], tuple(self._references.get(number, unknown) for number in head["needs"]))


def answered(slots: Slots, asked: AskedUnit, seconds: float, unit: bytes) -> bytes:
    """The answer of the first slot that is not lost with the unit, of a few.

    Raises:
        ImgmatchError: there is none, nor will there be.
    """
    for reference in asked.kept:
        if isinstance(reference, ImgmatchError):
            raise reference
    last: SlotLostError | None = None
    for _ in range(TRIES):
        with slots.taken() as slot:
            try:
                return slot.answer(asked.kind, unit, asked.kept, seconds)
            except SlotLostError as lost:
                last = lost
    raise ImgmatchError(f"a {asked.kind} unit was not answered on the Ray cluster, {TRIES} times over: {last}")
