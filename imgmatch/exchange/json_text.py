"""JSON of any length through a window: read on as it is used, and passed over without being kept.

Parsers that read JSON as it comes keep a text whole, however long it is, so one hostile value fills the memory. Here a
record is decoded by itself, and only if it is of a sensible length; what is longer is passed over.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, BinaryIO, Never

from imgmatch.exchange.entries import BrokenOffError, started
from imgmatch.sources.encodings import as_utf8

MOST_RECORD = 1 << 20
"""Characters of a record."""

BLANKS = " \t\r\n"

_BLOCK = 4 << 20
_LEAD = 202
_GLANCE = 1 << 12
"""Nearly all records are shorter: so much is decoded at first, that a broken one may not cost more."""

_SPARE = 1 << 28
"""So many characters may be decoded in vain, a second time."""

# Whatever tells nothing is passed over within the pattern: a mark of hostile text costs a hundred times as much.
# Possessive repeats of a group would do it in one pattern, and lose matches in Python 3.11.2.
_PASSED_OUTSIDE = re.compile(r'(?:[^"{}\[\]\n]+|"[^"\\\n]*"){0,4000}')
_MARK_OUTSIDE = re.compile(r'"|[{\[]+|[}\]]+|\n[ \t]{0,200}\{?')
_PASSED_INSIDE = re.compile(r'(?:[^"\\\n]+|\\[^\n]){0,4000}')
_MARK_INSIDE = re.compile(r'["\n\\]')
_NO_VALUE = re.compile(r'[^,"{}\[\]\n]+')
_SPACE = re.compile(r"[ \t\r\n]*")


def _next_mark(text: str, at: int, *, is_inside: bool) -> re.Match[str] | None:
    """What comes next that tells something, in a text value or outside of one."""
    passed, mark = (_PASSED_INSIDE, _MARK_INSIDE) if is_inside else (_PASSED_OUTSIDE, _MARK_OUTSIDE)
    while (found := passed.match(text, at)) is not None and found.end() > at:
        at = found.end()
    return mark.match(text, at)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key is given twice")
    return values


def _no_constant(constant: str) -> Never:
    raise ValueError(f"{constant} is no JSON number")


DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)
"""What records are decoded by: a key may stand once in an object."""


def why(error: ValueError | RecursionError) -> str:
    """What a decoder has found, in one sentence."""
    if isinstance(error, RecursionError):
        return "The record is nested too deep."
    if isinstance(error, json.JSONDecodeError):
        what = error.msg.removesuffix(" at").removesuffix(" starting")
        return f"The record is not JSON: {what} after {error.pos:,} characters."
    return f"The record is not JSON: {started(str(error))}."


def described(value: Any) -> str:  # noqa: ANN401 -- whatever JSON holds
    """What a value is, and how it starts, for a message."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    return started(value if isinstance(value, str) else json.dumps(value))


class Extent:
    """Finds where a value ends, by its brackets and quotes; what is between them need not be JSON.

    No line ends within a text of JSON: where one does, its quote is missing. And where the value begins a line, a line
    that begins in the same way is taken for the next value: so a bracket or a quote that is missing costs one record.

    Attributes:
        depth: how many brackets are open.
        is_closed: the end was found.
    """

    def __init__(self, lead: str | None = None, *, is_inside: bool = False) -> None:
        """Begin before a value, whose line begins with ``lead`` and a bracket; or inside of a text."""
        self._lead = lead
        self._is_inside = is_inside
        self.depth = 0
        self.is_closed = False

    def scan(self, text: str, at: int, *, is_last: bool) -> int:
        """Go on from a place in ``text``, of which more may follow; returns up to where it is done with."""
        while not self.is_closed:
            found = _next_mark(text, at, is_inside=self._is_inside)
            if found is None:
                return len(text)
            mark, start = found[0], found.start()
            if not is_last and found.end() == len(text) and mark[0] in "\n\\":
                return start
            at = self._step(mark, start, found.end())
        return at

    def _step(self, mark: str, start: int, end: int) -> int:
        if self._is_inside:
            self._is_inside = mark == "\\"
            self.is_closed = not self._is_inside and self.depth == 0
            return start if mark == "\n" else end
        if mark == '"':
            self._is_inside = True
        elif mark[0] == "\n":
            self.is_closed = mark == self._lead
            return start if self.is_closed else end - mark.endswith("{")
        elif mark[0] in "{[":
            self.depth += len(mark)
        else:
            self.is_closed = len(mark) >= self.depth
            end, self.depth = start + min(len(mark), self.depth), self.depth - len(mark)
        return end


class JsonText:
    """Text of which a window is held, and a place in it.

    Attributes:
        ended: the text breaks off in what was to be read.
    """

    def __init__(self, stream: BinaryIO) -> None:
        """Read UTF-8, or what a byte order mark says; what is neither becomes halves of characters."""
        self._stream = as_utf8(stream)
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self._text = ""
        self._at = 0
        self._is_whole = False
        self._spare = _SPARE
        self.ended = False

    def peek(self, passed_over: str = BLANKS) -> str:
        """The next character that is not one of those to be passed over; empty at the end."""
        while True:
            self._fill()
            text, at = self._text, self._at
            while at < len(text) and text[at] in passed_over:
                at = _SPACE.match(text, at + 1).end()  # type: ignore[union-attr]  # it matches anywhere
            self._at = at
            if at < len(text):
                return text[at]
            if self._is_whole:
                return ""

    def step(self) -> None:
        """Pass over the character that was peeked at."""
        self._at += 1

    def head(self) -> str:
        """The next characters, up to the length of a record."""
        self._fill()
        return self._text[self._at : self._at + MOST_RECORD]

    def begins(self, form: re.Pattern[str]) -> bool:
        """Whether what comes next is of that form."""
        self._fill()
        return form.match(self._text, self._at) is not None

    def value(self) -> Any:  # noqa: ANN401 -- whatever JSON holds
        """Read the value that begins here, and pass over it, or over what stands in its place.

        Raises:
            ValueError: there is none, or it is too long; says so in a sentence.
        """
        self._fill()
        start = self._at
        try:
            value, length = DECODER.raw_decode(self._text[start : start + _GLANCE])
        except (ValueError, RecursionError) as error:
            return self._long_value(error)
        self._at = start + length
        return value

    def _long_value(self, error: ValueError | RecursionError) -> Any:  # noqa: ANN401 -- as above
        if self._lead() is not None and self._spare > 0:
            # What is written without indentation may have lines in it that begin as the record does.
            try:
                value, length = DECODER.raw_decode(self._text[self._at : self._at + MOST_RECORD])
            except (ValueError, RecursionError) as failed:
                self._spare -= failed.pos if isinstance(failed, json.JSONDecodeError) else MOST_RECORD
            else:
                self._at += length
                return value
        record = self.pass_over()
        if self.ended:
            raise BrokenOffError("The list breaks off in the middle of this record.")
        if record is None:
            raise ValueError(f"The record is longer than {MOST_RECORD:,} characters.")
        if len(record) <= _GLANCE:
            raise ValueError(why(error))
        try:
            return DECODER.decode(record)
        except (ValueError, RecursionError) as error_in_whole:
            raise ValueError(why(error_in_whole)) from None

    def pass_over(self) -> str | None:
        """Pass over the value that begins here, by its brackets and quotes; or over what is no value.

        Returns:
            the text of it; ``None`` if it is longer than a record may be, or has no end.
        """
        self._fill()
        start, text = self._at, self._text
        if text[start] not in '{["':
            found = _NO_VALUE.match(text, start)
            self._at = found.end() if found else start + 1
            return text[start : self._at]
        is_text = text[start] == '"'
        extent = Extent(self._lead(), is_inside=is_text)
        self._at = extent.scan(text, start + is_text, is_last=self._is_whole)
        if extent.is_closed:
            return text[start : self._at] if self._at - start <= MOST_RECORD else None
        while not extent.is_closed:
            if self._is_whole and self._at == len(self._text):
                self.ended = True
                return None
            self._fill()
            self._at = extent.scan(self._text, self._at, is_last=self._is_whole)
        return None

    def _lead(self) -> str | None:
        """What stands before an object that begins here, if that is the start of a line."""
        before = self._text.rfind("\n", max(0, self._at - _LEAD), self._at)
        if before < 0 or self._text[self._at] != "{" or self._text[before + 1 : self._at].strip(" \t"):
            return None
        return self._text[before : self._at + 1]

    def _fill(self) -> None:
        """See that more than a record is in the window, or all that is left."""
        if self._is_whole or len(self._text) - self._at > MOST_RECORD + 1:
            return
        # The line end before a record is kept, and the blanks after it: they tell how records begin.
        kept_from = max(0, self._at - _LEAD)
        parts = [self._text[kept_from:]]
        size = 0
        while size < _BLOCK and not self._is_whole:
            block = self._stream.read(_BLOCK - size)
            self._is_whole = not block
            parts.append(self._decoder.decode(block, self._is_whole))
            size += len(parts[-1])
        self._text = "".join(parts)
        self._at -= kept_from
