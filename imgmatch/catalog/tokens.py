"""Random tokens by which the files of an index are known to belong to its catalog, in the state that it is in.

The catalog has one of its own, made with it. Of each kind of engine file it keeps that of the last one that was
published: a catalog that was put back from an older copy has an older one, and gives row ids a second time that newer
engine files hold already.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, TypeGuard

from sqlalchemy import delete, insert, select

from imgmatch.catalog import schema

if TYPE_CHECKING:
    from imgmatch.catalog.session import Session

TOKEN_BYTES = 16

OWN = "catalog"
"""The kind of the catalog's own token; others are called by the table whose rows an engine file holds."""

_FORM = re.compile(r"[0-9a-f]{32}")


def new_token() -> str:
    """32 hexadecimal digits, random."""
    return secrets.token_hex(TOKEN_BYTES)


def is_token(value: object) -> TypeGuard[str]:
    """Whether it has the form of one."""
    return isinstance(value, str) and _FORM.fullmatch(value) is not None


def own_token(session: Session) -> str | None:
    """The catalog's own; ``None`` where it is lost."""
    token, _ = _kept(session, OWN)
    return token


def make_own_token(session: Session) -> str:
    """The catalog's own, made if there is none."""
    token = own_token(session)
    if token is None:
        token = new_token()
        _keep(session, OWN, token, None)
    return token


def publications(session: Session, kind: str) -> set[str]:
    """The tokens that an engine file of this kind may have.

    That is the last one and, where a publication is under way or was killed, the one to come: whether the header names
    the new file already, the catalog cannot know. It holds all that either was made of. Empty before the first.
    """
    return {token for token in _kept(session, kind) if token is not None}


def announce_publication(session: Session, kind: str, coming: str, held: str | None) -> None:
    """Note the token of an engine file that the header will name next; ``held`` is that of the one it names now."""
    last, pending = _kept(session, kind)
    _keep(session, kind, held if held is not None and held == pending else last, coming)


def confirm_publication(session: Session, kind: str, token: str) -> None:
    """Note that the header names the engine file with this token, and no other counts any more."""
    _keep(session, kind, token, None)


def _kept(session: Session, kind: str) -> tuple[str | None, str | None]:
    table = schema.tokens.c
    row = session.sql.execute(select(table.token, table.pending).where(table.kind == kind)).first()
    token, pending = (None, None) if row is None else row
    return token if is_token(token) else None, pending if is_token(pending) else None


def _keep(session: Session, kind: str, token: str | None, pending: str | None) -> None:
    session.sql.execute(delete(schema.tokens).where(schema.tokens.c.kind == kind))
    session.sql.execute(insert(schema.tokens).values(kind=kind, token=token, pending=pending))
