"""Runs on a real cluster whose nodes, workers and driver come to grief in the middle of a join and of verification."""

from __future__ import annotations

import os
import signal
import sys
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from elsewhere import World, cut_small
from ray_nodes import children_of, need_ray, started
from watching import wait_until

from imgmatch.actions import database
from imgmatch.errors import ImgmatchError
from imgmatch.index import Index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgresql_server import Server
    from ray_nodes import Nodes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.sqlite,
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc"),
]

KINDS = ("join", "verify")

ODD = """
import os, signal, time
from pathlib import Path
from imgmatch import registry

FOLDER = Path(os.environ["ODD_FOLDER"])
REAL = {"join": "imgmatch.joins.answering:answer", "verify": "imgmatch.matching.pair_units:answer"}

def taken(name):
    try:
        (FOLDER / name).unlink()
    except FileNotFoundError:
        return False
    return True

def odd(kind):
    def answer(unit, kept):
        if kind in os.environ.get("ODD_HOLDS", ""):
            (FOLDER / f"held-{kind}").touch()
            time.sleep(100_000)
        while (FOLDER / f"wait-{kind}").exists():
            (FOLDER / f"waits-{kind}").touch()
            time.sleep(0.02)
        if taken(f"kill-{kind}"):
            os.kill(os.getpid(), signal.SIGKILL)
        if taken(f"babble-{kind}"):
            return b"what is no answer"
        if taken(f"refuse-{kind}"):
            raise ValueError("not today")
        return registry.load(REAL[kind])(unit, kept)
    return answer

join, verify = odd("join"), odd("verify")
"""

SITE = "from imgmatch import registry\nregistry.UNITS.update(join='odd_units:join', verify='odd_units:verify')\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What lies in it tells the nodes how to be odd."""
    return tmp_path_factory.mktemp("odd")


@pytest.fixture(scope="module")
def nodes(folder: Path) -> Iterator[Nodes]:
    need_ray()
    (folder / "odd_units.py").write_text(ODD)
    (folder / "sitecustomize.py").write_text(SITE)
    with pytest.MonkeyPatch.context() as patch:
        elsewhere = os.environ.get("PYTHONPATH")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *([elsewhere] if elsewhere else [])]))
        patch.setenv("ODD_FOLDER", str(folder))
        with started(patch, 3) as running:
            yield running


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_small(monkeypatch)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, object]]:
    """What each of two nights comes to in a folder, on this machine alone."""
    place = tmp_path_factory.mktemp("here")
    with Index.open(place / "index", create=True) as index:
        return nights(World(place / "photos", index))


def nights(world: World) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for night in range(2):
        world.scan(night)
        found.append((world.rings(), world.kept()))
    return found


def killed_when_held(nodes: Nodes, folder: Path, kind: str, number: int) -> Thread:
    """Kill a node while it works on a unit of a kind, for which all the others wait."""

    def kill() -> None:
        wait_until(f"a {kind} unit is held", (folder / f"held-{kind}").exists, 200)
        nodes.remove(number)
        (folder / f"wait-{kind}").unlink()

    thread = Thread(target=kill)
    thread.start()
    return thread


def test_rings_in_postgresql_and_on_ray_are_those_of_a_folder_though_nodes_are_killed_in_the_middle(
    nodes: Nodes,
    folder: Path,
    postgresql: Server,
    expected: list[tuple[str, object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(database.ENGINES, str(tmp_path / "engines"))
    for kind in KINDS:
        (folder / f"wait-{kind}").touch()
    lost = [nodes.add({"ODD_HOLDS": kind}) for kind in KINDS]
    with Index.open(postgresql.database(), create=True, workers=5, runner=f"ray:{nodes.address}") as index:
        threads = [killed_when_held(nodes, folder, kind, number) for kind, number in zip(KINDS, lost, strict=True)]
        found = nights(World(tmp_path / "photos", index))
    for thread in threads:
        thread.join()
    assert found == expected


def test_workers_killed_and_garbage_said_in_the_middle_change_nothing(
    nodes: Nodes, folder: Path, expected: list[tuple[str, object]], tmp_path: Path
) -> None:
    with Index.open(tmp_path / "index", create=True, workers=3, runner=nodes.client_address) as index:
        world = World(tmp_path / "photos", index)
        for night, right in enumerate(expected):
            for what in ("kill", "babble"):
                for kind in KINDS:
                    (folder / f"{what}-{kind}").touch()
            world.scan(night)
            assert (world.rings(), world.kept()) == right
            assert not list(folder.glob("kill-*")) + list(folder.glob("babble-*"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_whose_driver_is_killed_or_whose_unit_is_refused_says_so_and_the_next_one_goes_on(
    nodes: Nodes, folder: Path, expected: list[tuple[str, object]], tmp_path: Path, kind: str
) -> None:
    with Index.open(tmp_path / "index", create=True) as index:
        World(tmp_path / "photos", index).scan(0)
    (folder / f"wait-{kind}").touch()
    (folder / f"waits-{kind}").unlink(missing_ok=True)

    def kill() -> None:
        wait_until(f"a {kind} unit is under way", (folder / f"waits-{kind}").exists, 200)
        (driver,) = children_of(os.getpid(), b".driver")
        os.kill(driver, signal.SIGKILL)

    with Index.open(tmp_path / "index", workers=2, runner=f"ray:{nodes.address}") as index:
        thread = Thread(target=kill)
        thread.start()
        with pytest.raises(ImgmatchError, match=r"the connection to the Ray cluster at .* was lost"):
            index.rings()
        thread.join()
    (folder / f"wait-{kind}").unlink()
    with Index.open(tmp_path / "index", workers=2, runner=f"ray:{nodes.address}") as index:
        world = World(tmp_path / "photos", index)
        (folder / f"refuse-{kind}").touch()
        with pytest.raises(ImgmatchError, match="a node of the Ray cluster says: not today"):
            index.rings()
        assert (world.rings(), world.kept()) == expected[0]
