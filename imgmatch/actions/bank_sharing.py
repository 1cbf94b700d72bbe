"""A bank as a signed file of fingerprints and features, and such a file into a bank: sites find each other's crops."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgmatch import registry
from imgmatch.actions.banks import refuse_bad_name
from imgmatch.catalog import bank_entries as entries
from imgmatch.catalog import banks as rows
from imgmatch.catalog.audit import append_audit
from imgmatch.catalog.features import FeatureRow, store_features
from imgmatch.catalog.fingerprints import bits_by_id, intern_fingerprints
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.catalog.times import now
from imgmatch.errors import ConflictError, NotFoundError
from imgmatch.exchange.shared_bank import read_shared, write_shared
from imgmatch.exchange.shared_values import MOST_TAGS, MOST_TEXT, SharedEntry, SharedHead, check_record
from imgmatch.exchange.signing import PREFIX
from imgmatch.model import MOST_NOTE, PDQ, BadEntry, ListImport, Purpose

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from imgmatch.catalog.session import Session
    from imgmatch.engines.parts import Parts
    from imgmatch.exchange.signing import PublicKey, SigningKey

_AT_ONCE = 5_000
"""Entries with features: 12 MB at a time."""

_NAMED = 20
_REF_DIGITS = 20
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNSAID = ("modified", "uri", "metadata")
"""What a signed file has no place for."""

FORM = "imgmatch"
"""What the report of an import calls this form."""


def share_bank(parts: Parts, name: str, path: Path, key: SigningKey, *, sender: str, by: str = "") -> int:
    """Write what counts on a bank into a signed file, in one step; returns how many entries that are.

    Args:
        parts: of the index.
        name: of the bank.
        path: where to.
        key: what signs it.
        sender: who sends it, in words.
        by: who does it, for the log.

    Raises:
        NotFoundError: there is no such bank.
        ValueError: the sender cannot be called so.
    """
    with parts.catalog.read() as session:
        row = rows.bank_row(session, name)
        if row is None:
            raise NotFoundError(f"there is no bank {name!r}")
        head = SharedHead(
            bank=name,
            purpose=Purpose(row.purpose),
            sender=sender,
            sequence=now(),
            made_at=datetime.now(UTC),
            codebook=parts.codebook,
            hashers=tuple(dict.fromkeys((parts.hasher_name, PDQ))),
        )
        lists = registry.codebook(parts.codebook).lists
        folder = path.absolute().parent
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)
        try:
            with os.fdopen(handle, "wb") as stream:
                count = write_shared(stream, head, _shared(session, parts, int(row.id), lists), key)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise
    with parts.catalog.write() as session:
        append_audit(session, by, "share bank", name)
    return count


def _shared(session: Session, parts: Parts, bank: int, lists: int) -> Iterator[SharedEntry]:
    """Entries in order of their numbers, which are their refs: they tell nobody anything."""
    after = 0
    while some := entries.shared_rows(session, bank, after=after, limit=_AT_ONCE):
        after = some[-1][0].id
        bits = bits_by_id(session, [row.fingerprint_id for row, _ in some if row.fingerprint_id is not None])
        for row, features in some:
            prints = {} if row.pdq is None else {PDQ: bytes(row.pdq)}
            if row.fingerprint_id is not None and row.fingerprint_id in bits:
                prints[parts.hasher_name] = bits[row.fingerprint_id]
            if not prints:
                continue
            yield SharedEntry(
                ref=str(row.id).zfill(_REF_DIGITS),
                pixels=row.pixels,
                fingerprints=prints,
                record=_sound(features[1], lists) if features and features[0] == parts.codebook else None,
                note=_clean(row.note, MOST_NOTE),
                category=_clean(row.category, MOST_TEXT),
                tags=tuple(tag for one in (row.tags or ())[:MOST_TAGS] if (tag := _clean(one, MOST_TEXT))),
            )


def _clean(text: str | None, most: int) -> str | None:
    """Text as a signed file may hold it: without control characters, and no more than so many."""
    cleaned = _CONTROLS.sub(" ", text or "").strip()[:most].strip()
    return cleaned or None


def _sound(record: bytes | None, lists: int) -> bytes | None:
    """A record as it is, nothing for a damaged one."""
    if record is None:
        return None
    try:
        check_record(record, lists)
    except ValueError:
        return None
    return record


def import_shared(
    parts: Parts,
    name: str,
    path: Path,
    trusted: Collection[PublicKey],
    *,
    dry_run: bool = False,
    by: str = "",
) -> ListImport:
    """Bring a partner's bank to what a signed file of his says; nothing is taken before all of it is proved.

    Args:
        parts: of the index.
        name: of the bank, which is made if it is not there, to flag and no more.
        path: of the file.
        trusted: whose signature counts.
        dry_run: write nothing, and say what would be done.
        by: who imports.

    Raises:
        ConflictError: its features mean nothing here, or a later file of this bank was imported already; or the bank is
            one that decisions fill, or holds what no signed file has brought.
        SourceError: it cannot be read, or is not what the sender has signed.
        ValueError: no bank can be called so.
    """
    refuse_bad_name(name)
    with read_shared(path, trusted=trusted, codebook=parts.codebook) as (head, shared):
        state = _SharedImport(_bank(parts, name, head, write=not dry_run))
        while some := list(islice(shared, _AT_ONCE)):
            with parts.catalog.read() if dry_run else parts.catalog.write() as session:
                _take(session, parts, state, some, write=not dry_run)
        with parts.catalog.read() if dry_run else parts.catalog.write() as session:
            gone = [] if state.bad else entries.numbers_without(session, state.bank, state.listed | state.withdrawn)
            state.removed += len(gone)
            if not dry_run:
                entries.remove_entries(session, state.bank, gone)
                remove_orphans(session)
                rows.note_checkpoint(session, state.bank, f"{head.public_key} {head.sequence}")
                append_audit(session, by, "import", f"{name}: {state.added} added, {state.removed} removed")
    return state.done(name, head, dry_run=dry_run)


@dataclass
class _SharedImport:
    """An import that is under way.

    Attributes:
        bank: the row id of the bank; 0 where a dry run makes none.
        standing: keys that entries stand under now, as far as the file has named them.
        listed: keys that the file lists.
        withdrawn: keys that it withdraws.
    """

    bank: int
    read: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    other: int = 0
    bad: int = 0
    first_bad: list[BadEntry] = field(default_factory=list)
    standing: set[bytes] = field(default_factory=set)
    listed: set[bytes] = field(default_factory=set)
    withdrawn: set[bytes] = field(default_factory=set)

    def done(self, name: str, head: SharedHead, *, dry_run: bool) -> ListImport:
        """What was done."""
        return ListImport(
            bank=name,
            form=FORM,
            read=self.read,
            added=self.added,
            updated=self.updated,
            unchanged=self.unchanged,
            removed=self.removed,
            other=self.other,
            poor=0,
            bad=self.bad,
            first_bad=tuple(self.first_bad),
            dry_run=dry_run,
            checkpoint=f"{head.public_key} {head.sequence}",
        )


def is_shared(checkpoint: str | None) -> bool:
    """Whether what a bank has noted is of a signed file."""
    return (checkpoint or "").startswith(PREFIX)


def _bank(parts: Parts, name: str, head: SharedHead, *, write: bool) -> int:
    """The row id of the bank, made if it is not there; 0 where it is not and is not made.

    A file says all that stands on its bank, so a bank that holds something else is none for it. An older file would
    bring back what was withdrawn since.
    """
    with parts.catalog.write() if write else parts.catalog.read() as session:
        if write:
            rows.ensure_bank(session, name, Purpose.PARTNER, owner=head.sender)
        found = rows.read_bank_list(session, name)
        if not found:
            return 0
        noted = found[0].checkpoint
        if not is_shared(noted) and (noted is not None or found[0].entries):
            raise ConflictError(f"bank {name} holds other entries, which this file would remove: name another bank")
        key, _, sequence = (noted or "").partition(" ")
        if key == str(head.public_key) and sequence.isdecimal() and int(sequence) > head.sequence:
            raise ConflictError(
                f"bank {name} holds a later file of this sender than this one of {head.made_at:%Y-%m-%d}"
            )
        row = rows.bank_row(session, name)
        number = 0 if row is None else int(row.id)
        if write and not is_shared(noted):  # cut off from here on, it goes on with the same file
            rows.note_checkpoint(session, number, f"{head.public_key} 0")
        return number


def _take(
    session: Session, parts: Parts, state: _SharedImport, some: Sequence[SharedEntry | BadEntry], *, write: bool
) -> None:
    state.read += len(some)
    bad = [one for one in some if isinstance(one, BadEntry)]
    state.bad += len(bad)
    state.first_bad = [*state.first_bad, *bad][:_NAMED]
    sound = [(_key(one), one) for one in some if isinstance(one, SharedEntry)]
    known = entries.known_entries(session, state.bank, [key for key, _ in sound])
    state.standing.update(key for key in known if key not in state.listed and key not in state.withdrawn)
    for key, one in sound:
        if one.withdrawn:
            _withdraw(session, state, key, known.get(key), write=write)
        elif not _is_usable(parts, one):
            state.other += 1
        elif key in state.listed:
            state.unchanged += 1  # the same picture under another ref: the first word counts
        else:
            state.listed.add(key)
            _list(session, parts, state, (known.get(key), key, one), write=write)


def _is_usable(parts: Parts, one: SharedEntry) -> bool:
    """Whether something here can hit it: not a bare hash by a hasher that photos are not described by."""
    hashers = {parts.hasher_name} if one.pixels is not None else set()
    if PDQ in parts.header.hashers:
        hashers.add(PDQ)
    return not hashers.isdisjoint(one.fingerprints)


def _withdraw(session: Session, state: _SharedImport, key: bytes, row: Any, *, write: bool) -> None:  # noqa: ANN401 -- of known_entries
    """Remove an entry, unless the file lists its picture under another ref."""
    state.withdrawn.add(key)
    if key in state.listed or key not in state.standing:
        return
    state.removed += 1
    state.standing.discard(key)
    if write:
        entries.remove_entries(session, state.bank, [row.id])


def _list(
    session: Session,
    parts: Parts,
    state: _SharedImport,
    entry: tuple[Any, bytes, SharedEntry],
    *,
    write: bool,
) -> None:
    """Bring an entry to what the file says; another value under its ref is another entry."""
    row, key, one = entry
    said = _said(one)
    if key not in state.standing:
        state.added += 1
        state.standing.add(key)
        if write:
            entries.insert_entry(session, state.bank, {"key": key, **_row(session, parts, one)})
        return
    pdq, is_picture = _values(parts, one)
    is_same_value = row.pdq == pdq and (row.fingerprint_id is not None) == is_picture
    if is_same_value and {name: getattr(row, name) for name in said} == said:
        state.unchanged += 1
    else:
        state.updated += 1
    if not write:
        return
    if not is_same_value:
        entries.remove_entries(session, state.bank, [row.id])
        entries.insert_entry(session, state.bank, {"key": key, **_row(session, parts, one)})
        return
    if {name: getattr(row, name) for name in said} != said:
        entries.change_listed(session, state.bank, [{"id": row.id, **dict.fromkeys(_UNSAID), **said}])
    _keep_features(session, parts, one)


def _key(one: SharedEntry) -> bytes:
    return one.pixels if one.pixels is not None else entries.entry_key(one.ref)


def _said(one: SharedEntry) -> dict[str, Any]:
    """What a file says of an entry in words, as it is stored."""
    return {"ref": one.ref, "note": one.note, "category": one.category, "tags": list(one.tags) or None}


def _values(parts: Parts, one: SharedEntry) -> tuple[bytes | None, bool]:
    """The PDQ value, and whether it is a picture here, with a fingerprint of the hasher that is searched."""
    return one.fingerprints.get(PDQ), one.pixels is not None and parts.hasher_name in one.fingerprints


def _row(session: Session, parts: Parts, one: SharedEntry) -> dict[str, Any]:
    pdq, is_picture = _values(parts, one)
    row: dict[str, Any] = {"pdq": pdq, **_said(one)}
    if is_picture:
        hasher, bits = parts.hasher_name, one.fingerprints[parts.hasher_name]
        row |= {"pixels": one.pixels, "fingerprint_id": intern_fingerprints(session, hasher, [bits])[bits]}
        _keep_features(session, parts, one)
    return row


def _keep_features(session: Session, parts: Parts, one: SharedEntry) -> None:
    if one.pixels is not None and one.record is not None and parts.hasher_name in one.fingerprints:
        store_features(session, [FeatureRow(one.pixels, parts.codebook, one.record, None)])
