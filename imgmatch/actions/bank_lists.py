"""Hash lists on their way into banks and out of them.

An import writes a few thousand entries at a time, and notes in the same transaction how far it is: one that is cut off
goes on from there when it is started again with the same file, and ends as if it had never been cut off.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from imgmatch.actions.bank_sharing import is_shared
from imgmatch.actions.bank_standing import Foreseen, RowStanding, Standing, listed_columns
from imgmatch.actions.banks import refuse_bad_name, refuse_without_pdq
from imgmatch.catalog import bank_entries as entries
from imgmatch.catalog import banks as rows
from imgmatch.catalog.audit import append_audit
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.errors import ConflictError, NotFoundError, SourceError
from imgmatch.exchange.lists import WithdrawnRef, form_of, read_list, write_list
from imgmatch.exchange.stopncii import BLOCKED, NOT_BLOCKED
from imgmatch.model import PDQ_QUALITY, BadEntry, ListedHash, ListImport, Opinion, Purpose
from imgmatch.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from imgmatch.catalog.session import Session
    from imgmatch.engines.parts import Parts
    from imgmatch.exchange.lists import Listed, ListOptions
    from imgmatch.model import BankEntry
    from imgmatch.progress import Progress

AT_ONCE = 20_000
"""Entries in one transaction, which takes under a second. Each touches pages all over the tables: with fewer at once
the same pages are written more often."""

_NAMED = 20
"""So many bad entries are named; the others are counted."""

_CATEGORIES = {Opinion.CONFIRMED: "POSITIVE_CLASS", Opinion.DISMISSED: "NEGATIVE_CLASS"}
"""How ``tx`` files what somebody has looked at."""

_WITH_OPINIONS = {"csv", "stopncii", "tx-csv"}
"""Forms that can say of an entry that it is held to be wrong."""

_FEEDBACK = {Opinion.CONFIRMED: BLOCKED, Opinion.DISMISSED: NOT_BLOCKED}


@dataclass
class _Checkpoint:
    """What a bank notes of its list.

    Attributes:
        modified: the latest change that a whole import has seen: what is older was read then.
        file: of an import that is under way, or was cut off, which file.
        done: and how many of its records are written.
    """

    modified: int | None = None
    file: str | None = None
    done: int = 0

    @classmethod
    def read(cls, text: str | None) -> _Checkpoint:
        """What a bank has noted; nothing where that is nothing of ours."""
        try:
            known = json.loads(text or "{}")
            modified, file, done = known.get("modified"), known.get("file"), known.get("done", 0)
        except (ValueError, AttributeError):
            return cls()
        sound = isinstance(modified, int | None) and isinstance(file, str | None) and isinstance(done, int)
        return cls(modified, file, max(done, 0)) if sound else cls()

    def text(self) -> str | None:
        """As it is noted."""
        noted = {name: value for name, value in vars(self).items() if value}
        return json.dumps(noted) if noted else None


@dataclass
class _Counts:
    read: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    other: int = 0
    poor: int = 0
    bad: int = 0
    first_bad: list[BadEntry] = field(default_factory=list)


@dataclass
class _Import:
    """An import that is under way.

    Attributes:
        bank: the row id of the bank; 0 where a dry run makes none.
        checkpoint: what the bank notes.
        counts: what was done so far.
        met: row ids of entries that the list names.
        latest: the latest change that it has told of.
        is_broken: it cannot be read to its end.
        foreseen: what a dry run would have changed so far.
    """

    bank: int
    checkpoint: _Checkpoint
    counts: _Counts = field(default_factory=_Counts)
    met: array[int] = field(default_factory=lambda: array("q"))
    latest: int | None = None
    is_broken: bool = False
    foreseen: Foreseen = field(default_factory=Foreseen)


def import_list(  # noqa: PLR0913 -- each is a choice of its own
    parts: Parts,
    name: str,
    path: Path,
    options: ListOptions,
    *,
    purpose: Purpose = Purpose.PARTNER,
    whole: bool = False,
    dry_run: bool = False,
    by: str = "",
    progress: Progress = SILENT,
) -> ListImport:
    """Bring a bank to what a list says; the same list again changes nothing.

    Args:
        parts: of the index.
        name: of the bank, which is made if it is not there.
        path: of the list.
        options: how to read it.
        purpose: of a bank that is made.
        whole: the list is all there is: what is no longer on it is removed, unless it breaks off, or nothing of it can
            be used.
        dry_run: write nothing, and say what would be done.
        by: who imports.
        progress: hears how many records are done with.

    Raises:
        ConflictError: the bank is one that decisions fill, or signed files; or photos have no PDQ values here.
        SourceError: the list cannot be read, or not to its end; what came before is written.
        UnknownNameError: the options name a form or a field that does not exist.
        ValueError: no bank can be called so.
    """
    refuse_bad_name(name)
    refuse_without_pdq(parts)
    form = form_of(path, options)
    listed = read_list(path, options)
    first = list(islice(listed, 1))  # what cannot be read at all makes no bank
    bank, noted = _bank(parts, name, purpose, make=not dry_run)
    file = _fingerprint(path, options, whole=whole)
    state = _Import(bank, _Checkpoint.read(noted))
    skipped = 0 if whole or state.checkpoint.file != file else state.checkpoint.done
    state.checkpoint.file, state.checkpoint.done = file, skipped
    listed = chain(first, listed)
    for one in islice(listed, skipped):
        _heard(state, one)
    while some := list(islice(listed, AT_ONCE)):
        state.checkpoint.done += len(some)
        with parts.catalog.read() if dry_run else parts.catalog.write() as session:
            _take(session, state, some, write=not dry_run)
        progress.step("records", state.counts.read)
    return _finished(parts, name, form, state, whole=whole, dry_run=dry_run, by=by)


def _bank(parts: Parts, name: str, purpose: Purpose, *, make: bool) -> tuple[int, str | None]:
    """The row id of a bank, and what it has noted; 0 where it is not there and is not made."""
    with parts.catalog.write() if make else parts.catalog.read() as session:
        if make:
            rows.ensure_bank(session, name, purpose)
        row = rows.bank_row(session, name)
        if row is not None and is_shared(row.checkpoint):
            raise ConflictError(f"bank {name} is filled by signed files, which say all that stands on it")
    return (0, None) if row is None else (int(row.id), row.checkpoint)


def _fingerprint(path: Path, options: ListOptions, *, whole: bool) -> str:
    """What tells a file, and how it is read, from others."""
    try:
        found = path.stat()
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror or error})") from None
    told = [str(path.absolute()), found.st_size, found.st_mtime_ns, options.form, options.default_type, whole]
    columns = sorted((options.columns or {}).items())
    return hashlib.blake2b(json.dumps([told, columns]).encode(), digest_size=16).hexdigest()


def _take(session: Session, state: _Import, some: Sequence[Listed], *, write: bool) -> None:
    said = [(_key(one), one) for one in (_heard(state, one) for one in some) if one is not None]
    rows_by_key = entries.known_entries(session, state.bank, list({key for key, _ in said}))
    known: dict[bytes, Standing | None] = {key: RowStanding(row) for key, row in rows_by_key.items()}
    known |= state.foreseen.of({key for key, _ in said})
    wanted = _wanted(state, said, known)
    new, gone, changed = [], [], list[tuple[Any, bytes, ListedHash]]()
    for key, one in wanted.items():
        row, before = rows_by_key.get(key), known.get(key)
        if one is None:
            state.counts.removed += 1
            gone += [] if row is None else [row.id]
        elif before is None:
            state.counts.added += 1
            new.append(_row(key, one))
        elif before.is_same(one):
            state.counts.unchanged += 1
        else:
            state.counts.updated += 1
            changed += [] if row is None else [(row, key, one)]
    state.met.extend(row.id for row in rows_by_key.values())  # of these no one is missing on the list
    if write:
        _write(session, state, new, gone, changed)
    else:
        state.foreseen.note(wanted)


def _wanted(
    state: _Import, said: Sequence[tuple[bytes, ListedHash | WithdrawnRef]], known: Mapping[bytes, Standing | None]
) -> dict[bytes, ListedHash | None]:
    """By key what the bank is to hold, ``None`` where no more, and nothing where no word is newer than what stands.

    Word by word, each against what the one before has left: so where a transaction ends makes no difference.
    """
    counts, wanted = state.counts, dict[bytes, ListedHash | None]()
    for key, one in said:
        before = wanted[key] if key in wanted else known.get(key)
        is_listed = isinstance(one, ListedHash) and not one.withdrawn
        if before is not None and _is_older(one.modified, before.modified):
            counts.unchanged += is_listed
        elif is_listed:
            counts.unchanged += wanted.get(key) is not None
            wanted[key] = one if isinstance(one, ListedHash) else None
        elif known.get(key) is not None or key in wanted:
            wanted[key] = None
    return {key: one for key, one in wanted.items() if one is not None or known.get(key) is not None}


def _is_older(modified: int | None, than: int | None) -> bool:
    return modified is not None and than is not None and modified < than


def _heard(state: _Import, one: Listed) -> ListedHash | WithdrawnRef | None:
    """What a record says of an entry, if it can be used; it is counted."""
    state.counts.read += 1
    if isinstance(one, BadEntry):
        _note_bad(state, one)
        return None
    if one.modified is not None:
        state.latest = one.modified if state.latest is None else max(state.latest, one.modified)
    if isinstance(one, ListedHash) and one.quality is not None and one.quality < PDQ_QUALITY:
        state.counts.poor += 1
        return None
    return one


def _key(one: ListedHash | WithdrawnRef) -> bytes:
    return entries.entry_key(one.pdq if isinstance(one, ListedHash) and one.ref is None else one.ref or "")


def _write(
    session: Session,
    state: _Import,
    new: list[dict[str, Any]],
    gone: list[int],
    changed: Sequence[tuple[Any, bytes, ListedHash]],
) -> None:
    """Write what a part of the list changes.

    A value never changes under a number, which engines and hits go by: another value is another entry.
    """
    entries.change_listed(
        session, state.bank, [{"id": row.id, **_said(one)} for row, _, one in changed if row.pdq == one.pdq]
    )
    replaced = [(row, key, one) for row, key, one in changed if row.pdq != one.pdq]
    entries.remove_entries(session, state.bank, [*gone, *(row.id for row, _, _ in replaced)])
    new = [*new, *(_row(key, one) for _, key, one in replaced)]
    if new:  # ids rise, and nobody else writes meanwhile
        entries.insert_entries(session, state.bank, new)
        last = entries.last_entry(session)
        state.met.extend(range(last - len(new) + 1, last + 1))
    rows.note_checkpoint(session, state.bank, state.checkpoint.text())


def _note_bad(state: _Import, one: BadEntry) -> None:
    counts = state.counts
    state.is_broken = state.is_broken or one.is_end
    if one.other:
        counts.other += 1
        return
    counts.bad += 1
    if len(counts.first_bad) < _NAMED:
        counts.first_bad.append(one)


def _said(one: ListedHash) -> dict[str, Any]:
    """What a list says of an entry, as it is stored."""
    return {"modified": one.modified, **listed_columns(one)}


def _row(key: bytes, one: ListedHash) -> dict[str, Any]:
    return {"key": key, "pdq": one.pdq, **_said(one)}


def _finished(parts: Parts, name: str, form: str, state: _Import, *, whole: bool, dry_run: bool, by: str) -> ListImport:
    counts, modified = state.counts, state.checkpoint.modified
    usable = counts.read - counts.bad - counts.other
    if not state.is_broken and state.latest is not None:
        modified = state.latest if modified is None else max(modified, state.latest)
    with parts.catalog.read() if dry_run else parts.catalog.write() as session:
        if whole and not state.is_broken and (usable or not counts.bad):
            left = np.setdiff1d(entries.numbers(session, state.bank), np.array(state.met, np.int64))
            counts.removed += len(left)
            if not dry_run:
                entries.remove_entries(session, state.bank, left.tolist())
        if not dry_run:
            remove_orphans(session)
            rows.note_checkpoint(session, state.bank, _Checkpoint(modified).text())
            append_audit(session, by, "import", f"{name}: {counts.added} added, {counts.removed} removed")
    return ListImport(
        bank=name,
        form=form,
        read=counts.read,
        added=counts.added,
        updated=counts.updated,
        unchanged=counts.unchanged,
        removed=counts.removed,
        other=counts.other,
        poor=counts.poor,
        bad=counts.bad,
        first_bad=tuple(counts.first_bad),
        dry_run=dry_run,
        checkpoint=None if modified is None else str(modified),
    )


def export_list(  # noqa: PLR0913 -- each is a choice of its own
    parts: Parts,
    name: str,
    stream: TextIO,
    form: str,
    *,
    source: str = "imgmatch",
    opinions_only: bool = False,
    with_sources: bool = False,
    by: str = "",
) -> int:
    """Write what stands on a bank as a list; returns how many entries that are.

    Pictures leave as their PDQ values alone; what has none is left out. What moderators here say of an entry stands in
    the fields that a form has for it; a form without one leaves out what is dismissed, which would pass for right.

    Args:
        parts: of the index.
        name: of the bank.
        stream: where to.
        form: one of ``exchange.lists.WRITTEN_FORMS``.
        source: who speaks, where a form names that.
        opinions_only: only entries that somebody here has said something of.
        with_sources: also the addresses that lists gave of pictures, and the names of files; they may name people.
        by: who exports, for the log.

    Raises:
        NotFoundError: there is no such bank.
        UnknownNameError: no such form is written.
        IndexUnusableError: the log cannot be written.
    """
    with parts.catalog.read() as session:
        row = rows.bank_row(session, name)
        if row is None:
            raise NotFoundError(f"there is no bank {name!r}")
        every = _every(session, int(row.id))
        listed = (
            _listed(one, source, with_sources=with_sources)
            for one in every
            if one.pdq is not None
            and (one.opinion is not None or not opinions_only)
            and (one.opinion is not Opinion.DISMISSED or form in _WITH_OPINIONS)
        )
        written = write_list(listed, stream, form)
    with parts.catalog.write() as session:
        append_audit(session, by, "export", f"{name}: {written} entries as {form}")
    return written


def _every(session: Session, bank: int) -> Iterator[BankEntry]:
    after = 0
    while some := entries.read_entries(session, bank, after=after, limit=AT_ONCE):
        yield from some
        after = some[-1].entry


def _listed(one: BankEntry, source: str, *, with_sources: bool) -> ListedHash:
    said: Iterable[tuple[str, str]] = () if one.opinion is None else [(source, _FEEDBACK[one.opinion])]
    return ListedHash(
        pdq=bytes.fromhex(one.pdq or ""),
        ref=one.ref,
        modified=one.modified,
        category=one.category if one.opinion is None else _CATEGORIES[one.opinion],
        tags=one.tags,
        note=one.note,
        uri=(one.uri or one.label or None) if with_sources else None,
        opinions=tuple(said),
    )
