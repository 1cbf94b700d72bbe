"""Who holds what of an index: leases, and engine files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class HeldLease:
    """What must not run twice at once, and is under way.

    Attributes:
        name: what it is: ``scan:`` and the source, ``clustering`` (a run of rings), ``publication`` (engine files are
            written), ``erasure``, ``shards``.
        machine: where the process runs that holds it.
        process: the number of that process there.
        since: when it was taken, by the clock of the catalog, as all times here.
        until: how long the last sign of life counts: three are given in half a minute.
        seconds: for how long it has been held.
    """

    name: str
    machine: str
    process: int
    since: datetime
    until: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class EnginePlace:
    """A folder of engine files of an index in a database.

    Attributes:
        machine: where it lies.
        opened_at: when somebody opened the index there last, to the day.
        behind: row ids that its files do not reach yet, of fingerprints or of features, whichever is more; ``None``
            while there are no files, or nobody has said. Who searches there reads them from the database first.
        gone: rows that were removed and that its files may hold until they are written anew.
        is_here: whether it is the one of this process.
    """

    machine: str
    opened_at: datetime
    behind: int | None
    gone: int
    is_here: bool
