"""Stored pictures as they are asked about: from the catalog, and large ones from their files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.catalog.features import features_by_id
from imgmatch.catalog.pictures import files_of_pictures
from imgmatch.clustering.nodes import in_orientations
from imgmatch.describing.messages import Description, Job
from imgmatch.imaging.sizes import KEPT, SMALL_SIDE
from imgmatch.matching.stored_pairs import stored_query
from imgmatch.model import FINGERPRINT_BYTES, Searched

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgmatch.catalog.pictures import PictureFile
    from imgmatch.describing.messages import QueryFeatures
    from imgmatch.engines.parts import Parts
    from imgmatch.matching.stored_pairs import StoredQuery

LARGE = KEPT * SMALL_SIDE
"""Longer side, in pixels, above which a picture is read again: it may show another one as a small part."""


@dataclass(slots=True)
class SearchCounts:
    """What a search has done so far; see :class:`imgmatch.model.Searched`."""

    pictures: int = 0
    read_again: int = 0
    unreadable: int = 0
    judged: int = 0

    def result(self) -> Searched:
        """As it is now."""
        return Searched(self.pictures, self.read_again, self.unreadable, self.judged)


class PictureAsker:
    """Makes stored pictures into what is asked."""

    def __init__(self, parts: Parts, counted: SearchCounts) -> None:
        self._parts = parts
        self._counted = counted

    def ask(self, rows: Sequence[int], fingerprints: Sequence[bytes]) -> list[StoredQuery]:
        """The pictures under these row ids of features, each with its fingerprint; those that are gone are left out."""
        with self._parts.catalog.read() as session:
            known = features_by_id(session, rows)
            files = files_of_pictures(session, rows)
        bits = np.frombuffer(b"".join(fingerprints), np.uint8).reshape(-1, FINGERPRINT_BYTES)
        turned = in_orientations(self._parts.hasher, bits)
        large = [(row, file) for row in rows if (file := files.get(row)) is not None and file.side > LARGE]
        again = dict(self._read_again(large))
        return [
            stored_query(row, known[row], turned[:, place], again.get(row))
            for place, row in enumerate(rows)
            if row in known
        ]

    def _read_again(self, large: Sequence[tuple[int, PictureFile]]) -> Iterator[tuple[int, QueryFeatures]]:
        for (row, file), reply in self._parts.runner.describe(large, lambda item: _job(item[1])):
            asked = reply.first.asked if isinstance(reply, Description) and reply.sha256 == file.sha256 else None
            if asked is None:
                self._counted.unreadable += 1
            else:
                self._counted.read_again += 1
                yield row, asked


def _job(file: PictureFile) -> Job:
    """The work of reading one picture again; of a file that an earlier imgmatch has scanned that is its first one."""
    return Job(file.path, query=True, frame=file.frame or 1)
