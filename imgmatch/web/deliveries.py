"""The webhook: a platform is told of each decision, signed, until it has taken it.

A call is a POST with JSON. ``X-Imgmatch-Signature`` holds ``t=SECONDS,v1=DIGEST``: the time it was sent, in seconds
since 1970, and the HMAC-SHA256 of that time, a dot and the body, under the shared secret, in hexadecimal digits. Who
takes it answers with a status of 2xx.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import httpx

from imgmatch.errors import ImgmatchError, IndexUnusableError, NotFoundError
from imgmatch.formats.records import decision_record, ring_record
from imgmatch.model import DecisionKind
from imgmatch.web.pages.ring import possible_owner
from imgmatch.web.settings import WEBHOOK_SECRET

if TYPE_CHECKING:
    from types import TracebackType

    from imgmatch import Index

_LOGGER = logging.getLogger(__name__)
_PAUSE = 2.0
_TIMEOUT = 10.0
_LONGEST_ANSWER = 200


class Deliveries:
    """A thread that tells a platform of decisions while the server runs."""

    def __init__(self, index: Index, url: str | None) -> None:
        """``url`` is where the platform listens; without one nothing is done.

        Raises:
            ImgmatchError: there is no secret to sign with.
        """
        self._index = index
        self._url = url
        self._secret = os.environ.get(WEBHOOK_SECRET, "")
        if url is not None and not self._secret:
            raise ImgmatchError(f"a webhook needs a secret to sign with, in the environment variable {WEBHOOK_SECRET}")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="imgmatch-webhook", daemon=True)

    def __enter__(self) -> Self:
        if self._url is not None:
            self._index.outbox.begin()
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._url is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_PAUSE):
            try:
                self._tell()
            except IndexUnusableError as error:  # it may be usable again: a decision must not be lost
                _LOGGER.warning("the webhook waits: %s", error)
            except Exception:  # the thread must not end: nobody would be told any more
                _LOGGER.exception("the webhook failed")

    def _tell(self) -> None:
        outbox = self._index.outbox
        if not outbox.due():  # most of the time: a lease is written, and need not be
            return
        with outbox.turn() as ours:
            for delivery in outbox.due() if ours else ():
                if self._ended.is_set():
                    return
                answer, delivered = self._posted(delivery.decision)
                outbox.note(delivery, answer, delivered=delivered)
                level = logging.INFO if delivered else logging.WARNING
                _LOGGER.log(level, "webhook: decision %d: %s", delivery.decision, answer)

    def _posted(self, decision: int) -> tuple[str, bool]:
        body = json.dumps(told(self._index, decision)).encode()
        headers = {"Content-Type": "application/json", "X-Imgmatch-Signature": signature(self._secret, body)}
        try:
            status = asyncio.run(_sent(self._url or "", body, headers))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            return f"{type(error).__name__}: {error}"[:_LONGEST_ANSWER], False
        return str(status), httpx.codes.is_success(status)


async def _sent(url: str, body: bytes, headers: dict[str, str]) -> int:
    """The status that comes back within a time, all in all; of what comes with it nothing is read."""
    async with (
        asyncio.timeout(_TIMEOUT),
        httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False) as client,
        client.stream("POST", url, content=body, headers=headers) as response,
    ):
        return response.status_code


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


def signature(secret: str, body: bytes, at: int | None = None) -> str:
    """What ``X-Imgmatch-Signature`` holds."""
    seconds = int(time.time()) if at is None else at
    signed = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={signed}"
