"""From what an engine returned to an answer: which accounts, which photos, on what evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imgmatch.catalog.banks import banks_of, unshown_pictures
from imgmatch.catalog.lookups import owners, photos_of, photos_showing
from imgmatch.catalog.times import from_microseconds
from imgmatch.matching.evidence import EXACT, Near
from imgmatch.model import ORIENTATIONS, CheckResult, Evidence, Kind, Match, Photo, SkipReason, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgmatch.catalog.banks import BankPicture
    from imgmatch.catalog.rows import StoredPhoto
    from imgmatch.catalog.session import Session
    from imgmatch.describing.messages import Description
    from imgmatch.engines.base import Hits
    from imgmatch.matching.verification import CheckOptions, Judged


@dataclass(slots=True, order=True)
class _Owner:
    """An account that carries the query, in the order accounts are shown."""

    rank: tuple[int, float]
    seen_at: int
    account: str


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


def answer(connection: Session, name: str, query: Description, judged: Judged, wanted: CheckOptions) -> CheckResult:
    """Look up who carries the pictures that passed and rank them by distinct accounts."""
    partial = {stored.id: (stored, judged.partial[row]) for row, stored in photos_showing(connection, judged.partial)}
    ranked = _rank(connection, query, judged, partial.values(), wanted.account)
    shown = {owner.account: place for place, owner in enumerate(ranked[: wanted.limit])}
    found = dict(partial)
    for fingerprint_id, stored in photos_of(connection, judged.near, shown):
        found[stored.id] = (stored, judged.near[fingerprint_id])
    matches = [
        (shown[stored.account], Match(photo_of(stored), EXACT if _same(query, stored) else evidence))
        for stored, evidence in found.values()
        if stored.account in shown
    ]
    matches.sort(key=lambda item: (item[0], *_photo_order(item[1])))
    known = _unshown(connection, query, judged)
    copies = sum(owner.rank[0] < _RELATED for owner in ranked)
    # What a flat picture shows was searched for by its features alone: finding nothing says little.
    nothing = Status.NO_MATCH if query.flat is None else Status.NOT_SEARCHABLE
    return CheckResult(
        photo=name,
        status=Status.MATCH if copies or known else nothing,
        reason=None if copies or known or query.flat is None else f"{SkipReason.FLAT}: {query.flat}",
        accounts=copies,
        truncated=len(ranked) > len(shown),
        matches=(*_with_banks(connection, found.values(), [match for _, match in matches]), *known),
        damaged=query.damaged,
    )


def _with_banks(
    connection: Session, found: Iterable[tuple[StoredPhoto, Evidence]], matches: Sequence[Match]
) -> list[Match]:
    """The matches, each photo with the list of known pictures it is on."""
    pixels = {stored.photo_id: stored.pixels for stored, _ in found}
    banks = banks_of(connection, set(pixels.values()))
    return [
        replace(match, photo=replace(match.photo, bank=banks.get(pixels[match.photo.photo_id]))) for match in matches
    ]


def _unshown(connection: Session, query: Description, judged: Judged) -> list[Match]:
    """Known pictures that no account carries any more: copies of them are known all the same."""
    best: dict[int, Match] = {}
    for fingerprint, feature, picture in unshown_pictures(connection, judged.near, judged.partial):
        evidence = judged.near[fingerprint] if fingerprint is not None else judged.partial[feature or 0]
        if evidence.kind is not Kind.RELATED:
            match = Match(known_photo(picture), EXACT if picture.pixels == query.pixels else evidence)
            best[picture.id] = min(match, best.get(picture.id, match), key=_photo_order)
    # Pictures that were erased have no photo to tell them apart by: of those the first on its list comes first.
    return sorted((best[picture] for picture in sorted(best)), key=_photo_order)


def known_photo(picture: BankPicture) -> Photo:
    """A known picture as a photo, of the account it was taken from, if that may still be named."""
    added = from_microseconds(picture.added_at)
    return Photo(picture.account or "", picture.label, picture.photo_id or "", None, added, picture.bank)


def _rank(
    connection: Session,
    query: Description,
    judged: Judged,
    partial: Iterable[tuple[StoredPhoto, Evidence]],
    without: str | None,
) -> list[_Owner]:
    best: dict[str, _Owner] = {}
    claims = [
        _Owner(_order(EXACT if same else judged.near[fingerprint_id]), seen_at, account)
        for fingerprint_id, account, seen_at, same in owners(connection, judged.near, query.sha256, query.pixels)
    ]
    claims += [_Owner(_order(evidence), stored.seen_at, stored.account) for stored, evidence in partial]
    for owner in claims:
        if owner.account != without:
            best[owner.account] = min(owner, best.get(owner.account, owner))
    return sorted(best.values())


_RELATED = 2


def _order(evidence: Evidence) -> tuple[int, float]:
    """Exact before all, related after all, the others by score; of equal scores the nearer fingerprint first."""
    place = {Kind.EXACT: 0, Kind.RELATED: _RELATED}.get(evidence.kind, 1)
    return place, -evidence.score


def _photo_order(match: Match) -> tuple[tuple[int, float], float, str]:
    return _order(match.evidence), match.photo.seen_at.timestamp(), match.photo.photo_id


def _same(query: Description, stored: StoredPhoto) -> bool:
    return stored.sha256 == query.sha256 or stored.pixels == query.pixels


def photo_of(stored: StoredPhoto) -> Photo:
    """A catalog row as the library shows it."""
    seen_at = from_microseconds(stored.seen_at)
    return Photo(stored.account, stored.label, stored.photo_id, stored.name, seen_at, damaged=stored.damaged)
