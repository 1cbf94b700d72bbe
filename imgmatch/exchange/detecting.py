"""Which form a list has, told by how it begins."""

from __future__ import annotations

import codecs
import io
from collections import Counter

from imgmatch.errors import SourceError
from imgmatch.exchange.columns import TX_COLUMNS, header_of
from imgmatch.exchange.entries import is_kind, pdq_bytes, started
from imgmatch.exchange.lines import HASH_WORD, ROTATIONS, quality_of
from imgmatch.model import PDQ
from imgmatch.sources.encodings import as_utf8

HEAD_BYTES = 1 << 16
"""So much of a list is looked at."""

_MOST_LINES = 1_000
_FEW = 20
"""Where less than one line in so many has another form, it is a broken one."""

_BARE, _TX, _MIH, _HASHER = "hashes", "tx", "mih", "pdq-hasher"


def detect_form(head: bytes) -> str:
    """Tell which form a list has.

    A few broken lines do not matter. Bare hashes among ThreatExchange's lines, or among those of the PDQ tools, do not
    either: both read them.

    Args:
        head: its first 64 KiB, or all of it.

    Raises:
        SourceError: it is empty, or of no known form.
    """
    text = as_utf8(io.BytesIO(head)).read().removeprefix(codecs.BOM_UTF8).decode(errors="replace").lstrip()
    if not text:
        raise SourceError("empty; say which form the list has if that is meant")
    if text[0] == "<":
        return "ncmec"
    if text[0] in "[{":
        return "stopncii"
    lines = text.split("\n")
    if len(lines) > 1 and len(head) >= HEAD_BYTES:
        lines.pop()  # its end may be missing
    header = lines[1] if lines[0].lower().startswith("sep=") and len(lines) > 1 else lines[0]
    return _by_header(header) or _by_lines(lines)


def _by_header(line: str) -> str | None:
    _, columns = header_of(line)
    if set(TX_COLUMNS[:2]) <= set(columns):
        return "tx-csv"
    return "csv" if PDQ in columns else None


def _by_lines(lines: list[str]) -> str:
    written = [line.strip() for line in lines[:_MOST_LINES]]
    votes = Counter(filter(None, (_line_form(line) for line in written if line and line[0] != "#")))
    if not votes:
        start = next((line for line in written if line and line[0] != "#"), "")
        raise SourceError(f"of no known form; name the form, or the columns of a CSV. It starts with {started(start)}")
    with_comma = votes[_MIH] + votes[_HASHER]
    least = max(1, votes.total() // _FEW)
    if max(votes[_TX], with_comma) < least:
        return _BARE
    if votes[_TX] > with_comma:
        return _TX
    return _HASHER if votes[_MIH] < least else _MIH


def _line_form(line: str) -> str | None:
    """Which form a line with a PDQ value has, or a line with another signal."""
    value, comma, rest = line.removeprefix(HASH_WORD).partition(",")
    if _is_pdq(value.rstrip()):
        if line.startswith(HASH_WORD) or comma:
            return _HASHER if not line.startswith(HASH_WORD) and _is_quality(rest.partition(",")[0]) else _MIH
        return _BARE
    kind, *signal = line.split(None, 1)
    return _TX if kind in ROTATIONS or (signal and is_kind(kind)) else None


def _is_pdq(text: str) -> bool:
    try:
        pdq_bytes(text)
    except ValueError:
        return False
    return True


def _is_quality(text: str) -> bool:
    try:
        quality_of(text.strip())
    except ValueError:
        return False
    return True
