"""Accounts whose ids a person cannot tell apart: noted by triggers as accounts come and go, so that none is looked for.

Of five million accounts few look like another. What is kept of each is a hash of its looks
(:func:`imgmatch.model.account_look_hash`), indexed; of each set of lookalikes a row says how many they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from imgmatch.catalog import schema
from imgmatch.model import account_look_hash, lookalikes

if TYPE_CHECKING:
    from imgmatch.catalog.session import Session

TRIGGERS = {
    "alike_added": "AFTER INSERT ON accounts"
    " WHEN EXISTS (SELECT 1 FROM accounts WHERE look = NEW.look AND id <> NEW.id) BEGIN"
    " INSERT INTO lookalikes (look, number) VALUES (NEW.look, 2) ON CONFLICT (look) DO UPDATE SET number = number + 1;"
    " END",
    "alike_removed": "AFTER DELETE ON accounts WHEN OLD.look IS NOT NULL BEGIN"
    " UPDATE lookalikes SET number = number - 1 WHERE look = OLD.look;"
    " DELETE FROM lookalikes WHERE look = OLD.look AND number < 2; END",
}
"""Name to what SQLite does of itself."""

_OF_ONE_SET = 5
"""Accounts of a set that are given as an example."""


def count_lookalikes(session: Session) -> int:
    """How many sets of accounts there are that look alike."""
    return session.sql.scalar(select(func.count()).select_from(schema.lookalikes)) or 0


def some_lookalikes(session: Session, most: int) -> tuple[tuple[str, ...], ...]:
    """Some of these sets, of each a few accounts, those first that were found last.

    Args:
        session: to read by.
        most: how many sets.
    """
    table = schema.lookalikes.c
    looks = session.sql.scalars(select(table.look).order_by(table.id.desc()).limit(most))
    found = (_looking(session, look) for look in looks)
    return tuple(alike[0] for accounts in found if (alike := lookalikes(accounts)))  # two looks may have one hash


def lookalikes_of(session: Session, account: str) -> list[str]:
    """A few other accounts that look like this one, which need not be there."""
    return [one for one in _looking(session, account_look_hash(account)) if one != account]


def _looking(session: Session, look: int) -> list[str]:
    table = schema.accounts.c
    query = select(table.account).where(table.look == look).order_by(table.id).limit(_OF_ONE_SET)
    return list(session.sql.scalars(query))
