"""Decide on a pair, a group or a ring: what is said is kept for good, and tomorrow's rings heed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch.actions.rings import find_rings
from imgmatch.catalog.banks import KNOWN_COMMON, KNOWN_STOLEN, add_to_bank, remove_from_bank
from imgmatch.catalog.decisions import append_decision, decided_photos
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.catalog.times import from_microseconds
from imgmatch.clustering.graph import Night
from imgmatch.errors import ConflictError, NotFoundError
from imgmatch.model import Decision, DecisionKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgmatch.catalog.session import Session
    from imgmatch.index import Index
    from imgmatch.model import Group

BANKS = {Verdict.CONFIRM: KNOWN_STOLEN, Verdict.COMMON: KNOWN_COMMON}
"""The list that pictures enter by a verdict; they leave the other one, and by a dismissal both."""


def decide_on_pair(
    index: Index, verdict: Verdict, photo_ids: tuple[str, str], *, by: str, reason: str | None = None
) -> Decision:
    """Decide on two photos.

    Raises:
        NotFoundError: there is no such photo.
        ConflictError: both are one.
        IndexUnusableError: the index cannot be written.
    """
    if photo_ids[0] == photo_ids[1]:
        raise ConflictError("a pair needs two photos")
    return _decide(index, verdict, DecisionKind.PAIR, " ".join(photo_ids), [list(photo_ids)], by, reason)


def decide_on_group(index: Index, verdict: Verdict, group: str, *, by: str, reason: str | None = None) -> Decision:
    """Decide on a group, as ``rings`` shows it.

    Raises:
        NotFoundError: there is no such group.
        IndexUnusableError: the index cannot be written.
    """
    report = find_rings(index, night=Night(search=False))
    groups = [*report.common, *(one for ring in report.rings for one in ring.groups)]
    found = [one for one in groups if one.group == group]
    if not found:
        raise NotFoundError(f"index {index.path} has no group {group!r}")
    return _decide(index, verdict, DecisionKind.GROUP, group, _photo_ids(found), by, reason)


def decide_on_ring(index: Index, verdict: Verdict, ring: str, *, by: str, reason: str | None = None) -> Decision:
    """Decide on all groups of a ring, as ``rings`` shows it.

    Raises:
        NotFoundError: there is no such ring.
        IndexUnusableError: the index cannot be written.
    """
    report = find_rings(index, night=Night(search=False))
    found = next((one for one in report.rings if one.ring == ring), None)
    if found is None:
        raise NotFoundError(f"index {index.path} has no ring {ring!r}")
    return _decide(index, verdict, DecisionKind.RING, ring, _photo_ids(found.groups), by, reason)


def _photo_ids(groups: Sequence[Group]) -> list[list[str]]:
    return [[photo.photo_id for photo in group.photos] for group in groups]


def _decide(
    index: Index,
    verdict: Verdict,
    kind: DecisionKind,
    subject: str,
    pictures: Sequence[Sequence[str]],
    by: str,
    reason: str | None,
) -> Decision:
    hasher = index.header.hashers[0]
    with index.writing(), index.catalog.write() as connection:
        photos = decided_photos(connection, hasher, pictures)
        known = {photo.photo_id for photo in photos}
        missing = [photo_id for picture in pictures for photo_id in picture if photo_id not in known]
        if missing:
            raise NotFoundError(f"index {index.path} has no photo {missing[0]!r}")
        row = append_decision(
            connection, verdict=verdict, kind=kind, subject=subject, by=by, reason=reason, photos=photos
        )
        _file(connection, verdict, sorted(known), hasher)
    decided_at = from_microseconds(row.decided_at)
    return Decision(row.id, decided_at, verdict, kind, subject, by, reason, len(known))


def _file(connection: Session, verdict: Verdict, photo_ids: Sequence[str], hasher: str) -> None:
    """Let the pictures enter and leave the lists of known ones."""
    removed = 0
    for bank in BANKS.values():
        if bank == BANKS.get(verdict):
            add_to_bank(connection, bank, photo_ids, hasher)
        else:
            removed += remove_from_bank(connection, bank, photo_ids)
    if removed:
        remove_orphans(connection)
