"""What the readers of hash lists have in common: the forms, what is asked of them, and what they give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from imgmatch.errors import UnknownNameError
from imgmatch.model import FINGERPRINT_BYTES, PDQ, BadEntry, ListedHash
from imgmatch.sources.base import shown

FORMS: Mapping[str, str] = MappingProxyType(
    {
        "hashes": "One PDQ value a line.",
        "tx": "ThreatExchange's lines: a signal type and a signal, such as pdq and the value.",
        "tx-csv": "ThreatExchange's CSV: signal_type,signal_str,collab,category,tags.",
        "csv": "CSV with a header line; columns are chosen, or go by the names this program writes.",
        "pdq-hasher": "What pdq-photo-hasher prints: value,quality,filename.",
        "mih": "What mih-query and clusterize256 read: value,metadata, with hash= in front or without.",
        "stopncii": "StopNCII's records in JSON: an array, an object round one, or a record a line.",
        "ncmec": "The XML of NCMEC's hash sharing.",
    }
)
"""The forms of a list that a user may name, and a sentence on each."""

MOST_TEXT = 1_000
"""Characters of a text field; a partner's list may not fill the memory with them."""

MOST_SAID = 100
"""So many tags and opinions of an entry are kept."""

_HEX_DIGITS = 2 * FINGERPRINT_BYTES
_STARTED = 60

_KNOWN_KINDS = frozenset(
    {
        *("pdq", "pdq_ocr", "vpdq", "video_md5", "md5", "sha1", "sha256", "text_tlsh", "clip", "photodna", "pdna"),
        *("tmk_pdqf", "raw_text", "url", "trend_query"),
    }
)
"""Signal types that go by these names in the field."""

_PDQ_KINDS = frozenset({PDQ, "hash_pdq", "imgmatch_pdq"})
"""What a PDQ value goes by: in the field's lists, in ThreatExchange's own, and in our extension of ``tx``."""

_KIND_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")
_MOST_KIND = 40


@dataclass(frozen=True, slots=True)
class ListOptions:
    """How a list is to be read.

    Attributes:
        form: one of :data:`FORMS`; ``None`` to find out.
        columns: for CSV, a field of :class:`~imgmatch.model.ListedHash`, or ``type`` for the kind of hash, to the
            header of the column that holds it; ``None`` for the columns that are called as the fields are.
        default_type: the kind of hash where an entry does not say.
    """

    form: str | None = None
    columns: Mapping[str, str] | None = None
    default_type: str = PDQ


@dataclass(frozen=True, slots=True)
class WithdrawnRef:
    """A list withdraws an entry that it names by its id alone, as NCMEC's do.

    Attributes:
        ref: the list's own id of it.
        modified: when the list withdrew it, in seconds since 1970, if it says.
    """

    ref: str
    modified: int | None = None


Listed = ListedHash | WithdrawnRef | BadEntry
"""What a list gives, one after the other."""


class OtherKindError(ValueError):
    """A hash of another kind: it is counted and left."""


class BrokenOffError(ValueError):
    """The list cannot be read further."""


def check_form(form: str, forms: Iterable[str] = FORMS) -> None:
    """See that a form is one of those.

    Raises:
        UnknownNameError: it is not.
    """
    if form not in forms:
        raise UnknownNameError(f"no form of a hash list is called {shown(form)}; there are {', '.join(forms)}")


def bad_entry(line: int, error: ValueError) -> BadEntry:
    """What came in place of an entry.

    Args:
        line: the line or record, from 1.
        error: why, in one sentence.
    """
    is_end = isinstance(error, BrokenOffError)
    return BadEntry(line, str(error), other=isinstance(error, OtherKindError), is_end=is_end)


def started(text: str) -> str:
    """The start of foreign text, fit for a message."""
    return shown(text if len(text) <= _STARTED else text[:_STARTED] + "…")


def pdq_bytes(text: str) -> bytes:
    """Read a PDQ value.

    The field writes lower case; upper case is taken for the same value.

    Raises:
        ValueError: it is not exactly 64 hexadecimal digits.
    """
    if len(text) == _HEX_DIGITS:
        try:
            value = bytes.fromhex(text)
        except ValueError:
            value = b""
        if len(value) == FINGERPRINT_BYTES:  # not where blanks stand among the digits, which Python passes over
            return value
        raise ValueError(f"A PDQ value is {_HEX_DIGITS} hexadecimal digits; other characters are in {started(text)}")
    if not text:
        raise ValueError("There is no hash.")
    length = f"{len(text):,}" if len(text) <= MOST_TEXT else f"more than {MOST_TEXT:,}"
    raise ValueError(f"A PDQ value is {_HEX_DIGITS} hexadecimal digits, not {length} characters: {started(text)}")


def check_kind(kind: str) -> None:
    """See that a hash is a PDQ value by what its list calls it.

    Raises:
        OtherKindError: it is of another kind.
    """
    if kind.lower() not in _PDQ_KINDS:
        raise OtherKindError(f"Of the kind {started(kind)}, which is left.")


def is_kind(word: str) -> bool:
    """Whether a word may be the name of a kind of hash, and is no part of a hash itself."""
    folded = word.lower()
    if folded in _KNOWN_KINDS:
        return True
    if len(word) > _MOST_KIND or not folded[:1].isalpha() or not _KIND_LETTERS.issuperset(folded):
        return False
    return not set("0123456789abcdef").issuperset(folded)


def kept(text: str) -> str | None:
    """Foreign text as far as it is kept; ``None`` if there is none.

    Raises:
        ValueError: it cannot be stored: it holds NUL, or half of a character.
    """
    if not text:
        return None
    if not text.isascii() or "\0" in text:
        _check_storable(text)
    return text if len(text) <= MOST_TEXT else text[:MOST_TEXT]


def kept_ref(text: str) -> str | None:
    """An id; ``None`` if there is none.

    Raises:
        ValueError: it cannot be stored, or is so long that only a part of it would be kept, which is another id.
    """
    if len(text) > MOST_TEXT:
        raise ValueError(f"The id is longer than {MOST_TEXT:,} characters: {started(text)}")
    return kept(text)


def kept_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags as far as they are kept: no empty ones, none twice, the first hundred.

    Raises:
        ValueError: one of them cannot be stored.
    """
    said = dict.fromkeys(tag for tag in map(kept, tags) if tag)
    return tuple(said)[:MOST_SAID]


def _check_storable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"Half of a character stands in {started(text)}") from None
    if "\0" in text:
        raise ValueError(f"A NUL stands in {started(text)}")
