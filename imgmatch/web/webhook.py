"""The webhook: a platform is told of each decision, signed, until it has taken it; if wanted, of what runs find, too.

A call is a POST with JSON. ``X-Imgmatch-Signature`` holds ``t=SECONDS,v1=DIGEST``: the time it was sent, in seconds
since 1970, and the HMAC-SHA256 of that time, a dot and the body, under the shared secret, in hexadecimal digits. Who
takes it answers with a status of 2xx.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

import httpx

from imgmatch.errors import NotFoundError
from imgmatch.formats.records import decision_record, ring_record
from imgmatch.model import DecisionKind
from imgmatch.web.deliveries import Carried
from imgmatch.web.pages.ring import possible_owner
from imgmatch.web.posting import Answer, post
from imgmatch.web.settings import webhook_secret

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from imgmatch import Index
    from imgmatch.actions.ring_reports import Finding
    from imgmatch.catalog.deliveries import Delivery
    from imgmatch.catalog.reported import DueReport

SINK = "webhook"


class Decisions:
    """Tells a platform of decisions."""

    name = "webhook"

    def __init__(self, index: Index, url: str) -> None:
        """``url`` is where the platform listens.

        Raises:
            ImgmatchError: there is no secret to sign with.
        """
        self._index = index
        self._outbox = index.outbox
        self._line = _Line(url)

    def begin(self) -> None:
        """See :class:`~imgmatch.web.deliveries.Channel`."""
        self._outbox.begin()

    def turn(self) -> AbstractContextManager[bool]:
        """Likewise."""
        return self._outbox.turn()

    def due(self) -> list[Delivery]:
        """Likewise."""
        return self._outbox.due()

    def carry(self, one: Delivery) -> Carried:
        """Likewise."""
        answer = self._line.told(told(self._index, one.decision))
        delivered = _is_taken(answer)
        self._outbox.note(one, answer.text, delivered=delivered)
        return Carried(f"decision {one.decision}", answer.text, is_good=delivered)


class FoundRings:
    """Tells it of rings that a run has found."""

    name = "webhook"

    def __init__(self, index: Index, url: str) -> None:
        """As of :class:`Decisions`."""
        self._reports = index.outbox.reports(SINK, confirmed=False, found=True)
        self._line = _Line(url)

    def begin(self) -> None:
        """See :class:`~imgmatch.web.deliveries.Channel`."""
        self._reports.begin()

    def turn(self) -> AbstractContextManager[bool]:
        """Likewise."""
        return self._reports.turn()

    def due(self) -> list[DueReport]:
        """Likewise."""
        return self._reports.due()

    def carry(self, one: DueReport) -> Carried:
        """Likewise."""
        finding = self._reports.finding(one)
        if isinstance(finding, str):
            self._reports.skip(one, finding)
            return Carried(one.subject, finding)
        answer = self._line.told(told_ring(finding))
        delivered = _is_taken(answer)
        self._reports.note(one, finding, answer.text, delivered=delivered)
        return Carried(one.subject, answer.text, is_good=delivered)


class _Line:
    """To the platform, signed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._secret = webhook_secret()

    def told(self, what: dict[str, Any]) -> Answer:
        body = json.dumps(what).encode()
        return post(self._url, body, {"X-Imgmatch-Signature": signature(self._secret, body)})


def _is_taken(answer: Answer) -> bool:
    return answer.status is not None and httpx.codes.is_success(answer.status)


def told(index: Index, decision: int) -> dict[str, Any]:
    """What a platform is told: the decision, its accounts, and the ring with its evidence as it is now.

    Of a decision that takes another back, what that one was about.
    """
    made, accounts = index.reviews.decision(decision)
    about = made
    if made.kind is DecisionKind.DECISION and made.subject is not None:  # what is taken back
        about, _ = index.reviews.decision(int(made.subject))
    ring = owner = None
    if about.kind is DecisionKind.RING and about.subject is not None:
        try:
            found = index.ring(about.subject)
            ring, owner = ring_record(found), possible_owner(found)
        except NotFoundError:
            ring = None  # such as one that was dismissed
    return {
        "event": f"{about.kind}.{made.verdict}",
        "decision": decision_record(made),
        "accounts": list(accounts),
        "possible_owner": owner,
        "ring": ring,
    }


def told_ring(finding: Finding) -> dict[str, Any]:
    """The same of a ring that a run has found: there is no decision to it."""
    ring = finding.ring
    return {
        "event": "ring.new" if finding.before is None else "ring.grown",
        "decision": None,
        "accounts": sorted(member.account for member in ring.accounts),
        "possible_owner": possible_owner(ring),
        "ring": ring_record(ring),
    }


def signature(secret: str, body: bytes, at: int | None = None) -> str:
    """What ``X-Imgmatch-Signature`` holds."""
    seconds = int(time.time()) if at is None else at
    signed = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={signed}"
