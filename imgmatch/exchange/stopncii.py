"""StopNCII's records: a hash, whether it still stands, the cases it belongs to, and what others say of it.

A case becomes a tag, ``case:`` and its number, as long as it is not withdrawn itself. What somebody says of a hash is
one text: the value, and after a colon the tags that come with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from imgmatch.exchange.cells import printable, seconds_of
from imgmatch.exchange.entries import MOST_SAID, OtherKindError, bad_entry, kept, kept_tags, pdq_bytes, started
from imgmatch.exchange.json_records import json_records
from imgmatch.exchange.json_text import described
from imgmatch.model import ListedHash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.exchange.entries import Listed, ListOptions

BLOCKED, NOT_BLOCKED = "Blocked", "NotBlocked"
"""What partners say of a hash: that they act on it, or that what it names is nothing of the kind."""

CASE = "case:"
"""How the tag of a case begins."""

_PDQ = "ImagePDQ"
_ACTIVE, _WITHDRAWN = "Active", "Withdrawn"
_STANDING = frozenset({"received", _ACTIVE.lower()})
_GONE = frozenset({_WITHDRAWN.lower(), "deleted"})
_BEFORE_TAGS, _BETWEEN_TAGS = ": ", ", "
_UNKNOWN_TIME = 0


def read_stopncii(stream: BinaryIO, options: ListOptions) -> Iterator[Listed]:
    """Read StopNCII's records.

    Args:
        stream: open for reading bytes, at its beginning, able to go back there.
        options: nothing of them matters.

    Raises:
        SourceError: it is not JSON, or has no records in it.
    """
    del options
    for number, record in json_records(stream):
        try:
            yield _entry(record)
        except ValueError as error:
            yield bad_entry(number, error)


def as_record(entry: ListedHash) -> dict[str, Any]:
    """What StopNCII would write of an entry; what it has no place for is left out."""
    status = _WITHDRAWN if entry.withdrawn else _ACTIVE
    tags = [printable(tag) for tag in entry.tags if not tag.startswith(CASE)]
    cases = [printable(tag.removeprefix(CASE)) for tag in entry.tags if tag.startswith(CASE)]
    return {
        "lastModtimestamp": _UNKNOWN_TIME if entry.modified is None else entry.modified,
        "signalType": _PDQ,
        "hashValue": entry.pdq.hex(),
        "hashStatus": status,
        "caseNumbers": dict.fromkeys(cases, status),
        **({"tags": tags} if tags else {}),
        "CSPFeedbacks": [_feedback(printable(source), printable(said)) for source, said in entry.opinions],
    }


def _feedback(source: str, said: str) -> dict[str, Any]:
    value, colon, tags = said.partition(_BEFORE_TAGS)
    return {"source": source, "feedbackValue": value, "tags": tags.split(_BETWEEN_TAGS) if colon else []}


def _entry(record: dict[str, Any] | ValueError) -> ListedHash:
    if isinstance(record, ValueError):
        raise record
    kind = _text(record, "signalType")
    if not kind:
        raise ValueError("The record has no signalType.")
    if kind.lower() != _PDQ.lower():
        raise OtherKindError(f"Of the kind {started(kind)}, which is left.")
    is_withdrawn = _is_gone(_text(record, "hashStatus") or _ACTIVE)
    return ListedHash(
        pdq_bytes(_text(record, "hashValue").strip()),
        withdrawn=is_withdrawn,
        modified=_modified(record.get("lastModtimestamp")),
        tags=kept_tags([*_texts(record, "tags"), *_cases(record, is_withdrawn=is_withdrawn)]),
        opinions=_opinions(record),
    )


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{key} must be text, not {described(value)}")  # noqa: TRY004 -- what is wrong is one kind
    return value


def _texts(record: dict[str, Any], key: str) -> list[str]:
    values = record.get(key)
    if values is None:
        return []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{key} must be a list of texts.")
    return values


def _is_gone(status: str) -> bool:
    folded = status.lower()
    if folded in _GONE or folded in _STANDING:
        return folded in _GONE
    raise ValueError(f"No status of a hash is called {started(status)}")


def _modified(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str | None):
        raise ValueError(f"lastModtimestamp must be a number of seconds, not {described(value)}")  # noqa: TRY004 -- as above
    return seconds_of(str(value or "")) or None


def _cases(record: dict[str, Any], *, is_withdrawn: bool) -> list[str]:
    cases = record.get("caseNumbers")
    if not isinstance(cases, dict):
        return [CASE + case for case in _texts(record, "caseNumbers")]
    gone = [case for case in cases if not is_withdrawn and _is_gone(_text(cases, case) or _ACTIVE)]
    return [CASE + case for case in cases if case not in gone]


def _opinions(record: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    given = record.get("CSPFeedbacks") or []
    if not isinstance(given, list) or not all(isinstance(feedback, dict) for feedback in given):
        raise ValueError("CSPFeedbacks must be a list of objects.")
    opinions = []
    for feedback in given[:MOST_SAID]:
        tags = _texts(feedback, "tags")
        said = _text(feedback, "feedbackValue") + (_BEFORE_TAGS + _BETWEEN_TAGS.join(tags) if tags else "")
        opinions.append((kept(_text(feedback, "source")) or "", kept(said) or ""))
    return tuple(opinions)
