"""The process that short processes are forked from, see :mod:`forked`. The number of its socket is its argument."""

from __future__ import annotations

import json
import os
import runpy
import socket
import sys
import traceback
import warnings
from contextlib import suppress
from typing import Any


def load() -> None:
    """What the modules import, but not themselves: they are run."""
    import numpy as np  # noqa: F401, PLC0415

    import imgmatch.own_files  # noqa: PLC0415
    import imgmatch.sources.lines_parquet  # noqa: PLC0415

    with suppress(ImportError):  # an extra
        import imgmatch.sources.parquet_rows  # noqa: F401, PLC0415


def serve(asking: socket.socket) -> None:
    """Fork until the socket is closed."""
    while True:
        message, streams, _, _ = socket.recv_fds(asking, 1 << 20, 3)
        if not message:
            return
        asking.send(b"%d" % _orphan(json.loads(message), streams))
        for stream in streams:
            os.close(stream)


def _orphan(asked: dict[str, Any], streams: list[int]) -> int:
    """Fork a process whose parent ends, so that whoever asked becomes its parent; returns its id."""
    read, written = os.pipe()
    between = os.fork()
    if not between:
        child = os.fork()
        if not child:
            _become(asked, streams)
        os.write(written, b"%d" % child)
        os._exit(0)
    os.close(written)
    os.waitpid(between, 0)
    with os.fdopen(read, "rb") as pipe:
        return int(pipe.read())


def _become(asked: dict[str, Any], streams: list[int]) -> None:
    """Be the process that was asked for; never returns."""
    code = 1
    try:
        os.setpgid(0, asked["group"])
        for standard, stream in enumerate(streams):
            os.dup2(stream, standard)
        os.closerange(3, 1024)
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        module, *arguments = asked["arguments"]
        sys.argv = ["", *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:  # noqa: BLE001 -- as an interpreter ends
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of forking beside the threads of a library that wait
    load()
    with socket.socket(fileno=int(sys.argv[1])) as asking:
        serve(asking)
