"""What pruning may remove: photos that are known to be gone from their source, and no others.

A photo that a scan has not met may be gone. It may also lie where the scan could not look: in a folder that cannot be
read, on a disk that is not mounted. So what could not be read keeps its photos, and where far more is missing than
goes in a night, nothing is removed before somebody has said so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from imgmatch.catalog import photos as photo_rows
from imgmatch.catalog import scans as scan_rows
from imgmatch.catalog.scans import UNREAD, unread_lines
from imgmatch.model import Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.leases import Lease
    from imgmatch.catalog.rows import ScanKey
    from imgmatch.catalog.session import Session
    from imgmatch.model import NewPhoto

FREELY_PRUNED = 10
"""So many photos of a source are pruned whatever their share of it."""

PRUNED_SHARE = 10
"""Of more, one in so many of all that came from the source: a night in which more goes is a mistake, or a disk away."""

MOST_PARTS = 10_000
"""So many parts of a source that could not be read are remembered by name."""

_REMOVED_AT_ONCE = 1_000
"""Rows removed in one transaction."""


class Unread:
    """What of a source could not be read, as its skipped items tell.

    Attributes:
        nameless: how many things that could not be read may have been any photo.
    """

    def __init__(self) -> None:
        self.nameless = 0
        self._parts: set[str] = set()

    def noting(self, items: Iterable[NewPhoto | Skipped]) -> Iterator[NewPhoto | Skipped]:
        """The same items, on their way through."""
        for item in items:
            if isinstance(item, Skipped) and item.part is not None:
                self._note(item.part)
            yield item

    def _note(self, part: str) -> None:
        if part and len(self._parts) < MOST_PARTS:
            self._parts.add(part)
        else:
            self.nameless += 1

    def may_hold(self, label: str) -> bool:
        """Whether a photo of this label may be in a part that could not be read."""
        while label and self._parts:
            if label in self._parts:
                return True
            label = label.rpartition("/")[0]
        return False


@dataclass(frozen=True, slots=True)
class Caution:
    """When not to prune: where far more is missing than goes in a night, or what is missing may not be gone.

    Attributes:
        since: photos first seen before this moment, in microseconds since 1970, UTC, are unwanted, wherever they are.
    """

    since: int | None = None

    def refusal(self, session: Session, scan: ScanKey, unread: Unread, missing: _Missing) -> str:
        """Why photos that are missing are not removed, in a sentence; empty if they are."""
        gone, known, ending = missing.gone, missing.known, "nothing was removed; --prune-all removes them"
        if not gone:
            return ""
        if gone == known:
            return f"it has no photos; pruning by it would remove everything that came from it, {gone:,}: {ending}"
        if gone > FREELY_PRUNED and gone * PRUNED_SHARE > known:
            return f"{gone:,} of {known:,} photos are not in it any more, more than a tenth: {ending}"
        if unread.nameless > unread_lines(session, scan):
            lines = f"{unread.nameless:,} lines that cannot be read may have named them"
            return f"{gone:,} photos are not in it any more, but {lines}: {ending}"
        return ""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What pruning has come to.

    Attributes:
        removed: photos that were removed.
        kept: photos that were not met and stay.
        refused: why none of them was removed but unwanted ones, in a sentence; empty if that was not refused.
        unread: lines that could not be read and name none of the photos that were there; ``None`` where that is open.
    """

    removed: int = 0
    kept: int = 0
    refused: str = ""
    unread: int | None = None

    def counts(self) -> dict[str, int]:
        """What is noted of it with the scan."""
        return {"removed": self.removed} | ({} if self.unread is None else {UNREAD: self.unread})


@dataclass(slots=True)
class _Missing:
    """Photos that were not met: how many are gone for all that is known, may be where nobody could look, are unwanted.

    ``known`` are all that came from the source but for the last two.
    """

    gone: int = 0
    hidden: int = 0
    unwanted: int = 0
    known: int = 0


def prune_photos(
    catalog: Catalog, lease: Lease, scan: ScanKey, unread: Unread, caution: Caution | None = None
) -> Pruned:
    """Remove the photos of a source that are gone from it, some in each transaction.

    Args:
        catalog: of the index.
        lease: of the scan.
        scan: it has met all that there is.
        unread: what it could not read.
        caution: when not to prune; ``None`` if only what may be in ``unread`` stays.
    """
    since = None if caution is None else caution.since
    with catalog.read() as session:
        missing = _missing(session, scan, unread, since)
        refused = "" if caution is None else caution.refusal(session, scan, unread, missing)
    if refused and not missing.unwanted:
        return Pruned(0, missing.hidden + missing.gone, refused)
    remove = partial(photo_rows.prune_photos, spares=unread.may_hold, before=since if refused else None)
    removed = in_parts(catalog, lease, scan, remove)
    kept = missing.hidden + (missing.gone if refused else 0)
    return Pruned(removed, kept, refused, None if refused else unread.nameless)


def _missing(session: Session, scan: ScanKey, unread: Unread, since: int | None) -> _Missing:
    missing = _Missing()
    for label, seen_at in photo_rows.unmet_photos(session, scan):
        if unread.may_hold(label):
            missing.hidden += 1
        elif since is not None and seen_at < since:
            missing.unwanted += 1
        else:
            missing.gone += 1
    missing.known = photo_rows.count_photos(session, scan.source_id) - missing.unwanted - missing.hidden
    return missing


def forget_skips(catalog: Catalog, lease: Lease, scan: ScanKey, unread: Unread, *, all_met: bool) -> None:
    """Forget what was skipped in earlier scans of the source and is gone; only lines, unless all there is was met."""
    in_parts(catalog, lease, scan, scan_rows.prune_lines)
    if all_met:
        in_parts(catalog, lease, scan, partial(scan_rows.prune_skips, spares=unread.may_hold))


def forget_lines(catalog: Catalog, lease: Lease, scan: ScanKey) -> None:
    """Forget lines skipped in scans of the source that did not end, as this one."""
    in_parts(catalog, lease, scan, scan_rows.prune_broken_skips)


def in_parts(
    catalog: Catalog, lease: Lease, scan: ScanKey, remove: Callable[[Session, ScanKey, int, int], list[int]]
) -> int:
    """Remove, a part in each transaction, until nothing is left; returns how many rows that were.

    Args:
        catalog: of the index.
        lease: of the source.
        scan: what it has not met is removed.
        remove: such as ``photos.prune_photos``.
    """
    total = last = 0
    while True:
        with catalog.write(lease) as session:
            removed = remove(session, scan, last, _REMOVED_AT_ONCE)
        total += len(removed)
        if len(removed) < _REMOVED_AT_ONCE:
            return total
        last = removed[-1]
