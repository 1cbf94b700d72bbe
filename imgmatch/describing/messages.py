"""What passes between the pool and its workers. Nothing of it is executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imgmatch.features.extract import Features
from imgmatch.model import Failure, NamedPhoto, Outline, SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Job:
    """A photo to describe.

    Attributes:
        photo: a file to read, or the bytes themselves.
        known_sha256: if the file's bytes still have this digest, nothing is decoded.
        query: it is asked about, not stored: give the fingerprints of all eight orientations and the richer features.
        view: nothing is computed; give the picture for a person to look at, its longer side up to so many pixels.
        features: without it no local features are computed, though the worker's settings want them.
        root: the folder beneath which alone the file may lie, as of :class:`imgmatch.model.NewPhoto`.
        frame: of a moving picture this frame alone, from 1; the first of a still photo is the photo.
    """

    photo: Path | bytes
    known_sha256: bytes | None = None
    query: bool = False
    view: int | None = None
    features: bool = True
    root: Path | None = None
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class StoredFeatures:
    """What the catalog keeps of a photo's local features.

    Attributes:
        record: points and codes, as ``features.record.pack`` writes them.
        thumbnail: a small grey JPEG, or ``b""`` where none is kept.
    """

    record: bytes
    thumbnail: bytes


@dataclass(frozen=True, slots=True)
class QueryFeatures:
    """What a query is searched and verified with.

    Attributes:
        picture: shape (height, width), dtype uint8, the upright picture in grey, its longer side up to 1,750 pixels.
        features: its local features, more of them than are stored of a photo.
    """

    picture: NDArray[np.uint8]
    features: Features


@dataclass(frozen=True, slots=True)
class DescribedPicture:
    """What was computed from one picture of a photo.

    Attributes:
        pixels: digest of the small upright picture in colour and the photo's size, 16 bytes: equal for the same pixels
            under other metadata or another lossless format.
        fingerprints: 32 bytes under each hasher's name.
        orientations: 8 x 32 bytes under each hasher's name, in the order of ``model.ORIENTATIONS``; empty unless asked.
        flat: why the fingerprints of a query say nothing, if they do not; its features may.
        stored: what the catalog keeps of its features; ``None`` where they are not wanted.
        asked: what a query is searched with; ``None`` where features are not wanted.
        frame: its number in a moving picture, from 1; ``None`` where the photo does not move.
        share: of the time, 0..1, that a viewer shows it or a frame that looks alike; ``None`` likewise.
        panel: where it lies in the photo, of which it is a part: four corners; ``None`` for the whole picture.
    """

    pixels: bytes
    fingerprints: Mapping[str, bytes]
    orientations: Mapping[str, bytes] = field(default_factory=dict)
    flat: str | None = None
    stored: StoredFeatures | None = None
    asked: QueryFeatures | None = None
    frame: int | None = None
    share: float | None = None
    panel: Outline | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """What was computed from one photo.

    Attributes:
        sha256: digest of the file's bytes, 32 bytes.
        width: of the upright photo, in pixels.
        height: likewise.
        format: Pillow's name of the file format.
        quality: PDQ's, 0..100.
        pictures: one, or of a moving picture those that differ, the one that is shown longest first; behind it those
            that are parts of it, as on a screenshot or in a collage.
        damaged: the share of the rows of a damaged photo that are there, up to 1; ``None`` for a whole one. All else is
            of that part.
    """

    sha256: bytes
    width: int
    height: int
    format: str
    quality: int
    pictures: tuple[DescribedPicture, ...]
    damaged: float | None = None

    @property
    def first(self) -> DescribedPicture:
        """The one picture, or that which is shown longest."""
        return self.pictures[0]


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The file's bytes are the ones already known."""


@dataclass(frozen=True, slots=True)
class Viewed:
    """A picture for a person to look at.

    Attributes:
        jpeg: upright, in colour, without metadata.
        width: of it, in pixels.
        height: likewise.
        sha256: digest of the bytes of the file it was made from.
    """

    jpeg: bytes
    width: int
    height: int
    sha256: bytes


Reply = Description | Unchanged | Viewed | Failure


def job_of(photo: NamedPhoto, *, query: bool = False, features: bool = True) -> Job | Failure:
    """The work that a photo stands for."""
    if isinstance(photo.content, Failure):
        return photo.content
    return Job(photo.content, query=query, features=features, root=photo.root)


def job_message(job: Job) -> tuple[dict[str, Any], bytes]:
    """``job`` as head and body."""
    head: dict[str, Any] = {"query": job.query, "view": job.view, "features": job.features}
    if job.known_sha256 is not None:
        head["known"] = job.known_sha256.hex()
    if job.frame is not None:
        head["frame"] = job.frame
    if isinstance(job.photo, bytes):
        return head, job.photo
    if job.root is not None:
        head["root"] = str(job.root)
    return head | {"path": str(job.photo.absolute())}, b""  # the worker may have been started in another folder


def reply_message(reply: Reply) -> tuple[dict[str, Any], bytes]:
    """``reply`` as head and body."""
    match reply:
        case Failure(reason, detail):
            return {"skip": reason.value, "detail": detail}, b""
        case Unchanged():
            return {"same": True}, b""
        case Viewed(jpeg, width, height, sha256):
            return {"view": [width, height], "sha256": sha256.hex()}, jpeg
        case Description():
            return _description_message(reply)


def _description_message(reply: Description) -> tuple[dict[str, Any], bytes]:
    parts: list[bytes] = []
    head: dict[str, Any] = {
        "sha256": reply.sha256.hex(),
        "size": [reply.width, reply.height],
        "format": reply.format,
        "quality": reply.quality,
        "pictures": [_picture_head(picture, parts) for picture in reply.pictures],
        "damaged": reply.damaged,
    }
    return head, b"".join(parts)


def _picture_head(picture: DescribedPicture, parts: list[bytes]) -> dict[str, Any]:
    """One picture; what is long of it is added to the parts of the body."""
    head: dict[str, Any] = {
        "pixels": picture.pixels.hex(),
        "fingerprints": {name: bits.hex() for name, bits in picture.fingerprints.items()},
        "orientations": {name: bits.hex() for name, bits in picture.orientations.items()},
        "flat": picture.flat,
        "frame": picture.frame,
        "share": picture.share,
        "panel": picture.panel,
    }
    if picture.stored is not None:
        stored = [picture.stored.record, picture.stored.thumbnail]
        head["stored"] = [len(part) for part in stored]
        parts += stored
    if picture.asked is not None:
        features, drawn = picture.asked.features, picture.asked.features.drawn
        shape = *picture.asked.picture.shape, len(features), 0 if drawn is None else len(drawn)
        head["asked"] = [*shape, features.width, features.height]
        parts += [picture.asked.picture.tobytes(), features.points.tobytes(), features.descriptors.tobytes()]
        parts.append(b"" if drawn is None else drawn.tobytes())
    return head


def parse_reply(head: Mapping[str, Any], body: bytes) -> Reply:
    """The reply in a received message.

    Raises:
        ValueError: the message is no reply.
    """
    if "skip" in head:
        return Failure(SkipReason(head["skip"]), head["detail"])
    if "same" in head:
        return Unchanged()
    if "view" in head:
        width, height = head["view"]
        return Viewed(body, width, height, bytes.fromhex(head["sha256"]))
    rest = body
    pictures = []
    for one in head["pictures"]:
        picture, rest = _picture(one, rest)
        pictures.append(picture)
    if not pictures:
        raise ValueError("a description without a picture")
    return Description(
        sha256=bytes.fromhex(head["sha256"]),
        width=head["size"][0],
        height=head["size"][1],
        format=head["format"],
        quality=head["quality"],
        pictures=tuple(pictures),
        damaged=head["damaged"],
    )


def _picture(head: Mapping[str, Any], body: bytes) -> tuple[DescribedPicture, bytes]:
    """One picture, and what is left of the body."""
    stored, asked = head.get("stored"), None
    kept = None if stored is None else StoredFeatures(*_cut(body, stored))
    rest = body[sum(stored or ()) :]
    if "asked" in head:
        asked, rest = _asked(head["asked"], rest)
    picture = DescribedPicture(
        pixels=bytes.fromhex(head["pixels"]),
        fingerprints={name: bytes.fromhex(bits) for name, bits in head["fingerprints"].items()},
        orientations={name: bytes.fromhex(bits) for name, bits in head["orientations"].items()},
        flat=head["flat"],
        stored=kept,
        asked=asked,
        frame=head["frame"],
        share=head["share"],
        panel=None if head["panel"] is None else tuple((x, y) for x, y in head["panel"]),
    )
    return picture, rest


def _asked(shape: list[Any], body: bytes) -> tuple[QueryFeatures, bytes]:
    height, width, count, cells, wide, high = shape
    lengths = (height * width, count * 16, count * 128, cells * cells)
    picture, points, descriptors, drawn = _cut(body, lengths)
    features = Features(
        np.frombuffer(points, np.float32).reshape(count, 4),
        np.frombuffer(descriptors, np.uint8).reshape(count, 128),
        wide,
        high,
        np.frombuffer(drawn, np.uint8).reshape(cells, cells) != 0 if cells else None,
    )
    return QueryFeatures(np.frombuffer(picture, np.uint8).reshape(height, width), features), body[sum(lengths) :]


def _cut(body: bytes, lengths: Iterable[int]) -> list[bytes]:
    parts, start = [], 0
    for length in lengths:
        parts.append(body[start : start + length])
        start += length
    return parts
