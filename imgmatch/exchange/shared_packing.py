"""The head and the entries of a file of shared features as bytes, and back, from whoever sends them.

A head is JSON. An entry is a length (u16, little-endian), so many bytes of JSON, and then the bytes that the JSON
names: the digest of the picture, its fingerprints in the order of their hashers, its features. ``shared_bank`` puts
them into a file.
"""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from imgmatch.exchange.shared_values import (
    MOST_HASHERS,
    MOST_TAGS,
    PIXELS_BYTES,
    SharedEntry,
    SharedHead,
    check_entry,
    check_head,
)
from imgmatch.exchange.signing import PublicKey
from imgmatch.model import FINGERPRINT_BYTES, Purpose

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MOST_HEAD = 16_384
"""Bytes of a head."""

MOST_ENTRY = 131_072
"""Bytes of an entry; what is said of it takes at most half of them."""

_LENGTH = struct.Struct("<H")
_MOST_SAID = 65_535
_T = TypeVar("_T")


def pack_head(head: SharedHead, key: PublicKey) -> bytes:
    """The head as JSON, the same of the same head; its count stands at the file's end.

    Raises:
        ValueError: it says what no head may say.
    """
    check_head(head)
    fields = {
        "bank": head.bank,
        "codebook": head.codebook,
        "hashers": list(head.hashers),
        "key": str(key),
        "made_at": head.made_at.astimezone(UTC).isoformat(),
        "purpose": head.purpose.value,
        "sender": head.sender,
        "sequence": head.sequence,
    }
    return _json(fields)


def unpack_head(data: bytes) -> SharedHead:
    """The bytes of :func:`pack_head`, from a stranger.

    Raises:
        ValueError: they are none.
    """
    fields = _Fields(data)
    head = SharedHead(
        bank=fields.text("bank"),
        purpose=Purpose(fields.text("purpose")),
        sender=fields.text("sender"),
        sequence=fields.whole("sequence"),
        made_at=datetime.fromisoformat(fields.text("made_at")),
        codebook=fields.text("codebook"),
        hashers=fields.texts("hashers", MOST_HASHERS),
        public_key=PublicKey.parse(fields.text("key")),
    )
    fields.check_all_known()
    check_head(head)
    return replace(head, made_at=head.made_at.astimezone(UTC))


def pack_entry(entry: SharedEntry, hashers: Collection[str], lists: int) -> bytes:
    """An entry as bytes, the same of the same entry.

    Args:
        entry: what is given away.
        hashers: those that the head names.
        lists: how many the codebook has.

    Raises:
        ValueError: it cannot be read again, and why.
    """
    check_entry(entry, hashers, lists)
    names = sorted(entry.fingerprints)
    said: dict[str, object] = {"ref": entry.ref, "hashers": names, "pixels": entry.pixels is not None}
    said |= {"withdrawn": True} if entry.withdrawn else {}
    said |= {} if entry.record is None else {"record": len(entry.record)}
    said |= {name: text for name in ("note", "category") if (text := getattr(entry, name)) is not None}
    said |= {"tags": list(entry.tags)} if entry.tags else {}
    written = _json(said)
    parts = [entry.pixels or b"", *(entry.fingerprints[name] for name in names), entry.record or b""]
    if len(written) > _MOST_SAID:
        raise ValueError(f"what is said of it takes {len(written):,} bytes; at most {_MOST_SAID:,} are read")
    return _LENGTH.pack(len(written)) + written + b"".join(parts)


def unpack_entry(data: bytes, hashers: Collection[str], lists: int) -> SharedEntry:
    """The bytes of :func:`pack_entry`, from a stranger; see there.

    Raises:
        ValueError: they are none, or hold what no honest entry does.
    """
    if len(data) < _LENGTH.size:
        raise ValueError("it is cut short")
    (length,) = _LENGTH.unpack_from(data)
    fields, body = _Fields(data[_LENGTH.size : _LENGTH.size + length]), data[_LENGTH.size + length :]
    names = fields.texts("hashers", MOST_HASHERS)
    sizes = [PIXELS_BYTES if fields.truth("pixels") else 0, *(FINGERPRINT_BYTES for _ in names)]
    start = sum(sizes)
    record = fields.whole("record") if "record" in fields else None
    if len(body) != start + (record or 0):
        raise ValueError(f"{len(body):,} bytes stand behind what is said of it, not {start + (record or 0):,}")
    ends = [sum(sizes[: place + 1]) for place in range(len(sizes))]
    parts = [body[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    entry = SharedEntry(
        ref=fields.text("ref"),
        pixels=parts[0] or None,
        fingerprints=dict(zip(names, parts[1:], strict=True)),
        record=None if record is None else body[start:],
        withdrawn="withdrawn" in fields and fields.truth("withdrawn"),
        note=fields.text("note") if "note" in fields else None,
        category=fields.text("category") if "category" in fields else None,
        tags=fields.texts("tags", MOST_TAGS) if "tags" in fields else (),
    )
    fields.check_all_known()
    if len(entry.fingerprints) != len(names):
        raise ValueError("it names a hasher twice")
    check_entry(entry, hashers, lists)
    return entry


def _json(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


class _Fields:
    """An object of JSON whose fields are asked for by name and kind."""

    def __init__(self, data: bytes) -> None:
        try:
            fields = json.loads(data.decode("utf-8"))
        except (ValueError, RecursionError):
            raise ValueError("what is said of it is no JSON") from None
        if not isinstance(fields, dict):
            raise ValueError("what is said of it is no object")  # noqa: TRY004 -- of what is read
        self._fields, self._asked = fields, set[str]()

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def text(self, name: str) -> str:
        return self._one(name, str)

    def whole(self, name: str) -> int:
        number = self._one(name, int)
        if isinstance(number, bool) or number < 0:
            raise ValueError(f"its {name!r} is no whole number")
        return number

    def truth(self, name: str) -> bool:
        return self._one(name, bool)

    def texts(self, name: str, most: int) -> tuple[str, ...]:
        values = self._one(name, list)
        if len(values) > most or not all(isinstance(value, str) for value in values):
            raise ValueError(f"its {name!r} are no texts, or more than {most}")
        return tuple(values)

    def check_all_known(self) -> None:
        """Raise ValueError where a field was not asked for: what we do not understand may change what we do."""
        if self._fields.keys() - self._asked:
            raise ValueError("it says more than this version of imgmatch knows")

    def _one(self, name: str, kind: type[_T]) -> _T:
        self._asked.add(name)
        value = self._fields.get(name)
        if not isinstance(value, kind):
            raise ValueError(f"its {name!r} is missing, or of another kind")  # noqa: TRY004 -- of what is read
        return value
