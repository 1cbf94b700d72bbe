"""Accounts: written as their photos come in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from imgmatch.catalog import schema
from imgmatch.catalog.bulk import insert_numbered
from imgmatch.catalog.chunks import chunks
from imgmatch.model import account_look_hash
from imgmatch.model.photos import MOST_ATTRIBUTES_CHARS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgmatch.catalog.session import Session
    from imgmatch.model import NewPhoto


@dataclass(slots=True)
class _Account:
    name: str | None
    first_seen: int
    attributes: dict[str, str] = field(default_factory=dict)

    def learn(self, photo: NewPhoto, seen_at: int) -> None:
        self.name = photo.name or self.name
        self.first_seen = min(self.first_seen, seen_at)
        self.attributes = _merged(self.attributes, dict(photo.attributes))


def _merged(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """Both, the new ones winning; the new ones alone where both are too long: each night may bring other names."""
    both = old | new
    return both if sum(map(len, (*both, *both.values()))) <= MOST_ATTRIBUTES_CHARS else new


def store_accounts(session: Session, photos: Iterable[tuple[NewPhoto, int]]) -> dict[str, int]:
    """Add or update the accounts of ``photos`` (each with its ``seen_at``); returns account to row id.

    The latest name and attributes win, the earliest ``seen_at`` is kept.
    """
    learned: dict[str, _Account] = {}
    for photo, seen_at in photos:
        learned.setdefault(photo.account, _Account(None, seen_at)).learn(photo, seen_at)
    ids: dict[str, int] = {}
    for chunk in chunks(learned):
        known = _known(session, chunk)
        _update(session, {account: learned[account] for account in known}, known)
        ids |= {account: row_id for account, (row_id, _) in known.items()}
        ids |= _insert(session, {account: learned[account] for account in chunk if account not in known})
    return ids


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """What is kept of an account: display name, first time in microseconds since 1970 (UTC), other columns."""

    name: str | None
    first_seen: int
    attributes: dict[str, str]


def read_account(session: Session, account: str) -> KnownAccount | None:
    """The account of that id, as ``model.account_id`` spells it."""
    table = schema.accounts.c
    query = select(table.name, table.first_seen, table.attributes).where(table.account == account)
    row = session.sql.execute(query).first()
    return None if row is None else KnownAccount(row.name, row.first_seen, row.attributes or {})


def _known(session: Session, accounts: list[str]) -> dict[str, tuple[int, _Account]]:
    table = schema.accounts.c
    query = select(table.account, table.id, table.name, table.first_seen, table.attributes)
    rows = session.sql.execute(query.where(table.account.in_(accounts)))
    return {account: (row_id, _Account(name, first, extra or {})) for account, row_id, name, first, extra in rows}


def _insert(session: Session, accounts: dict[str, _Account]) -> dict[str, int]:
    rows = [
        _values(new) | {"account": account, "look": account_look_hash(account)} for account, new in accounts.items()
    ]
    return insert_numbered(session, schema.accounts, rows, "account")


def _update(session: Session, learned: dict[str, _Account], known: dict[str, tuple[int, _Account]]) -> None:
    changed = []
    for account, new in learned.items():
        row_id, old = known[account]
        attributes = _merged(old.attributes, new.attributes)
        merged = _Account(new.name or old.name, min(new.first_seen, old.first_seen), attributes)
        if merged != old:
            changed.append(_values(merged) | {"row": row_id})
    if changed:
        table = schema.accounts
        session.sql.execute(update(table).where(table.c.id == bindparam("row")), changed)


def _values(account: _Account) -> dict[str, Any]:
    return {"name": account.name, "first_seen": account.first_seen, "attributes": account.attributes or None}
