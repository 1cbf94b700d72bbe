"""Who may do what through the page and the API, and the log of what was done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Scope(StrEnum):
    """What somebody may do; a token has some of these."""

    READ = "read"
    """See accounts, rings, pictures and decisions."""
    CHECK = "check"
    """Ask about photos."""
    DECIDE = "decide"
    """Decide on rings, and undo."""
    WRITE = "write"
    """Add, remove and erase photos."""
    ADMIN = "admin"
    """Read the log of what was done, and what people have decided."""


class Role(StrEnum):
    """What a person may do."""

    VIEWER = "viewer"
    MODERATOR = "moderator"
    ADMIN = "admin"

    @property
    def scopes(self) -> frozenset[Scope]:
        """What that comes to."""
        seeing = {Scope.READ, Scope.CHECK}
        of_role = {Role.VIEWER: seeing, Role.MODERATOR: seeing | {Scope.DECIDE}, Role.ADMIN: set(Scope)}
        return frozenset(of_role[self])


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may use the page.

    Attributes:
        name: as decisions are signed.
        role: what he or she may do.
        added_at: when, in UTC.
        has_password: without one only a trusted proxy can let him or her in.
    """

    name: str
    role: Role
    added_at: datetime
    has_password: bool


@dataclass(frozen=True, slots=True)
class ApiToken:
    """What a program calls the API with.

    Attributes:
        name: as what it does is signed.
        scopes: what it may do, in order.
        added_at: when, in UTC.
        expires_at: when it ends, in UTC.
        secret: what the program sends; known only when the token is made, and ``None`` later.
    """

    name: str
    scopes: tuple[Scope, ...]
    added_at: datetime
    expires_at: datetime
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that was done.

    Attributes:
        number: rising.
        at: when, in UTC.
        actor: who: a user, a token, or whoever signed on the command line; empty where nobody did.
        action: such as ``login`` or ``decide``.
        subject: such as ``decision 12`` or the id of a ring; never an account or a photo.
        digest: 64 hexadecimal digits of a SHA-256 over this entry and the digest before it.
    """

    number: int
    at: datetime
    actor: str
    action: str
    subject: str | None
    digest: str


@dataclass(frozen=True, slots=True)
class AuditProof:
    """Whether the log is whole.

    Attributes:
        entries: how many there are.
        broken_at: the number of the first that does not follow from those before; ``None`` where all do.
        head: the digest of the last, empty where there is none; noted elsewhere, it shows later whether any is gone.
        holds_head: whether the digest that was asked about is in the log; ``None`` where none was.
    """

    entries: int
    broken_at: int | None
    head: str
    holds_head: bool | None = None

    @property
    def is_whole(self) -> bool:
        """Nothing was changed, and nothing that was asked about cut off."""
        return self.broken_at is None and self.holds_head is not False
