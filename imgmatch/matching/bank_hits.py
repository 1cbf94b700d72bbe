"""What a photo hits on banks: pictures that were verified like any stored one, and bare PDQ values by their bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgmatch import registry
from imgmatch.catalog.bank_entries import hit_entries, takes_part
from imgmatch.catalog.banks import bank_pictures_like
from imgmatch.matching.evidence import EXACT, Near, of_photos
from imgmatch.model import (
    FINGERPRINT_BYTES,
    ORIENTATIONS,
    PDQ,
    PDQ_DISTANCE,
    PDQ_QUALITY,
    BankHit,
    Evidence,
    Kind,
    Purpose,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from imgmatch.catalog.banks import BankPicture
    from imgmatch.catalog.extent import SearchExtent
    from imgmatch.catalog.session import Session
    from imgmatch.describing.messages import DescribedPicture, Description
    from imgmatch.engines.bank_hashes import BankHashes
    from imgmatch.engines.base import Hits
    from imgmatch.matching.verification import Judged

BareHits = dict[int, Near]
"""Row ids of entries, each with the least distance of its value and the orientation that gave it."""


def nearest(hits: Hits, first_row: int = 0, ways: int = len(ORIENTATIONS)) -> dict[int, Near]:
    """For each stored fingerprint the nearest of the query rows that begin at ``first_row``, one for each way.

    What is near as it is counts as such, however near it is to the negative: of an ordinary photo all stays as it was.
    """
    best: dict[int, Near] = {}
    rows = (hits.queries >= first_row) & (hits.queries < first_row + ways)
    found = zip(hits.queries[rows].tolist(), hits.ids[rows].tolist(), hits.distances[rows].tolist(), strict=True)
    for row, fingerprint_id, distance in found:
        one, known = Near(distance, row - first_row), best.get(fingerprint_id)
        if known is None or _rank(one) < _rank(known):
            best[fingerprint_id] = one
    return best


def _rank(near: Near) -> tuple[bool, int, int]:
    return near.negative, near.distance, near.orientation


def search_banks(hashes: BankHashes, replies: Iterable[Description], extent: SearchExtent) -> list[list[BareHits]]:
    """For each picture of each photo the entries whose value is near in one of eight orientations.

    None for a flat picture, or a photo of less quality than PDQ can be trusted with.
    """
    asked = [[_turned(picture, reply.quality) for picture in reply.pictures] for reply in replies]
    rows = np.frombuffer(b"".join(turned for some in asked for turned in some), np.uint8).reshape(-1, FINGERPRINT_BYTES)
    hits = hashes.search(rows, PDQ_DISTANCE, extent)
    found: list[list[BareHits]] = []
    at = 0
    for some in asked:
        found.append([])
        for turned in some:
            found[-1].append(nearest(hits, at) if turned else {})
            at += len(turned) // FINGERPRINT_BYTES
    return found


def _turned(picture: DescribedPicture, quality: int) -> bytes:
    return b"" if picture.flat is not None or quality < PDQ_QUALITY else picture.orientations.get(PDQ, b"")


def bare_evidence(distance: int, orientation: int) -> Evidence:
    """What a near PDQ value says: the distance and how the photo lies, and nothing of the picture."""
    turn = ORIENTATIONS[orientation]
    score = round(registry.hasher(PDQ).profile.near_score(distance), 4)
    return Evidence(Kind.NEAR, score, distance, turn.mirrored, turn.rotation)


def bank_hits(
    session: Session, query: Description, judged: Sequence[Judged], bare: Sequence[BareHits]
) -> tuple[BankHit, ...]:
    """Every entry that counts and that a picture of a photo hits, the likeliest first.

    What a common bank holds anybody may carry: then nothing is said of partners' entries.

    Args:
        session: of the catalog.
        query: what was computed from the photo.
        judged: what passed of each of its pictures.
        bare: what :func:`search_banks` found for each.
    """
    best: dict[int, BankHit] = {}
    for picture, passed, near in zip(query.pictures, judged, bare, strict=True):
        bits = picture.fingerprints.get(PDQ, picture.pixels)
        for hit in (*_picture_hits(session, picture, passed, bits), *_bare_hits(session, picture, near, bits)):
            known = best.get(hit.entry)
            if known is None or order(hit) < order(known):
                best[hit.entry] = hit
    return silenced(sorted(best.values(), key=order))


def silenced(hits: Sequence[BankHit]) -> tuple[BankHit, ...]:
    """Without partners' entries where a common bank is hit too."""
    common = any(hit.purpose is Purpose.COMMON for hit in hits)
    return tuple(hit for hit in hits if not common or hit.purpose is not Purpose.PARTNER)


def order(hit: BankHit) -> tuple[bool, float, int, int]:
    """Exact before all, then by score, then by distance."""
    evidence = hit.evidence
    bits = 0 if evidence.distance is None else evidence.distance
    return evidence.kind is not Kind.EXACT, -evidence.score, bits, hit.entry


def _picture_hits(session: Session, picture: DescribedPicture, passed: Judged, bits: bytes) -> Iterable[BankHit]:
    found = bank_pictures_like(session, passed.near, passed.partial)
    for fingerprint, feature, _, known in found:
        how: Mapping[int, Evidence] = passed.near if fingerprint is not None else passed.partial
        evidence = how[fingerprint if fingerprint is not None else feature or 0]
        if evidence.kind.is_copy and takes_part(known.ratio, bits):
            evidence = EXACT if known.pixels == picture.pixels else evidence
            yield hit_of(known, of_photos(evidence, picture.panel, None), picture.frame)


def hit_of(known: BankPicture, evidence: Evidence, frame: int | None) -> BankHit:
    """A picture on a bank, as it is hit."""
    return BankHit(known.bank, known.purpose, known.id, known.ref, evidence, frame)


def _bare_hits(session: Session, picture: DescribedPicture, near: BareHits, bits: bytes) -> Iterable[BankHit]:
    for entry in hit_entries(session, near).values():
        if not entry.takes_part(bits):
            continue
        evidence = bare_evidence(near[entry.id].distance, near[entry.id].orientation)
        evidence = of_photos(evidence, picture.panel, None)
        yield BankHit(entry.bank, entry.purpose, entry.id, entry.ref, evidence, picture.frame)
