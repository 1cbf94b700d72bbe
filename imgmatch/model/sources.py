"""Sources as an index knows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class KnownSource:
    """A source that photos of an index came from.

    Attributes:
        source: its key: an absolute path, a URL, or ``library`` for photos added by a program.
        kind: ``folder``, ``photo``, ``manifest``, ``archive``, ``bucket``, ``url`` or ``library``.
        photos: that were last met in it.
        last_scan: when its last scan began; ``None`` where that is not known.
        last_finished: when a scan last came to its end; ``None`` if none has.
    """

    source: str
    kind: str
    photos: int
    last_scan: datetime | None
    last_finished: datetime | None


@dataclass(frozen=True, slots=True)
class SourceChange:
    """What has become of a source.

    Attributes:
        source: its key, as it was.
        renamed: its key now; ``None`` if it was dropped.
        photos: that have gone with it: filed under the new key, or removed.
    """

    source: str
    renamed: str | None
    photos: int
