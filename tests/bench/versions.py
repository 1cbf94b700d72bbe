"""The version before, as it was at its commit, beside the one of the checkout; each runs through its command line."""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
import time
import tomllib
import zipfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from common import peak_mib

ROOT = Path(__file__).resolve().parents[2]
BEFORE = "8b300408729e82e825dd3f5dfe765bd377d73009"
"""The version that answers and times are compared with."""

_LOOK_SECONDS = 0.02


class VersionError(Exception):
    """A version is not here, cannot run, or has crashed."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One command that has ended.

    Attributes:
        exit_code: of the process.
        output: its standard output.
        errors: its standard error.
        seconds: from its start to its end.
        cpu_seconds: what it and the processes it started and waited for took of the cores.
        peak_mib: the most memory it held itself, without processes it started; ``None`` where the system does not say.
        timed_out: it was ended because it took too long.
    """

    exit_code: int
    output: str
    errors: str
    seconds: float
    cpu_seconds: float
    peak_mib: float | None
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Version:
    """A version of imgmatch: its name in messages, and the folder that holds its package."""

    name: str
    code: Path

    def run(self, *arguments: object, cwd: Path, timeout: float | None = None) -> Ran:
        """Run one command of it, with the interpreter and the libraries of this process; ``timeout`` in seconds."""
        command = [sys.executable, "-m", "imgmatch", *map(str, arguments)]
        env = {**os.environ, "PYTHONPATH": str(self.code), "PYTHONSAFEPATH": "1"}
        output, errors = cwd / "stdout", cwd / "stderr"
        started, busy, peak, timed_out = time.perf_counter(), _children_seconds(), None, False
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(command, stdout=out, stderr=err, env=env, cwd=cwd)
            while process.poll() is None:
                peak = peak_mib(process.pid) or peak
                if timeout is not None and time.perf_counter() - started > timeout:
                    process.kill()
                    timed_out = True
                time.sleep(_LOOK_SECONDS)
        seconds = time.perf_counter() - started
        said, complained = (file.read_text(encoding="utf-8", errors="replace") for file in (output, errors))
        return Ran(process.returncode, said, complained, seconds, _children_seconds() - busy, peak, timed_out)

    def described(self) -> str:
        """The commit of a checkout, with a plus where files were changed; else the name of the folder."""
        command = ["git", "-C", str(self.code), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() or self.code.name


def _children_seconds() -> float:
    """Processor time of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def version_at(commit: str, folder: Path) -> Version:
    """The package as it was at a commit, put into a folder.

    Raises:
        VersionError: the commit is not here, or needs a package that is not installed.
    """
    code = folder / f"code-{commit[:12]}"
    if not (code / "pyproject.toml").exists():
        command = ["git", "-C", str(ROOT), "archive", "--format=zip", commit, "imgmatch", "pyproject.toml"]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            raise VersionError(f"commit {commit} is not in this clone: {done.stderr.decode().strip()}")
        with zipfile.ZipFile(io.BytesIO(done.stdout)) as archive:
            archive.extractall(code)
    project: dict[str, Any] = tomllib.loads((code / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if missing := [name for name in project["dependencies"] if not _is_installed(name)]:
        raise VersionError(f"the version before needs packages that are not installed here: {', '.join(missing)}")
    return Version("before", code)


def _is_installed(requirement: str) -> bool:
    try:
        version(requirement.partition(">")[0])
    except PackageNotFoundError:
        return False
    return True
