"""How many edited copies a check finds, edit by edit, next to other methods; and how often it is wrong.

The index holds the photos of ../shared/photos but those of `same-person`, and the placeholders, each on an account of
its own. Prints a table to stderr and one line of JSON; the copies that were missed and the wrong answers go to a
folder, for someone to look at. ``--alone`` leaves out the other methods, which take most of the time; ``--quick`` takes
a tenth of the sample.
"""

from __future__ import annotations

import csv
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagehash
import numpy as np
from common import PHOTOS, QUICK, photos_in, print_figures, say
from edited_copies import Asked, drawn_with_fillers
from edits import EDITS
from PIL import Image

from imgmatch.describing.messages import Description, Job
from imgmatch.index import Index
from imgmatch.model import CheckResult, NewPhoto, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

SEED = 77
DEFAULT, OTHER = 24, 8
"""Photos edited at the default strength, and at each of the two others."""

STORED = ("portraits", "phone", "generated", "avatars")
PLACEHOLDERS, PEOPLE = "placeholders", "same-person"
SLOW_SAMPLE = 6
"""Copies an edit that the slow peers are asked about."""

PEER_PYTHON = Path(__file__).resolve().parents[2] / ".venv-perception" / "bin" / "python"
ALONE = "--alone" in sys.argv
_PROMISED = 95
"""Per cent of each edit, at the default strength."""

METHODS = (
    "ours",
    "phash-16, 8 orientations, 36",
    "PDQ 31",
    "PDQ 31, 8 orientations",
    "crop_resistant_hash",
    "perception SIFT",
)


@dataclass(frozen=True, slots=True)
class Copy:
    """An edited photo in a file; ``asked.path`` is the original, ``fillers`` are the other photos it may show."""

    asked: Asked
    file: Path
    fillers: frozenset[Path] = frozenset()


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as folder:
        home = Path(folder)
        copies = draw_all(home / "copies", sample())
        with Index.create(home / "index", workers=2) as index:
            stored = photos_in(*STORED) + photos_in(PLACEHOLDERS)
            scanned = index.add([NewPhoto.at(path, account=name_of(path)) for path in stored])
            say(f"{len(index):,} photos indexed, {scanned.photos_per_second:.0f} a second")
            found = ours(index, copies)
            wrong = strangers(index, home / "strangers")
            peers = others(index, copies, home)
        misses = keep_for_a_look(copies, found, wrong)
        return figures(copies, found, peers) | {"false_answers": wrong.counts, "looked_at": str(misses)}


def name_of(path: Path) -> str:
    return str(path.relative_to(PHOTOS))


def sample() -> list[Asked]:
    """Which photos are edited how."""
    rng = random.Random(SEED)
    every = photos_in(*STORED)
    weights = [1 if path.parent.name in {"portraits", "phone"} else 4 for path in every]
    asked = []
    for name, edit in EDITS.items():
        for strength in edit.strengths:
            count = (DEFAULT if strength == 1 else OTHER) // (10 if QUICK else 1)
            asked += [Asked(path, name, strength, rng.getrandbits(32)) for path in rng.choices(every, weights, k=count)]
    return asked


def draw_all(folder: Path, asked: Sequence[Asked]) -> list[Copy]:
    """Draw into files; strangers on collages and screens are photos of `same-person`."""
    folder.mkdir()
    say(f"drawing {len(asked):,} edited photos")
    copies = [Copy(one, folder / f"{number:06}.jpg") for number, one in enumerate(asked)]
    with get_context("fork").Pool(2) as pool:
        return pool.map(_draw, copies, chunksize=16)


def _draw(copy: Copy) -> Copy:
    data, fillers = drawn_with_fillers(copy.asked, photos_in(PEOPLE))
    copy.file.write_bytes(data)
    return replace(copy, fillers=fillers)


def ours(index: Index, copies: Sequence[Copy]) -> list[CheckResult]:
    """What a check says of each copy."""
    say("checking them")
    return list(told(index.check_many([copy.file for copy in copies], limit=50), len(copies)))


def told(results: Iterable[CheckResult], count: int) -> Iterator[CheckResult]:
    for number, result in enumerate(results, 1):
        if number % 1000 == 0:
            say(f"{number:,} of {count:,}")
        yield result


def accounts(result: CheckResult) -> set[str]:
    return {match.photo.account for match in result}


@dataclass(frozen=True, slots=True)
class Wrong:
    """Answers to photos that are not in the index, or not on another account."""

    counts: dict[str, Any]
    answers: list[tuple[Path, CheckResult]]


def strangers(index: Index, folder: Path) -> Wrong:
    """Photos whose every answer is a false one, unless somebody finds the two to be copies after all."""
    say("checking photos that nobody else has")
    rng = random.Random(SEED + 1)
    people = photos_in(PEOPLE)
    every = photos_in(*STORED)
    alone = rng.sample(every, len(every) // (20 if QUICK else 2))
    names = list(EDITS)
    asked = [Asked(path, rng.choice(names), 1, rng.getrandbits(32)) for path in people * (1 if QUICK else 3)]
    edited = draw_all(folder, asked)
    kinds: dict[str, list[tuple[Path, CheckResult]]] = {
        "photos of the index, their own account left out": [
            (path, without(result, name_of(path)))
            for path, result in zip(alone, index.check_many(alone, limit=50), strict=True)
        ],
        "photos of people who are not in it": list(zip(people, index.check_many(people), strict=True)),
        "the same, edited": [
            (copy.file, result)
            for copy, result in zip(edited, index.check_many([copy.file for copy in edited]), strict=True)
        ],
    }
    answers = [pair for checked in kinds.values() for pair in checked if pair[1].status is Status.MATCH]
    counts = {
        kind: {"checks": len(of), "answered": sum(result.status is Status.MATCH for _, result in of)}
        for kind, of in kinds.items()
    }
    kept = Path(tempfile.mkdtemp(prefix="imgmatch-wrong-"))
    named = [(kept / f"{number}{path.suffix}", path, result) for number, (path, result) in enumerate(answers)]
    return Wrong(counts, [(Path(shutil.copy(path, to)), result) for to, path, result in named])


def without(result: CheckResult, account: str) -> CheckResult:
    """The answer as if this account had been left out."""
    matches = tuple(match for match in result if match.photo.account != account)
    return replace(result, matches=matches, status=Status.MATCH if matches else Status.NO_MATCH)


def others(index: Index, copies: Sequence[Copy], home: Path) -> dict[str, list[bool | None]]:
    """What the other methods say of each copy; ``None`` where they were not asked."""
    if ALONE:
        return {name: [None] * len(copies) for name in METHODS[1:]}
    return hashes(index, copies) | crop_resistant(copies) | perception(copies, home)


def hashes(index: Index, copies: Sequence[Copy]) -> dict[str, list[bool | None]]:
    """Whether the original is within reach by fingerprints alone."""
    say("hashing")
    originals = sorted({copy.asked.path for copy in copies})
    of_original = dict(zip(originals, described(index, originals, query=False), strict=True))
    queries = described(index, [copy.file for copy in copies], query=True)
    answers: dict[str, list[bool | None]] = {name: [] for name in METHODS[1:4]}
    for copy, query in zip(copies, queries, strict=True):
        stored = of_original[copy.asked.path]
        for name, hasher, rows, reach in (
            (METHODS[1], "phash", 8, 36),
            (METHODS[2], "pdq", 1, 31),
            (METHODS[3], "pdq", 8, 31),
        ):
            answers[name].append(bool(query and stored) and least(query, stored, hasher, rows) <= reach)
    return answers


def described(index: Index, paths: Sequence[Path], *, query: bool) -> list[Description | None]:
    replies = index.parts.runner.describe(paths, lambda path: Job(path, query=query))
    return [reply if isinstance(reply, Description) else None for _, reply in replies]


def least(query: Description | None, stored: Description | None, hasher: str, rows: int) -> int:
    if query is None or stored is None:
        return 256
    turned: NDArray[np.uint8] = np.frombuffer(query.first.orientations[hasher], np.uint8).reshape(-1, 32)[:rows]
    return int(np.bitwise_count(turned ^ np.frombuffer(stored.first.fingerprints[hasher], np.uint8)).sum(1).min())


def few(copies: Sequence[Copy]) -> list[int]:
    """Numbers of the first copies of every edit at the default strength."""
    seen: Counter[str] = Counter()
    chosen = []
    for number, copy in enumerate(copies):
        if copy.asked.strength == 1 and seen[copy.asked.edit] < SLOW_SAMPLE:
            seen[copy.asked.edit] += 1
            chosen.append(number)
    return chosen


def crop_resistant(copies: Sequence[Copy]) -> dict[str, list[bool | None]]:
    """imagehash's hash of segments, each copy against its original alone."""
    say("imagehash.crop_resistant_hash on a sample")
    answers: list[bool | None] = [None] * len(copies)
    for number in few(copies):
        copy = copies[number]
        with Image.open(copy.file) as one, Image.open(copy.asked.path) as other:
            hashes_of = [imagehash.crop_resistant_hash(image.convert("RGB")) for image in (one, other)]
        answers[number] = bool(hashes_of[0].matches(hashes_of[1]))
    return {METHODS[4]: answers}


def perception(copies: Sequence[Copy], home: Path) -> dict[str, list[bool | None]]:
    """Thorn's SIFT pairs, in an environment of its own, a sample against its originals."""
    answers: list[bool | None] = [None] * len(copies)
    if not PEER_PYTHON.exists():
        say(f"perception is left out: there is no {PEER_PYTHON}")
        return {METHODS[5]: answers}
    say("perception on a sample")
    chosen = few(copies)
    (home / "pairs.csv").write_text("".join(f"{copies[n].file},{copies[n].asked.path}\n" for n in chosen))
    script = Path(__file__).with_name("peer_perception.py")
    done = subprocess.run([PEER_PYTHON, script, home / "pairs.csv"], capture_output=True, text=True, check=True)
    for number, line in zip(chosen, done.stdout.split(), strict=True):
        answers[number] = line == "1"
    return {METHODS[5]: answers}


def keep_for_a_look(copies: Sequence[Copy], found: Sequence[CheckResult], wrong: Wrong) -> Path:
    """Missed copies beside their originals, and a list of the wrong answers."""
    folder = Path(tempfile.mkdtemp(prefix="imgmatch-edits-"))
    with (folder / "list.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("what", "edit", "strength", "query", "stored", "kind", "score"))
        for copy, result in zip(copies, found, strict=True):
            asked, name = copy.asked, name_of(copy.asked.path)
            if name not in accounts(result):
                kept = shutil.copy(copy.file, folder / f"{asked.edit}-{asked.strength}-{copy.file.name}")
                table.writerow(("missed", asked.edit, asked.strength, kept, name, result.status, ""))
            for match in result:
                if match.photo.account != name:
                    row = (asked.path, match.photo.account, match.evidence.kind, match.evidence.score)
                    table.writerow(("other", asked.edit, asked.strength, *row))
        for path, result in wrong.answers:
            for match in result:
                row = (path, match.photo.account, match.evidence.kind, match.evidence.score)
                table.writerow(("wrong", "", "", *row))
    return folder


def figures(
    copies: Sequence[Copy], found: Sequence[CheckResult], peers: Mapping[str, list[bool | None]]
) -> dict[str, Any]:
    right: list[bool | None] = [
        name_of(copy.asked.path) in accounts(result) for copy, result in zip(copies, found, strict=True)
    ]
    answers = {"ours": right} | dict(peers)
    by_edit: dict[str, dict[str, Any]] = {}
    for name, edit in EDITS.items():
        rows = [n for n, copy in enumerate(copies) if copy.asked.edit == name]
        default = [n for n in rows if copies[n].asked.strength == 1]
        by_edit[name] = {"family": edit.family, "copies": len(default)}
        by_edit[name] |= {method: percent(answers[method][n] for n in default) for method in answers}
        for strength, word in ((0, "light"), (2, "heavy")):
            by_edit[name][word] = percent(answers["ours"][n] for n in rows if copies[n].asked.strength == strength)
    means = {method: mean(row[method] for row in by_edit.values()) for method in answers}
    print_table(by_edit)
    both = zip(copies, found, strict=True)
    others = sum(bool(accounts(result) - {name_of(copy.asked.path)}) for copy, result in both)
    kinds = Counter(match.evidence.kind for result in found for match in result)
    return {
        "checks": len(copies),
        "mean_percent": means | {word: mean(row[word] for row in by_edit.values()) for word in ("light", "heavy")},
        "under_95": {name: row["ours"] for name, row in by_edit.items() if (row["ours"] or 0) < _PROMISED},
        "checks_that_name_another_account_too": others,
        "kinds": {str(kind): count for kind, count in kinds.items()},
        "edits": by_edit,
    }


def percent(answers: Iterable[bool | None]) -> float | None:
    known = [answer for answer in answers if answer is not None]
    return round(100 * sum(known) / len(known), 1) if known else None


def mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 2) if known else None


def print_table(by_edit: Mapping[str, Mapping[str, Any]]) -> None:
    heads = ["edit", "light", "**default**", "heavy", *METHODS[1:]]
    keys = ("light", "ours", "heavy", *METHODS[1:])
    rows = [[name, *(row[key] for key in keys)] for name, row in by_edit.items()]
    rows.append(["mean", *(mean(row[key] for row in by_edit.values()) for key in keys)])
    say(" | ".join(["", *heads, ""]).strip())
    say("|" + "---|" * len(heads))
    for row in rows:
        say("| " + " | ".join("" if cell is None else str(cell) for cell in row) + " |")


if __name__ == "__main__":
    print_figures("edits", run)
