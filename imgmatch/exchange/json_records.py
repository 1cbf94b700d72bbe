"""The records of a list in JSON, one after the other: of an array, of an object round one, or a record a line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, BinaryIO

from imgmatch.errors import SourceError
from imgmatch.exchange.entries import BrokenOffError, started
from imgmatch.exchange.json_text import BLANKS, DECODER, Extent, JsonText, described, why
from imgmatch.sources.lines import physical_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    Record = tuple[int, dict[str, Any] | ValueError]
    """A record and its number, from 1, or why it cannot be used; of a record a line, the number of the line."""

_BETWEEN = BLANKS + ","
_KEY = re.compile(
    r'"(?:hashValue|signalType|hashStatus|lastModtimestamp|caseNumbers|CSPFeedbacks)"[ \t\r\n]*:'  # what records have
)
_ARRAY = re.compile(r"\[[ \t\r\n]*[{\]]")


def json_records(stream: BinaryIO) -> Iterator[Record]:
    """Read records, each by itself, holding no more than a few of them.

    Several arrays, or objects round one, may follow each other, as the pages that a partner answers with do.

    Args:
        stream: open for reading bytes, at its beginning, able to go back there.

    Raises:
        SourceError: it is not JSON, or has no records in it.
    """
    text = JsonText(stream)
    first = text.peek()
    if not first:
        return
    if first not in "[{":
        raise SourceError(f"not JSON: it begins with {started(text.head()[:61])}")
    is_round = first == "[" or not _begins_with_record(text.head())
    if not is_round and _has_record_a_line(text.head()):
        stream.seek(0)
        yield from _lines(stream)
    else:
        yield from _Walk(text).records(is_round=is_round)


def _begins_with_record(head: str) -> bool:
    found = _KEY.search(head)
    if found is None:
        return _ARRAY.search(head) is None
    round_it = Extent()
    round_it.scan(head[: found.start()], 0, is_last=True)
    return round_it.depth == 1


def _has_record_a_line(head: str) -> bool:
    line, _, rest = head.partition("\n")
    try:
        DECODER.decode(line)
    except (ValueError, RecursionError):
        return rest.lstrip(BLANKS).startswith("{")
    return True


def _lines(stream: BinaryIO) -> Iterator[Record]:
    for number, text, problem in physical_lines(stream):
        if problem is not None:
            yield number, ValueError(problem)
            continue
        record = text.strip(BLANKS)
        if not record:
            continue
        try:
            value = DECODER.decode(record)
        except (ValueError, RecursionError) as error:
            yield number, ValueError(why(error))
        else:
            yield number, _checked(value)


def _checked(value: Any) -> dict[str, Any] | ValueError:  # noqa: ANN401 -- whatever JSON holds
    return value if isinstance(value, dict) else ValueError(f"The record is no JSON object but {described(value)}")


class _Walk:
    def __init__(self, text: JsonText) -> None:
        self._text = text
        self._number = 0
        self._is_told = False
        self._has_array = False

    def records(self, *, is_round: bool) -> Iterator[Record]:
        """All records; ``is_round`` where an object at the top has them inside, and is none itself."""
        while char := self._text.peek(_BETWEEN):
            if char == "[":
                yield from self._array()
            elif char == "{" and is_round:
                yield from self._object()
            else:
                yield self._record()
        if is_round and not self._has_array:
            raise SourceError("no array of records is in this JSON")

    def _array(self) -> Iterator[Record]:
        self._has_array = True
        self._text.step()
        while (char := self._text.peek(_BETWEEN)) != "]":
            if not char:
                yield from self._broken_off()
                return
            yield self._record()
        self._text.step()

    def _object(self) -> Iterator[Record]:
        self._text.step()
        while (char := self._text.peek(_BETWEEN)) != "}":
            if not char:
                yield from self._broken_off()
                return
            if self._text.begins(_ARRAY):
                yield from self._array()
            else:
                self._text.pass_over()
        self._text.step()

    def _record(self) -> Record:
        self._number += 1
        try:
            value = self._text.value()
        except ValueError as error:
            self._is_told = self._text.ended
            return self._number, error
        return self._number, _checked(value)

    def _broken_off(self) -> Iterator[Record]:
        if not self._is_told:
            self._is_told = True
            yield self._number + 1, BrokenOffError("The list breaks off before its end.")
