"""Trying again where trying again may help, within a time."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from imgmatch.errors import PhotoError
from imgmatch.model import SkipReason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_MEBIBYTE = 1 << 20
_LONGEST_WAIT = 10.0  # seconds; a server may ask for more, but others wait behind this photo

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """How photos are fetched.

    Attributes:
        allow_private: let http(s) URLs lead to private, loopback and link-local addresses.
        fetchers: photos fetched at once.
        file_bytes: the most a photo may have.
        manifest_bytes: the most a manifest may have.
        connect_seconds: until a connection stands, each time.
        total_seconds: for one photo, all tries together; also how long a manifest may stand still.
        manifest_seconds: for one manifest, or the listing of one folder of a bucket, all tries together.
        tries: how often at the most a photo is asked for.
        pause_seconds: before the second try; doubled before each further one.
        redirects: how many are followed.
    """

    allow_private: bool = False
    fetchers: int = 16
    file_bytes: int = 64 * _MEBIBYTE
    manifest_bytes: int = 4096 * _MEBIBYTE
    connect_seconds: float = 10.0
    total_seconds: float = 60.0
    manifest_seconds: float = 1800.0
    tries: int = 3
    pause_seconds: float = 0.5
    redirects: int = 5


class TransientError(Exception):
    """What may be otherwise at the next try.

    Attributes:
        detail: one sentence for a person.
        reason: why the photo is skipped if it never gets better.
        wait: seconds the server asks to wait.
    """

    def __init__(self, detail: str, reason: SkipReason = SkipReason.UNREADABLE, wait: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reason = reason
        self.wait = wait


async def retry(attempt: Callable[[], Awaitable[Result]], options: RemoteOptions, *, seconds: float | None) -> Result:
    """The result of ``attempt``, made again after a growing pause for as long as its errors are passing ones.

    Args:
        attempt: makes one try.
        options: how often, and how long to wait between.
        seconds: for all of it; ``None`` for any time.

    Raises:
        PhotoError: it was raised by a try, or no try was a success.
    """
    last: TransientError | None = None
    try:
        async with asyncio.timeout(seconds):
            for number in range(options.tries):
                if last is not None:
                    await asyncio.sleep(_pause(last, options.pause_seconds * 2 ** (number - 1)))
                try:
                    return await attempt()
                except TransientError as error:
                    last = error
    except TimeoutError:
        before = f"; before, {last.detail}" if last else ""
        raise PhotoError(SkipReason.TIMED_OUT, f"not here within {seconds:g} seconds{before}") from None
    detail = last.detail if last else "it was not asked for"
    raise PhotoError(last.reason if last else SkipReason.UNREADABLE, f"{detail} ({options.tries} tries)")


def _pause(error: TransientError, seconds: float) -> float:
    wished = seconds if error.wait is None else min(max(error.wait, 0.0), _LONGEST_WAIT)
    return wished * random.uniform(0.75, 1.25)  # noqa: S311 -- so that fetchers do not come back all at once
