"""A small world of accounts: drawn, scanned, its rings shown, one photo checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.actions.rings import find_rings
from imgmatch.actions.scan import scan
from imgmatch.demo.world import World, draw_world
from imgmatch.errors import NotAnIndexError
from imgmatch.index import Index
from imgmatch.model import CheckResult, RingsReport, ScanResult
from imgmatch.progress import SILENT

if TYPE_CHECKING:
    from imgmatch.progress import Progress

INDEX_NAME = "index"
MARKER = ".imgmatch-demo"
"""An empty file by which a demo knows its own folder again, and writes over nobody else's."""


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What was planted, and what was found."""

    world: World
    index: Path
    scanned: ScanResult
    rings: RingsReport
    suspect: CheckResult

    @property
    def rings_found(self) -> int:
        """How many planted rings came back with exactly their accounts."""
        found = {frozenset(member.account for member in ring.accounts) for ring in self.rings.rings}
        return sum(ring.tied in found for ring in self.world.rings)


def demo(folder: Path, *, workers: int = 1, progress: Progress = SILENT) -> DemoReport:
    """Draw the world into ``folder`` and run the main job on it.

    Raises:
        NotAnIndexError: the folder holds other things.
        OSError: it cannot be written.
    """
    _claim(folder)
    world = draw_world(folder)
    with Index.open(folder / INDEX_NAME, create=True, workers=workers) as index:
        scanned = scan(index, [world.manifest], prune=True, progress=progress)
        return DemoReport(world, index.path, scanned, find_rings(index.parts), index.check(world.suspect))


def _claim(folder: Path) -> None:
    marker = folder / MARKER
    if folder.exists() and not marker.exists() and any(folder.iterdir()):
        raise NotAnIndexError(f"{folder} holds other things; give an empty folder for the demo")
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()
