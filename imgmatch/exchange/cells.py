"""What stands in the cells of CSV, there and back: text, tags, opinions, times, yes and no.

A spreadsheet runs text that begins as a formula does. Such text gets an apostrophe before it, and so does text that
would be taken for one that has it; reading takes it off again, so that what is read is what was written.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from imgmatch.errors import PhotoError
from imgmatch.exchange.entries import MOST_SAID, kept, kept_tags, started
from imgmatch.sources.moments import seen_moment

if TYPE_CHECKING:
    from collections.abc import Sequence

_FORMULA = frozenset(
    "=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
_GUARD = "'"

_BETWEEN_TAGS = re.compile(r"[\s,;]+")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

_YES = frozenset({"1", "true", "yes", "y", "t", "withdrawn", "deleted", "removed"})
_NO = frozenset({"", "0", "false", "no", "n", "f", "active", "received"})

_SECONDS_DIGITS = 11
"""A number of so many digits counts seconds; a longer one milliseconds or microseconds."""

_PAIR = 2
_LATEST = datetime.max.replace(tzinfo=UTC)


def printable(text: str) -> str:
    """``text`` without control characters but for tabs and line ends, and without halves of characters."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def guarded(text: str) -> str:
    """``text`` as a spreadsheet may read it: never a formula."""
    return _GUARD + text if _needs_guard(text) else text


def unguarded(cell: str) -> str:
    """What was guarded, and any other text as it is."""
    return cell[1:] if cell[:1] == _GUARD and _needs_guard(cell) else cell


def _needs_guard(text: str) -> bool:
    return text.lstrip(_GUARD).lstrip()[:1] in _FORMULA


def tags_cell(tags: Sequence[str]) -> str:
    """Tags with blanks between them, or a JSON array where one of them would not come back."""
    plain = " ".join(tags)
    return plain if tags_of(plain) == tuple(tags) else json.dumps(list(tags), ensure_ascii=False)


def tags_of(cell: str) -> tuple[str, ...]:
    """Tags with blanks, commas or semicolons between them, or as a JSON array of texts.

    Raises:
        ValueError: one of them cannot be stored.
    """
    listed = _json_array(cell)
    if listed is not None and all(isinstance(tag, str) for tag in listed):
        return kept_tags(listed)
    return kept_tags(_BETWEEN_TAGS.split(cell))


def opinions_cell(opinions: Sequence[tuple[str, str]]) -> str:
    """Who says what, as a JSON array of pairs; empty if nobody says anything."""
    return json.dumps([list(opinion) for opinion in opinions], ensure_ascii=False) if opinions else ""


def opinions_of(cell: str) -> tuple[tuple[str, str], ...]:
    """Who says what, of a JSON array of pairs.

    Raises:
        ValueError: it is something else.
    """
    if not cell.strip():
        return ()
    pairs = _json_array(cell)
    if pairs is None or not all(map(_is_pair, pairs)):
        raise ValueError(f"Opinions are a JSON array of pairs of texts, not {started(cell)}")
    return tuple((kept(who) or "", kept(what) or "") for who, what in pairs[:MOST_SAID])


def is_withdrawn(cell: str) -> bool:
    """Whether a cell says that the list has withdrawn the entry.

    Raises:
        ValueError: it says neither.
    """
    if not cell:
        return False
    folded = cell.strip().lower()
    if folded in _NO:
        return False
    if folded in _YES:
        return True
    raise ValueError(f"Withdrawn is true or false, not {started(cell)}")


def seconds_of(text: str) -> int | None:
    """A time in seconds since 1970; ``None`` if there is none.

    Args:
        text: a number of seconds, milliseconds or microseconds, or a time in ISO 8601.

    Raises:
        ValueError: it is none of these.
    """
    text = text.strip()
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= _SECONDS_DIGITS:
        return int(text)
    try:
        return int(seen_moment(text, _LATEST, counted=True).timestamp())
    except PhotoError:
        raise ValueError(f"A time is in seconds since 1970 or in ISO 8601, not {started(text)}") from None


def _is_pair(value: Any) -> bool:  # noqa: ANN401 -- whatever JSON holds
    return isinstance(value, list) and len(value) == _PAIR and all(isinstance(part, str) for part in value)


def _json_array(cell: str) -> list[Any] | None:
    if not cell.startswith("["):
        return None
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None
