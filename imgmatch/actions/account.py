"""One account with all that is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch.actions.reviews import as_decisions
from imgmatch.catalog.accounts import read_account
from imgmatch.catalog.decisions import latest_decisions
from imgmatch.catalog.kept_groups import groups_of_photos, read_groups
from imgmatch.catalog.kept_rings import read_rings
from imgmatch.catalog.lookalikes import lookalikes_of
from imgmatch.catalog.lookups import photos_of_account
from imgmatch.catalog.times import from_microseconds
from imgmatch.errors import NotFoundError
from imgmatch.matching.accounts import photo_of
from imgmatch.matching.stored_hits import stored_hits
from imgmatch.model import AccountView, SharedPhoto, account_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.catalog.kept_groups import KeptGroup
    from imgmatch.engines.parts import Parts

MOST_DECISIONS = 50
MOST_OF_COMMON = 20
"""Of a picture that so many carry that it ties nobody, so many other photos are shown."""


def account_view(parts: Parts, account: str) -> AccountView:
    """The account with its photos, whom it shares them with, its rings and what was decided on it.

    Whom it shares photos with is what the last run of ``rings``, and what was decided since, have left.

    Raises:
        NotFoundError: there is no such account.
    """
    spelt = account_id(account)
    with parts.catalog.read() as session:
        known = read_account(session, spelt)
        if known is None:
            raise NotFoundError(f"index {parts.name} has no account {account!r}")
        stored = photos_of_account(session, spelt)
        groups = list(read_groups(session, groups_of_photos(session, [photo.id for photo in stored])))
        rings = {
            row: kept.ring for row, kept in read_rings(session, {one.ring_id for one in groups if one.ring_id}).items()
        }
        said = latest_decisions(
            session, before=None, limit=MOST_DECISIONS, photo_ids={photo.photo_id for photo in stored}
        )
        decisions = as_decisions(session, said)
        alike = lookalikes_of(session, spelt)
        hits = stored_hits(session, parts.hasher_name, accounts=[spelt])
    shares = sorted(
        (one for group in groups for one in _shares(group, spelt, rings)),
        key=lambda one: (one.other.seen_at, one.other.photo_id),
    )
    return AccountView(
        account=spelt,
        name=known.name,
        first_seen=from_microseconds(known.first_seen),
        photos=tuple(map(photo_of, stored)),
        shares=tuple(shares),
        rings=tuple(sorted(set(rings.values()))),
        decisions=tuple(decisions),
        lookalikes=tuple(alike),
        attributes=known.attributes,
        bank_hits=hits,
    )


def _shares(group: KeptGroup, account: str, rings: dict[int, str]) -> Iterator[SharedPhoto]:
    own = next(one for one in group.photos if one.photo.account == account)
    others = [one for one in group.photos if one.photo.account != account]
    for one in others[:MOST_OF_COMMON] if group.common else others:
        yield SharedPhoto(
            own=photo_of(own.photo),
            other=photo_of(one.photo),
            evidence=one.evidence,
            own_evidence=own.evidence,
            group=group.name,
            common=group.common,
            others=len(others),
            ring=None if group.common or group.ring_id is None else rings.get(group.ring_id),
        )
