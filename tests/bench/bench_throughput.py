"""How many checks a second, by one thread and by several, beside the version before: ``make bench NAME=throughput``.

One index of ../shared/photos for each version, scanned by it; the questions are edited copies of photos in it and
photos of people who are not. Rounds of both versions take turns, and the medians count. ``--photos N`` stores fewer,
``--before COMMIT`` compares with another version.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench_edits import PEOPLE, STORED, draw_all
from common import QUICK, photos_in, print_figures, say
from edited_copies import Asked
from edits import EDITS
from versions import BEFORE, ROOT, Version, version_at

SIDE = Path(__file__).with_name("throughput_side.py")

ROUNDS = 2 if QUICK else 3
COPIES, STRANGERS = (10, 10) if QUICK else (40, 40)
SEED = 12


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int, default=10**6)
    parser.add_argument("--before", default=BEFORE)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    print_figures("throughput", lambda: compared(options.photos, options.before))


def compared(photos: int, before: str) -> dict[str, Any]:
    """Both versions in turn."""
    rng = random.Random(SEED)
    stored = photos_in(*STORED)
    rng.shuffle(stored)
    stored = stored[:photos]
    with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as folder:
        home = Path(folder)
        copies = draw_all(
            home / "copies", [Asked(rng.choice(stored), rng.choice(list(EDITS)), 1, n) for n in range(COPIES)]
        )
        questions = [str(copy.file) for copy in copies] + list(map(str, rng.sample(photos_in(PEOPLE), STRANGERS)))
        rng.shuffle(questions)
        (home / "questions").write_text(json.dumps(questions), encoding="utf-8")
        (home / "photos.csv").write_text("account,photo\n" + "".join(f"{n},{path}\n" for n, path in enumerate(stored)))
        versions = {"before": version_at(before, home), "after": Version("after", ROOT)}
        for name, version in versions.items():
            say(f"{name}: scanning {len(stored):,} photos")
            version.run("scan", home / "photos.csv", "--index", home / f"index-{name}", "--quiet", cwd=home)
        rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in versions}
        for number in range(ROUNDS):
            for name, version in list(versions.items())[:: -1 if number % 2 else 1]:
                rounds[name].append(ask_in_a_process(version.code, home / f"index-{name}", home / "questions"))
        return {"photos": len(stored), "questions": len(questions), "before": before} | {
            name: {key: round(statistics.median(one[key] for one in some), 3) for key in some[0]}
            for name, some in rounds.items()
        }


def ask_in_a_process(code: Path, index: Path, questions: Path) -> dict[str, Any]:
    environment = {"PYTHONPATH": str(code), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(SIDE), str(index), str(questions)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
