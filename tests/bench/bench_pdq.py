"""How near PDQ comes to the published values, how fast it is against pdqhash, and how fast values are looked up.

Shows the tables of conformance and prints one line of JSON. Needs the folder ../shared; pdqhash and threatexchange are
optional, never dependencies, and the line says so where they are missing.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from common import PHOTOS, QUICK, peer, print_figures, say
from pdq_conformance import LUMA, conformance
from pdq_lookups import lookups
from PIL import Image

from imgmatch.hashers.pdq import Pdq

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MOST_PHOTOS = 60 if QUICK else 300
LONGEST = 512  # pdqhash does not reduce pictures itself


def run() -> dict[str, Any]:
    """All figures; times are medians in milliseconds."""
    return {**conformance(), **hashing(), "lookups": lookups()}


def hashing() -> dict[str, Any]:
    """Ours and pdqhash on the same pixels."""
    photos = real_photos()
    say(f"hashing {len(photos)} photos")
    module = peer("pdqhash")
    if isinstance(module, str):
        return {"photos": len(photos), "peer": module, "ours_ms": round(times(photos, Pdq(), None)[0], 3)}
    ours_ms, theirs_ms = times(photos, Pdq(), module.compute)
    return {
        "photos": len(photos),
        "peer": "pdqhash",
        "ours_ms": round(ours_ms, 3),
        "peer_ms": round(theirs_ms, 3),
        "ratio": round(ours_ms / theirs_ms, 3),
        **agreement(photos, Pdq(), module.compute),
    }


def real_photos() -> list[NDArray[np.uint8]]:
    """Photos of several kinds in equal shares, as contiguous RGB of at most 512 pixels a side."""
    kinds = [sorted(folder.glob("**/*.jpg")) for folder in sorted(PHOTOS.iterdir()) if folder.is_dir()]
    kinds = [files for files in kinds if files]
    pictures = []
    for files in kinds:
        share = MOST_PHOTOS // len(kinds)
        for file in files[:: max(1, len(files) // share)][:share]:
            with Image.open(file) as image:
                picture = image.convert("RGB")
                picture.thumbnail((LONGEST, LONGEST))
            pictures.append(np.ascontiguousarray(picture))
    return pictures


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
        code, quality = pdq.fingerprint_and_quality(photo @ LUMA)
        peer_bits, peer_quality = peer(photo)
        bits.append(int((np.unpackbits(code) != peer_bits).sum()))
        qualities.append(abs(quality - int(peer_quality)))
    return {"bit_equal": bits.count(0), "worst_bits": max(bits), "worst_quality": max(qualities)}


if __name__ == "__main__":
    print_figures("pdq", run)
