"""How many transactions something takes."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Engine, event

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def counted_transactions() -> Iterator[list[object]]:
    """One thing for each transaction that this thread begins meanwhile."""
    begun: list[object] = []
    mine = threading.get_ident()

    def note(connection: object) -> None:
        if threading.get_ident() == mine:
            begun.append(connection)

    event.listen(Engine, "begin", note)
    try:
        yield begun
    finally:
        event.remove(Engine, "begin", note)
