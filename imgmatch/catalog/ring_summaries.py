"""Rings as a queue shows them: read in a few statements, without the photos and the evidence of each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from imgmatch.catalog import schema

if TYPE_CHECKING:
    from imgmatch.catalog.session import Session


@dataclass(slots=True)
class RingRow:
    """A kept ring: what its own row and those of its groups say.

    Attributes:
        ring: its id.
        new: see ``model.Ring``.
        changes: likewise.
        pictures: how many groups tie it.
        banks: the lists of known pictures that some are on.
        said: number and verdict of the decision on each group; ``None`` where there is none.
        carried: for each group the accounts with the earliest time they showed it, in microseconds, and their names.
    """

    ring: str
    new: bool | None
    changes: tuple[str, ...]
    pictures: int = 0
    banks: set[str] = field(default_factory=set)
    said: list[tuple[int, str] | None] = field(default_factory=list)
    carried: list[list[tuple[int, str, str | None]]] = field(default_factory=list)


def read_ring_rows(session: Session) -> list[RingRow]:
    """Every kept ring that is tied by anything."""
    table, groups = schema.rings.c, schema.groups.c
    rings = {
        row: RingRow(ring, None if new is None else bool(new), tuple(changes))
        for row, ring, new, changes in session.sql.execute(select(table.id, table.ring, table.new, table.changes))
    }
    members, photos, accounts = schema.group_photos.c, schema.photos.c, schema.accounts.c
    query = (
        select(members.group_id, func.min(photos.seen_at), accounts.account, accounts.name)
        .join(schema.groups, groups.id == members.group_id)
        .join(schema.photos, photos.id == members.photo_row)
        .join(schema.accounts, accounts.id == photos.account_id)
        .where(groups.ring_id.is_not(None), groups.common == 0)
        .group_by(members.group_id, accounts.id)
    )
    carried: dict[int, list[tuple[int, str, str | None]]] = defaultdict(list)
    for group, seen_at, account, name in session.sql.execute(query):
        carried[group].append((seen_at, account, name))
    tying = select(groups.id, groups.ring_id, groups.bank, groups.decided, groups.decision).where(
        groups.ring_id.is_not(None), groups.common == 0
    )
    for group, row, bank, decided, decision in session.sql.execute(tying.order_by(groups.id)):
        if row not in rings or not carried[group]:
            continue
        ring = rings[row]
        ring.pictures += 1
        ring.said.append(None if decided is None or decision is None else (decided, decision))
        ring.carried.append(sorted(carried[group], key=lambda one: one[:2]))
        if bank is not None:
            ring.banks.add(bank)
    return [ring for ring in rings.values() if ring.pictures]
