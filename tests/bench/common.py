"""What the benchmarks share: the machine, the clock, the shared folder, and the one line of JSON they print."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

# Servers and drawings of the tests are used here, too.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SHARED = Path(__file__).resolve().parents[3] / "shared"
PHOTOS = SHARED / "photos"

QUICK = "--quick" in sys.argv
"""The short form: it shows that a benchmark runs; what it measures is not for BENCHMARKS.md."""

LIBRARIES = ("imgmatch", "numpy", "opencv-python-headless", "pillow", "faiss-cpu", "scipy", "sqlalchemy")
PEERS = ("threatexchange", "pdqhash", "psutil")


def print_figures(name: str, run: Callable[[], dict[str, Any]]) -> None:
    """Run a benchmark and print its figures as one line of JSON; without the shared photos say so and exit with 1."""
    if not PHOTOS.is_dir():
        print(json.dumps({"bench": name, "error": f"the shared photos are not at {PHOTOS}"}))
        sys.exit(1)
    before, started = machine(), time.perf_counter()
    figures = run()
    seconds = round(time.perf_counter() - started, 1)
    print(json.dumps({"bench": name, **figures, "machine": before, "seconds": seconds}))


def say(text: str) -> None:
    """Tell the person waiting how far it is."""
    print(text, file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """What the figures are taken on; a load well above 0 before a run means that others are at work."""
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load": load,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: found for name in (*LIBRARIES, *PEERS) if (found := _version(name))},
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def peer(name: str) -> ModuleType | str:
    """A module to compare with, or why it is not to be had."""
    try:
        return import_module(name)
    except ImportError as error:
        return f"not installed: {error}"


def milliseconds(call: Callable[[], object]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def spread(times: Iterable[float]) -> dict[str, float]:
    """Median and 95th percentile of some times."""
    ordered = sorted(times)
    return {"median": round(statistics.median(ordered), 3), "p95": round(ordered[int(len(ordered) * 0.95)], 3)}


def photos_in(*folders: str) -> list[Path]:
    """The photos of these folders of ../shared/photos, in a fixed order."""
    return [file for folder in folders for file in sorted((PHOTOS / folder).rglob("*")) if file.is_file()]


def peak_mib(pid: int | str = "self") -> float | None:
    """The most memory a running process has held resident, in MiB; ``None`` where the system does not say (Linux does).

    Not ``ru_maxrss``: a child's begins with what its parent held when it was started.
    """
    return _status_mib("VmHWM", pid)


def resident_mib(pid: int | str = "self") -> float | None:
    """What a running process holds resident now, in MiB; ``None`` where the system does not say."""
    return _status_mib("VmRSS", pid)


def anonymous_mib(pid: int | str = "self") -> float | None:
    """What of that is the process's own: not mapped from files, which the system may drop and read again."""
    return _status_mib("RssAnon", pid)


def _status_mib(field: str, pid: int | str) -> float | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:")), None)
