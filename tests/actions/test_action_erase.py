from __future__ import annotations

import hashlib
import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import photos
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy import select

from imgmatch import registry
from imgmatch.actions.decide import decide
from imgmatch.actions.erase import erase
from imgmatch.actions.proof import points_in_engine as in_engine
from imgmatch.actions.proof import prove
from imgmatch.actions.rings import find_rings, keep_report
from imgmatch.actions.sought import pieces_of
from imgmatch.catalog import schema
from imgmatch.catalog.decisions import read_reasons
from imgmatch.catalog.lookups import every_photo_id
from imgmatch.catalog.scans import DUPLICATE_DETAIL, skip_texts
from imgmatch.engines.ivf import IvfEngine
from imgmatch.engines.postings import Postings
from imgmatch.engines.votes import GEOMETRY_BITS, geometry
from imgmatch.errors import NotFoundError
from imgmatch.features.record import unpack
from imgmatch.index import Index
from imgmatch.model import Depth, Erasure, NewPhoto, Skipped, SkipReason, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from imgmatch.actions.proof import Proof
    from imgmatch.actions.sought import Sought
    from imgmatch.engines.parts import Parts

SIZE = (160, 200)
WHEN = datetime(2026, 1, 1, tzinfo=UTC)
VICTIM, THIEF, OTHER = "victim-account", "thief-account", "other-account"
PAIR = (f"{THIEF}-shared", f"{OTHER}-x")


def taken(file: Path) -> NewPhoto:
    account = file.parent.name
    photo = NewPhoto.at(
        file, account=account, name=f"Name of {account}", seen_at=WHEN, photo_id=f"{account}-{file.stem}"
    )
    return replace(photo, label=f"{account}/{file.name}", attributes={"phone": f"number of {account}"})


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """Photos of three accounts; one picture of the victim stands on the thief, too."""
    pictures = {
        VICTIM: {"shared.jpg": photos.picture(1, SIZE), "own.jpg": photos.picture(2, SIZE)},
        THIEF: {"shared.jpg": photos.picture(1, SIZE)},
        OTHER: {"x.jpg": photos.picture(3, SIZE)},
    }
    photos.write_accounts(tmp_path / "photos", pictures)
    with Index.create(tmp_path / "index") as index:
        found: list[NewPhoto | Skipped] = [taken(file) for file in sorted((tmp_path / "photos").glob("*/*.jpg"))]
        index.add([*found, Skipped(f"{VICTIM}/bad.jpg", SkipReason.UNREADABLE, "no picture", VICTIM)])
        yield index


def holding(index: Index, needle: bytes) -> list[str]:
    """The files of the index that hold these bytes."""
    return [path.name for path in index.path.iterdir() if needle in path.read_bytes()]


def secrets(index: Index, photo_id: str) -> set[bytes]:
    """All that was computed from one photo."""
    photo, pictures = schema.photos.c, schema.photo_pictures.c
    with index.parts.catalog.read() as session:
        row, sha256, pixels = session.sql.execute(
            select(photo.id, photo.sha256, pictures.pixels)
            .join(schema.photo_pictures, pictures.photo_id == photo.id)
            .where(photo.photo_id == photo_id)
        ).one()
        links = schema.photo_fingerprints.c
        bits = select(schema.fingerprints.c.bits).join(
            schema.photo_fingerprints, links.fingerprint_id == schema.fingerprints.c.id
        )
        return {sha256, pixels, *session.sql.scalars(bits.where(links.photo_id == row))}


def features(index: Index, photo_id: str) -> tuple[int, bytes, bytes]:
    """Row, record and thumbnail of the features of one photo."""
    table, photo, pictures = schema.features.c, schema.photos.c, schema.photo_pictures.c
    query = select(table.id, table.record, table.thumbnail)
    query = query.join(schema.photo_pictures, pictures.pixels == table.pixels)
    query = query.join(schema.photos, photo.id == pictures.photo_id)
    with index.parts.catalog.read() as session:
        row, record, thumbnail = session.sql.execute(query.where(photo.photo_id == photo_id)).one()
    return row, record, thumbnail


def runs(blob: bytes, length: int = 32) -> set[bytes]:
    """All of a blob but its beginning, which others may share, in short runs: wherever it is broken, some are whole."""
    return {blob[start : start + length] for start in range(len(blob) // 3, len(blob) - length + 1, length)}


def ids_and_codes(index: Index, record: bytes, row: int) -> set[bytes]:
    """The features of a picture as the engine file has them: ids one by one, codes one by one."""
    stored = unpack(record)
    ids = ((row << GEOMETRY_BITS) + geometry(stored.points)).astype("<i8")
    found = {number.tobytes() for number in ids} | {bytes(code) for code in stored.codes}
    assert index.parts.folder.header().features is not None
    return found


def points_in_engine(index: Index) -> dict[int, int]:
    """How many points of each picture the engine file of features holds."""
    snapshot = index.parts.folder.header().features
    assert snapshot is not None
    postings = Postings.open(index.parts.folder.snapshot_path(snapshot), registry.codebook(snapshot.of).lists)
    return Counter(row for piece in postings.pieces() for row in (piece.ids >> GEOMETRY_BITS).tolist())


def pieces(index: Index, *photo_ids: str) -> set[bytes]:
    return {piece for one in photo_ids for blob in features(index, one)[1:] for piece in pieces_of(blob)}


@pytest.mark.sqlite
def test_nothing_of_an_erased_account_is_left_in_any_file(index: Index) -> None:
    own = secrets(index, f"{VICTIM}-own")
    assert len(own) == 4
    assert all(holding(index, secret) for secret in own)
    looked_for = own | pieces(index, f"{VICTIM}-own")
    assert len(looked_for) > 4 + 2
    erasure = erase(index.parts, account=VICTIM)
    assert (erasure.account, erasure.photo_id, erasure.photos) == (VICTIM, None, 2)
    assert erasure.traces == 0
    assert erasure.searched_for == len(looked_for)  # what the thief has as well is not the victim's alone
    assert erasure.files_searched >= 3
    for needle in (*own, VICTIM.encode(), b"number of victim", b"shared.jpg\0never"):
        assert holding(index, needle) == [], needle


@pytest.mark.sqlite
def test_an_identical_photo_on_another_account_stays(index: Index, tmp_path: Path) -> None:
    shared = tmp_path / "photos" / VICTIM / "shared.jpg"
    erase(index.parts, account=VICTIM)
    assert [match.photo.account for match in index.check(shared)] == [THIEF]
    assert holding(index, hashlib.sha256(shared.read_bytes()).digest()) == ["catalog.sqlite3"]
    with Index.open(index.path) as again:
        assert [match.photo.account for match in again.check(shared)] == [THIEF]


def test_one_photo_can_be_erased_and_the_rest_of_the_account_stays(index: Index, tmp_path: Path) -> None:
    own = secrets(index, f"{VICTIM}-own")
    erasure = erase(index.parts, photo_id=f"{VICTIM}-own")
    assert (erasure.photos, erasure.traces) == (1, 0)
    assert all(not holding(index, needle) for needle in (*own, f"{VICTIM}-own".encode(), b"own.jpg"))
    accounts = [match.photo.account for match in index.check(tmp_path / "photos" / VICTIM / "shared.jpg")]
    assert sorted(accounts) == sorted([VICTIM, THIEF])


@pytest.mark.parametrize(
    ("named", "message"),
    [({"account": "nobody"}, "has no account 'nobody'"), ({"photo_id": "none"}, "has no photo 'none'")],
)
def test_what_is_not_there_cannot_be_erased_and_the_index_stays_as_it_is(
    index: Index, named: dict[str, str], message: str
) -> None:
    before = index.parts.folder.header()
    with pytest.raises(NotFoundError, match=message) as raised:
        erase(index.parts, account=named.get("account"), photo_id=named.get("photo_id"))
    assert raised.value.exit_code == 1
    assert index.parts.folder.header() == before


def test_an_account_known_only_by_a_photo_that_was_skipped_can_be_erased(index: Index) -> None:
    index.add([Skipped("ghost/1.jpg", SkipReason.UNREADABLE, "no picture", "ghost-account")], source="elsewhere")
    erasure = erase(index.parts, account="ghost-account")
    assert (erasure.photos, erasure.traces) == (0, 0)
    assert holding(index, b"ghost-account") == []


def test_a_reader_that_still_has_the_photo_in_hand_finds_it_no_more(index: Index, tmp_path: Path) -> None:
    own = tmp_path / "photos" / VICTIM / "own.jpg"
    with Index.open(index.path) as reader:
        assert reader.check(own).accounts == 1
        assert erase(index.parts, account=VICTIM).traces == 0
        assert reader.check(own).accounts == 0


@pytest.mark.slow
@pytest.mark.sqlite
def test_nothing_of_the_record_the_thumbnail_and_the_codes_is_left_in_any_file(index: Index) -> None:
    row, record, thumbnail = features(index, f"{VICTIM}-own")
    shared_row, shared_record, _ = features(index, f"{VICTIM}-shared")
    assert (len(record) > 500, len(thumbnail) > 500) == (True, True)
    needles = runs(record) | runs(thumbnail) | ids_and_codes(index, record, row)
    before = b"".join(path.read_bytes() for path in index.path.iterdir())
    assert sum(needle in before for needle in needles) > 0.9 * len(needles)  # but for those that a page cuts in two
    points = points_in_engine(index)
    assert erase(index.parts, account=VICTIM).traces == 0
    for path in index.path.iterdir():
        content = path.read_bytes()
        assert not [needle for needle in needles if needle in content], path.name
    assert points_in_engine(index) == {one: count for one, count in points.items() if one != row}
    assert features(index, f"{THIEF}-shared")[:2] == (shared_row, shared_record)


@pytest.mark.slow
@pytest.mark.sqlite
def test_a_picture_somebody_else_shows_keeps_its_features_until_that_goes_as_well(index: Index) -> None:
    row, record, _ = features(index, f"{VICTIM}-shared")
    assert erase(index.parts, photo_id=f"{VICTIM}-shared").searched_for == 0
    assert row in points_in_engine(index)
    erasure = erase(index.parts, account=THIEF)
    assert (erasure.photos, erasure.traces) == (1, 0)
    assert erasure.searched_for > 4
    assert row not in points_in_engine(index)
    assert not [run for run in runs(record) if holding(index, run)]


@pytest.mark.parametrize("part", ["record", "thumbnail"])
@pytest.mark.parametrize("at", [0, 1, -1])
def test_a_piece_of_features_left_in_a_file_is_reported_as_a_trace(index: Index, part: str, at: int) -> None:
    record, thumbnail = features(index, f"{VICTIM}-own")[1:]
    found = sorted(pieces_of(record if part == "record" else thumbnail))
    piece = found[min(at, len(found) - 1)]
    (index.path / "phash.notes").write_bytes(b"before" + piece + b"after")
    (index.path / "left.tmp").write_bytes(b"before" + piece + b"after")  # of nobody: no publishing drops it
    assert erase(index.parts, photo_id=f"{VICTIM}-own").traces == 1


def test_points_left_in_the_engine_file_are_reported_as_traces(index: Index) -> None:
    row, record, _ = features(index, f"{VICTIM}-own")
    erase(index.parts, photo_id=f"{VICTIM}-own")
    stale = IvfEngine.empty(registry.codebook(index.parts.codebook)).appended([(row, unpack(record))], row)
    snapshot = index.parts.folder.header().features
    assert snapshot is not None
    stale.save(index.parts.folder.snapshot_path(snapshot))
    assert in_engine(index.parts, [row]) == len(unpack(record)) > 50
    assert in_engine(index.parts, [row + 1_000]) == 0


@given(st.integers(0, 300) | st.integers(0, 4_000))
def test_pieces_reach_over_the_latter_half_of_a_blob_and_of_a_short_one_to_its_end(size: int) -> None:
    blob = b"".join(number.to_bytes(2) for number in range(size // 2))
    found = pieces_of(blob)
    assert all(piece in blob and len(piece) == 48 for piece in found)
    assert bool(found) == (len(blob) >= 48)
    assert len(blob) < 48 or max(blob.find(piece) for piece in found) + 512 > len(blob) - 48


def recompressed(image: Image.Image) -> bytes:
    return photos.jpeg(image, 98)


def with_another_pixel(image: Image.Image) -> bytes:
    image.putpixel((3, 3), (9, 9, 9))
    return photos.png(image)


@pytest.mark.sqlite
@pytest.mark.parametrize("copy", [recompressed, with_another_pixel])
def test_what_a_copy_of_the_erased_photo_has_in_common_with_it_is_no_trace_of_it(
    index: Index, tmp_path: Path, copy: Callable[[Image.Image], bytes]
) -> None:
    path = tmp_path / "photos" / THIEF / "copy.png"
    with Image.open(tmp_path / "photos" / VICTIM / "own.jpg") as own:
        path.write_bytes(copy(own.convert("RGB")))
    index.add([taken(path)])
    mine, theirs = (features(index, one) for one in (f"{VICTIM}-own", f"{THIEF}-copy"))
    assert mine[0] != theirs[0]
    common = {piece for blob in mine[1:] for piece in pieces_of(blob) if any(piece in other for other in theirs[1:])}
    assert common or copy is recompressed
    looked_for = len(secrets(index, f"{VICTIM}-own") - secrets(index, f"{THIEF}-copy"))
    looked_for += len(pieces(index, f"{VICTIM}-own") - common)
    erasure = erase(index.parts, photo_id=f"{VICTIM}-own")
    assert (erasure.traces, erasure.searched_for) == (0, looked_for)
    assert mine[0] not in points_in_engine(index)


@pytest.mark.parametrize("by", ["account", "photo_id"])
def test_decisions_banks_and_reports_forget_what_is_erased_and_the_picture_stays_known_without_its_origin(
    index: Index, tmp_path: Path, by: str
) -> None:
    pair = (f"{VICTIM}-own", f"{THIEF}-shared")
    for verdict in (Verdict.DISMISS, Verdict.CONFIRM):
        decide(index.parts, verdict, pair=pair, by="ana")
    keep_report(index.parts, find_rings(index.parts))
    assert {ring.bank for ring in find_rings(index.parts).rings} == {"known-stolen"}
    named = {"account": VICTIM} if by == "account" else {"photo_id": pair[0]}
    erasure = erase(index.parts, account=named.get("account"), photo_id=named.get("photo_id"))
    assert (erasure.traces, erasure.photos) == (0, 2 if by == "account" else 1)
    for needle in (pair[0].encode(), b"own.jpg", *([VICTIM.encode()] if by == "account" else [])):
        assert holding(index, needle) == [], needle
    [known] = index.check(tmp_path / "photos" / VICTIM / "own.jpg")
    assert (known.photo.account, known.photo.photo_id, known.photo.bank) == ("", "", "known-stolen")
    assert all(ring.bank == "known-stolen" for ring in find_rings(index.parts).rings)
    index.add([taken(tmp_path / "photos" / VICTIM / "own.jpg")])
    assert VICTIM in {one.account for ring in find_rings(index.parts).rings for one in ring.accounts}


@pytest.mark.slow
def test_an_erased_photo_without_thumbnail_or_features_leaves_nothing_either(tmp_path: Path) -> None:
    photos.write_accounts(tmp_path / "photos", {VICTIM: {"own.jpg": photos.picture(2, SIZE)}})
    file = tmp_path / "photos" / VICTIM / "own.jpg"
    for number, (depth, thumbnails) in enumerate([(Depth.FINGERPRINT, True), (Depth.FULL, False)]):
        with Index.create(tmp_path / f"index{number}", depth=depth, thumbnails=thumbnails) as index:
            index.add([taken(file)])
            own = secrets(index, f"{VICTIM}-own")
            erasure = erase(index.parts, account=VICTIM)
            assert (erasure.photos, erasure.traces, erasure.searched_for >= 4) == (1, 0, True)
            assert all(not holding(index, needle) for needle in own)


def gone(erasure: Erasure) -> tuple[set[str], set[str]]:
    """The photos and accounts that are to be looked for elsewhere."""
    return set(erasure.gone_photos), set(erasure.gone_accounts)


@pytest.mark.slow
def test_an_erasure_tells_which_photos_and_accounts_are_gone_for_what_lies_outside_the_index(index: Index) -> None:
    one = erase(index.parts, photo_id=f"{VICTIM}-own")
    assert gone(one) == ({f"{VICTIM}-own"}, set())  # of the account one is left
    last = erase(index.parts, photo_id=f"{VICTIM}-shared")
    assert gone(last) == ({f"{VICTIM}-shared"}, {VICTIM})
    named = erase(index.parts, account=THIEF)
    assert gone(named) == ({f"{THIEF}-shared"}, {THIEF})
    rest = erase(index.parts, before=WHEN + timedelta(days=1))
    assert gone(rest) == ({f"{OTHER}-x"}, {OTHER})
    none = erase(index.parts, before=WHEN + timedelta(days=1))
    assert gone(none) == (set(), set())


def test_of_an_account_erased_in_part_only_the_photos_are_gone(index: Index, tmp_path: Path) -> None:
    old = tmp_path / "photos" / VICTIM / "own.jpg"
    index.add([replace(taken(old), photo_id="old", seen_at=WHEN - timedelta(days=9))])
    erasure = erase(index.parts, before=WHEN)
    assert gone(erasure) == ({"old"}, set())


def test_what_is_known_only_from_a_decision_or_a_skipped_photo_is_gone_under_its_name(
    index: Index, tmp_path: Path
) -> None:
    decide(index.parts, Verdict.DISMISS, pair=(f"{VICTIM}-own", f"{THIEF}-shared"), by="ana")
    index.add([taken(tmp_path / "photos" / OTHER / "x.jpg")], prune=True)
    index.add([Skipped("ghost/1.jpg", SkipReason.UNREADABLE, "no picture", "ghost-account")], source="elsewhere")
    assert gone(erase(index.parts, account="ghost-account")) == (set(), {"ghost-account"})
    assert gone(erase(index.parts, photo_id=f"{THIEF}-shared")) == ({f"{THIEF}-shared"}, set())


# -- names in texts ------------------------------------------------------------------------------------------------


def reasons(index: Index) -> list[str]:
    with index.parts.catalog.read() as session:
        return [reason for _, reason in read_reasons(session)]


def told(index: Index, *said: str) -> None:
    """Decide on two photos that stay, for these reasons."""
    for reason in said:
        decide(index.parts, Verdict.DISMISS, pair=(f"{THIEF}-shared", f"{OTHER}-x"), by="ana", reason=reason)


@pytest.mark.sqlite
def test_reasons_that_speak_of_what_is_erased_are_listed_and_stay_until_they_are_masked(index: Index) -> None:
    named = f"{VICTIM.upper()} did it", f"see {VICTIM}-own", "a NAME OF victim-account", "own.jpg is a copy"
    others = "her own words", f"{VICTIM}2 is another", "shared.jpg stays", "victim"
    told(index, *named, *others)
    erasure = erase(index.parts, account=VICTIM)
    assert (erasure.traces, erasure.reasons, erasure.masked_reasons) == (0, (1, 2, 3, 4), ())
    assert reasons(index) == [*named, *others]
    assert erasure.in_use["decisions.reason"] > 0
    again = erase(index.parts, account=VICTIM, mask_reasons=True)  # its name is all that is known of it now
    assert (again.photos, again.reasons, again.masked_reasons) == (0, (), (1, 2, 3))
    assert reasons(index)[:3] == ["… did it", "see …-own", "a NAME OF …"]
    with pytest.raises(NotFoundError):
        erase(index.parts, account=VICTIM)


def test_reasons_are_masked_at_once_if_that_is_asked_for(index: Index) -> None:
    told(index, f"{VICTIM} has own.jpg", f"{VICTIM}-own, name of {VICTIM}", "something else")
    erasure = erase(index.parts, account=VICTIM, mask_reasons=True)
    assert (erasure.traces, erasure.reasons, erasure.masked_reasons) == (0, (), (1, 2))
    assert reasons(index) == ["… has …", "…, …", "something else"]
    assert holding(index, VICTIM.encode()) == []


@pytest.mark.sqlite
def test_of_an_account_of_which_a_photo_is_left_only_that_photo_is_masked(index: Index) -> None:
    told(index, f"{VICTIM} has {VICTIM}-own")
    erasure = erase(index.parts, photo_id=f"{VICTIM}-own", mask_reasons=True)
    assert (erasure.traces, erasure.masked_reasons) == (0, (1,))
    assert reasons(index) == [f"{VICTIM} has …"]
    assert erasure.in_use == {"decisions.reason": 1, "accounts.name": 1, "accounts.attributes": 1}


def test_what_is_said_of_skipped_photos_of_others_names_nothing_that_is_erased(index: Index, tmp_path: Path) -> None:
    own = tmp_path / "photos" / VICTIM / "own.jpg"
    twice = replace(taken(tmp_path / "photos" / OTHER / "x.jpg"), photo_id=f"{VICTIM}-own")
    lines = [
        Skipped(f"{VICTIM}/own.jpg", SkipReason.UNREADABLE, "no picture", OTHER),
        Skipped("line 3", SkipReason.BAD_LINE, f"a line on {own} and {VICTIM}-own"),
        Skipped("shared.jpg", SkipReason.BAD_LINE, "victim is a word"),
    ]
    index.add([taken(own), twice, *lines], source="elsewhere")
    assert erase(index.parts, account=VICTIM).traces == 0
    with index.parts.catalog.read() as session:
        texts = [(label, detail) for _, label, detail in skip_texts(session)]
    assert (f"{OTHER}/x.jpg", DUPLICATE_DETAIL) in texts
    assert ("…", "no picture") in texts
    assert ("line 3", "a line on … and …") in texts
    assert ("shared.jpg", "victim is a word") in texts
    for needle in (VICTIM.encode(), b"own.jpg"):
        assert holding(index, needle) == []


# -- what the proof finds ------------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_the_proof_says_what_it_searched_for_by_kind(index: Index) -> None:
    erasure = erase(index.parts, account=VICTIM)
    # What the thief has as well is not the victim's alone: the shared picture, and the name of its file.
    expected = {"ids": 3, "names": 1, "attributes": 1, "paths": 5, "digests": 1, "pixels": 1, "fingerprints": 2}
    assert {kind: erasure.searched[kind] for kind in expected} == expected
    assert min(erasure.searched["features"], erasure.searched["thumbnails"]) > 0
    assert (erasure.found, erasure.in_use, erasure.finished, erasure.came_back) == ({}, {}, True, 0)


@pytest.mark.slow
def test_what_is_left_is_told_by_file_and_kind_until_it_is_gone_and_the_page_on_the_folder_is_not_read(
    index: Index,
) -> None:
    sha256 = hashlib.sha256((index.path.parent / "photos" / VICTIM / "own.jpg").read_bytes()).digest()
    notes = b"..".join(
        [VICTIM.encode(), f"{VICTIM}-own".encode(), b"number of victim-account", sha256, b"Name of victim"]
    )
    for name in ("notes.tmp", "catalog.sqlite3-journal.bak", "README.md"):
        (index.path / name).write_bytes(notes)
    erasure = erase(index.parts, account=VICTIM)
    kinds = {"ids": 2, "attributes": 1, "digests": 1}
    assert erasure.found == {"notes.tmp": kinds, "catalog.sqlite3-journal.bak": kinds}
    assert (erasure.traces, erasure.finished, index.status().unfinished_erasures) == (8, False, 1)
    (index.path / "notes.tmp").unlink()
    index.rebuild()  # somebody who writes something else cannot mend that, and does not try
    assert index.status().unfinished_erasures == 1
    assert erase(index.parts, account=VICTIM).traces == 4
    (index.path / "catalog.sqlite3-journal.bak").unlink()
    proof = erase(index.parts, account=VICTIM)
    assert (proof.photos, proof.traces, proof.finished, proof.searched) == (2, 0, True, erasure.searched)
    assert index.status().unfinished_erasures == 0


@pytest.mark.slow
@pytest.mark.sqlite
def test_a_name_that_others_have_or_that_is_a_word_of_the_format_is_no_trace(index: Index, tmp_path: Path) -> None:
    file = tmp_path / "photos" / VICTIM / "own.jpg"
    for account, name in (
        ("format-account", "fortran_order"),
        ("sql-account", "photo_fingerprints"),
        ("c", "generation"),
    ):
        index.add([NewPhoto.at(file, account=account, name=name)], source=account)
        erasure = erase(index.parts, account=account)
        assert (erasure.traces, erasure.found, erasure.finished) == (0, {}, True)
    for account in ("one-of-two", "two-of-two"):
        index.add([NewPhoto.at(file, account=account, name="Same Name")], source="two")
    erasure = erase(index.parts, account="one-of-two")
    assert (erasure.traces, erasure.in_use["accounts.name"]) == (0, 1)


@pytest.mark.slow
def test_where_somebody_reads_an_older_state_the_erasure_is_not_finished_until_the_next_rebuild(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgmatch.catalog.waiting._READERS_GONE", 0.6)
    with Index.open(index.path) as reader:
        with reader.parts.catalog.read() as session:
            assert every_photo_id(session)
            erasure = erase(index.parts, account=VICTIM)
            assert (erasure.finished, erasure.compacted) == (False, False)
            assert index.status().unfinished_erasures == 1
            told(index, "a decision is made all the same")
            assert index.finish_erasures()[0].finished is False
        waited = compacted_with(index, monkeypatch, lambda: index.decide(Verdict.CONFIRM, pair=PAIR, by="ana"))
        waited += compacted_with(index, monkeypatch, lambda: index.add([], source="none"))
        assert waited == []
        (wait,) = compacted_with(index, monkeypatch, index.rebuild)
        assert wait < 3
    assert index.status().unfinished_erasures == 0
    assert holding(index, VICTIM.encode()) == []


def compacted_with(index: Index, monkeypatch: pytest.MonkeyPatch, write: Callable[[], object]) -> list[float]:
    """How long the catalog is to wait for readers, each time that it is compacted."""
    waits: list[float] = []
    compact = index.parts.catalog.compact

    def noted(*, patience: float = math.inf) -> bool:
        waits.append(patience)
        return compact(patience=patience)

    with monkeypatch.context() as noting:
        noting.setattr(index.parts.catalog, "compact", noted)
        write()
    return waits


# -- at once ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_of_two_who_erase_the_same_at_once_one_finds_it_gone_and_others_are_erased_as_well(index: Index) -> None:
    def attempt(account: str) -> int | None:
        with Index.open(index.path) as own:
            try:
                erasure = own.erase(account=account)
            except NotFoundError:
                return None
            assert (erasure.traces, erasure.finished) == (0, True)
            return erasure.photos

    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(attempt, [VICTIM, VICTIM, OTHER, VICTIM]))
    assert done[2] == 1
    assert sorted(done[place] or 0 for place in (0, 1, 3)) == [0, 0, 2]
    assert (index.counts()["photos"], index.status().unfinished_erasures) == (1, 0)


@pytest.mark.slow
def test_photos_that_a_scan_adds_again_meanwhile_are_counted_and_are_no_traces(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [taken(file) for file in sorted((tmp_path / "photos" / VICTIM).glob("*.jpg"))]

    def proof_of_what_is_there_again(parts: Parts, gone: Sought) -> Proof:
        with Index.open(index.path) as scanning:
            assert scanning.add(files, source="again").added == 2
            assert scanning.status().unfinished_erasures == 1  # somebody is at it
        return prove(parts, gone)

    monkeypatch.setattr("imgmatch.actions.erase.prove", proof_of_what_is_there_again)
    erasure = erase(index.parts, account=VICTIM)
    assert (erasure.photos, erasure.traces, erasure.came_back, erasure.finished) == (2, 0, 2, True)
    assert (index.counts()["photos"], index.status().unfinished_erasures) == (4, 0)
    monkeypatch.undo()
    assert erase(index.parts, account=VICTIM).came_back == 0
