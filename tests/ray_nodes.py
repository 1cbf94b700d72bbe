"""A Ray cluster of several nodes on this machine, in a process of its own: Ray complains, and changes what it lives in.

Everything listens on the loopback alone, to those who know a token.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REQUIRED = "IMGMATCH_REQUIRE_RAY"
"""An environment variable: where it is set, a machine without Ray fails its tests instead of skipping them."""

NO_RAY = "ray is not installed"

STORE_BYTES = 80 << 20


def need_ray() -> None:
    """Skip the test, or fail it, where there is no Ray."""
    if find_spec("ray") is not None:
        return
    if os.environ.get(REQUIRED):
        pytest.fail(f"{NO_RAY}, and {REQUIRED} is set")
    pytest.skip(NO_RAY)


class Nodes:
    """The nodes, the first of them the head; each has one processor."""

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        self._process, self._errors = process, errors
        self.folder = errors.parent
        """Where all processes of the nodes work."""
        self.pid = process.pid

    def add(self, environment: Mapping[str, str] | None = None) -> int:
        """Start a node with these variables in its environment; its number is returned."""
        return cast("int", self._ask("add", dict(environment or {})))

    def remove(self, number: int) -> None:
        """Kill all processes of a node."""
        self._ask("remove", number)

    @property
    def address(self) -> str:
        return cast("str", self._ask("address", None))

    @property
    def client_address(self) -> str:
        """Where Ray's client is served."""
        return cast("str", self._ask("client", None))

    def decoders(self) -> dict[int, int]:
        """The decode processes on all nodes: the id of each, and of the Ray worker that keeps it."""
        parents, commands = _processes()
        return {
            pid: parents[pid]
            for pid, command in commands.items()
            if b"imgmatch.describing.worker" in command and self.pid in _ancestors(pid, parents)
        }

    def _ask(self, verb: str, argument: object) -> Any:  # noqa: ANN401 -- each verb has its own
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([verb, argument]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the cluster is gone: {self._errors.read_text()[-2000:]}"
        return json.loads(answer)


@contextmanager
def started(patch: pytest.MonkeyPatch, count: int, environment: Mapping[str, str] | None = None) -> Iterator[Nodes]:
    """Run so many nodes, with these variables in the environment of each; nothing of them is left behind."""
    patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # so that Ray stays on the loopback
    patch.setenv("RAY_AUTH_MODE", "token")
    patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    with tempfile.TemporaryDirectory(prefix="nodes-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        errors = Path(folder) / "errors"
        with (
            errors.open("w") as written,
            subprocess.Popen(
                [sys.executable, "-W", "ignore", __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=written,
                text=True,
                env=os.environ | {"RAY_TMPDIR": folder} | dict(environment or {}),
                cwd=folder,
            ) as process,
        ):
            nodes = Nodes(process, errors)
            for _ in range(count):
                nodes.add()
            yield nodes
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(60) == 0
        left = [command for command in _processes()[1].values() if folder.encode() in command]
        assert not left


def children_of(pid: int, word: bytes) -> list[int]:
    """The processes that one has started whose command line has a word."""
    parents, commands = _processes()
    return [child for child, command in commands.items() if word in command and parents[child] == pid]


def processes_of(nodes: Nodes, word: bytes) -> list[int]:
    """The processes on all nodes whose command line has a word."""
    parents, commands = _processes()
    return sorted(pid for pid, command in commands.items() if word in command and nodes.pid in _ancestors(pid, parents))


def _processes() -> tuple[dict[int, int], dict[int, bytes]]:
    """The parent of each process of this machine, and its command line."""
    parents: dict[int, int] = {}
    commands: dict[int, bytes] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                commands[int(entry.name)] = (entry / "cmdline").read_bytes()
            except OSError:  # it has ended meanwhile
                continue
    return parents, commands


def _ancestors(pid: int, parents: Mapping[int, int]) -> set[int]:
    found: set[int] = set()
    while (pid := parents.get(pid, 0)) and pid not in found:
        found.add(pid)
    return found


def main() -> None:
    """Serve the class above until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever Ray prints
    from ray.cluster_utils import Cluster  # noqa: PLC0415 -- the tests themselves load no Ray

    cluster: Any = Cluster()
    nodes: list[Any] = []
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for line in sys.stdin:
        verb, argument = json.loads(line)
        answer: object = None
        if verb == "add":
            head = {} if nodes else {"include_dashboard": False, "ray_client_server_port": port}
            nodes.append(cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES, env_vars=argument, **head))
            answer = len(nodes) - 1
        elif verb == "remove":
            cluster.remove_node(nodes[argument], allow_graceful=False)
        elif verb == "address":
            answer = cluster.address
        elif verb == "client":
            answer = f"ray://127.0.0.1:{port}"
        print(json.dumps(answer), file=answers, flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
