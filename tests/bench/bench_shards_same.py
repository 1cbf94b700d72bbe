"""Checks and rings of a folder beside those through 1, 4 and 16 shards while nodes are killed: equal, byte for byte?

``--photos 1500`` real photos, each on an account of its own, a tenth of them once more on another account, cropped. One
machine scans them into a folder, and answers. A Ray cluster of three nodes on this machine scans them into PostgreSQL,
joins and verifies, and holds the shards; nodes beside these are killed in the middle of the scan, of the join of each
run, and of a check. 1 and 4 shards have a replica; 16 have none, so that a check may lack one, says so, and is asked
again. ``--shards 4,16`` takes others. Prints one line of JSON.
"""

from __future__ import annotations

import csv
import io
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bench_writers import option
from common import QUICK, photos_in, print_figures, say
from PIL import Image
from ray_nodes import processes_of
from three_nodes import three_nodes

from imgmatch.formats.records import check_record, ring_record
from imgmatch.index import Index
from imgmatch.joins import hamming, sending
from imgmatch.joins.blocks import JOIN_WORK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ray_nodes import Nodes

    from imgmatch.model import Skipped

REPLICAS = {1: 2, 4: 2}
"""By shards; others have one holder each."""
CHECKS = 10 if QUICK else 60
DEADLINE = 30.0
SEED = 17
KEPT = 0.8
"""Of width and height, by a copy."""

COPIED = 10
"""One photo of so many has a copy."""

IN_FLIGHT_SECONDS = 0.05
"""After so long a check that was just begun is described, and its question under way or about to be."""

TRIES = 60
HOLDER = b"ray::ShardActor"
"""What Ray calls the process of one who holds a shard."""


def run() -> dict[str, Any]:
    count = int(option("--photos", "150" if QUICK else "1500"))
    with three_nodes() as (place, server, nodes, patch):
        # So few would be joined here, or in one unit.
        patch.setattr(sending, "WORTH_COMPARISONS", 0)
        patch.setattr(sending, "LEAST_PART_ROWS", 10)
        patch.setattr(hamming, "FEW", 0)
        world = World(place, count)
        say("a folder")
        with Index.create(place / "index", workers=2) as alone:
            alone.scan([world.source])
            expected = rings_of(alone), world.answers(alone)
        say("scan on the cluster")
        at, url = f"ray:{nodes.address}", server.database()
        with extra_node(nodes) as lose, Index.open(url, create=True, runner=at, workers=4) as index:
            lost = set[int]()

            def lose_decoders() -> None:
                before = nodes.decoders()
                lose()
                lost.update(before.keys() - nodes.decoders().keys())

            killer = Killer("photos", lose_decoders, len(world.photos))
            index.scan([world.source], progress=killer)
            scanned = {"killed_at": killer.at, "decoders_lost": len(lost), **killer.told(), "kept": len(index)}
        say(json.dumps(scanned))
        sides: dict[str, dict[str, Any]] = {"scan": scanned}
        for shards in map(int, option("--shards", "1,4,16").split(",")):
            say(f"{shards} shards")
            home = server.database()
            with Index.open(url, workers=1) as index:
                index.copy(home)
            sides[f"{shards} shards"] = side(world, nodes, home, shards, expected)
        return {"photos": len(world.photos), "rings": len(json.loads(expected[0])), "checks": CHECKS, **sides}


def side(world: World, nodes: Nodes, home: str, shards: int, expected: tuple[str, list[str]]) -> dict[str, Any]:
    """A run and checks of one index through so many shards, with nodes that are killed meanwhile."""
    at, began = f"ray:{nodes.address}", time.perf_counter()
    with extra_node(nodes) as lose, extra_node(nodes) as lose_another, Index.open(home, runner=at, workers=4) as index:
        index.start_shards(shards, at=at, replicas=REPLICAS.get(shards, 1), deadline=DEADLINE)
        killer = Killer(JOIN_WORK, lose, 1)
        with joining_told(killer):
            rings = rings_of(index)
        found, kill = world.answers_meanwhile(index, lambda: lost_of(nodes, lose_another))
        index.stop_shards()
    figures = {
        "same_rings": rings == expected[0],
        "same_checks": found == expected[1],
        "killed_at": killer.at,
        "killed_in_a_check": kill,
        "seconds": round(time.perf_counter() - began, 1),
    }
    say(json.dumps(figures))
    return figures


def lost_of(nodes: Nodes, lose: Callable[[], None]) -> int:
    """How many holders of shards are gone with a node."""
    before = processes_of(nodes, HOLDER)
    lose()
    return len(set(before) - set(processes_of(nodes, HOLDER)))


def rings_of(index: Index) -> str:
    return json.dumps([ring_record(ring) for ring in index.rings().rings])


@contextmanager
def joining_told(progress: Killer) -> Iterator[None]:
    """Joins on the cluster tell how far they are, which a run does not ask for."""
    usual: Any = sending.JoinSender.join

    def join(*arguments: Any) -> Iterator[Any]:  # noqa: ANN401 -- whatever it takes, options last
        *others, options = arguments
        yield from usual(*others, replace(options, progress=progress))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sending.JoinSender, "join", join)
        yield


@contextmanager
def extra_node(nodes: Nodes) -> Iterator[Callable[[], None]]:
    """One node more, which calling it kills; at the end it is gone."""
    number, gone = nodes.add(), list[bool]()

    def lose() -> None:
        if not gone:
            gone.append(True)
            nodes.remove(number)

    yield lose
    lose()


class Killer:
    """Kills a node when a third of ``total`` of a work is done.

    Attributes:
        at: how much of it was done then; ``None`` if there was no such work.
    """

    def __init__(self, work: str, lose: Callable[[], None], total: float) -> None:
        self.at: str | None = None
        self._work, self._lose, self._total = work, lose, total
        self._last = 0.0
        self._skipped = 0

    def step(self, work: str, done: float, total: float | None = None) -> None:
        """See :class:`imgmatch.progress.Progress`."""
        del total
        if work != self._work:
            return
        self._last = done
        if self.at is None and self._total / 3 <= done < self._total:
            self.at = f"{done:.4g} of {self._total:,} {work}"
            say(f"killing a node at {self.at}")
            self._lose()
            say("the node is gone")

    def skipped(self, skipped: Skipped) -> None:
        """The same."""
        self._skipped += 1
        say(f"skipped: {skipped}")

    def told(self) -> dict[str, Any]:
        """How far the work went on after the kill, and what was left out."""
        return {"went_on_to": f"{self._last:.4g}", "skipped": self._skipped}


class World:
    """Photos, the manifest that names them, and what is asked."""

    def __init__(self, place: Path, count: int) -> None:
        rng = random.Random(SEED)
        real = rng.sample(photos_in("portraits", "phone", "same-person"), count)
        self.photos = [("a", path) for path in real]
        for number, path in enumerate(real[::COPIED]):
            copy = place / f"copy{number}.jpg"
            copy.write_bytes(cropped(path, rng))
            self.photos.append(("b", copy))
        self.source = str(place / "world.csv")
        with Path(self.source).open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["account", "photo", "photo_id", "seen_at"])
            for number, (side, path) in enumerate(self.photos):
                rows.writerow(
                    [f"{side}{number}", path, f"p{number}", f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z"]
                )
        self._asked = [cropped(path, rng) for path in rng.sample(real, CHECKS)]

    def answers(self, index: Index) -> list[str]:
        return [json.dumps(check_record(index.check(photo))) for photo in self._asked]

    def answers_meanwhile(self, index: Index, lose: Callable[[], int]) -> tuple[list[str], dict[str, int | bool]]:
        """The same, and what was lost: a node is killed in the middle of the check in the middle."""
        found, incomplete = list[str](), 0
        kill: dict[str, int | bool] = {}
        with ThreadPoolExecutor(1) as thread:
            for number, photo in enumerate(self._asked):
                asked = thread.submit(index.check, photo)
                if number == CHECKS // 2:
                    time.sleep(IN_FLIGHT_SECONDS)
                    kill = {"under_way": not asked.done(), "actors_lost": lose()}
                result = asked.result()
                for _ in range(TRIES):
                    if not result.incomplete:
                        break
                    incomplete += 1
                    result = index.check(photo)
                found.append(json.dumps(check_record(result)))
        return found, kill | {"incomplete": incomplete}


def cropped(path: Path, rng: random.Random) -> bytes:
    with Image.open(path) as image:
        width, height = (round(KEPT * side) for side in image.size)
        left, top = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
        written = io.BytesIO()
        image.convert("RGB").crop((left, top, left + width, top + height)).save(written, "JPEG", quality=88)
    return written.getvalue()


if __name__ == "__main__":
    print_figures("shards_same", run)
