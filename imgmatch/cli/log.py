"""What is said on standard error: plain sentences for a person, or with ``--log-json`` one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import click

from imgmatch.formats.text import clean

_LOGGER = logging.getLogger("imgmatch")
_FIELDS = "imgmatch_fields"
_BUG = "this is a bug in imgmatch; please report the lines above"


class _JsonFormatter(logging.Formatter):
    """A record as one line: time, level, message, and what else is known."""

    def format(self, record: logging.LogRecord) -> str:
        """ASCII only, so that no terminal and no shipper of logs stumbles over a name."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": moment, "level": record.levelname.lower(), "message": record.getMessage()}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line | getattr(record, _FIELDS, {}), default=str)


class _Lines(logging.Handler):
    """Records of the library as lines for a person; a traceback may hold a stranger's text."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write them to where standard error is now: a display of progress may stand before it."""
        for line in self.format(record).splitlines():
            click.echo(clean(line), err=True)


def log_json() -> None:
    """From now on write JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter())
    _use(handler, logging.INFO)


def log_lines() -> None:
    """From now on write sentences, and what the library logs as lines beside them."""
    _use(_Lines(), logging.WARNING)


def _use(handler: logging.Handler, level: int) -> None:
    _LOGGER.handlers[:] = [handler]
    _LOGGER.setLevel(level)
    _LOGGER.propagate = False


def is_json() -> bool:
    """Whether JSON lines are written."""
    return any(isinstance(handler.formatter, _JsonFormatter) for handler in _LOGGER.handlers)


def is_set() -> bool:
    """Whether anything is written at all."""
    return bool(_LOGGER.handlers)


def plain() -> None:
    """From now on write sentences, and leave what the library logs to whoever wants it, as at first."""
    _LOGGER.handlers[:] = []
    _LOGGER.setLevel(logging.NOTSET)
    _LOGGER.propagate = True


def say(message: str, *, level: int = logging.INFO, **fields: Any) -> None:  # noqa: ANN401 -- whatever JSON can hold
    """Say something; ``fields`` are for programs and are left out of a sentence."""
    if is_json():
        _LOGGER.log(level, "%s", message, extra={_FIELDS: fields})
    else:
        click.echo(clean(message), err=True)


def event(message: str, **fields: Any) -> None:  # noqa: ANN401 -- whatever JSON can hold
    """Tell programs what a person sees otherwise, or need not see."""
    if is_json():
        say(message, **fields)


def ask_for_report() -> None:
    """Ask for a report of a bug, of which a traceback was written."""
    say(_BUG if is_json() else f"imgmatch: {_BUG}", level=logging.ERROR)
