"""A bank's features from one site to another: what the other finds by them, what it refuses, and what never leaves."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import photos
import pytest
from banking import carried, hit, named, pdq
from PIL import Image

from imgmatch import ListOptions, SigningKey, registry
from imgmatch.actions import bank_sharing
from imgmatch.errors import ConflictError, NotFoundError, SourceError
from imgmatch.exchange.shared_bank import MAGIC, read_shared, write_shared
from imgmatch.exchange.shared_packing import pack_entry, pack_head
from imgmatch.exchange.shared_values import SharedEntry, SharedHead
from imgmatch.features.codebook import shipped
from imgmatch.features.extract import extract
from imgmatch.features.record import pack
from imgmatch.index import Index
from imgmatch.model import Depth, Kind, NamedPhoto, NewPhoto, Opinion, Purpose, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from imgmatch.actions.banks import Banks
    from imgmatch.model import ListImport

LISTS = registry.codebook(registry.DEFAULT_CODEBOOK).lists
HEAD = SharedHead(
    bank="acme",
    purpose=Purpose.STOLEN,
    sender="Site A",
    sequence=7,
    made_at=datetime(2026, 1, 31, tzinfo=UTC),
    codebook=registry.DEFAULT_CODEBOOK,
    hashers=("pdq", "phash"),
)
KEY, OTHER = SigningKey.generate(), SigningKey.generate()
TRUSTED = [KEY.public_key]
SOURCE = photos.picture(7, (400, 500))
BOX = (60, 70, 360, 450)


@cache
def record() -> bytes:
    """The features of a drawn picture."""
    return pack(extract(np.asarray(photos.picture(1, (160, 200)).convert("L"))), shipped())


def shared(number: int) -> SharedEntry:
    """A picture as another site shares it; the refs of rising numbers rise."""
    digest = hashlib.sha256(str(number).encode()).digest()
    prints = {"pdq": digest, "phash": digest[::-1]}
    return SharedEntry(f"e{number:08}", digest[:16], prints, record(), note=f"note {number}", tags=("tag",))


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Index, Index]]:
    """Two indexes of two sites."""
    folder = tmp_path_factory.mktemp("sites")
    with Index.create(folder / "a") as a, Index.create(folder / "b") as b:
        yield a, b


@pytest.fixture
def ours(sites: tuple[Index, Index]) -> Iterator[Banks]:
    """The banks of the site that shares."""
    yield sites[0].bank_lists
    clear(sites[0])


@pytest.fixture
def theirs(sites: tuple[Index, Index]) -> Iterator[Banks]:
    """The banks of the site that receives."""
    yield sites[1].bank_lists
    clear(sites[1])


def clear(index: Index) -> None:
    for bank in index.bank_lists.all():
        index.bank_lists.delete(bank.name)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bank.shared"


def brought(banks: Banks, path: Path, name: str = "from-a", *, dry_run: bool = False) -> ListImport:
    return banks.import_shared(name, path, TRUSTED, dry_run=dry_run)


def made(path: Path, entries: Sequence[SharedEntry], **head: Any) -> Path:  # noqa: ANN401 -- fields of a head
    """A file as some other program may have made it."""
    stream = io.BytesIO()
    write_shared(stream, replace(HEAD, **head), entries, KEY)
    path.write_bytes(stream.getvalue())
    return path


def counts(done: ListImport) -> dict[str, int]:
    names = ("read", "added", "updated", "unchanged", "removed", "other", "bad")
    return {name: getattr(done, name) for name in names if getattr(done, name)}


@pytest.mark.slow
def test_a_crop_on_the_other_site_is_found_by_a_check_and_by_a_run(
    sites: tuple[Index, Index], ours: Banks, theirs: Banks, path: Path, tmp_path: Path
) -> None:
    ours.create("acme", purpose=Purpose.STOLEN)
    ours.add_photo("acme", named(SOURCE))
    value = ours.add_hash("acme", pdq(photos.picture(8)))
    assert ours.share("acme", path, KEY, sender="Site A", by="ana") == 2
    crop = photos.jpeg(SOURCE.crop(BOX).resize((330, 418)), 80)
    site = sites[1]
    (tmp_path / "crop.jpg").write_bytes(crop)
    (tmp_path / "copy.jpg").write_bytes(photos.jpeg(photos.picture(8), 60))
    for name in ("crop", "copy"):
        site.add([NewPhoto.at(tmp_path / f"{name}.jpg", account=name)])
    site.rings()
    done = brought(theirs, path)
    assert counts(done) == {"read": 2, "added": 2}
    bank = theirs.get("from-a")
    assert (bank.purpose, bank.owner, bank.entries, bank.pictures) == (Purpose.PARTNER, "Site A", 2, 1)
    picture, bare = theirs.entries("from-a")
    assert (picture.is_picture, bare.is_picture, bare.pdq) == (True, False, value.pdq)
    found = site.check(crop)
    assert hit(found) == [("from-a", picture.entry)]
    assert found.banks[0].evidence.kind is Kind.PARTIAL
    report = site.rings()
    assert sorted(carried(report.bank_hits)) == [("copy", bare.entry), ("crop", picture.entry)]
    assert report.rings == ()  # it only flags
    stranger = photos.jpeg(SOURCE.transpose(Image.Transpose.FLIP_LEFT_RIGHT).crop(BOX))
    asked = site.check(stranger)
    assert hit(asked) == [("from-a", picture.entry)]
    for account in ("crop", "copy"):
        site.erase(account=account)
    assert site.check(stranger).status is Status.NO_MATCH


def test_the_same_file_again_changes_nothing_and_what_left_the_bank_goes(
    ours: Banks, theirs: Banks, path: Path
) -> None:
    ours.create("acme")
    entries = [ours.add_photo("acme", named(photos.picture(seed, (160, 200)))).entry for seed in range(3)]
    entries += [ours.add_hash("acme", f"{number:064x}", ref=f"r{number}").entry for number in range(4)]
    ours.share("acme", path, KEY, sender="A")
    assert counts(brought(theirs, path, dry_run=True)) == {"read": 7, "added": 7}
    assert theirs.all() == []
    assert counts(brought(theirs, path)) == {"read": 7, "added": 7}
    before = theirs.entries("from-a"), theirs.get("from-a")
    assert counts(brought(theirs, path)) == {"read": 7, "unchanged": 7}
    assert (theirs.entries("from-a"), theirs.get("from-a")) == before
    ours.remove("acme", entries[0])
    ours.say("acme", entries[3], Opinion.DISMISSED, by="ana")
    ours.mute("acme", entries[4], before[1].created_at.replace(year=2126))
    ours.quarantine(entries[5], by="ana", why="")
    added = ours.add_hash("acme", "f" * 64)
    ours.share("acme", path, KEY, sender="A")
    foreseen, done = brought(theirs, path, dry_run=True), brought(theirs, path)
    assert counts(done) == {"read": 4, "added": 1, "unchanged": 3, "removed": 4}
    assert foreseen == replace(done, dry_run=True)
    kept = {entry.entry for entry in before[0]}
    assert [entry.pdq for entry in theirs.entries("from-a") if entry.entry not in kept] == [added.pdq]
    ours.say("acme", entries[3], None, by="ana")


def test_other_words_are_brought_to_the_entry_and_features_that_came_later_too(
    sites: tuple[Index, Index], theirs: Banks, path: Path
) -> None:
    one, two = shared(1), replace(shared(2), record=None)
    made(path, [one, two])
    brought(theirs, path)
    before = theirs.entries("from-a")
    theirs.say("from-a", before[0].entry, Opinion.CONFIRMED, by="ana")
    now = [replace(one, tags=("new",), note="other"), replace(two, record=shared(2).record)]
    made(path, now, sequence=8)
    foreseen, done = brought(theirs, path, dry_run=True), brought(theirs, path)
    assert counts(done) == {"read": 2, "updated": 1, "unchanged": 1}
    assert foreseen == replace(done, dry_run=True)
    first, second = theirs.entries("from-a")
    assert (first.entry, first.tags, first.note, first.opinion) == (
        before[0].entry, ("new",), "other", Opinion.CONFIRMED,
    )  # fmt: skip
    assert second == before[1]
    assert sites[1].status().features == 2
    theirs.say("from-a", first.entry, None, by="ana")


def test_another_value_under_a_ref_is_another_entry_and_a_picture_twice_is_one(theirs: Banks, path: Path) -> None:
    picture = shared(3)
    bare = replace(shared(4), pixels=None, record=None)
    again = replace(picture, ref="e99999999")
    foreseen = brought(theirs, made(path, [picture, bare, again]), dry_run=True)
    done = brought(theirs, path)
    assert counts(done) == {"read": 3, "added": 2, "unchanged": 1}
    assert foreseen == replace(done, dry_run=True)
    number = theirs.entries("from-a")[1].entry
    other = replace(bare, fingerprints=shared(5).fingerprints)
    assert counts(brought(theirs, made(path, [picture, other], sequence=8))) == {
        "read": 2,
        "updated": 1,
        "unchanged": 1,
    }
    [_, changed] = theirs.entries("from-a")
    assert (changed.entry > number, changed.pdq) == (True, shared(5).fingerprints["pdq"].hex())


def test_what_a_file_withdraws_goes_unless_it_lists_the_picture_under_another_ref(theirs: Banks, path: Path) -> None:
    listed = [shared(number) for number in range(4)]
    brought(theirs, made(path, listed))

    def withdrawn(number: int, ref: str) -> SharedEntry:
        entry = shared(number)
        return replace(entry, ref=ref, fingerprints={}, record=None, withdrawn=True, note=None, category=None, tags=())

    again = replace(listed[2], ref="f1")
    now = [listed[0], withdrawn(1, "e9"), withdrawn(2, "f0"), again, replace(listed[3], ref="f2"), withdrawn(3, "f3")]
    foreseen = brought(theirs, made(path, now, sequence=8), dry_run=True)
    done = brought(theirs, path)
    assert foreseen == replace(done, dry_run=True)
    assert counts(done) == {"read": 6, "added": 1, "updated": 1, "unchanged": 1, "removed": 2}
    assert {entry.pdq for entry in theirs.entries("from-a")} == {
        listed[number].fingerprints["pdq"].hex() for number in (0, 2, 3)
    }


def test_a_file_with_a_bad_entry_removes_nothing(theirs: Banks, path: Path) -> None:
    brought(theirs, made(path, [shared(number) for number in range(3)]))
    bodies = [pack_entry(shared(number), HEAD.hashers, LISTS) for number in (0, 5)]
    framed = [pack_head(replace(HEAD, sequence=8), KEY.public_key), bodies[0], b"nonsense", bodies[1]]
    data = MAGIC + b"".join(struct.pack("<I", len(body)) + body for body in framed) + struct.pack("<IQ", 0, 3)
    digest = hashlib.sha256(data).digest()
    path.write_bytes(data + digest + KEY.sign(MAGIC + digest))
    done = brought(theirs, path)
    assert (done.bad, done.removed, done.added) == (1, 0, 1)
    assert [bad.line for bad in done.first_bad] == [2]
    assert theirs.get("from-a").entries == 4


def test_what_is_not_signed_by_whom_we_trust_or_was_changed_is_refused_and_nothing_is_taken(
    ours: Banks, theirs: Banks, path: Path
) -> None:
    ours.create("acme")
    ours.add_hash("acme", "0" * 64)
    ours.share("acme", path, OTHER, sender="A")
    with pytest.raises(SourceError, match="not trusted"):
        brought(theirs, path)
    ours.share("acme", path, KEY, sender="A")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(SourceError, match="signature does not fit"):
        brought(theirs, path)
    path.write_bytes(data[:-70])
    with pytest.raises(SourceError):
        brought(theirs, path)
    path.unlink()
    with pytest.raises(SourceError):
        brought(theirs, path)
    assert theirs.all() == []


def test_features_by_another_codebook_are_refused(theirs: Banks, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(path, [shared(1)])
    monkeypatch.setattr(bank_sharing, "read_shared", other_codebook)
    with pytest.raises(ConflictError, match="coded by 'sift-4096-32x4-v1', which means nothing beside another"):
        brought(theirs, path)
    assert theirs.all() == []


@contextmanager
def other_codebook(path: Path, **choices: Any) -> Iterator[tuple[SharedHead, Iterator[Any]]]:  # noqa: ANN401 -- as it is
    """As a site whose index has another codebook reads a file."""
    with read_shared(path, **{**choices, "codebook": "another"}) as found:
        yield found


def test_an_older_file_than_the_last_is_refused(theirs: Banks, path: Path) -> None:
    brought(theirs, made(path, [shared(1)], sequence=9))
    for dry_run in (True, False):
        with pytest.raises(ConflictError, match="holds a later file of this sender"):
            brought(theirs, made(path, [shared(1), shared(2)], sequence=8), dry_run=dry_run)
    assert theirs.get("from-a").entries == 1
    brought(theirs, made(path, [shared(1), shared(2)], sequence=10))
    assert theirs.get("from-a").entries == 2


def test_a_bank_that_holds_something_else_is_refused_and_lists_refuse_a_bank_of_files(
    theirs: Banks, path: Path, tmp_path: Path
) -> None:
    made(path, [shared(1)])
    theirs.create("mine", purpose=Purpose.STOLEN)
    theirs.add_hash("mine", "0" * 64)
    (tmp_path / "list").write_text("0" * 64 + "\n")
    theirs.import_list("listed", tmp_path / "list", ListOptions())
    for name in ("mine", "listed"):
        for dry_run in (True, False):
            with pytest.raises(ConflictError, match="holds other entries, which this file would remove"):
                brought(theirs, path, name, dry_run=dry_run)
        assert theirs.get(name).entries == 1
    theirs.create("empty", purpose=Purpose.STOLEN)
    assert brought(theirs, path, "empty").added == 1
    with pytest.raises(ConflictError, match="filled by signed files"):
        theirs.import_list("empty", tmp_path / "list", ListOptions())
    with pytest.raises(ValueError, match="a bank's name is"):
        brought(theirs, path, "../x")
    assert {bank.name for bank in theirs.all()} == {"mine", "listed", "empty"}


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_an_import_that_is_cut_off_goes_on_with_the_same_file_and_ends_equal(
    theirs: Banks, path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    monkeypatch.setattr(bank_sharing, "_AT_ONCE", 2)
    brought(theirs, made(path, [shared(number) for number in (0, 1, 9)]))
    brought(theirs, path, "whole")
    made(path, [shared(number) for number in range(7)], sequence=8)
    take, left = bank_sharing._take, calls  # noqa: SLF001 -- to be cut off within it

    def torn(*given: Any, **more: Any) -> None:  # noqa: ANN401 -- as it is
        nonlocal left
        left -= 1
        take(*given, **more)
        if not left:
            raise KeyboardInterrupt

    monkeypatch.setattr(bank_sharing, "_take", torn)
    for name in ("from-a", "new"):
        left = calls
        with pytest.raises(KeyboardInterrupt):
            brought(theirs, path, name)
    monkeypatch.setattr(bank_sharing, "_take", take)
    assert theirs.get("from-a").entries >= 3  # nothing is removed before all of it is there
    brought(theirs, path, "whole")
    for name in ("from-a", "new"):
        brought(theirs, path, name)
        assert {entry.pdq for entry in theirs.entries(name)} == {entry.pdq for entry in theirs.entries("whole")}
        assert theirs.get(name).checkpoint == theirs.get("whole").checkpoint


def test_nothing_of_labels_accounts_paths_and_thumbnails_is_in_the_file(tmp_path: Path, path: Path) -> None:
    folder = tmp_path / "secret-folder"
    folder.mkdir()
    data = photos.jpeg(SOURCE)
    (folder / "secret-name.jpg").write_bytes(data)
    with Index.create(tmp_path / "index") as index:
        index.add([NewPhoto.at(folder / "secret-name.jpg", account="secret-account", name="secret-person")])
        banks = index.bank_lists
        banks.create("acme", owner="secret-owner", note="secret-bank")
        banks.add_photo(
            "acme",
            NamedPhoto(str(folder / "secret-name.jpg"), data),
            by="secret-by",
            uri="secret-uri",
            ref="secret-ref",
        )
        entry = banks.add_hash(
            "acme", "0" * 64, ref="secret-ref", metadata={"secret": "secret"}, note="told", by="secret-by"
        )
        banks.say("acme", entry.entry, Opinion.CONFIRMED, by="secret-by", reason="secret-reason")
        with index.parts.catalog.read() as session:
            rows = session.sql.exec_driver_sql("SELECT thumbnail FROM features").all()
        [(thumbnail,)] = rows
        assert len(thumbnail) > 100
        assert banks.share("acme", path, KEY, sender="A") == 2
        shared = path.read_bytes()
        assert b"told" in shared
        assert b"secret" not in shared
        assert b"\xff\xd8\xff" not in shared  # how a JPEG begins
        assert thumbnail[20:60] not in shared
        assert data[200:240] not in shared


def test_words_that_a_file_may_not_hold_are_cleaned_and_do_not_keep_the_bank_from_being_shared(
    ours: Banks, theirs: Banks, path: Path, tmp_path: Path
) -> None:
    record = {"signalType": "ImagePDQ", "hashValue": "0" * 64, "tags": ["a\x01b", "\x01", "x" * 300]}
    (tmp_path / "list.json").write_text(json.dumps([record]))
    ours.import_list("acme", tmp_path / "list.json", ListOptions())
    assert ours.share("acme", path, KEY, sender="A") == 1
    brought(theirs, path)
    assert theirs.entries("from-a")[0].tags == ("a b", "x" * 255)


def test_what_cannot_be_shared_is_said_and_leaves_no_file(ours: Banks, path: Path) -> None:
    with pytest.raises(NotFoundError, match="no bank 'acme'"):
        ours.share("acme", path, KEY, sender="A")
    ours.create("acme")
    with pytest.raises(ValueError, match="sender's name"):
        ours.share("acme", path, KEY, sender="")
    assert list(path.parent.iterdir()) == []
    assert ours.share("acme", path, KEY, sender="A") == 0
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.slow
def test_a_site_without_features_shares_fingerprints_and_one_without_pdq_takes_pictures_alone(
    tmp_path: Path, path: Path
) -> None:
    with Index.create(tmp_path / "bare", depth=Depth.FINGERPRINT) as index:
        index.bank_lists.create("acme")
        index.bank_lists.add_photo("acme", named(SOURCE))
        index.bank_lists.add_hash("acme", "0" * 64)
        index.bank_lists.share("acme", path, KEY, sender="A")
    with Index.create(tmp_path / "phash", hashers=("phash",)) as index:
        done = brought(index.bank_lists, path)
        assert counts(done) == {"read": 2, "added": 1, "other": 1}
        assert [name for name, _ in hit(index.check(photos.jpeg(SOURCE, 60)))] == ["from-a"]
        assert counts(brought(index.bank_lists, path)) == {"read": 2, "unchanged": 1, "other": 1}
