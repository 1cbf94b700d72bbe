"""From stars of pictures to groups of photos, each photo with the evidence that it shows the medoid's picture."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.catalog.banks import KNOWN_COMMON, KNOWN_STOLEN, read_banks
from imgmatch.catalog.decisions import read_decided_photos, read_decisions
from imgmatch.catalog.lookups import photos_with
from imgmatch.catalog.rows import StoredPhoto
from imgmatch.joins.near import BACK
from imgmatch.matching.accounts import known_photo, photo_of
from imgmatch.matching.evidence import EXACT
from imgmatch.model import ORIENTATIONS, DecisionKind, Evidence, Group, Kind, Orientation, Photo, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imgmatch.catalog.banks import BankPicture
    from imgmatch.catalog.session import Session
    from imgmatch.clustering.common import Common
    from imgmatch.clustering.graph import Graph
    from imgmatch.clustering.star_cover import Star
    from imgmatch.hashers.base import HasherProfile

SAME = Evidence(Kind.NEAR, 1.0, 0, mirrored=False, rotation=0)
"""The evidence for photos of one fingerprint whose pixels differ."""

_HALF, _MOST_ASKEW = 180, 45
"""Degrees: of half a turn, and up to which a quarter turn is the nearest one."""


@dataclass(frozen=True, slots=True)
class _Shown:
    node: int
    stored: StoredPhoto
    photo: Photo


class Grouper:
    """Makes groups of the stars of one graph."""

    def __init__(self, connection: Session, graph: Graph, profile: HasherProfile, common: Common) -> None:
        self._connection = connection
        self._graph = graph
        self._profile = profile
        self._common = common
        self._banked: dict[int, list[BankPicture]] = defaultdict(list)
        for picture in read_banks(connection):
            self._banked[picture.fingerprint_id].append(picture)
        self._verdicts = _verdicts(connection)
        nodes, near = graph.nodes, graph.near
        self._near_keys = near.left * len(nodes) + near.right

    def groups(self) -> list[Group]:
        """Every group on two accounts or more, and known pictures on one, in order of their first photos."""
        nodes = self._graph.nodes
        found = []
        for star in self._graph.stars:
            rows = [int(nodes.fingerprints[node]) for node in star[1]]
            if int(nodes.weights[list(star[1])].sum()) > 1 or any(row in self._banked for row in rows):
                group = self._group(star)
                if group is not None:
                    found.append(group)
        found.sort(key=lambda group: (group.photos[0].seen_at, group.group, group.medoid.photo_id))
        return _named(found)

    def _group(self, star: Star) -> Group | None:
        medoid, members = star
        shown = self._shown(members)
        rows = dict.fromkeys(int(self._graph.nodes.fingerprints[node]) for node in members)
        banks = {picture.bank for row in rows for picture in self._banked.get(row, ())}
        accounts = tuple(dict.fromkeys(one.photo.account for one in shown))
        if not accounts or (len(accounts) == 1 and KNOWN_STOLEN not in banks):
            return None
        first = next((one for one in shown if one.node == medoid), None)
        photos = tuple(one.photo for one in shown)
        evidence = tuple(self._evidence(one, medoid, first) for one in shown)
        # Whatever is nearest to the medoid: two members are at most as far apart as both are from it.
        bits = sorted(one.distance for one in evidence if one.distance is not None)
        return Group(
            group=photos[0].photo_id,
            medoid=self._known(medoid) if first is None else first.photo,
            photos=photos,
            accounts=accounts,
            common=self._common.holds(photos, banks),
            evidence=evidence,
            diameter=sum(bits[-2:]),
            bank=KNOWN_STOLEN if KNOWN_STOLEN in banks else KNOWN_COMMON if KNOWN_COMMON in banks else None,
            decision=_latest(self._verdicts, photos),
        )

    def _shown(self, members: Sequence[int]) -> list[_Shown]:
        """The photos behind some nodes, the earliest first."""
        nodes = self._graph.nodes
        by_row: dict[int, list[int]] = defaultdict(list)
        for node in members:
            by_row[int(nodes.fingerprints[node])].append(node)
        found = [
            _Shown(node, stored, photo_of(stored))
            for row, stored in photos_with(self._connection, by_row)
            for node in by_row[row]
            if nodes.holds(node, stored.account)
        ]
        return sorted(found, key=lambda one: (one.stored.seen_at, one.stored.photo_id))

    def _known(self, medoid: int) -> Photo:
        """A picture in a bank that no photo shows any more."""
        return known_photo(self._banked[int(self._graph.nodes.fingerprints[medoid])][0])

    def _evidence(self, one: _Shown, medoid: int, first: _Shown | None) -> Evidence:
        prints = self._graph.nodes.fingerprints
        if prints[one.node] == prints[medoid]:
            same = first is not None and one.stored.pixels == first.stored.pixels
            return EXACT if same else SAME
        return self._near(one.node, medoid) or self._tied(one.node, medoid)

    def _near(self, node: int, medoid: int) -> Evidence | None:
        near = self._graph.near
        low, high = min(node, medoid), max(node, medoid)
        key = low * len(self._graph.nodes) + high
        place = int(np.searchsorted(self._near_keys, key))
        if place == len(self._near_keys) or int(self._near_keys[place]) != key:
            return None
        # Brought into its orientation, the lower node shows the higher one.
        way = int(near.orientations[place])
        turn = ORIENTATIONS[way if node == low else int(BACK[way])]
        distance = int(near.distances[place])
        # Those not near enough were laid over each other as well: that tells where a slight crop lies.
        tied = self._tied(node, medoid) if (low, high) in self._graph.ties else None
        score = round(self._profile.near_score(distance), 4) if tied is None else tied.score
        found = Evidence(Kind.NEAR, score, distance, turn.mirrored, turn.rotation)
        if tied is None or not lies_so(tied, turn):
            return found
        return replace(found, outline_query=tied.outline_query, outline_stored=tied.outline_stored)

    def _tied(self, node: int, medoid: int) -> Evidence:
        tie, score = self._graph.ties[min(node, medoid), max(node, medoid)]
        nodes = self._graph.nodes
        # A tie is told of its higher picture against its lower one.
        as_told = nodes.fingerprints[nodes.pictures[tie.high]] == nodes.fingerprints[node]
        rotation = tie.rotation if as_told or tie.mirrored else -tie.rotation % 360
        overlap = tie.overlap_low if as_told else tie.overlap_high
        outlines = (tie.outline_high, tie.outline_low) if as_told else (tie.outline_low, tie.outline_high)
        return Evidence(Kind.PARTIAL, round(score, 4), None, tie.mirrored, rotation, overlap, tie.agreement, *outlines)


def lies_so(evidence: Evidence, turn: Orientation) -> bool:
    """Whether features tell of no other orientation than fingerprints: a symmetric picture has several."""
    askew = (evidence.rotation - turn.rotation + _HALF) % (2 * _HALF) - _HALF
    return evidence.mirrored == turn.mirrored and abs(askew) <= _MOST_ASKEW


def _named(groups: Sequence[Group]) -> list[Group]:
    """Each group under the id of its earliest photo whose id no other has: a collage is in several."""
    taken: set[str] = set()
    named = []
    for group in groups:
        name = next((photo.photo_id for photo in group.photos if photo.photo_id not in taken), group.group)
        taken.add(name)
        named.append(group if name == group.group else replace(group, group=name))
    return named


def _verdicts(connection: Session) -> dict[str, list[tuple[int, str, str]]]:
    """The decisions on each photo: number, verdict and kind."""
    known = {decision.id: decision for decision in read_decisions(connection)}
    said: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for decision, photo in read_decided_photos(connection):
        said[photo.photo_id].append((decision, known[decision].verdict, known[decision].kind))
    return said


def _latest(verdicts: Mapping[str, Sequence[tuple[int, str, str]]], photos: Sequence[Photo]) -> str | None:
    """The last word on a group: what was said of two of its photos, or of one as part of a group that was a true one.

    A photo of a dismissed group may well belong to another.
    """
    told = Counter(said for photo in photos for said in dict.fromkeys(verdicts.get(photo.photo_id, ())))
    heard = [
        said
        for said, count in told.items()
        if count > 1 or (said[1] != Verdict.DISMISS and said[2] != DecisionKind.PAIR)
    ]
    return max(heard)[1] if heard else None
