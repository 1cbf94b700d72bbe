"""Ids of accounts as an older imgmatch kept them: what each was called before it had one spelling.

Photos keep the ids they were given under the former spelling. A scan that meets such a photo again derives another id
from the account's one spelling; the photo is then known by its account and its path.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from sqlalchemy import select

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks
from imgmatch.model import account_id, account_look_hash

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from imgmatch.catalog.session import Session
    from imgmatch.model import NewPhoto

_DERIVED = re.compile("[0-9a-f]{20}")
"""A photo's id that was derived from account and path: one that the source gave stays what it is."""


def ids_of_respelt(session: Session, photos: Collection[NewPhoto]) -> dict[str, str]:
    """The ids that photos have in the catalog, by their derived ids, where their account was spelt otherwise before.

    All photos of such accounts are looked through: there are few accounts of that kind, with few photos each.
    """
    derived = [photo for photo in photos if _DERIVED.fullmatch(photo.photo_id)]
    accounts, stored = schema.accounts.c, schema.photos.c
    respelt: dict[int, str] = {}
    for chunk in chunks({photo.account for photo in derived}):
        named = select(accounts.id, accounts.account).where(accounts.account.in_(chunk), accounts.former.is_not(None))
        respelt |= {row: account for row, account in session.sql.execute(named)}  # noqa: C416 -- rows are not pairs
    if not respelt:
        return {}
    known: dict[tuple[str, str], str] = {}
    for rows in chunks(respelt):
        query = select(stored.account_id, stored.path, stored.photo_id).where(stored.account_id.in_(rows))
        query = query.order_by(stored.id)
        for row, path, photo_id in session.sql.execute(query):
            if _DERIVED.fullmatch(photo_id):
                known.setdefault((respelt[row], path), photo_id)
    found = ((photo.photo_id, known.get((photo.account, str(photo.path)))) for photo in derived)
    return {photo_id: before for photo_id, before in found if before is not None}


def former_spellings(session: Session, account: str) -> list[str]:
    """How an account's id was spelt before, if it was."""
    query = select(schema.accounts.c.former).where(schema.accounts.c.account == account)
    return session.sql.scalar(query) or []


def teach_spelling(connection: sqlite3.Connection) -> None:
    """Let the statements of :mod:`imgmatch.catalog.steps` spell accounts; nothing else calls these functions."""
    for name, function in (("account_id", _spelt), ("account_ids", _all_spelt), ("account_look", _look)):
        connection.create_function(f"imgmatch_{name}", 1, function, deterministic=True)


def _spelt(content: bytes | None) -> str | None:
    """Text comes as bytes: what is not UTF-8 is damage, and stays as it is."""
    try:
        return None if content is None else account_id(content.decode())
    except UnicodeDecodeError:
        return None


def _all_spelt(content: bytes | None) -> str | None:
    try:
        accounts = json.loads(content or b"")
        return json.dumps(list(dict.fromkeys(map(account_id, accounts))))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def _look(content: bytes | None) -> int | None:
    spelt = _spelt(content)
    return None if spelt is None else account_look_hash(spelt)
