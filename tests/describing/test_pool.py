from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import photos
import pytest
from watching import own_workers, wait_until, workers_of

from imgmatch.describing.chunks import CHUNK
from imgmatch.describing.messages import Description, Job, Reply
from imgmatch.describing.pool import WorkerPool
from imgmatch.describing.settings import Settings
from imgmatch.errors import ImgmatchError
from imgmatch.imaging.limits import Limits
from imgmatch.model import Failure, SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterator

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PHOTOS = [photos.jpeg(photos.picture(seed, (160, 200))) for seed in range(8)]
QUICK = Settings(("pdq",), features=False)


def job(photo: bytes | Path) -> Job:
    return Job(photo)


def bare(reply: Description) -> Description:
    """The same without what the catalog keeps of its features."""
    return replace(reply, pictures=tuple(replace(picture, stored=None) for picture in reply.pictures))


def answers(pool: WorkerPool, items: list[bytes]) -> list[Reply]:
    return [reply for _, reply in pool.describe(items, job)]


@pytest.fixture
def others() -> set[int]:
    """Workers that are not those of the test's own pool."""
    return own_workers()


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(2, QUICK) as started:
        yield started


@pytest.fixture(scope="module")
def expected(pool: WorkerPool) -> list[Reply]:
    """What each of ``PHOTOS`` is answered."""
    replies = answers(pool, PHOTOS)
    assert all(isinstance(reply, Description) for reply in replies)
    assert len({reply.sha256 for reply in replies if isinstance(reply, Description)}) == len(PHOTOS)
    return replies


@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 1, 7 * CHUNK + 3])
def test_every_photo_is_answered_in_the_order_it_came(pool: WorkerPool, expected: list[Reply], count: int) -> None:
    items = [(number, PHOTOS[number % len(PHOTOS)]) for number in range(count)]
    found = list(pool.describe(items, lambda item: Job(item[1])))
    assert found == [(item, expected[item[0] % len(PHOTOS)]) for item in items]


def test_photos_are_taken_only_a_few_chunks_ahead(pool: WorkerPool) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield PHOTOS[0]

    replies = pool.describe(endless(), job)
    for _ in range(3):
        next(replies)
    assert taken <= 5 * CHUNK


def test_a_failure_passes_through_without_disturbing_its_neighbours(pool: WorkerPool, expected: list[Reply]) -> None:
    failure = Failure(SkipReason.BAD_LINE, "line 7")
    items: list[bytes | Failure] = [failure, PHOTOS[1], failure, PHOTOS[2], failure]
    found = [reply for _, reply in pool.describe(items, lambda item: item if isinstance(item, Failure) else Job(item))]
    assert found == [failure, expected[1], failure, expected[2], failure]


def test_a_photo_that_cannot_be_read_is_a_failure_and_no_exception(pool: WorkerPool, tmp_path: Path) -> None:
    strange = tmp_path / os.fsdecode(b"caf\xe9 \xf0\x9f\x98\x80\n.jpg")
    if sys.platform == "linux":
        strange.write_bytes(PHOTOS[0])
    replies = [reply for _, reply in pool.describe([tmp_path / "none", tmp_path, Path("a\0b"), strange], job)]
    reasons = [reply.reason if isinstance(reply, Failure) else None for reply in replies]
    assert reasons[:3] == [SkipReason.MISSING, SkipReason.UNREADABLE, SkipReason.UNREADABLE]
    if sys.platform == "linux":
        assert reasons[3] is None


def test_a_relative_path_means_the_folder_it_was_given_in(
    pool: WorkerPool, expected: list[Reply], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1.jpg").write_bytes(PHOTOS[3])
    monkeypatch.chdir(tmp_path)
    assert [reply for _, reply in pool.describe([Path("1.jpg")], job)] == [expected[3]]


def test_large_bytes_are_answered_as_small_ones(pool: WorkerPool, expected: list[Reply]) -> None:
    padded = [photo + bytes(3_000_000) for photo in PHOTOS]
    found = answers(pool, padded)
    for reply, plain in zip(found, expected, strict=True):
        assert isinstance(reply, Description)
        assert isinstance(plain, Description)
        assert reply.first.pixels == plain.first.pixels


def test_several_threads_may_ask_at_once(pool: WorkerPool, expected: list[Reply]) -> None:
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda _: answers(pool, PHOTOS * 3), range(12)))
    assert found == [expected * 3] * 12


def test_an_error_of_the_source_ends_only_its_own_run(pool: WorkerPool, expected: list[Reply]) -> None:
    def broken() -> Iterator[bytes]:
        yield from PHOTOS * 5
        raise LookupError("the source")

    with pytest.raises(LookupError, match="the source"):
        list(pool.describe(broken(), job))
    assert answers(pool, PHOTOS) == expected


def test_a_run_may_be_left_early(pool: WorkerPool, expected: list[Reply]) -> None:
    for _ in range(3):
        assert next(iter(pool.describe(PHOTOS * 20, job)))[1] == expected[0]
    assert answers(pool, PHOTOS) == expected


def test_a_pool_needs_a_worker() -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        WorkerPool(0, QUICK)


@pytest.mark.slow
@linux
def test_a_worker_killed_in_the_middle_costs_one_photo_only(expected: list[Reply], others: set[int]) -> None:
    killed = 0
    with WorkerPool(1, QUICK) as pool:
        found: list[Reply] = []
        for number, (_, reply) in enumerate(pool.describe(PHOTOS * 30, job)):
            found.append(reply)
            if number in {20, 100, 180}:
                for worker in own_workers() - others:
                    os.kill(worker, signal.SIGKILL)
                    killed += 1
    assert len(found) == len(PHOTOS) * 30
    wrong = [reply for reply, right in zip(found, expected * 30, strict=True) if reply != right]
    assert killed >= 3
    assert len(wrong) <= killed
    for reply in wrong:
        assert isinstance(reply, Failure)
        assert reply.reason is SkipReason.CRASHED
        assert "exit -9" in reply.detail


@linux
def test_a_worker_killed_while_it_starts_is_started_again(expected: list[Reply], others: set[int]) -> None:
    with WorkerPool(1, QUICK) as pool:
        pool.warm_up()
        # For a moment a process that has just been started has no command line yet.
        wait_until("the worker is there", lambda: bool(own_workers() - others))
        (worker,) = own_workers() - others
        os.kill(worker, signal.SIGKILL)
        assert answers(pool, PHOTOS) == expected


@linux
@pytest.mark.serial
def test_a_hung_worker_is_ended_at_the_limit(expected: list[Reply], others: set[int]) -> None:
    with WorkerPool(1, replace(QUICK, limits=Limits(wall_seconds=1))) as pool:
        replies = pool.describe(PHOTOS * 4, job)
        found = [next(replies)[1]]
        (worker,) = own_workers() - others
        list_after = answers(pool, PHOTOS)  # nothing is in flight when it stops
        os.kill(worker, signal.SIGSTOP)
        started = time.monotonic()
        stuck = answers(pool, PHOTOS)
        assert 0.9 < time.monotonic() - started < 10
        found += [reply for _, reply in replies]
    assert list_after == expected
    assert found == expected * 4
    assert stuck[0] == Failure(SkipReason.TIMED_OUT, "not done within 1 seconds, waiting included")
    assert stuck[1:] == expected[1:]


@pytest.mark.slow
@linux
@pytest.mark.serial
def test_a_hung_worker_is_ended_even_if_the_photo_does_not_fit_in_the_pipe(
    expected: list[Reply], others: set[int]
) -> None:
    large = PHOTOS[0] + bytes(5_000_000)
    with WorkerPool(1, replace(QUICK, limits=Limits(wall_seconds=1))) as pool:
        answers(pool, PHOTOS)
        (worker,) = own_workers() - others
        os.kill(worker, signal.SIGSTOP)
        first, second, *rest = answers(pool, [large, large, *PHOTOS])
        assert isinstance(first, Failure)
        assert first.reason is SkipReason.TIMED_OUT
        assert isinstance(second, Description)
        assert rest == expected


@pytest.mark.slow
@linux
def test_what_is_no_reply_costs_the_photo_and_not_the_run(expected: list[Reply], others: set[int]) -> None:
    with WorkerPool(1, QUICK) as pool:
        answers(pool, PHOTOS)
        (worker,) = own_workers() - others
        said = next(fd for fd in Path(f"/proc/{worker}/fd").iterdir() if int(fd.name) > 2 and writable_pipe(worker, fd))
        with said.open("wb") as stream:
            stream.write(b"\0\0\0\4\0\0\0\0oops")
        found = answers(pool, PHOTOS)
        assert isinstance(found[0], Failure)
        assert found[0].reason is SkipReason.CRASHED
        assert found[1:] == expected[1:]


def writable_pipe(pid: int, fd: Path) -> bool:
    flags = int(Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text().split("flags:")[1].split()[0], 8)
    return str(fd.readlink()).startswith("pipe:") and flags & os.O_ACCMODE == os.O_WRONLY


@pytest.mark.slow
@linux
def test_a_picture_that_needs_too_much_memory_is_too_large_and_its_worker_lives_on(
    expected: list[Reply], others: set[int]
) -> None:
    huge = photos.png(photos.flat((6000, 6000)))
    with WorkerPool(1, Settings(("pdq",), Limits(worker_bytes=400 << 20), features=False)) as pool:
        answers(pool, PHOTOS)
        worker = own_workers() - others
        found = answers(pool, [huge, *PHOTOS, huge])
        assert own_workers() - others == worker
    assert found[1:-1] == [bare(one) for one in expected if isinstance(one, Description)]
    for reply in (found[0], found[-1]):
        assert isinstance(reply, Failure)
        assert reply.reason is SkipReason.TOO_LARGE


@pytest.mark.slow
@linux
def test_closing_leaves_no_process_and_no_thread_behind(others: set[int]) -> None:
    threads = threading.active_count()
    for _ in range(2):
        with WorkerPool(2, QUICK) as pool:
            answers(pool, PHOTOS * 5)
            assert own_workers() - others
        assert own_workers() <= others
        assert threading.active_count() == threads


@pytest.mark.slow
@linux
def test_killed_workers_are_not_left_as_zombies(others: set[int]) -> None:
    with WorkerPool(1, QUICK) as pool:
        for _ in range(3):
            answers(pool, PHOTOS)
            for worker in own_workers() - others:
                os.kill(worker, signal.SIGKILL)
        answers(pool, PHOTOS)
        assert len(own_workers() - others) == 1


@pytest.mark.slow
def test_closing_while_busy_ends_the_run_with_an_error_and_blames_no_photo(expected: list[Reply]) -> None:
    for delay in (0.0, 0.02, 0.1):
        pool = WorkerPool(2, QUICK)
        found: list[Reply] = []
        begun = threading.Event()

        def run(pool: WorkerPool = pool, found: list[Reply] = found, begun: threading.Event = begun) -> None:
            for _, reply in pool.describe(PHOTOS * 1000, job):
                found.append(reply)
                begun.set()

        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(run)
            assert begun.wait(20)
            time.sleep(delay)
            pool.close()
            with pytest.raises(ImgmatchError, match="closed"):
                running.result(20)
        assert found == (expected * 1000)[: len(found)]


def test_closing_while_its_workers_start_does_not_hang() -> None:
    pool = WorkerPool(2, QUICK)
    pool.warm_up()
    pool.close()


def test_a_closed_pool_says_so_and_can_be_closed_again() -> None:
    pool = WorkerPool(1, QUICK)
    pool.close()
    pool.close()
    with pytest.raises(ImgmatchError, match="closed"):
        list(pool.describe(PHOTOS, job))


@pytest.mark.slow
def test_a_worker_that_cannot_start_is_an_error_and_no_hang() -> None:
    with WorkerPool(1, Settings(("no such hasher",))) as pool, pytest.raises(ImgmatchError, match="could not start"):
        answers(pool, PHOTOS)


def test_warming_up_changes_no_answer(expected: list[Reply]) -> None:
    with WorkerPool(2, QUICK) as pool:
        pool.warm_up()
        pool.warm_up()
        assert answers(pool, PHOTOS) == expected


SCRIPT = """
import sys
from pathlib import Path
from imgmatch.describing.messages import Job
from imgmatch.describing.pool import WorkerPool
from imgmatch.describing.settings import Settings

print("started", flush=True)
with WorkerPool(2, Settings(("pdq",))) as pool:
    for path, reply in pool.describe([Path(path) for path in sys.argv[1:]], Job):
        print(path.name, type(reply).__name__, flush=True)
"""


def test_a_script_without_a_main_guard_may_use_a_pool(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(PHOTOS[0])
    script = tmp_path / "numpy_user.py"
    script.write_text(SCRIPT)
    (tmp_path / "cv2.py").write_text("raise SystemExit('a file beside the photos was taken for a library')")
    command: list[str | Path] = [sys.executable, "-P", script, tmp_path / "1.jpg", tmp_path / "none.jpg"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60)
    assert (done.stdout, done.stderr) == ("started\n1.jpg Description\nnone.jpg Failure\n", "")


INTERRUPTED = """
import sys, time
from imgmatch.describing.messages import Description, Job
from imgmatch.describing.pool import WorkerPool
from imgmatch.describing.settings import Settings

photo = sys.stdin.buffer.read()
with WorkerPool(2, Settings(("pdq",))) as pool:
    pool.warm_up()
    print("warming up", flush=True)
    interrupted = 0
    good = 0
    while good < 100:
        try:
            good += sum(isinstance(reply, Description) for _, reply in pool.describe([photo] * 100, Job))
        except KeyboardInterrupt:
            interrupted += 1
            print("interrupted", flush=True)
    assert interrupted, interrupted
    print(*(worker._process.pid for worker in pool._workers if worker._process), flush=True)
"""


@pytest.mark.slow
@linux
@pytest.mark.serial
def test_ctrl_c_reaches_the_pool_and_leaves_its_workers_alive() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
    ) as script:
        assert script.stdin is not None
        assert script.stdout is not None
        script.stdin.write(PHOTOS[0])
        script.stdin.close()
        assert script.stdout.readline() == b"warming up\n"
        wait_until("a worker is there", lambda: bool(workers_of(script.pid)))
        warmed = workers_of(script.pid)
        time.sleep(0.05)
        os.killpg(script.pid, signal.SIGINT)  # as a terminal does, while the worker still loads its libraries
        assert script.stdout.readline() == b"interrupted\n"
        assert set(warmed) <= {int(pid) for pid in script.stdout.readline().split()}
        assert script.wait(20) == 0
    assert not any(Path(f"/proc/{worker}").exists() for worker in warmed)


@pytest.mark.slow
@linux
def test_workers_end_with_a_pool_that_was_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as script:
        assert script.stdin is not None
        assert script.stdout is not None
        script.stdin.write(PHOTOS[0])
        script.stdin.close()
        script.stdout.readline()
        wait_until("a worker is there", lambda: bool(workers_of(script.pid)))
        workers = workers_of(script.pid)
        script.kill()
    wait_until("the workers have ended", lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


@pytest.mark.slow
@linux
@pytest.mark.serial
def test_time_in_which_the_pool_itself_was_stopped_is_not_held_against_a_photo() -> None:
    stopped = """
import sys
from imgmatch.imaging.limits import Limits
from imgmatch.describing.messages import Job
from imgmatch.describing.pool import WorkerPool
from imgmatch.describing.settings import Settings

photo = sys.stdin.buffer.read()
print("started", flush=True)
with WorkerPool(2, Settings(("pdq",), Limits(wall_seconds=1.5))) as pool:
    replies = pool.describe([photo] * 300, Job)
    next(replies)
    print("running", flush=True)
    print({type(reply).__name__ for _, reply in replies}, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", stopped], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as script:
        assert script.stdin is not None
        assert script.stdout is not None
        script.stdin.write(PHOTOS[0])
        script.stdin.close()
        assert script.stdout.readline() == b"started\n"
        assert script.stdout.readline() == b"running\n"
        workers = workers_of(script.pid)
        for pid in (script.pid, *workers):
            os.kill(pid, signal.SIGSTOP)
        time.sleep(2.5)
        for pid in (*workers, script.pid):
            os.kill(pid, signal.SIGCONT)
        assert script.stdout.readline() == b"{'Description'}\n"


def test_no_reason_is_lost_when_many_photos_fail(pool: WorkerPool) -> None:
    bad = [b"text", photos.png(photos.flat((5, 5))), photos.jpeg(photos.flat()), b""] * 20
    reasons = Counter(reply.reason for reply in answers(pool, bad) if isinstance(reply, Failure))
    assert reasons == {SkipReason.UNREADABLE: 40, SkipReason.TOO_SMALL: 20, SkipReason.FLAT: 20}


@pytest.mark.slow
def test_large_photos_are_read_fewer_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgmatch.describing.chunks.HELD_BYTES", 3 * len(PHOTOS[0]))
    endless = count()
    with WorkerPool(2, Settings(features=False)) as pool:
        begun = pool.describe(endless, lambda _: Job(PHOTOS[0]))
        assert [next(begun)[0] for _ in range(6)] == list(range(6))
        assert next(endless) <= 10
