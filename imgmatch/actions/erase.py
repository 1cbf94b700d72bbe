"""Erase an account or a photo everywhere, and look whether it is really gone.

An erasure goes on over many transactions, files and minutes, and may be killed in between. So what it has left to do is
written down with the first row that it removes, and goes with the last trace: whoever erases the same again finishes
it, and so does the next scan, run of rings, calibration, rebuild or other erasure. A decision, or photos that are
added, never wait for that.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imgmatch.actions.naming import NameFinder
from imgmatch.actions.proof import OF_BYTES, Proof, prove
from imgmatch.actions.sought import Sought
from imgmatch.catalog.audit import append_audit
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.decisions import change_reason, read_reasons
from imgmatch.catalog.erasing import Erased, accounts_in_use, came_back, mentions, remove_erased
from imgmatch.catalog.erasures import (
    BegunErasure,
    ErasureStage,
    add_portion,
    begin_erasure,
    begun_erasures,
    end_erasure,
    note_stage,
    read_portions,
)
from imgmatch.catalog.lookalikes import lookalikes_of
from imgmatch.catalog.lookups import fingerprints_of_photos
from imgmatch.catalog.orphans import has_orphans, remove_orphans
from imgmatch.catalog.places import places_behind
from imgmatch.catalog.scans import drop_empty_sources, mask_skip, remove_skips, skip_texts
from imgmatch.catalog.texts import names_in_use
from imgmatch.catalog.times import to_microseconds
from imgmatch.clustering.keeping import kept_current
from imgmatch.engines.publishing import publish
from imgmatch.errors import IndexLockedError, IndexUnusableError, NotFoundError
from imgmatch.model import Erasure, account_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from imgmatch.catalog.leases import Lease
    from imgmatch.engines.parts import Parts

ERASURE = "erasure"
"""The lease that is held meanwhile; whoever wants to erase waits its turn."""

_ERASED_AT_ONCE = 500
"""Photos removed in one transaction."""

_READ_AT_ONCE = 5_000
"""Rows of skipped photos."""

_READERS_WAIT = 1.0
"""Seconds for which what finishes an erasure of others waits for those who read an older state."""


def erase(
    parts: Parts,
    *,
    account: str | None = None,
    photo_id: str | None = None,
    before: datetime | None = None,
    mask_reasons: bool = False,
    by: str = "",
    hear: Callable[[Erasure | IndexUnusableError], None] = lambda _: None,
) -> Erasure:
    """Remove photos from the catalog and the engine files, then search the files.

    Others may read and write meanwhile. Where somebody reads an older state of the catalog for so long that its pages
    cannot be cleared, the traces that are left in them are counted, and the erasure is not finished.

    Args:
        parts: of the index they are in.
        account: all photos of this account,
        photo_id: or this photo,
        before: or all photos first seen before this moment, which has a time zone; there may be none.
        mask_reasons: where the reason of a decision speaks of what is erased, put ``…`` in its place.
        by: who erases, for the log of what was done.
        hear: what came of each other one that was cut off, see :func:`finish_erasures`.

    Raises:
        NotFoundError: there is no such account or photo, and no erasure of it was cut off.
        ValueError: not one of these was given.
        IndexUnusableError: the index cannot be written, or a file of it cannot be read.
    """
    erased = _erased(account, photo_id, before)
    with parts.catalog.lease(ERASURE, wait=math.inf) as lease:
        finish_erasures(parts, hear, but=erased)
        _refuse_unknown(parts, erased)
        with parts.catalog.write(lease) as session:
            append_audit(session, by, "erase")
        begun = _removed(parts, lease, erased, masking=mask_reasons)
        return _proven(parts, lease, begun)


def remove(
    parts: Parts,
    *,
    account: str | None = None,
    photo_id: str | None = None,
    before: datetime | None = None,
    hear: Callable[[Erasure | IndexUnusableError], None] = lambda _: None,
) -> int:
    """As :func:`erase`, without looking for traces and without complaint where there is nothing; how many photos went.

    Raises:
        ValueError: not one of these was given.
        IndexUnusableError: the index cannot be written.
    """
    erased = _erased(account, photo_id, before)
    with parts.catalog.lease(ERASURE, wait=math.inf) as lease:
        finish_erasures(parts, hear, but=erased)
        begun = _removed(parts, lease, erased, masking=False)
        if _cleared(parts, lease, begun, _gone(parts, begun)).compacted:
            with parts.catalog.write(lease) as session:
                end_erasure(session, begun)
    return begun.photos


def finish_erasures(
    parts: Parts, hear: Callable[[Erasure | IndexUnusableError], None], *, but: Erased | None = None
) -> None:
    """Finish what was cut off, one after another; nothing where somebody else is at it.

    Those that were searched and have left traces are not among them: only who cleans up and erases again can finish
    them.

    Args:
        parts: of the index.
        hear: gets what came of each, or why it cannot be finished: what is asked for beside may still be possible.
        but: not this, which is erased again.
    """
    try:
        for done in _outcomes(parts, but):
            hear(done)
    except IndexUnusableError as error:
        hear(error)


def _outcomes(parts: Parts, but: Erased | None) -> Iterator[Erasure | IndexUnusableError]:
    with ExitStack() as stack:
        try:
            lease = stack.enter_context(parts.catalog.lease(ERASURE))
        except IndexLockedError:
            return
        with parts.catalog.read() as session:
            begun = [one for one in begun_erasures(session) if one.stage is not ErasureStage.SEARCHED]
        for one in begun:
            if but is not None and one.is_of(but):
                continue
            try:
                done: Erasure | IndexUnusableError = _finished(parts, lease, one)
            except IndexUnusableError as error:
                done = error
            yield done


def _finished(parts: Parts, lease: Lease, begun: BegunErasure) -> Erasure:
    if begun.stage is ErasureStage.REMOVING:
        begun = _removed(parts, lease, begun.erased, masking=begun.masking)
    return _proven(parts, lease, begun, patience=_READERS_WAIT)


def _erased(account: str | None, photo_id: str | None, before: datetime | None) -> Erased:
    if sum(one is not None for one in (account, photo_id, before)) != 1:
        raise ValueError("name an account, a photo_id or a moment")
    spelt = None if account is None else account_id(account)
    return Erased(spelt, photo_id, None if before is None else to_microseconds(before))


def _refuse_unknown(parts: Parts, erased: Erased) -> None:
    name = erased.photo_id if erased.account is None else erased.account
    if name is None:
        return
    with parts.catalog.read() as session:
        if mentions(session, erased) or any(one.is_of(erased) for one in begun_erasures(session)):
            return
        finder = NameFinder([name])
        if any(finder.found(reason) for _, reason in read_reasons(session)):
            return
        alike = [] if erased.account is None else lookalikes_of(session, name)
    kind = "photo" if erased.account is None else "account"
    hint = f"; what looks like it: {', '.join(map(ascii, alike))}" if alike else ""
    raise NotFoundError(f"index {parts.name} has no {kind} {name!r}{hint}")


def _removed(parts: Parts, lease: Lease, erased: Erased, *, masking: bool) -> BegunErasure:
    """Remove photos, some in each transaction, and all that speaks of them."""
    begun: BegunErasure | None = None
    left = True
    while left or begun is None:
        with parts.catalog.write(lease) as session, kept_current(session, parts.hasher, erased.account) as touched:
            begun = begin_erasure(session, erased, masking=masking) if begun is None else begun
            some, gone = replace(begun.erased, at_once=_ERASED_AT_ONCE), Sought()
            photos = gone.note_photos(session, some)
            gone.note_mentions(session, some)
            touched.update(fingerprints_of_photos(session, parts.hasher_name, photos))
            removed = remove_erased(session, some)
            remove_orphans(session)
            if gone:
                add_portion(session, begun, gone.packed(), removed)
            left = removed == _ERASED_AT_ONCE or has_orphans(session)
    with parts.catalog.write(lease) as session:
        gone = Sought()
        gone.note_mentions(session, begun.erased)
        if erased.before is None:
            remove_skips(session, account=erased.account, photo_id=erased.photo_id)
        gone.sources.update(drop_empty_sources(session))
        add_portion(session, begun, gone.packed(), 0)
        note_stage(session, begun, ErasureStage.CLEARING)
        (begun,) = (one for one in begun_erasures(session) if one.id == begun.id)
    return begun


@dataclass(frozen=True, slots=True)
class _Clearing:
    """What clearing came to.

    Attributes:
        compacted: the catalog is compacted.
        reasons: the decisions whose reason spoke of what is gone.
        shards: names of those that may hold it still.
    """

    compacted: bool
    reasons: tuple[int, ...]
    shards: tuple[str, ...]


def _gone(parts: Parts, begun: BegunErasure) -> Sought:
    """All that it has removed so far, be it in several runs."""
    gone = Sought()
    with parts.catalog.read() as session:
        for portion in read_portions(session, begun):
            gone.add(portion)
    return gone


def _cleared(parts: Parts, lease: Lease, begun: BegunErasure, gone: Sought, patience: float = math.inf) -> _Clearing:
    """Clear texts and files of what was removed."""
    _mask_skips(parts, lease, gone)
    reasons = _reasons(parts, lease, gone, masking=begun.masking)
    shards = publish(parts, leave_nothing=True)
    return _Clearing(parts.catalog.compact(patience=patience), reasons, shards)


def _mask_skips(parts: Parts, lease: Lease, gone: Sought) -> None:
    """Mask what is said of the skipped photos of others, where it names what was removed."""
    finder, spoken = NameFinder(gone.identifiers()), set[str]()
    with parts.catalog.read() as session:
        naming = []
        for some in chunks(skip_texts(session), _READ_AT_ONCE):
            if not finder.may_stand_in("\n".join(text for _, *texts in some for text in texts)):
                continue
            for row, *texts in some:
                if found := finder.found("\n".join(texts)):
                    naming.append((row, texts))
                    spoken |= found
        own = NameFinder(spoken - names_in_use(session, spoken))
    for rows in chunks(naming):
        with parts.catalog.write(lease) as session:
            for row, (label, detail) in rows:
                mask_skip(session, row, (label, detail), (own.masked(label), own.masked(detail)))


def _reasons(parts: Parts, lease: Lease, gone: Sought, *, masking: bool) -> tuple[int, ...]:
    """Decisions whose reason speaks of what was removed; with ``masking`` it does no more."""
    finder = NameFinder(gone.spoken())
    with parts.catalog.read() as session:
        naming = [(decision, reason) for decision, reason in read_reasons(session) if finder.found(reason)]
        spoken = {name for _, reason in naming for name in finder.found(reason)}
        own = NameFinder(spoken - names_in_use(session, spoken))
    naming = [(decision, reason) for decision, reason in naming if own.found(reason)]
    if masking and naming:
        with parts.catalog.write(lease) as session:
            for decision, reason in naming:
                change_reason(session, decision, own.masked(reason))
    return tuple(decision for decision, _ in naming)


def _proven(parts: Parts, lease: Lease, begun: BegunErasure, *, patience: float = math.inf) -> Erasure:
    """Clear every file of what was removed, search them, and forget the erasure if nothing is left of it."""
    try:
        gone = _gone(parts, begun)
        cleared = _cleared(parts, lease, begun, gone, patience)
        erasure = _result(parts, begun, gone, prove(parts, gone), cleared.shards)
    except (IndexUnusableError, OSError, ValueError) as error:
        kind = type(error) if isinstance(error, IndexUnusableError) else IndexUnusableError
        raise kind(f"{begun.erased} is not erased to the end: {error}") from error
    done = cleared.compacted and not erasure.traces
    with parts.catalog.write(lease) as session:
        if done:
            end_erasure(session, begun)
        else:
            note_stage(session, begun, ErasureStage.SEARCHED if cleared.compacted else ErasureStage.CLEARING)
    still, masked = ((), cleared.reasons) if begun.masking else (cleared.reasons, ())
    return replace(erasure, reasons=still, masked_reasons=masked, finished=done, compacted=cleared.compacted)


def _result(parts: Parts, begun: BegunErasure, gone: Sought, proof: Proof, shards: tuple[str, ...]) -> Erasure:
    erased = begun.erased
    with parts.catalog.read() as session:
        again = came_back(session, erased)
        naming = 0 if again else mentions(session, erased)
        used = accounts_in_use(session, gone.accounts)
        place = parts.folder.place
        elsewhere = () if place is None else (*places_behind(session, place), *shards)
    found = dict(proof.found) | ({"catalog": {"rows": naming}} if naming else {})
    return Erasure(
        account=erased.account,
        photo_id=erased.photo_id,
        photos=begun.photos,
        searched_for=sum(number for kind, number in proof.searched.items() if kind in OF_BYTES),
        files_searched=proof.files,
        traces=proof.traces + naming,
        gone_photos=frozenset(gone.photos.union([] if erased.photo_id is None else [erased.photo_id])),
        gone_accounts=frozenset((gone.accounts - used).union([] if erased.account is None else [erased.account])),
        searched=proof.searched,
        found=found,
        in_use=proof.in_use,
        came_back=again,
        elsewhere=elsewhere,
    )
