"""What is searched for a query, wherever the engines are: on this machine, or in shards that hold them between them.

What shards did not answer is said: such an answer is incomplete, and nothing is kept that was made of one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from imgmatch import registry
from imgmatch.catalog.extent import read_extent
from imgmatch.catalog.shards import read_shards
from imgmatch.engines.base import Hits
from imgmatch.engines.neighbours import Neighbours
from imgmatch.engines.rows import FeatureRows, FingerprintRows
from imgmatch.engines.shards.division import shard_name
from imgmatch.engines.shards.holding import ShardHolders
from imgmatch.engines.shards.questions import NearestCodes, NearFingerprints
from imgmatch.engines.voting import NEIGHBOURS, Probes, candidates
from imgmatch.errors import ShardsMissingError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.extent import SearchExtent
    from imgmatch.catalog.shards import ShardRecord
    from imgmatch.engines.base import Candidate, Codes, Engine
    from imgmatch.engines.header import Header
    from imgmatch.engines.rows import EngineRows
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
    """There are no shards any more."""


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

    def near(self, queries: Codes, max_distance: int, extent: SearchExtent) -> SearchResult[Hits]:
        """Fingerprints within ``max_distance`` bits (inclusive) of each query, shape (q, 32), by catalog row id."""
        if not len(queries):
            return SearchResult(Hits.none())
        last = extent.last[FingerprintRows.table]
        if extent.shards is None:
            return SearchResult(self._fingerprints.search(queries, max_distance, last))
        try:
            parts, missing = self._asked(FingerprintRows(), NearFingerprints(queries, max_distance), (), extent)
        except _NoShardsError:
            return SearchResult(self._fingerprints.search(queries, max_distance, last))
        return SearchResult(Hits.merged(parts), missing)

    def alike(
        self,
        queries: Sequence[Features],
        limit: int,
        extent: SearchExtent,
        least: float = 0.0,
        *,
        missing: tuple[str, ...] = (),
    ) -> SearchResult[list[list[Candidate]]]:
        """For each query the ``limit`` most promising pictures, with ``least`` votes or more, by catalog row id.

        Shards that are ``missing`` already from an answer are not waited for once more.
        """
        last = extent.last[FeatureRows.table]
        if extent.shards is None:
            return SearchResult(self._features.search(queries, limit, least, last))

        def nearest(probes: Probes) -> Neighbours:
            nonlocal missing
            found = []
            for start in range(0, len(probes), _ASKED_AT_ONCE):
                question = NearestCodes(probes.between(start, start + _ASKED_AT_ONCE))
                parts, missing = self._asked(FeatureRows(), question, missing, extent)
                some = Neighbours.merged(parts, NEIGHBOURS)
                found.append((some.queries + start, some.ids, some.distances))
            return Neighbours(*(np.concatenate(column) for column in zip(*found, strict=True)))

        try:
            what = candidates(registry.codebook(self._header.codebook), nearest, queries, limit, least)
        except _NoShardsError:
            return SearchResult(self._features.search(queries, limit, least, last))
        return SearchResult(what, missing)

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

    def _asked(
        self, rows: EngineRows[Engine[Any]], question: Question[FoundT], but: Collection[str], extent: SearchExtent
    ) -> tuple[list[FoundT], tuple[str, ...]]:
        """The answers of all shards but for some that are missing already, and the names of those that are missing.

        Raises:
            _NoShardsError: they were of another division, and there are none by now.
        """
        for turn in range(1, _TRIES + 1):
            if extent.shards is None:
                raise _NoShardsError
            record = extent.shards
            left_out = {shard for shard in range(record.shards) if shard_name(shard, record.shards) in but}
            found = self.holders.ask(record, question, extent.last[rows.table], left_out)
            if not found.is_outdated:
                missing = sorted(left_out | found.missing.keys())
                return list(found.parts.values()), tuple(shard_name(shard, record.shards) for shard in missing)
            if turn < _TRIES:
                extent = self.extent()
        return [], tuple(shard_name(shard, record.shards) for shard in range(record.shards))

    def close(self) -> None:
        """Leave those who hold shards."""
        self.holders.close()
