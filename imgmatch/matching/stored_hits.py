"""Which stored photos hit which entries of banks, as the last clustering run has left it: rows, read as they are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from imgmatch import registry
from imgmatch.catalog.bank_entries import hit_entries, takes_part
from imgmatch.catalog.bank_hits import (
    has_hits,
    near_pictures,
    photo_hits,
    pictures_of_accounts,
    pixels_of_features,
    scored_pictures,
)
from imgmatch.catalog.banks import OWN_BANKS, pdq_of_pictures, read_banks
from imgmatch.catalog.clusterings import read_clustering
from imgmatch.catalog.lookups import photos_showing, photos_with
from imgmatch.features import pair_model
from imgmatch.joins.near import BACK
from imgmatch.matching.accounts import photo_of
from imgmatch.matching.bank_hits import bare_evidence, hit_of, order, silenced
from imgmatch.matching.evidence import EXACT, of_photos
from imgmatch.model import WITH_NEGATIVES, BankHit, Evidence, Kind, Ring

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from imgmatch.catalog.banks import BankPicture
    from imgmatch.catalog.pair_scores import PairScore
    from imgmatch.catalog.rows import StoredPhoto
    from imgmatch.catalog.session import Session

MOST_HITS = 10_000
"""So many are told at the most."""

_Found = tuple["StoredPhoto", BankHit]
_Pair = tuple["StoredPhoto", "BankPicture", Evidence]
_Refused = tuple[bytes, bytes, bool]
"""Digests of picture and photo, and whether it is as negatives that they are no copies."""


@dataclass(frozen=True, slots=True)
class _Options:
    """Of those the last run was made with; see ``clustering.options``."""

    max_distance: int
    sure_distance: int
    min_score: float


def stored_hits(session: Session, hasher: str, *, accounts: Collection[str] | None = None) -> tuple[BankHit, ...]:
    """Photos that hit an entry of a bank that counts, the earliest photo first; of one photo the likeliest first.

    What decisions have filed is left out: groups and rings say that of themselves.

    Args:
        session: of the catalog.
        hasher: whose fingerprints are searched.
        accounts: only photos of these accounts; ``None`` takes all.
    """
    state = read_clustering(session)
    if state is None:
        return ()
    options = _Options(**{name: state.options[name] for name in _Options.__slots__})
    best: dict[tuple[int, int], _Found] = {}
    bare = list(_bare(session, accounts))
    for stored, hit in (*bare, *_pictures(session, hasher, options, accounts, any_bare=bool(bare))):
        known = best.get((stored.id, hit.entry))
        if known is None or order(hit) < order(known[1]):
            best[stored.id, hit.entry] = stored, hit
    of_photo: dict[int, list[_Found]] = defaultdict(list)
    for stored, hit in best.values():
        of_photo[stored.id].append((stored, hit))
    photos = sorted(of_photo.values(), key=lambda some: (some[0][0].seen_at, some[0][0].photo_id))
    told = (_told(some) for some in photos)
    return tuple(hit for some in told for hit in some)[:MOST_HITS]


def with_hits(ring: Ring, hits: Iterable[BankHit]) -> Ring:
    """A ring, with those of these hits that its photos make, of one that moves by any of its pictures."""
    shown = {photo.photo_id for group in ring.groups for photo in group.photos}
    own = (hit for hit in hits if hit.photo is not None and hit.photo.photo_id in shown)
    return replace(ring, bank_hits=tuple(own))


def _told(found: list[_Found]) -> tuple[BankHit, ...]:
    photos = {hit.entry: photo_of(stored) for stored, hit in found}
    hits = silenced(sorted((hit for _, hit in found), key=order))
    return tuple(replace(hit, photo=photos[hit.entry]) for hit in hits if hit.bank not in OWN_BANKS)


def _bare(session: Session, accounts: Collection[str] | None) -> Iterator[_Found]:
    """Photos whose PDQ value is near to one on a bank."""
    if not has_hits(session):
        return
    found = list(photo_hits(session, accounts))
    entries = hit_entries(session, {entry for _, entry, *_ in found})
    for stored, number, distance, orientation, bits in found:
        entry = entries.get(number)
        if entry is not None and entry.takes_part(bits):
            evidence = of_photos(bare_evidence(distance, orientation), stored.panel, None)
            yield stored, BankHit(entry.bank, entry.purpose, entry.id, entry.ref, evidence)


def _pictures(
    session: Session, hasher: str, options: _Options, accounts: Collection[str] | None, *, any_bare: bool
) -> Iterator[_Found]:
    """Photos that are copies of a picture on a bank, as far as pairs are kept.

    A pair of fingerprints that are near, and not so near that this is enough, counts unless features were compared and
    speak against it: those of a partner's pictures, which tie nobody, are not.
    """
    pictures = _likely(session, hasher, options, accounts)
    if not any_bare and all(picture.bank in OWN_BANKS for picture in pictures):
        return
    pairs, refused = _by_features(session, options.min_score, pictures)
    found = [
        (stored, picture, evidence)
        for stored, picture, evidence in chain(pairs, _by_fingerprints(session, hasher, options, pictures, refused))
        if accounts is None or stored.account in accounts
    ]
    asked = {stored.pixels for stored, picture, _ in found if picture.ratio < 1}
    bits = pdq_of_pictures(session, asked)
    for stored, picture, evidence in found:
        if takes_part(picture.ratio, bits.get(stored.pixels, stored.pixels)):
            how = EXACT if stored.pixels == picture.pixels else evidence
            yield stored, hit_of(picture, of_photos(how, stored.panel, None), None)


def _likely(session: Session, hasher: str, options: _Options, accounts: Collection[str] | None) -> list[BankPicture]:
    """Pictures that photos may hit; of some accounts' those that are near to one of their photos, or were compared.

    Those that decisions have filed as common are told of nobody, but silence what partners list.
    """
    if accounts is None:
        return [picture for picture in read_banks(session, confirmed=False) if picture.active]
    prints, shown = pictures_of_accounts(session, hasher, accounts)
    near = {other for _, other, *_ in near_pictures(session, prints, options.max_distance)}
    compared = {features for _, features, *_ in scored_pictures(session, shown)}
    pixels = set(pixels_of_features(session, compared).values())
    found = read_banks(session, prints | near, pixels=pixels, confirmed=False)
    return [picture for picture in found if picture.active]


def _by_fingerprints(
    session: Session,
    hasher: str,
    options: _Options,
    pictures: Iterable[BankPicture],
    refused: Collection[_Refused],
) -> Iterator[_Pair]:
    known: dict[int, list[BankPicture]] = defaultdict(list)
    for picture in pictures:
        known[picture.fingerprint_id].append(picture)
    profile = registry.hasher(hasher).profile
    same = _near(profile.near_score(0), 0, 0)
    near: dict[int, list[tuple[int, Evidence]]] = defaultdict(list)
    for row in known:
        near[row].append((row, same))
    for row, other, distance, way, is_high in near_pictures(session, known, options.max_distance):
        # The photo brought into the orientation shows the picture.
        evidence = _near(profile.near_score(distance), distance, int(BACK[way]) if is_high else way)
        near[other].append((row, evidence))
    for other, stored in photos_with(session, near):
        for row, evidence in near[other]:
            is_sure = (evidence.distance or 0) <= options.sure_distance
            for picture in known[row]:
                if is_sure or (picture.pixels, stored.pixels, evidence.negative) not in refused:
                    yield stored, picture, evidence


def _by_features(
    session: Session, min_score: float, pictures: Iterable[BankPicture]
) -> tuple[list[_Pair], set[_Refused]]:
    """Pairs that features tie, and those that they speak against."""
    known: dict[bytes, list[BankPicture]] = defaultdict(list)
    for picture in pictures:
        known[picture.pixels].append(picture)
    model = pair_model.shipped_for_pairs()
    scored: dict[int, list[tuple[bytes, Evidence]]] = defaultdict(list)
    against: list[tuple[bytes, int, bool]] = []
    for pixels, features, pair, is_high in scored_pictures(session, known):
        [score] = model.probabilities(np.array([pair.log_odds])).tolist()
        if score >= min_score:
            scored[features].append((pixels, _partial(pair, score, is_high=is_high)))
        else:
            against.append((pixels, features, False))
            if pair.negative is not None:
                against.append((pixels, features, True))
    shown = pixels_of_features(session, {features for _, features, _ in against})
    found = [
        (stored, picture, evidence)
        for features, stored in photos_showing(session, scored)
        for pixels, evidence in scored[features]
        for picture in known[pixels]
    ]
    return found, {(pixels, shown[features], negative) for pixels, features, negative in against if features in shown}


def _partial(pair: PairScore, score: float, *, is_high: bool) -> Evidence:
    """How a photo stands to a picture: pairs are kept as the higher of the two stands to the lower."""
    rotation = pair.rotation if is_high or pair.mirrored else -pair.rotation % 360
    overlap = pair.overlap_low if is_high else pair.overlap_high
    outlines = (pair.outline_high, pair.outline_low) if is_high else (pair.outline_low, pair.outline_high)
    about = (bool(pair.mirrored), rotation, overlap, pair.agreement, *outlines, bool(pair.negative))
    return Evidence(Kind.PARTIAL, round(score, 4), None, *about)


def _near(score: float, distance: int, orientation: int) -> Evidence:
    turn = WITH_NEGATIVES[orientation]
    return Evidence(Kind.NEAR, round(score, 4), distance, turn.mirrored, turn.rotation, negative=turn.negative)
