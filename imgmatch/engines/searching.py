"""What is searched for a query, wherever the engines are: on this machine, or in shards that hold them between them.

What shards did not answer is said: such an answer is incomplete, and nothing is kept that was made of one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from imgmatch import registry
from imgmatch.catalog.extent import read_extent
from imgmatch.catalog.shards import read_shards
from imgmatch.engines.base import Hits
from imgmatch.engines.neighbours import Neighbours
from imgmatch.engines.rows import FeatureRows, FingerprintRows
from imgmatch.engines.shards.division import shard_name
from imgmatch.engines.shards.holding import ShardHolders
from imgmatch.engines.shards.questions import Both, NearestCodes, NearFingerprints
from imgmatch.engines.voting import NEIGHBOURS, Probes, candidates
from imgmatch.errors import ShardsMissingError
from imgmatch.model import FINGERPRINT_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.extent import SearchExtent
    from imgmatch.catalog.shards import ShardRecord
    from imgmatch.engines.base import Candidate, Codes
    from imgmatch.engines.header import Header
    from imgmatch.engines.shards.questions import FoundT, Question
    from imgmatch.engines.sync import FeatureSearcher, FingerprintSearcher
    from imgmatch.features.extract import Features

T = TypeVar("T")

PATIENCE_SECONDS = 180.0
"""So long what must be complete is asked for again: Ray starts an actor anew within that, and it reads its rows."""

_PAUSE_SECONDS = 1.0
_TRIES = 5
"""How often the catalog is looked at again within one question, where shards are of another division by then."""

_ASKED_AT_ONCE = 16_384
"""Descriptors, about 4 MB."""


@dataclass(frozen=True, slots=True)
class SearchResult(Generic[T]):
    """What a search has found.

    Attributes:
        what: of the whole index, or of the shards that answered.
        missing: names of the shards that did not; none where it is whole.
    """

    what: T
    missing: tuple[str, ...] = ()


class _NoShardsError(Exception):
    """There are no shards, or none any more."""


class Search:
    """Searches an index for queries. Safe to use from several threads."""

    def __init__(
        self, catalog: Catalog, header: Header, fingerprints: FingerprintSearcher, features: FeatureSearcher
    ) -> None:
        self._catalog, self._header = catalog, header
        self._fingerprints, self._features = fingerprints, features
        self.holders = ShardHolders(header.catalog or "")
        """Those who hold the shards, if there are any."""

    def record(self) -> ShardRecord | None:
        """Who holds shards, as the catalog says now; ``None`` where nobody does."""
        if self._header.place is None:
            return None
        with self._catalog.read() as session:
            return read_shards(session)

    def extent(self) -> SearchExtent:
        """What there is to search now: whatever was committed before is in it.

        All searches of one question go by one of these, so that it is read once.
        """
        with self._catalog.read() as session:
            return read_extent(session)

    def both(
        self,
        prints: Codes,
        max_distance: int,
        queries: Sequence[Features],
        limit: int,
        extent: SearchExtent,
        least: float = 0.0,
    ) -> SearchResult[tuple[Hits, list[list[Candidate]]]]:
        """What a check looks for.

        Args:
            prints: fingerprints, shape (q, 32), dtype uint8.
            max_distance: fingerprints within so many bits (inclusive) of each are found, by catalog row id.
            queries: features, not necessarily of as many pictures.
            limit: for each the so many most promising pictures are found, by catalog row id.
            extent: what there is to search.
            least: with so many votes or more.
        """
        try:
            asking = _Asking(self, extent, NearFingerprints(prints, max_distance) if len(prints) else None)
            what = candidates(registry.codebook(self._header.codebook), asking.nearest, queries, limit, least)
            asking.near_alone()
        except _NoShardsError:
            last, hits, what = extent.last, Hits.none(), []  # an engine that nothing is asked of is not opened
            if len(prints):
                hits = self._fingerprints.search(prints, max_distance, last[FingerprintRows.table])
            if queries:
                what = self._features.search(queries, limit, least, last[FeatureRows.table])
            return SearchResult((hits, what))
        return SearchResult((asking.hits, what), asking.missing)

    def alike(
        self, queries: Sequence[Features], limit: int, extent: SearchExtent, least: float = 0.0
    ) -> SearchResult[list[list[Candidate]]]:
        """For each query the ``limit`` most promising pictures, with ``least`` votes or more, by catalog row id."""
        found = self.both(np.empty((0, FINGERPRINT_BYTES), np.uint8), 0, queries, limit, extent, least)
        return SearchResult(found.what[1], found.missing)

    def all_alike(
        self, queries: Sequence[Features], limit: int, extent: SearchExtent, least: float = 0.0
    ) -> list[list[Candidate]]:
        """The same for what is to be kept: asked again for a while until every shard has answered.

        Raises:
            ShardsMissingError: some did not.
        """
        until = time.monotonic() + PATIENCE_SECONDS
        while (found := self.alike(queries, limit, extent, least)).missing:
            if time.monotonic() > until:
                said = ", ".join(found.missing)
                raise ShardsMissingError(
                    f"{said}: no answer for {PATIENCE_SECONDS:g} seconds; imgmatch status says more, and what was kept"
                    " so far stays: the same command goes on"
                )
            time.sleep(_PAUSE_SECONDS)
            extent = self.extent()
        return found.what

    def asked(
        self, question: Question[FoundT], but: Collection[str], extent: SearchExtent
    ) -> tuple[list[FoundT], tuple[str, ...]]:
        """The answers of all shards but for some that are missing already, and the names of those that are missing.

        Raises:
            _NoShardsError: there are none, or none any more.
        """
        for _ in range(_TRIES):
            record = extent.shards
            if record is None:
                raise _NoShardsError
            names = [shard_name(shard, record.shards) for shard in range(record.shards)]
            left_out = {shard for shard, name in enumerate(names) if name in but}
            through = extent.last[FingerprintRows.table], extent.last[FeatureRows.table]
            found = self.holders.ask(record, question, through, left_out)
            if not found.is_outdated:
                missing = sorted(left_out | found.missing.keys())
                return list(found.parts.values()), tuple(names[shard] for shard in missing)
            extent = self.extent()
        return [], tuple(names)

    def close(self) -> None:
        """Leave those who hold shards."""
        self.holders.close()


class _Asking:
    """What one search asks shards for: fingerprints go along with the first features, on one way there and back."""

    def __init__(self, search: Search, extent: SearchExtent, near: NearFingerprints | None) -> None:
        if extent.shards is None:
            raise _NoShardsError
        self._search, self._near, self._extent = search, near, extent
        self.hits = Hits.none()
        self.missing: tuple[str, ...] = ()
        """Shards that did not answer. They are not waited for once more."""

    def nearest(self, probes: Probes) -> Neighbours:
        """See :data:`imgmatch.engines.voting.Nearest`."""
        found = []
        for start in range(0, len(probes), _ASKED_AT_ONCE):
            some = Neighbours.merged(
                self._some(NearestCodes(probes.between(start, start + _ASKED_AT_ONCE))), NEIGHBOURS
            )
            found.append((some.queries + start, some.ids, some.distances))
        return Neighbours(*(np.concatenate(column) for column in zip(*found, strict=True)))

    def _some(self, codes: NearestCodes) -> list[Neighbours]:
        if self._near is None:
            return self._asked(codes)
        both = self._asked(Both(self._near, codes))
        self._take([hits for hits, _ in both])
        return [neighbours for _, neighbours in both]

    def near_alone(self) -> None:
        """Ask for fingerprints where there were no features with which to ask."""
        if self._near is not None:
            self._take(self._asked(self._near))

    def _asked(self, question: Question[FoundT]) -> list[FoundT]:
        found, missing = self._search.asked(question, self.missing, self._extent)
        # Of another division by now, none of them may be called as those that were missing before.
        self.missing = tuple(dict.fromkeys((*self.missing, *missing)))
        return found

    def _take(self, parts: list[Hits]) -> None:
        self.hits, self._near = Hits.merged(parts), None
