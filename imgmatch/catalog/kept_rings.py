"""Rings as they are kept: which groups tie which accounts, and what has become of them since the last report."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import String, bindparam, cast, delete, insert, or_, select, update

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.dialects import place_of

if TYPE_CHECKING:
    from imgmatch.catalog.session import Session


@dataclass(frozen=True, slots=True)
class KeptRing:
    """What is kept of a ring beside its groups; see ``model.Ring``."""

    ring: str
    new: bool | None = None
    changes: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    came_from: tuple[str, ...] = ()
    went_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TiedRing:
    """A ring with the groups that tie it, by row id, and the accounts in it."""

    kept: KeptRing
    groups: Collection[int]
    accounts: Sequence[str]


def store_rings(session: Session, rings: Sequence[TiedRing]) -> None:
    """Keep new rings: a few statements for all of them, since whoever decides keeps others waiting meanwhile."""
    if not rings:
        return
    table = schema.rings
    accounts = [account for ring in rings for account in ring.accounts]
    # Where rows are damaged, what is left of an earlier ring may be in the way.
    for names in chunks([ring.kept.ring for ring in rings]):
        session.sql.execute(delete(table).where(table.c.ring.in_(names)))
    for some in chunks(accounts):
        session.sql.execute(delete(schema.ring_accounts).where(schema.ring_accounts.c.account.in_(some)))
    made = insert(table).returning(table.c.id, sort_by_parameter_order=True)
    rows = session.sql.scalars(made, [_values(ring.kept) for ring in rings]).all()
    tying = [{"tying": group, "tied": row} for row, ring in zip(rows, rings, strict=True) for group in ring.groups]
    groups = schema.groups
    tie = update(groups).where(groups.c.id == bindparam("tying")).values(ring_id=bindparam("tied"))
    if tying:
        session.sql.execute(tie, tying)
    held = [
        {"account": account, "ring_id": row} for row, ring in zip(rows, rings, strict=True) for account in ring.accounts
    ]
    if held:
        session.sql.execute(insert(schema.ring_accounts), held)


def _values(ring: KeptRing) -> dict[str, object]:
    return {
        "ring": ring.ring,
        "new": None if ring.new is None else int(ring.new),
        "changes": list(ring.changes),
        "joined": list(ring.joined),
        "left": list(ring.left),
        "came_from": list(ring.came_from),
        "went_to": list(ring.went_to),
    }


def remove_rings(session: Session, rings: Collection[int]) -> None:
    """Forget these, by row id; their groups stay, and tie no ring for now."""
    for chunk in chunks(rings):
        session.sql.execute(delete(schema.rings).where(schema.rings.c.id.in_(chunk)))


def read_rings(session: Session, rings: Collection[int] | None = None) -> dict[int, KeptRing]:
    """Rings by their row ids, or all of them."""
    table = schema.rings.c
    columns = (table.id, table.ring, table.new, table.changes, table.joined, table.left, table.came_from, table.went_to)
    queries = [select(*columns)] if rings is None else [select(*columns).where(table.id.in_(c)) for c in chunks(rings)]
    found = {}
    for query in queries:
        for row, ring, new, *lists in session.sql.execute(query):
            found[row] = KeptRing(ring, None if new is None else bool(new), *(tuple(one) for one in lists))
    return found


def ring_row(session: Session, ring: str) -> int | None:
    """The row id of the ring that goes by this id."""
    return session.sql.scalar(select(schema.rings.c.id).where(schema.rings.c.ring == ring))


def rings_of_accounts(session: Session, accounts: Collection[str]) -> set[int]:
    """Row ids of the rings these accounts are in."""
    table = schema.ring_accounts.c
    return {
        row
        for chunk in chunks(accounts)
        for row in session.sql.scalars(select(table.ring_id).where(table.account.in_(chunk)).distinct())
    }


def rings_by_account(session: Session, accounts: Collection[str]) -> dict[str, str]:
    """The ids of the rings these accounts are in, by account."""
    table, found = schema.ring_accounts.c, dict[str, str]()
    query = select(table.account, schema.rings.c.ring).join(schema.rings, schema.rings.c.id == table.ring_id)
    for chunk in chunks(sorted(accounts)):
        found |= {account: ring for account, ring in session.sql.execute(query.where(table.account.in_(chunk)))}  # noqa: C416 -- rows
    return found


def rings_of_groups(session: Session, groups: Collection[int]) -> set[int]:
    """Row ids of the rings these groups tie."""
    table = schema.groups.c
    found: set[int] = set()
    for chunk in chunks(groups):
        query = select(table.ring_id).where(table.id.in_(chunk), table.ring_id.is_not(None))
        found.update(session.sql.scalars(query.distinct()))
    return found


def groups_of_rings(session: Session, rings: Collection[int]) -> set[int]:
    """Row ids of the groups that tie these rings."""
    table = schema.groups.c
    return {
        row for chunk in chunks(rings) for row in session.sql.scalars(select(table.id).where(table.ring_id.in_(chunk)))
    }


def group_rows(session: Session, name: str) -> list[int]:
    """Row ids of the groups that go by this id: one, or none."""
    return list(session.sql.scalars(select(schema.groups.c.id).where(schema.groups.c.name == name)))


def rings_of_group(session: Session, name: str) -> list[str]:
    """The rings, by their ids, that the group of this id ties: one, or none."""
    return [kept.ring for kept in read_rings(session, rings_of_groups(session, group_rows(session, name))).values()]


def accounts_of_rings(session: Session, rings: Collection[int]) -> set[str]:
    """The accounts in these rings, by row id."""
    table = schema.ring_accounts.c
    return {
        account
        for chunk in chunks(rings)
        for account in session.sql.scalars(select(table.account).where(table.ring_id.in_(chunk)))
    }


def accounts_in_rings(session: Session) -> set[str]:
    """The accounts in any ring."""
    return set(session.sql.scalars(select(schema.ring_accounts.c.account)))


def rings_naming(session: Session, account: str) -> set[int]:
    """Row ids of the rings of which it is said that this account joined or left them."""
    table = schema.rings.c
    written = json.dumps(account)
    naming = (place_of(session.sql, cast(column, String), written) > 0 for column in (table.joined, table.left))
    return set(session.sql.scalars(select(table.id).where(or_(*naming))))
