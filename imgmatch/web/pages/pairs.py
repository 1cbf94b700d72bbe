"""Two pictures to be laid over each other in the browser, and what is said of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imgmatch.formats.evidence import KINDS, facts, of_frame, percent
from imgmatch.formats.overlay import affine, after, outlines_of
from imgmatch.model import Kind
from imgmatch.web.pages.base import likely, picture_url

if TYPE_CHECKING:
    from imgmatch.model import Evidence, Photo

_UNIT = (1.0, 1.0)
_SLIGHT, _TURN = 2, 360
_ALL = 0.95
_SIDE = 640
"""Pixels of the longer side at which a picture is laid over another."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: where its picture is, its name, and what it is, as a caption."""

    src: str
    name: str
    caption: str


def pair(query: Side, stored: Side, evidence: Evidence, through: tuple[Evidence, Evidence] | None = None) -> str:
    """Everything the browser needs, as JSON.

    ``map`` takes a point of the query, as shares of its width and height, to the stored photo, as shares of that.

    Args:
        query: the picture that is laid over the other.
        stored: the other.
        evidence: how they stand to each other.
        through: where that is known by a third photo alone, how the query and how the stored one stand to that.
    """
    outlines = outlines_of(evidence if through is None else through[0])
    laid = None if outlines is None else affine(*outlines, _UNIT, _UNIT)
    if through is not None:
        back = outlines_of(through[1])
        undone = None if back is None else affine(back[1], back[0], _UNIT, _UNIT)
        laid, outlines = None if laid is None or undone is None else after(undone, laid), None
    found: dict[str, Any] = {
        "query": {"src": query.src, "name": query.name, "is": query.caption},
        "stored": {"src": stored.src, "name": stored.name, "is": stored.caption},
        "map": laid,
        "outlines": outlines,
        "negative": evidence.negative,
        "mirrored": evidence.mirrored,
        "rotation": evidence.rotation,
        "kind": KINDS[evidence.kind],
        "score": likely(evidence.score),
        "facts": facts(evidence) if through is None else facts(evidence)[:1],
        "of": "" if through is None else "Both were compared with a third photo, the reference of their picture.",
    }
    return json.dumps(found)


def side_of(photo: Photo, caption: str) -> Side:
    """A stored photo as one of the two."""
    return Side(picture_url(photo.photo_id, photo.frame, _SIDE), named(photo.photo, photo.frame), caption)


def words(evidence: Evidence) -> str:
    """How the copy was made, in a few words."""
    parts = [KINDS[evidence.kind][0]]
    if evidence.kind is not Kind.EXACT:
        parts += ["negative"] if evidence.negative else []
        parts += ["mirrored"] if evidence.mirrored else []
        parts += [f"turned {evidence.rotation}°"] if _SLIGHT < evidence.rotation < _TURN - _SLIGHT else []
        if evidence.overlap is not None and evidence.overlap < _ALL:
            parts.append(f"shows {percent(evidence.overlap)} of it")
    return ", ".join(parts)


def named(label: str, frame: int | None) -> str:
    """A photo, and which frame of it is meant."""
    return label + of_frame(frame)
