"""Labelled pairs of pictures: edited copies with their originals, and the strangers that look most like copies.

On templates (`edits/templates.py`) stored photos lie beside those stored as they are, and are asked about in the same
and in other templates: what two pictures have in common then is the template, or the photo in it.

Three quarters of the photos of ../shared/photos are stored, the rest is left out; of each person in `same-person` half
are on each side. Queries are edited copies of stored photos, whose candidates but the original itself are strangers,
and left-out photos, edited or not, whose candidates are all strangers. Strangers on collages and screens come from
those left out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, TypeVar

import faiss
import numpy as np
from common import PHOTOS, photos_in, say
from edited_copies import Asked, drawn
from edits import WORDS_ONLY
from numpy.typing import NDArray

from imgmatch import registry
from imgmatch.describing.describe import Describer
from imgmatch.describing.messages import Description, Job
from imgmatch.describing.settings import Settings
from imgmatch.engines.ivf import IvfEngine
from imgmatch.features.verify import Query, StoredPicture
from imgmatch.imaging.limits import Limits
from imgmatch.matching.evidence import apart, turned_back
from imgmatch.matching.verification import MOST_CANDIDATES, known_picture
from imgmatch.model import ORIENTATIONS
from imgmatch.numeric import use_one_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Item = TypeVar("Item")
Result = TypeVar("Result")

FOLDERS = ("portraits", "phone", "generated", "avatars", "same-person")
HASHER = registry.DEFAULT_HASHERS[0]
LEAST_VOTES = 1.0
"""Candidates with less are not verified: a check wants more."""

NEAR = 76
"""Bits within which a stored picture is laid over the query frame on frame, candidate or not."""


def is_left_out(path: Path) -> bool:
    """One in four, and of each person in `same-person` every second photo."""
    if path.parent.parent.name == "same-person":
        return int(path.stem) % 2 == 1 if path.stem.isdigit() else path.name > "3"
    return hashlib.sha256(str(path.relative_to(PHOTOS)).encode()).digest()[0] < 64


@dataclass(frozen=True)
class Shelf:
    """Stored pictures with everything a check needs of them."""

    shown: list[Asked]
    known: list[StoredPicture]
    bits: NDArray[np.uint8]
    engine: IvfEngine

    def has(self, asked: Asked) -> bool:
        """Whether a photo that is asked about is stored, as it is or in a template that shows it."""
        return asked.edit not in WORDS_ONLY and any(
            one.path == asked.path and one.edit not in WORDS_ONLY for one in self.shown
        )


def shelf_of(shown: Sequence[Asked], others: Sequence[Path]) -> Shelf:
    """Describe and index these photos; those that cannot be used are left out."""
    kept, described = [], []
    describer = Describer(Settings(limits=Limits()))
    replies = in_processes(lambda one: describer.describe(Job(drawn(one, others))), shown, "stored")
    for one, reply in zip(shown, replies, strict=True):
        if isinstance(reply, Description):
            kept.append(one)
            described.append(reply)
    book, stored = registry.codebook(registry.DEFAULT_CODEBOOK), (one.first.stored for one in described)
    known = [known_picture(one.record, one.thumbnail, book) for one in stored if one is not None]
    bits = np.frombuffer(b"".join(one.first.fingerprints[HASHER] for one in described), np.uint8).reshape(-1, 32)
    engine = IvfEngine.empty(registry.codebook(registry.DEFAULT_CODEBOOK))
    engine = engine.appended([(row, one.features) for row, one in enumerate(known)], len(known))
    return Shelf(kept, known, bits, engine)


@dataclass(slots=True)
class Found:
    """What one query came to: one entry in `rows`, `figures` and `ways` for each way a candidate lies in the query."""

    asked: Asked
    usable: bool
    among: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    figures: list[NDArray[np.float32]] = field(default_factory=list)
    stored: bool = False


class Asker:
    """Asks a shelf, in the process it is called in."""

    def __init__(self, shelf: Shelf, others: Sequence[Path]) -> None:
        self._shelf = shelf
        self._others = others
        self._describer = Describer(Settings(limits=Limits()))
        self._codebook = registry.codebook(registry.DEFAULT_CODEBOOK)

    def ask(self, asked: Asked) -> Found:
        """Draw, describe, search and verify."""
        reply = self._describer.describe(Job(drawn(asked, self._others), query=True))
        if not isinstance(reply, Description) or reply.first.asked is None:
            return Found(asked, usable=False)
        found = Found(asked, usable=True)
        turned = np.frombuffer(reply.first.orientations[HASHER], np.uint8).reshape(-1, 32)
        distances = np.bitwise_count(turned[:, None] ^ self._shelf.bits[None]).sum(2)
        least = distances.min(0)
        every = self._shelf.engine.search([reply.first.asked.features], MOST_CANDIDATES, LEAST_VOTES)[0]
        candidates = {one.row: one.mirrored for one in every}
        found.among = list(candidates)
        found.stored = self._shelf.has(asked)
        near = (
            {}
            if reply.first.flat
            else {int(row): int(distances[:, row].argmin()) for row in np.flatnonzero(least <= NEAR)}
        )
        query = Query(reply.first.asked.picture, reply.first.asked.features)
        claims: list[tuple[int, bool, int | None]] = [(row, mirrored, None) for row, mirrored in candidates.items()]
        claims += [(row, ORIENTATIONS[turn].mirrored, turned_back(ORIENTATIONS[turn])) for row, turn in near.items()]
        for row, mirrored, rotation in claims:
            placed = query.placed(
                self._shelf.known[row],
                self._codebook,
                mirrored=mirrored,
                apart=apart(turned, self._shelf.bits[row].tobytes()),
                rotation=rotation,
            )
            ways = query.compared(placed)
            found.rows += [row] * len(ways)
            found.figures += [way.figures.row() for way in ways]
        return found


def ask_all(shelf: Shelf, others: Sequence[Path], queries: Sequence[Asked]) -> list[Found]:
    """Ask every query, in some processes."""
    return in_processes(Asker(shelf, others).ask, queries, "queries")


def in_processes(work: Callable[[Item], Result], items: Sequence[Item], what: str, processes: int = 2) -> list[Result]:
    """Do the same with every item, in some processes that inherit all that ``work`` knows."""
    global _work  # noqa: PLW0603 -- what forked processes inherit
    _work = work
    done: list[Result] = []
    with get_context("fork").Pool(processes, _alone) as pool:
        for number, result in enumerate(pool.imap(_do, items, chunksize=8), 1):
            done.append(result)
            if number % 500 == 0:
                say(f"{number:,} of {len(items):,} {what}")
    return done


_work: Any = None


def _alone() -> None:
    use_one_thread()
    faiss.omp_set_num_threads(1)


def _do(item: Any) -> Any:  # noqa: ANN401 -- whatever the work takes and gives
    return _work(item)


def split() -> tuple[list[Path], list[Path]]:
    """Stored photos, and those left out."""
    every = photos_in(*FOLDERS)
    return [path for path in every if not is_left_out(path)], [path for path in every if is_left_out(path)]
