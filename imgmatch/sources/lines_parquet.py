"""Manifests as Parquet. Needs pyarrow, which a process of its own loads for each such manifest.

A Parquet file of a few KB can stand for gigabytes, and its pages need not be what its metadata say. So it is read where
the memory is limited, by :mod:`imgmatch.sources.parquet_worker`, and its rows come from there a few at a time.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from imgmatch.errors import MissingExtraError, SourceError
from imgmatch.sources.base import shown
from imgmatch.sources.manifest import ManifestSource
from imgmatch.sources.rows import Row, bad_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from imgmatch.model import Skipped
    from imgmatch.sources.place import Place

MESSAGE_BYTES = 16 << 20
"""A message of the process that reads may be this long; it sends rows before they are so many."""

CPU_SECONDS = 10
"""The process that reads may compute for so long between two messages."""

MEMORY_BYTES = 512 << 20
"""And it may take so much memory."""

LENGTH = struct.Struct(">I")

_ENVIRONMENT = {
    # The system's own allocator: others reserve more than they use, and the limit counts it.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "1",
}


class ParquetReadingError(Exception):
    """The process that reads has met what nobody expected; the text is its traceback."""


def open_parquet(place: Place) -> ManifestSource:
    """Open a manifest of Parquet rows.

    Raises:
        MissingExtraError: pyarrow is not installed.
        PhotoError: it cannot be fetched whole.
        SourceError: it cannot be read, lies outside the root, or is no manifest.
    """
    return ManifestSource(place, read_parquet)


def read_parquet(stream: BinaryIO, name: str) -> Iterator[Row | Skipped]:
    """Read a Parquet manifest, some rows at a time.

    ``account`` and ``photo_id`` are columns of text or whole numbers, ``photo`` and ``name`` of text, ``seen_at`` of
    text, timestamps or dates. Other columns become attributes if they hold text, numbers, booleans or dates; columns
    of bytes, lists and structures are not read.

    Args:
        stream: a file, open for reading bytes.
        name: file name, for messages.

    Yields:
        a row, or why there is none, for every row of the file; rows are counted from 1.

    Raises:
        MissingExtraError: pyarrow is not installed.
        SourceError: this is no Parquet file, its columns are not those of a manifest, or it takes too much to read.
    """
    if find_spec("pyarrow") is None:
        raise _missing(name)
    process = _started(stream, name)
    try:
        for message in _messages(process, name):
            for fields in message:
                yield bad_line(name, *fields) if len(fields) == 2 else Row(*fields)  # noqa: PLR2004 -- a line and why
    finally:
        process.kill()
        cast("BinaryIO", process.stdout).close()
        process.wait()


def _started(stream: BinaryIO, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 -- our own interpreter and module
        # -P: a file in the current folder must not stand in for a library.
        [sys.executable, "-P", "-m", "imgmatch.sources.parquet_worker", shown(name)],
        stdin=stream,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | _ENVIRONMENT,
        # Out of the reach of Ctrl-C: whoever reads its rows ends it.
        process_group=None if sys.platform == "win32" else 0,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


def _messages(process: subprocess.Popen[bytes], name: str) -> Iterator[list[list[Any]]]:
    """The rows of one message after the other, until all are here.

    Raises:
        MissingExtraError: pyarrow cannot be loaded.
        SourceError: the file cannot be read on.
        ParquetReadingError: nobody knows why.
    """
    stdout = cast("BinaryIO", process.stdout)
    while True:
        head = stdout.read(LENGTH.size)
        (size,) = LENGTH.unpack(head) if len(head) == LENGTH.size else (-1,)
        body = stdout.read(size) if 0 <= size <= MESSAGE_BYTES else b""
        if len(body) != size:
            raise SourceError(f"{shown(name)}: {_cause_of_death(process)}")
        message: Mapping[str, Any] = json.loads(body)
        if "rows" not in message:
            break
        yield message["rows"]
    if "missing" in message:
        raise _missing(name)
    if "error" in message:
        raise SourceError(message["error"])
    if "bug" in message:
        raise ParquetReadingError(message["bug"])


def _cause_of_death(process: subprocess.Popen[bytes]) -> str:
    """Why there is no message, in words for a person."""
    process.kill()
    code = process.wait()
    if code == -getattr(signal, "SIGXCPU", 0) != 0:
        return f"reading it on took more than {CPU_SECONDS} seconds of computing"
    return f"reading it ended the process that did (exit {code}); it may use {MEMORY_BYTES >> 20} MiB of memory"


def _missing(name: str) -> MissingExtraError:
    return MissingExtraError(f'{shown(name)}: Parquet manifests need pyarrow: pip install "imgmatch[parquet]"')
