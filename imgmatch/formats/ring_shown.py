"""What the page of rings shows, made ready for its template: rings, their pictures, and how each copy lies."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from imgmatch.formats.evidence import KINDS, facts, percent
from imgmatch.formats.overlay import affine, outlines_of
from imgmatch.formats.ring_spread import Spread, spread
from imgmatch.formats.shown import Shown
from imgmatch.formats.table import how
from imgmatch.formats.text import clean
from imgmatch.model import RING_VERDICTS, Change, Group, Photo, PictureKey, Ring, RingAccount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgmatch.formats.shown import Album
    from imgmatch.model import Evidence

Pictures = Mapping[PictureKey, Shown]
"""Pictures by the keys of photos (:attr:`imgmatch.model.Photo.key`)."""

MOST_ROWS = 10
"""Accounts listed before the rest is folded away."""

MOST_CARRIERS = 50
"""Accounts listed of a picture that ties nobody: it may be on thousands."""

_GONE = Shown(None, 0, 0, "the photo is not in the index any more")


@dataclass(frozen=True, slots=True)
class Copy:
    """One photo of a group: ``picture`` is the id of its data in the document.

    ``turn`` is how it is mirrored (-1) or not (1) and turned against the reference, and whether it is a negative of it
    (-1) or not (1); ``matrix`` the affine map of its pixels to those of the reference, empty where nothing is known.
    """

    photo: Photo
    shown: Shown
    picture: str | None
    reference: bool
    first: bool
    joined: bool
    kind: str
    made: str
    told: str
    turn: str
    matrix: str


@dataclass(frozen=True, slots=True)
class GroupCard:
    """One shared picture; ``fresh`` are the pictures no card before it has brought, as pairs of id and base 64.

    ``carriers`` are the accounts that have it, with the time each first showed it: only of a picture that ties
    nobody, and no more than ``MOST_CARRIERS`` of them.
    """

    id: str
    number: int
    group: Group
    copies: tuple[Copy, ...]
    medoid: Shown
    picture: str | None
    commands: tuple[str, ...]
    fresh: list[tuple[str, Shown, str]]
    carriers: tuple[RingAccount, ...] = ()


@dataclass(frozen=True, slots=True)
class RingCard:
    """One ring; ``rows`` are its accounts with their marks, ``folded`` those beyond the first ones."""

    id: str
    ring: Ring
    chips: tuple[tuple[str, str], ...]
    rows: tuple[tuple[RingAccount, tuple[str, ...]], ...]
    folded: tuple[tuple[RingAccount, tuple[str, ...]], ...]
    changes: tuple[tuple[str, str], ...]
    groups: tuple[GroupCard, ...]
    spread: Spread
    commands: tuple[str, ...]


def ring_card(number: int, ring: Ring, pictures: Pictures, album: Album, index: str | None) -> RingCard:
    """One ring; ``number`` counts from 1."""
    here = f"ring{number}"
    joined = frozenset(ring.joined) if ring.changes and not ring.new else frozenset[str]()
    alike = frozenset(account for some in ring.lookalikes for account in some)
    rows = tuple((member, _marks(member, ring, joined, alike)) for member in ring.accounts)
    cut = len(rows) if len(rows) <= MOST_ROWS + 1 else MOST_ROWS  # one line more is no longer than the fold
    return RingCard(
        id=here,
        ring=ring,
        chips=_chips(ring),
        rows=rows[:cut],
        folded=rows[cut:],
        changes=tuple(_changes(ring)),
        groups=tuple(
            group_card(f"{here}p{place}", place, group, pictures, album, index, joined)
            for place, group in enumerate(ring.groups, start=1)
        ),
        spread=spread([member.first_seen for member in ring.accounts]),
        commands=commands("ring", ring.ring, index),
    )


def group_card(
    here: str,
    number: int,
    group: Group,
    pictures: Pictures,
    album: Album,
    index: str | None,
    joined: frozenset[str] = frozenset(),
) -> GroupCard:
    """One shared picture under the id ``here``; of one that ties nobody only the medoid and the accounts are shown."""
    medoid = pictures.get(group.medoid.key, _GONE)
    copies = () if group.common else _copies(group, medoid, pictures, album, joined)
    return GroupCard(
        id=here,
        number=number,
        group=group,
        copies=copies,
        medoid=medoid,
        picture=album.embed(medoid),
        commands=commands("group", group.group, index),
        fresh=album.take_fresh(),
        carriers=_carriers(group) if group.common else (),
    )


def _carriers(group: Group) -> tuple[RingAccount, ...]:
    first: dict[str, Photo] = {}
    for photo in group.photos:  # the earliest first
        first.setdefault(photo.account, photo)
    return tuple(
        RingAccount(account, photo.name, photo.seen_at) for account, photo in islice(first.items(), MOST_CARRIERS)
    )


def _copies(group: Group, medoid: Shown, pictures: Pictures, album: Album, joined: frozenset[str]) -> tuple[Copy, ...]:
    copies = []
    for photo, evidence in zip(group.photos, group.evidence, strict=True):
        shown = pictures.get(photo.key, _GONE)
        reference = photo.photo_id == group.medoid.photo_id
        matrix = None if reference else laid(evidence, shown, medoid)
        copies.append(
            Copy(
                photo=photo,
                shown=shown,
                picture=album.embed(shown),
                reference=reference,
                first=photo is group.photos[0],
                joined=photo.account in joined,
                kind="" if reference else f"{KINDS[evidence.kind][0]}, {percent(evidence.score)}",
                made="" if reference else _made(evidence),
                told=" · ".join(f"{term} {value}" for term, value in facts(evidence)[1:]),
                turn=f"{-1 if evidence.mirrored else 1} {evidence.rotation} {-1 if evidence.negative else 1}",
                matrix=" ".join(f"{round(value, 5) + 0.0:g}" for value in matrix or ()),
            )
        )
    return tuple(copies)


def _made(evidence: Evidence) -> str:
    """How the copy was made, where that is more than its kind says already."""
    made = how(evidence)
    return "" if made in {"same picture", "upright"} else made


def laid(evidence: Evidence, copy: Shown, medoid: Shown) -> tuple[float, ...] | None:
    """The affine map from the copy's pixels to the medoid's; ``None`` where the evidence does not fix it."""
    outlines = outlines_of(evidence)
    if outlines is None or copy.jpeg is None or medoid.jpeg is None:
        return None
    return affine(*outlines, (copy.width, copy.height), (medoid.width, medoid.height))


def commands(kind: str, subject: str, index: str | None) -> tuple[str, ...]:
    """The commands that decide on it; none where the id has what no command line could be trusted with."""
    if clean(subject) != subject or clean(index or "") != (index or ""):
        return ()
    place = f" --index {shlex.quote(index)}" if index else ""
    # With an equals sign an id that begins with a dash is no option.
    what = shlex.quote(subject)
    named = f"--{kind}={what}" if subject.startswith("-") else f"--{kind} {what}"
    return tuple(f"imgmatch decide {verdict} {named} --by NAME{place}" for verdict in RING_VERDICTS)


def _marks(member: RingAccount, ring: Ring, joined: frozenset[str], alike: frozenset[str]) -> tuple[str, ...]:
    first = member.account == ring.first_account
    marks = {"first": first, "joined": member.account in joined and not first, "lookalike": member.account in alike}
    return tuple(mark for mark, holds in marks.items() if holds)


def _chips(ring: Ring) -> tuple[tuple[str, str], ...]:
    """The marks at a ring's head: a tone, and the word."""
    found = [("new" if change is Change.NEW else "change", _CHIPS.get(change, str(change))) for change in ring.changes]
    found += [("bank", ring.bank.replace("-", " "))] if ring.bank else []
    found += [("lookalike", "all look alike: may be one account")] if ring.all_alike else []
    found += [("decided", f"decided: {ring.decision}")] if ring.decision else []
    return tuple(found)


_CHIPS = {Change.PICTURES: "other pictures"}


def _changes(ring: Ring) -> list[tuple[str, str]]:
    """What has become of a ring since the last report, as terms and values."""
    found: list[tuple[str, Sequence[str]]] = [
        ("Left since", ring.left),
        ("Came from rings", ring.came_from),
        ("Went to rings", ring.went_to),
    ]
    if ring.changes and not ring.new:
        found.insert(0, ("Joined since", ring.joined))
    return [(term, ", ".join(values)) for term, values in found if values]
