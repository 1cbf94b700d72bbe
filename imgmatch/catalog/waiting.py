"""How long a catalog waits, for its turn and for readers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 300.0
"""Seconds that a write waits for its turn: longer than compacting a catalog of ten million photos takes."""

_READERS_GONE = 60.0
"""Seconds in which those who read a state from before a removal are expected to end."""


def came_true(look: Callable[[], bool], patience: float, pause: float) -> bool:
    """Whether something came true that readers of an older state may hold up: looked at again and again.

    Args:
        look: tells whether it has.
        patience: seconds to wait for it, never more than a minute.
        pause: seconds between two looks.
    """
    until = time.monotonic() + min(patience, _READERS_GONE)
    while not look():
        if time.monotonic() >= until:
            return False
        time.sleep(pause)
    return True
