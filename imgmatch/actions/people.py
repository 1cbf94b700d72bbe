"""Who may use the page and the API: users with passwords, tokens for programs, and the log of what was done."""

from __future__ import annotations

import secrets
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from imgmatch.catalog import people as rows
from imgmatch.catalog.audit import append_audit, prove_audit, read_audit
from imgmatch.catalog.times import now, to_microseconds
from imgmatch.cores import usable_cores
from imgmatch.errors import ConflictError, MissingExtraError, NotFoundError, TooManyTriesError
from imgmatch.model import ApiToken, Role, Scope, User

if TYPE_CHECKING:
    from collections.abc import Collection

    from argon2 import PasswordHasher

    from imgmatch.catalog.session import Session
    from imgmatch.engines.parts import Parts
    from imgmatch.model import AuditEntry, AuditProof

LOGIN_HOURS = 12
"""A login ends after so long: a shift."""

LEAST_PASSWORD = 10
"""Characters of a password."""

MOST_PASSWORD = 1_000
"""Likewise: hashing a megabyte would be work for nothing."""

MOST_NAME = 100

TOKEN_PREFIX = "imgmatch_"  # noqa: S105 -- by which scanners of secrets know one
TOKEN_DAYS = 90

MOST_FAILURES, MOST_FAILURES_OF_ADDRESS, MOST_FAILURES_OF_NAME = 5, 50, 100
"""Logins that may fail under one name from one address, from one address, and under one name, before others have to
wait: whoever guesses at a name must not lock its owner out."""

FAILURE_MINUTES = 15

_HASHING = threading.BoundedSemaphore(usable_cores())
"""Each password that is looked at takes 64 MiB for a while: whoever sends many must not take all memory."""

_HASHING_SECONDS = 5.0
_WORN_OUT = "too many logins have failed; try again later"


class People:
    """Users, tokens and the log of one index; ``Index.people`` has it."""

    def __init__(self, parts: Parts) -> None:
        """Those of the index that is made of these parts."""
        self._parts = parts

    def add_user(self, name: str, role: Role, password: str | None, *, by: str = "") -> User:
        """Let somebody use the page.

        Args:
            name: as decisions will be signed.
            role: what he or she may do.
            password: without one only a trusted proxy can let him or her in.
            by: who adds the user.

        Raises:
            ConflictError: there is such a user already.
            MissingExtraError: what hashes passwords is not installed.
            ValueError: the name or the password cannot be one.
        """
        _refuse_bad_name(name)
        written = None if password is None else hash_password(password)
        with self._parts.catalog.write() as session:
            if not rows.add_user(session, name, role, written):
                raise ConflictError(f"there is a user {name!r} already")
            append_audit(session, by, "add user", name)
            return _known_user(session, name)

    def change_user(self, name: str, *, role: Role | None = None, password: str | None = None, by: str = "") -> User:
        """Give somebody another role or password; whoever is logged in under the name has to log in again.

        Raises:
            NotFoundError: there is no such user.
            MissingExtraError: what hashes passwords is not installed.
            ValueError: the password cannot be one.
        """
        values: dict[str, str | None] = {} if role is None else {"role": str(role)}
        values |= {} if password is None else {"password": hash_password(password)}
        with self._parts.catalog.write() as session:
            if not rows.change_user(session, name, **values):
                raise NotFoundError(f"there is no user {name!r}")
            rows.forget_failed_logins(session)  # of which are the name's own cannot be told from their digests
            append_audit(session, by, "change user", name)
            return _known_user(session, name)

    def remove_user(self, name: str, *, by: str = "") -> None:
        """Let somebody use the page no more; what he or she has decided stays.

        Raises:
            NotFoundError: there is no such user.
        """
        with self._parts.catalog.write() as session:
            if not rows.remove_user(session, name):
                raise NotFoundError(f"there is no user {name!r}")
            append_audit(session, by, "remove user", name)

    def users(self) -> list[User]:
        """Every user, by name."""
        with self._parts.catalog.read() as session:
            return rows.read_users(session)

    def user(self, name: str) -> User | None:
        """The user of that name."""
        with self._parts.catalog.read() as session:
            found = rows.read_user(session, name)
        return None if found is None else found.user

    def has_people(self) -> bool:
        """Whether there is a user or a token at all."""
        with self._parts.catalog.read() as session:
            return rows.has_people(session)

    def add_token(self, name: str, scopes: Collection[Scope], *, days: float = TOKEN_DAYS, by: str = "") -> ApiToken:
        """Make a token for a program; its secret is told now and never again.

        Raises:
            ConflictError: there is a token of that name already.
            ValueError: the name cannot be one, or it has no scope, or would end before it begins.
        """
        _refuse_bad_name(name)
        if not scopes or days <= 0:
            raise ValueError("a token needs a scope and some time")
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        ends = datetime.now(UTC) + timedelta(days=days)
        with self._parts.catalog.write() as session:
            if not rows.add_token(session, name, secret, scopes, to_microseconds(ends)):
                raise ConflictError(f"there is a token {name!r} already")
            append_audit(session, by, "add token", name)
        return ApiToken(name, tuple(sorted(scopes)), datetime.now(UTC), ends, secret)

    def remove_token(self, name: str, *, by: str = "") -> None:
        """Revoke a token.

        Raises:
            NotFoundError: there is no such token.
        """
        with self._parts.catalog.write() as session:
            if not rows.remove_token(session, name):
                raise NotFoundError(f"there is no token {name!r}")
            append_audit(session, by, "revoke token", name)

    def tokens(self) -> list[ApiToken]:
        """Every token, by name, without the secrets."""
        with self._parts.catalog.read() as session:
            return rows.read_tokens(session)

    def token_of(self, secret: str) -> ApiToken | None:
        """The token with that secret, if it has not ended."""
        with self._parts.catalog.read() as session:
            return rows.token_of(session, secret)

    def log_in(self, name: str, password: str, address: str) -> tuple[User, str] | None:
        """Let somebody in; ``None`` where name and password do not belong together.

        Returns:
            the user, and the secret that the browser is to hold.

        Raises:
            TooManyTriesError: too many have failed under this name, from this address or both.
            MissingExtraError: what hashes passwords is not installed.
        """
        keys, since = _failure_keys(name, address), now() - FAILURE_MINUTES * 60_000_000
        most = (MOST_FAILURES, MOST_FAILURES_OF_ADDRESS, MOST_FAILURES_OF_NAME)
        # Counted as failed before it is looked at, so that who sends many at once is counted as well.
        with self._parts.catalog.write() as session:
            failed = [rows.failed_logins(session, key, since) for key in keys]
            if any(count >= limit for count, limit in zip(failed, most, strict=True)):
                raise TooManyTriesError(_WORN_OUT, retry_after=60 * FAILURE_MINUTES)
            noted = rows.note_failed_login(session, keys, since)
            found = rows.read_user(session, name)
        # One who is not there takes as long: who guesses names is told nothing.
        fits = _fits(None if found is None else found.password, password)
        with self._parts.catalog.write() as session:
            if found is None or not fits:
                # Of one who is not there the name is not written down: it may be a password.
                append_audit(session, "", "failed login", None if found is None else f"as {name}")
                return None
            secret = secrets.token_urlsafe(32)
            ends = datetime.now(UTC) + timedelta(hours=LOGIN_HOURS)
            rows.begin_login(session, found, secret, to_microseconds(ends))
            rows.forget_failed_logins(session, keys[0], noted)
            append_audit(session, name, "login")
        return found.user, secret

    def logged_in(self, secret: str) -> User | None:
        """Whose login that is, if it has not ended."""
        with self._parts.catalog.read() as session:
            return rows.login_user(session, secret)

    def log_out(self, secret: str) -> None:
        """End a login."""
        with self._parts.catalog.write() as session:
            found = rows.login_user(session, secret)
            rows.end_login(session, secret)
            if found is not None:
                append_audit(session, found.name, "logout")

    def note(self, actor: str, action: str, subject: str | None = None) -> None:
        """Note in the log what somebody did that writes nothing else, such as an export."""
        with self._parts.catalog.write() as session:
            append_audit(session, actor, action, subject)

    def audit(self, *, limit: int, before: int | None = None, action: str | None = None) -> list[AuditEntry]:
        """What was done, the latest first; see :func:`imgmatch.catalog.audit.read_audit`."""
        with self._parts.catalog.read() as session:
            return read_audit(session, before=before, limit=limit, action=action)

    def verify_audit(self, head: str | None = None) -> AuditProof:
        """Whether the log is whole; see :func:`imgmatch.catalog.audit.prove_audit`."""
        with self._parts.catalog.read() as session:
            return prove_audit(session, head)


def _failure_keys(name: str, address: str) -> list[bytes]:
    """What failures are counted under."""
    return [rows.digest_of(text) for text in (f"both {name}\n{address}", f"address {address}", f"name {name}")]


def hash_password(password: str) -> str:
    """A password as Argon2id writes it (RFC 9106), with a salt of its own.

    Raises:
        MissingExtraError: what hashes passwords is not installed.
        ValueError: it is too short or too long.
    """
    if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
        raise ValueError(f"a password has {LEAST_PASSWORD} to {MOST_PASSWORD:,} characters")
    return _hasher().hash(password)


def _fits(written: str | None, password: str) -> bool:
    hasher, hashed = _hasher(), written or _nobodys()
    from argon2.exceptions import Argon2Error, InvalidHashError  # noqa: PLC0415 -- an extra, which is there

    if not _HASHING.acquire(timeout=_HASHING_SECONDS):
        raise TooManyTriesError("too many log in at once; try again soon", retry_after=1)
    try:
        hasher.verify(hashed, password[:MOST_PASSWORD])
    except (Argon2Error, InvalidHashError):
        return False
    finally:
        _HASHING.release()
    return written is not None


_nobodys_hash: list[str] = []


def _nobodys() -> str:
    """A hash that no password fits, made once."""
    if not _nobodys_hash:
        _nobodys_hash.append(_hasher().hash(secrets.token_urlsafe(32)))
    return _nobodys_hash[0]


def _hasher() -> PasswordHasher:
    try:
        from argon2 import PasswordHasher  # noqa: PLC0415 -- an extra
    except ImportError:
        raise MissingExtraError('passwords need argon2-cffi: pip install "imgmatch[serve]"') from None
    return PasswordHasher()


def _refuse_bad_name(name: str) -> None:
    if not name or len(name) > MOST_NAME or name != name.strip() or not name.isprintable():
        raise ValueError(f"a name has 1 to {MOST_NAME} printable characters, and no blanks at its ends")


def _known_user(session: Session, name: str) -> User:
    found = rows.read_user(session, name)
    if found is None:  # it was written in this transaction
        raise NotFoundError(f"there is no user {name!r}")
    return found.user
