"""Entries of drawn pictures for tests of files of shared features, and files that are signed but not honest."""

from __future__ import annotations

import hashlib
import io
import struct
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import photos

from imgmatch import registry
from imgmatch.exchange.shared_bank import MAGIC, write_shared
from imgmatch.exchange.shared_packing import pack_head
from imgmatch.exchange.shared_values import SharedEntry, SharedHead
from imgmatch.exchange.signing import SigningKey
from imgmatch.features.codebook import shipped
from imgmatch.features.extract import extract
from imgmatch.features.record import pack
from imgmatch.model import Purpose

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

KEY = SigningKey.generate()
HEAD = SharedHead(
    bank="known-stolen",
    purpose=Purpose.STOLEN,
    sender="Trust and safety of example.org",
    sequence=7,
    made_at=datetime(2026, 1, 31, 12, 30, 15, 250, tzinfo=UTC),
    codebook=registry.DEFAULT_CODEBOOK,
    hashers=("pdq", "phash"),
)


@cache
def records() -> tuple[bytes, ...]:
    """The features of some drawn pictures, wide, high and flat, as the catalog keeps them."""
    shapes = [(360, 450), (450, 300), (90, 433), (64, 64)]
    pictures = [np.asarray(photos.picture(seed, shape).convert("L")) for seed, shape in enumerate(shapes)]
    return tuple(pack(extract(picture), shipped()) for picture in [*pictures, np.full((40, 50), 90, np.uint8)])


def entry(number: int) -> SharedEntry:
    """A whole entry; the refs of rising numbers rise."""
    digest = hashlib.sha256(str(number).encode()).digest()
    return SharedEntry(
        ref=f"e{number:08}",
        pixels=digest[:16],
        fingerprints={"pdq": digest, "phash": digest[::-1]},
        record=records()[number % len(records())],
        note=None if number % 3 else f"seen {number} times",
        category=None if number % 2 else "romance",
        tags=("2026", "verified")[: number % 3],
    )


def written(entries: Iterable[SharedEntry], head: SharedHead = HEAD, key: SigningKey = KEY) -> bytes:
    """The bytes of a file."""
    stream = io.BytesIO()
    write_shared(stream, head, entries, key)
    return stream.getvalue()


def saved(folder: Path, data: bytes) -> Path:
    """These bytes as a file."""
    path = folder / "bank.shared"
    path.write_bytes(data)
    return path


def sealed(bodies: Sequence[bytes], head: bytes | None = None, count: int | None = None, magic: bytes = MAGIC) -> bytes:
    """A file whose signature is right, whatever stands in it: what a partner with faulty software may send."""
    said = pack_head(HEAD, KEY.public_key) if head is None else head
    framed = b"".join(struct.pack("<I", len(body)) + body for body in (said, *bodies))
    data = magic + framed + struct.pack("<IQ", 0, len(bodies) if count is None else count)
    digest = hashlib.sha256(data).digest()
    return data + digest + KEY.sign(magic + digest)
