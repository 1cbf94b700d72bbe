"""What ``bench_throughput.py`` has one version of imgmatch do, in a process of its own: ``INDEX QUESTIONS``."""

from __future__ import annotations

import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common import spread

from imgmatch import Index

THREADS = (1, 2, 8)


def asked(home: Path, questions: list[str]) -> dict[str, float]:
    """Checks one after the other, by several threads, and all at once."""
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
    home, questions = map(Path, sys.argv[1:])
    print(json.dumps(asked(home, json.loads(questions.read_text(encoding="utf-8")))))
