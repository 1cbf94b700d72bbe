"""Evidence in plain words, for people who never heard of a fingerprint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch.formats.text import clean
from imgmatch.model import FINGERPRINT_BITS, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgmatch.model import BankHit, Evidence, Photo

KINDS = {
    Kind.EXACT: ("Same picture", "The two files hold the same bytes or the same pixels."),
    Kind.NEAR: (
        "Whole picture",
        "The whole picture is alike: a copy that was at most saved anew, resized or filtered.",
    ),
    Kind.PARTIAL: (
        "Part of the picture",
        "A part of one is found in the other: a copy that was cropped, framed or pasted.",
    ),
    Kind.RELATED: ("Same moment", "Another shot of the same moment: related, but no copy."),
    Kind.TEMPLATE: ("Same template", "The same card or frame with another photo or other words: no copy."),
}
"""A short title of each kind, and a sentence."""


def percent(share: float) -> str:
    """A share of 0..1 in whole per cent; only 1 is 100 %, and only 0 is 0 %."""
    if 0 < share < 0.01:  # noqa: PLR2004 -- one per cent
        return "<\N{NO-BREAK SPACE}1\N{NO-BREAK SPACE}%"
    return f"{int(share * 100 + 1e-9)}\N{NO-BREAK SPACE}%"


def there(damaged: float | None) -> str:
    """How much of a photo is there, if it is damaged, to follow other words."""
    if damaged is None:
        return ""
    return f", damaged: {'all' if damaged == 1 else percent(damaged)} of its rows are there"


def unsearched(incomplete: Sequence[str]) -> str:
    """What is said of parts of an index that did not answer; nothing where all of it was searched."""
    return f"incomplete: no answer from {', '.join(incomplete)}; there may be more matches" if incomplete else ""


def position(evidence: Evidence) -> str:
    """How the query lies against the stored photo."""
    parts = ["mirrored left to right"] if evidence.mirrored else []
    if evidence.rotation:
        parts.append(f"turned {evidence.rotation}° clockwise")
    placed = ", ".join(parts) or "the same way up, not mirrored"
    return f"a negative, {placed}" if evidence.negative else placed


def of_frame(frame: int | None) -> str:
    """What is said behind a photo of which one frame is meant; nothing for one that does not move."""
    return "" if frame is None else f", frame {frame} of a moving picture"


def facts(evidence: Evidence) -> list[tuple[str, str]]:
    """What was measured, as pairs of a term and its value."""
    near = "too far apart to tell" if evidence.distance is None else f"{evidence.distance} of {FINGERPRINT_BITS} bits"
    found = [("This photo is", position(evidence)), ("Distance", near)]
    if evidence.overlap is not None:
        found.append(("Overlap", f"{percent(evidence.overlap)} of the stored photo is in this one"))
    if evidence.agreement is not None:
        found.append(("Agreement", f"{percent(evidence.agreement)} of the shared part looks alike"))
    return found


def bank_hit_line(hit: BankHit) -> str:
    """An entry of a bank that a photo hits, in words."""
    bits = "" if hit.evidence.distance is None else f", {hit.evidence.distance} bits away"
    known = "" if hit.ref is None else f" ({clean(hit.ref)})"
    photo = "" if hit.photo is None else f"{clean(hit.photo.account)} {clean(named(hit.photo))}: "
    return f"{photo}bank {clean(hit.bank)} ({hit.purpose}), entry {hit.entry}{known}: {hit.evidence.kind}{bits}"


def named(photo: Photo) -> str:
    """The short name of a photo, and which of its frames is meant."""
    return photo.photo if photo.frame is None else f"{photo.photo} (frame {photo.frame})"
