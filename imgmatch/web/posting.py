"""One POST to somebody else's server: no redirect is followed, and it takes as long and as much as is allowed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT = 10.0
"""Seconds for all of it."""

_LONGEST_REASON = 200
_JSON = {"Content-Type": "application/json", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: of HTTP; ``None`` where nothing came, or nothing that is HTTP.
        text: the status, or in words what kept it from coming.
        head: the first bytes of what came with it, as many as were asked for and came in time.
    """

    status: int | None
    text: str
    head: bytes = b""


def post(url: str, body: bytes, headers: Mapping[str, str], most: int = 0) -> Answer:
    """Send JSON.

    Args:
        url: where to.
        body: the JSON.
        headers: beside those that say that it is JSON.
        most: bytes that are read of what comes with the status.
    """
    try:
        return asyncio.run(_sent(url, body, {**_JSON, **headers}, most))
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
        # A server that breaks the protocol may have sent back what it was sent: that is in the message.
        said = "" if isinstance(error, httpx.ProtocolError) else str(error)
        return Answer(None, f"{type(error).__name__}: {said}".removesuffix(": ")[:_LONGEST_REASON])


async def _sent(url: str, body: bytes, headers: Mapping[str, str], most: int) -> Answer:
    """The status stands once it has come, whatever becomes of the rest."""
    status, head = None, b""
    try:
        async with (
            asyncio.timeout(_TIMEOUT),
            httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False) as client,
            client.stream("POST", url, content=body, headers=headers) as response,
        ):
            status = response.status_code
            chunks = response.aiter_raw()
            while len(head) < most and (chunk := await anext(chunks, b"")):
                head += chunk[: most - len(head)]
    except (httpx.HTTPError, TimeoutError, OSError):
        if status is None:
            raise
    return Answer(status, str(status), head)
