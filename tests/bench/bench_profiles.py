"""What every hasher's profile is chosen by: bits between strangers, and between edited copies and their originals.

Every photo of ../shared/photos is compared with every other in all orientations; edited copies, every edit of
``edits`` in turn, are compared with all. A curve is fitted to copies that fingerprints can find and to the nearest
strangers of each query. Prints one line of JSON; two minutes on an idle machine.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from common import PHOTOS, QUICK, photos_in, print_figures, say
from edited_copies import Asked, drawn_with_fillers
from edits import EDITS
from numpy.typing import NDArray
from pairs import FOLDERS, in_processes, is_left_out
from scipy.optimize import minimize

from imgmatch import registry
from imgmatch.describing.describe import Describer
from imgmatch.describing.messages import Description, Job
from imgmatch.describing.settings import Settings
from imgmatch.features.pair_model import shipped
from imgmatch.model import FINGERPRINT_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence


SEED = 71
COPIES = 77 if QUICK else 1_540
NEAREST = 10
"""Strangers of each query, the nearest first, that the curve is fitted against."""

RARE = 20
"""A hasher's reach is the distance within which fewer pairs of strangers are found here: ``phash`` has 19 within 60."""

SWEEP = (*range(0, 32, 2), 31, 36, 40, 44, 48, 52, 56, 60)


@dataclass(frozen=True, slots=True)
class Print:
    """A photo's fingerprints in all orientations, (8, 32) by hasher, and what other photos an edit of it shows."""

    path: Path
    shown: frozenset[Path]
    orientations: dict[str, NDArray[np.uint8]]


class Hashing:
    """Describes photos and edited copies, in the process it is called in."""

    def __init__(self) -> None:
        self._describer = Describer(Settings(tuple(registry.HASHERS), features=False))
        self._fillers = [file for file in photos_in(*FOLDERS) if is_left_out(file)]

    def hash(self, asked: Path | Asked) -> Print | None:
        """A photo's, or an edited copy's; ``None`` where its fingerprints say nothing."""
        if isinstance(asked, Asked):
            content, shown = drawn_with_fillers(asked, self._fillers)
            return self._print(asked.path, Job(content, query=True), shown)
        return self._print(asked, Job(asked, query=True))

    def _print(self, path: Path, job: Job, shown: frozenset[Path] = frozenset()) -> Print | None:
        reply = self._describer.describe(job)
        if not isinstance(reply, Description) or reply.first.flat is not None:
            return None
        rows = {name: np.frombuffer(bits, np.uint8).reshape(-1, 32) for name, bits in reply.first.orientations.items()}
        return Print(path, shown, rows)


def twins() -> list[list[Path]]:
    """Pairs of files that were looked at and are copies of one picture."""
    lines = (Path(__file__).parent / "twins.txt").read_text(encoding="utf-8").splitlines()
    return [[PHOTOS / name for name in line.split()] for line in lines if line and not line.startswith("#")]


def distances(queries: Sequence[Print], stored: Sequence[Print], hasher: str) -> NDArray[np.uint16]:
    """Least bits over all orientations, shape (queries, stored)."""
    words = np.stack([one.orientations[hasher][0] for one in stored]).view(np.uint64)
    rows = [one.orientations[hasher].view(np.uint64) for one in queries]
    least = np.empty((len(queries), len(stored)), np.uint16)
    for number, row in enumerate(rows):
        bits = np.bitwise_count(row[:, None] ^ words[None]).sum(axis=2, dtype=np.uint16)
        least[number] = bits.min(axis=0)
    return least


def run() -> dict[str, Any]:
    files, hashing = photos_in(*FOLDERS)[:: 20 if QUICK else 1], Hashing()
    stored = [one for one in in_processes(hashing.hash, files, "photos") if one is not None]
    usable = [one.path for one in stored if not is_left_out(one.path)]
    rng, names = random.Random(SEED), list(EDITS)
    asked = [
        Asked(rng.choice(usable), name, rng.choice(EDITS[name].strengths), number)
        for number in range(COPIES)
        for name in (names[number % len(names)],)
    ]
    copies = [one for one in in_processes(hashing.hash, asked, "edited copies") if one is not None]
    say(f"of {len(files):,} photos {len(stored):,} and of {len(asked):,} copies {len(copies):,} are not flat")
    return {
        "photos": len(stored),
        "copies": len(copies),
        "accept": shipped().accept,
        **{hasher: figures(hasher, stored, copies) for hasher in registry.HASHERS},
    }


def figures(hasher: str, stored: Sequence[Print], copies: Sequence[Print]) -> dict[str, Any]:
    """What one hasher's profile is chosen by."""
    say(hasher)
    rows = {one.path: row for row, one in enumerate(stored)}
    apart = distances(stored, stored, hasher)
    apart = np.minimum(apart, apart.T)
    apart[np.tril_indices(len(stored))] = FINGERPRINT_BITS
    for one, other in twins():
        if one in rows and other in rows:
            apart[rows[one], rows[other]] = apart[rows[other], rows[one]] = FINGERPRINT_BITS
    to_all = distances(copies, stored, hasher)
    own = np.array([rows[one.path] for one in copies])
    here = np.arange(len(copies))
    to_own = to_all[here, own].astype(np.int64)
    to_all[here, own] = FINGERPRINT_BITS
    for number, copy in enumerate(copies):
        to_all[number, [rows[path] for path in copy.shown if path in rows]] = FINGERPRINT_BITS
    strangers = np.sort(to_all, axis=1)[:, :NEAREST].astype(np.int64)
    reach = int(np.sort(apart, axis=None)[RARE]) - 1
    slope, shift = line = curve(to_own[to_own <= reach], strangers)
    accept = shipped().accept
    return {
        "nearest_strangers": nearest(apart, stored),
        "reach": reach,
        "curve": line,
        "accepted_up_to": int((np.log(accept / (1 - accept)) - shift) / slope),
        "stranger_pairs_within": {bits: int((apart <= bits).sum()) for bits in SWEEP},
        "copies_within_percent": {bits: round(100 * float((to_own <= bits).mean()), 2) for bits in SWEEP},
        "copies_near_a_stranger": {bits: int((strangers[:, 0] <= bits).sum()) for bits in SWEEP},
    }


def nearest(apart: NDArray[np.uint16], stored: Sequence[Print]) -> list[list[int | str]]:
    """The strangers that are nearest to each other, for someone to look at."""
    first = np.argsort(apart, axis=None)[:RARE]
    ends = zip(*np.unravel_index(first, apart.shape), strict=True)
    return [
        [int(apart[one, other]), *(stored[row].path.relative_to(PHOTOS).as_posix() for row in (one, other))]
        for one, other in ends
    ]


def curve(copies: NDArray[np.int64], strangers: NDArray[np.int64]) -> list[float]:
    """Slope and shift from bits to log odds."""
    bits = np.concatenate([copies, strangers.ravel()]).astype(np.float64)
    sign = np.concatenate([np.ones(len(copies)), -np.ones(strangers.size)])

    def loss(line: NDArray[np.float64]) -> float:
        return float(np.logaddexp(0, -sign * (line[0] * bits + line[1])).mean())

    fitted = minimize(loss, np.array([-0.2, 15.0]), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-12})
    return [round(float(number), 4) for number in fitted.x]


if __name__ == "__main__":
    print_figures("profiles", run)
