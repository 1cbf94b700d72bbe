"""Looking through files for many pieces of bytes at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

LEAST_BYTES = 6
"""Shorter pieces are not looked for: of gigabytes, some bytes are such a piece by chance."""

_HEAD = 8
"""Bytes by which a piece is first known, or all of a shorter one."""

_TOO_SHORT = f"pieces shorter than {LEAST_BYTES} bytes prove nothing"

_FILTER_BITS = 22
_AT_ONCE = 1 << 23


def found_in_folder(folder: Path, needles: Collection[bytes], leave_out: Collection[str] = ()) -> dict[str, set[bytes]]:
    """Which of these pieces each file of the folder contains, by its name; not empty files, nor those left out.

    A process of its own looks: a process that closes a file loses all its locks on that file, also those of SQLite, and
    then others change what it has in hand.

    Raises:
        ValueError: a piece is shorter than 6 bytes.
        OSError: a file cannot be read.
    """
    pieces = sorted(needles)
    if any(len(piece) < LEAST_BYTES for piece in pieces):
        raise ValueError(_TOO_SHORT)
    done = subprocess.run(  # noqa: S603 -- ourselves
        [sys.executable, "-P", "-m", __name__, str(folder), *sorted(leave_out)],
        input="\n".join(piece.hex() for piece in pieces),
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode:
        raise OSError(f"{folder} cannot be searched: {done.stderr.strip()}")
    return {name: {pieces[place] for place in found} for name, found in json.loads(done.stdout)}


def main(folder: Path, *leave_out: str) -> None:
    """Read pieces as lines of hexadecimal digits, and print the places among them of what each file contains."""
    pieces = [bytes.fromhex(line) for line in sys.stdin.read().split()]
    places = {piece: place for place, piece in enumerate(pieces)}
    met = []
    for file in sorted(folder.iterdir()):
        try:
            if file.name not in leave_out and file.is_file() and file.stat().st_size:
                met.append((file.name, sorted(places[piece] for piece in found_in(file, pieces))))
        except FileNotFoundError:
            continue  # dropped meanwhile by who publishes
    json.dump(met, sys.stdout)


def found_in(path: Path, needles: Collection[bytes]) -> set[bytes]:
    """Which of these pieces the file contains, at any place; one pass, however many pieces there are.

    Raises:
        ValueError: a piece is shorter than 6 bytes: the like of it is in any file.
        OSError: the file cannot be read.
    """
    pieces = Pieces(needles)
    if not needles:
        return set()
    found: set[bytes] = set()
    with path.open("rb") as file:
        rest = b""
        while block := file.read(_AT_ONCE):
            data = rest + block
            found |= pieces.within(data)
            rest = data[-pieces.overlap :]
    return found


class Pieces:
    """Pieces of bytes to look for.

    Attributes:
        overlap: bytes at the end of a block in which a piece may begin that goes on in the next.
    """

    def __init__(self, needles: Collection[bytes]) -> None:
        """Raises ValueError where a piece is shorter than 6 bytes."""
        if any(len(needle) < LEAST_BYTES for needle in needles):
            raise ValueError(_TOO_SHORT)
        self.overlap = max(map(len, needles), default=1) - 1
        self._tables = [
            _Heads(length, some)
            for length in range(LEAST_BYTES, _HEAD + 1)
            if (some := [needle for needle in needles if min(len(needle), _HEAD) == length])
        ]

    def within(self, data: bytes) -> set[bytes]:
        """Those that stand in these bytes."""
        return {needle for table in self._tables for needle in table.within(data)}


class _Heads:
    """Pieces by their first bytes, so many of each."""

    def __init__(self, length: int, needles: Sequence[bytes]) -> None:
        self._mask = np.uint64((1 << 8 * length) - 1)
        self._by_head: dict[int, list[bytes]] = defaultdict(list)
        for needle in needles:
            self._by_head[int.from_bytes(needle[:length], "little")].append(needle)
        self._heads = np.array(sorted(self._by_head), dtype=np.uint64)
        # Most places fall through a table of the lowest bits; the few others are looked up exactly.
        self._passing = np.zeros(1 << _FILTER_BITS, dtype=bool)
        self._passing[(self._heads & np.uint64(len(self._passing) - 1)).astype(np.int64)] = True

    def within(self, data: bytes) -> Iterator[bytes]:
        for place, head in self._places(data + bytes(_HEAD)):  # a short piece may stand at the very end
            yield from (needle for needle in self._by_head[head] if data.startswith(needle, place))

    def _places(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where some head stands, with the head."""
        for shift in range(_HEAD):
            count = (len(data) - shift) // _HEAD
            words = np.frombuffer(data, dtype="<u8", count=count, offset=shift)
            near = np.flatnonzero(self._passing[(words & np.uint64(len(self._passing) - 1)).astype(np.int64)])
            heads = words[near] & self._mask
            known = np.isin(heads, self._heads)
            for place, head in zip(near[known].tolist(), heads[known].tolist(), strict=True):
                yield shift + place * _HEAD, head


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
