"""The text form of 256 bits that the field exchanges: 64 lowercase hex digits, most significant bit first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.model import FINGERPRINT_BYTES

if TYPE_CHECKING:
    from imgmatch.hashers.base import Codes

_HEX = re.compile(r"[0-9a-f]{64}")


def to_hex(code: Codes) -> str:
    """Write one fingerprint, shape (32,), as text.

    Raises:
        ValueError: ``code`` is not 32 bytes.
    """
    if code.shape != (FINGERPRINT_BYTES,) or code.dtype != np.uint8:
        raise ValueError(f"a fingerprint is 32 bytes, not an array of shape {code.shape} and type {code.dtype}")
    return code.tobytes().hex()


def from_hex(text: str) -> Codes:
    """Read one fingerprint; returns shape (32,).

    Raises:
        ValueError: ``text`` is not exactly 64 lowercase hex digits.
    """
    if not _HEX.fullmatch(text):
        # The text may come from a partner's file, so only its start is repeated.
        raise ValueError(f"a fingerprint is 64 lowercase hex digits, not {text[:70]!r}")
    return np.frombuffer(bytes.fromhex(text), dtype=np.uint8).copy()
