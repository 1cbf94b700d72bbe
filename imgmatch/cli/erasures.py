"""What is said of an erasure: what it has left, and what came of one that another command went on with."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from imgmatch.cli import log, options
from imgmatch.errors import IndexUnusableError

if TYPE_CHECKING:
    from imgmatch import Index
    from imgmatch.model import Erasure

_CATALOG = "catalog."
"""What the files are called by in which what was erased may stand while somebody reads an older state."""


def tell_erasures(index: Index, *, quiet: bool = False) -> None:
    """From now on say what came of each erasure that was cut off and that another verb goes on with.

    Args:
        index: whose.
        quiet: of one of which nothing is left, tell only programs.
    """

    def hear(done: Erasure | IndexUnusableError) -> None:
        if isinstance(done, IndexUnusableError):
            log.say(f"an erasure that was cut off cannot be finished: {done}", level=logging.WARNING)
        else:
            _tell_outcome(done, quiet=quiet)

    index.hear_erasure = hear


def _tell_outcome(erasure: Erasure, *, quiet: bool) -> None:
    from imgmatch.formats.records import erase_record

    said = "finished" if erasure.finished else "cannot finish yet"
    proof = f"{erasure.searched_for:,} pieces searched for in {erasure.files_searched:,} files"
    counts = f"{erasure.photos:,} photos, {erasure.traces:,} traces, {proof}"
    clean = erasure.finished and not (erasure.came_back or erasure.reasons)
    if log.is_json() or not (quiet and clean):
        log.say(f"{said} an erasure that was cut off, of {_named(erasure)}: {counts}", **erase_record(erasure))
    tell_what_is_left(erasure)


def _named(erasure: Erasure) -> str:
    if erasure.account is not None:
        return f"account {erasure.account!r}"
    return "old photos" if erasure.photo_id is None else f"photo {erasure.photo_id!r}"


def tell_what_is_left(erasure: Erasure) -> bool:
    """Say what is left in the index, if anything is; returns whether."""
    for file, kinds in erasure.found.items():
        what = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items())
        mend = "erase again once that is mended"
        if not erasure.compacted and file.startswith(_CATALOG):
            mend = "somebody reads an older state of the catalog, and it can go once nobody does"
        options.note(f"{file} still holds {what} of what was erased; {mend}", quiet=False)
    if not erasure.compacted:
        options.note(
            "the erasure is not finished: somebody still reads an older state of the catalog; the next scan, rings,"
            " calibrate or rebuild goes on, or erase again",
            quiet=False,
        )
    if erasure.came_back:
        said = f"{erasure.came_back:,} photos of it were added again meanwhile"
        options.note(f"{said}: take them out of their source, and erase again", quiet=False)
    if erasure.elsewhere:
        machines = ", ".join(erasure.elsewhere)
        options.note(f"engine files on {machines} may hold it until they are written anew there: rebuild", quiet=False)
    if erasure.reasons:
        numbers = ", ".join(map(str, erasure.reasons))
        options.note(f"reasons that still speak of it: decision {numbers}; --mask-reasons masks them", quiet=False)
    return bool(erasure.traces or erasure.came_back or erasure.reasons or not erasure.finished)
