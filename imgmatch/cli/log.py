"""What is said on standard error: plain sentences for a person, or with ``--log-json`` one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import click

from imgmatch import damage
from imgmatch.formats.text import clean

_LOGGER = logging.getLogger("imgmatch.cli")
_FIELDS = "imgmatch_fields"


class _JsonFormatter(logging.Formatter):
    """A record as one line: time, level, message, and what else is known."""

    def format(self, record: logging.LogRecord) -> str:
        """ASCII only, so that no terminal and no shipper of logs stumbles over a name."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": moment, "level": record.levelname.lower(), "message": record.getMessage()}
        return json.dumps(line | getattr(record, _FIELDS, {}), default=str)


def log_json() -> None:
    """From now on write JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter())
    for logger in (_LOGGER, damage.LOGGER):
        logger.handlers[:] = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False


def is_json() -> bool:
    """Whether JSON lines are written."""
    return any(isinstance(handler.formatter, _JsonFormatter) for handler in _LOGGER.handlers)


def plain() -> None:
    """From now on write sentences, as at first."""
    for logger in (_LOGGER, damage.LOGGER):
        logger.handlers[:] = []
        logger.propagate = True


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
