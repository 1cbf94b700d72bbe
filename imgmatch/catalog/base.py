"""The contract of a catalog: what everything above may count on, whatever holds the rows.

A catalog is the truth that engines are derived from. :func:`imgmatch.registry.open_catalog` opens it; its rows are read
and written by the functions of this package, which take the :class:`~imgmatch.catalog.session.Session` that
:meth:`Catalog.read` or :meth:`Catalog.write` gives out. ``tests/contracts/test_catalogs.py`` holds every implementation
to this page.

**Watermarks.** Engines read fingerprints and features in order of their row ids and remember the highest one they have
read. That skips no row only if no row becomes visible under an id below one that was visible before. SQLite has one
writer at a time, and ids are given out inside its transaction (``AUTOINCREMENT``: never twice): ids become visible in
order. A database with several writers gives out ids as they ask but shows them as they commit, so that 8 may be visible
before 7: such a catalog must make writers that add fingerprints or features take turns between taking their first id
and their commit (in PostgreSQL: one advisory lock for the length of the transaction), or give out ids when it commits.

**Row ids of photos** may be used again after a photo was removed: who has looked up a row in one transaction and
changes it in another one names it by its id and its ``photo_id``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from imgmatch.catalog.leases import Lease
    from imgmatch.catalog.session import Session


@runtime_checkable
class Catalog(Protocol):
    """An open catalog; safe for any number of threads and processes, which all may write.

    Every method raises an :class:`~imgmatch.errors.IndexUnusableError` that names the index where it cannot be read or
    written.
    """

    def exists(self) -> bool:
        """Whether there is anything at all where it should be."""

    def is_replaced(self) -> bool:
        """Whether what was opened is gone, or something else is in its place: what is written then is lost."""

    def refuse_another(self) -> None:
        """Look whether what is there is a catalog, without changing a byte of it; there may be nothing.

        Whatever opens it looks first.

        Raises:
            NotAnIndexError: it is of another program, or a link.
            IndexDamagedError: it is no database.
        """

    def read(self) -> AbstractContextManager[Session]:
        """A session that sees one state of the catalog throughout, whatever is written meanwhile, and never waits."""

    def write(self, lease: Lease | None = None) -> AbstractContextManager[Session]:
        """A transaction: all of it or nothing, on the disk when the block ends. Writers wait for their turn.

        Keep it short: whatever takes long is done before, and what is many rows is written in parts.

        Args:
            lease: write only if this is still held.

        Raises:
            LeaseLostError: somebody else has taken the lease over; nothing is written.
            IndexLockedError: the turn did not come within the patience of the catalog.
        """

    def lease(self, name: str, *, wait: float = 0.0) -> AbstractContextManager[Lease]:
        """Hold what only one may hold at a time, under this name, until the block ends.

        It is renewed meanwhile. A lease whose holder gave no sign of life for too long, or is a process of this machine
        that has ended, is taken over. Who holds it may take it again in the same thread.

        Args:
            name: such as ``publication``, or ``scan:`` and the key of a source.
            wait: seconds to wait for whoever holds it; may be infinite.

        Raises:
            IndexLockedError: somebody else holds it still; it says who, and since when.
        """

    def migrate(self) -> None:
        """Make the tables, or bring those of an older version up to date, in one transaction.

        Of several that do so at once, one does it and the others wait and find it done.

        Raises:
            NotAnIndexError: there are tables of something else.
            IndexTooNewError: a newer imgmatch made them.
        """

    def version(self) -> int:
        """The version of the tables; 0 where there are none yet.

        Raises:
            NotAnIndexError: there are tables of something else, or views or triggers that are not ours.
            IndexDamagedError: it does not say which version it has.
        """

    def faults(self) -> list[str]:
        """What is wrong with it beneath its rows, a sentence each, the first of many; reads all of it."""

    def compact(self, *, patience: float = math.inf) -> bool:
        """Give freed space back, so that what was removed is nowhere in the files.

        Args:
            patience: seconds to wait for those who read a state from before; never longer than a minute.

        Returns:
            whether it is: old pages may have to stay while somebody reads a state from before.
        """

    def hear(self, heard: Callable[[], None]) -> Hearing | None:
        """Have ``heard`` called, in a thread of its own, soon after somebody has added rows that are searched.

        It may be called late or for nothing, and where no notice comes through, which is logged, not at all: nobody may
        count on it. ``None`` where the catalog tells nobody.
        """

    def close(self) -> None:
        """Close every connection."""


class Hearing(Protocol):
    """What :meth:`Catalog.hear` has begun."""

    def close(self) -> None:
        """End it."""
