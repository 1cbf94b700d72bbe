"""The physical lines of a hostile text file: numbered, bounded, each decoded by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from imgmatch.sources.encodings import as_utf8

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINE_BYTES = 1 << 20
"""A line, or a record of several lines, may be this long."""

TOO_LONG = "The line is longer than 1 MiB."
_NOT_UTF8 = "The line is not valid UTF-8 text (a spreadsheet can save it as CSV UTF-8)."
_HOLDS_NUL = "The line holds a NUL byte."


Line = tuple[int, str, str | None]
"""One physical line: its number, counted from 1; its text with its line end, empty if it was too long and with
surrogates in place of what is not UTF-8; what is wrong with it in one sentence, or ``None``."""


def physical_lines(stream: BinaryIO) -> Iterator[Line]:
    """Split a stream at line feeds, never holding more than one bounded line.

    A byte order mark at the very start is taken off; one of UTF-16 or UTF-32 says how all of it is written.

    Args:
        stream: open for reading bytes, at its beginning; a file, or what can go back as files can.

    Yields:
        every line; a line that cannot be text says why.
    """
    number = 0
    stream = as_utf8(stream)
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if len(raw) > MAX_LINE_BYTES:
            _pass_over_rest(stream, raw)
            yield number, "", TOO_LONG
            continue
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            yield number, raw.decode(errors="surrogateescape"), _NOT_UTF8
            continue
        yield number, text, _HOLDS_NUL if "\0" in text else None


def _pass_over_rest(stream: BinaryIO, raw: bytes) -> None:
    while raw and not raw.endswith(b"\n"):
        raw = stream.readline(MAX_LINE_BYTES)
