"""Running imgmatch as a user does: in a process of its own, or as close to it as is quick."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imgmatch.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

IS_ROOT = sys.platform != "win32" and os.geteuid() == 0

# Root may write everywhere; without these two rights (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH) modes of files count.
_DROP_RIGHTS = """
import ctypes, os, sys
for right in (1, 2):
    if ctypes.CDLL(None).prctl(24, right, 0, 0, 0):
        sys.exit("cannot drop rights")
os.execv(sys.executable, [sys.executable, "-m", "imgmatch", *sys.argv[1:]])
"""


@dataclass(frozen=True, slots=True)
class Done:
    """What a run came to."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


def command(*arguments: str | Path, without_rights: bool = False) -> list[str]:
    program = ["-c", _DROP_RIGHTS] if without_rights and IS_ROOT else ["-m", "imgmatch"]
    return [sys.executable, *program, *map(str, arguments)]


def imgmatch(
    *arguments: str | Path,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    without_rights: bool = False,
) -> Done:
    """Run a command to its end."""
    done = subprocess.run(
        command(*arguments, without_rights=without_rights),
        input=stdin,
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONUTF8": "1"} | dict(env or {}),
        cwd=cwd,
        timeout=120,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def imgmatch_here(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Done:
    """Run a command to its end in this process: a process of its own takes a second to start."""
    capsys.readouterr()
    code = run([*map(str, arguments)])
    return Done(code, *capsys.readouterr())


def can_drop_rights() -> bool:
    """Whether files' modes can be made to count."""
    if sys.platform == "win32":
        return False
    return not IS_ROOT or (sys.platform == "linux" and ctypes.CDLL(None).prctl(23, 8, 0, 0, 0) == 1)  # CAP_SETPCAP
