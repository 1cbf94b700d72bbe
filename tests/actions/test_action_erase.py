from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import photos
import pytest
from sqlalchemy import select

from imgmatch.actions.erase import erase
from imgmatch.catalog import schema
from imgmatch.errors import ImgmatchError
from imgmatch.index import Index
from imgmatch.model import NewPhoto, Skipped, SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = (160, 200)
WHEN = datetime(2026, 1, 1, tzinfo=UTC)
VICTIM, THIEF, OTHER = "victim-account", "thief-account", "other-account"


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
    photo = schema.photos.c
    with index.catalog.read() as connection:
        row, sha256, pixels = connection.execute(
            select(photo.id, photo.sha256, photo.pixels).where(photo.photo_id == photo_id)
        ).one()
        links = schema.photo_fingerprints.c
        bits = select(schema.fingerprints.c.bits).join(
            schema.photo_fingerprints, links.fingerprint_id == schema.fingerprints.c.id
        )
        return {sha256, pixels, *connection.scalars(bits.where(links.photo_id == row))}


def test_nothing_of_an_erased_account_is_left_in_any_file(index: Index) -> None:
    own = secrets(index, f"{VICTIM}-own")
    assert len(own) == 4
    assert all(holding(index, secret) for secret in own)
    erasure = erase(index, account=VICTIM)
    assert (erasure.account, erasure.photo_id, erasure.photos) == (VICTIM, None, 2)
    assert erasure.traces == 0
    assert erasure.searched_for == 4  # what the thief has as well is not the victim's alone
    assert erasure.files_searched >= 3
    for needle in (*own, VICTIM.encode(), b"number of victim", b"shared.jpg\0never"):
        assert holding(index, needle) == [], needle


def test_an_identical_photo_on_another_account_stays(index: Index, tmp_path: Path) -> None:
    shared = tmp_path / "photos" / VICTIM / "shared.jpg"
    erase(index, account=VICTIM)
    assert [match.photo.account for match in index.check(shared)] == [THIEF]
    assert holding(index, hashlib.sha256(shared.read_bytes()).digest()) == ["catalog.sqlite3"]
    with Index.open(index.path) as again:
        assert [match.photo.account for match in again.check(shared)] == [THIEF]


def test_one_photo_can_be_erased_and_the_rest_of_the_account_stays(index: Index, tmp_path: Path) -> None:
    own = secrets(index, f"{VICTIM}-own")
    erasure = erase(index, photo_id=f"{VICTIM}-own")
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
    before = index.header
    with pytest.raises(ImgmatchError, match=message) as raised:
        erase(index, **named)
    assert raised.value.exit_code == 1
    assert index.header == before


def test_an_account_known_only_by_a_photo_that_was_skipped_can_be_erased(index: Index) -> None:
    index.add([Skipped("ghost/1.jpg", SkipReason.UNREADABLE, "no picture", "ghost-account")], source="elsewhere")
    erasure = erase(index, account="ghost-account")
    assert (erasure.photos, erasure.traces) == (0, 0)
    assert holding(index, b"ghost-account") == []


def test_a_reader_that_still_has_the_photo_in_hand_finds_it_no_more(index: Index, tmp_path: Path) -> None:
    own = tmp_path / "photos" / VICTIM / "own.jpg"
    with Index.open(index.path) as reader:
        assert reader.check(own).accounts == 1
        assert erase(index, account=VICTIM).traces == 0
        assert reader.check(own).accounts == 0
