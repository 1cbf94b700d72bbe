"""From what an engine returned to an answer: which accounts, which photos, on what evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imgmatch.catalog.banks import bank_pictures_like, banks_of
from imgmatch.catalog.lookups import ShownAs, owners, photos_of, photos_showing
from imgmatch.catalog.rows import StoredPhoto
from imgmatch.catalog.times import from_microseconds
from imgmatch.describing.messages import DescribedPicture
from imgmatch.matching.bank_hits import bank_hits
from imgmatch.matching.evidence import EXACT, PictureRole, of_photos, role_of
from imgmatch.matching.verification import Judged
from imgmatch.model import (
    FINGERPRINT_BITS,
    CheckResult,
    Evidence,
    Kind,
    Match,
    Photo,
    Purpose,
    SkipReason,
    Status,
    account_id,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from imgmatch.catalog.banks import BankPicture
    from imgmatch.catalog.session import Session
    from imgmatch.describing.messages import Description
    from imgmatch.matching.bank_hits import BareHits
    from imgmatch.matching.verification import CheckOptions


_Order = tuple[int, float, int, float]
"""See :func:`_order`."""


@dataclass(slots=True, order=True)
class _Owner:
    """An account that carries the query, in the order accounts are shown."""

    rank: _Order
    seen_at: int
    account: str


def answer(
    connection: Session,
    name: str,
    query: Description,
    judged: Sequence[Judged],
    bare: Sequence[BareHits],
    wanted: CheckOptions,
) -> CheckResult:
    """Look up who carries the pictures that passed and rank them by distinct accounts.

    Args:
        connection: the catalog.
        name: of the query.
        query: what was computed from it.
        judged: what passed for each of its pictures.
        bare: values on banks that each of its pictures is near to.
        wanted: what the asker wants to see.
    """
    asked = [
        _asked(connection, picture, _COUNTED[role_of(picture, query)], one)
        for picture, one in zip(query.pictures, judged, strict=True)
    ]
    ranked = _rank(connection, query, asked, wanted.account)
    shown = {owner.account: place for place, owner in enumerate(ranked[: wanted.limit])}
    found = _best(connection, query, asked, shown)
    matches = [(shown[stored.account], match) for stored, match in found]
    matches.sort(key=lambda item: (item[0], *_photo_order(item[1])))
    known = _unshown(connection, asked)
    banked = bank_hits(connection, query, judged, bare)
    copies = sum(owner.rank[0] < _NO_COPY for owner in ranked)
    found_any = bool(copies or known or any(hit.purpose is Purpose.STOLEN for hit in banked))
    # What a flat picture shows was searched for by its features alone: finding nothing says little.
    flat = query.first.flat if all(picture.flat is not None for picture in query.pictures) else None
    return CheckResult(
        photo=name,
        status=Status.MATCH if found_any else Status.NO_MATCH if flat is None else Status.NOT_SEARCHABLE,
        reason=None if found_any or flat is None else f"{SkipReason.FLAT}: {flat}",
        accounts=copies,
        truncated=len(ranked) > len(shown),
        matches=(*_with_banks(connection, found, [match for _, match in matches]), *known),
        damaged=query.damaged,
        banks=banked,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """One picture of a query, what passed for it, and the photos that show what passed by features."""

    picture: DescribedPicture
    counted: ShownAs
    judged: Judged
    partial: list[tuple[StoredPhoto, Evidence]]


_COUNTED = {PictureRole.PHOTO: ShownAs.ANY, PictureRole.PAGE: ShownAs.WHOLE, PictureRole.PANEL: ShownAs.NO_PAGE}
"""With what a picture says enough; see :func:`~imgmatch.matching.evidence.says_enough`."""


def _asked(connection: Session, picture: DescribedPicture, counted: ShownAs, judged: Judged) -> _Asked:
    shown = photos_showing(connection, judged.partial, counted)
    return _Asked(picture, counted, judged, [(stored, judged.partial[row]) for row, stored in shown])


def _best(
    connection: Session, query: Description, asked: Sequence[_Asked], accounts: Collection[str]
) -> list[tuple[StoredPhoto, Match]]:
    """The photos of these accounts: of several pictures of one, and of the query, those that are likest."""
    best: dict[int, tuple[tuple[object, ...], StoredPhoto, Match]] = {}
    for place, one in enumerate(asked):
        found = {(stored.id, stored.place): (stored, evidence) for stored, evidence in one.partial}
        for fingerprint_id, stored in photos_of(connection, one.judged.near, accounts, one.counted):
            found[stored.id, stored.place] = (stored, one.judged.near[fingerprint_id])
        for stored, how in found.values():
            if stored.account in accounts:
                evidence = _of_photos(query, one.picture, stored, how)
                match = Match(photo_of(stored), evidence, one.picture.frame)
                rank = (*_order(evidence), stored.frame != one.picture.frame, place, stored.place)
                known = best.get(stored.id)
                if known is None or rank < known[0]:
                    best[stored.id] = rank, stored, match
    return [(stored, match) for _, stored, match in best.values()]


def _with_banks(
    connection: Session, found: Iterable[tuple[StoredPhoto, Match]], matches: Sequence[Match]
) -> list[Match]:
    """The matches, each photo with the list of known pictures it is on."""
    pixels = {stored.photo_id: stored.pixels for stored, _ in found}
    banks = banks_of(connection, set(pixels.values()))
    return [
        replace(match, photo=replace(match.photo, bank=banks.get(pixels[match.photo.photo_id]))) for match in matches
    ]


def _unshown(connection: Session, asked: Sequence[_Asked]) -> list[Match]:
    """Known pictures that no account carries any more: copies of them are known all the same."""
    best: dict[int, Match] = {}
    for one in asked:
        near, partial = one.judged.near, one.judged.partial
        for fingerprint, feature, is_shown, picture in bank_pictures_like(connection, near, partial):
            if is_shown or picture.purpose is Purpose.PARTNER:  # a partner's picture only flags
                continue
            evidence = near[fingerprint] if fingerprint is not None else partial[feature or 0]
            if evidence.kind.is_copy:
                evidence = EXACT if picture.pixels == one.picture.pixels else evidence
                evidence = of_photos(evidence, one.picture.panel, None)
                match = Match(known_photo(picture), evidence, one.picture.frame)
                best[picture.id] = min(match, best.get(picture.id, match), key=_photo_order)
    # Pictures that were erased have no photo to tell them apart by: of those the first on its list comes first.
    return sorted((best[picture] for picture in sorted(best)), key=_photo_order)


def known_photo(picture: BankPicture) -> Photo:
    """A known picture as a photo, of the account it was taken from, if that may still be named."""
    added = from_microseconds(picture.added_at)
    return Photo(picture.account or "", picture.label, picture.photo_id or "", None, added, picture.bank)


def _rank(connection: Session, query: Description, asked: Sequence[_Asked], without: str | None) -> list[_Owner]:
    best: dict[str, _Owner] = {}
    own = None if without is None else account_id(without)
    for owner in _claims(connection, query, asked):
        if owner.account != own:
            best[owner.account] = min(owner, best.get(owner.account, owner))
    return sorted(best.values())


def _claims(connection: Session, query: Description, asked: Sequence[_Asked]) -> Iterator[_Owner]:
    """Every account with every picture of it that passed for a picture of the query."""
    for one in asked:
        near = one.judged.near
        digests = query.sha256, one.picture.pixels
        for fingerprint_id, account, seen_at, same in owners(connection, near, *digests, one.counted):
            yield _Owner(_order(EXACT if same else near[fingerprint_id]), seen_at, account)
        for stored, evidence in one.partial:
            yield _Owner(_order(evidence), stored.seen_at, stored.account)


_NO_COPY = 2


def _order(evidence: Evidence) -> _Order:
    """Exact before all, what is no copy after all, others by score; of equal scores the nearer fingerprint first.

    Scores are equal that are shown alike: beyond that they change with every fit of the pair model.
    """
    place = _NO_COPY if not evidence.kind.is_copy else 0 if evidence.kind is Kind.EXACT else 1
    apart = FINGERPRINT_BITS if evidence.distance is None else evidence.distance
    return place, -round(evidence.score, 2), apart, -evidence.score


def _photo_order(match: Match) -> tuple[_Order, float, str]:
    return _order(match.evidence), match.photo.seen_at.timestamp(), match.photo.photo_id


def _of_photos(query: Description, picture: DescribedPicture, stored: StoredPhoto, how: Evidence) -> Evidence:
    """How the photos stand to each other, of which these are pictures."""
    if stored.sha256 == query.sha256:
        return EXACT
    return of_photos(EXACT if stored.pixels == picture.pixels else how, picture.panel, stored.panel)


def photo_of(stored: StoredPhoto) -> Photo:
    """A catalog row as the library shows it."""
    seen_at = from_microseconds(stored.seen_at)
    return Photo(
        stored.account,
        stored.label,
        stored.photo_id,
        stored.name,
        seen_at,
        frame=stored.frame,
        damaged=stored.damaged,
        panel=stored.panel,
    )
