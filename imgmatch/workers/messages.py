"""What passes between the pool and its workers: a line of lengths, a JSON head, raw bytes. Nothing is executed."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgmatch.model import SkipReason

if TYPE_CHECKING:
    from typing import BinaryIO

_LENGTHS = struct.Struct(">II")


@dataclass(frozen=True, slots=True)
class Job:
    """A photo to describe.

    Attributes:
        photo: a file to read, or the bytes themselves.
        known_sha256: if the file's bytes still have this digest, nothing is decoded.
        orientations: also give the fingerprints of all eight orientations (a query).
    """

    photo: Path | bytes
    known_sha256: bytes | None = None
    orientations: bool = False


@dataclass(frozen=True, slots=True)
class Description:
    """What was computed from one photo.

    Attributes:
        sha256: digest of the file's bytes, 32 bytes.
        pixels: digest of the small upright grey picture and the photo's size, 16 bytes: equal for the same pixels
            under other metadata or another lossless format.
        width: of the upright photo, in pixels.
        height: likewise.
        format: Pillow's name of the file format.
        quality: PDQ's, 0..100.
        fingerprints: 32 bytes under each hasher's name.
        orientations: 8 x 32 bytes under each hasher's name, in the order of ``model.ORIENTATIONS``; empty unless asked.
    """

    sha256: bytes
    pixels: bytes
    width: int
    height: int
    format: str
    quality: int
    fingerprints: Mapping[str, bytes]
    orientations: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Same:
    """The file's bytes are the ones already known."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The photo cannot be used, and why."""

    reason: SkipReason
    detail: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)


@dataclass(frozen=True, slots=True)
class NamedPhoto:
    """A photo to look at under the name its answer carries: a file, bytes, or what kept it from being either."""

    name: str
    content: Path | bytes | Failure

    def job(self, *, orientations: bool = False) -> Job | Failure:
        """The work it stands for."""
        return self.content if isinstance(self.content, Failure) else Job(self.content, orientations=orientations)


Reply = Description | Same | Failure


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


def job_message(job: Job) -> tuple[dict[str, Any], bytes]:
    """``job`` as head and body."""
    head: dict[str, Any] = {"orientations": job.orientations}
    if job.known_sha256 is not None:
        head["known"] = job.known_sha256.hex()
    if isinstance(job.photo, bytes):
        return head, job.photo
    return head | {"path": str(job.photo.absolute())}, b""  # the worker may have been started in another folder


def reply_message(reply: Reply) -> dict[str, Any]:
    """``reply`` as head; it needs no body."""
    match reply:
        case Failure(reason, detail):
            return {"skip": reason.value, "detail": detail}
        case Same():
            return {"same": True}
        case Description():
            return {
                "sha256": reply.sha256.hex(),
                "pixels": reply.pixels.hex(),
                "size": [reply.width, reply.height],
                "format": reply.format,
                "quality": reply.quality,
                "fingerprints": {name: bits.hex() for name, bits in reply.fingerprints.items()},
                "orientations": {name: bits.hex() for name, bits in reply.orientations.items()},
            }


def parse_reply(head: Mapping[str, Any]) -> Reply:
    """The reply in a received head."""
    if "skip" in head:
        return Failure(SkipReason(head["skip"]), head["detail"])
    if "same" in head:
        return Same()
    return Description(
        sha256=bytes.fromhex(head["sha256"]),
        pixels=bytes.fromhex(head["pixels"]),
        width=head["size"][0],
        height=head["size"][1],
        format=head["format"],
        quality=head["quality"],
        fingerprints={name: bytes.fromhex(bits) for name, bits in head["fingerprints"].items()},
        orientations={name: bytes.fromhex(bits) for name, bits in head["orientations"].items()},
    )
