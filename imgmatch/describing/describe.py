"""From a photo's bytes to its description: one decode, every fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from imgmatch import registry
from imgmatch.describing.messages import (
    DescribedPicture,
    Description,
    Job,
    QueryFeatures,
    Reply,
    StoredFeatures,
    Unchanged,
    Viewed,
)
from imgmatch.errors import PhotoError
from imgmatch.features import record
from imgmatch.features.drawn import drawn_cells
from imgmatch.features.extract import extract, extract_query
from imgmatch.hashers.pdq import Pdq
from imgmatch.imaging.content import content_of
from imgmatch.imaging.files import check_size, read_photo
from imgmatch.imaging.moving import FramePicture, frame_picture, small_pictures
from imgmatch.imaging.panels import is_page, panel_picture, panels_of
from imgmatch.imaging.view import view
from imgmatch.model import Failure, SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.describing.settings import Settings
    from imgmatch.hashers.base import Codes, Grey, Hasher, Rgb
    from imgmatch.imaging.content import Content
    from imgmatch.imaging.picture import SmallPicture
    from imgmatch.model import Outline

    _Measured = tuple[Codes, int, str | None]

LEAST_QUALITY = 20
"""PDQ quality below which there is nothing but noise to hash. The field discards at 49 and less, dark photos with it;
what that rule is for, pictures that match others by chance, is told by the spread of detail."""

LEAST_DETAIL = 0.23
"""Spread of detail below which a picture is a flag, an icon or a plain drawing (BENCHMARKS.md, "copies")."""

LEAST_FEATURES = 12
"""A flat picture with fewer local features than this cannot be searched by them either."""

MOST_DRAWN = 0.5
"""Share of cells that are drawn from which what lies on a plain canvas is an icon, or initials."""

MOST_DRAWN_PANEL = 0.8
"""Share of cells that are drawn from which a panel is no photo, but buttons, words or a card. Of 1,000 photos 2 % have
more, made as small as 100 pixels; lists of words, QR codes and cards have 0.83 and more."""

_PIXEL_DIGEST_BYTES = 16

_BLACK = {"grey": np.zeros((1, 1), np.uint8), "rgb": np.zeros((1, 1, 3), np.uint8)}


class Describer:
    """Describes photos, in the process it is called in."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._pdq = Pdq()
        self._hashers: dict[str, Hasher] = {
            name: self._pdq if name == Pdq.name else registry.hasher(name) for name in settings.hashers
        }
        self._colour = any(hasher.profile.input == "rgb" for hasher in self._hashers.values())
        for hasher in self._hashers.values():  # what they load when they are first used is loaded before a photo waits
            hasher.fingerprint(_BLACK[hasher.profile.input])

    def describe(self, job: Job) -> Reply:
        """Do ``job``; a photo that cannot be used is a :class:`Failure`, never an exception."""
        try:
            return self._describe(job)
        except MemoryError:
            return Failure(SkipReason.TOO_LARGE, "it needs more memory than a worker may use")
        except PhotoError as error:
            return Failure(error.reason, error.detail)

    def _describe(self, job: Job) -> Reply:
        data = self._bytes(job)
        sha256 = hashlib.sha256(data).digest()
        if sha256 == job.known_sha256:
            return Unchanged()
        if job.view is not None:
            shown = view(data, self._limits, job.view, job.frame or 1)
            return Viewed(shown.jpeg, shown.width, shown.height, sha256)
        found: dict[bytes, tuple[SmallPicture, int, DescribedPicture]] = {}
        flat: list[PhotoError] = []
        taken = self._taken(data, job)
        for one in taken:
            try:
                quality, described = self._described(one, job, self._measured(one.picture.grey))
                found.setdefault(described.pixels, (one.picture, quality, described))
            except PhotoError as error:
                flat.append(error)
        if not found:
            raise flat[0]
        if len(taken) == 1 and taken[0].frame is None:
            for described in self._panels(data, job, taken[0]):
                found.setdefault(described.pixels, (taken[0].picture, quality, described))
        first, quality, _ = next(iter(found.values()))
        pictures = tuple(described for _, _, described in found.values())
        return Description(sha256, first.width, first.height, first.format, quality, pictures, first.damaged)

    def _taken(self, data: bytes, job: Job) -> list[FramePicture]:
        large = job.query and self._features_of(job)
        if job.frame is not None:
            return [frame_picture(data, self._limits, job.frame, large=large, colour=self._colour)]
        return small_pictures(data, self._limits, large=large, colour=self._colour)

    def _panels(self, data: bytes, job: Job, whole: FramePicture) -> Iterator[DescribedPicture]:
        """The photos that are parts of a still picture, each as a picture of its own."""
        if not self._features_of(job):
            return
        larger = whole.picture
        if not job.query:  # few pictures are worth the time of a second look
            if not is_page(larger.grey) and not panels_of(larger.grey):
                return
            larger = small_pictures(data, self._limits, large=True, colour=self._colour)[0].picture
        for panel in panels_of(larger.large):
            picture = panel_picture(larger, panel)
            measured = self._measured(picture.grey)
            if measured[2] is None and drawn_cells(picture.grey).mean() < MOST_DRAWN_PANEL:
                yield self._described(FramePicture(picture, panel=panel), job, measured)[1]

    def _features_of(self, job: Job) -> bool:
        return self._settings.features and job.features

    def _described(self, taken: FramePicture, job: Job, measured: _Measured) -> tuple[int, DescribedPicture]:
        """Quality and description of one picture, of which PDQ is known.

        Raises:
            PhotoError: it is too flat to be told from others.
        """
        picture = seen = shown = taken.picture
        pdq, quality, flat = measured
        if flat is not None and self._features_of(job) and (content := content_of(picture.grey)) is not None:
            closer = content.cut(picture.grey)
            again = self._measured(closer)
            if again[2] is None and drawn_cells(closer).mean() < MOST_DRAWN:
                pdq, quality, flat = again
                seen, shown = _spread(picture, content), replace(picture, grey=closer)
        asked = (
            QueryFeatures(seen.large, extract_query(seen.grey, seen.large))
            if job.query and self._features_of(job)
            else None
        )
        if flat is not None and (asked is None or len(asked.features) < LEAST_FEATURES):
            raise PhotoError(SkipReason.FLAT, flat)
        return quality, DescribedPicture(
            pixels=_pixel_digest(picture, taken.panel),
            fingerprints=self._fingerprints(shown, pdq),
            orientations=self._orientations(shown) if job.query else {},
            flat=flat,
            stored=self._stored(seen.grey) if self._features_of(job) and not job.query else None,
            asked=asked,
            frame=taken.frame,
            share=taken.share,
            panel=taken.panel,
        )

    def _measured(self, grey: Grey) -> _Measured:
        """PDQ and its quality, and why the picture is flat, if it is."""
        pdq, quality, detail = self._pdq.measured(grey)
        return pdq, quality, _flatness(quality, detail)

    def _stored(self, grey: Grey) -> StoredFeatures:
        thumbnail = record.thumbnail(grey) if self._settings.thumbnails else b""
        return StoredFeatures(record.pack(extract(grey), registry.codebook(self._settings.codebook)), thumbnail)

    def _bytes(self, job: Job) -> bytes:
        if isinstance(job.photo, bytes):
            check_size(len(job.photo), self._limits)
            return job.photo
        return read_photo(job.photo, self._limits, job.root)

    def _fingerprints(self, picture: SmallPicture, pdq: Codes) -> dict[str, bytes]:
        return {
            name: (pdq if hasher is self._pdq else hasher.fingerprint(_input_of(hasher, picture))).tobytes()
            for name, hasher in self._hashers.items()
        }

    def _orientations(self, picture: SmallPicture) -> dict[str, bytes]:
        return {
            name: hasher.orientations(_input_of(hasher, picture)).tobytes() for name, hasher in self._hashers.items()
        }


def _input_of(hasher: Hasher, picture: SmallPicture) -> Grey | Rgb:
    return picture.grey if picture.rgb is None or hasher.profile.input == "grey" else picture.rgb


def _spread(picture: SmallPicture, content: Content) -> SmallPicture:
    """A picture with its greys spread."""
    grey = content.spread(picture.grey)
    return replace(picture, grey=grey, large=grey if picture.large is picture.grey else content.spread(picture.large))


def _flatness(quality: int, detail: float) -> str | None:
    """Why a picture's fingerprint would match others by chance, or None."""
    if quality >= LEAST_QUALITY and detail >= LEAST_DETAIL:
        return None
    why = f"quality {quality} of 100, spread of detail {detail:.2f}"
    return f"too little detail to be told from other pictures ({why})"


def _pixel_digest(picture: SmallPicture, panel: Outline | None) -> bytes:
    """That of a panel is no photo's, though it show the same."""
    of = f"{picture.width}x{picture.height}" if panel is None else "panel {1}x{0}".format(*picture.grey.shape)
    digest = hashlib.sha256(of.encode())
    digest.update((picture.grey if picture.colours is None else picture.colours).data)
    return digest.digest()[:_PIXEL_DIGEST_BYTES]
