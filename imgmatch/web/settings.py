"""How the page and the API behave: what ``imgmatch serve`` was told, handed on to every server process."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from imgmatch.errors import ImgmatchError
from imgmatch.homes import Home, as_home

ENVIRONMENT = "IMGMATCH_SERVE"
"""Where the server processes find their settings, as JSON; secrets are not among them."""

WEBHOOK_SECRET = "IMGMATCH_WEBHOOK_SECRET"  # noqa: S105 -- the name of the variable
"""By what calls of the webhook are signed."""

COOP_KEY = "IMGMATCH_COOP_KEY"
"""The API key that rings are reported to Coop with."""

SINKS = ("coop", "webhook")
"""Who can be told of rings that a run has found."""

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
        coop_url: where Coop is that rings are reported to.
        coop_type: id of the item type that accounts have there.
        coop_name_field: field of that type for the display name.
        coop_policy: id of the policy that a report names.
        public_url: where people open these pages, for links in reports.
        report_new_rings: which of :data:`SINKS` are told of rings that a run has found, too.
        hosts: names this server goes by; others are refused where there are any.
        user_header: header in which a trusted proxy names the user.
        proxies: addresses of trusted proxies, or networks of them.
        log_json: every request is a line of the log.
        fetch_hosts: hosts that HMA clients may have photos fetched from, see ``web.hma.fetching``.
        allow_private: these may have addresses of this machine and of private networks.
        remember_minutes: so long a photo is remembered that an HMA client had hashed, so that a lookup of its hash
            finds crops as well; 0 is not at all.
        flood_hashes: an entry that more different hashes hit within an hour is put in quarantine.
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
    coop_url: str | None = None
    coop_type: str = ""
    coop_name_field: str | None = None
    coop_policy: str | None = None
    public_url: str | None = None
    report_new_rings: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    user_header: str | None = None
    proxies: tuple[str, ...] = ()
    log_json: bool = False
    fetch_hosts: tuple[str, ...] = ()
    allow_private: bool = False
    remember_minutes: float = 0.0
    flood_hashes: int = 1_000

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
    def index_path(self) -> Home:
        """The folder of the index, or the URL of its database."""
        return as_home(self.index)


def webhook_secret() -> str:
    """What calls of the webhook are signed with.

    Raises:
        ImgmatchError: there is none.
    """
    secret = os.environ.get(WEBHOOK_SECRET, "")
    if not secret:
        raise ImgmatchError(f"a webhook needs a secret to sign with, in the environment variable {WEBHOOK_SECRET}")
    return secret


def coop_key() -> str:
    """What Coop knows us by.

    Raises:
        ImgmatchError: there is none, or what is there is no key; it is not in the message.
    """
    key = os.environ.get(COOP_KEY, "")
    if not key:
        raise ImgmatchError(f"Coop needs an API key to report with, in the environment variable {COOP_KEY}")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ImgmatchError(f"what is in the environment variable {COOP_KEY} is no API key: it has blanks or the like")
    return key
