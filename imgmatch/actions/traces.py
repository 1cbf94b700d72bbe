"""Looking through files for many pieces of bytes at once."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imgmatch import own_files
from imgmatch.errors import IndexUnusableError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

LEAST_BYTES = 6
"""Bytes by which a piece is first known. Shorter ones are not looked for: in gigabytes, one may stand by chance."""

_WORD, _HEAD_BITS = 8, np.uint64((1 << 8 * LEAST_BYTES) - 1)

_TOO_SHORT = f"pieces shorter than {LEAST_BYTES} bytes prove nothing"

_FILTER_BITS = 22
_AT_ONCE = 1 << 23


def found_in_folder(
    folder: Path, needles: Collection[bytes], leave_out: Collection[str] = (), common: bytes = b""
) -> dict[str, set[bytes]]:
    """Which of these pieces each file of the folder contains, by its name; not links, empty files or those left out.

    A process of its own looks: a process that closes a file loses all its locks on that file, also those of SQLite, and
    then others change what it has in hand.

    Args:
        folder: what is in folders within it is not looked at.
        needles: the pieces.
        leave_out: names of files.
        common: what the files are full of, see :class:`Pieces`.

    Raises:
        ValueError: a piece is shorter than 6 bytes.
        IndexUnusableError: a file cannot be read, or the process ended before its time.
    """
    pieces = sorted(needles)
    heads = Pieces(pieces, common).heads
    done = subprocess.run(  # noqa: S603 -- ourselves
        [sys.executable, "-P", "-m", __name__, str(folder), *sorted(leave_out)],
        input="\n".join(f"{heads[piece]} {piece.hex()}" for piece in pieces),
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode:
        why = done.stderr.strip() or f"the process that searches it ended with {done.returncode}"
        raise IndexUnusableError(f"{folder} cannot be searched: {why}")
    return {name: {pieces[place] for place in found} for name, found in json.loads(done.stdout)}


def main(folder: Path, *leave_out: str) -> None:
    """Read pieces as lines of hexadecimal digits, and print the places among them of what each file contains.

    Before each piece stands where in it those bytes are by which it is known.
    """
    lines = [line.split() for line in sys.stdin]
    heads = {bytes.fromhex(digits): int(start) for start, digits in lines}
    places = {piece: place for place, piece in enumerate(heads)}
    pieces = Pieces(heads, heads=heads)
    met = []
    for file in sorted(folder.iterdir()):
        try:
            if file.name not in leave_out and _is_to_be_read(file):
                met.append((file.name, sorted(places[piece] for piece in found_in(file, pieces))))
        except FileNotFoundError:
            continue  # dropped meanwhile by who publishes
        except OSError as error:
            sys.exit(f"{file.name}: {error.strerror or error}")
    json.dump(met, sys.stdout)


def _is_to_be_read(file: Path) -> bool:
    """Whether it is a file and not empty. What a link leads to is no file of the index, whoever has put it there."""
    looked = file.lstat()
    return stat.S_ISREG(looked.st_mode) and looked.st_size > 0


def found_in(path: Path, pieces: Pieces) -> set[bytes]:
    """Which of these pieces the file contains, at any place; one pass, however many pieces there are.

    Raises:
        OSError: the file cannot be read.
    """
    found: set[bytes] = set()
    with own_files.open_to_read(path) as file:
        rest = b""
        while pieces and (block := file.read(_AT_ONCE)):
            data = rest + block
            found |= pieces.within(data, found)
            rest = data[-pieces.overlap :]
    return found


class Pieces:
    """Pieces of bytes to look for.

    Attributes:
        heads: where in each piece those six bytes are by which it is known.
        overlap: bytes at the end of a block in which a piece may begin that goes on in the next.
    """

    def __init__(
        self, needles: Collection[bytes], common: bytes = b"", heads: Mapping[bytes, int] | None = None
    ) -> None:
        """Choose by what each piece is known.

        Args:
            needles: the pieces.
            common: some of what is looked through, such as paths that begin like those that are looked for: a piece is
                known by what is rare there, for else each place that begins like it would have to be compared.
            heads: as they were chosen before.

        Raises:
            ValueError: a piece is shorter than 6 bytes: the like of it is in any file.
        """
        if any(len(needle) < LEAST_BYTES for needle in needles):
            raise ValueError(_TOO_SHORT)
        seen = Counter(common[start : start + LEAST_BYTES] for start in range(len(common) - LEAST_BYTES + 1))
        self.heads = dict(heads) if heads is not None else {needle: _rarest(needle, seen) for needle in needles}
        self.overlap = max(map(len, needles), default=1) - 1
        self._by_head: dict[int, list[bytes]] = defaultdict(list)
        for needle, start in self.heads.items():
            self._by_head[int.from_bytes(needle[start : start + LEAST_BYTES], "little")].append(needle)
        self._words = np.array(sorted(self._by_head), dtype=np.uint64)
        # Most places fall through a table of the lowest bits; the few others are looked up exactly.
        self._passing = np.zeros(1 << _FILTER_BITS, dtype=bool)
        self._passing[(self._words & np.uint64(len(self._passing) - 1)).astype(np.int64)] = True

    def __bool__(self) -> bool:
        return bool(self.heads)

    def within(self, data: bytes, known: Collection[bytes] = frozenset()) -> set[bytes]:
        """Those that stand in these bytes, but for those that are ``known`` to."""
        heads, places = self._places(data + bytes(_WORD))  # a head may stand at the very end
        met, begin = np.unique(heads, return_index=True)
        found = set()
        for head, some in zip(met.tolist(), np.split(places, begin)[1:], strict=True):
            for needle in self._by_head[head]:
                start = self.heads[needle]
                if needle not in known and any(_stands(data, needle, place - start) for place in some.tolist()):
                    found.add(needle)
        return found

    def _places(self, data: bytes) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Every head that is met, in order, with the place where it is."""
        heads, places = [], []
        for shift in range(_WORD):
            words = np.frombuffer(data, dtype="<u8", count=(len(data) - shift) // _WORD, offset=shift)
            near = np.flatnonzero(self._passing[(words & np.uint64(len(self._passing) - 1)).astype(np.int64)])
            masked = words[near] & _HEAD_BITS
            known = np.isin(masked, self._words)
            heads.append(masked[known])
            places.append(shift + near[known] * _WORD)
        every, where = np.concatenate(heads), np.concatenate(places)
        order = np.argsort(every, kind="stable")
        return every[order], where[order]


def _rarest(needle: bytes, seen: Mapping[bytes, int]) -> int:
    """Where the six bytes of a piece begin that are seen least; the middle one of several."""
    if not seen:
        return 0
    counts = [seen.get(needle[start : start + LEAST_BYTES], 0) for start in range(len(needle) - LEAST_BYTES + 1)]
    least = min(counts)
    rare = [start for start, count in enumerate(counts) if count == least]
    return rare[len(rare) // 2]


def _stands(data: bytes, needle: bytes, place: int) -> bool:
    return place >= 0 and data.startswith(needle, place)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
