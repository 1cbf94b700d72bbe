"""From described photos to answers: the engines are asked, candidates are judged, accounts are looked up."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from imgmatch import registry
from imgmatch.catalog.calibrations import latest_calibration
from imgmatch.cores import usable_cores
from imgmatch.describing.messages import Description
from imgmatch.engines.searching import SearchResult
from imgmatch.features import pair_model as rules
from imgmatch.matching import accounts as matching
from imgmatch.matching.bank_hits import nearest, search_banks
from imgmatch.matching.evidence import complement
from imgmatch.matching.verification import LEAST_VOTES, MOST_CANDIDATES, Verifier, calibrated
from imgmatch.model import FINGERPRINT_BYTES, WITH_NEGATIVES, CheckResult, Failure, SkipReason, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.extent import SearchExtent
    from imgmatch.catalog.session import Session
    from imgmatch.describing.messages import DescribedPicture, Reply
    from imgmatch.engines.bank_hashes import BankHashes
    from imgmatch.engines.base import Candidate
    from imgmatch.engines.header import Header
    from imgmatch.engines.searching import Search
    from imgmatch.features.pair_model import PairModel
    from imgmatch.matching.evidence import Near
    from imgmatch.matching.verification import CheckOptions
    from imgmatch.model import NamedPhoto

_TURNS = threading.BoundedSemaphore(usable_cores())
"""As many batches are answered at once as there are cores: more would take each other's caches, and gain nothing."""

_NOT_SEARCHABLE = {SkipReason.FLAT, SkipReason.TOO_SMALL}


class Checker:
    """Answers for photos, from the engines and the catalog of one index."""

    def __init__(
        self,
        catalog: Catalog,
        search: Search,
        banks: BankHashes,
        header: Header,
    ) -> None:
        self._catalog = catalog
        self._banks = banks
        self._search = search
        self._header = header

    def answers(
        self,
        batch: Sequence[tuple[NamedPhoto, Reply]],
        wanted: CheckOptions,
        rule: PairModel | None,
        extent: SearchExtent | None = None,
    ) -> list[CheckResult]:
        """The answer for each photo of a batch, described already.

        What there is to search is read once for all of them, unless the ``extent`` is known that they were asked of.
        The answers are then read in one more transaction: one for both would keep the server from clearing away what
        was removed for as long as shards are waited for.
        """
        with _TURNS:
            return self._answers(batch, wanted, rule, extent or self._search.extent())

    def _answers(
        self,
        batch: Sequence[tuple[NamedPhoto, Reply]],
        wanted: CheckOptions,
        rule: PairModel | None,
        extent: SearchExtent,
    ) -> list[CheckResult]:
        usable = [reply for _, reply in batch if isinstance(reply, Description)]
        pictures = [picture for reply in usable for picture in reply.pictures]
        found = self._searched(pictures, wanted.max_distance, extent)
        near, candidates, missing = iter(found.what[0]), iter(found.what[1]), found.missing
        bare = iter(search_banks(self._banks, usable, extent))
        answers = []
        # Nothing is handed out from inside the transaction: who asks may take his time, or write between two answers.
        with self._catalog.read() as connection:
            verifier = self._verifier(connection, rule)
            for photo, reply in batch:
                if not isinstance(reply, Description):
                    answers.append(_not_searched(photo.name, reply))
                    continue
                judged = [
                    verifier.judge(connection, picture, next(near), next(candidates), wanted)
                    for picture in reply.pictures
                ]
                answer = matching.answer(connection, photo.name, reply, judged, next(bare), wanted)
                answers.append(replace(answer, incomplete=missing) if missing else answer)
        return answers

    def _searched(
        self, queries: Sequence[DescribedPicture], max_distance: int | None, extent: SearchExtent
    ) -> SearchResult[tuple[list[dict[int, Near]], list[list[Candidate]]]]:
        """For each query the fingerprints within reach, and the pictures that share features with it.

        Of fingerprints there are none for a flat one, which they would match by chance. They are searched for its
        negative, too; features are not, which would take as long again: of a cropped negative nothing is found.
        """
        hasher = self._header.hashers[0]
        if max_distance is None:
            verifiable = any(query.asked is not None for query in queries)
            profile = registry.hasher(hasher).profile
            max_distance = profile.reach if verifiable else profile.max_distance
        turned = (query.orientations[hasher] for query in queries if query.flat is None)
        rows = b"".join(bits for one in turned for bits in (one, complement(one)))
        prints = np.frombuffer(rows, np.uint8).reshape(-1, FINGERPRINT_BYTES)
        asked = [query.asked.features for query in queries if query.asked is not None]
        found = self._search.both(prints, max_distance, asked, MOST_CANDIDATES, extent, LEAST_VOTES)
        hits, likely = found.what
        near = (nearest(hits, number * len(WITH_NEGATIVES), len(WITH_NEGATIVES)) for number in count())
        pictures = iter(likely)
        return SearchResult(
            (
                [next(near) if query.flat is None else {} for query in queries],
                [next(pictures) if query.asked is not None else [] for query in queries],
            ),
            found.missing,
        )

    def _verifier(self, connection: Session, rule: PairModel | None) -> Verifier:
        if rule is None:
            rule = calibrated(rules.shipped(), latest_calibration(connection))
        return Verifier(self._header.codebook, self._header.hashers[0], rule)


def _not_searched(name: str, reply: Reply) -> CheckResult:
    """The answer for a photo that could not be described."""
    reason = reply.reason if isinstance(reply, Failure) else SkipReason.UNREADABLE
    return CheckResult(name, Status.NOT_SEARCHABLE if reason in _NOT_SEARCHABLE else Status.UNREADABLE, str(reply))
