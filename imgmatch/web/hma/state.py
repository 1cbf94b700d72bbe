"""What the routes of HMA keep in a server process, beside the index."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from imgmatch.web.hma.fetching import Fetcher
from imgmatch.web.hma.floods import Floods
from imgmatch.web.hma.remembered import Remembered
from imgmatch.web.settings import ServeSettings


@dataclass(frozen=True, slots=True)
class HmaState:
    """See above.

    Attributes:
        fetcher: reads photos from URLs.
        remembered: photos that were hashed a moment ago.
        floods: counts what entries hit.
        loaded: set once the first lookup takes no longer than others.
    """

    fetcher: Fetcher
    remembered: Remembered
    floods: Floods
    loaded: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, settings: ServeSettings) -> HmaState:
        """That of a server with these settings."""
        return cls(Fetcher(settings), Remembered(settings.remember_minutes), Floods(settings.flood_hashes))
