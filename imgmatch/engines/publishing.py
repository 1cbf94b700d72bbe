"""Publishing: engine files are written anew by one process at a time, while others read and write the catalog."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from imgmatch.progress import SILENT

if TYPE_CHECKING:
    from imgmatch.engines.header import Header
    from imgmatch.engines.parts import Parts
    from imgmatch.progress import Progress

PUBLICATION = "publication"
"""The lease that is held meanwhile; whoever wants it waits its turn."""


def publish(parts: Parts, *, leave_nothing: bool = False) -> None:
    """Write engine files without what the catalog has lost, and with what is new where that is worth it.

    Args:
        parts: of the index.
        leave_nothing: also drop what somebody who was killed while publishing may have left.

    Raises:
        IndexUnusableError: they cannot be written.
    """
    engines = (parts.fingerprints, parts.features)
    if not leave_nothing and all(engine.is_current(parts.folder.header()) for engine in engines):
        return
    with parts.catalog.lease(parts.folder.noted_as(PUBLICATION), wait=math.inf) as lease:
        header = parts.folder.header()
        for engine in engines:
            if not engine.is_current(header):  # another one may have published meanwhile
                header = engine.publish(header, lease)
        if leave_nothing:
            parts.folder.drop_leftovers()


def rebuild(parts: Parts, progress: Progress = SILENT) -> Header:
    """Make the engine files anew from the catalog alone.

    Args:
        parts: of the index.
        progress: hears how many ``fingerprints``, then ``features``, are read of how many.

    Raises:
        IndexUnusableError: they cannot be written.
    """
    with parts.catalog.lease(parts.folder.noted_as(PUBLICATION), wait=math.inf) as lease:
        header = parts.fingerprints.rebuild(parts.folder.header(), progress, lease)
        return parts.features.rebuild(header, progress, lease)
