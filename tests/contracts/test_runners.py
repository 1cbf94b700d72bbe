"""What must hold for each runner of the table."""

from __future__ import annotations

import sys
from itertools import count, islice
from threading import Thread
from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
from joining import clustered
from ray_nodes import need_ray

from imgmatch import registry
from imgmatch.arrays import pack_arrays
from imgmatch.describing.here import TasksHere
from imgmatch.describing.messages import Description, Job, Reply, Unchanged, Viewed, reply_message
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.errors import ImgmatchError, UnknownNameError
from imgmatch.joins.plan import Band
from imgmatch.joins.unit_messages import JoinUnit
from imgmatch.matching.pair_units import pack_pairs
from imgmatch.model import Failure, SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.describing.runner import Runner

SETTINGS = Settings(tuple(registry.HASHERS))
FILES = [photos.jpeg(photos.picture(seed, (240, 180))) for seed in range(4)]
MOST_AHEAD = 200
"""More items than any runner with two workers reads before the first reply is taken."""


def opened_as(name: str, workers: int, settings: Settings) -> Runner:
    if name == "ray":
        need_ray()
    return open_runner(name, workers, settings)


NAMES = [pytest.param(name, marks=pytest.mark.slow) if name == "ray" else name for name in sorted(registry.RUNNERS)]


@pytest.fixture(scope="module", params=NAMES)
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    with opened_as(request.param, 2, SETTINGS) as opened:
        opened.warm_up()
        yield opened


def every_kind(folder: Path) -> list[Job | Failure]:
    """Jobs of every kind, those whose photos cannot be used among them."""
    (folder / "1.jpg").write_bytes(FILES[0])
    return [
        Job(folder / "1.jpg"),
        Job(FILES[1], query=True),
        Failure(SkipReason.REFUSED, "said before"),
        Job(FILES[2], features=False),
        Job(FILES[2], known_sha256=bytes(32)),
        Job(b"no picture"),
        Job(folder / "none.jpg"),
        Job(photos.png(photos.flat((8, 8)))),
        Job(photos.jpeg(photos.flat())),
        Job(FILES[3], view=90),
        Job(FILES[3], known_sha256=same(FILES[3])),
    ]


def same(data: bytes) -> bytes:
    with open_runner("in-process", 1, Settings(features=False)) as opened:
        ((_, reply),) = opened.describe([data], Job)
    assert isinstance(reply, Description)
    return reply.sha256


def replies(runner: Runner, jobs: list[Job | Failure]) -> list[Reply]:
    return [reply for _, reply in runner.describe(jobs, lambda job: job)]


@pytest.mark.slow
def test_replies_come_in_the_order_of_the_items_each_with_its_own(runner: Runner) -> None:
    items = [(number, FILES[number % len(FILES)]) for number in range(40)]
    found = list(runner.describe(items, lambda item: Job(item[1], features=False)))
    assert [item for item, _ in found] == items
    first = [reply for _, reply in found[: len(FILES)]]
    assert len({reply.sha256 for reply in first if isinstance(reply, Description)}) == len(FILES)
    assert [reply for _, reply in found] == [first[number % len(FILES)] for number in range(40)]


def test_what_cannot_be_used_is_a_failure_in_its_place_and_the_rest_goes_on(runner: Runner, tmp_path: Path) -> None:
    found = replies(runner, every_kind(tmp_path))
    kinds = [Description, Description, Failure, Description, Description, *[Failure] * 4, Viewed, Unchanged]
    assert [type(reply) for reply in found] == kinds
    reasons = [reply.reason for reply in found if isinstance(reply, Failure)]
    assert reasons == [
        SkipReason.REFUSED,
        SkipReason.UNREADABLE,
        SkipReason.MISSING,
        SkipReason.TOO_SMALL,
        SkipReason.FLAT,
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_photo_beneath_a_root_is_read_through_no_link(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "root" / "a").mkdir(parents=True)
    (tmp_path / "1.jpg").write_bytes(FILES[0])
    (tmp_path / "root" / "a" / "1.jpg").write_bytes(FILES[0])
    (tmp_path / "root" / "link.jpg").symlink_to("../1.jpg")
    (tmp_path / "root" / "door").symlink_to("..")
    root = (tmp_path / "root").resolve()
    inside, *outside = replies(
        runner, [Job(root / name, root=root) for name in ("a/1.jpg", "link.jpg", "door/1.jpg", "../1.jpg")]
    )
    assert isinstance(inside, Description)
    assert [reply.reason for reply in outside if isinstance(reply, Failure)] == [SkipReason.REFUSED] * 3


def test_every_runner_gives_the_same_replies_to_the_byte(runner: Runner, tmp_path: Path) -> None:
    jobs = every_kind(tmp_path)
    with open_runner("in-process", 1, SETTINGS) as opened:
        expected = [reply_message(reply) for reply in replies(opened, jobs)]
    assert [reply_message(reply) for reply in replies(runner, jobs)] == expected


def test_a_query_and_a_stored_photo_carry_what_each_needs(runner: Runner) -> None:
    query, stored = replies(runner, [Job(FILES[0], query=True), Job(FILES[0])])
    assert isinstance(query, Description)
    assert isinstance(stored, Description)
    assert query.first.fingerprints == stored.first.fingerprints
    assert set(query.first.orientations) == set(registry.HASHERS)
    assert stored.first.orientations == {}
    assert query.first.asked is not None
    assert query.first.asked.picture.dtype == np.uint8
    assert stored.first.stored is not None
    assert stored.first.stored.thumbnail


def test_items_are_read_only_a_little_ahead(runner: Runner) -> None:
    endless = count()
    found = list(islice(runner.describe(endless, lambda number: Job(FILES[number % 2], features=False)), 3))
    assert [item for item, _ in found] == [0, 1, 2]
    assert next(endless) < MOST_AHEAD


def test_spare_items_change_no_reply(runner: Runner) -> None:
    jobs: list[Job | Failure] = [Job(data, features=False) for data in FILES]
    usual = replies(runner, jobs)
    assert [reply for _, reply in runner.describe(jobs, lambda job: job, spare=64)] == usual


def test_no_items_get_no_replies(runner: Runner) -> None:
    assert replies(runner, []) == []


def test_several_threads_may_ask_at_once(runner: Runner) -> None:
    jobs: list[Job | Failure] = [Job(data, features=False) for data in FILES]
    expected, found = replies(runner, jobs), []
    threads = [Thread(target=lambda: found.append(replies(runner, jobs))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_what_the_items_raise_reaches_who_asks_and_the_runner_goes_on(runner: Runner) -> None:
    def broken() -> Iterator[bytes]:
        yield FILES[0]
        raise KeyError("source")

    with pytest.raises(KeyError, match="source"):
        list(runner.describe(broken(), lambda data: Job(data, features=False)))
    assert len(replies(runner, [Job(FILES[0], features=False)])) == 1


def test_units_of_work_are_answered_as_in_this_process_to_the_byte(runner: Runner) -> None:
    tasks, here = runner.tasks, TasksHere()
    if tasks is None:
        pytest.skip("this runner has other work done where it is asked for")
    codes = clustered(1, 400, copies=0.9)
    unit = JoinUnit(("a", "b"), (10, 150), (0, 250), 31, (Band(0, 9, 1), Band(9, 0, 0)), 1, 64, (0, 3, 0)).packed()
    answers = []
    for each in (tasks, here):
        kept = [each.keep(side.reshape(-1)) for side in (codes[:150], codes[150:])]
        answers.append([each.submit("join", unit, kept).result() for _ in range(3)])
        for number in kept:
            each.forget(number)
        with pytest.raises(ImgmatchError, match="kept"):
            each.submit("join", unit, kept).result()
    assert answers[0] == answers[1]


@pytest.mark.parametrize(("kind", "unit"), [("join", b"no unit"), ("verify", b"no unit"), ("dance", b"")])
def test_a_unit_that_cannot_be_answered_is_an_error_and_the_next_one_is(runner: Runner, kind: str, unit: bytes) -> None:
    tasks = runner.tasks
    if tasks is None:
        pytest.skip("this runner has other work done where it is asked for")
    with pytest.raises(ImgmatchError, match=r"these are no arrays|no unit is called 'dance'; there are: join, verify"):
        tasks.submit(kind, unit).result()
    assert tasks.submit("verify", pack_pairs(registry.DEFAULT_CODEBOOK, [])).result() == pack_arrays({"scores": []})


@pytest.mark.parametrize("name", NAMES)
def test_a_closed_runner_refuses_and_may_be_closed_again(name: str) -> None:
    with opened_as(name, 1, Settings(features=False)) as opened:
        begun = opened.describe([FILES[0]] * 100, Job)
        next(begun)
    opened.close()
    with pytest.raises(ImgmatchError, match="closed"):
        list(opened.describe([FILES[0]], Job))
    with pytest.raises(ImgmatchError, match="closed"):
        list(begun)


@pytest.mark.parametrize("name", sorted(registry.RUNNERS))
def test_a_runner_needs_at_least_one_worker(name: str) -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        open_runner(name, 0, Settings())


def test_an_unknown_runner_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match="no runner is called 'spark'; there are: in-process, processes, ray"):
        open_runner("spark", 1, Settings())


@pytest.mark.parametrize("kind", ["spark", "processes", ""])
def test_only_a_runner_that_works_elsewhere_has_an_address(kind: str) -> None:
    with pytest.raises(UnknownNameError, match=f"no runner elsewhere is called '{kind}'; there are: ray"):
        open_runner(f"{kind}://head:7077", 1, Settings())
