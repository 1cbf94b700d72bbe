from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from imgmatch.describing.messages import Description, Job
from imgmatch.describing.pool import WorkerPool
from imgmatch.describing.settings import Settings
from imgmatch.imaging.limits import Limits
from imgmatch.imaging.picture import SmallPicture, small_picture
from imgmatch.model import Failure, SkipReason

pytestmark = pytest.mark.shared

EXPECTED = {SkipReason.UNREADABLE, SkipReason.TOO_LARGE, SkipReason.TOO_SMALL, SkipReason.FLAT}
"""Neither timed out nor crashed: no file there is a reason for a worker to be lost."""


def files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    assert found
    return found


def peaks_kib(pool: WorkerPool) -> list[int]:
    """Greatest resident memory of each worker that runs, in KiB."""
    running = [worker._process for worker in pool._workers if worker._process is not None]  # noqa: SLF001 -- looks in
    texts = [Path(f"/proc/{process.pid}/status").read_text() for process in running]
    return [int(text.split("VmHWM:")[1].split()[0]) for text in texts]


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["hostile", "formats"])
def test_every_file_is_described_or_refused_with_a_reason_and_no_worker_is_lost(folder: str, shared: Path) -> None:
    found = files(shared / folder)
    with WorkerPool(2, Settings()) as pool:
        replies = list(pool.describe(found, lambda path: Job(path, query=True)))
        assert [path for path, _ in replies] == found
        for path, reply in replies:
            if isinstance(reply, Failure):
                assert reply.reason in EXPECTED, (path, reply)
                assert reply.detail, path
                assert reply.detail.isprintable(), (path, reply)
            else:
                assert isinstance(reply, Description), path
                assert reply.width >= 32
                assert reply.height >= 32
        if sys.platform == "linux":
            assert max(peaks_kib(pool)) < 1 << 20


@pytest.mark.parametrize("name", ["Landscape", "Portrait"])
def test_a_photo_held_in_all_ways_is_one_photo(name: str, shared: Path) -> None:
    held = [small(shared / "formats" / "exif" / f"{name}_{tag}.jpg") for tag in range(9)]
    assert len({(photo.width, photo.height) for photo in held}) == 1
    first = seen_from_afar(held[1])
    for photo in held:
        assert np.abs(seen_from_afar(photo) - first).mean() < 3  # each was compressed by itself


def test_a_photo_in_every_mode_is_nearly_the_original(shared: Path) -> None:
    folder = shared / "formats" / "modes"
    original = seen_from_afar(small(folder / "original.jpg"))
    modes = [path for path in files(folder) if path.suffix != ".md"]
    assert len(modes) >= 14
    for path in modes:
        found = seen_from_afar(small(path))
        assert np.corrcoef(found.ravel(), original.ravel())[0, 1] > 0.98, path.name


def small(path: Path) -> SmallPicture:
    return small_picture(path.read_bytes(), Limits())


def seen_from_afar(photo: SmallPicture) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(cv2.resize(photo.grey, (64, 64), interpolation=cv2.INTER_AREA), dtype=np.float64)
