"""Whether a night finds what a check finds: ``make bench NAME=nights``.

Photos of ../shared/photos, each on an account of its own, and edited copies of some on others: four copies of each
edit at the default strength, no photo twice, so that every ring has two accounts. Each copy is checked, and rings are
asked for; wrong is a tie of accounts that show no photo in common. ``--photos N`` stores so many photos beside those
that were copied: what a night takes for a copy hangs on how many pictures it compares. ``--quick`` takes an edit in
five.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_edits import STORED, Copy, draw_all, name_of
from common import QUICK, photos_in, print_figures, say
from edited_copies import Asked
from edits import EDITS

from imgmatch.index import Index
from imgmatch.model import NewPhoto

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgmatch.model import Ring

SEED = 97
COPIES = 4
"""Of each edit, at its default strength."""


def run() -> dict[str, Any]:
    asked_for = argparse.ArgumentParser()
    asked_for.add_argument("--photos", type=int, default=10**6)
    asked_for.add_argument("--quick", action="store_true")
    beside = asked_for.parse_args().photos
    rng = random.Random(SEED)
    every = photos_in(*STORED)
    rng.shuffle(every)
    names = list(EDITS)[:: 5 if QUICK else 1]
    asked = [
        Asked(path, names[number % len(names)], 1, rng.getrandbits(32))
        for number, path in enumerate(every[: COPIES * len(names)])
    ]
    stored = every[: len(asked) + beside]
    with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as folder:
        home = Path(folder)
        copies = draw_all(home / "copies", asked)
        with Index.create(home / "index", workers=2) as index:
            index.add([NewPhoto.at(path, account=name_of(path)) for path in stored])
            index.add([NewPhoto.at(copy.file, account=account_of(copy)) for copy in copies])
            say(f"{len(index):,} photos indexed")
            checked = found_by_checks(index, copies)
            return {"photos": len(index), "copies": len(copies)} | told(copies, checked, index.rings().rings)


def account_of(copy: Copy) -> str:
    return f"copy of {name_of(copy.asked.path)}"


def found_by_checks(index: Index, copies: Sequence[Copy]) -> set[str]:
    """Accounts of copies whose original a check finds."""
    results = index.check_many([copy.file for copy in copies], limit=50)
    return {
        account_of(copy)
        for copy, result in zip(copies, results, strict=True)
        if name_of(copy.asked.path) in {match.photo.account for match in result}
    }


def told(copies: Sequence[Copy], checked: set[str], rings: Sequence[Ring]) -> dict[str, Any]:
    """Both side by side, and what is wrong."""
    ring_of = {member.account: number for number, ring in enumerate(rings) for member in ring.accounts}
    tied = {
        account_of(copy)
        for copy in copies
        if ring_of.get(account_of(copy), -1) == ring_of.get(name_of(copy.asked.path), -2)
    }
    by_edit: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for copy in copies:
        by_edit[copy.asked.edit][0] += account_of(copy) in checked
        by_edit[copy.asked.edit][1] += account_of(copy) in tied
    shown = {account_of(copy): {name_of(copy.asked.path), *map(name_of, copy.fillers)} for copy in copies}
    wrong = [sorted(member.account for member in ring.accounts) for ring in rings]
    wrong = [accounts for accounts in wrong if not hang_together([shown.get(one, {one}) for one in accounts])]
    return {
        "found_by_check_percent": round(100 * len(checked) / len(copies), 2),
        "found_by_rings_percent": round(100 * len(tied) / len(copies), 2),
        "by_check_alone": len(checked - tied),
        "by_rings_alone": len(tied - checked),
        "less_than_all_by_edit": {edit: found for edit, found in by_edit.items() if min(found) < COPIES},
        "rings": len(rings),
        "wrong_rings": wrong,
    }


def hang_together(shown: Sequence[set[str]]) -> bool:
    """Whether accounts that show these photos are tied by those that they share: two pages may show a third person."""
    reached, rest = set(shown[0]), list(shown[1:])
    while near := [photos for photos in rest if photos & reached]:
        reached.update(*near)
        rest = [photos for photos in rest if not photos & reached]
    return not rest


if __name__ == "__main__":
    print_figures("nights", run)
