"""Names in texts that people wrote: where they stand, and the text without them."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

LEAST_CHARS = 4
"""Shorter names are not looked for in texts: they stand in any, by chance."""

MASK = "…"

_FEW = 32
"""So many names are looked for one by one in a long text quicker than its words are in a table."""

_WORD = re.compile(r"[^\W_]+")


class NameFinder:
    """Finds names as whole words, in upper or lower case.

    A name is found where no letter or digit goes on before or behind it: ``p12`` does not name ``p1``. One without any
    letter or digit is found nowhere. Texts are gone through once, however many names there are.
    """

    def __init__(self, names: Collection[str]) -> None:
        """Names shorter than ``LEAST_CHARS`` are left out."""
        # By its first word, where in the name that stands, and its length: of each there are few.
        self._names: dict[str, dict[tuple[int, int], dict[str, set[str]]]] = defaultdict(lambda: defaultdict(dict))
        self._folded = set[str]()
        for name in names:
            first = _WORD.search(name)
            if first is not None and len(name) >= LEAST_CHARS:
                alike = self._names[first.group().casefold()][first.start(), len(name)]
                alike.setdefault(name.casefold(), set()).add(name)
                self._folded.add(name.casefold())

    def may_stand_in(self, text: str) -> bool:
        """Whether any of the names may stand in a long text; if not, it need not be looked at more closely."""
        folded = text.casefold()
        if len(self._folded) <= _FEW:
            return any(name in folded for name in self._folded)
        return not self._names.keys().isdisjoint(_WORD.findall(folded))

    def found(self, text: str) -> set[str]:
        """The names that stand in a text, as they were given."""
        return {name for _, _, names in self._places(text) for name in names}

    def masked(self, text: str) -> str:
        """The text with ``…`` in place of each name."""
        pieces, end = [], 0
        for start, stop in _united((start, stop) for start, stop, _ in self._places(text)):
            pieces += [text[end:start], MASK]
            end = stop
        return "".join([*pieces, text[end:]])

    def _places(self, text: str) -> Iterator[tuple[int, int, set[str]]]:
        for word in _WORD.finditer(text):
            for (before, length), names in self._names.get(word.group().casefold(), {}).items():
                start = word.start() - before
                piece = text[max(start, 0) : start + length]
                known = names.get(piece.casefold()) if start >= 0 else None
                if known and not _goes_on(text, start + length):
                    yield start, start + length, known


def _goes_on(text: str, end: int) -> bool:
    """Whether a word goes on where a name ends."""
    return end < len(text) and _WORD.match(text, end - 1, end) is not None and _WORD.match(text, end) is not None


def _united(places: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same places in order, those that overlap or touch as one."""
    last: tuple[int, int] | None = None
    for start, stop in sorted(places):
        if last is not None and start <= last[1]:
            last = last[0], max(last[1], stop)
        else:
            if last is not None:
                yield last
            last = start, stop
    if last is not None:
        yield last
