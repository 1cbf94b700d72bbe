"""Worker processes, seen from outside."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def workers_of(pid: int) -> list[int]:
    """The ids of the worker processes started by process ``pid``, zombies included."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                command = (entry / "cmdline").read_bytes()
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:  # it has ended meanwhile
                continue
            if parent == pid and (b"imgmatch.describing.worker" in command or state == "Z"):
                found.append(int(entry.name))
    return found


def own_workers() -> set[int]:
    return set(workers_of(os.getpid()))


def wait_until(what: str, condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)
