"""Long lists in pieces a database takes as parameters."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PARAMETERS = 500
"""Well under the number of parameters every supported database takes in one statement."""

Item = TypeVar("Item")


def chunks(items: Iterable[Item], size: int = PARAMETERS) -> Iterator[list[Item]]:
    """``items`` in lists of at most ``size``."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
