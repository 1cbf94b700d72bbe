"""Banks: named lists of known pictures and hashes, what stands on them, and what they say of a photo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from imgmatch.model.evidence import Evidence
from imgmatch.model.photos import Photo

PDQ = "pdq"
"""The hasher whose fingerprints the field exchanges."""

PDQ_DISTANCE = 31
"""Bits within which two PDQ values are held to be of one picture, inclusive: the field's rule."""

PDQ_QUALITY = 50
"""A picture of less quality, 0..100, has too little in it to be compared by PDQ: the field's rule."""

MOST_NOTE = 255
"""Characters of a note."""


class Purpose(StrEnum):
    """What a bank is for."""

    STOLEN = "stolen"
    """Pictures in the hands of gangs: a hit is a match."""

    COMMON = "common"
    """Pictures that anybody may carry: a hit ties nobody."""

    PARTNER = "partner"
    """What somebody else lists: a hit is shown and no more."""


class Opinion(StrEnum):
    """What a moderator here says of an entry."""

    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    """It never hits here again, whoever lists it."""


@dataclass(frozen=True, slots=True)
class Bank:
    """A named list.

    Attributes:
        name: unique; letters, digits, ``.``, ``_`` and ``-``.
        purpose: what it is for.
        owner: who answers for it, or whose list it is.
        enabled: whether it takes part in lookups, checks and rings.
        ratio: share of traffic, 0..1, that it takes part in; which photos those are hangs on the photo alone.
        note: what a person should know of it.
        created_at: when it was made, in UTC.
        entries: how many stand on it.
        pictures: how many of these are pictures, with features; the others are bare hashes.
        quarantined: how many hit nothing because they suddenly hit very many photos.
        checkpoint: what the last import has noted to go on from; ``None`` where nothing was imported.
    """

    name: str
    purpose: Purpose
    owner: str | None
    enabled: bool
    ratio: float
    note: str | None
    created_at: datetime
    entries: int = 0
    pictures: int = 0
    quarantined: int = 0
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class BankEntry:
    """One thing on a bank: a picture, or a bare PDQ value.

    Attributes:
        entry: its number, unique over all banks and never used again.
        bank: the bank's name.
        pdq: 64 lowercase hexadecimal digits; ``None`` for a picture whose PDQ value is not known.
        is_picture: its fingerprints and features are known, so that crops of it are found.
        ref: what its list calls it; ``None`` where that gives no id.
        added_at: when it came, in UTC.
        muted_until: it hits nothing until then; ``None`` where it is not muted.
        quarantined_at: since when it hits nothing because it suddenly hit very many photos.
        opinion: what a moderator here says of it.
        opinion_by: who.
        opinion_reason: why.
        note: what a person should know of it.
        category: what its list files it under.
        tags: what its list says of it.
        uri: where its picture was, as the list says.
        metadata: other things a program has filed with it.
        label: the short name of the photo a picture was taken from.
        modified: when its list changed it, in seconds since 1970, if that says.
    """

    entry: int
    bank: str
    pdq: str | None
    is_picture: bool
    ref: str | None
    added_at: datetime
    muted_until: datetime | None = None
    quarantined_at: datetime | None = None
    opinion: Opinion | None = None
    opinion_by: str | None = None
    opinion_reason: str | None = None
    note: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    uri: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    modified: int | None = None


@dataclass(frozen=True, slots=True)
class BankHit:
    """An entry that a photo hits.

    Attributes:
        bank: the bank's name.
        purpose: what that is for.
        entry: the entry's number.
        ref: what its list calls it.
        evidence: how the photo stands to it; of a bare hash only distance and orientation are known.
        query_frame: the frame of a moving query that hits it, from 1; ``None`` where that does not move.
        photo: the stored photo that hits it, where stored photos were asked about.
    """

    bank: str
    purpose: Purpose
    entry: int
    ref: str | None
    evidence: Evidence
    query_frame: int | None = None
    photo: Photo | None = None


@dataclass(frozen=True, slots=True)
class ListedHash:
    """One entry of a list in one of the field's formats.

    Attributes:
        pdq: 32 bytes.
        ref: the list's own id of it, if it has one.
        withdrawn: the list says that it no longer stands on it.
        modified: when the list changed it, in seconds since 1970, if it says.
        category: what the list files it under.
        tags: what it says of it.
        note: free text.
        uri: a file name or address the list gives.
        quality: PDQ's, 0..100, if the list says.
        opinions: what others say of it: of each who, and what.
    """

    pdq: bytes
    ref: str | None = None
    withdrawn: bool = False
    modified: int | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None
    uri: str | None = None
    quality: int | None = None
    opinions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class BadEntry:
    """What of a list cannot be used.

    Attributes:
        line: the line, or for formats without lines the number of the record, from 1.
        reason: why, in words; repeats at most the start of what stands there.
        other: it is well formed and of another kind of hash, which is counted and left.
        is_end: the list cannot be read beyond it: what may have followed is not known.
    """

    line: int
    reason: str
    other: bool = False
    is_end: bool = False


@dataclass(frozen=True, slots=True)
class ListImport:
    """What an import did.

    Attributes:
        bank: the bank's name.
        form: which format the list was in.
        read: how many entries were read.
        added: new on the bank.
        updated: there already, and changed.
        unchanged: there already.
        removed: withdrawn by the list, or, of a whole list, no longer on it.
        other: of another kind of hash, left.
        poor: of a quality too low to be compared, left.
        bad: how many could not be used.
        first_bad: the first of them, each with its line.
        dry_run: nothing was written.
        checkpoint: what the bank has noted to go on from.
    """

    bank: str
    form: str
    read: int
    added: int
    updated: int
    unchanged: int
    removed: int
    other: int
    poor: int
    bad: int
    first_bad: tuple[BadEntry, ...]
    dry_run: bool
    checkpoint: str | None


@dataclass(frozen=True, slots=True)
class BankIndexState:
    """What lookups search.

    Attributes:
        size: how many hashes.
        built_at: up to when changes are in it, in UTC.
    """

    size: int
    built_at: datetime
