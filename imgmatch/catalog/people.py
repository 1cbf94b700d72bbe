"""Who may use the page and the API. Of what lets somebody in only digests are kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, insert, or_, select, update

from imgmatch.catalog import schema
from imgmatch.catalog.times import from_microseconds, now
from imgmatch.model import ApiToken, Role, Scope, User

if TYPE_CHECKING:
    from collections.abc import Collection

    from imgmatch.catalog.session import Session


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user, and how argon2 has written the password; ``None`` where there is none."""

    id: int
    user: User
    password: str | None


def digest_of(secret: str) -> bytes:
    """What is kept of a secret of 256 random bits: 32 bytes, from which it cannot be told."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def has_people(session: Session) -> bool:
    """Whether anybody has to log in at all: there is a user or a token."""
    found = or_(exists(select(schema.users.c.id)), exists(select(schema.api_tokens.c.id)))
    return bool(session.sql.scalar(select(found)))


def add_user(session: Session, name: str, role: Role, password: str | None) -> bool:
    """Add a user; tells whether the name was free."""
    table = schema.users
    if session.sql.scalar(select(table.c.id).where(table.c.name == name)) is not None:
        return False
    session.sql.execute(insert(table).values(name=name, role=str(role), password=password, added_at=now()))
    return True


def change_user(session: Session, name: str, **values: str | None) -> bool:
    """Change ``role`` or ``password`` and end what sessions there are; tells whether there is such a user."""
    table = schema.users
    row = session.sql.scalar(select(table.c.id).where(table.c.name == name))
    if row is None:
        return False
    session.sql.execute(update(table).where(table.c.id == row).values(**values))
    session.sql.execute(delete(schema.logins).where(schema.logins.c.user_id == row))
    return True


def remove_user(session: Session, name: str) -> bool:
    """Remove a user with all sessions; tells whether there was one."""
    return bool(session.sql.execute(delete(schema.users).where(schema.users.c.name == name)).rowcount)


def read_user(session: Session, name: str) -> UserRow | None:
    """The user of that name."""
    row = session.sql.execute(_USERS.where(schema.users.c.name == name)).first()
    return None if row is None else _user(*row)


def read_users(session: Session) -> list[User]:
    """Every user, by name."""
    return [_user(*row).user for row in session.sql.execute(_USERS.order_by(schema.users.c.name))]


_USERS = select(
    schema.users.c.id, schema.users.c.name, schema.users.c.role, schema.users.c.added_at, schema.users.c.password
)


def _user(row: int, name: str, role: str, added_at: int, password: str | None) -> UserRow:
    return UserRow(row, User(name, Role(role), from_microseconds(added_at), password is not None), password)


def begin_login(session: Session, user: UserRow, secret: str, expires_at: int) -> None:
    """Let who holds the secret in as this user until then, in microseconds since 1970, UTC."""
    table = schema.logins
    session.sql.execute(delete(table).where(table.c.expires_at <= now()))
    values = {"digest": digest_of(secret), "user_id": user.id, "began_at": now(), "expires_at": expires_at}
    session.sql.execute(insert(table).values(**values))


def login_user(session: Session, secret: str) -> User | None:
    """Whose session that is, if it has not ended."""
    table = schema.logins.c
    query = _USERS.join(schema.logins, table.user_id == schema.users.c.id)
    row = session.sql.execute(query.where(table.digest == digest_of(secret), table.expires_at > now())).first()
    return None if row is None else _user(*row).user


def end_login(session: Session, secret: str) -> None:
    """Let nobody in by it any more."""
    session.sql.execute(delete(schema.logins).where(schema.logins.c.digest == digest_of(secret)))


def add_token(session: Session, name: str, secret: str, scopes: Collection[Scope], expires_at: int) -> bool:
    """Let who holds the secret call the API until then, in microseconds; tells whether the name was free."""
    table = schema.api_tokens
    if session.sql.scalar(select(table.c.id).where(table.c.name == name)) is not None:
        return False
    values = {"name": name, "digest": digest_of(secret), "scopes": sorted(map(str, scopes))}
    session.sql.execute(insert(table).values(**values, added_at=now(), expires_at=expires_at))
    return True


def remove_token(session: Session, name: str) -> bool:
    """Revoke it; tells whether there was one."""
    return bool(session.sql.execute(delete(schema.api_tokens).where(schema.api_tokens.c.name == name)).rowcount)


def read_tokens(session: Session) -> list[ApiToken]:
    """Every token, by name, those that have ended too."""
    return [_token(*row) for row in session.sql.execute(_TOKENS.order_by(schema.api_tokens.c.name))]


def token_of(session: Session, secret: str) -> ApiToken | None:
    """The token with that secret, if it has not ended."""
    table = schema.api_tokens.c
    query = _TOKENS.where(table.digest == digest_of(secret), table.expires_at > now())
    row = session.sql.execute(query).first()
    return None if row is None else _token(*row)


_TOKENS = select(*(schema.api_tokens.c[name] for name in ("name", "scopes", "added_at", "expires_at")))


def _token(name: str, scopes: list[str], added_at: int, expires_at: int) -> ApiToken:
    return ApiToken(name, tuple(map(Scope, scopes)), from_microseconds(added_at), from_microseconds(expires_at))


def note_failed_login(session: Session, keys: Collection[bytes], since: int) -> list[int]:
    """Note that a login has failed, under each of these digests; what is older than ``since`` is dropped.

    Returns:
        the rows that say so.
    """
    table = schema.failed_logins
    session.sql.execute(delete(table).where(table.c.failed_at < since))
    rows = [{"key": key, "failed_at": now()} for key in keys]
    return list(session.sql.scalars(insert(table).returning(table.c.id), rows))


def failed_logins(session: Session, key: bytes, since: int) -> int:
    """How many have failed under this digest since then, in microseconds."""
    table = schema.failed_logins.c
    counted = select(func.count()).select_from(schema.failed_logins).where(table.key == key, table.failed_at >= since)
    return session.sql.scalar(counted) or 0


def forget_failed_logins(session: Session, key: bytes | None = None, rows: Collection[int] = ()) -> None:
    """Forget what is noted under this digest, and in these rows; or, without one, all of it."""
    table = schema.failed_logins
    named = (table.c.key == key) | table.c.id.in_(rows)
    session.sql.execute(delete(table) if key is None else delete(table).where(named))
