"""Sources as a whole: list them, rename one that has moved, and drop one that is gone.

A rename goes on over many transactions and may be killed in between. So it is noted with the first one: the same rename
again finishes it, and so does the next scan, run of rings, calibration, rebuild or erasure.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.catalog import photos as photo_rows
from imgmatch.catalog import scans as scan_rows
from imgmatch.catalog.known_sources import SourceRow, drop_source, read_sources, source_of, sources_with_all
from imgmatch.catalog.photos import count_photos
from imgmatch.catalog.renamed_ids import rename_in_reasons
from imgmatch.catalog.renames import (
    BegunRename,
    MovedPhoto,
    PlacedPhoto,
    begin_rename,
    begun_renames,
    end_rename,
    forget_rename,
    move_photos,
    move_skips,
    named_photos,
    placed_photos,
    placed_skips,
)
from imgmatch.catalog.rows import ScanKey
from imgmatch.catalog.scans import SCAN
from imgmatch.catalog.times import from_microseconds
from imgmatch.engines.publishing import publish
from imgmatch.errors import ConflictError, IndexLockedError, NotFoundError
from imgmatch.ingest.adding import clear_orphans
from imgmatch.ingest.pruning import in_parts
from imgmatch.model import KnownSource, SourceChange
from imgmatch.sources.moving import Move, kind_of
from imgmatch.sources.opening import key_of
from imgmatch.sources.urls import is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from imgmatch.catalog.leases import Lease
    from imgmatch.catalog.session import Session
    from imgmatch.engines.parts import Parts

_MOVED_AT_ONCE = 500
"""Photos moved in one transaction."""

_NO_SCAN = 0
"""Has met no photo."""


def known_sources(parts: Parts) -> list[KnownSource]:
    """Every source that something came from, by their keys."""
    with parts.catalog.read() as session:
        return [_known(row) for row in read_sources(session)]


def _known(row: SourceRow) -> KnownSource:
    kind = "photo" if row.photos == 1 and row.path == row.key and kind_of(row.key) == "folder" else kind_of(row.key)
    begun, ended = (None if time is None else from_microseconds(time) for time in (row.last_scan, row.last_finished))
    return KnownSource(row.key, kind, row.photos, begun, ended)


def rename_source(parts: Parts, old: str, new: str) -> SourceChange:
    """File the photos of a source under another path, where it lies now: ids that hang on the path change with it.

    Accounts, decisions, groups and what is known of pictures stay. What was scanned under the new path already becomes
    one with what came from the old one.

    Args:
        parts: of the index.
        old: its path or URL.
        new: where it lies now.

    Raises:
        NotFoundError: nothing came from ``old``.
        ConflictError: a source of its kind cannot lie at ``new``.
        SourceError: ``new`` is no path.
        IndexLockedError: one of them is being scanned.
        IndexUnusableError: the index cannot be written.
    """
    source_id, old = _found(parts, old)
    new = key_of(new)
    if kind_of(old) == "bucket":
        new = new.rstrip("/") + "/"
    if new == old:
        raise ConflictError(f"{old} has this path already")
    Move(old, new)  # that it cannot be should show before anything is written
    with ExitStack() as stack:
        lease = stack.enter_context(parts.catalog.lease(f"{SCAN}{old}"))
        stack.enter_context(parts.catalog.lease(f"{SCAN}{new}"))
        with parts.catalog.write(lease) as session:
            photos = count_photos(session, source_id)
            begin_rename(session, source_id, new)
            (begun,) = (one for one in begun_renames(session) if one.source_id == source_id)
        _finish(parts, lease, begun)
    publish(parts)
    return SourceChange(old, new, photos)


def drop_known_source(parts: Parts, key: str) -> SourceChange:
    """Remove every photo of a source, as pruning does, and forget the source.

    Args:
        parts: of the index.
        key: its path or URL.

    Raises:
        NotFoundError: nothing came from it.
        IndexLockedError: it is being scanned.
        IndexUnusableError: the index cannot be written.
    """
    source_id, key = _found(parts, key)
    with parts.catalog.lease(f"{SCAN}{key}") as lease:
        everything = ScanKey(_NO_SCAN, source_id)
        removed = in_parts(parts.catalog, lease, everything, photo_rows.prune_photos)
        in_parts(parts.catalog, lease, everything, scan_rows.prune_skips)
        clear_orphans(parts.catalog)
        with parts.catalog.write(lease) as session:
            drop_source(session, source_id)
    publish(parts)
    return SourceChange(key, None, removed)


def finish_renames(parts: Parts) -> int:
    """Finish renames that were cut off, but for those that somebody is at; returns how many."""
    with parts.catalog.read() as session:
        begun = begun_renames(session)
    done = 0
    for one in begun:
        with ExitStack() as stack:
            try:
                lease = stack.enter_context(parts.catalog.lease(f"{SCAN}{one.old}"))
                stack.enter_context(parts.catalog.lease(f"{SCAN}{one.new}"))
            except IndexLockedError:
                continue
            try:
                _finish(parts, lease, one)
                done += 1
            except ConflictError:  # a damaged key
                with parts.catalog.write(lease) as session:
                    forget_rename(session, one)
    return done


def seemingly_moved(parts: Parts, keys: Iterable[str]) -> list[tuple[str, str]]:
    """Sources that look like another one that is not there any more: all their photos came from that as well.

    Args:
        parts: of the index.
        keys: of sources that are new to the index.

    Returns:
        the old key and the new one, of those of which only one other source comes into question.
    """
    found = []
    for key in keys:
        with parts.catalog.read() as session:
            source_id = source_of(session, key)
            others = [] if source_id is None else sources_with_all(session, source_id)
        gone = [other for other in others if kind_of(other) == kind_of(key) and _is_gone(other)]
        found += [(gone[0], key)] if len(gone) == 1 else []
    return found


def _is_gone(key: str) -> bool:
    """Whether nothing lies at a path of this machine, or an empty folder, as where a disk was mounted."""
    if is_url(key):
        return False
    try:
        return not Path(key).exists() or (Path(key).is_dir() and next(Path(key).iterdir(), None) is None)
    except OSError:
        return False


def _found(parts: Parts, named: str) -> tuple[int, str]:
    """The row and the key of a source by its key, or by a path or URL that leads to it.

    Raises:
        NotFoundError: nothing came from it.
    """
    key = key_of(named)
    with parts.catalog.read() as session:
        for one in (named, key, f"{key}/"):
            if (source_id := source_of(session, one)) is not None:
                return source_id, one
    raise NotFoundError(f"index {parts.name} has no source {named!r}; `imgmatch source list` names them")


def _finish(parts: Parts, lease: Lease, begun: BegunRename) -> None:
    """Move whatever has not moved yet."""
    move = Move(begun.old, begun.new)
    with parts.catalog.write(lease) as session:
        rename_in_reasons(session, partial(_renamed, session, begun, move))
    left = None
    while left is None or left:
        before, left = left, _pass(parts, lease, begun, move)
        if before == left:
            break  # these wait for each other: they are scanned anew
    _each(parts, lease, partial(placed_skips, source_id=begun.source_id), partial(_move_skips, begun=begun, move=move))
    with parts.catalog.write(lease) as session:
        end_rename(session, begun)
    clear_orphans(parts.catalog)


def _pass(parts: Parts, lease: Lease, begun: BegunRename, move: Move) -> int:
    """Move each photo that can be moved; returns how many must wait for others."""
    return _each(
        parts, lease, partial(placed_photos, source_id=begun.source_id), partial(_move_photos, begun=begun, move=move)
    )


def _each(
    parts: Parts,
    lease: Lease,
    read: Callable[..., list[PlacedPhoto]],
    change: Callable[[Session, list[PlacedPhoto]], int],
) -> int:
    total = last = 0
    while True:
        with parts.catalog.write(lease) as session:
            some = read(session, after=last, at_once=_MOVED_AT_ONCE)
            total += change(session, some)
        if len(some) < _MOVED_AT_ONCE:
            return total
        last = some[-1].id


def _move_photos(session: Session, some: list[PlacedPhoto], *, begun: BegunRename, move: Move) -> int:
    return move_photos(session, begun, list(_moved(some, move)))


def _move_skips(session: Session, some: list[PlacedPhoto], *, begun: BegunRename, move: Move) -> int:
    move_skips(session, begun, list(_moved(some, move)))
    return 0


def _moved(some: Iterable[PlacedPhoto], move: Move) -> Iterator[MovedPhoto]:
    for photo in some:
        after, path = move.moved(photo.account, photo.photo_id, photo.label, photo.path)
        yield MovedPhoto(photo.id, photo.photo_id, after, path)


def _renamed(session: Session, begun: BegunRename, move: Move, words: set[str]) -> Mapping[str, str]:
    """Which of some words are ids of photos that are to move, and their new ids."""
    named = (one for one in named_photos(session, begun.source_id, words))
    return {one.before: one.after for one in _moved(named, move) if one.before != one.after}
