"""One version of imgmatch at work in a world, through its command line: every answer it gives as JSON, kept in a file.

What is asked is the same for every version: three nights of scans and rings, decisions between them, checks, pairs,
fingerprints, ``rebuild`` and ``erase``. The decisions name rings and groups that the version before has shown.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import PHOTOS, say
from versions import Version, VersionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from answers_world import AnswersWorld

EXPECTED_CODES = {0, 1, 5, 10}
"""Exit codes that are answers: done, an expected failure, some photos skipped, a match."""

AGAIN = 20
"""One query in so many is asked in other ways, too."""

DECISIONS = (
    ("confirm", "ring"),
    ("dismiss", "group"),
    ("common", "last-group"),
    ("dismiss", "pair"),
    ("confirm", "group"),
    ("dismiss", "ring"),
)
"""What is decided after the second night, each on another ring, the largest first."""

_PAIR = 2


@dataclass
class Side:
    """A version, a folder of its own for its index, and what it has answered.

    Attributes:
        version: which one.
        home: the folder.
        answers: by step, with exit code, records and seconds.
    """

    version: Version
    home: Path
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def ask(self, step: str, *arguments: object, index: bool = True) -> list[dict[str, Any]]:
        """Run one command and keep what it prints.

        Raises:
            VersionError: it ended otherwise than by an exit code that is an answer.
        """
        place = ("--index", self.home / "index") if index else ()
        ran = self.version.run(*arguments, *place, cwd=self.home)
        say(f"  {self.version.name}, {step}: {ran.seconds:.0f} s")
        if ran.exit_code not in EXPECTED_CODES:
            raise VersionError(f"{self.version.name}, {step}: exit code {ran.exit_code}\n{ran.errors}")
        records = _records(ran.output.replace(str(PHOTOS), "PHOTOS"))
        if not records and ran.exit_code == 1:
            records = [{"error": ran.errors.replace(str(self.home), "HOME").strip()}]
        self.answers[step] = {"exit_code": ran.exit_code, "records": records, "seconds": round(ran.seconds, 2)}
        return records


def _records(text: str) -> list[dict[str, Any]]:
    """A list, one object, or an object a line."""
    if text.startswith("["):
        found: list[dict[str, Any]] = json.loads(text)
        return found
    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines()]


Decisions = list[list[str]]


def run_side(side: Side, world: AnswersWorld, decisions: Decisions | None) -> Decisions:
    """Ask everything; returns the decisions that were made.

    Args:
        side: it gets the answers.
        world: what is scanned and checked.
        decisions: arguments of ``decide``; ``None`` chooses by what this side shows.

    Raises:
        VersionError: the version has crashed.
    """
    shutil.rmtree(side.home, ignore_errors=True)
    side.home.mkdir(parents=True)
    chosen: Decisions = []
    for night, manifest in enumerate(world.manifests, 1):
        shutil.copy(manifest, side.home / "photos.csv")
        scan = ("scan", side.home / "photos.csv", "--prune", "--workers", 2, "--format", "json", "--quiet")
        side.ask(f"night {night}: scan", *scan)
        shown = side.ask(f"night {night}: rings", *_rings())
        if night > 1:
            side.ask(f"night {night}: rings again", *_rings())
        if night == 2:
            chosen = _chosen(shown) if decisions is None else decisions
            for number, arguments in enumerate(chosen, 1):
                side.ask(f"night {night}: decide {number}", "decide", *arguments, "--by", "bench", "--format", "json")
            side.ask(f"night {night}: rings after decisions", *_rings())
        side.ask(f"night {night}: rings --new", *_rings(), "--new")
    _checks(side, world)
    _erasure(side)
    return chosen


def _rings() -> tuple[object, ...]:
    return ("rings", "--format", "json", "--workers", 2, "--quiet")


def _checks(side: Side, world: AnswersWorld) -> None:
    """Checks, pairs and fingerprints after the last night, and some of them again after ``rebuild``."""
    stream = ("--workers", 2, "--format", "jsonl", "--quiet")
    side.ask("status", "status", "--format", "json")
    side.ask("check", "check", world.queries, *stream)
    few = sorted(world.queries.iterdir())[::AGAIN]
    side.ask("check --related", "check", *few, "--related", *stream)
    side.ask("check --account", "check", *few, "--account", "g000-0", "--limit", 2, *stream)
    side.ask("check --max-distance", "check", *few, "--max-distance", 60, "--min-score", 0.5, *stream)
    for number, (query, stored) in enumerate(world.compared, 1):
        side.ask(f"compare {number}", "compare", query, stored, "--format", "json", index=False)
    side.ask("hash", "hash", world.queries, *stream, index=False)
    side.ask("rebuild", "rebuild", "--format", "json")
    side.ask("check after rebuild", "check", *few, *stream)
    side.ask("rings after rebuild", *_rings())


def _erasure(side: Side) -> None:
    side.ask("erase", "erase", "--account", "g000-0", "--format", "json")
    side.ask("rings after erase", *_rings())
    side.ask("status after erase", "status", "--format", "json")


def _chosen(rings: list[dict[str, Any]]) -> Decisions:
    """One of each kind of decision, each on another ring where there are enough."""
    most: list[dict[str, Any]] = sorted(rings, key=lambda ring: (-len(ring["accounts"]), ring["ring"]))
    decisions = []
    for number, (verdict, kind) in enumerate(DECISIONS[: len(most)]):
        ring = most[number]
        groups = [group["group"] for group in ring["groups"]]
        names = {"ring": [ring["ring"]], "group": groups[:1], "last-group": groups[-1:], "pair": _pair(ring)}[kind]
        decisions.append([verdict, f"--{kind.removeprefix('last-')}", *names])
    return decisions


def _pair(ring: Mapping[str, Any]) -> list[str]:
    """The last two photos of its first group."""
    ids: list[str] = [photo["photo_id"] for photo in ring["groups"][0]["photos"]]
    return ids[-_PAIR:]
