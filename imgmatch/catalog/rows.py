"""What passes between the catalog and the layers above it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imgmatch.catalog.features import FeatureRow
from imgmatch.model import NewPhoto, Outline


@dataclass(frozen=True, slots=True)
class FileState:
    """What tells a changed file from an unchanged one without reading it: size in bytes, modification time in ns."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class ScanKey:
    """A scan under way and the source it reads."""

    scan_id: int
    source_id: int


@dataclass(frozen=True, slots=True)
class KnownPhoto:
    """What the catalog holds of a photo a scan has met again.

    Attributes:
        id: row id.
        scan_id: the last scan that saw it.
        file: the state of its file then.
        sha256: digest of its bytes.
        seen_at: when it was first seen, in microseconds since 1970, UTC.
        codebook: that of its features, if it has any.
        looked_at: whether all its frames were: an earlier imgmatch looked at the first.
    """

    id: int
    scan_id: int
    file: FileState
    sha256: bytes
    seen_at: int
    codebook: str | None
    looked_at: bool = True


@dataclass(frozen=True, slots=True)
class KnownSkip:
    """What the catalog holds of a photo that could not be used before."""

    id: int
    scan_id: int
    file: FileState | None
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class PictureRecord:
    """One picture of a photo on its way into the catalog.

    Attributes:
        pixels: digest of its pixels, 16 bytes.
        fingerprints: 32 bytes under each hasher's name.
        features: its local features; ``None`` where they were not wanted.
        frame: its number in a moving picture, from 1; ``None`` where the photo does not move.
        share: of the time, 0..1, that a viewer shows it or one that looks alike; ``None`` likewise.
        panel: where it lies in the photo, of which it is a part: four corners; ``None`` for the whole picture.
    """

    pixels: bytes
    fingerprints: Mapping[str, bytes]
    features: FeatureRow | None = None
    frame: int | None = None
    share: float | None = None
    panel: Outline | None = None


@dataclass(frozen=True, slots=True)
class PhotoRecord:
    """A photo, described, on its way into the catalog.

    Attributes:
        photo: whose it is and where it came from.
        seen_at: microseconds since 1970, UTC.
        file: the state of its file when it was read.
        sha256: digest of its bytes, 32 bytes.
        width: in pixels, upright.
        height: likewise.
        format: Pillow's name of the file format.
        quality: PDQ's, 0..100.
        pictures: one, or of a moving picture several, the one that is shown longest first.
        damaged: the share of the rows of a damaged photo that are there, up to 1; ``None`` for a whole one.
    """

    photo: NewPhoto
    seen_at: int
    file: FileState
    sha256: bytes
    width: int
    height: int
    format: str
    quality: int
    pictures: tuple[PictureRecord, ...]
    damaged: float | None = None


@dataclass(frozen=True, slots=True)
class SkipRecord:
    """A photo or line that could not be used, on its way into the catalog."""

    photo_id: str | None
    account: str | None
    label: str
    line: int | None
    reason: str
    detail: str
    file: FileState | None = None


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A picture of a photo in the catalog, as matching and grouping see it.

    Attributes:
        id: row id of the photo.
        photo_id: its own id.
        account: whose it is.
        name: the account's display name.
        label: the short name of the photo.
        seen_at: when it was first seen, in microseconds since 1970, UTC.
        sha256: digest of its bytes.
        place: which of its pictures this is, from 0.
        pixels: digest of that, 16 bytes.
        frame: its number in a moving picture, from 1; ``None`` where the photo does not move.
        damaged: as of :class:`PhotoRecord`.
        panel: as of :class:`PictureRecord`.
    """

    id: int
    photo_id: str
    account: str
    name: str | None
    label: str
    seen_at: int
    sha256: bytes
    place: int
    pixels: bytes
    frame: int | None
    damaged: float | None = None
    panel: Outline | None = None


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """The file a photo was read from, the digest of its bytes then, and of one picture in it what is kept.

    Attributes:
        path: of the file.
        sha256: the digest.
        thumbnail: of the picture, if one is kept.
        frame: its number in a moving picture, from 1; ``None`` where the photo does not move.
    """

    path: Path
    sha256: bytes
    thumbnail: bytes | None
    frame: int | None = None
