"""A small world of accounts to try imgmatch on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.demo.world import draw_world
from imgmatch.errors import NotAnIndexError
from imgmatch.model import DemoWorld

if TYPE_CHECKING:
    from os import PathLike

INDEX_NAME = "index"
MARKER = ".imgmatch-demo"
"""An empty file by which a demo knows its own folder again, and writes over nobody else's."""


def draw_demo(folder: str | PathLike[str]) -> DemoWorld:
    """Draw accounts with planted rings into ``folder``, ready to be scanned; takes about ten seconds.

    Raises:
        NotAnIndexError: the folder holds other things.
        OSError: it cannot be written.
    """
    own = Path(folder)
    _make_own(own)
    world = draw_world(own)
    planted = tuple(ring.tied for ring in world.rings)
    return DemoWorld(world.manifest, own / INDEX_NAME, planted, world.suspect, world.suspect_account)


def _make_own(folder: Path) -> None:
    marker = folder / MARKER
    if folder.exists() and not marker.exists() and any(folder.iterdir()):
        raise NotAnIndexError(f"{folder} holds other things; give an empty folder for the demo")
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()
