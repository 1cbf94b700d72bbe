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
    from collections.abc import Collection

_HEAD = 8
"""Bytes by which a piece is first known; shorter pieces are not looked for."""

_TOO_SHORT = f"pieces shorter than {_HEAD} bytes prove nothing"

_FILTER_BITS = 22
_AT_ONCE = 1 << 23


def found_in_folder(folder: Path, needles: Collection[bytes]) -> list[set[bytes]]:
    """Which of these pieces each file of the folder contains, but for empty files, in order of their names.

    A process of its own looks: a process that closes a file loses all its locks on that file, also those of SQLite, and
    then others change what it has in hand.

    Raises:
        ValueError: a piece is shorter than 8 bytes.
        OSError: a file cannot be read.
    """
    pieces = sorted(needles)
    if any(len(piece) < _HEAD for piece in pieces):
        raise ValueError(_TOO_SHORT)
    done = subprocess.run(  # noqa: S603 -- ourselves
        [sys.executable, "-P", "-m", __name__, str(folder)],
        input="\n".join(piece.hex() for piece in pieces),
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode:
        raise OSError(f"{folder} cannot be searched: {done.stderr.strip()}")
    return [{pieces[place] for place in found} for found in json.loads(done.stdout)]


def main(folder: Path) -> None:
    """Read pieces as lines of hexadecimal digits, and print the places among them of what each file contains."""
    pieces = [bytes.fromhex(line) for line in sys.stdin.read().split()]
    places = {piece: place for place, piece in enumerate(pieces)}
    met = []
    for file in sorted(folder.iterdir()):
        try:
            if file.is_file() and file.stat().st_size:
                met.append(sorted(places[piece] for piece in found_in(file, pieces)))
        except FileNotFoundError:
            continue  # dropped meanwhile by who publishes
    json.dump(met, sys.stdout)


def found_in(path: Path, needles: Collection[bytes]) -> set[bytes]:
    """Which of these pieces the file contains, at any place; one pass, however many pieces there are.

    Raises:
        ValueError: a piece is shorter than 8 bytes: the like of it is in any file.
        OSError: the file cannot be read.
    """
    if any(len(needle) < _HEAD for needle in needles):
        raise ValueError(_TOO_SHORT)
    if not needles:
        return set()
    by_head: dict[int, list[bytes]] = defaultdict(list)
    for needle in needles:
        by_head[int.from_bytes(needle[:_HEAD], "little")].append(needle)
    heads = np.array(sorted(by_head), dtype=np.uint64)
    # Most places fall through a table of the lowest bits; the few others are looked up exactly.
    passing = np.zeros(1 << _FILTER_BITS, dtype=bool)
    passing[(heads & np.uint64((1 << _FILTER_BITS) - 1)).astype(np.int64)] = True
    overlap = max(map(len, needles)) - 1
    found: set[bytes] = set()
    with path.open("rb") as file:
        rest = b""
        while block := file.read(_AT_ONCE):
            data = rest + block
            for place, head in _places(data, heads, passing):
                found.update(needle for needle in by_head[head] if data.startswith(needle, place))
            rest = data[-overlap:]
    return found


def _places(
    data: bytes, heads: np.typing.NDArray[np.uint64], passing: np.typing.NDArray[np.bool_]
) -> list[tuple[int, int]]:
    """Where some head stands, with the head."""
    places = []
    for shift in range(_HEAD):
        count = (len(data) - shift) // _HEAD
        if count <= 0:
            break
        words = np.frombuffer(data, dtype="<u8", count=count, offset=shift)
        near = np.flatnonzero(passing[(words & np.uint64(len(passing) - 1)).astype(np.int64)])
        known = near[np.isin(words[near], heads)]
        places += [(shift + int(word) * _HEAD, int(words[word])) for word in known]
    return places


if __name__ == "__main__":
    main(Path(sys.argv[1]))
