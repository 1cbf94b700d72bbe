"""Damage that costs a row and not the index: told once for each kind, and counted."""

from __future__ import annotations

import logging
import threading
from collections import Counter

LOGGER = logging.getLogger(__name__)

_met: Counter[str] = Counter()
_lock = threading.Lock()


def note(where: str, what: str) -> None:
    """Note one damaged thing; the first of each kind is logged as a warning.

    Args:
        where: the kind, such as ``features.record``.
        what: what becomes of it, as the end of a sentence.
    """
    with _lock:
        _met[where] += 1
        first = _met[where] == 1
    if first:
        LOGGER.warning("damage in the index, %s: %s; imgmatch status --verify lists what is damaged", where, what)


def met() -> dict[str, int]:
    """How often each kind was met so far."""
    with _lock:
        return dict(_met)


def count(where: str) -> int:
    """How often one kind was met so far."""
    with _lock:
        return _met[where]


def forget() -> None:
    """Begin anew: what is met from now on is told again."""
    with _lock:
        _met.clear()
