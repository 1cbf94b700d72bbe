"""What passes between the catalog and the layers above it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imgmatch.catalog.features import FeatureRow
from imgmatch.model import NewPhoto


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
    """What the catalog holds of a photo a scan has met again; ``codebook`` is that of its features, if it has any."""

    id: int
    scan_id: int
    file: FileState
    sha256: bytes
    seen_at: int
    codebook: str | None


@dataclass(frozen=True, slots=True)
class KnownSkip:
    """What the catalog holds of a photo that could not be used before."""

    id: int
    scan_id: int
    file: FileState | None
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class PhotoRecord:
    """A photo, described, on its way into the catalog.

    Attributes:
        photo: whose it is and where it came from.
        seen_at: microseconds since 1970, UTC.
        file: the state of its file when it was read.
        sha256: digest of its bytes, 32 bytes.
        pixels: digest of its pixels, 16 bytes.
        width: in pixels, upright.
        height: likewise.
        format: Pillow's name of the file format.
        quality: PDQ's, 0..100.
        fingerprints: 32 bytes under each hasher's name.
        features: its local features; ``None`` where they were not wanted.
        damaged: the share of the rows of a damaged photo that are there, up to 1; ``None`` for a whole one.
    """

    photo: NewPhoto
    seen_at: int
    file: FileState
    sha256: bytes
    pixels: bytes
    width: int
    height: int
    format: str
    quality: int
    fingerprints: Mapping[str, bytes]
    features: FeatureRow | None = None
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
    """A photo in the catalog, as matching and grouping see it.

    ``seen_at`` is in microseconds since 1970, UTC; ``damaged`` as of :class:`PhotoRecord`.
    """

    id: int
    photo_id: str
    account: str
    name: str | None
    label: str
    seen_at: int
    sha256: bytes
    pixels: bytes
    damaged: float | None = None


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """The file a photo was read from, the digest of its bytes then, and the thumbnail that is kept of it, if one is."""

    path: Path
    sha256: bytes
    thumbnail: bytes | None
