"""What a photo may cost."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one photo, checked before its pixels are decoded.

    Attributes:
        file_bytes: size of the file, in bytes.
        pixels: width times height.
        side: the longer side, in pixels.
        frames: frames a moving picture declares in its header; of one that does not, so many are looked at.
        moving_pixels: width times height of all frames together that are looked at; those after are not.
        min_side: the shorter side, in pixels; a smaller picture says too little.
        seconds: processor time for reading, decoding and hashing one photo; a busy machine does not use it up. Windows
            cannot end a process by it: there only ``wall_seconds`` holds.
        wall_seconds: time by the clock for the same, waiting included, such as for a dead network drive.
        worker_bytes: memory a worker process may allocate (enforced by the system where it can).
    """

    file_bytes: int = 64 * MEBIBYTE
    pixels: int = 64_000_000
    side: int = 30_000
    frames: int = 2_000
    moving_pixels: int = 100_000_000
    min_side: int = 32
    seconds: float = 10.0
    wall_seconds: float = 120.0
    worker_bytes: int = 1_152 * MEBIBYTE
