"""How the page and the API behave: what ``imgmatch serve`` was told, handed on to every server process."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

ENVIRONMENT = "IMGMATCH_SERVE"
"""Where the server processes find their settings, as JSON; secrets are not among them."""

WEBHOOK_SECRET = "IMGMATCH_WEBHOOK_SECRET"  # noqa: S105 -- the name of the variable
"""By what calls of the webhook are signed."""

REASONS = (
    "confirm: same script in the chats",
    "confirm: reported by a victim",
    "dismiss: photos of one person, rightly there",
    "dismiss: no copies",
    "common: celebrity or meme",
    "common: default picture of a platform",
)
"""What a moderator may choose as a reason, unless the house has its own list; one without a verdict fits all."""

BLURS = ("grey", "blur", "none")
"""How pictures are covered until somebody asks for them: blurred and grey, blurred alone, not at all."""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """See above.

    Attributes:
        index: the folder.
        workers: processes that decode photos, of each server process.
        local: bound to this machine alone.
        is_open: it is also not behind a proxy, and nobody was named when it was started: whoever is on this machine may
            do everything, until somebody is named.
        uploads: folder for photos that were asked about.
        upload_hours: how long they stay.
        upload_bytes: size of one request.
        most_photos: photos in one request.
        most_waiting: checks that may be under way or wait at once; more are sent away.
        checks_a_minute: how often one caller may ask about photos; ``None`` is as often as it likes.
        photos: folder for photos that programs add; without one only what is computed from them is kept.
        blur: see :data:`BLURS`.
        reasons: to choose from, each behind the verdict it is for and a colon, or for all.
        require_reason: verdicts for which one must be given.
        webhook: URL that is told of decisions.
        hosts: names this server goes by; others are refused where there are any.
        user_header: header in which a trusted proxy names the user.
        proxies: addresses of trusted proxies, or networks of them.
        log_json: every request is a line of the log.
    """

    index: str
    workers: int = 1
    local: bool = True
    is_open: bool = True
    uploads: str = ""
    upload_hours: float = 8.0
    upload_bytes: int = 64 << 20
    most_photos: int = 32
    most_waiting: int = 64
    checks_a_minute: int | None = None
    photos: str | None = None
    blur: str = "grey"
    reasons: tuple[str, ...] = REASONS
    require_reason: tuple[str, ...] = ()
    webhook: str | None = None
    hosts: tuple[str, ...] = ()
    user_header: str | None = None
    proxies: tuple[str, ...] = ()
    log_json: bool = False

    @classmethod
    def from_environment(cls) -> ServeSettings:
        """What :meth:`to_environment` has left."""
        found: dict[str, Any] = json.loads(os.environ[ENVIRONMENT])
        given: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in found.items()}
        return cls(**given)

    def to_environment(self) -> None:
        """Leave them for the server processes."""
        os.environ[ENVIRONMENT] = json.dumps(asdict(self))

    @property
    def photos_path(self) -> Path | None:
        """Where files of photos are kept that programs add, if they are."""
        return None if self.photos is None else Path(self.photos).absolute()

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The addresses of trusted proxies."""
        return tuple(map(ip_network, self.proxies))

    @property
    def index_path(self) -> Path:
        """The folder of the index."""
        return Path(self.index)
