"""How many checks a second, by one thread and by several, beside the version before: ``make bench NAME=throughput``.

One index of ../shared/photos for each version, scanned by it; the questions are edited copies of photos in it and
photos of people who are not. Rounds of both versions take turns, and the medians count. ``--photos N`` stores fewer,
``--before COMMIT`` compares with another version.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from common import QUICK, photos_in, print_figures, say, spread

ROUNDS = 2 if QUICK else 3
COPIES, STRANGERS = (10, 10) if QUICK else (40, 40)
THREADS = (1, 2, 8)
SEED = 12
INDEXED, PEOPLE = ("portraits", "phone", "generated", "avatars"), "same-person"


def main() -> None:
    """Either half: the benchmark, or what a version does in a process of its own."""
    if "--ask" in sys.argv:
        index, questions = sys.argv[sys.argv.index("--ask") + 1 :][:2]
        print(json.dumps(asked(Path(index), json.loads(Path(questions).read_text(encoding="utf-8")))))
        return
    from versions import BEFORE  # noqa: PLC0415 -- the version before has no use for it

    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int, default=10**6)
    parser.add_argument("--before", default=BEFORE)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    print_figures("throughput", lambda: compared(options.photos, options.before))


def compared(photos: int, before: str) -> dict[str, Any]:
    """Both versions in turn."""
    from bench_edits import draw_all  # noqa: PLC0415 -- the same
    from edited_copies import Asked  # noqa: PLC0415 -- the same
    from edits import EDITS  # noqa: PLC0415 -- the same
    from versions import ROOT, Version, version_at  # noqa: PLC0415 -- the same

    rng = random.Random(SEED)
    stored = photos_in(*INDEXED)
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
    command = [sys.executable, __file__, "--ask", str(index), str(questions)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def asked(home: Path, questions: list[str]) -> dict[str, float]:
    """Checks one after the other, by several threads, and all at once."""
    from imgmatch import Index  # noqa: PLC0415 -- of whichever version is asked

    with Index.open(home) as index:
        for question in questions[:4]:
            index.check(question)
        taken = []
        busy = used_seconds()
        for question in questions:
            started = time.perf_counter()
            index.check(question)
            taken.append((time.perf_counter() - started) * 1000)
        times = spread(taken)
        found = {"check_ms_median": times["median"], "check_ms_p95": times["p95"]}
        found["parent_cpu_ms_a_check"] = (used_seconds() - busy) * 1000 / len(questions)
        for threads in THREADS:
            with ThreadPoolExecutor(threads) as pool:
                started = time.perf_counter()
                list(pool.map(index.check, questions))
                found[f"checks_a_second_by_{threads}_threads"] = len(questions) / (time.perf_counter() - started)
        started = time.perf_counter()
        answers = list(index.check_many(questions))
        found["checks_a_second_by_check_many"] = len(questions) / (time.perf_counter() - started)
        found["matched"] = sum(bool(list(answer)) for answer in answers)
        return found


def used_seconds() -> float:
    """Processor time of this process, without its workers."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
