"""Banks, one by one and entry by entry: made, changed, looked up in."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from imgmatch import registry
from imgmatch.catalog import bank_entries as entries
from imgmatch.catalog import banks as rows
from imgmatch.catalog.audit import append_audit
from imgmatch.catalog.features import FeatureRow, store_features
from imgmatch.catalog.fingerprints import intern_fingerprints
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.catalog.stale import note_stale
from imgmatch.catalog.times import now, to_microseconds
from imgmatch.clustering.keeping import refresh
from imgmatch.clustering.nodes import in_orientations
from imgmatch.describing.messages import Description, job_of
from imgmatch.errors import ConflictError, NotFoundError, PhotoError
from imgmatch.hashers.hexform import from_hex
from imgmatch.matching.bank_hits import bare_evidence, order, silenced
from imgmatch.matching.bank_hits import nearest as nearest_values
from imgmatch.matching.stored_hits import stored_hits
from imgmatch.model import (
    MOST_NOTE,
    PDQ,
    PDQ_DISTANCE,
    Bank,
    BankEntry,
    BankHit,
    BankIndexState,
    Failure,
    NamedPhoto,
    Opinion,
    Purpose,
    SkipReason,
    account_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path
    from typing import TextIO

    from imgmatch.catalog.session import Session
    from imgmatch.describing.messages import DescribedPicture
    from imgmatch.engines.parts import Parts
    from imgmatch.exchange.lists import ListOptions
    from imgmatch.exchange.signing import PublicKey, SigningKey
    from imgmatch.model import ListImport

MOST_NAME = 100
MOST_TEXT = 1_000
"""Characters of an id, an address, a tag."""

MOST_METADATA = 64
"""Fields that a program files with an entry."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_LAST = (1 << 63) - 1
"""No entry has a higher number."""

_OF_HITS = frozenset({"name", "purpose", "ratio", "enabled"})
"""What of a bank has a say in groups."""

_OF_BANK = frozenset({"purpose", "owner", "ratio", "enabled", "note"})


class Banks:
    """The banks of one index; ``Index.bank_lists`` has it."""

    def __init__(self, parts: Parts) -> None:
        """Those of the index that is made of these parts."""
        self._parts = parts

    # -- lists --------------------------------------------------------------------------------------------------

    def all(self) -> list[Bank]:
        """Every bank, by name."""
        with self._parts.catalog.read() as session:
            return rows.read_bank_list(session)

    def get(self, name: str) -> Bank:
        """One bank.

        Raises:
            NotFoundError: there is none of that name.
        """
        with self._parts.catalog.read() as session:
            return self._bank(session, name)

    def create(
        self,
        name: str,
        *,
        purpose: Purpose = Purpose.PARTNER,
        owner: str | None = None,
        ratio: float = 1.0,
        enabled: bool = True,
        note: str | None = None,
        by: str = "",
    ) -> Bank:
        """Make a bank.

        Args:
            name: letters, digits, ``.``, ``_`` and ``-``; not one that decisions fill.
            purpose: what it is for.
            owner: who answers for it.
            ratio: share of photos it takes part in the search for, 0..1.
            enabled: whether it takes part at all.
            note: what a person should know of it.
            by: who makes it.

        Raises:
            ConflictError: there is such a bank already, or it is one that decisions fill, and make.
            ValueError: the name, the ratio or the note cannot be one.
        """
        refuse_bad_name(name)
        values = _checked(owner=owner, ratio=ratio, enabled=int(enabled), note=note)
        with self._parts.catalog.write() as session:
            if rows.bank_row(session, name) is not None:
                raise ConflictError(f"there is a bank {name!r} already")
            rows.ensure_bank(session, name, purpose, **values)
            append_audit(session, by, "create bank", name)
            return self._bank(session, name)

    def update(self, name: str, *, by: str = "", new_name: str | None = None, **changes: Any) -> Bank:  # noqa: ANN401
        """Change a bank; groups that it has a say in are made anew.

        Args:
            name: of the bank.
            by: who changes it.
            new_name: what it is called from now on.
            changes: ``purpose``, ``owner``, ``ratio``, ``enabled`` and ``note``, as of :meth:`create`.

        Raises:
            NotFoundError: there is no such bank.
            ConflictError: there is one of the new name already, or it is one that decisions fill, which keeps its name
                and its purpose.
            ValueError: a value cannot be one.
        """
        values = _checked(**changes)
        with self._parts.catalog.write() as session:
            number = self._number(session, name)
            if name in rows.OWN_BANKS and (new_name is not None or "purpose" in values):
                raise ConflictError(f"{name} is filled by decisions: its name and its purpose stay")
            if new_name is not None and new_name != name:
                refuse_bad_name(new_name)
                if rows.bank_row(session, new_name) is not None:
                    raise ConflictError(f"there is a bank {new_name!r} already")
                values["name"] = new_name
            rows.change_bank(session, number, **values)
            if not _OF_HITS.isdisjoint(values):
                self._touch(session, number)
            append_audit(session, by, "change bank", name)
            return self._bank(session, values.get("name", name))

    def delete(self, name: str, *, by: str = "") -> int:
        """Remove a bank and all that stands on it; returns how many entries that were.

        Raises:
            NotFoundError: there is no such bank.
            ConflictError: it is one that decisions fill.
        """
        with self._parts.catalog.write() as session:
            number = self._number(session, name)
            if name in rows.OWN_BANKS:
                raise ConflictError(f"{name} is filled by decisions: undo these instead")
            bank = self._bank(session, name)
            touched = entries.fingerprints_hit(session, entries.entries_with_hits(session, number))
            rows.drop_bank(session, number)
            remove_orphans(session)
            refresh(session, self._parts.hasher, touched)
            append_audit(session, by, "delete bank", name)
            return bank.entries

    # -- entries ------------------------------------------------------------------------------------------------

    def entry(self, name: str, entry: int) -> BankEntry:
        """One entry of a bank.

        Raises:
            NotFoundError: there is no such bank or entry.
        """
        with self._parts.catalog.read() as session:
            return self._entry(session, self._number(session, name), name, entry)

    def entries(self, name: str, *, after: int = 0, limit: int | None = 100) -> list[BankEntry]:
        """Entries of a bank with numbers above ``after``, in order, so many at the most.

        Raises:
            NotFoundError: there is no such bank.
        """
        with self._parts.catalog.read() as session:
            most = None if limit is None else min(limit, _LAST)
            return entries.read_entries(session, self._number(session, name), after=min(after, _LAST), limit=most)

    def add_hash(  # noqa: PLR0913 -- each is a property of its own
        self,
        name: str,
        pdq: str,
        *,
        ref: str | None = None,
        note: str | None = None,
        uri: str | None = None,
        tags: Iterable[str] = (),
        metadata: Mapping[str, str] | None = None,
        by: str = "",
    ) -> BankEntry:
        """Put a bare PDQ value on a bank; one that stands there under the same ``ref``, or value, is that entry.

        An index whose photos have no PDQ values takes none: it could be hit by nothing. Pictures it takes, and finds
        them by its own fingerprints and features.

        Args:
            name: of the bank.
            pdq: 64 hexadecimal digits.
            ref: what its list calls it.
            note: what a person should know of it.
            uri: where its picture was.
            tags: what its list says of it.
            metadata: what else a program files with it.
            by: who adds it.

        Raises:
            NotFoundError: there is no such bank.
            ConflictError: another value stands there under this ``ref``; or the bank is one that decisions fill; or
                photos have no PDQ values here.
            ValueError: this is no PDQ value, or a text is too long.
        """
        refuse_without_pdq(self._parts)
        bits = from_hex(pdq.lower()).tobytes()
        key = entries.entry_key(bits if ref is None else ref)
        values = _entry_values(ref=ref, note=note, uri=uri, tags=tuple(tags), metadata=metadata)
        with self._parts.catalog.write() as session:
            number = self._writable(session, name)
            known = entries.known_entries(session, number, [key]).get(key)
            if known is not None:
                if known.pdq != bits:
                    raise ConflictError(f"{ref!r} stands on bank {name} with another value")
                return self._entry(session, number, name, known.id)
            entry = entries.insert_entry(session, number, {"key": key, "pdq": bits, **values})
            append_audit(session, by, "add to bank", f"entry {entry}")
            return self._entry(session, number, name, entry)

    def add_photos(
        self,
        name: str,
        photos: Iterable[NamedPhoto],
        *,
        by: str = "",
        **values: Any,  # noqa: ANN401 -- as of add_hash
    ) -> Iterator[BankEntry | Failure]:
        """Put pictures on a bank, with fingerprints and features, so that crops of them are found; photos are not kept.

        Args:
            name: of the bank.
            photos: files, or the bytes of some, under the names their entries carry.
            by: who adds them.
            values: ``ref``, ``note``, ``uri``, ``tags`` and ``metadata``, as of :meth:`add_hash`.

        Yields:
            the entry of each photo, of one that moves that of its first picture, in order, or why it cannot be used;
            what is there already is that entry.

        Raises:
            NotFoundError: there is no such bank.
            ConflictError: the bank is one that decisions fill.
            ValueError: a text is too long.
        """
        wanted = _entry_values(**values)
        with self._parts.catalog.read() as session:
            self._writable(session, name)
        for photo, reply in self._parts.runner.describe(photos, job_of):
            if not isinstance(reply, Description):
                yield reply if isinstance(reply, Failure) else Failure(SkipReason.UNREADABLE, "")
                continue
            with self._parts.catalog.write() as session:
                number = self._writable(session, name)
                found = [
                    self._store(session, number, one, {"label": PurePath(photo.name).name, **wanted})
                    for one in reply.pictures
                    if one.panel is None  # what else is on a screenshot nobody has named
                ]
                append_audit(session, by, "add to bank", f"entry {found[0]}")
                entry = self._entry(session, number, name, found[0])
            yield entry  # outside: who hears of it may take his time

    def add_photo(self, name: str, photo: NamedPhoto, *, by: str = "", **values: Any) -> BankEntry:  # noqa: ANN401
        """Put one picture on a bank; as :meth:`add_photos`.

        Raises:
            PhotoError: it cannot be used.
        """
        [done] = self.add_photos(name, [photo], by=by, **values)
        if isinstance(done, Failure):
            raise PhotoError(done.reason, done.detail)
        return done

    def _store(self, session: Session, bank: int, picture: DescribedPicture, values: Mapping[str, object]) -> int:
        known = entries.known_entries(session, bank, [picture.pixels]).get(picture.pixels)
        if known is not None:
            return int(known.id)
        hasher, bits = self._parts.hasher_name, picture.fingerprints[self._parts.hasher_name]
        fingerprint = intern_fingerprints(session, hasher, [bits])[bits]
        if picture.stored is not None:
            record, thumbnail = picture.stored.record, picture.stored.thumbnail or None
            store_features(session, [FeatureRow(picture.pixels, self._parts.codebook, record, thumbnail)])
        row = {"key": picture.pixels, "pixels": picture.pixels, "fingerprint_id": fingerprint, **values}
        return entries.insert_entry(session, bank, {**row, "pdq": picture.fingerprints.get(PDQ)})

    def mute(self, name: str, entry: int, until: datetime | None, *, by: str = "") -> BankEntry:
        """Have an entry hit nothing until a time, which has a time zone; ``None`` lets it hit again.

        Raises:
            NotFoundError: there is no such bank or entry.
        """
        values = {"muted_until": None if until is None else to_microseconds(until)}
        return self._changed(name, entry, "mute entry", by, lambda _: values)

    def annotate(self, name: str, entry: int, note: str | None, *, by: str = "") -> BankEntry:
        """Change the note of an entry.

        Raises:
            NotFoundError: there is no such bank or entry.
            ValueError: it is too long.
        """
        values = _entry_values(note=note)
        return self._changed(name, entry, "annotate entry", by, lambda _: values)

    def remove(self, name: str, entry: int, *, by: str = "") -> None:
        """Take an entry off a bank.

        Raises:
            NotFoundError: there is no such bank or entry.
            ConflictError: the bank is one that decisions fill.
        """
        with self._parts.catalog.write() as session:
            number = self._writable(session, name)
            self._entry(session, number, name, entry)
            touched = entries.fingerprints_hit(session, [entry])
            entries.remove_entries(session, number, [entry])
            remove_orphans(session)
            refresh(session, self._parts.hasher, touched)
            append_audit(session, by, "remove from bank", f"entry {entry}")

    def say(self, name: str, entry: int, opinion: Opinion | None, *, by: str, reason: str | None = None) -> BankEntry:
        """Say of an entry that it is right, or that it is not and never hits here again, whoever lists its value.

        What is confirmed leaves quarantine and is not put there again.

        Args:
            name: of the bank.
            entry: its number.
            opinion: what is said; ``None`` takes back what was.
            by: who says so.
            reason: why.

        Raises:
            NotFoundError: there is no such bank or entry.
            ValueError: the reason is too long.
        """
        _refuse_long(reason, 2 * MOST_TEXT, "a reason")
        opinion = None if opinion is None else Opinion(opinion)
        with self._parts.catalog.write() as session:
            number = self._number(session, name)
            self._entry(session, number, name, entry)
            known = entries.key_of(session, entry)
            entries.give_opinion(session, known, opinion, by, reason)
            for other, bank in entries.entries_of_value(session, known).items():
                released = {"quarantined_at": None} if opinion is Opinion.CONFIRMED else {}
                entries.change_entry(session, bank, other, **released)
            touched = entries.fingerprints_hit(session, entries.entries_of_value(session, known))
            refresh(session, self._parts.hasher, touched)
            append_audit(session, by, f"entry {opinion or 'open'}", f"entry {entry}")
            return self._entry(session, number, name, entry)

    def quarantine(self, entry: int, *, by: str, why: str) -> None:
        """Have an entry hit nothing until somebody has confirmed it.

        Args:
            entry: its number.
            by: who, or what, says so.
            why: as the log tells it.
        """
        with self._parts.catalog.write() as session:
            bank = entries.bank_of(session, entry)
            if bank is not None:
                entries.change_entry(session, bank, entry, quarantined_at=now())
                append_audit(session, by, "quarantine", f"entry {entry}, {why}")

    # -- looking up ---------------------------------------------------------------------------------------------

    def lookup(
        self, pdq: str, *, banks: Collection[str] | None = None, max_distance: int = PDQ_DISTANCE, turned: bool = False
    ) -> tuple[BankHit, ...]:
        """Entries that count and whose PDQ value is near to one, the nearest first.

        Args:
            pdq: 64 hexadecimal digits.
            banks: only those of these banks.
            max_distance: in bits, inclusive.
            turned: also as the picture looks in the other seven orientations, which are estimated from the value.

        Raises:
            ValueError: it is no PDQ value.
        """
        bits = from_hex(pdq.lower())
        queries = (
            np.ascontiguousarray(in_orientations(registry.hasher(PDQ), bits[None])[:, 0]) if turned else bits[None]
        )
        near = nearest_values(self._parts.banks.search(queries, max_distance, self._parts.search.extent()))
        with self._parts.catalog.read() as session:
            found = entries.hit_entries(session, near)
        hits = [
            BankHit(
                one.bank, one.purpose, one.id, one.ref, bare_evidence(near[one.id].distance, near[one.id].orientation)
            )
            for one in found.values()
            if one.takes_part(bits.tobytes())
        ]
        # A common bank silences whether or not it is asked for: one bank's answer does not hang on the others named.
        return tuple(hit for hit in silenced(sorted(hits, key=order)) if banks is None or hit.bank in banks)

    def hits(self, *, account: str | None = None) -> tuple[BankHit, ...]:
        """Stored photos that hit an entry, as the last run has found them, the earliest photo first, at most 10,000.

        Args:
            account: only photos of this account.
        """
        with self._parts.catalog.read() as session:
            accounts = None if account is None else [account_id(account)]
            return stored_hits(session, self._parts.hasher_name, accounts=accounts)

    # -- lists and files ----------------------------------------------------------------------------------------

    def import_list(self, name: str, path: Path, options: ListOptions, **choices: Any) -> ListImport:  # noqa: ANN401
        """Bring a bank to what a list says; see :func:`imgmatch.actions.bank_lists.import_list`."""
        from imgmatch.actions.bank_lists import import_list

        return import_list(self._parts, name, path, options, **choices)

    def export_list(self, name: str, stream: TextIO, form: str, **choices: Any) -> int:  # noqa: ANN401
        """Write a bank as a list; see :func:`imgmatch.actions.bank_lists.export_list`."""
        from imgmatch.actions.bank_lists import export_list

        return export_list(self._parts, name, stream, form, **choices)

    def share(self, name: str, path: Path, key: SigningKey, *, sender: str, by: str = "") -> int:
        """Write a signed file of fingerprints and features; see :func:`imgmatch.actions.bank_sharing.share_bank`."""
        from imgmatch.actions.bank_sharing import share_bank

        return share_bank(self._parts, name, path, key, sender=sender, by=by)

    def import_shared(
        self, name: str, path: Path, trusted: Collection[PublicKey], *, dry_run: bool = False, by: str = ""
    ) -> ListImport:
        """Bring a bank to what such a file says; see :func:`imgmatch.actions.bank_sharing.import_shared`."""
        from imgmatch.actions.bank_sharing import import_shared

        return import_shared(self._parts, name, path, trusted, dry_run=dry_run, by=by)

    def state(self) -> BankIndexState:
        """What lookups search: how many hashes, and up to when."""
        engine, at = self._parts.banks.current()
        return BankIndexState(len(engine), at)

    # -- inside -------------------------------------------------------------------------------------------------

    def _bank(self, session: Session, name: str) -> Bank:
        found = rows.read_bank_list(session, name)
        if not found:
            raise NotFoundError(f"there is no bank {name!r}")
        return found[0]

    def _number(self, session: Session, name: str) -> int:
        row = rows.bank_row(session, name)
        if row is None:
            raise NotFoundError(f"there is no bank {name!r}")
        return int(row.id)

    def _writable(self, session: Session, name: str) -> int:
        if name in rows.OWN_BANKS:
            raise ConflictError(f"{name} is filled by decisions alone")
        return self._number(session, name)

    def _entry(self, session: Session, bank: int, name: str, entry: int) -> BankEntry:
        found = entries.read_entries(session, bank, ids=[entry]) if 0 < entry <= _LAST else []
        if not found:
            raise NotFoundError(f"bank {name!r} has no entry {entry}")
        return found[0]

    def _changed(
        self, name: str, entry: int, action: str, by: str, change: Callable[[BankEntry], Mapping[str, object]]
    ) -> BankEntry:
        with self._parts.catalog.write() as session:
            number = self._number(session, name)
            known = self._entry(session, number, name, entry)
            entries.change_entry(session, number, entry, **change(known))
            refresh(session, self._parts.hasher, entries.fingerprints_hit(session, [entry]))
            append_audit(session, by, action, f"entry {entry}")
            return self._entry(session, number, name, entry)

    def _touch(self, session: Session, bank: int) -> None:
        touched = entries.fingerprints_hit(session, entries.entries_with_hits(session, bank))
        note_stale(session, touched)
        refresh(session, self._parts.hasher, touched)


def refuse_bad_name(name: str) -> None:
    """See that a bank that is made may be called so.

    Raises:
        ConflictError: it is one that decisions make, and fill.
        ValueError: it is no name.
    """
    if name in rows.OWN_BANKS:
        raise ConflictError(f"{name} is filled by decisions alone")
    if len(name) > MOST_NAME or not _NAME.fullmatch(name):
        raise ValueError("a bank's name is letters, digits, '.', '_' and '-', up to 100, and begins with no '.' or '-'")


def refuse_without_pdq(parts: Parts) -> None:
    """See that bare hashes can be hit.

    Raises:
        ConflictError: photos of this index have no PDQ values.
    """
    if PDQ not in parts.header.hashers:
        known = ", ".join(parts.header.hashers)
        raise ConflictError(f"photos have no {PDQ} values in this index, whose hashers are {known}: none could hit it")


def _refuse_long(text: str | None, most: int, what: str) -> None:
    if text is not None and len(text) > most:
        raise ValueError(f"{what} has at most {most} characters, not {len(text)}")


def _checked(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- whatever is to be stored
    """Values of a bank as they are stored; raises ValueError for one that cannot be."""
    if unknown := changes.keys() - _OF_BANK:
        raise TypeError(f"a bank has no {', '.join(sorted(unknown))} that could be changed")
    values = {name: value for name, value in changes.items() if name != "enabled"}
    if "enabled" in changes:
        values["enabled"] = int(changes["enabled"])
    if "purpose" in values:
        values["purpose"] = str(Purpose(values["purpose"]))
    if "ratio" in values and not 0 <= values["ratio"] <= 1:
        raise ValueError("a share of traffic is a number from 0 to 1")
    _refuse_long(values.get("note"), MOST_NOTE, "a note")
    _refuse_long(values.get("owner"), MOST_NOTE, "an owner")
    return values


def _entry_values(
    *,
    ref: str | None = None,
    note: str | None = None,
    uri: str | None = None,
    tags: Iterable[str] = (),
    metadata: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """What a program files with an entry, as it is stored."""
    _refuse_long(note, MOST_NOTE, "a note")
    kept = {} if metadata is None else dict(metadata)
    for text in (ref, uri, *tags, *kept, *kept.values()):
        _refuse_long(text, MOST_TEXT, "a text filed with an entry")
    if len(kept) > MOST_METADATA:
        raise ValueError(f"an entry has at most {MOST_METADATA} fields of metadata")
    return {"ref": ref, "note": note, "uri": uri, "tags": list(tags) or None, "metadata": kept or None}
