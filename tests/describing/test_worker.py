from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import photos
import pytest
from PIL import Image

from imgmatch.describing.messages import Description, Job, Reply, job_message, parse_reply
from imgmatch.describing.settings import Settings
from imgmatch.describing.worker import parse_settings
from imgmatch.framing import read_message, write_message
from imgmatch.imaging.limits import Limits
from imgmatch.model import Failure, SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

PHOTO = photos.jpeg(photos.picture(1, (200, 200)))


class Worker:
    """A worker process without its pool."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.stdin, self.stdout = cast("BinaryIO", process.stdin), cast("BinaryIO", process.stdout)

    def send(self, job: Job) -> None:
        write_message(self.stdin, *job_message(job))

    def answer(self) -> Reply:
        return parse_reply(*read_message(self.stdout))


def as_text(settings: Settings) -> str:
    return json.dumps(asdict(settings))


@contextmanager
def started(limits: Limits, *, features: bool = False) -> Iterator[Worker]:
    command = [
        sys.executable,
        "-m",
        "imgmatch.describing.worker",
        as_text(Settings(("pdq",), limits, features=features)),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        worker = Worker(process)
        try:
            assert read_message(worker.stdout) == ({"ready": True}, b"")
            yield worker
        finally:
            process.kill()


def in_status(worker: Worker, name: str) -> int:
    """A figure of Linux on the worker's memory, in bytes."""
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) << 10


def room(mebibytes: int) -> Limits:
    """Limits that leave a worker so much beside what it has once it works."""
    with started(Limits()) as worker:
        worker.send(Job(PHOTO))
        worker.answer()
        return Limits(worker_bytes=in_status(worker, "VmData") + (mebibytes << 20))


def test_settings_arrive_as_they_were_sent() -> None:
    settings = Settings(("dhash", "pdq"), Limits(pixels=5, seconds=0.25, wall_seconds=0.5, worker_bytes=7))
    assert parse_settings(as_text(settings)) == settings


def test_a_worker_answers_in_order_until_its_input_ends_and_then_ends_well() -> None:
    with started(Limits()) as worker:
        for job in (Job(PHOTO), Job(b"text"), Job(PHOTO)):
            worker.send(job)
        first, second, third = (worker.answer() for _ in range(3))
        assert isinstance(first, Description)
        assert isinstance(second, Failure)
        assert third == first
        worker.stdin.close()
        assert worker.process.wait(20) == 0


def test_a_worker_whose_pool_is_gone_in_the_middle_of_a_message_ends() -> None:
    with started(Limits()) as worker:
        worker.stdin.write(b"\0\0")
        worker.stdin.close()
        assert worker.process.wait(20) == 0


def test_a_worker_nobody_listens_to_any_more_ends() -> None:
    with started(Limits()) as worker:
        worker.stdout.close()
        worker.send(Job(PHOTO))
        assert worker.process.wait(20) == 0


@posix
def test_a_worker_lives_through_ctrl_c() -> None:
    with started(Limits()) as worker:
        worker.process.send_signal(signal.SIGINT)
        worker.send(Job(PHOTO))
        assert isinstance(worker.answer(), Description)


@pytest.mark.slow
@posix
@pytest.mark.parametrize(
    ("limits", "ended_by"),
    [(Limits(seconds=0.002), "SIGPROF"), (Limits(wall_seconds=0.002), "SIGALRM")],
    ids=["processor", "clock"],
)
def test_a_worker_whose_pool_is_gone_ends_a_photo_that_hangs(limits: Limits, ended_by: str, tmp_path: Path) -> None:
    slow = tmp_path / "slow.jpg"
    slow.write_bytes(photos.jpeg(photos.picture(1).resize((6000, 6000)), 90))
    with started(limits) as worker:
        for _ in range(3):
            worker.send(Job(slow))
        worker.stdin.close()
        assert worker.process.wait(20) == -signal.Signals[ended_by]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a process allocates")
def test_a_picture_that_needs_more_than_a_worker_may_use_is_too_large_and_the_worker_lives_on() -> None:
    huge = photos.png(photos.flat((6000, 6000)))
    with started(room(64)) as worker:
        for photo in (PHOTO, huge, PHOTO, huge, PHOTO):
            worker.send(Job(photo))
            reply = worker.answer()
            if photo is PHOTO:
                assert isinstance(reply, Description)
            else:
                assert isinstance(reply, Failure)
                assert reply.reason is SkipReason.TOO_LARGE
                assert "memory" in reply.detail


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a process allocates")
def test_a_decoder_that_runs_out_of_memory_does_not_pass_for_a_damaged_picture() -> None:
    huge = photos.jpeg(photos.picture(1).resize((5000, 5000)), 30, progressive=True, subsampling=0)
    with started(room(64)) as worker:
        worker.send(Job(huge))
        reply = worker.answer()
        assert isinstance(reply, Failure)
        assert reply.reason is SkipReason.TOO_LARGE


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("mode", "side"), [("RGBA", 7936), ("RGBA", 7993), ("I;16", 7936)])
def test_the_largest_picture_the_limits_allow_is_decoded_within_a_worker(mode: str, side: int, tmp_path: Path) -> None:
    detail = photos.picture(1, (256, 256))
    path = tmp_path / "photo"
    if mode == "I;16":
        levels = np.asarray(detail.convert("L")).astype(np.uint16) * 257
        largest = Image.fromarray(levels.repeat(31, axis=0).repeat(31, axis=1))
    else:
        largest = detail.convert(mode).resize((side, side), Image.Resampling.NEAREST)
    largest.save(path, "PNG", compress_level=1)
    del largest
    with started(Limits(seconds=60), features=True) as worker:
        worker.send(Job(path))
        assert isinstance(worker.answer(), Description)
        assert in_status(worker, "VmHWM") < 1 << 30
