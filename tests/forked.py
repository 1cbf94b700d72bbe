"""Short processes of imgmatch are forked from one that has loaded their libraries: that takes nearly all their time.

What is forked is a process of its own as ever, a child of the one that asked for it, with its own memory, files, limits
and locks. Only on Linux; elsewhere, and where a test has changed what a new interpreter looks at, it is started anew.
"""

from __future__ import annotations

import ctypes
import inspect
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MODULES = ("imgmatch.actions.traces", "imgmatch.sources.parquet_worker")
"""What is forked when it is started as ``python -P -m MODULE ...``; the server has loaded what these import."""

CALM = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"}
"""What one of them is started with and none is the worse for."""

_COMMAND = [sys.executable, "-P", "-m"]
_LOOKED_AT = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "OMP_", "OPENBLAS_")
_PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
_PR_SET_CHILD_SUBREAPER = 36
_SERVER = Path(__file__).with_name("fork_server.py")


class _Server:
    """The process that others are forked from; it ends with its socket."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [*_COMMAND[:2], str(_SERVER), str(theirs.fileno())]
            environment = os.environ | CALM
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], process_group=0, env=environment)
        self._prctl = ctypes.CDLL(None).prctl

    def fork(self, arguments: list[str], streams: list[int], environment: dict[str, str], group: int) -> int:
        """The process id of a new child of this process."""
        asked = {"arguments": arguments, "folder": str(Path.cwd()), "environment": environment, "group": group}
        with self._guard:
            self._adopt(orphans=True)
            try:
                socket.send_fds(self._socket, [json.dumps(asked).encode()], streams)
                return int(self._socket.recv(32))
            finally:
                self._adopt(orphans=False)

    def _adopt(self, *, orphans: bool) -> None:
        """Whether a process whose parent ends becomes a child of this one: so does what is forked."""
        if self._prctl(_PR_SET_CHILD_SUBREAPER, int(orphans), 0, 0, 0):
            raise OSError("this system does not let a process adopt others")

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


def _looked_at(environment: Mapping[str, str]) -> dict[str, str]:
    """What an interpreter and its libraries look at when they start, but for what keeps them calm."""
    return {name: value for name, value in environment.items() if name.startswith(_LOOKED_AT) and name not in CALM}


class _Forking:
    """Stands in for what starts the process of a ``Popen``."""

    def __init__(self, execute: Callable[..., None]) -> None:
        self._execute, self._signature = execute, inspect.signature(execute)
        self._at_first = _looked_at(os.environ)
        self._server: _Server | None = None

    def __call__(self, process: subprocess.Popen[Any], *arguments: Any) -> None:  # noqa: ANN401 -- those of the library
        given = self._signature.bind(process, *arguments).arguments
        environment = os.environ if given["env"] is None else given["env"]
        if not self._is_ours(given, environment):
            self._execute(process, *arguments)
            return
        if self._server is None:
            self._server = _Server()
        ends = [given[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        streams = [end if end >= 0 else standard for standard, end in enumerate(ends)]
        group = os.getpgrp() if given["process_group"] < 0 else given["process_group"]
        process.pid = self._server.fork(given["args"][3:], streams, dict(environment), group)
        process._child_created = True  # type: ignore[attr-defined]  # noqa: SLF001 -- as the library does
        process._close_pipe_fds(*(given[name] for name in _PIPES))  # type: ignore[attr-defined]  # noqa: SLF001 -- likewise

    def _is_ours(self, given: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
        command = given["args"]
        if not isinstance(command, list) or command[:3] != _COMMAND or command[3:4] not in [[name] for name in MODULES]:
            return False
        return given["cwd"] is None and _looked_at(environment) == self._at_first

    def close(self) -> None:
        if self._server is not None:
            self._server.close()


@pytest.fixture(scope="session", autouse=True)
def _forked() -> Iterator[None]:
    if sys.platform != "linux":
        yield
        return
    forking = _Forking(vars(subprocess.Popen)["_execute_child"])

    def execute(process: subprocess.Popen[Any], *arguments: Any) -> None:  # noqa: ANN401 -- those of the library
        forking(process, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "_execute_child", execute)
        yield
    forking.close()
