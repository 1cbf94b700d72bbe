"""A real cluster of three nodes, whose workers, nodes and photos come to grief."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import photos
import pytest
from ray_nodes import children_of, need_ray, started
from watching import wait_until

from imgmatch.describing.messages import Description, Job, Reply, reply_message
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.errors import ImgmatchError, MissingExtraError
from imgmatch.imaging.limits import Limits
from imgmatch.model import Failure, SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ray_nodes import Nodes

    from imgmatch.describing.runner import Runner

pytestmark = [
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc"),
]

ABORTS, SLEEPS, KILLS = 161, 162, 163
"""Widths of pictures, in pixels."""

ODD = f'''
import os, signal, time
from imgmatch.hashers.dhash import DHash

class Odd(DHash):
    """What a decoder of some pictures may do."""

    name = "odd"

    def fingerprint(self, grey):
        width = grey.shape[1]
        if width == {ABORTS}:
            os.abort()
        if width == {SLEEPS}:
            time.sleep(100_000)
        if width == {KILLS}:
            os.kill(os.getppid(), signal.SIGKILL)
        return super().fingerprint(grey)
'''

ODD_SITE = "from imgmatch import registry\nregistry.HASHERS['odd'] = 'odd_hasher:Odd'\n"

OTHER_CODEBOOK = """
from dataclasses import replace
from imgmatch.features.codebook import shipped

def other():
    return replace(shipped(), parts=shipped().parts * 2)
"""

OTHER_SITE = f"{ODD_SITE}registry.CODEBOOKS['sift-4096-32x4-v1'] = 'other_codebook:other'\n"

PHOTOS = [photos.jpeg(photos.picture(seed, (160, 200))) for seed in range(8)]
QUICK = Settings(("odd",), features=False)


def odd(width: int) -> bytes:
    return photos.jpeg(photos.picture(2, (width, 200)))


def answers(runner: Runner, items: list[bytes]) -> list[Reply]:
    return [reply for _, reply in runner.describe(items, Job)]


def on_path(*folders: Path) -> str:
    elsewhere = os.environ.get("PYTHONPATH")
    return os.pathsep.join([*map(str, folders), *([elsewhere] if elsewhere else [])])


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Three of them, which know the odd hasher; so does whoever speaks to them."""
    need_ray()
    folder = tmp_path_factory.mktemp("odd")
    (folder / "odd_hasher.py").write_text(ODD)
    (folder / "sitecustomize.py").write_text(ODD_SITE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", on_path(folder))
        with started(patch, 3) as running:
            yield running


@pytest.fixture(scope="module")
def cluster(nodes: Nodes) -> str:
    return f"ray:{nodes.address}"


@pytest.fixture(scope="module")
def expected() -> list[Reply]:
    """What each of ``PHOTOS`` is answered with; the odd hasher is that of differences where a picture is plain."""
    with open_runner("in-process", 1, Settings(("dhash",), features=False)) as runner:
        return [_named_odd(reply) for reply in answers(runner, PHOTOS)]


def _named_odd(reply: Reply) -> Reply:
    assert isinstance(reply, Description)
    (picture,) = reply.pictures
    return replace(reply, pictures=(replace(picture, fingerprints={"odd": picture.fingerprints["dhash"]}),))


def test_three_nodes_describe_as_this_process_does_from_bytes_and_from_files(cluster: str, tmp_path: Path) -> None:
    for number, photo in enumerate(PHOTOS):
        (tmp_path / f"{number}.jpg").write_bytes(photo)
    items: list[bytes | Path] = [*PHOTOS * 5, *(tmp_path / f"{number}.jpg" for number in range(9)), b"no photo"]
    found = []
    for name, workers in (("in-process", 1), (cluster, 3)):
        with open_runner(name, workers, Settings()) as runner:
            found.append([reply_message(reply) for _, reply in runner.describe(items, Job)])
    assert found[1] == found[0]


def test_photos_go_to_the_cluster_through_the_client_of_ray_as_well(nodes: Nodes, expected: list[Reply]) -> None:
    with open_runner(nodes.client_address, 2, QUICK) as runner:
        assert answers(runner, PHOTOS * 3) == expected * 3


def test_a_connection_that_is_killed_ends_the_run_with_an_error_and_the_next_run_goes_on(
    cluster: str, expected: list[Reply]
) -> None:
    with open_runner(cluster, 2, QUICK) as runner:
        endless = runner.describe(cycle(PHOTOS), Job)
        next(endless)
        (driver,) = children_of(os.getpid(), b"imgmatch.describing.on_ray.driver")
        os.kill(driver, signal.SIGKILL)
        with pytest.raises(ImgmatchError, match=r"the connection to the Ray cluster at .* was lost"):
            for _ in endless:
                pass
        with pytest.raises(ImgmatchError, match="was lost"):
            answers(runner, PHOTOS)
    with open_runner(cluster, 2, QUICK) as runner:
        assert answers(runner, PHOTOS) == expected


def test_two_runners_of_one_process_have_a_connection_each(cluster: str, expected: list[Reply]) -> None:
    with open_runner(cluster, 1, QUICK) as first, open_runner(cluster, 1, QUICK) as second:
        assert answers(first, PHOTOS) == expected
        first.close()
        assert answers(second, PHOTOS) == expected


def test_a_ray_worker_killed_in_the_middle_costs_no_photo(cluster: str, nodes: Nodes, expected: list[Reply]) -> None:
    found: list[Reply] = []
    with open_runner(cluster, 3, QUICK) as runner:
        for number, (_, reply) in enumerate(runner.describe(PHOTOS * 60, Job)):
            found.append(reply)
            if number in {20, 200}:
                for worker in nodes.decoders().values():
                    os.kill(worker, signal.SIGKILL)
    assert found == expected * 60


def test_a_decode_process_killed_in_the_middle_costs_one_photo_only(
    cluster: str, nodes: Nodes, expected: list[Reply]
) -> None:
    found: list[Reply] = []
    killed = 0
    with open_runner(cluster, 1, QUICK) as runner:
        for number, (_, reply) in enumerate(runner.describe(PHOTOS * 30, Job)):
            found.append(reply)
            if number == 20:
                for decoder in nodes.decoders():
                    os.kill(decoder, signal.SIGKILL)
                    killed += 1
    wrong = [reply for reply, right in zip(found, expected * 30, strict=True) if reply != right]
    assert killed == 1
    assert len(wrong) <= 1
    assert all(isinstance(reply, Failure) and reply.reason is SkipReason.CRASHED for reply in wrong)


def test_a_node_removed_in_the_middle_costs_no_photo(cluster: str, nodes: Nodes, expected: list[Reply]) -> None:
    fourth = nodes.add()
    found: list[Reply] = []
    with open_runner(cluster, 4, QUICK) as runner:
        runner.warm_up()
        assert answers(runner, PHOTOS) == expected
        wait_until("each node has a decoder", lambda: len(nodes.decoders()) == 4, 120)
        for number, (_, reply) in enumerate(runner.describe(PHOTOS * 60, Job)):
            found.append(reply)
            if number == 20:
                nodes.remove(fourth)
    assert found == expected * 60


def test_a_photo_that_crashes_hangs_or_kills_its_node_costs_itself_alone(cluster: str, expected: list[Reply]) -> None:
    items = [*PHOTOS, odd(ABORTS), *PHOTOS, odd(SLEEPS), *PHOTOS, odd(KILLS), *PHOTOS]
    with open_runner(cluster, 3, replace(QUICK, limits=Limits(wall_seconds=10))) as runner:
        found = answers(runner, items)
    failed = [found.pop(place) for place in (26, 17, 8)]
    assert found == expected * 4
    assert [reply.reason for reply in failed if isinstance(reply, Failure)] == [
        SkipReason.CRASHED,
        SkipReason.TIMED_OUT,
        SkipReason.CRASHED,
    ]
    assert failed[0] == Failure(SkipReason.CRASHED, "the Ray worker or node that worked on it ended, 3 times over")


def test_a_node_that_hangs_is_given_up_and_costs_no_photo(
    cluster: str, nodes: Nodes, expected: list[Reply], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgmatch.describing.on_ray.link.PATIENCE_SECONDS", 40.0)
    with open_runner(cluster, 1, replace(QUICK, limits=Limits(wall_seconds=1))) as runner:
        assert answers(runner, PHOTOS) == expected
        (stopped,) = nodes.decoders().values()
        os.kill(stopped, signal.SIGSTOP)
        assert answers(runner, PHOTOS * 4) == expected * 4
        wait_until("it has been ended", lambda: stopped not in nodes.decoders().values(), 180)


def test_a_node_that_hangs_before_it_has_begun_is_given_up_and_another_takes_its_place(
    cluster: str, nodes: Nodes, expected: list[Reply], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgmatch.describing.on_ray.link.PATIENCE_SECONDS", 40.0)
    with open_runner(cluster, 2, QUICK) as runner:
        runner.warm_up()
        wait_until("an actor begins", lambda: bool(nodes.decoders()), 120)
        stopped = next(iter(nodes.decoders().values()))
        os.kill(stopped, signal.SIGSTOP)
        assert answers(runner, PHOTOS * 4) == expected * 4
        wait_until("it has been ended", lambda: stopped not in nodes.decoders().values(), 180)
        wait_until("both slots are there", lambda: len(nodes.decoders()) == 2, 120)


def test_files_that_nodes_do_not_see_or_see_otherwise_are_read_here_and_sent(
    cluster: str, nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for number, photo in enumerate(PHOTOS):
        (tmp_path / f"{number}.jpg").write_bytes(photo)
    (nodes.folder / "0.jpg").write_bytes(PHOTOS[1])
    monkeypatch.chdir(tmp_path)
    names = [f"{number}.jpg" for number in range(9)]
    found = []
    with open_runner(cluster, 3, Settings(("dhash",))) as runner:
        for folder, complaints in ((tmp_path, 0), (Path("/proc/self/cwd"), 1)):
            jobs = [Job(folder / name) for name in names]
            found.append([reply for _, reply in runner.describe(jobs, lambda job: job)])
            assert [record.levelname for record in caplog.records] == ["WARNING"] * complaints
    assert found[1] == found[0]
    assert [isinstance(reply, Description) for reply in found[0]] == [True] * 8 + [False]
    assert "not every node sees /proc/self/cwd/" in caplog.text


@pytest.fixture
def strange(tmp_path: Path) -> dict[str, str]:
    """The environment of a node with another imgmatch and another codebook."""
    (tmp_path / "imgmatch-9.9.9.dist-info").mkdir()
    (tmp_path / "imgmatch-9.9.9.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nVersion: 9.9.9\n")
    (tmp_path / "other_codebook.py").write_text(OTHER_CODEBOOK)
    (tmp_path / "sitecustomize.py").write_text(OTHER_SITE)
    return {"PYTHONPATH": on_path(tmp_path)}


def test_a_node_with_another_imgmatch_or_codebook_is_refused_by_name_before_any_work(
    cluster: str, nodes: Nodes, strange: dict[str, str]
) -> None:
    number = nodes.add(strange)
    try:
        refused = (
            r"^node \S+ \(127\.0\.0\.1, [0-9a-f]{8}\) has imgmatch 9\.9\.9 \(here 0\.1\.0\); "
            r"codebook sift-4096-32x4-v1 [0-9a-f]{12} \(here [0-9a-f]{12}\); install the same on every node$"
        )
        with open_runner(cluster, 1, QUICK) as runner, pytest.raises(ImgmatchError, match=refused):
            answers(runner, PHOTOS)
    finally:
        nodes.remove(number)


def test_a_node_without_imgmatch_is_refused_by_name(cluster: str, nodes: Nodes, tmp_path: Path) -> None:
    (tmp_path / "imgmatch").mkdir()
    (tmp_path / "imgmatch" / "__init__.py").touch()
    number = nodes.add({"PYTHONPATH": on_path(tmp_path)})
    try:
        refused = r"^node \S+ \(127\.0\.0\.1, [0-9a-f]{8}\) cannot describe photos: .*No module named 'imgmatch\."
        with open_runner(cluster, 1, QUICK) as runner, pytest.raises(ImgmatchError, match=refused):
            answers(runner, PHOTOS)
    finally:
        nodes.remove(number)


def test_a_strange_node_that_joins_later_ends_the_run_and_is_named(
    cluster: str, nodes: Nodes, strange: dict[str, str]
) -> None:
    with open_runner(cluster, 4, QUICK) as runner:
        endless = runner.describe(cycle(PHOTOS), Job)
        next(endless)
        number = nodes.add(strange)
        try:
            with pytest.raises(ImgmatchError, match=r"^node .*, which has joined the cluster, has imgmatch 9"):
                for _ in endless:
                    pass
        finally:
            nodes.remove(number)


def test_a_cluster_without_a_free_processor_is_an_error_and_no_hang(
    cluster: str, expected: list[Reply], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_runner(cluster, 3, QUICK) as holder:
        list(holder.describe(PHOTOS * 12, Job))
        monkeypatch.setattr("imgmatch.describing.on_ray.link.PATIENCE_SECONDS", 15.0)
        none = r"no processor of the cluster was to be had in 15 seconds: it has 3, of which 0 are free"
        with open_runner(cluster, 1, QUICK) as second, pytest.raises(ImgmatchError, match=none):
            answers(second, PHOTOS)
        assert answers(holder, PHOTOS) == expected


def test_a_cluster_that_is_not_there_is_an_error_that_names_it() -> None:
    need_ray()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with open_runner(f"ray:{address}", 1, QUICK) as runner, pytest.raises(ImgmatchError, match=f"cluster at {address}"):
        answers(runner, PHOTOS)


def test_without_ray_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ray.py").write_text("""raise ModuleNotFoundError("No module named 'ray'", name="ray")""")
    monkeypatch.setenv("PYTHONPATH", on_path(tmp_path))
    with open_runner("ray", 1, Settings()) as runner, pytest.raises(MissingExtraError, match=r'"imgmatch\[ray\]"'):
        answers(runner, PHOTOS)


PRIVATE = """
import sys, time
from imgmatch.describing.messages import Job
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings

with open_runner("ray", 1, Settings(("pdq",), features=False)) as runner:
    print([type(reply).__name__ for _, reply in runner.describe([sys.stdin.buffer.read()], Job)], flush=True)
    print(runner._link._cluster._folder, flush=True)
    time.sleep(100_000)
"""


def test_nothing_of_a_private_cluster_is_left_when_its_process_is_killed() -> None:
    need_ray()
    with subprocess.Popen([sys.executable, "-c", PRIVATE], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as script:
        assert script.stdin is not None
        assert script.stdout is not None
        script.stdin.write(PHOTOS[0])
        script.stdin.close()
        assert script.stdout.readline() == b"['Description']\n"
        folder = script.stdout.readline().strip()
        assert _of(folder)
        script.kill()
    wait_until("all of it has ended", lambda: not _of(folder) and not Path(os.fsdecode(folder)).exists(), 180)


def _of(folder: bytes) -> list[bytes]:
    """The command lines that name a folder."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(command.read_bytes())
        except OSError:  # it has ended meanwhile
            continue
    return [command for command in found if folder in command]
