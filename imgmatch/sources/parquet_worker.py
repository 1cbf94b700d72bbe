"""The process that reads one Parquet manifest: the file is its standard input, rows go to standard output.

Started by :mod:`imgmatch.sources.lines_parquet` as ``python -m imgmatch.sources.parquet_worker NAME``.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any, BinaryIO

from imgmatch.children import confine, private_streams
from imgmatch.errors import ImgmatchError
from imgmatch.sources.lines_parquet import CPU_SECONDS, LENGTH, MEMORY_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

_AT_ONCE_BYTES, _AT_ONCE_ROWS = 256 << 10, 1024
_TRACE_CHARS = 20_000


def main() -> None:
    """Send all rows, and last how it ended."""
    file, out = private_streams()
    with contextlib.suppress(BrokenPipeError):
        _send(out, _ending(file, out, sys.argv[1]))


def _ending(file: BinaryIO, out: BinaryIO, name: str) -> Mapping[str, Any]:
    try:
        from imgmatch.sources.parquet_rows import parquet_rows  # noqa: PLC0415 - an extra, and slow to load
    except ImportError:
        return {"missing": True}
    confine(MEMORY_BYTES)
    _allow_seconds(CPU_SECONDS)
    try:
        _send_rows(file, out, name, parquet_rows)
    except BrokenPipeError:
        raise
    except ImgmatchError as error:
        return {"error": str(error)}
    except Exception as error:  # noqa: BLE001 -- the other side logs it
        return {"bug": f"{type(error).__name__}: {error}\n{traceback.format_exc()}"[:_TRACE_CHARS]}
    return {"end": True}


def _send_rows(file: BinaryIO, out: BinaryIO, name: str, parquet_rows: Any) -> None:  # noqa: ANN401 -- loaded late
    rows: list[Any] = []
    held = 0
    try:
        for row, size in parquet_rows(file, name):
            rows.append(row)
            held += size
            if held >= _AT_ONCE_BYTES or len(rows) >= _AT_ONCE_ROWS:
                _send(out, {"rows": rows})
                rows, held = [], 0
    finally:
        _send(out, {"rows": rows})  # also what came before an error


def _send(out: BinaryIO, message: Mapping[str, Any]) -> None:
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":"), check_circular=False).encode()
    out.write(LENGTH.pack(len(body)) + body)
    out.flush()
    _allow_seconds(CPU_SECONDS)


def _allow_seconds(seconds: int) -> None:
    """From now on, so much time to compute until this is called again."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 -- POSIX only

    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    until = int(time.process_time()) + 1 + seconds
    with contextlib.suppress(OSError, ValueError):  # a lower limit is in force already
        resource.setrlimit(resource.RLIMIT_CPU, (until, most))


if __name__ == "__main__":
    main()
