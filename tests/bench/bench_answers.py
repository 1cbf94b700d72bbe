"""Whether the answers of this version are those of the version before: ``make bench NAME=answers``.

Both work through the command line alone, one after the other, on the same photos: three nights of scans and rings,
decisions, checks of edited copies, pairs, fingerprints, ``rebuild``, ``erase``. Every field of their JSON is compared,
but times. The answers of the version before are kept in ``--folder`` and asked for once.

Options: ``--quick`` takes 200 photos and 60 checks; ``--itself`` compares the version before with itself, which shows
what differs by chance; ``--before COMMIT`` takes another version; ``--code FOLDER`` another one in place of this.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from answers_compare import compared, listed, table
from answers_side import Decisions, Side, run_side
from answers_world import FULL, QUICK, AnswersWorld, world_in
from common import LIBRARIES, print_figures, say
from versions import BEFORE, ROOT, Version, VersionError, version_at

SHOWN = 40
"""Differences of a kind that are printed; the file has all."""


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--itself", action="store_true")
    parser.add_argument("--before", default=BEFORE)
    parser.add_argument("--code", type=Path, default=ROOT)
    parser.add_argument("--folder", type=Path, default=ROOT / ".bench-answers")
    asked = parser.parse_args()
    try:
        print_figures("answers", lambda: run(asked))
    except VersionError as error:
        say(str(error))
        sys.exit(1)


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """Ask both versions and compare."""
    size = QUICK if asked.quick else FULL
    folder: Path = asked.folder.resolve()
    world = world_in(
        folder / f"world-{size.name}-{_digest_of('answers_world.py', 'edited_copies.py', 'edits/*.py')}", size
    )
    version_before = version_at(asked.before, folder)
    before, decisions = answers_before(folder, version_before, world)
    own = Version("before, again", version_before.code) if asked.itself else Version("after", asked.code.resolve())
    side = Side(own, folder / ("again" if asked.itself else "checkout"))
    run_side(side, world, decisions)
    (folder / f"{side.home.name}.json").write_text(json.dumps(side.answers), encoding="utf-8")
    found = compared(before, side.answers)
    (folder / "differences.txt").write_text("\n".join([*table(found), *listed(found)]) + "\n", encoding="utf-8")
    say("\n".join([*table(found), *listed(found, SHOWN)]))
    say(f"\nall differences: {folder / 'differences.txt'}")
    return {
        "before": asked.before,
        "after": asked.before if asked.itself else own.described(),
        "answers": found.records.total(),
        "differing": found.differing.total(),
        "fields": found.fields,
        "differences": {kind: len(each) for kind, each in found.kinds().items()},
        "seconds_after": {step: answer["seconds"] for step, answer in side.answers.items()},
    }


def answers_before(folder: Path, before: Version, world: AnswersWorld) -> tuple[dict[str, Any], Decisions]:
    """What the version before answers: kept for this world, these questions and these libraries."""
    versions = [installed(name) for name in LIBRARIES if name != "imgmatch"]
    asked = [before.code.name, str(world.queries), _digest_of("answers_side.py"), *versions]
    digest = hashlib.sha256("\n".join(asked).encode()).hexdigest()[:12]
    kept = folder / f"before-{digest}.json"
    if not kept.exists():
        side = Side(before, folder / "before")
        decisions = run_side(side, world, None)
        kept.write_text(json.dumps({"answers": side.answers, "decisions": decisions}), encoding="utf-8")
    found = json.loads(kept.read_text(encoding="utf-8"))
    return found["answers"], found["decisions"]


def _digest_of(*patterns: str) -> str:
    """Of the files that decide what is drawn or asked."""
    here = Path(__file__).parent
    files = sorted(path for pattern in patterns for path in here.glob(pattern))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


if __name__ == "__main__":
    main()
