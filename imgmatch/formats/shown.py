"""What a page shows, made ready for its template: pictures, cards and sections."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imgmatch.formats.evidence import KINDS, bank_hit_line, facts, of_frame, percent, there, unsearched
from imgmatch.formats.overlay import affine
from imgmatch.model import CheckResult, Evidence, Kind, Match, Outline, Photo, Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_WHOLE: Outline = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture on a page.

    Attributes:
        jpeg: its bytes, or ``None`` where it cannot be shown.
        width: in pixels, of the upright JPEG.
        height: likewise.
        note: what a reader must know of it, such as "the file is gone; this is the stored thumbnail".
        frame: which frame of a moving picture it is, from 1; ``None`` where the photo does not move.
    """

    jpeg: bytes | None
    width: int
    height: int
    note: str | None = None
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class ShownMatch:
    """A match and the picture of its stored photo; that of the query where it is another than the check's."""

    match: Match
    stored: Shown
    query: Shown | None = None


@dataclass(frozen=True, slots=True)
class ShownCheck:
    """What a check of one photo found, with the pictures; ``matches`` are those of ``result``, in that order."""

    result: CheckResult
    query: Shown
    matches: tuple[ShownMatch, ...]


@dataclass(frozen=True, slots=True)
class Pane:
    """One picture: ``picture`` is the id of its symbol in the document, ``points`` the shared part as SVG has it."""

    caption: str
    name: str
    shown: Shown
    picture: str | None
    points: str


@dataclass(frozen=True, slots=True)
class Card:
    """One match; ``fresh`` are the pictures no card before it has brought, as pairs of id and picture in base 64."""

    id: str
    photo: Photo | None
    earliest: bool
    kind: tuple[str, str]
    score: str
    score_of: str
    facts: list[tuple[str, str]]
    query: Pane
    stored: Pane
    matrix: str
    negative: bool
    fresh: list[tuple[str, Shown, str]]


@dataclass(frozen=True, slots=True)
class Section:
    """One photo that was checked; ``tone`` is ``match``, ``none`` or ``trouble``.

    It is ``named`` unless the page's title names it already.
    """

    id: str
    name: str
    verdict: str
    tone: str
    cards: tuple[Card, ...]
    lone: Pane | None = None
    fresh: list[tuple[str, Shown, str]] = field(default_factory=list)
    named: bool = True
    banks: tuple[str, ...] = ()


@dataclass(slots=True)
class Album:
    """The pictures of a document, each of which is in it once."""

    ids: dict[bytes, str] = field(default_factory=dict)
    fresh: list[tuple[str, Shown, str]] = field(default_factory=list)

    def embed(self, shown: Shown) -> str | None:
        """The id of a picture in the document."""
        if shown.jpeg is None:
            return None
        digest = hashlib.sha256(shown.jpeg).digest()
        if digest not in self.ids:
            self.ids[digest] = f"p{len(self.ids) + 1}"
            self.fresh.append((self.ids[digest], shown, base64.b64encode(shown.jpeg).decode()))
        return self.ids[digest]

    def take_fresh(self) -> list[tuple[str, Shown, str]]:
        """The pictures embedded since the last call."""
        fresh, self.fresh = self.fresh, []
        return fresh


def section_of(number: int, check: ShownCheck, album: Album, *, named: bool = True) -> Section:
    """The section of the page on one checked photo; ``number`` counts from 1."""
    result, here = check.result, f"c{number}"
    first = _earliest([shown.match.photo for shown in check.matches])
    cards = tuple(
        card_of(
            f"{here}m{place}",
            shown.match.evidence,
            (shown.query or check.query, result.photo),
            (shown.stored, shown.match.photo.photo),
            album,
            photo=shown.match.photo,
            earliest=shown.match.photo.seen_at == first,
        )
        for place, shown in enumerate(check.matches, start=1)
    )
    lone = None if cards else _pane("This photo", result.photo, check.query, None, album)
    tone = {Status.MATCH: "match", Status.NO_MATCH: "none"}.get(result.status, "trouble")
    banks = tuple(map(bank_hit_line, result.banks))
    return Section(here, result.photo, _said(result), tone, cards, lone, album.take_fresh(), named, banks)


def _earliest(photos: Sequence[Photo]) -> datetime | None:
    """When the first of several accounts had it; of a single one there is nothing to tell."""
    if len({photo.account for photo in photos}) < 2:  # noqa: PLR2004 -- several
        return None
    return min(photo.seen_at for photo in photos)


def card_of(
    here: str,
    evidence: Evidence,
    query: tuple[Shown, str],
    stored: tuple[Shown, str],
    album: Album,
    *,
    photo: Photo | None = None,
    earliest: bool = False,
) -> Card:
    """One match, under the id ``here``; the two photos come with their names, ``photo`` is that of an index."""
    outlines = _outlines(evidence)
    left = _pane("This photo", query[1], query[0], outlines and outlines[0], album)
    right = _pane("Stored photo", stored[1], stored[0], outlines and outlines[1], album)
    matrix = None
    if outlines and left.picture and right.picture:
        matrix = affine(*outlines, (query[0].width, query[0].height), (stored[0].width, stored[0].height))
    return Card(
        id=here,
        photo=photo,
        earliest=earliest,
        kind=KINDS[evidence.kind],
        score=percent(evidence.score),
        score_of="likely a copy" if evidence.kind.is_copy else "score",
        facts=[*facts(evidence), *_damage(photo)],
        query=left,
        stored=right,
        matrix=" ".join(f"{value:.7g}" for value in matrix or ()),
        negative=evidence.negative,
        fresh=album.take_fresh(),
    )


def _damage(photo: Photo | None) -> list[tuple[str, str]]:
    if photo is None or photo.damaged is None:
        return []
    return [("Damaged", f"{percent(photo.damaged)} of the rows of the stored photo are there")]


def _outlines(evidence: Evidence) -> tuple[Outline, Outline] | None:
    if evidence.outline_query and evidence.outline_stored:
        return evidence.outline_query, evidence.outline_stored
    # The same pixels lie on each other as they are.
    same = evidence.kind is Kind.EXACT and not evidence.mirrored and not evidence.rotation
    return (_WHOLE, _WHOLE) if same else None


def _pane(caption: str, name: str, shown: Shown, outline: Outline | None, album: Album) -> Pane:
    points = " ".join(f"{x * shown.width:.2f},{y * shown.height:.2f}" for x, y in outline or ())
    return Pane(caption + of_frame(shown.frame), name, shown, album.embed(shown), points)


def _said(result: CheckResult) -> str:
    """The verdict, and whether there may be more."""
    return _verdict(result) + (f"; {unsearched(result.incomplete)}" if result.incomplete else "")


def _verdict(result: CheckResult) -> str:
    if result.status is Status.MATCH:
        beyond = "; not all are shown" if result.truncated else ""
        if not result.accounts and not result.matches:
            return f"On no account, and known to be stolen{there(result.damaged)}"
        return f"On {result.accounts:,} account{'s' * (result.accounts != 1)}{beyond}{there(result.damaged)}"
    if result.status is Status.NO_MATCH:
        return f"On no account in the index{there(result.damaged)}"
    what = "searched" if result.status is Status.NOT_SEARCHABLE else "read"
    return f"Could not be {what}" + (f": {result.reason}" if result.reason else "")
