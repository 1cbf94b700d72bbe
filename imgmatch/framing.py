"""Messages between processes: two lengths, a head of JSON, raw bytes. Nothing of them is executed."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

_LENGTHS = struct.Struct(">II")


def message_bytes(head: Mapping[str, Any], body: bytes) -> int:
    """About how long a message is."""
    return len(json.dumps(head)) + len(body) + _LENGTHS.size


def write_message(stream: BinaryIO, head: Mapping[str, Any], body: bytes = b"") -> None:
    """Send one message; raises OSError (BrokenPipeError) when the other side is gone."""
    encoded = json.dumps(head, separators=(",", ":")).encode()
    stream.write(_LENGTHS.pack(len(encoded), len(body)) + encoded)
    if body:
        stream.write(body)
    stream.flush()


def read_message(stream: BinaryIO) -> tuple[dict[str, Any], bytes]:
    """Receive one message; raises EOFError when the other side is gone."""
    head_length, body_length = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    head: dict[str, Any] = json.loads(_exactly(stream, head_length))
    return head, _exactly(stream, body_length) if body_length else b""


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise EOFError
    return data
