"""XML as it comes, of which nothing is kept: what a hostile file could blow up is refused or cut.

A document type is refused, and with it all entities but the five that XML has. The parser of the standard library
does that with one handler, and lets elements be looked at and dropped as they are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Never, Protocol
from xml.parsers import expat

from imgmatch.errors import SourceError
from imgmatch.exchange.entries import MOST_TEXT, BrokenOffError, started
from imgmatch.sources.encodings import as_utf8

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_DEPTH = 100
MOST_NAMES = 10_000
"""So many different names of elements and attributes a file may have: the parser keeps each."""

MOST_PIECE = 1 << 20
"""Bytes of a tag with its attributes, or of a comment: the parser keeps it until it ends."""

_BLOCK = 1 << 16


class Reading(Protocol):
    """What is told of the elements, by their names without namespace and in small letters."""

    def opened(self, name: str, attributes: Mapping[str, str], depth: int) -> None:
        """An element begins; ``depth`` is 1 for the outermost."""

    def closed(self, name: str, text: str, depth: int) -> None:
        """An element ends; ``text`` is the start of what stands in it, outside of other elements."""


def read_xml(stream: BinaryIO, reading: Reading) -> Iterator[None]:
    """Read on, and stop after every 64 KiB, so that what was told can be used.

    Args:
        stream: open for reading bytes, at its beginning, able to go back there.
        reading: is told of the elements.

    Raises:
        BrokenOffError: it cannot be read further.
        SourceError: it is no XML at all, or declares a document type.
    """
    text = as_utf8(stream)
    # What was written in UTF-16 or UTF-32 is UTF-8 by now, whatever its declaration says.
    parser = expat.ParserCreate("utf-8" if text is not stream else None)
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    elements = _Elements(reading)
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.StartElementHandler = elements.opened
    parser.EndElementHandler = elements.closed
    parser.CharacterDataHandler = elements.add_text
    read = 0
    try:
        while block := text.read(_BLOCK):
            parser.Parse(block, False)  # noqa: FBT003 -- it takes no keyword
            read += len(block)
            _check_size(parser, read)
            yield
        parser.Parse(b"", True)  # noqa: FBT003 -- as above
    except (expat.ExpatError, BrokenOffError) as error:
        raise _told(error, parser, is_begun=elements.is_begun) from None
    yield


def _check_size(parser: expat.XMLParserType, read: int) -> None:
    if read - max(parser.CurrentByteIndex, 0) > MOST_PIECE:
        raise BrokenOffError(f"A tag or a comment is longer than {MOST_PIECE:,} bytes")
    if len(parser.intern) > MOST_NAMES:
        raise BrokenOffError(f"Elements and attributes go by more than {MOST_NAMES:,} names")


def _refuse_document_type(name: str, *_: object) -> Never:
    raise SourceError(
        f"the XML declares a document type, {started(name)}: its entities could grow without bound or fetch "
        "other files, and no hash list needs one, so nothing of it is read"
    )


def _told(error: Exception, parser: expat.XMLParserType, *, is_begun: bool) -> Exception:
    why = expat.ErrorString(error.code) if isinstance(error, expat.ExpatError) else str(error)
    if not is_begun:
        return SourceError(f"not XML: {why}")
    where = f"line {parser.CurrentLineNumber}, column {parser.CurrentColumnNumber + 1}"
    return BrokenOffError(f"The list breaks off, or is broken, at {where}, and is not read further: {why}.")


class _Elements:
    """Drops namespaces, and of text what is too long."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._texts: list[str] = []
        self.is_begun = False

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        self.is_begun = True
        if len(self._texts) == MOST_DEPTH:
            raise BrokenOffError(f"Elements stand in each other more than {MOST_DEPTH} deep")
        self._texts.append("")
        self._reading.opened(_local(name), attributes, len(self._texts))

    def add_text(self, text: str) -> None:
        if len(self._texts[-1]) <= MOST_TEXT:
            self._texts[-1] = (self._texts[-1] + text)[: MOST_TEXT + 1]

    def closed(self, name: str) -> None:
        depth = len(self._texts)
        self._reading.closed(_local(name), self._texts.pop().strip(), depth)


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()
