from __future__ import annotations

import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("measures processes as POSIX does", allow_module_level=True)

fuzzing = pytest.importorskip("fuzzing", reason="the extra remote is not installed")

SECONDS = 20.0
GROWTH_MIB = 200


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.parametrize("kind", sorted(fuzzing.SEEDS))
def test_whatever_bytes_come_they_cost_a_line_a_member_or_a_source_and_little_time_and_memory(
    kind: str, tmp_path: Path
) -> None:
    if kind == ".parquet":
        pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    before, tally = resident(), fuzzing.FuzzTally()
    fuzzing.fuzz(kind, SECONDS / len(fuzzing.SEEDS), tmp_path, tally)
    assert tally.runs.total() > 0
    assert resident() - before < GROWTH_MIB


def resident() -> float:
    """The most memory this process has held, in MiB; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(fuzzing.SEEDS))
def test_what_is_changed_at_random_is_valid_at_first(kind: str, tmp_path: Path) -> None:
    if kind == ".parquet":
        pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    for data in fuzzing.seeds(kind):
        packed = fuzzing.PACKINGS[kind](data) if kind in fuzzing.PACKINGS else data
        assert fuzzing.outcome(kind, packed, tmp_path) in {"photos"} | ({"refused"} if kind == "url" else set())
    assert fuzzing.with_checksums(fuzzing.seeds(".tar")[0]) == fuzzing.seeds(".tar")[0]
