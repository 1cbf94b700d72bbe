"""Hearing from PostgreSQL, on a connection of its own, that rows which are searched were added.

Triggers say so (``NOTIFY``) when the transaction of whoever wrote them is committed. A notice may come after a question
that is to see these rows, or never: poolers that hand a connection on after each transaction (PgBouncer) drop it, a
standby gives none, and a connection may be lost. So nobody may count on them: each question looks for itself, and a
notice has that be done before there is one.
"""

from __future__ import annotations

import logging
import secrets
import select
import socket
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from psycopg import Error

from imgmatch.catalog.postgresql_triggers import CHANNEL
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg import Connection

LISTENING = "imgmatch listening"
"""What the server's list of activities calls such a connection."""

_NAMED = "SELECT set_config('application_name', %s, false), current_schema()"

_HEARD_WITHIN = 10.0
"""Seconds in which a connection must hear what is said on another one."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0
"""Seconds until it is tried again: doubled each time."""

_APART = 0.5
"""Seconds between two calls: a scan writes a batch every few seconds, many scans at once more often."""

_CLOSING = 5.0
"""Seconds to wait for the end of what is under way."""

_LOGGER = logging.getLogger(__name__)


class _DeafError(ImgmatchError):
    """The connection is there, but nothing that is said comes through."""


class Notices:
    """Calls ``heard``, in a thread of its own, soon after rows were added, until it is closed."""

    def __init__(
        self, name: str, connect: Callable[[], Connection[Any]], say: Callable[[str], None], heard: Callable[[], None]
    ) -> None:
        """Begin.

        Args:
            name: what the log calls the index.
            connect: opens a connection that is for this alone, and outside of transactions.
            say: says something on the channel, on another connection, at once.
            heard: what is called; also once at the beginning, and after each time when nothing could be heard.
        """
        self._name, self._connect, self._say, self._heard = name, connect, say, heard
        self._ended = threading.Event()
        self._waking, self._woken = socket.socketpair()
        self._is_deaf = False
        self._thread = threading.Thread(target=self._run, name="imgmatch notices", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hear nothing more."""
        self._ended.set()
        with suppress(OSError):
            self._waking.send(b"x")
        self._thread.join(_CLOSING)
        self._waking.close()

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        with self._woken:
            while not self._ended.is_set():
                began = time.monotonic()
                try:
                    with closing(self._connect()) as connection:
                        self._listen(connection)
                except (Error, ImgmatchError, OSError) as error:
                    self._lost(error)
                    pause = _FIRST_PAUSE if time.monotonic() - began > _LONGEST_PAUSE else pause
                    self._ended.wait(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)

    def _listen(self, connection: Connection[Any]) -> None:
        """Until it is closed; errors of the connection are raised."""
        row = connection.execute(_NAMED, (LISTENING,)).fetchone()
        schema = None if row is None else row[1]
        connection.execute(f"LISTEN {CHANNEL}")
        self._ensure_hearing(connection)
        if self._is_deaf:
            _LOGGER.info("index %s: notices of what is new are heard again", self._name)
        self._is_deaf = False
        self._heard()
        for said in self._said(connection, None):
            if said == schema:
                self._heard()
                self._ended.wait(_APART)

    def _ensure_hearing(self, connection: Connection[Any]) -> None:
        """See that what is said on another connection is heard on this one while it is idle.

        Raises:
            _DeafError: it is not.
        """
        token = secrets.token_hex(16)
        self._say(token)
        if token not in self._said(connection, _HEARD_WITHIN) and not self._ended.is_set():
            raise _DeafError("what is said on one connection is not heard on another: is there a pooler between?")

    def _said(self, connection: Connection[Any], seconds: float | None) -> Iterator[str]:
        """What is said on the channel, once each of what has come at the same time, until the end; or for so long."""
        until = None if seconds is None else time.monotonic() + seconds
        driver = connection.pgconn
        while not self._ended.is_set():
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                return
            ready, _, _ = select.select([driver.socket, self._woken.fileno()], [], [], left)
            if driver.socket not in ready:
                continue
            driver.consume_input()
            found: dict[str, None] = {}
            while (notice := driver.notifies()) is not None:
                found[notice.extra.decode(errors="replace")] = None
            yield from found

    def _lost(self, error: Exception) -> None:
        """Say so once, however often it is tried again."""
        said = " ".join(str(error).split()) or type(error).__name__
        level = logging.DEBUG if self._is_deaf else logging.WARNING
        _LOGGER.log(level, "index %s: no notices of what is new (%s): each question looks for itself", self._name, said)
        self._is_deaf = True
