"""A file of shared features gives what was signed, or one clear error and nothing else."""

from __future__ import annotations

import json
import os
import re
import struct
import tracemalloc
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sharing import HEAD, KEY, entry, records, saved, sealed, written

from imgmatch import registry
from imgmatch.errors import ConflictError, SourceError
from imgmatch.exchange.shared_bank import MAGIC, read_shared, write_shared
from imgmatch.exchange.shared_packing import MOST_ENTRY, pack_entry, pack_head
from imgmatch.exchange.shared_values import SharedEntry, SharedHead
from imgmatch.exchange.signing import SigningKey
from imgmatch.model import BadEntry, Purpose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LISTS = registry.codebook(HEAD.codebook).lists
TRUSTED = [KEY.public_key]
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=255)
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@st.composite
def entries(draw: st.DrawFn) -> SharedEntry:
    if draw(st.booleans()) and draw(st.booleans()):
        return SharedEntry(draw(TEXT), draw(st.none() | st.binary(min_size=16, max_size=16)), withdrawn=True)
    bits = st.binary(min_size=32, max_size=32)
    pixels = draw(st.none() | st.binary(min_size=16, max_size=16))
    return SharedEntry(
        ref=draw(TEXT),
        pixels=pixels,
        fingerprints=draw(st.dictionaries(st.sampled_from(HEAD.hashers), bits, min_size=1)),
        record=None if pixels is None else draw(st.none() | st.sampled_from(records())),
        note=draw(st.none() | st.just("") | st.just("two\nlines\t of it") | TEXT),
        category=draw(st.none() | TEXT),
        tags=tuple(draw(st.lists(TEXT, max_size=4))),
    )


def read(path: Path, **options: str) -> tuple[SharedHead, list[SharedEntry | BadEntry]]:
    with read_shared(path, trusted=TRUSTED, **options) as (head, found):
        return head, list(found)


def said(**changed: object) -> bytes:
    """The head, with some of what it says changed; what is ``None`` is left out."""
    fields = json.loads(pack_head(HEAD, KEY.public_key)) | changed
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def body(fields: object, behind: bytes = b"") -> bytes:
    text = json.dumps(fields).encode()
    return struct.pack("<H", len(text)) + text + behind


@pytest.mark.slow
@SHARED
@given(st.lists(entries(), max_size=6, unique_by=lambda one: one.ref))
def test_what_is_written_is_what_is_read(tmp_path: Path, given_away: list[SharedEntry]) -> None:
    ordered = sorted(given_away, key=lambda one: one.ref)
    head, found = read(saved(tmp_path, written(ordered)))
    assert found == ordered
    assert head == replace(HEAD, count=len(ordered), public_key=KEY.public_key)


@SHARED
@given(
    TEXT,
    st.sampled_from(Purpose),
    st.integers(1, (1 << 63) - 1),
    st.datetimes(
        datetime(2001, 1, 1),  # noqa: DTZ001 -- hypothesis adds the zone
        datetime(2100, 1, 1),  # noqa: DTZ001 -- likewise
        timezones=st.sampled_from([timezone(timedelta(hours=hours)) for hours in (-12, 0, 14)]),
    ),
)
def test_a_head_is_read_as_it_was_written(
    tmp_path: Path, sender: str, purpose: Purpose, sequence: int, made_at: datetime
) -> None:
    head = replace(HEAD, sender=sender, purpose=purpose, sequence=sequence, made_at=made_at)
    found, _ = read(saved(tmp_path, written([], head)))
    assert found == replace(head, public_key=KEY.public_key)
    assert found.made_at.utcoffset() == timedelta(0)


def test_the_same_entries_are_the_same_bytes_but_for_when_they_were_written() -> None:
    pictures = [entry(number) for number in range(5)]
    turned = [replace(one, fingerprints=dict(reversed(list(one.fingerprints.items())))) for one in pictures]
    assert written(pictures) == written(iter(turned))
    later = written(pictures, replace(HEAD, made_at=HEAD.made_at + timedelta(hours=1)))
    assert len(later) == len(written(pictures))
    assert later != written(pictures)


@pytest.mark.parametrize("trusted", [[], [SigningKey.generate().public_key]])
def test_a_file_of_somebody_who_is_not_trusted_gives_nothing(tmp_path: Path, trusted: list[object]) -> None:
    path = saved(tmp_path, written([entry(1)]))
    with (
        pytest.raises(SourceError, match=re.escape(f"{KEY.public_key} has signed it, and that key is not trusted")),
        read_shared(path, trusted=trusted),  # type: ignore[arg-type]
    ):
        pytest.fail("it was read")


def test_a_file_that_names_a_trusted_key_and_was_signed_with_another_gives_nothing(tmp_path: Path) -> None:
    forged = written([entry(1)], key=SigningKey.generate())
    ours = pack_head(HEAD, KEY.public_key)
    start = len(MAGIC) + 4
    forged = forged[:start] + ours + forged[start + len(ours) :]
    with pytest.raises(SourceError, match="its bytes are not those"):
        read(saved(tmp_path, forged))
    data = sealed([])
    with pytest.raises(SourceError, match="the signature does not fit"):
        read(saved(tmp_path, data[:-64] + SigningKey.generate().sign(MAGIC + data[-96:-64])))


@SHARED
@given(st.data())
def test_a_byte_that_is_changed_anywhere_ends_it(tmp_path: Path, data: st.DataObject) -> None:
    whole = written([entry(1), entry(2), entry(4)])
    place = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(1, 255))
    path = saved(tmp_path, whole[:place] + bytes([whole[place] ^ other]) + whole[place + 1 :])
    with pytest.raises(SourceError, match=r"bank\.shared: "):
        read(path)


def test_a_bit_that_is_changed_in_the_head_or_the_seal_ends_it(tmp_path: Path) -> None:
    whole = written([])
    for place in range(len(whole)):
        path = saved(tmp_path, whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(SourceError, match=r"bank\.shared: "):
            read(path)


def test_a_file_that_is_cut_anywhere_is_said_to_be_cut_short(tmp_path: Path) -> None:
    whole = written([entry(4), entry(9)])
    for length in {*range(len(MAGIC), 600), *range(600, len(whole), 97), *range(len(whole) - 120, len(whole))}:
        with pytest.raises(SourceError, match=r"it is cut short, after [012] entries"):
            read(saved(tmp_path, whole[:length]))
    for length in range(len(MAGIC)):
        with pytest.raises(SourceError, match="it is no file of shared features"):
            read(saved(tmp_path, whole[:length]))


@pytest.mark.parametrize("more", [b"\0", b"\n", bytes(4), written([])])
def test_what_is_appended_is_told(tmp_path: Path, more: bytes) -> None:
    with pytest.raises(SourceError, match="something was appended"):
        read(saved(tmp_path, written([entry(1)]) + more))


def test_entries_that_are_left_out_or_come_twice_are_told_although_each_is_whole(tmp_path: Path) -> None:
    first, second = (pack_entry(entry(number), HEAD.hashers, LISTS) for number in (1, 2))
    whole, framed = sealed([first, second]), struct.pack("<I", len(second)) + second
    for data in (whole.replace(framed, b""), whole.replace(framed, framed * 2)):
        with pytest.raises(SourceError, match="it is damaged"):
            read(saved(tmp_path, data))
    with pytest.raises(SourceError, match="it is damaged"):
        read(saved(tmp_path, sealed([first, second], count=3)))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is no file of shared features"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "it is no file of shared features"),
        (sealed([], magic=b"imgmatch-shared-bank 2\n"), "it is of version '2' of the format; we read version '1'"),
        (sealed([], magic=b"imgmatch-shared-bank 10\n"), "it is of version '10'"),
    ],
    ids=["empty", "png", "2", "10"],
)
def test_what_is_of_another_kind_or_version_is_told(tmp_path: Path, data: bytes, why: str) -> None:
    with pytest.raises(SourceError, match=why):
        read(saved(tmp_path, data))


def test_features_of_another_codebook_are_refused_once_it_is_proved_who_sends_them(tmp_path: Path) -> None:
    strange = saved(tmp_path, sealed([], said(codebook="sift-9-v1")))
    with pytest.raises(
        ConflictError, match="coded by 'sift-9-v1', which means nothing beside sift-4096-32x4-v1, sift-4096x16-32x4-v1;"
    ):
        read(strange)
    with pytest.raises(ConflictError, match="nothing beside other-1;"):
        read(saved(tmp_path, written([])), codebook="other-1")
    assert read(saved(tmp_path, written([])), codebook=registry.DEFAULT_CODEBOOK)[1] == []
    forged = sealed([], said(codebook="sift-9-v1"))
    with pytest.raises(SourceError, match="does not fit"):
        read(saved(tmp_path, forged[:-1] + bytes([forged[-1] ^ 1])))


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 16_000,
        b"\xff\xfe",
        b'{"key":' + b"1" * 9_000 + b"}",
        said(key="imgmatch-ed25519:AAAA"),
        said(bank="../../etc"),
        said(bank=""),
        said(purpose="revenge"),
        said(sender=""),
        said(sender="x" * 256),
        said(sender="a\nb"),
        said(sequence=0),
        said(sequence=-1),
        said(sequence=1 << 63),
        said(sequence=1.5),
        said(sequence=True),
        said(made_at="yesterday"),
        said(made_at="2026-01-31T12:00:00"),
        said(made_at="0001-01-01T00:00:00+14:00"),
        said(made_at="9999-12-31T23:59:59-14:00"),
        said(hashers=[]),
        said(hashers=["pdq", "pdq"]),
        said(hashers=["p" * 40]),
        said(hashers=[1]),
        said(hashers=[f"h{number}" for number in range(17)]),
        said(codebook=None),
        said(more="than we know"),
    ],
    ids=lambda head: head[-40:].decode("latin-1"),
)
def test_a_head_that_says_what_none_may_say_is_refused(tmp_path: Path, head: bytes) -> None:
    with pytest.raises(SourceError, match=r"bank\.shared: its head is damaged: "):
        read(saved(tmp_path, sealed([], head)))


@pytest.mark.parametrize("length", [MOST_ENTRY + 1, (1 << 31) - 1, (1 << 32) - 1])
@pytest.mark.parametrize("of_head", [True, False])
def test_a_length_that_none_has_is_refused_before_anything_is_set_aside_for_it(
    tmp_path: Path, length: int, *, of_head: bool
) -> None:
    start = MAGIC if of_head else sealed([])[: -(4 + 8 + 96)]
    path = saved(tmp_path, start + struct.pack("<I", length) + bytes(1_000))
    tracemalloc.start()
    with pytest.raises(SourceError, match=f"would have {length:,} bytes"):
        read(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4 << 20


def hostile(record: bytes) -> dict[str, bytes]:
    """Features as no picture has them; the record has a head of 8 bytes and 32 of cells."""
    count = int.from_bytes(record[2:4], "little")
    lists = 40 + count * 6
    return {
        "empty": b"",
        "cut": record[:-1],
        "longer": record + b"\0",
        "version": b"\x07" + record[1:],
        "more points": record[:2] + b"\xff\xff" + record[4:],
        "no width": record[:4] + b"\0\0" + record[6:],
        "tiny": record[:4] + b"\1\0\1\0" + record[8:],
        "narrow": record[:4] + b"\1\0\xff\xff" + record[8:],
        "far right and below": record[:4]
        + b"\xff\xff\1\0"
        + record[8:40]
        + b"\xff" * (count * 4)
        + record[40 + count * 4 :],
        "giant points": record[: 40 + count * 4] + b"\xff" * count + record[40 + count * 5 :],
        "no such list": record[:lists] + b"\xff\xff" * count + record[lists + count * 2 :],
        "many": b"\1\0" + struct.pack("<HHH", 500, 65_535, 65_535) + bytes(500 * 24),
    }


@pytest.mark.parametrize("kind", hostile(records()[0]))
def test_features_that_no_picture_has_cost_that_entry(tmp_path: Path, kind: str) -> None:
    record, good = hostile(records()[0])[kind], pack_entry(entry(2), HEAD.hashers, LISTS)
    fields = {"ref": "e1", "hashers": ["pdq"], "pixels": True, "record": len(record)}
    path = saved(tmp_path, sealed([body(fields, bytes(48) + record), good]))
    bad, rest = read(path)[1]
    assert isinstance(bad, BadEntry)
    assert (bad.line, "feature" in bad.reason) == (1, True)
    assert rest == entry(2)
    with pytest.raises(ValueError, match=r"entry 'e1' cannot be shared: .*feature"):
        written([SharedEntry("e1", bytes(16), {"pdq": bytes(32)}, record)])


@pytest.mark.parametrize(
    "strange",
    [
        b"\1",
        b"\xff\xff{}",
        b"\2\0{}",
        b"\2\0[]",
        b"\4\0nul" + bytes(100),
        body({"ref": "a", "hashers": [], "pixels": True}, bytes(16)),
        body({"ref": "a", "hashers": ["whash"], "pixels": False}, bytes(32)),
        body({"ref": "a", "hashers": ["pdq", "pdq"], "pixels": False}, bytes(64)),
        body({"ref": "a", "hashers": ["pdq"] * 6_000, "pixels": False}),
        body({"ref": "a", "hashers": ["pdq"], "pixels": 16}, bytes(48)),
        body({"ref": "a", "hashers": ["pdq"], "pixels": True}, bytes(47)),
        body({"ref": "a", "hashers": ["pdq"], "pixels": True}, bytes(49)),
        body({"ref": "a", "hashers": ["pdq"], "pixels": True, "record": -8}, bytes(40)),
        body({"ref": "a", "hashers": ["pdq"], "pixels": True, "record": 1 << 70}, bytes(48)),
        body({"ref": "a", "hashers": ["pdq"], "pixels": False, "record": len(records()[4])}, bytes(32) + records()[4]),
        body({"ref": "", "hashers": ["pdq"], "pixels": False}, bytes(32)),
        body({"ref": "a\0", "hashers": ["pdq"], "pixels": False}, bytes(32)),
        body({"ref": "\ud800", "hashers": ["pdq"], "pixels": False}, bytes(32)),
        body({"ref": 7, "hashers": ["pdq"], "pixels": False}, bytes(32)),
        body({"hashers": ["pdq"], "pixels": False}, bytes(32)),
        body({"ref": "a", "hashers": ["pdq"], "pixels": False, "note": "x" * 256}, bytes(32)),
        body({"ref": "a", "hashers": ["pdq"], "pixels": False, "category": "a\x1b[2J"}, bytes(32)),
        body({"ref": "a", "hashers": ["pdq"], "pixels": False, "tags": ["t"] * 65}, bytes(32)),
        body({"ref": "a", "hashers": ["pdq"], "pixels": False, "tags": "tags"}, bytes(32)),
        body({"ref": "a", "hashers": ["pdq"], "pixels": False, "withdrawn": True}, bytes(32)),
        body({"ref": "a", "hashers": [], "pixels": False, "withdrawn": True, "note": "why"}),
        body({"ref": "a", "hashers": ["pdq"], "pixels": False, "account": "u1"}, bytes(32)),
        body({"ref": "a" * 60_000, "hashers": ["pdq"], "pixels": False}, bytes(32)),
    ],
    ids=lambda strange: strange[:60].decode("latin-1"),
)
def test_an_entry_that_says_what_none_may_say_is_named_and_the_others_are_read(tmp_path: Path, strange: bytes) -> None:
    first, last = (pack_entry(entry(number), HEAD.hashers, LISTS) for number in (1, 2))
    _, found = read(saved(tmp_path, sealed([first, strange, last])))
    assert (found[0], found[2]) == (entry(1), entry(2))
    assert isinstance(found[1], BadEntry)
    assert found[1].line == 2
    assert len(found[1].reason) < 200


def test_an_end_in_the_middle_is_told(tmp_path: Path) -> None:
    first = pack_entry(entry(1), HEAD.hashers, LISTS)
    with pytest.raises(SourceError, match="something was appended"):
        read(saved(tmp_path, sealed([first, b"", first])))


def test_a_ref_that_comes_twice_or_out_of_order_is_named_and_never_written(tmp_path: Path) -> None:
    bodies = [pack_entry(entry(number), HEAD.hashers, LISTS) for number in (2, 2, 1, 3)]
    _, found = read(saved(tmp_path, sealed(bodies)))
    assert [one.line if isinstance(one, BadEntry) else one.ref for one in found] == ["e00000002", 2, 3, "e00000003"]
    for numbers in ((1, 1), (2, 1)):
        with pytest.raises(ValueError, match="refs have to rise"):
            written(entry(number) for number in numbers)


@SHARED
@given(st.binary(max_size=3_000))
def test_whatever_a_trusted_partner_signs_costs_one_entry_at_most(tmp_path: Path, noise: bytes) -> None:
    found = read(saved(tmp_path, sealed([noise or b"\0"])))[1]
    assert len(found) == 1


def test_nothing_is_handed_out_of_a_file_that_is_changed_behind_its_proof(tmp_path: Path) -> None:
    path = saved(tmp_path, written(entry(number) for number in range(1_000)))
    before, size = path.stat(), path.stat().st_size
    with read_shared(path, trusted=TRUSTED) as (_, found):
        assert next(found) == entry(0)
        with path.open("r+b") as file:
            file.seek(size - 5_000)
            file.write(bytes(300))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        taken: list[SharedEntry | BadEntry] = []
        with pytest.raises(SourceError, match="changed while it was read"):
            taken.extend(found)
        assert taken == [entry(number) for number in range(1, len(taken) + 1)]


def test_a_file_that_is_shortened_while_it_is_read_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path, written(entry(number) for number in range(1_000)))
    with read_shared(path, trusted=TRUSTED) as (_, found):
        os.truncate(path, 10)
        with pytest.raises(SourceError, match="changed while it was read"):
            list(found)


def test_what_cannot_be_read_is_told_and_waited_for_by_nobody(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(SourceError, match="it cannot be read: "):
            read(path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(SourceError, match="not a regular file"):
            read(tmp_path / "pipe")


def test_a_file_that_is_not_read_to_its_end_is_closed(tmp_path: Path) -> None:
    path = saved(tmp_path, written([entry(1), entry(2)]))
    with read_shared(path, trusted=TRUSTED):
        pass
    with read_shared(path, trusted=TRUSTED) as (_, found):
        next(found)
    with pytest.raises(StopIteration), read_shared(saved(tmp_path, written([])), trusted=TRUSTED) as (_, found):
        next(found)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path, count, seen = tmp_path / "bank.shared", 20_000, 0
    entry(0)

    def made() -> Iterator[SharedEntry]:
        return (entry(number) for number in range(count))

    tracemalloc.start()
    with path.open("wb") as file:
        assert write_shared(file, HEAD, made(), KEY) == count
    _, writing = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    with read_shared(path, trusted=TRUSTED) as (head, found):
        for one in found:
            seen += isinstance(one, SharedEntry)
    _, reading = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen == head.count == count
    assert path.stat().st_size > 35_000_000
    assert (writing < 8 << 20, reading < 8 << 20) == (True, True), (writing, reading)
