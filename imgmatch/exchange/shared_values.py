"""What a file of shared features says of a bank and of each picture on it, and what it may say."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from imgmatch.exchange.signing import PublicKey
from imgmatch.features.record import unpack
from imgmatch.model import FINGERPRINT_BYTES, MOST_NOTE, Purpose

PIXELS_BYTES = 16

MOST_RECORD = 8_192
"""Bytes of the features of one picture, as in the catalog: several times what a hundred points take."""

MOST_TEXT = 255
"""Characters of a name, a ref, a category or a tag."""

MOST_TAGS, MOST_HASHERS = 64, 16

_NAME, _HASHER = re.compile(r"[\w.-]{1,255}"), re.compile(r"[a-z0-9_-]{1,32}")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NOTES_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LARGEST_SEQUENCE = (1 << 63) - 1
_YEARS = range(2000, 9000)
_WHOLE_SIDE, _ROUNDING = 1.0, 1e-6  # positions are kept in steps of 1.5e-5


@dataclass(frozen=True, slots=True)
class SharedHead:
    """What a file says of itself.

    Attributes:
        bank: the bank's name at the sender's.
        purpose: what it is for there.
        sender: who sends it, in words; proved is only the key.
        sequence: rises with every file of this bank that the sender makes: one that does not rise is an old one.
        made_at: when it was made, in UTC.
        codebook: what the codes of the features mean something by.
        hashers: by which its fingerprints were made.
        count: how many entries there are; known once it was read.
        public_key: by which it was signed; known likewise.
    """

    bank: str
    purpose: Purpose
    sender: str
    sequence: int
    made_at: datetime
    codebook: str
    hashers: tuple[str, ...]
    count: int = 0
    public_key: PublicKey | None = None


@dataclass(frozen=True, slots=True)
class SharedEntry:
    """A picture on a bank, or a bare hash.

    Attributes:
        ref: the sender's own id of it, which tells nobody else anything.
        pixels: digest of the picture, 16 bytes; ``None`` of a bare hash.
        fingerprints: hasher to 32 bytes.
        record: its features as ``imgmatch.features.record`` packs them; ``None`` where they are not given.
        withdrawn: it is no longer on the bank; of such a one nothing but ``ref`` and ``pixels`` is given.
        note: what a person should know of it.
        category: what the bank files it under.
        tags: what is said of it.
    """

    ref: str
    pixels: bytes | None
    fingerprints: Mapping[str, bytes] = field(default_factory=dict)
    record: bytes | None = None
    withdrawn: bool = False
    note: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()


def check_record(record: bytes, lists: int) -> None:
    """See that this is a picture's features as our own programs make them.

    Positions, scales and angles are whole numbers in the record, so that none can be infinite or no number; but what
    lies outside the picture, or is larger than it, no program has seen there.

    Args:
        record: its bytes.
        lists: how many the codebook has.

    Raises:
        ValueError: it is not.
    """
    if len(record) > MOST_RECORD:
        raise ValueError(f"its features have {len(record):,} bytes; at most {MOST_RECORD:,} are read")
    stored = unpack(record, lists)
    if max(stored.width, stored.height) != _WHOLE_SIDE:
        raise ValueError("its features are of a picture without sides")
    x, y, scale, _ = stored.points.T
    if (x > stored.width + _ROUNDING).any() or (y > stored.height + _ROUNDING).any() or (scale > _WHOLE_SIDE).any():
        raise ValueError("its features lie outside the picture")


def check_head(head: SharedHead) -> None:
    """See that a head says what one may say.

    Raises:
        ValueError: it does not, and why.
    """
    if not _NAME.fullmatch(head.bank):
        raise ValueError("the bank's name is none: letters, digits, '.', '_' and '-'")
    _check_text("the sender's name", head.sender)
    _check_text("the codebook's name", head.codebook)
    if not 0 < head.sequence <= _LARGEST_SEQUENCE:
        raise ValueError("the sequence number is not a whole number from 1")
    if head.made_at.tzinfo is None or head.made_at.year not in _YEARS:
        raise ValueError("the time it was made at has no zone, or is none of these times")
    if len(set(head.hashers)) != len(head.hashers) or not 0 < len(head.hashers) <= MOST_HASHERS:
        raise ValueError(f"it names no hasher, one twice, or more than {MOST_HASHERS}")
    if not all(_HASHER.fullmatch(name) for name in head.hashers):
        raise ValueError("a hasher's name is none")


def check_entry(entry: SharedEntry, hashers: Collection[str], lists: int) -> None:
    """See that an entry says what one may say.

    Args:
        entry: the entry.
        hashers: those that the head names.
        lists: how many the codebook has.

    Raises:
        ValueError: it does not, and why.
    """
    _check_text("its ref", entry.ref)
    if entry.pixels is not None and len(entry.pixels) != PIXELS_BYTES:
        raise ValueError(f"the digest of its picture has {len(entry.pixels)} bytes, not {PIXELS_BYTES}")
    for name, bits in entry.fingerprints.items():
        if name not in hashers:
            raise ValueError("it has a fingerprint of a hasher that the head does not name")
        if len(bits) != FINGERPRINT_BYTES:
            raise ValueError(f"its {name} has {len(bits)} bytes, not {FINGERPRINT_BYTES}")
    _check_words(entry)
    if entry.withdrawn:
        if entry.fingerprints or entry.record is not None or entry.note or entry.category or entry.tags:
            raise ValueError("it is withdrawn, and more than its ref and the digest of its picture is given")
        return
    if not entry.fingerprints:
        raise ValueError("it has no fingerprint")
    if entry.record is not None:
        if entry.pixels is None:
            raise ValueError("it has features, and no digest of the picture they are of")
        check_record(entry.record, lists)


def _check_words(entry: SharedEntry) -> None:
    if entry.note is not None and (len(entry.note) > MOST_NOTE or _NOTES_CONTROLS.search(entry.note)):
        raise ValueError(f"its note has more than {MOST_NOTE} characters, or some that are none")
    if len(entry.tags) > MOST_TAGS:
        raise ValueError(f"it has more than {MOST_TAGS} tags")
    for text in entry.tags if entry.category is None else (entry.category, *entry.tags):
        _check_text("its category or a tag", text)


def _check_text(what: str, text: str) -> None:
    if not 0 < len(text) <= MOST_TEXT or _CONTROLS.search(text):
        raise ValueError(f"{what} is empty, has more than {MOST_TEXT} characters, or some that are none")
