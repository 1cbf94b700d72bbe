"""The accounts of the drawn world: opens them, writes their photos, and the manifest at the end."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from imgmatch import own_files
from imgmatch.demo.names import country, display_name

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

COLUMNS = ("account", "photo", "name", "seen_at", "photo_id", "country")
_OPENING = datetime(2023, 3, 1, 8, tzinfo=UTC)
_QUALITIES = (80, 84, 88, 88, 90, 92)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One line of the manifest, with the names of its columns."""

    account: str
    photo: str
    name: str
    seen_at: str
    photo_id: str
    country: str


class Ledger:
    """Accounts and photos as they are made up, written below one folder.

    Attributes:
        rng: where all randomness of the world comes from.
        rows: the lines so far, in the order they were added.
    """

    def __init__(self, folder: Path, rng: np.random.Generator) -> None:
        self.rng = rng
        self.rows: list[LedgerRow] = []
        self._folder = folder
        self._shared = own_files.is_shared(folder)
        self._free_ids = list(rng.permutation(np.arange(1000, 10000)))
        self._profiles: dict[str, tuple[str, str]] = {}
        self._names: set[str] = set()

    @property
    def accounts(self) -> int:
        """How many accounts are open."""
        return len(self._profiles)

    def open_account(self) -> str:
        """Makes up an account with a name nobody else has, and returns its id, such as ``u1042``."""
        account = f"u{self._free_ids.pop()}"
        name = display_name(self.rng)
        while name in self._names:
            name = display_name(self.rng)
        self._names.add(name)
        self._profiles[account] = (name, country(self.rng))
        return account

    def pack(self, image: Image.Image) -> bytes:
        """A picture as the bytes of a JPEG file of varied quality."""
        packed = BytesIO()
        image.save(packed, "JPEG", quality=_QUALITIES[self.rng.integers(len(_QUALITIES))])
        return packed.getvalue()

    def add_picture(self, account: str, image: Image.Image, *, day: float) -> LedgerRow:
        """Writes a picture on an account, first seen ``day`` days after the opening."""
        return self.add_bytes(account, self.pack(image), day=day)

    def add_bytes(self, account: str, content: bytes, *, day: float) -> LedgerRow:
        """Writes the bytes of a file on an account, first seen ``day`` days after the opening."""
        name, land = self._profiles[account]
        number = 1 + sum(row.account == account for row in self.rows)
        photo = f"photos/{account}/{number}.jpg"
        path = self._folder / photo
        for folder in (path.parent.parent, path.parent):
            if not folder.exists():
                own_files.make_folder(folder, shared=self._shared)
        with os.fdopen(own_files.overwrite(path, shared=self._shared), "wb") as file:
            file.write(content)
        seen_at = (_OPENING + timedelta(seconds=round(day * 86400))).strftime("%Y-%m-%dT%H:%M:%SZ")
        row = LedgerRow(account, photo, name, seen_at, f"p{len(self.rows) + 1:04d}", land)
        self.rows.append(row)
        return row

    def write(self) -> Path:
        """Writes ``manifest.csv``, the lines in no telling order, and returns its path."""
        path = self._folder / "manifest.csv"
        descriptor = own_files.overwrite(path, shared=self._shared)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(COLUMNS)
            for which in self.rng.permutation(len(self.rows)):
                row = self.rows[which]
                lines.writerow([getattr(row, column) for column in COLUMNS])
        return path
