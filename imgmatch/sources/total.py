"""How many items sources have, counted beside the work that goes through them."""

from __future__ import annotations

import contextlib
from itertools import chain
from threading import Event, Thread
from typing import TYPE_CHECKING

from imgmatch.sources.base import Countable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType
    from typing import Self

    from imgmatch.sources.base import Source

_PATIENCE_SECONDS = 1.0


class SourceTotal:
    """Counts items in a thread of its own, from ``with`` on and no longer than that lasts.

    Whatever goes wrong, there is only no total: the work itself comes upon it, and says what is wrong.

    Args:
        sources: what is counted, all of it together.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._total: int | None = None
        self._over = Event()
        self._thread = Thread(target=self._run, name="imgmatch-count", daemon=True)

    @property
    def total(self) -> int | None:
        """All items; ``None`` until they are counted, and for good if a source cannot be counted quickly."""
        return self._total

    def _run(self) -> None:
        with contextlib.suppress(Exception):
            counted = [source.to_count() if isinstance(source, Countable) else None for source in self._sources]
            known = [items for items in counted if items is not None]
            if len(known) == len(counted):
                self._total = self._counted(chain.from_iterable(known))

    def _counted(self, things: Iterable[object]) -> int | None:
        count = 0
        for _ in things:
            if self._over.is_set():
                return None
            count += 1
        return count

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        # The listing of a folder of millions cannot be broken off, and nobody should wait for it: it ends by itself.
        self._thread.join(_PATIENCE_SECONDS)
