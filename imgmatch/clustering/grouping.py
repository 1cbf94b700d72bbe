"""From stars of pictures to groups of photos, each photo with the evidence that it shows the medoid's picture."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.catalog.bank_hits import has_hits, hits_of_fingerprints
from imgmatch.catalog.banks import own_first, read_banks
from imgmatch.catalog.decisions import decisions_on
from imgmatch.catalog.kept_groups import KeptGroup, KeptPhoto
from imgmatch.catalog.lookups import bits_of_several, pages_among, photos_with
from imgmatch.catalog.rows import StoredPhoto
from imgmatch.joins.near import BACK
from imgmatch.matching.accounts import photo_of
from imgmatch.matching.evidence import EXACT, of_photos
from imgmatch.model import WITH_NEGATIVES, DecisionKind, Evidence, Kind, Orientation, Purpose, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from imgmatch.catalog.banks import BankPicture
    from imgmatch.catalog.session import Session
    from imgmatch.clustering.common import CommonCriteria
    from imgmatch.clustering.graph import Graph
    from imgmatch.clustering.star_cover import Star
    from imgmatch.hashers.base import HasherProfile

SAME = Evidence(Kind.NEAR, 1.0, 0, mirrored=False, rotation=0)
"""The evidence for photos of one fingerprint whose pixels differ."""

_HALF, _MOST_ASKEW = 180, 45
"""Degrees: of half a turn, and up to which a quarter turn is the nearest one."""

_Said = tuple[int, str, str]
"""Number, verdict and kind of a decision."""

_Verdicts = dict[str, list[tuple[int, str, str, bytes]]]


@dataclass(frozen=True, slots=True)
class _Shown:
    node: int
    photo: StoredPhoto


class Grouper:
    """Makes groups of the stars of one graph."""

    def __init__(self, session: Session, graph: Graph, profile: HasherProfile, common: CommonCriteria) -> None:
        self._session = session
        self._graph = graph
        self._profile = profile
        self._common = common
        nodes, near = graph.nodes, graph.near
        self._banked: dict[int, list[BankPicture]] = defaultdict(list)
        for picture in read_banks(session, nodes.fingerprints.tolist()):
            if picture.ties:
                self._banked[picture.fingerprint_id].append(picture)
        self._banks: dict[int, set[tuple[str, Purpose]]] = defaultdict(set)
        for row, pictures in self._banked.items():
            self._banks[row].update((picture.bank, picture.purpose) for picture in pictures)
        if has_hits(session):
            for row, entries in hits_of_fingerprints(session, nodes.fingerprints.tolist()).items():
                self._banks[row].update((entry.bank, entry.purpose) for entry in entries if entry.ties)
        self._near_keys = near.left * len(nodes) + near.right
        self._several: Mapping[str, Collection[bytes]] = {}
        self._pages: Collection[int] = ()

    def groups(self) -> list[KeptGroup]:
        """Every group on two accounts or more, and known pictures on one, in order of their first photos."""
        nodes = self._graph.nodes
        stars = [
            star
            for star in self._graph.stars
            if int(nodes.weights[list(star[1])].sum()) > 1
            or any(self._banks.get(int(nodes.fingerprints[node])) for node in star[1])
        ]
        shown = self._shown([node for _, members in stars for node in members])
        verdicts = decisions_on(self._session, {one.photo.photo_id for some in shown.values() for one in some})
        self._several = bits_of_several(self._session, verdicts)
        self._pages = pages_among(self._session, {one.photo.id for some in shown.values() for one in some})
        found = [group for star in stars if (group := self._group(star, shown, verdicts)) is not None]
        found.sort(key=self._order)
        return _named(found)

    def _order(self, group: KeptGroup) -> tuple[int, str, str]:
        first = group.photos[0].photo
        return first.seen_at, group.name, self._medoid_id(group)

    def _medoid_id(self, group: KeptGroup) -> str:
        shown = (kept.photo.photo_id for kept in group.photos if kept.photo.id == group.medoid_photo)
        known = (picture.photo_id for picture in self._banked.get(group.medoid, ()))
        return next(shown, None) or next(known, None) or ""

    def _shown(self, members: Sequence[int]) -> dict[int, list[_Shown]]:
        """The photos behind some nodes."""
        nodes = self._graph.nodes
        by_row: dict[int, list[int]] = defaultdict(list)
        for node in dict.fromkeys(members):
            by_row[int(nodes.fingerprints[node])].append(node)
        found: dict[int, list[_Shown]] = defaultdict(list)
        for row, stored in photos_with(self._session, by_row):
            for node in by_row[row]:
                if nodes.holds(node, stored.account):
                    found[node].append(_Shown(node, stored))
        return found

    def _group(self, star: Star, shown_by: Mapping[int, Sequence[_Shown]], verdicts: _Verdicts) -> KeptGroup | None:
        medoid, members = star
        banked = any(self._banked.get(int(self._graph.nodes.fingerprints[node])) for node in members)
        every = self._telling([one for node in members for one in shown_by.get(node, ())], medoid, banked=banked)
        every.sort(key=lambda one: (one.photo.seen_at, one.photo.photo_id, one.node != medoid, one.photo.place))
        shown = list({one.photo.id: one for one in reversed(every)}.values())[::-1]  # of one photo the first picture
        left = {one.node for one in every}
        rows = dict.fromkeys(
            int(self._graph.nodes.fingerprints[node]) for node in members if node in left or node not in shown_by
        )
        banks = {bank for row in rows for bank in self._banks.get(row, ())}
        purposes = {purpose for _, purpose in banks}
        accounts = {one.photo.account for one in shown}
        if not accounts or (len(accounts) == 1 and Purpose.STOLEN not in purposes):
            return None
        first = next((one for one in shown if one.node == medoid), None)
        between = [self._evidence(one, medoid, first) for one in shown]
        # Whatever is nearest to the medoid: two members are at most as far apart as both are from it.
        bits = sorted(one.distance for one in between if one.distance is not None)
        evidence = [_of_photos(one, first, how) for one, how in zip(shown, between, strict=True)]
        said = latest(self._said(shown, rows, verdicts))
        return KeptGroup(
            name=shown[0].photo.photo_id,
            medoid=int(self._graph.nodes.fingerprints[medoid]),
            medoid_photo=None if first is None else first.photo.id,
            fingerprints=tuple(rows),
            photos=tuple(KeptPhoto(one.photo, how) for one, how in zip(shown, evidence, strict=True)),
            common=self._common.holds([photo_of(one.photo) for one in shown], purposes),
            diameter=sum(bits[-2:]),
            bank=_bank_of(banks),
            decision=None if said is None else said[1],
            decided=None if said is None else said[0],
        )

    def _telling(self, every: Sequence[_Shown], medoid: int, *, banked: bool) -> list[_Shown]:
        """Without what pages have in common that says nothing of them; see `evidence.says_enough`."""
        told = self._without_pages(every, medoid)
        if banked or any(one.photo.id not in self._pages for one in told):
            return told
        whole = [one for one in told if one.photo.panel is None]
        return whole if any(one.node == medoid for one in whole) else []

    def _without_pages(self, every: Sequence[_Shown], medoid: int) -> list[_Shown]:
        """Without the whole pictures of photos of which a panel is here: what is on a page is no copy of the page.

        Unless the page is the medoid, or near to it: then its panels are left out.
        """
        panels = {one.photo.id for one in every if one.photo.panel is not None}
        pages = {
            one.photo.id
            for one in every
            if one.photo.id in panels
            and one.photo.panel is None
            and (one.node == medoid or self._near(one.node, medoid) is not None)
        }
        return [
            one for one in every if one.photo.id not in panels or (one.photo.panel is None) == (one.photo.id in pages)
        ]

    def _said(self, shown: Sequence[_Shown], rows: Collection[int], verdicts: _Verdicts) -> list[list[_Said]]:
        """The decisions on each photo; of one with several pictures those on pictures of this group."""
        nodes = self._graph.nodes
        here = {nodes.bits[nodes.of_fingerprint(row).start].tobytes() for row in rows}

        def counts(photo: StoredPhoto, bits: bytes) -> bool:
            of_another = photo.frame is not None or bits in self._several.get(photo.photo_id, ())
            return bits in here or not of_another

        return [
            [said[:3] for said in verdicts.get(one.photo.photo_id, ()) if counts(one.photo, said[3])] for one in shown
        ]

    def _evidence(self, one: _Shown, medoid: int, first: _Shown | None) -> Evidence:
        prints = self._graph.nodes.fingerprints
        if prints[one.node] == prints[medoid]:
            same = first is not None and one.photo.pixels == first.photo.pixels
            return EXACT if same else SAME
        return self._near(one.node, medoid) or self._scored(one.node, medoid)

    def _near(self, node: int, medoid: int) -> Evidence | None:
        near = self._graph.near
        low, high = min(node, medoid), max(node, medoid)
        key = low * len(self._graph.nodes) + high
        place = int(np.searchsorted(self._near_keys, key))
        if place == len(self._near_keys) or int(self._near_keys[place]) != key:
            return None
        # Brought into its orientation, the lower node shows the higher one.
        way = int(near.orientations[place])
        turn = WITH_NEGATIVES[way if node == low else int(BACK[way])]
        distance = int(near.distances[place])
        # Those not near enough were aligned and compared as well: that tells where a slight crop lies.
        scored = self._scored(node, medoid) if (low, high) in self._graph.scored else None
        if scored is not None and scored.negative != turn.negative:
            return None  # near to its negative by chance, and a copy as it is
        score = round(self._profile.near_score(distance), 4) if scored is None else scored.score
        found = Evidence(Kind.NEAR, score, distance, turn.mirrored, turn.rotation, negative=turn.negative)
        if scored is None or not lies_so(scored, turn):
            return found
        return replace(found, outline_query=scored.outline_query, outline_stored=scored.outline_stored)

    def _scored(self, node: int, medoid: int) -> Evidence:
        pair, score = self._graph.scored[min(node, medoid), max(node, medoid)]
        nodes = self._graph.nodes
        # A pair is kept as its higher picture stands to its lower one.
        in_order = nodes.fingerprints[nodes.pictures[pair.high]] == nodes.fingerprints[node]
        rotation = pair.rotation if in_order or pair.mirrored else -pair.rotation % 360
        overlap = pair.overlap_low if in_order else pair.overlap_high
        outlines = (pair.outline_high, pair.outline_low) if in_order else (pair.outline_low, pair.outline_high)
        about = (pair.mirrored, rotation, overlap, pair.agreement, *outlines, bool(pair.negative))
        return Evidence(Kind.PARTIAL, round(score, 4), None, *about)


def _of_photos(one: _Shown, first: _Shown | None, how: Evidence) -> Evidence:
    """How a photo stands to that which shows the medoid, of which these are pictures."""
    if first is None:
        return of_photos(how, one.photo.panel, None)
    same = one.photo.sha256 == first.photo.sha256
    return EXACT if same else of_photos(how, one.photo.panel, first.photo.panel)


def _bank_of(banks: Collection[tuple[str, Purpose]]) -> str | None:
    """The bank a group is said to be on: one of stolen pictures before a common one, and of these our own."""
    ranked = sorted(banks, key=lambda bank: (bank[1] is not Purpose.STOLEN, own_first(bank[0])))
    return ranked[0][0] if ranked else None


def lies_so(evidence: Evidence, turn: Orientation) -> bool:
    """Whether features tell of no other orientation than fingerprints: a symmetric picture has several."""
    askew = (evidence.rotation - turn.rotation + _HALF) % (2 * _HALF) - _HALF
    return evidence.mirrored == turn.mirrored and abs(askew) <= _MOST_ASKEW


def _named(groups: Sequence[KeptGroup]) -> list[KeptGroup]:
    """Each group under the id of its earliest photo whose id no other has: a collage is in several."""
    taken: set[str] = set()
    named = []
    for group in groups:
        ids = (kept.photo.photo_id for kept in group.photos)
        name = next((photo_id for photo_id in ids if photo_id not in taken), group.name)
        taken.add(name)
        named.append(replace(group, name=name))
    return named


def latest(verdicts: Sequence[Sequence[_Said]]) -> tuple[int, str] | None:
    """The last word on a group: what was said of two of its photos, or of one as part of a group that was a true one.

    A photo of a dismissed group may well belong to another.

    Args:
        verdicts: number, verdict and kind of the decisions on each photo of the group.

    Returns:
        number and verdict.
    """
    counted = Counter(one for said in verdicts for one in dict.fromkeys(said))
    heard = [
        said
        for said, count in counted.items()
        if count > 1 or (said[1] != Verdict.DISMISS and said[2] != DecisionKind.PAIR)
    ]
    return max(heard)[:2] if heard else None
