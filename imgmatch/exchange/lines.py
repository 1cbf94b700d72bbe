"""Lists of one entry a line: bare hashes, ThreatExchange's lines, and what the tools of PDQ read and print.

Blank lines, and lines that begin with ``#``, are passed over in all of them. A line longer than 1 MiB is named and
reading goes on behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from imgmatch.exchange.entries import bad_entry, check_kind, is_kind, kept, pdq_bytes, started
from imgmatch.model import PDQ, BadEntry, ListedHash
from imgmatch.sources.lines import physical_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from imgmatch.exchange.entries import Listed, ListOptions

UPRIGHT = "ORIGINAL"
ROTATIONS = frozenset(
    {UPRIGHT, "ROTATE90", "ROTATE180", "ROTATE270", "FLIPX", "FLIPY", "FLIPPLUS1", "FLIPMINUS1"},
)
"""What ThreatExchange's tool writes before the hashes of a picture's orientations."""

HASH_WORD = "hash="
"""What may stand before a hash in the lines of the PDQ tools."""

_BEST = 100


def read_hashes(stream: BinaryIO, options: ListOptions) -> Iterator[Listed]:
    """Read bare PDQ values, one a line.

    Args:
        stream: open for reading bytes, at its beginning, able to go back there.
        options: say what kind of hash it is.
    """

    def entry(text: str) -> ListedHash:
        if not is_pdq:
            check_kind(options.default_type)
        return ListedHash(pdq_bytes(text))

    is_pdq = options.default_type == PDQ
    return _read(stream, entry)


def read_tx(stream: BinaryIO, options: ListOptions) -> Iterator[Listed]:
    """Read lines of a signal type and a signal, or of a signal alone where the options say its type.

    A word of rotation may stand before them. This program looks for every picture in all eight orientations, so those
    that follow ``ORIGINAL`` say nothing more, and are passed over once they are seen to be hashes. Where there is no
    ``ORIGINAL`` before them each is an entry.

    Args:
        stream: open for reading bytes, at its beginning, able to go back there.
        options: say of what kind a signal alone is.
    """
    return _read(stream, _TxLines(options))


def read_mih(stream: BinaryIO, options: ListOptions) -> Iterator[Listed]:
    """Read lines of a hash and, after a comma, whatever its owner has noted.

    Args:
        stream: open for reading bytes, at its beginning, able to go back there.
        options: say what kind of hash it is.
    """

    def entry(text: str) -> ListedHash:
        value, _, said = text.removeprefix(HASH_WORD).partition(",")
        check_kind(options.default_type)
        return ListedHash(pdq_bytes(value.rstrip()), note=kept(said.strip()))

    return _read(stream, entry)


def read_pdq_hasher(stream: BinaryIO, options: ListOptions) -> Iterator[Listed]:
    """Read lines of a hash, its quality and the name of a file.

    Args:
        stream: open for reading bytes, at its beginning, able to go back there.
        options: nothing of them matters.
    """
    del options
    return _read(stream, _hashed)


def quality_of(text: str) -> int:
    """Read PDQ's quality.

    Raises:
        ValueError: it is no whole number from 0 to 100.
    """
    if text.isascii() and text.isdigit() and len(text) <= len(str(_BEST)) and int(text) <= _BEST:
        return int(text)
    raise ValueError(f"A quality is a whole number from 0 to {_BEST}, not {started(text)}")


def _read(stream: BinaryIO, parse: Callable[[str], ListedHash | None]) -> Iterator[Listed]:
    for number, line, problem in physical_lines(stream):
        if problem is not None:
            yield BadEntry(number, problem)
            continue
        text = line.strip()
        if not text or text[0] == "#":
            continue
        try:
            entry = parse(text)
        except ValueError as error:
            yield bad_entry(number, error)
        else:
            if entry is not None:
                yield entry


def _hashed(text: str) -> ListedHash:
    value, *others = text.split(",", 2)
    code = pdq_bytes(value.rstrip())
    quality = quality_of(others[0].strip()) if others else None
    return ListedHash(code, quality=quality, uri=kept(others[1].strip()) if len(others) > 1 else None)


class _TxLines:
    """Remembers which orientations of one picture have come."""

    def __init__(self, options: ListOptions) -> None:
        self._options = options
        self._seen: set[str] = set()

    def __call__(self, text: str) -> ListedHash | None:
        kind, *signal = text.split(None, 1)
        if kind not in ROTATIONS:
            self._seen.clear()
            return self._signal(kind, *signal)
        said = signal[0].split(None, 1) if signal else [""]
        entry = self._signal(said[0], *said[1:])
        if kind == UPRIGHT or kind in self._seen:
            self._seen.clear()
        self._seen.add(kind)
        return None if kind != UPRIGHT and UPRIGHT in self._seen else entry

    def _signal(self, kind: str, signal: str | None = None) -> ListedHash:
        if signal is None:
            check_kind(self._options.default_type)
            return ListedHash(pdq_bytes(kind))
        if not is_kind(kind):
            raise ValueError(f"The line does not begin with a signal type: {started(kind)}")
        check_kind(kind)
        return ListedHash(pdq_bytes(signal))
