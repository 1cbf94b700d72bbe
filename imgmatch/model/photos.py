"""Photos: on their way into an index, in it, asked about, and as they are shown."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from imgmatch.errors import SkipReason
from imgmatch.model.accounts import account_id

if TYPE_CHECKING:
    from concurrent.futures import Future

    import numpy as np
    from numpy.typing import NDArray

MOST_ATTRIBUTES_CHARS = 100_000
"""Attributes of a line, or of an account, may have so many characters, names and values together."""

LIBRARY_SOURCE = "library"
"""The source that photos added by a program, not by a scan, are filed under."""


class Depth(StrEnum):
    """What is computed for each photo."""

    FINGERPRINT = "fingerprint"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class RemoteMetadata:
    """What a server tells of a photo without its bytes.

    Attributes:
        size: in bytes; ``None`` where it is not told.
        tag: changes with the photo and fits where a local file has its time: a hash of the ETag, or else the
            modification time in ns; ``None`` where neither is told.
        modified_ns: when it was modified, in ns since 1970; ``None`` where it is not told.
    """

    size: int | None = None
    tag: int | None = None
    modified_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """The whole of a remote photo, and the metadata that came with it."""

    data: bytes
    metadata: RemoteMetadata


class Reserving(Protocol):
    """Memory for one photo that is fetched ahead of its turn."""

    def reserve(self, size: int) -> None:
        """Have so many bytes in all before they are read; raises an error where there are not so many now."""

    async def wait_for(self, size: int) -> None:
        """Have so many bytes in all, once there are."""

    def take(self, size: int) -> None:
        """Have so many bytes in all, which are here already."""


class RemoteFile(Protocol):
    """Where a photo lies that no path of this machine leads to: ``str`` of it is its URL, without credentials."""

    @property
    def lanes(self) -> int:
        """How many such photos can be fetched at once."""

    def look(self) -> Future[RemoteMetadata]:
        """Its metadata; a ``PhotoError`` where they cannot be had."""

    def fetch(self, reserved: Reserving | None = None) -> Future[Fetched]:
        """All of it; a ``PhotoError`` where it cannot be had whole. What is ``reserved`` hears how long it is."""


@dataclass(frozen=True, slots=True)
class NewPhoto:
    """A photo on its way into an index.

    Attributes:
        account: opaque id of the owner, as it was written; the catalog spells it as ``model.account_id`` does.
        path: absolute path of the file, or where it lies if that is no file of this machine.
        label: the short name shown to people, such as ``a17/1.jpg``.
        photo_id: stable id, unique in the index.
        name: display name of the account, if known.
        seen_at: when the photo was first seen, with a time zone; ``None`` takes the file's modification time.
        attributes: other columns of the manifest, kept with the account.
        line: line (or row) of the manifest it came from, counted from 1.
        root: a folder, by its path without links, beneath which alone the file may lie; it is then opened from there
            down, and a link on its way is refused. ``None`` follows every link.
    """

    account: str
    path: Path | RemoteFile
    label: str
    photo_id: str
    name: str | None = None
    seen_at: datetime | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    line: int | None = None
    root: Path | None = None

    @classmethod
    def at(
        cls,
        path: str | PathLike[str],
        *,
        account: str,
        name: str | None = None,
        seen_at: datetime | None = None,
        photo_id: str | None = None,
    ) -> NewPhoto:
        """A file on an account; without ``photo_id`` it gets the one derived from account and absolute path.

        Raises:
            ValueError: ``seen_at`` has no time zone.
        """
        if seen_at is not None and seen_at.tzinfo is None:
            raise ValueError("seen_at needs a time zone")
        absolute = Path(path).absolute()
        return cls(account, absolute, fspath(path), photo_id or derived_photo_id(account, str(absolute)), name, seen_at)


def derived_photo_id(account: str, path: str) -> str:
    """The id of a photo that came without one: the same account and absolute path give the same id on every run.

    20 hexadecimal digits, the first 80 bits of a SHA-256. All spellings of an account give one id.
    """
    return hashlib.sha256(f"{account_id(account)}\0{path}".encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A photo or manifest line that was not used, and why.

    Attributes:
        photo: what it is, as people are shown it.
        reason: why, in a word or two.
        detail: one sentence for a person.
        account: whose it is, if that is known.
        line: line of the manifest it came from, counted from 1.
        part: what of the source was not seen by it: the label of a photo, or of a folder with all below it; empty where
            that cannot be named. Pruning removes no photo that may be in there. ``None`` if nothing remained unseen.
    """

    photo: str
    reason: SkipReason
    detail: str
    account: str | None = None
    line: int | None = None
    part: str | None = None


Outline = tuple[tuple[float, float], ...]
"""Corners (x, y) of a part of a picture, as shares of its width and height, in order round the part."""


def outline_of(corners: NDArray[np.floating]) -> Outline:
    """Corners of shape (k, 2) as they are shown and kept: within the picture, to a ten thousandth of its sides."""
    return tuple((round(x, 4), round(y, 4)) for x, y in corners.clip(0, 1).tolist())


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo in an index: one picture on one account, first seen at a time.

    Attributes:
        account: whose it is.
        photo: the short name shown to people.
        photo_id: its id.
        name: display name of the account.
        seen_at: when it was first seen.
        bank: the list of known pictures it is on.
        frame: of a moving picture the frame that is meant, from 1; ``None`` where it does not move.
        damaged: the share of the rows of a damaged photo that are there, up to 1; ``None`` for a whole one.
        panel: where the picture that is meant lies in the photo, if it is a part of it, as on a screenshot or in a
            collage: four corners as shares of width and height; ``None`` for the whole picture.
    """

    account: str
    photo: str
    photo_id: str
    name: str | None
    seen_at: datetime
    bank: str | None = None
    frame: int | None = None
    damaged: float | None = None
    panel: Outline | None = None

    @property
    def key(self) -> PictureKey:
        """What its picture goes by: the ``photo_id``, of a moving one with the number of the frame."""
        return self.photo_id if self.frame is None else (self.photo_id, self.frame)


PictureKey = str | tuple[str, int]
"""A photo by its id, which stands for its first picture, or one frame of it by id and number."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The photo cannot be used, and why."""

    reason: SkipReason
    detail: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)


@dataclass(frozen=True, slots=True, init=False)
class NamedPhoto:
    """A photo to look at under the name its answer carries: a file, bytes, or what kept it from being either.

    Attributes:
        name: see above.
        content: see above.
        root: as of :class:`NewPhoto`.
    """

    name: str
    content: Path | bytes | Failure
    root: Path | None

    def __init__(self, name: str, content: Path | RemoteFile | bytes | Failure, root: Path | None = None) -> None:
        if not isinstance(content, (Path, bytes, Failure)):
            content = Failure(SkipReason.REFUSED, "only a scan fetches photos from elsewhere")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "content", content)
        object.__setattr__(self, "root", root)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to be shown.

    Attributes:
        jpeg: its bytes, or ``None`` where it cannot be shown.
        width: in pixels.
        height: likewise.
        note: what a reader must know of it.
    """

    jpeg: bytes | None
    width: int = 0
    height: int = 0
    note: str | None = None
