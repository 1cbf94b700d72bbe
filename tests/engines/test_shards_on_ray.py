"""Shards on a real cluster of three nodes, which come to grief."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import httpx
import photos
import pytest
from comparing import as_json, rings_as_json
from PIL import ImageOps
from ray_nodes import children_of, need_ray, processes_of, started
from serving import serving_process
from watching import wait_until

from imgmatch import ConflictError, ImgmatchError, Index, NewPhoto, ShardsMissingError, UnknownNameError
from imgmatch.catalog.row_counts import tombstones
from imgmatch.cli.main import run
from imgmatch.engines import searching
from imgmatch.engines.shards import tending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
RAYLET = b"/raylet/raylet"
"""Ray's own process of a node, which starts all others."""

QUERIES = [photos.jpeg(photos.picture(seed, SIDE).crop((10, 10, 300, 230))) for seed in (1, 7, 14, 99)]
QUERIES += [photos.jpeg(ImageOps.invert(photos.picture(5, SIDE)))]
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
    assert [text.count('"account"') for text in found] == [2, 2, 2, 0, 1]
    return found


def answers(index: Index) -> list[str]:
    return [as_json(result) for result in index.check_many(QUERIES)]


def test_answers_through_shards_are_those_of_an_engine_on_this_machine_byte_for_byte(
    index: Index, at: str, url: str, expected: list[str]
) -> None:
    """Also of a process that was there before."""
    health = index.start_shards(4, at=at, replicas=2, deadline=DEADLINE)
    assert [(one.answering, one.behind, one.problem) for one in health] == [(2, 0, None)] * 4
    assert sum(one.features for one in health) == 2 * PICTURES
    assert answers(index) == expected
    with Index.open(url) as other:
        assert answers(other) == expected
        assert other.status().shards_at == at


def test_what_is_added_is_found_at_once_and_what_is_erased_never_again(
    index: Index, at: str, expected: list[str], tmp_path: Path
) -> None:
    index.start_shards(1, at=at, deadline=DEADLINE)
    assert answers(index) == expected
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


def test_rings_through_shards_are_those_of_an_engine_on_this_machine(
    index: Index, nodes: Nodes, expected: list[str], tmp_path: Path
) -> None:
    """Also where the cluster is reached by Ray's client."""
    index.start_shards(4, at=nodes.client_address, deadline=DEADLINE)
    assert answers(index) == expected
    through = rings_as_json(index.rings())
    index.copy(tmp_path / "alone")
    with Index.open(tmp_path / "alone", workers=2) as alone:
        assert rings_as_json(alone.rings()) == through


def held(index: Index) -> int:
    """How many pictures the shards hold between them."""
    return sum(health.features for health in index.shards())


@contextmanager
def hanging(pid: int) -> Iterator[None]:
    """Have it hang, and then be killed."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)


def test_what_a_shard_that_hangs_may_have_is_said_to_be_missing_and_nothing_is_kept_without_it(  # noqa: PLR0913, PLR0917 -- fixtures
    index: Index,
    nodes: Nodes,
    at: str,
    url: str,
    expected: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """In the library, at the command line, on two servers and their pages, by rings and by erasing."""
    monkeypatch.setattr(searching, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(tending, "FORGET_SECONDS", 1.0)
    monkeypatch.setattr(tending, "LOOK_SECONDS", 1.0)
    index.start_shards(2, at=at, deadline=4.0)  # those that do not hang answer within it, also on a busy machine
    index.rings()
    index.add(list(drawn(tmp_path, range(91, 92))))
    asked = tmp_path / "asked.jpg"
    asked.write_bytes(QUERIES[0])
    with serving(url, tmp_path / "one") as one, serving(url, tmp_path / "two") as two:
        with hanging(actors(nodes)[0]):
            results = list(index.check_many(QUERIES))
            [named] = {result.incomplete for result in results}
            assert named in {("shard 1 of 2",), ("shard 2 of 2",)}
            for server in (one, two):
                found = httpx.post(f"{server}/api/v1/check", files={"photo": ("x.jpg", QUERIES[0])}, timeout=60).json()
                assert [found["complete"], found["results"][0]["incomplete"]] == [True, list(named)]
                page = httpx.post(f"{server}/checks", files={"photo": ("x.jpg", QUERIES[0])}, timeout=60).json()["url"]
                text = httpx.get(f"{server}{page}", timeout=60).text
                assert f"This answer is incomplete: no answer from {named[0]}" in text
            metrics = httpx.get(f"{one}/metrics", timeout=60).text
            assert metrics.count("imgmatch_shard_answering{") == 2
            assert 'imgmatch_shard_replies{outcome="late"}' in metrics
            assert run(["check", str(asked), "--index", url, "--workers", "1"]) == 6
            assert f"incomplete: no answer from {named[0]}" in capfd.readouterr().out
            assert [health.answering for health in index.shards()].count(0) == 1
            with pytest.raises(ShardsMissingError, match=named[0]):
                index.rings()
            erasure = index.erase(account="a91")
            assert (erasure.elsewhere[-1], erasure.traces) == (named[0], 0)
        wait_until("Ray has started it anew, and it has read its rows", lambda: held(index) >= 2 * PICTURES, 120)
        assert "shard" not in "".join(index.erase(account="b91").elsewhere)
        assert held(index) == 2 * PICTURES
        assert len(index.rings().rings) == PICTURES
        found = httpx.post(f"{two}/api/v1/check", files={"photo": ("x.jpg", QUERIES[0])}, timeout=60).json()
        assert found["results"][0]["incomplete"] == []
    index.start_shards(2, at=at, deadline=DEADLINE)
    assert answers(index) == expected


@contextmanager
def serving(home: str, folder: Path) -> Iterator[str]:
    """A server process of a machine of its own; its URL, once it is ready."""
    folder.mkdir()
    with serving_process(home, folder, environment={"IMGMATCH_ENGINES": str(folder / "engines")}) as (_, url):
        with httpx.Client(transport=httpx.HTTPTransport(retries=20)) as client:
            while client.get(f"{url}/readyz", timeout=60).status_code != 200:
                pass
        yield url


def actors(nodes: Nodes) -> list[int]:
    return processes_of(nodes, b"ray::ShardActor")


@contextmanager
def node_with_shards(
    nodes: Nodes, index: Index, at: str, replicas: int, deadline: float
) -> Iterator[Callable[[], None]]:
    """One node more, on which some of four shards hang while the block lasts; calling it has the whole node gone."""
    index.stop_shards()
    before = processes_of(nodes, RAYLET)
    number = nodes.add()
    [raylet] = set(processes_of(nodes, RAYLET)) - set(before)
    index.start_shards(4, at=at, replicas=replicas, deadline=deadline)
    on_it = children_of(raylet, b"ray::ShardActor")
    assert len(on_it) == replicas  # of different shards: those who hold one lie on different nodes
    with ExitStack() as stack:
        for pid in on_it:
            stack.enter_context(hanging(pid))

        def lose() -> None:
            nodes.remove(number)
            stack.close()

        yield lose


def test_a_node_that_is_lost_while_its_shards_have_a_question_costs_no_answer_where_there_are_replicas(
    index: Index, nodes: Nodes, at: str, expected: list[str]
) -> None:
    """Nor is the deadline waited for, or a part of it."""
    with node_with_shards(nodes, index, at, 2, 600.0) as lose, ThreadPoolExecutor(1) as thread:
        before = answered(index)
        asked = thread.submit(answers, index)
        # Whichever replica is asked first: of two shards one lies there, and of one of these it is the first.
        wait_until("the others have answered", lambda: answered(index) >= before + 3, 120)
        assert not asked.done()
        lose()
        assert asked.result(120) == expected
    wait_until("Ray has placed all again", lambda: all(one.answering == 2 for one in index.shards()), 180)
    assert answers(index) == expected


def test_a_node_that_is_lost_while_its_shard_has_a_question_makes_the_answer_incomplete_where_there_is_no_replica(
    index: Index, nodes: Nodes, at: str, expected: list[str]
) -> None:
    """Or it is whole, if Ray has started the shard anew before the deadline; in any case it says which it is."""
    with node_with_shards(nodes, index, at, 1, 8.0) as lose, ThreadPoolExecutor(1) as thread:
        [named] = (one.shard for one in index.shards() if not one.answering)
        before = answered(index)
        asked = thread.submit(lambda: list(index.check_many(QUERIES)))
        wait_until("the others have answered", lambda: answered(index) >= before + 3, 120)
        assert not asked.done()
        lose()
        found = asked.result(120)
        incomplete = {result.incomplete for result in found}
        assert incomplete == {(named,)} or [as_json(result) for result in found] == expected
    wait_until("Ray has placed all again", lambda: all(one.answering == 1 for one in index.shards()), 180)
    index.start_shards(4, at=at, deadline=DEADLINE)
    assert answers(index) == expected


def answered(index: Index) -> int:
    """How many replies have come."""
    return index.parts.search.holders.counts.get("answered", 0)


def kill_actors(nodes: Nodes, index: Index) -> list[str | None]:
    """Kill all who hold shards; once Ray has started others, what each says of its snapshot."""
    for pid in (before := actors(nodes)):
        os.kill(pid, signal.SIGKILL)
    wait_until("they are gone", lambda: not set(before) & set(actors(nodes)), 60)
    wait_until("Ray has started all anew", lambda: all(one.answering for one in index.shards()), 180)
    assert answers(index)
    return [one.snapshot for one in index.shards()]


def test_a_lost_actor_is_made_from_what_its_shard_has_saved(
    index: Index, nodes: Nodes, at: str, expected: list[str], tmp_path: Path
) -> None:
    """What does not fit is refused by name, and the catalog read instead; what was erased is in no snapshot."""
    place = tmp_path / "snapshots"
    index.stop_shards()
    health = index.start_shards(2, at=at, deadline=DEADLINE, snapshots=str(place))
    assert [one.snapshot for one in health] == [None, None]
    assert len(list(place.glob("*/shard-?-of-2.*"))) == 6
    assert kill_actors(nodes, index) == ["made from its snapshot"] * 2
    assert answers(index) == expected
    index.add(list(drawn(tmp_path, range(91, 92))))
    first = set(place.glob("*/shard-?-of-2.*"))
    for account in ("a91", "b91"):
        erasure = index.erase(account=account)
        assert (erasure.traces, erasure.finished) == (0, True)
        assert not any(name.startswith("shard") for name in erasure.elsewhere)  # other machines may have files
    assert len(list(place.glob("*/shard-?-of-2.*"))) == 6
    assert set(place.glob("*/shard-?-of-2.*")) != first
    [features] = place.glob("*/shard-1-of-2.*.features")
    features.write_bytes(features.read_bytes()[:-100])
    said = kill_actors(nodes, index)
    assert said[1] == "made from its snapshot"
    assert (said[0] or "").startswith("its snapshot was not used: its features are")
    assert answers(index) == expected
    assert held(index) == 2 * PICTURES
    index.start_shards(3, at=at, deadline=DEADLINE, snapshots=str(place))
    assert {path.name.split(".")[0] for path in place.glob("*/shard-*")} == {f"shard-{n}-of-3" for n in (1, 2, 3)}
    assert answers(index) == expected
    index.stop_shards()
    assert not list(place.glob("*/*"))


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
    with pytest.raises(UnknownNameError, match="no place for snapshots"):
        index.start_shards(2, at=at, snapshots="here")
    with pytest.raises(ImgmatchError, match="cannot be used"):
        index.start_shards(2, at=at, snapshots="/dev/null")
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
