"""Decide on a pair, a group or a ring: what is said is kept for good, and the groups it touches heed it at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.actions.rings import find_rings
from imgmatch.catalog.audit import append_audit
from imgmatch.catalog.banks import KNOWN_COMMON, KNOWN_STOLEN, add_to_bank, drop_from_banks, remove_from_bank
from imgmatch.catalog.clusterings import read_clustering
from imgmatch.catalog.decisions import (
    DecidedGroup,
    append_decision,
    decided_photos,
    latest_decisions,
    photos_of_decision,
    read_decided_photos,
    read_decision,
    undone_by,
    verdicts_of,
)
from imgmatch.catalog.fingerprints import bits_by_id, ids_of_bits
from imgmatch.catalog.kept_groups import read_groups
from imgmatch.catalog.kept_rings import group_rows, groups_of_rings, ring_row, rings_of_group
from imgmatch.catalog.lookups import fingerprints_of_keys, fingerprints_of_photos
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.catalog.reviews import close_review
from imgmatch.catalog.times import from_microseconds
from imgmatch.clustering.keeping import refresh
from imgmatch.clustering.nodes import in_orientations
from imgmatch.clustering.report import kept_ring
from imgmatch.errors import ConflictError, NotFoundError
from imgmatch.matching.evidence import apart
from imgmatch.model import Decision, DecisionKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from imgmatch.catalog.session import Session
    from imgmatch.engines.parts import Parts
    from imgmatch.model import Group, Ring

BANKS = {Verdict.CONFIRM: KNOWN_STOLEN, Verdict.COMMON: KNOWN_COMMON}
"""The list that pictures enter by a verdict; they leave the other one, and by a dismissal both."""


@dataclass(frozen=True, slots=True)
class _Saying:
    """What is said of what, by whom and why."""

    verdict: Verdict
    kind: DecisionKind
    subject: str
    by: str
    reason: str | None


def decide(  # noqa: PLR0913 -- each is a choice of its own
    parts: Parts,
    verdict: Verdict,
    *,
    by: str,
    ring: str | None = None,
    group: str | None = None,
    pair: tuple[str, str] | None = None,
    reason: str | None = None,
    expect: str | None = None,
) -> Decision:
    """Decide on a ring or a group, as the last run and what was decided since have left them, or on two photos.

    Args:
        parts: of the index.
        verdict: what is said.
        by: who says so.
        ring: the id of a ring: all its groups are decided on,
        group: or that of a group,
        pair: or the ids of two photos.
        reason: why.
        expect: ``version`` of the ring, as it was shown; of a group that of its ring.

    Raises:
        ConflictError: the two photos are one, or the ring has changed since it was shown.
        NotFoundError: there is no such ring, group or photo.
        ValueError: not one of ``ring``, ``group`` and ``pair`` was given.
        IndexUnusableError: the index cannot be written.
    """
    if sum(one is not None for one in (ring, group, pair)) != 1:
        raise ValueError("name a ring, a group or a pair")
    if verdict is Verdict.UNDO:
        raise ValueError("an undo names the decision that it takes back")
    if pair is not None and pair[0] == pair[1]:
        raise ConflictError("a pair needs two photos")
    with parts.catalog.read() as session:
        state = read_clustering(session)
    shown = None if pair is not None or state is not None else _shown(parts, ring=ring, group=group)
    with parts.catalog.write() as session:
        if expect is not None:
            _refuse_changed(session, ring, group, expect)
        if pair is not None:
            kind, subject = DecisionKind.PAIR, " ".join(pair)
            pictures = _of_pair(session, parts, pair, verdict)
        elif ring is not None:
            kind, subject, pictures = DecisionKind.RING, ring, shown or _of_ring(session, ring)
        else:
            kind, subject, pictures = DecisionKind.GROUP, group or "", shown or _of_group(session, group or "")
        if not pictures:
            raise NotFoundError(f"index {parts.name} has no {kind} {subject!r}")
        return _decide(session, parts, _Saying(verdict, kind, subject, by, reason), pictures)


def undo(parts: Parts, number: int, *, by: str, reason: str | None = None) -> Decision:
    """Take a decision back, by one more: what was said before on the same photos counts again.

    Args:
        parts: of the index.
        number: of the decision.
        by: who takes it back.
        reason: why.

    Raises:
        ConflictError: it was taken back already, or takes another one back itself.
        NotFoundError: there is no such decision.
        IndexUnusableError: the index cannot be written.
    """
    with parts.catalog.write() as session:
        row = read_decision(session, number)
        if row is None:
            raise NotFoundError(f"index {parts.name} has no decision {number}")
        if row.verdict == Verdict.UNDO:
            raise ConflictError(f"decision {number} takes another one back; decide anew instead")
        if (undoing := undone_by(session, [number]).get(number)) is not None:
            raise ConflictError(f"decision {number} was taken back already, by decision {undoing}")
        verdict, kind, subject = Verdict.UNDO, DecisionKind.DECISION, str(number)
        made = append_decision(
            session,
            verdict=verdict,
            kind=kind,
            subject=subject,
            by=by,
            reason=reason,
            photos=(),
            undoes=number,
        )
        decided = photos_of_decision(session, number)
        prints = ids_of_bits(session, parts.hasher_name, {photo.bits for photo in decided})
        _restore_banks(session, parts.hasher_name, prints)
        photo_ids = {photo.photo_id for photo in decided}
        refresh(
            session, parts.hasher, {*prints.values(), *fingerprints_of_photos(session, parts.hasher_name, photo_ids)}
        )
        append_audit(session, by, "undo", f"decision {number}")
        decided_at = from_microseconds(made.decided_at)
        return Decision(made.id, decided_at, verdict, kind, subject, by, reason, len(photo_ids))


def _restore_banks(session: Session, hasher: str, prints: Mapping[bytes, int]) -> None:
    """Have the lists of known pictures hold of pictures with these fingerprints what the decisions that count say."""
    every = list(read_decided_photos(session, set(prints)))
    verdicts = verdicts_of(session, {number for number, _ in every})
    last: dict[tuple[str, bytes], str] = {}
    for number, photo in every:  # in order
        if number in verdicts:
            last[photo.photo_id, photo.bits] = verdicts[number]
    decided = {(photo.photo_id, photo.bits) for _, photo in every}
    for verdict, bank in BANKS.items():
        filed = {key for key, said in last.items() if said == verdict}
        _refile(session, hasher, bank, filed, decided - filed, prints)
    remove_orphans(session)


def _refile(
    session: Session,
    hasher: str,
    bank: str,
    filed: Collection[tuple[str, bytes]],
    others: Collection[tuple[str, bytes]],
    prints: Mapping[bytes, int],
) -> None:
    """Let one list hold the pictures of some photos, each with the fingerprint that is meant, and not of others.

    What no photo shows any more stays on it where anything with its fingerprint does.
    """
    on, off = ({prints[bits] for _, bits in some} for some in (filed, others))
    drop_from_banks(session, [bank], off - on)
    remove_from_bank(session, bank, sorted({photo_id for photo_id, _ in others}), off)
    if filed:
        add_to_bank(session, bank, sorted({photo_id for photo_id, _ in filed}), hasher, on)


def _refuse_changed(session: Session, ring: str | None, group: str | None, expect: str) -> None:
    """A moderator decides on what he has seen, not on what has become of it."""
    if ring is None:
        names = rings_of_group(session, group or "")
        if not names and group_rows(session, group or ""):
            raise ConflictError(f"picture {group} ties no ring any more")
        ring = names[0] if names else ""
    found = kept_ring(session, ring)
    if found is not None and found.version != expect:
        raise ConflictError(f"ring {ring} has changed since it was shown{_last_word(session, found)}; look at it again")


def _last_word(session: Session, ring: Ring) -> str:
    """Who has decided on it last, to follow other words."""
    photo_ids = {photo.photo_id for group in ring.groups for photo in group.photos}
    last = latest_decisions(session, before=None, limit=1, photo_ids=photo_ids)
    if not last:
        return ""
    [row] = last
    return f" ({row.by} said {row.verdict} at {from_microseconds(row.decided_at).isoformat(' ', 'minutes')})"


def _of_ring(session: Session, ring: str) -> list[DecidedGroup]:
    row = ring_row(session, ring)
    return [] if row is None else _groups(session, sorted(groups_of_rings(session, [row])))


def _of_group(session: Session, group: str) -> list[DecidedGroup]:
    return _groups(session, group_rows(session, group))


def _groups(session: Session, rows: Sequence[int]) -> list[DecidedGroup]:
    return [
        DecidedGroup([one.photo.photo_id for one in group.photos], group.fingerprints)
        for group in read_groups(session, rows)
    ]


def _of_pair(session: Session, parts: Parts, pair: tuple[str, str], verdict: Verdict) -> list[DecidedGroup]:
    """Two photos: every picture of both, or where they are held to be copies the two that are nearest."""
    if verdict is Verdict.DISMISS:
        return [DecidedGroup(pair, None)]
    one, other = (sorted(fingerprints_of_photos(session, parts.hasher_name, [photo_id])) for photo_id in pair)
    if len(one) * len(other) < 2:  # noqa: PLR2004 -- nothing to choose from
        return [DecidedGroup(pair, None)]
    bits = bits_by_id(session, {*one, *other})
    turned = {row: in_orientations(parts.hasher, np.frombuffer(bits[row], np.uint8)[None])[:, 0] for row in one}
    nearest = min(product(one, other), key=lambda rows: apart(turned[rows[0]], bits[rows[1]]))
    return [DecidedGroup(pair, frozenset(nearest))]


def _shown(parts: Parts, *, ring: str | None, group: str | None) -> list[DecidedGroup]:
    """The same before the first run, when nothing is kept yet."""
    report = find_rings(parts, search=False)
    every = [*report.common, *(one for each in report.rings for one in each.groups)]
    named = next((each.groups for each in report.rings if each.ring == ring), ())
    found: Sequence[Group] = named if ring is not None else [one for one in every if one.group == group]
    with parts.catalog.read() as session:
        return [
            DecidedGroup(
                [photo.photo_id for photo in one.photos],
                fingerprints_of_keys(
                    session, parts.hasher_name, [(photo.photo_id, photo.frame, photo.panel) for photo in one.photos]
                ),
            )
            for one in found
        ]


def _decide(session: Session, parts: Parts, said: _Saying, pictures: Sequence[DecidedGroup]) -> Decision:
    hasher = parts.hasher_name
    photos = decided_photos(session, hasher, pictures)
    known = {photo.photo_id for photo in photos}
    missing = [photo_id for picture in pictures for photo_id in picture.photo_ids if photo_id not in known]
    if missing:
        raise NotFoundError(f"index {parts.name} has no photo {missing[0]!r}")
    rings = _rings_of(session, said)
    opened = [close_review(session, ring, said.by) for ring in rings]
    row = append_decision(
        session,
        verdict=said.verdict,
        kind=said.kind,
        subject=said.subject,
        by=said.by,
        reason=said.reason,
        photos=photos,
        opened_at=next((at for at in opened if at is not None), None),
    )
    append_audit(session, said.by, "decide", f"decision {row.id}")
    touched = fingerprints_of_photos(session, hasher, known)
    for picture in pictures:
        _file(session, said.verdict, sorted(set(picture.photo_ids)), hasher, picture.fingerprints)
    refresh(session, parts.hasher, touched)
    decided_at = from_microseconds(row.decided_at)
    return Decision(row.id, decided_at, said.verdict, said.kind, said.subject, said.by, said.reason, len(known))


def _rings_of(session: Session, said: _Saying) -> list[str]:
    """The ring that is decided on, or that the group ties."""
    if said.kind is DecisionKind.RING:
        return [said.subject]
    return rings_of_group(session, said.subject) if said.kind is DecisionKind.GROUP else []


def _file(
    session: Session, verdict: Verdict, photo_ids: Sequence[str], hasher: str, fingerprints: Collection[int] | None
) -> None:
    """Let the pictures enter and leave the lists of known ones."""
    removed = 0
    for bank in BANKS.values():
        if bank == BANKS.get(verdict):
            add_to_bank(session, bank, photo_ids, hasher, fingerprints)
        else:
            removed += remove_from_bank(session, bank, photo_ids, fingerprints)
    if removed:
        remove_orphans(session)
