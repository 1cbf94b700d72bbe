"""Leases: what must not run twice at once is held by name, with a sign of life, in the catalog itself."""

from __future__ import annotations

import contextlib
import math
import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from imgmatch import damage
from imgmatch.catalog import schema
from imgmatch.catalog.owner import Owner
from imgmatch.catalog.times import from_microseconds
from imgmatch.errors import IndexLockedError, IndexUnusableError, LeaseLostError
from imgmatch.model import HeldLease

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement

    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.session import Session

TTL = 30.0
"""Seconds that a sign of life counts; three are given in that time."""

_SIGNS = 3
_LOOK_AGAIN = 0.2
_US = 1_000_000
LEASE_LONGEST = 86_400
"""Seconds ahead that no lease reaches, whatever the clock of its holder says: one that does is damaged."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What only one may hold at a time.

    Attributes:
        name: of what is held.
        token: tells this holder from any other, earlier or later.
    """

    name: str
    token: str


class Leases:
    """The leases that one open catalog takes part in."""

    def __init__(self, catalog: Catalog, where: str, ttl: float = TTL) -> None:
        """``where`` is what errors call the index; ``ttl`` are seconds."""
        self._catalog = catalog
        self._where = where
        self._ttl = ttl
        self._mine = threading.local()

    @contextlib.contextmanager
    def hold(self, name: str, wait: float) -> Iterator[Lease]:
        """See :meth:`imgmatch.catalog.base.Catalog.lease`."""
        held: dict[str, Lease] = self._mine.__dict__
        if name in held:
            yield held[name]
            return
        lease = self._acquire(name, wait)
        ended = threading.Event()
        beating = threading.Thread(target=self._beat, args=(lease, ended), name=f"lease {name}", daemon=True)
        beating.start()
        held[name] = lease
        try:
            yield lease
        finally:
            del held[name]
            ended.set()
            beating.join()
            with contextlib.suppress(IndexUnusableError), self._catalog.write() as session:
                session.sql.execute(delete(schema.leases).where(*_is(lease)))

    def _acquire(self, name: str, wait: float) -> Lease:
        until = time.monotonic() + wait
        while True:
            with self._catalog.read() as session:
                holder = _holder(session, name)
            if holder is None:
                with self._catalog.write() as session:
                    holder = _holder(session, name)
                    if holder is None:
                        return _store(session, name, self._ttl)
            if time.monotonic() >= until:
                raise IndexLockedError(f"{self._where}: {name} is under way; {holder}; try again later")
            time.sleep(min(_LOOK_AGAIN, max(until - time.monotonic(), 0)))

    def _beat(self, lease: Lease, ended: threading.Event) -> None:
        """Renew the lease until it ends or is lost; a turn that did not come is no reason to give up."""
        while not ended.wait(self._ttl / _SIGNS):
            with contextlib.suppress(IndexUnusableError), self._catalog.write() as session:
                at = session.now()
                values = {"heartbeat_at": at, "expires_at": at + math.ceil(self._ttl * _US)}
                if not session.sql.execute(update(schema.leases).where(*_is(lease)).values(values)).rowcount:
                    return


def ensure_held(session: Session, lease: Lease) -> None:
    """Raise LeaseLostError unless this is still held; a write that it was asked of first is then nothing."""
    if session.sql.scalar(select(schema.leases.c.name).where(*_is(lease))) is None:
        raise LeaseLostError(f"{lease.name} was taken over by another process, or gave no sign of life for too long")


def drop_dead_leases(session: Session) -> None:
    """Forget leases that anybody may take over."""
    for name in list(session.sql.scalars(select(schema.leases.c.name))):
        if _holder(session, name) is None:
            session.sql.execute(delete(schema.leases).where(schema.leases.c.name == name))


def held_leases(session: Session) -> list[HeldLease]:
    """Those that nobody may take over, the longest first, under the names that they have in the catalog."""
    table = schema.leases.c
    query = select(table.name, table.owner, table.acquired_at, table.expires_at).order_by(table.acquired_at, table.name)
    now, held = session.now(), []
    for name, text, acquired_at, expires_at in session.sql.execute(query):
        owner = _living(text, expires_at, now)
        if owner is not None:
            since, until = from_microseconds(acquired_at), from_microseconds(expires_at)
            held.append(HeldLease(name, owner.host, owner.pid, since, until, max(now - acquired_at, 0) / _US))
    return held


def _is(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    return schema.leases.c.name == lease.name, schema.leases.c.token == lease.token


def _holder(session: Session, name: str) -> str | None:
    """Who holds it since when, as a person is told; ``None`` if it may be taken."""
    table = schema.leases.c
    query = select(table.owner, table.acquired_at, table.expires_at).where(table.name == name)
    row = session.sql.execute(query).first()
    owner = None if row is None else _living(row.owner, row.expires_at, session.now())
    if row is None or owner is None:
        return None
    return f"{owner} holds it since {from_microseconds(row.acquired_at).isoformat(timespec='seconds')}"


def _living(text: str, expires_at: int, now: int) -> Owner | None:
    """Who holds a lease that is written down so; ``None`` if anybody may take it."""
    if not 0 < expires_at - now <= LEASE_LONGEST * _US:
        return None
    try:
        owner = Owner.parse(text)
    except ValueError:
        damage.note("leases.owner", "nobody holds such a lease")
        return None
    return None if owner.is_dead() else owner


def _store(session: Session, name: str, ttl: float) -> Lease:
    lease, began = Lease(name, secrets.token_hex(16)), session.now()
    session.sql.execute(delete(schema.leases).where(schema.leases.c.name == name))
    times = {"acquired_at": began, "heartbeat_at": began, "expires_at": began + math.ceil(ttl * _US)}
    values = {"name": name, "owner": Owner.here().text(), "token": lease.token}
    session.sql.execute(insert(schema.leases).values(values | times))
    return lease
