"""How near PDQ comes to the published values, and how fast it is against pdqhash on the same pixels.

Prints one line of JSON. Needs the folder ../shared; pdqhash is optional and is never a dependency.
"""

from __future__ import annotations

import csv
import json
import statistics
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from imgmatch.hashers.hexform import from_hex
from imgmatch.hashers.pdq import Pdq

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SHARED = Path(__file__).parents[2].parent / "shared"
PHOTOS = 300
LONGEST = 512  # pdqhash does not reduce pictures itself
USABLE = 50


def run() -> dict[str, Any]:
    """All figures; times are medians in milliseconds."""
    photos = real_photos()
    figures: dict[str, Any] = {"bench": "pdq", **against_published(), "photos": len(photos)}
    try:
        theirs = import_module("pdqhash").compute
    except ImportError:
        return figures | {"peer": "pdqhash is not installed", "ours_ms": round(times(photos, Pdq(), None)[0], 3)}
    ours_ms, theirs_ms = times(photos, Pdq(), theirs)
    return figures | {
        "peer": "pdqhash",
        "ours_ms": round(ours_ms, 3),
        "peer_ms": round(theirs_ms, 3),
        "ratio": round(ours_ms / theirs_ms, 3),
        **agreement(photos, Pdq(), theirs),
    }


def real_photos() -> list[NDArray[np.uint8]]:
    """Photos of several kinds in equal shares, as contiguous RGB of at most 512 pixels a side."""
    kinds = [sorted(folder.glob("**/*.jpg")) for folder in sorted((SHARED / "photos").iterdir()) if folder.is_dir()]
    kinds = [files for files in kinds if files]
    pictures = []
    for files in kinds:
        share = PHOTOS // len(kinds)
        for file in files[:: max(1, len(files) // share)][:share]:
            with Image.open(file) as image:
                picture = image.convert("RGB")
                picture.thumbnail((LONGEST, LONGEST))
            pictures.append(np.ascontiguousarray(picture))
    return pictures


def luma(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    exact: NDArray[np.float64] = rgb @ np.array([0.299, 0.587, 0.114])
    return exact


def against_published() -> dict[str, int]:
    """Worst distance to the reference values at a usable quality, from exact luma and from whole grey levels."""
    exact: list[int] = []
    whole: list[int] = []
    with (SHARED / "pdq" / "expected.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            with Image.open(SHARED / "pdq" / row["file"]) as image:
                pictures = luma(np.asarray(image.convert("RGB"))), np.asarray(image.convert("L"))
            for picture, distances in zip(pictures, (exact, whole), strict=True):
                code, quality = Pdq().fingerprint_and_quality(picture)
                if quality >= USABLE:
                    distances.append(int(np.unpackbits(code ^ from_hex(row["pdq"])).sum()))
    return {"references": len(exact), "worst_from_exact_luma": max(exact), "worst_from_whole_levels": max(whole)}


def times(photos: list[NDArray[np.uint8]], pdq: Pdq, peer: Callable[..., Any] | None) -> tuple[float, float]:
    """Median time of ours and of the peer's, in turn on the same pixels; hash and quality both."""
    greys = [np.asarray(Image.fromarray(photo).convert("L")) for photo in photos]
    for grey in greys:
        pdq.fingerprint(grey)  # the matrices of each size are made once
    ours, theirs = [], []
    for grey in greys:
        # The peer takes colours only; grey as three equal channels is the same picture.
        rgb = np.ascontiguousarray(np.dstack([grey] * 3))
        ours.append(timed(pdq.fingerprint_and_quality, grey))
        theirs.append(timed(peer, rgb) if peer else 0.0)
    return statistics.median(ours), statistics.median(theirs)


def timed(call: Callable[..., Any], picture: NDArray[np.uint8]) -> float:
    """The best of three, in milliseconds."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        call(picture)
        best = min(best, time.perf_counter() - start)
    return best * 1000


def agreement(photos: list[NDArray[np.uint8]], pdq: Pdq, peer: Callable[..., Any]) -> dict[str, int]:
    """How many fingerprints are the peer's bit by bit, and by how much the others and the qualities are off."""
    bits, qualities = [], []
    for photo in photos:
        code, quality = pdq.fingerprint_and_quality(luma(photo))
        peer_bits, peer_quality = peer(photo)
        bits.append(int((np.unpackbits(code) != peer_bits).sum()))
        qualities.append(abs(quality - int(peer_quality)))
    return {"bit_equal": bits.count(0), "worst_bits": max(bits), "worst_quality": max(qualities)}


def main() -> None:
    """Print the figures."""
    print(json.dumps(run()))


if __name__ == "__main__":
    main()
