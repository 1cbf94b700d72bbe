"""Where shards are measured: a server of PostgreSQL and a private cluster of three nodes, all on this machine."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import common  # noqa: F401 -- tests are found by it
import pytest
from postgresql_server import running
from ray_nodes import started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgresql_server import Server
    from ray_nodes import Nodes


@contextmanager
def three_nodes() -> Iterator[tuple[Path, Server, Nodes, pytest.MonkeyPatch]]:
    """A folder to work in, where engine files lie as well, the server, the nodes, and what is patched meanwhile."""
    with (
        tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as temporary,
        running() as server,
        pytest.MonkeyPatch.context() as patch,
        started(patch, 3) as nodes,
    ):
        place = Path(temporary)
        patch.setenv("IMGMATCH_ENGINES", str(place / "engines"))
        yield place, server, nodes, patch
