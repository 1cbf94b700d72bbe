"""Shards on a real cluster of three nodes, which come to grief."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import photos
import pytest
from comparing import as_json, rings_as_json
from ray_nodes import need_ray, processes_of, started
from watching import wait_until

from imgmatch import ConflictError, ImgmatchError, Index, NewPhoto, UnknownNameError
from imgmatch.catalog.row_counts import tombstones

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgresql_server import Server
    from ray_nodes import Nodes

    from imgmatch.catalog.shards import ShardRecord

pytestmark = [
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc"),
]

SIDE = (240, 320)
PICTURES = 16
QUERIES = [photos.jpeg(photos.picture(seed, SIDE).crop((10, 10, 300, 230))) for seed in (1, 7, 14, 99)]
DEADLINE = 60.0
"""Seconds: a busy machine takes some of them."""


def drawn(folder: Path, seeds: range) -> Iterator[NewPhoto]:
    """Each picture on two accounts, once cropped."""
    for seed in seeds:
        whole = photos.picture(seed, SIDE)
        for account, picture in (("a", whole), ("b", whole.crop((30, 20, 300, 220)))):
            path = folder / f"{account}{seed}.jpg"
            path.write_bytes(photos.jpeg(picture))
            yield NewPhoto.at(path, account=f"{account}{seed}")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    need_ray()
    with pytest.MonkeyPatch.context() as patch, started(patch, 3) as running:
        yield running


@pytest.fixture(scope="module")
def at(nodes: Nodes) -> str:
    return f"ray:{nodes.address}"


@pytest.fixture(scope="module")
def url(nodes: Nodes, postgresql: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An index of some pictures, which the nodes reach."""
    del nodes  # without Ray there is no need of a server
    folder, home = tmp_path_factory.mktemp("photos"), postgresql.database()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMGMATCH_ENGINES", str(tmp_path_factory.mktemp("engines")))
        with Index.create(home, workers=2) as index:
            index.add(list(drawn(folder, range(PICTURES))))
        yield home


@pytest.fixture
def index(url: str) -> Iterator[Index]:
    with Index.open(url, workers=2) as opened:
        yield opened


@pytest.fixture(scope="module")
def expected(url: str) -> list[str]:
    """What a machine with an engine of its own answers."""
    with Index.open(url) as opened:
        assert opened.shards() == ()
        found = answers(opened)
    assert [text.count('"account"') for text in found] == [2, 2, 2, 0]
    return found


def answers(index: Index) -> list[str]:
    return [as_json(result) for result in index.check_many(QUERIES)]


@pytest.mark.parametrize(("count", "replicas"), [(1, 1), (4, 2)])
def test_answers_through_shards_are_those_of_an_engine_on_this_machine_byte_for_byte(
    index: Index, at: str, url: str, expected: list[str], count: int, replicas: int
) -> None:
    """Also of a process that was there before, and after shards were added or taken away."""
    health = index.start_shards(count, at=at, replicas=replicas, deadline=DEADLINE)
    assert [(one.answering, one.behind, one.problem) for one in health] == [(replicas, 0, None)] * count
    assert sum(one.features for one in health) == 2 * PICTURES
    assert answers(index) == expected
    with Index.open(url) as other:
        assert answers(other) == expected
        assert other.status().shards_at == at


def test_what_is_added_is_found_at_once_and_what_is_erased_never_again(
    index: Index, at: str, expected: list[str], tmp_path: Path
) -> None:
    index.start_shards(3, at=at, deadline=DEADLINE)
    new = list(drawn(tmp_path, range(90, 91)))
    asked = photos.jpeg(photos.picture(90, SIDE))
    assert len(index.check(asked)) == 0
    index.add(new)
    assert {match.photo.account for match in index.check(asked)} == {"a90", "b90"}
    for account in ("a90", "b90"):
        erasure = index.erase(account=account)
        assert (erasure.traces, erasure.finished, erasure.elsewhere) == (0, True, ())
    assert sum(one.features for one in index.shards()) == 2 * PICTURES
    assert sum(one.fingerprints for one in index.shards()) <= 2 * PICTURES
    assert answers(index) == expected
    with index.parts.catalog.read() as session:
        assert tombstones(session, f"features/{_record(index).place}", None, 1 << 62) == []


def _record(index: Index) -> ShardRecord:
    record = index.parts.search.record()
    assert record is not None
    return record


def test_rings_through_shards_are_those_of_an_engine_on_this_machine(index: Index, at: str, tmp_path: Path) -> None:
    index.start_shards(4, at=at, deadline=DEADLINE)
    through = rings_as_json(index.rings())
    index.copy(tmp_path / "alone")
    with Index.open(tmp_path / "alone", workers=2) as alone:
        assert rings_as_json(alone.rings()) == through


def test_a_shard_whose_actor_was_killed_is_named_or_its_replica_answers_and_then_all_is_whole_again(
    index: Index, nodes: Nodes, at: str, expected: list[str]
) -> None:
    index.start_shards(2, at=at, replicas=2, deadline=DEADLINE)
    first = actors(nodes)
    assert len(first) == 4
    os.kill(first[0], signal.SIGKILL)
    assert answers(index) == expected
    wait_until("it is there again", lambda: all(one.answering == 2 for one in index.shards()), 120)
    index.start_shards(2, at=at, replicas=1, deadline=0.5)
    for pid in actors(nodes):
        os.kill(pid, signal.SIGSTOP)
    try:
        results = list(index.check_many(QUERIES))
        assert {result.incomplete for result in results} == {("shard 1 of 2", "shard 2 of 2")}
        assert [len(result) for result in results] == [0, 0, 0, 0]
    finally:
        for pid in actors(nodes):
            os.kill(pid, signal.SIGCONT)
    index.start_shards(2, at=at, replicas=1, deadline=DEADLINE)
    assert answers(index) == expected


def actors(nodes: Nodes) -> list[int]:
    return processes_of(nodes, b"ray::ShardActor")


def test_a_node_that_is_lost_in_the_middle_costs_no_answer(
    index: Index, nodes: Nodes, at: str, expected: list[str]
) -> None:
    number = nodes.add()
    index.start_shards(4, at=at, replicas=2, deadline=DEADLINE)
    nodes.remove(number)
    assert answers(index) == expected
    wait_until("Ray has placed all again", lambda: all(one.answering == 2 for one in index.shards()), 180)
    assert answers(index) == expected


def test_a_node_with_another_imgmatch_is_refused_by_name(
    index: Index, nodes: Nodes, at: str, expected: list[str], tmp_path: Path
) -> None:
    index.start_shards(1, at=at, deadline=DEADLINE)
    (tmp_path / "sitecustomize.py").write_text(
        "from importlib import metadata\nusual = metadata.version\n"
        "metadata.version = lambda name: '9.9' if name == 'imgmatch' else usual(name)\n"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    number = nodes.add({"PYTHONPATH": path})
    try:
        with pytest.raises(ImgmatchError, match=r"^node .* has imgmatch 9\.9 \(here .*install the same"):
            index.start_shards(2, at=at, deadline=DEADLINE)
        assert [one.answering for one in index.shards()] == [1]
        assert answers(index) == expected
    finally:
        nodes.remove(number)


def test_what_is_asked_for_wrongly_is_refused(index: Index, at: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no Ray cluster"):
        index.start_shards(2, at="redis://head")
    for shards, replicas in ((0, 1), (1_000, 1), (1, 0)):
        with pytest.raises(ValueError, match="from 1 to"):
            index.start_shards(shards, at=at, replicas=replicas)
    with Index.create(tmp_path / "folder") as alone, pytest.raises(ConflictError, match="is in a folder"):
        alone.start_shards(2, at=at)


def test_when_shards_are_stopped_each_machine_answers_by_itself(
    index: Index, nodes: Nodes, expected: list[str]
) -> None:
    index.stop_shards()
    assert index.shards() == ()
    assert answers(index) == expected
    wait_until("no actor is left", lambda: not actors(nodes), 60)
    index.stop_shards()
