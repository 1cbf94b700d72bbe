"""The log of what was done: appended, never rewritten, each entry's digest taken over the one before.

An entry names no account and no photo, so that an erasure need not touch it: what was decided on is found by the number
of the decision, which the erasure makes nameless. Writers take turns, so that each sees the entry before its own.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from imgmatch.catalog import schema
from imgmatch.catalog.times import from_microseconds, now
from imgmatch.model import AuditEntry, AuditProof

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.catalog.session import Session

_READ_AT_ONCE = 5_000
_FIRST = b""
"""What stands for the digest before the first entry."""


def append_audit(session: Session, actor: str, action: str, subject: str | None = None) -> None:
    """Note what somebody did, in the transaction that does it.

    Args:
        session: one that may write.
        actor: who.
        action: what.
        subject: of what; never an account or a photo.
    """
    table = schema.audit_log
    before = session.sql.execute(select(table.c.id, table.c.digest).order_by(table.c.id.desc()).limit(1)).first()
    at, number = now(), 1 if before is None else before.id + 1
    digest = _digest(_FIRST if before is None else before.digest, number, at, actor, action, subject)
    values = {"id": number, "at": at, "actor": actor, "action": action, "subject": subject, "digest": digest}
    session.sql.execute(insert(table).values(**values))


def read_audit(session: Session, *, before: int | None, limit: int, action: str | None = None) -> list[AuditEntry]:
    """Entries, the latest first.

    Args:
        session: to read by.
        before: only those of a lower number.
        limit: so many at the most.
        action: only those of this kind.
    """
    table = schema.audit_log.c
    query = select(table.id, table.at, table.actor, table.action, table.subject, table.digest)
    query = query if before is None else query.where(table.id < before)
    query = query if action is None else query.where(table.action == action)
    return [_entry(*row) for row in session.sql.execute(query.order_by(table.id.desc()).limit(limit))]


def prove_audit(session: Session, head: str | None = None) -> AuditProof:
    """Go through the whole log, and look whether each entry follows from those before.

    Args:
        session: to read by.
        head: a digest that was noted earlier: an entry of it must be there.
    """
    last, broken, count, held = _FIRST, None, 0, False
    for entry in _every(session):
        count += 1
        expected = _digest(last, count, *entry[1:5])
        if broken is None and (entry[0] != count or entry[5] != expected):
            broken = count
        last = entry[5]
        held = held or last.hex() == head
    return AuditProof(count, broken, last.hex(), None if head is None else held)


def _every(session: Session) -> Iterator[tuple[int, int, str, str, str | None, bytes]]:
    table = schema.audit_log.c
    query = select(table.id, table.at, table.actor, table.action, table.subject, table.digest).order_by(table.id)
    for row in session.sql.execute(query.execution_options(yield_per=_READ_AT_ONCE)):
        yield row[0], row[1], row[2], row[3], row[4], row[5]


def _digest(before: bytes, number: int, at: int, actor: str, action: str, subject: str | None) -> bytes:
    said = json.dumps([number, at, actor, action, subject], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(before + said.encode("ascii")).digest()


def _entry(number: int, at: int, actor: str, action: str, subject: str | None, digest: bytes) -> AuditEntry:
    return AuditEntry(number, from_microseconds(at), actor, action, subject, digest.hex())
