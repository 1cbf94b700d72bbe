from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hearing import Heard
from joining import by_comparing_all, clustered

import imgmatch
from imgmatch.joins.banded import banded_join
from imgmatch.joins.blocks import JoinOptions, words_of
from imgmatch.joins.brute import brute_join

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from imgmatch.joins.blocks import PairBlock

    Join = Callable[..., Iterator[PairBlock]]

PACKAGE = Path(imgmatch.__file__).parent

JOIN = """
import numpy as np
from imgmatch.joins.hamming import self_join
codes = np.random.default_rng(1).integers(0, 256, (6000, 32), dtype=np.uint8)
codes[-1] = codes[0]
codes[-2, 1:] = codes[5, 1:]
pairs = [(l, r) for b in self_join(codes, 31) for l, r in zip(b.left.tolist(), b.right.tolist())]
assert sorted(pairs) == [(0, 5999), (5, 5998)], pairs
"""

SORT = """
import numpy as np
from imgmatch.joins import kernels
words = np.random.default_rng(1).integers(0, 2**63, (50, 4), dtype=np.uint64)
column = kernels.sort_by_band(words, 60, 9)
assert (np.diff(column.keys) >= 0).all()
print(kernels.__file__, kernels.sort_by_band.stats.cache_path)
"""

LONG = """
import sys, threading
import numpy as np
from imgmatch.joins.blocks import JoinOptions
from imgmatch.joins.hamming import self_join
codes = np.random.default_rng(1).integers(0, 256, (500_000, 32), dtype=np.uint8)
said = []
class Heard:
    def step(self, work, done, total=None):
        if options.counts.candidates and not said:
            said.append(print("under way", flush=True))
options = JoinOptions(progress=Heard())
try:
    for _ in self_join(codes, 62, options):
        pass
except KeyboardInterrupt:
    print("stopped with", threading.active_count(), "thread", flush=True)
"""


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    return subprocess.run(
        [sys.executable, "-P", "-W", "always", "-c", script],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("method", [brute_join, banded_join])
@pytest.mark.parametrize("radius", [0, 31, 256])
def test_progress_rises_to_the_whole_and_counts_what_is_found(method: Join, radius: int) -> None:
    codes, heard = clustered(1, 700), Heard()
    options = JoinOptions(1_000, progress=heard)
    pairs = sum(len(block) for block in method(words_of(codes), None, radius, options))
    assert heard.shares("fingerprints joined") == sorted(heard.shares("fingerprints joined"))
    assert heard.shares("fingerprints joined")[-1] == 1
    assert options.counts.found == pairs == len(by_comparing_all(codes, None, radius))
    assert options.counts.candidates >= pairs


def test_a_join_that_is_left_early_leaves_no_thread() -> None:
    near = words_of(clustered(2, 20_000, flips=3, copies=1.0))
    blocks = banded_join(near, None, 31, JoinOptions(1_000))
    next(blocks)
    blocks.close()  # type: ignore[attr-defined]  # what a for loop does that is broken out of
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("imgmatch-join")]


def test_what_the_caller_of_progress_raises_ends_the_join() -> None:
    def refuse(work: str, share: float) -> None:
        del work, share
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        list(banded_join(words_of(clustered(2, 2_000)), None, 31, JoinOptions(progress=Heard(refuse))))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("imgmatch-join")]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal for one process")
def test_an_interrupt_is_seen_in_the_middle_and_no_thread_goes_on() -> None:
    with subprocess.Popen([sys.executable, "-c", LONG], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "under way\n"
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert rest == "stopped with 1 thread\n"
    assert process.returncode == 0


@pytest.mark.parametrize("error", ["ImportError('Numba needs NumPy 2.4 or less')", "OSError('no libllvmlite.so')"])
def test_without_a_numba_that_works_a_join_warns_and_gives_the_same_pairs(tmp_path: Path, error: str) -> None:
    (tmp_path / "numba.py").write_text(f"raise {error}\n")
    done = run(JOIN, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "RuntimeWarning: numba cannot be used, so this join is slow" in done.stderr


@pytest.mark.slow
def test_with_numba_switched_off_a_join_warns_and_gives_the_same_pairs() -> None:
    done = run(JOIN, NUMBA_DISABLE_JIT="1")
    assert done.returncode == 0, done.stderr
    assert "RuntimeWarning: numba cannot be used, so this join is slow: NUMBA_DISABLE_JIT is set" in done.stderr


@pytest.fixture
def read_only(tmp_path: Path) -> Path:
    """The package where nothing can be put beside its files: root may write anywhere, but not into a file."""
    shutil.copytree(PACKAGE, tmp_path / "place" / "imgmatch", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "place" / "imgmatch" / "joins" / "__pycache__").touch()
    return tmp_path / "place"


@pytest.mark.slow
def test_where_the_package_cannot_be_written_kernels_are_kept_in_the_users_cache(
    read_only: Path, tmp_path: Path
) -> None:
    done = run(SORT, PYTHONPATH=str(read_only), XDG_CACHE_HOME=str(tmp_path / "cache"), HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    file, _, cache = done.stdout.strip().partition(" ")
    assert Path(file).is_relative_to(read_only)
    assert Path(cache).is_relative_to(tmp_path)
    assert list(Path(cache).glob("kernels.sort_by_band*"))


@pytest.mark.slow
def test_where_nothing_can_be_written_kernels_are_compiled_all_the_same(read_only: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.touch()
    done = run(SORT, PYTHONPATH=str(read_only), XDG_CACHE_HOME=str(nowhere), HOME=str(nowhere))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("None")


@pytest.mark.parametrize("statement", ["import imgmatch", "import imgmatch.joins.near"])
def test_numba_is_not_loaded_before_a_join_is_large(statement: str) -> None:
    done = run(f"import sys; {statement}; assert not {{'numba', 'llvmlite'}} & set(sys.modules)")
    assert done.returncode == 0, done.stderr


def test_a_small_join_does_without_numba() -> None:
    small = JOIN.replace("6000", "600").replace("5999", "599").replace("5998", "598")
    done = run(small + "import sys; assert 'numba' not in sys.modules")
    assert done.returncode == 0, done.stderr


def test_help_loads_no_numba() -> None:
    done = run(
        "import sys; from imgmatch.cli import main\ntry: main(['rings', '--help'])\nexcept SystemExit: pass\n"
        "assert 'numba' not in sys.modules and 'numpy' not in sys.modules"
    )
    assert done.returncode == 0, done.stderr


def test_kernels_know_every_type_of_fingerprint_array_as_one() -> None:
    writable = np.zeros((3, 32), np.uint8)
    frozen = np.frombuffer(bytes(96), np.uint8).reshape(3, 32)
    assert not words_of(writable).flags.writeable
    assert not words_of(frozen).flags.writeable
    assert writable.flags.writeable
