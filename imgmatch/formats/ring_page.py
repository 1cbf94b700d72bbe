"""A report of rings as one HTML page that needs nothing else: what a moderator opens in the morning.

This brings Jinja2 and NumPy: import it where a page is asked for, not before.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from imgmatch.formats.evidence import bank_hit_line
from imgmatch.formats.html import environment, policy_hash
from imgmatch.formats.reported import KIND
from imgmatch.formats.ring_shown import MOST_CARRIERS, GroupCard, RingCard, group_card, ring_card
from imgmatch.formats.shown import Album, Shown
from imgmatch.formats.text import clean
from imgmatch.model import Change

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgmatch.formats.ring_shown import Pictures
    from imgmatch.model import Ring, RingsReport

__all__ = ["Shown", "rings_page"]

_PIECES = 64
"""So many bits of the template's output are joined to one piece of the page."""

_JSON_ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}
"""What could end a script element, or begin a comment in it; all of it stands within JSON's quotes."""


def rings_page(
    report: RingsReport, pictures: Pictures, *, at: datetime | None = None, index: str | None = None
) -> Iterator[str]:
    """One HTML document, in pieces.

    Args:
        report: its rings, in the order they are shown at first.
        pictures: those of its photos by their keys; a photo without one is shown without.
        at: when the report was made, with a time zone; now, if not given.
        index: the index folder, as the commands to decide are to name it; ``None`` where they need not.
    """
    album = Album()
    stream = (
        environment()
        .get_template("rings.html.j2")
        .stream(
            report=report,
            at=at or datetime.now(UTC),
            version=version("imgmatch"),
            counts=_counts(report),
            banks=[bank_hit_line(hit) for hit in report.bank_hits],
            choices=_choices(report.rings),
            cards=_cards(report, pictures, album, index),
            common=_common(report, pictures, album, index),
            reported=script_json(_shown(report)),
            facts=script_json([_facts(ring) for ring in report.rings]),
            style_hash=policy_hash("rings.css"),
            script_hash=policy_hash("rings.js"),
        )
    )
    stream.enable_buffering(_PIECES)
    yield from stream


def script_json(value: Any) -> Markup:  # noqa: ANN401 -- whatever JSON takes
    """JSON that can stand in a script element, whatever strangers wrote: in ASCII, and nothing in it is markup."""
    return Markup(json.dumps(value, separators=(",", ":")).translate(_JSON_ESCAPES))  # noqa: S704 -- escaped above


def _cards(report: RingsReport, pictures: Pictures, album: Album, index: str | None) -> Iterator[RingCard]:
    for number, ring in enumerate(report.rings, start=1):
        yield ring_card(number, ring, pictures, album, index)


def _common(report: RingsReport, pictures: Pictures, album: Album, index: str | None) -> Iterator[GroupCard]:
    for number, group in enumerate(report.common, start=1):
        yield group_card(f"common{number}", number, group, pictures, album, index)


def _counts(report: RingsReport) -> list[tuple[int, str]]:
    """What the page begins with, as numbers and their words."""
    rings = report.rings
    accounts = {member.account for ring in rings for member in ring.accounts}
    groups = [group for ring in rings for group in ring.groups]
    changed = Counter(change for ring in rings for change in ring.changes)
    counted = [
        (len(rings), _many(len(rings), "ring")),
        (len(accounts), _many(len(accounts), "account")),
        (len(groups), _many(len(groups), "shared picture")),
        (sum(len(group.photos) for group in groups), "photos"),
    ]
    counted += [(changed[change], _CHANGES[change]) for change in _CHANGES if changed[change]]
    counted += [(len(report.gone), "gone")] if report.gone else []
    return counted


_CHANGES = {
    Change.NEW: "new",
    Change.GROWN: "grown",
    Change.SHRUNK: "shrunk",
    Change.MERGED: "merged",
    Change.SPLIT: "split",
    Change.PICTURES: "with other pictures",
}


def _choices(rings: Sequence[Ring]) -> list[tuple[str, str, int]]:
    """The changes there are to choose from: the value, its words, and how many rings have it."""
    changed = Counter(change for ring in rings for change in ring.changes)
    found = [
        (str(change), words.capitalize(), changed[change]) for change, words in _CHANGES.items() if changed[change]
    ]
    still = sum(not ring.changes for ring in rings)
    return [*found, ("none", "Unchanged", still)] if found and still else found


def _facts(ring: Ring) -> dict[str, Any]:
    """What rings are found and sorted by: the text, size, strength, time of the newest account, speed, change, word."""
    texts = {ring.ring: None}
    for member in ring.accounts:
        texts |= {member.account: None, member.name or "": None}
    for group in ring.groups:
        for photo in group.photos:
            texts |= {photo.photo_id: None, photo.photo: None, photo.name or "": None}
    return {
        "text": "\n".join(map(clean, texts)),
        "size": len(ring.accounts),
        "strength": ring.strength,
        "newest": int(ring.accounts[-1].first_seen.timestamp()),
        "speed": ring.accounts_per_day,
        "changes": [str(change) for change in ring.changes] or ["none"],
        "decided": ring.decision is not None,
    }


def _shown(report: RingsReport) -> dict[str, Any]:
    """What ``formats/reported.py`` reads back: every account that is named on the page, every photo named or shown."""
    groups = [group for ring in report.rings for group in ring.groups]
    photos = {photo.photo_id for group in groups for photo in group.photos}
    photos |= {one for group in (*groups, *report.common) for one in (group.group, group.medoid.photo_id)}
    accounts = {photo.account for group in groups for photo in (*group.photos, group.medoid)}
    for ring in report.rings:
        accounts |= {member.account for member in ring.accounts} | {*ring.joined, *ring.left}
    for group in report.common:
        accounts |= {group.medoid.account, *group.accounts[:MOST_CARRIERS]}
    accounts |= {account for gone in report.gone for account in gone.accounts}
    return {"imgmatch": KIND, "accounts": sorted(accounts - {""}), "photos": sorted(photos - {""})}


def _many(count: int, word: str) -> str:
    return word if count == 1 else word + "s"
