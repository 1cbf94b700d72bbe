"""From what an engine returned to an answer: which accounts, which photos, on what evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgmatch.catalog.lookups import owners, photos_of
from imgmatch.catalog.times import from_microseconds
from imgmatch.model import FINGERPRINT_BITS, ORIENTATIONS, CheckResult, Evidence, Kind, Match, Photo, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from imgmatch.catalog.rows import StoredPhoto
    from imgmatch.engines.base import Hits
    from imgmatch.workers.messages import Description

CHANCE_DISTANCE = FINGERPRINT_BITS // 2
"""Fingerprints of unrelated pictures differ in half of their bits."""


@dataclass(frozen=True, slots=True)
class Near:
    """The least distance, in bits, of a stored fingerprint to a query, and the orientation that gave it."""

    distance: int
    orientation: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the asker wants to see.

    Attributes:
        account: leave out this account's own photos.
        limit: how many accounts at the most.
    """

    account: str | None = None
    limit: int = 20


@dataclass(slots=True, order=True)
class _Owner:
    """An account that carries the query, in the order accounts are shown."""

    not_exact: bool
    distance: int
    seen_at: int
    account: str


def near_score(distance: int) -> float:
    """1 for equal fingerprints, 0 for those as far apart as unrelated pictures; not yet a probability."""
    return round(max(0.0, 1.0 - distance / CHANCE_DISTANCE), 4)


def nearest(hits: Hits, first_row: int = 0) -> dict[int, Near]:
    """For each stored fingerprint the nearest of the eight query rows that begin at ``first_row``."""
    best: dict[int, Near] = {}
    rows = (hits.queries >= first_row) & (hits.queries < first_row + len(ORIENTATIONS))
    found = zip(hits.queries[rows].tolist(), hits.ids[rows].tolist(), hits.distances[rows].tolist(), strict=True)
    for row, fingerprint_id, distance in found:
        known = best.get(fingerprint_id)
        if known is None or (distance, row - first_row) < (known.distance, known.orientation):
            best[fingerprint_id] = Near(distance, row - first_row)
    return best


def answer(
    connection: Connection, name: str, query: Description, near: Mapping[int, Near], wanted: Wanted
) -> CheckResult:
    """Look up who carries the fingerprints in ``near`` and rank them by distinct accounts."""
    ranked = _rank(connection, query, near, wanted.account)
    shown = {owner.account: place for place, owner in enumerate(ranked[: wanted.limit])}
    matches = [
        (shown[stored.account], match_of(query, stored, near[fingerprint_id]))
        for fingerprint_id, stored in photos_of(connection, near, shown)
    ]
    matches.sort(key=lambda item: (item[0], *_photo_order(item[1])))
    return CheckResult(
        photo=name,
        status=Status.MATCH if ranked else Status.NO_MATCH,
        accounts=len(ranked),
        truncated=len(ranked) > len(shown),
        matches=tuple(match for _, match in matches),
    )


def _rank(connection: Connection, query: Description, near: Mapping[int, Near], without: str | None) -> list[_Owner]:
    best: dict[str, _Owner] = {}
    for fingerprint_id, account, seen_at, same in owners(connection, near, query.sha256, query.pixels):
        if account == without:
            continue
        owner = _Owner(not same, near[fingerprint_id].distance, seen_at, account)
        best[account] = min(owner, best.get(account, owner))
    return sorted(best.values())


def _photo_order(match: Match) -> tuple[bool, float, float, str]:
    evidence, photo = match.evidence, match.photo
    return evidence.kind is not Kind.EXACT, -evidence.score, photo.seen_at.timestamp(), photo.photo_id


def match_of(query: Description, stored: StoredPhoto, near: Near) -> Match:
    """The match of a query and a stored photo whose fingerprints are near."""
    same = stored.sha256 == query.sha256 or stored.pixels == query.pixels
    return Match(photo_of(stored), evidence_of(near, same=same))


def evidence_of(near: Near, *, same: bool) -> Evidence:
    """The evidence for two photos; ``same`` says that their bytes or pixels are equal."""
    if same:
        return Evidence(Kind.EXACT, 1.0, 0, mirrored=False, rotation=0, overlap=1.0, agreement=1.0)
    orientation = ORIENTATIONS[near.orientation]
    return Evidence(Kind.NEAR, near_score(near.distance), near.distance, orientation.mirrored, orientation.rotation)


def photo_of(stored: StoredPhoto) -> Photo:
    """A catalog row as the library shows it."""
    return Photo(stored.account, stored.label, stored.photo_id, stored.name, from_microseconds(stored.seen_at))
