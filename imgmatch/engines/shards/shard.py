"""One shard: its part of the engines of an index, and what it answers."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from imgmatch.engines.rows import FeatureRows, FingerprintRows
from imgmatch.engines.shards.division import Division
from imgmatch.engines.shards.held import HeldRows
from imgmatch.engines.shards.questions import (
    Both,
    Message,
    NearestCodes,
    NearFingerprints,
    NoReplyError,
    Watermarks,
    both_message,
    found_message,
)
from imgmatch.engines.shards.saving import ShardSnapshots
from imgmatch.engines.voting import Probes
from imgmatch.errors import ImgmatchError
from imgmatch.features.describe import LENGTH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imgmatch.catalog.base import Catalog
    from imgmatch.engines.base import Hits
    from imgmatch.engines.header import Header
    from imgmatch.engines.neighbours import Neighbours


_NONE = Division(1, -1)
"""What a shard is of before it has heard of a division."""


class Shard:
    """Answers for the rows that fall to it. It only reads the catalog. Safe to use from several threads."""

    def __init__(
        self,
        catalog: Catalog,
        header: Header,
        number: int,
        snapshots: str | None = None,
        division: Division = _NONE,
    ) -> None:
        """Nothing is read before it is asked.

        Args:
            catalog: of the index.
            header: what the index is made of.
            number: which shard it is, from 0.
            snapshots: where it has saved what it held, and saves it; ``None`` where that is not said, or nowhere.
            division: of which shards it is one, as far as is known.
        """
        self._fingerprints = HeldRows(catalog, header, FingerprintRows(), number)
        self._features = HeldRows(catalog, header, FeatureRows(), number)
        self._snapshots = ShardSnapshots(header, number, (self._fingerprints, self._features))
        self._url, self._begun = snapshots, False
        self._division = division
        self._guard, self._beginning = threading.Lock(), threading.Lock()

    def answer(self, head: Mapping[str, Any], body: bytes) -> Message:
        """The answer to one question; what keeps it from answering is an answer, too."""
        try:
            return self._answered(head, body)
        except ImgmatchError as error:
            return {"error": str(error)}, b""
        except (NoReplyError, KeyError, TypeError, ValueError, OverflowError) as error:
            return {"error": f"what it was asked is no question ({type(error).__name__}: {error})"}, b""

    def _answered(self, head: Mapping[str, Any], body: bytes) -> Message:
        verb = head["verb"]
        if verb == "held":
            held = [*self._fingerprints.extent, *self._features.extent]
            return {"held": held, "snapshot": self._snapshots.said}, b""
        if verb == "forget":
            return self._forget(str(head["place"]))
        if verb == "ready":
            return self._ready(head)
        if verb == "save":
            return self._save(head)
        division, (prints, features) = Division(int(head["shards"]), int(head["version"])), map(int, head["through"])
        if not self._follows(division):
            return {"outdated": self._division.version}, b""
        self._begin(division)
        return self._found(head, body, division, (prints, features))

    def _found(self, head: Mapping[str, Any], body: bytes, division: Division, through: Watermarks) -> Message:
        """The answer to a question of :mod:`imgmatch.engines.shards.questions`."""
        prints, features = through
        match head["verb"]:
            case Both.verb:
                both = Both.of(head, body)
                hits = self._near(both.near, division, prints)
                return both_message(hits, self._nearest(both.nearest, division, features))
            case NearFingerprints.verb:
                return found_message(self._near(NearFingerprints.of(head, body), division, prints))
            case _:
                return found_message(self._nearest(NearestCodes.of(head, body), division, features))

    def _near(self, asked: NearFingerprints, division: Division, through: int) -> Hits:
        return self._fingerprints.current(division, through).search(asked.queries, asked.max_distance)

    def _nearest(self, asked: NearestCodes, division: Division, through: int) -> Neighbours:
        return self._features.current(division, through).nearest(asked.probes)

    def _ready(self, head: Mapping[str, Any]) -> Message:
        """Read what is there and build what is searched, so that the first question takes no longer than others."""
        division = Division(int(head["shards"]), int(head["version"]))
        if not self._follows(division):
            return {"outdated": self._division.version}, b""
        self._url = None if head.get("snapshots") is None else str(head["snapshots"])
        self._begin(division)
        if head.get("anew"):
            self._fingerprints.clear()
            self._features.clear()
        prints, features = (int(last) for last in head["through"])
        self._fingerprints.current(division, prints)
        probes = Probes(np.zeros((1, LENGTH), np.uint8), np.zeros((1, 1), np.float32), np.zeros((1, 1), np.int64))
        self._features.current(division, features).nearest(probes)
        return {"ready": True}, b""

    def _begin(self, division: Division) -> None:
        """Hold what was saved, before anything is read."""
        with self._beginning:
            if not self._begun and self._url is not None:
                self._snapshots.load(self._url, division)
            self._begun = True

    def _forget(self, place: str) -> Message:
        if self._division is not _NONE:
            self._begin(self._division)
        gone = [held.forget(place) for held in (self._fingerprints, self._features)]
        if any(gone) and self._url is not None:
            self._snapshots.drop(self._url, self._division)
        return {"forgotten": True}, b""

    def _save(self, head: Mapping[str, Any]) -> Message:
        division = Division(int(head["shards"]), int(head["version"]))
        if not self._follows(division):
            return {"outdated": self._division.version}, b""
        self._begin(division)
        prints, features = (int(last) for last in head["through"])
        self._fingerprints.current(division, prints)
        self._features.current(division, features)
        return {"saved": self._snapshots.save(str(head["snapshots"]), division)}, b""

    def _follows(self, division: Division) -> bool:
        """Whether a question is to the division that this shard is of; it follows newer ones."""
        with self._guard:
            if division.version > self._division.version:
                self._division = division
            return division == self._division
