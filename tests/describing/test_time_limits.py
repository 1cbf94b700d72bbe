"""A photo may take so much processor time, and so much time by the clock; a busy machine costs no photo."""

from __future__ import annotations

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import photos
import pytest
from watching import own_workers, wait_until

from imgmatch.describing.messages import Description, Job, Reply
from imgmatch.describing.pool import WorkerPool
from imgmatch.describing.settings import Settings
from imgmatch.imaging.limits import Limits
from imgmatch.model import Failure, SkipReason

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.serial,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows ends no process by its processor time"),
]

BURNS, SLEEPS, PAUSES = 161, 162, 163
"""Widths of pictures, in pixels."""

ODD = f'''
import os, re, time
from pathlib import Path
from imgmatch.hashers.dhash import DHash

class Odd(DHash):
    """What a decoder of some pictures may do."""

    name = "odd"

    def fingerprint(self, grey):
        width = grey.shape[1]
        if width == {BURNS}:
            re.fullmatch("(a+)+b", "a" * 100)  # not done while the sun shines, and no other thread runs meanwhile
        if width == {SLEEPS}:
            time.sleep(100_000)
        if width == {PAUSES}:
            Path(os.environ["IMGMATCH_TEST_MARK"]).touch()
            time.sleep(0.4)
        return super().fingerprint(grey)
'''

PLAIN = photos.jpeg(photos.picture(1, (160, 200)))
SETTINGS = Settings(("odd",), features=False)


def picture(width: int) -> bytes:
    return photos.jpeg(photos.picture(2, (width, 200)))


@pytest.fixture(autouse=True)
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Workers know the odd hasher, and one that pauses leaves a mark."""
    (tmp_path / "odd_hasher.py").write_text(ODD)
    (tmp_path / "sitecustomize.py").write_text(
        "from imgmatch import registry\nregistry.HASHERS['odd'] = 'odd_hasher:Odd'\n"
    )
    elsewhere = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *([elsewhere] if elsewhere else [])]))
    monkeypatch.setenv("IMGMATCH_TEST_MARK", str(tmp_path / "mark"))
    return tmp_path / "mark"


def answers(limits: Limits, data: list[bytes]) -> list[Reply]:
    with WorkerPool(1, replace(SETTINGS, limits=limits)) as pool:
        return [reply for _, reply in pool.describe(data, Job)]


def test_a_photo_that_burns_ends_with_its_processor_time_though_nothing_can_interrupt_it() -> None:
    first, burned, last = answers(Limits(seconds=0.5, wall_seconds=3600), [PLAIN, picture(BURNS), PLAIN])
    assert burned == Failure(SkipReason.TIMED_OUT, "not done within 0.5 seconds of processor time")
    assert isinstance(first, Description)
    assert last == first


@pytest.mark.slow
def test_every_photo_has_a_processor_time_of_its_own() -> None:
    burned = answers(Limits(seconds=0.5, wall_seconds=3600), [picture(BURNS)] * 3)
    assert [reply.reason for reply in burned if isinstance(reply, Failure)] == [SkipReason.TIMED_OUT] * 3


def test_a_photo_that_waits_ends_by_the_clock() -> None:
    first, slept, last = answers(Limits(seconds=3600, wall_seconds=1.5), [PLAIN, picture(SLEEPS), PLAIN])
    assert slept == Failure(SkipReason.TIMED_OUT, "not done within 1.5 seconds, waiting included")
    assert isinstance(first, Description)
    assert last == first


def test_time_without_a_processor_is_not_held_against_a_photo() -> None:
    (paused,) = answers(Limits(seconds=0.2), [picture(PAUSES)])
    assert isinstance(paused, Description)


@pytest.mark.skipif(sys.platform != "linux", reason="finds workers in /proc")
def test_a_worker_that_gets_no_processor_in_the_middle_of_a_photo_does_not_time_out(mark: Path) -> None:
    others = own_workers()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(answers, Limits(seconds=0.5), [PLAIN, picture(PAUSES), PLAIN])
        wait_until("the worker is at the photo", mark.exists, 60)
        (worker,) = own_workers() - others
        os.kill(worker, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(worker, signal.SIGCONT)
        assert [type(reply) for reply in running.result(60)] == [Description] * 3


def test_the_limits_hold_though_whoever_started_the_pool_ignores_their_signals() -> None:
    before = [signal.signal(each, signal.SIG_IGN) for each in (signal.SIGPROF, signal.SIGALRM)]
    try:
        (burned,) = answers(Limits(seconds=0.5, wall_seconds=3600), [picture(BURNS)])
    finally:
        for each, handler in zip((signal.SIGPROF, signal.SIGALRM), before, strict=True):
            signal.signal(each, handler)
    assert isinstance(burned, Failure)
    assert burned.reason is SkipReason.TIMED_OUT
