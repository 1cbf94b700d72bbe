"""A server of PostgreSQL of the tests' own: in a folder, behind a socket, gone with them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REQUIRED = "IMGMATCH_REQUIRE_POSTGRESQL"

_SETTINGS = {"listen_addresses": "", "max_connections": "200"}

_OF_TESTS = {
    "shared_buffers": "32MB",
    # Nobody reads what the tests wrote after the machine has failed; the server may.
    "fsync": "off",
    "full_page_writes": "off",
}


def _programs() -> Path | None:
    found = shutil.which("initdb")
    if found is not None:
        return Path(os.path.realpath(found)).parent
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[-3]))
    return kept[-1].parent if kept else None


class Server:
    """One that runs; ``url`` is that of a database on it."""

    def __init__(self, folder: Path, programs: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self._settings = settings
        self._programs = programs
        # As root it refuses to run: another account of the system owns its folder.
        self._account = {"user": "postgres", "group": "postgres"} if hasattr(os, "getuid") and os.getuid() == 0 else {}
        self._numbers = count()
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make its files."""
        if self._account:
            shutil.chown(self.folder, **self._account)
        command = [str(self._programs / "initdb"), "-D", str(self.data), "-U", "imgmatch", "-A", "trust", "-N"]
        self._run([*command, "-E", "UTF8", "--locale", "C.UTF-8"])

    @property
    def data(self) -> Path:
        """Where its files lie."""
        return self.folder / "data"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(self._programs / "postgres"), "-D", str(self.data), "-k", str(self.folder), *options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **self._account)  # type: ignore[call-overload]
        ready = [str(self._programs / "pg_isready"), "-h", str(self.folder), "-q"]
        for _ in range(600):
            if subprocess.run(ready, check=False).returncode == 0:
                return
            assert self._process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text())

    def stop(self, *, at_once: bool = False) -> None:
        """End it; ``at_once`` as a failing machine would."""
        if self._process is not None:
            # SIGINT ends the sessions, SIGQUIT everything at once.
            self._process.send_signal(3 if at_once else 2)
            self._process.wait(60)
            self._process = None

    def database(self, template: str = "template0") -> str:
        """A new database, and its URL."""
        name = f"test{next(self._numbers)}"
        self.say(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def url(self, name: str) -> str:
        """Of a database."""
        return f"postgresql://imgmatch@/{name}?host={self.folder}"

    def say(self, statement: str, database: str = "postgres") -> str:
        """Run a statement, as its owner; what it answers comes back."""
        command = [str(self._programs / "psql"), "-h", str(self.folder), "-U", "imgmatch", "-d", database, "-qAtX"]
        done = subprocess.run(
            [*command, "-v", "ON_ERROR_STOP=1", "-c", statement], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def dump(self, url: str) -> bytes:
        """All rows of a database, each byte as it is."""
        database, found = database_of(url), b""
        for table in self.say("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", database).split():
            text = self.say(f'SELECT t::text FROM "{table}" t', database)
            found += text.encode() + b"".join(map(bytes.fromhex, re.findall(r"\\\\x([0-9a-f]+)", text)))
        return found

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **self._account)  # type: ignore[call-overload]
        assert done.returncode == 0, done.stderr


@contextmanager
def running(*, durable: bool = False, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server, started; skips, or fails where it must be there. A durable one has each commit on the disk."""
    programs = _programs()
    if programs is None:
        message = "PostgreSQL is not installed (initdb); apt-get install postgresql"
        if os.environ.get(REQUIRED):
            pytest.fail(message)
        pytest.skip(message)
    # A socket's path may have 107 bytes: not in the folders that pytest makes.
    with tempfile.TemporaryDirectory(prefix="imgmatch-pg-", ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder), programs, _SETTINGS | ({} if durable else _OF_TESTS) | dict(settings or {}))
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop(at_once=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A server for all tests of this process."""
    with running() as server:
        yield server


def database_of(url: str) -> str:
    """The name of the database that a URL of ours names."""
    found = re.search(r"@/(\w+)\?", url)
    assert found is not None
    return found[1]
