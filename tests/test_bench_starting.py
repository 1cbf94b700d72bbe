"""Benchmarks are started by path, as ``make bench`` does, and find what they import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parent / "bench"
STARTED = """
import runpy, sys
try:
    runpy.run_path(sys.argv[1], run_name="only what it imports")
except ModuleNotFoundError as error:
    print(error.name)
"""


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(BENCH.glob("bench_*.py")), ids=lambda path: path.stem)
def test_a_benchmark_finds_its_own_modules(path: Path) -> None:
    """What only the benchmarks install may be missing here."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = f"import sys; sys.path.insert(0, {str(BENCH)!r})\n{STARTED}"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(path)], env=environment, capture_output=True, text=True, check=True
    )
    own = {each.stem for folder in (BENCH, BENCH.parent) for each in folder.glob("*.py")}
    assert done.stdout.strip() not in own
