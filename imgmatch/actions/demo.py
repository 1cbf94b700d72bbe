"""A small world of accounts to try imgmatch on."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch import own_files
from imgmatch.demo.world import draw_world
from imgmatch.errors import NotAnIndexError
from imgmatch.model import DemoWorld

if TYPE_CHECKING:
    from os import PathLike

INDEX_NAME = "index"
MARKER = ".imgmatch-demo"
"""An empty file by which a demo knows its own folder again, and writes over nobody else's."""


def draw_demo(folder: str | PathLike[str], *, share_with_group: bool = False) -> DemoWorld:
    """Draw accounts with planted rings into ``folder``, ready to be scanned; takes about ten seconds.

    Args:
        folder: where to; made, or empty, or of an earlier demo.
        share_with_group: let the group look into the folder; without it nobody but its owner may.

    Raises:
        NotAnIndexError: the folder holds other things.
        OSError: it cannot be written.
    """
    own = Path(folder)
    _make_own(own, share_with_group=share_with_group)
    world = draw_world(own)
    planted = tuple(ring.tied for ring in world.rings)
    return DemoWorld(world.manifest, own / INDEX_NAME, planted, world.suspect, world.suspect_account)


def _make_own(folder: Path, *, share_with_group: bool) -> None:
    marker = folder / MARKER
    if folder.exists():
        if not marker.exists() and any(folder.iterdir()):
            raise NotAnIndexError(f"{folder} holds other things; give an empty folder for the demo")
    else:
        own_files.make_folder(folder, shared=share_with_group)
    if not marker.exists():
        with suppress(PermissionError):  # a folder of somebody else's, who has let us in
            folder.chmod(own_files.GROUPS_FOLDER if share_with_group else own_files.OWNERS_FOLDER)
        os.close(own_files.create(marker, own_files.file_mode(shared=share_with_group)))
