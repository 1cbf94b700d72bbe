"""Photos that were asked about on the page: kept for some hours, so that a check has a URL; never in the index."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch import own_files
from imgmatch.errors import ImgmatchError, IndexFullError, NotFoundError
from imgmatch.model import NamedPhoto

if TYPE_CHECKING:
    from collections.abc import Sequence

_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_HALF = ".new"
_ABOUT = "about.json"
_LONGEST_NAME = 200
_SPARE_BYTES = 64 << 20
"""Left on the disk: it may hold other things."""


@dataclass(frozen=True, slots=True)
class KeptCheck:
    """Photos that somebody asked about.

    Attributes:
        id: of the check, in its URL: 128 random bits.
        photos: under their names, as files.
        account: whose own photos are left out.
        by: who asked.
    """

    id: str
    photos: tuple[NamedPhoto, ...]
    account: str | None
    by: str


class Uploads:
    """A folder that nobody but the server looks into."""

    def __init__(self, folder: Path, hours: float) -> None:
        """Use this folder, which is made if it is not there; a check stays for so many hours.

        Raises:
            ImgmatchError: it is not ours alone.
        """
        self._folder = folder
        self._seconds = hours * 3600
        self._ensure_own()
        self.sweep()

    def _ensure_own(self) -> None:
        folder = self._folder
        try:
            folder.mkdir(mode=own_files.OWNERS_FOLDER, parents=True, exist_ok=True)
            found = folder.lstat()
        except OSError as error:
            raise ImgmatchError(f"{folder}: {error.strerror}: uploads cannot be kept there") from None
        if not stat.S_ISDIR(found.st_mode) or (
            os.name != "nt" and (found.st_uid != os.getuid() or found.st_mode & (stat.S_IRWXG | stat.S_IRWXO))
        ):
            raise ImgmatchError(f"{folder}: uploads are kept in a folder that nobody else may look into: chmod 700 it")

    def keep(self, photos: Sequence[tuple[str, bytes]], account: str | None, by: str) -> str:
        """Keep these photos, named, and return the id of the check; what has been kept for too long goes.

        Raises:
            IndexFullError: the disk has no space left for them.
            OSError: they cannot be written.
        """
        self._ensure_own()  # whoever cleans up temporary files may have removed it
        self.sweep()
        size = sum(len(data) for _, data in photos)
        if shutil.disk_usage(self._folder).free < size + _SPARE_BYTES:
            raise IndexFullError("the disk has no space left for photos that are asked about")
        check = secrets.token_urlsafe(16)
        new = self._folder / f"{check}{_HALF}"
        try:
            self._write(new, photos, account, by)
            new.rename(self._folder / check)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        return check

    def _write(self, new: Path, photos: Sequence[tuple[str, bytes]], account: str | None, by: str) -> None:
        new.mkdir(mode=own_files.OWNERS_FOLDER)
        for place, (_, data) in enumerate(photos):
            with os.fdopen(own_files.create(new / str(place), own_files.OWNERS_FILE), "wb") as file:
                file.write(data)
        about = {"names": [name[:_LONGEST_NAME] for name, _ in photos], "account": account, "by": by}
        with os.fdopen(own_files.create(new / _ABOUT, own_files.OWNERS_FILE), "w", encoding="ascii") as text:
            json.dump(about, text)

    def read(self, check: str) -> KeptCheck:
        """The photos of a check.

        Raises:
            NotFoundError: it is gone, or never was.
        """
        folder = self._folder / check
        try:
            if _ID.fullmatch(check) is None or self._is_over(folder):
                raise FileNotFoundError
            about = json.loads((folder / _ABOUT).read_text(encoding="ascii"))
        except (OSError, ValueError):
            raise NotFoundError(
                "this check is gone: photos that were asked about are kept for some hours only"
            ) from None
        photos = tuple(NamedPhoto(name, folder / str(place)) for place, name in enumerate(about["names"]))
        return KeptCheck(check, photos, about["account"], about["by"])

    def sweep(self) -> None:
        """Remove what has been kept for too long, and what was cut off while it was being kept."""
        for folder in self._folder.iterdir():
            if _ID.fullmatch(folder.name.removesuffix(_HALF)) and self._is_over(folder):
                shutil.rmtree(folder, ignore_errors=True)

    def _is_over(self, folder: Path) -> bool:
        try:
            return folder.stat().st_mtime < time.time() - self._seconds
        except FileNotFoundError:  # another server process was faster
            return True


def default_folder(token: str) -> Path:
    """Where photos are kept that are asked about in the index with this token, unless somebody says otherwise."""
    owner = os.getuid() if hasattr(os, "getuid") else "me"
    return Path(tempfile.gettempdir()) / f"imgmatch-{owner}-{token[:12]}"
