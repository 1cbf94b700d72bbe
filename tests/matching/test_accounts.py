from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.catalog.banks import KNOWN_COMMON, KNOWN_STOLEN, BankPicture, add_to_bank
from imgmatch.engines.base import Hits
from imgmatch.index import Index
from imgmatch.matching.accounts import known_photo
from imgmatch.matching.bank_hits import nearest
from imgmatch.matching.evidence import EXACT, Near
from imgmatch.model import Kind, NewPhoto, Photo, Purpose, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = (160, 200)

FOUND = st.lists(st.tuples(st.integers(0, 23), st.integers(1, 6), st.integers(0, 40)), unique_by=lambda hit: hit[:2])


def hits(found: list[tuple[int, int, int]]) -> Hits:
    queries, ids, distances = (np.array([hit[which] for hit in found], np.int64) for which in range(3))
    return Hits.sorted(queries, ids, distances.astype(np.int32))


@given(FOUND, st.sampled_from([0, 8, 16]))
def test_each_fingerprint_gets_the_nearest_of_the_eight_rows_of_its_query_the_earlier_on_a_tie(
    found: list[tuple[int, int, int]], first_row: int
) -> None:
    expected: dict[int, Near] = {}
    for fingerprint in range(1, 7):
        own = [(d, row - first_row) for row, i, d in found if i == fingerprint and 0 <= row - first_row < 8]
        if own:
            expected[fingerprint] = Near(*min(own))
    assert nearest(hits(found), first_row) == expected


def test_what_is_near_as_it_is_counts_before_what_is_nearer_to_the_negative() -> None:
    found = hits([(16 + 3, 1, 30), (16 + 9, 1, 2), (16 + 10, 2, 5), (16 + 9, 2, 5), (16 + 15, 2, 7), (0, 2, 0)])
    assert nearest(found, 16, 16) == {1: Near(30, 3), 2: Near(5, 9)}


def test_exact_evidence_is_certain_and_upright() -> None:
    assert (EXACT.kind, EXACT.score, EXACT.distance) == (Kind.EXACT, 1.0, 0)
    assert (EXACT.mirrored, EXACT.rotation, EXACT.overlap, EXACT.agreement) == (False, 0, 1.0, 1.0)


@pytest.mark.parametrize("distance", [0, 36])
def test_distances_are_whole_bits(distance: int) -> None:
    (near,) = nearest(hits([(3, 1, distance)])).values()
    assert (near.distance, near.orientation) == (distance, 3)


def test_a_known_picture_is_shown_as_the_photo_it_was_taken_from_as_far_as_that_may_be_named() -> None:
    picture = BankPicture(
        id=1,
        bank=KNOWN_STOLEN,
        purpose=Purpose.STOLEN,
        ratio=1.0,
        active=True,
        pixels=b"x" * 16,
        fingerprint_id=5,
        label="a/1.jpg",
        photo_id="p1",
        account="a",
        ref=None,
        added_at=1_000_000,
    )
    added = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert known_photo(picture) == Photo("a", "a/1.jpg", "p1", None, added, KNOWN_STOLEN)
    erased = replace(picture, label="erased", photo_id=None, account=None)
    assert known_photo(erased) == Photo("", "erased", "", None, added, KNOWN_STOLEN)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("home") / "index") as opened:
        yield opened


def test_a_match_says_which_list_of_known_pictures_its_photo_is_on(index: Index, tmp_path: Path) -> None:
    pictures = {"a": photos.picture(1, SIZE), "b": photos.picture(2, SIZE)}
    for account, picture in pictures.items():
        (tmp_path / f"{account}.jpg").write_bytes(photos.jpeg(picture))
        index.add([NewPhoto.at(tmp_path / f"{account}.jpg", account=account, photo_id=account)])
    with index.parts.catalog.write() as session:
        add_to_bank(session, KNOWN_COMMON, ["a"], "phash")
    found = [
        (match.photo.account, match.photo.bank) for name in "ab" for match in index.check(tmp_path / f"{name}.jpg")
    ]
    assert found == [("a", KNOWN_COMMON), ("b", None)]


def test_a_known_picture_that_no_account_carries_any_more_is_a_match_without_an_account(
    index: Index, tmp_path: Path
) -> None:
    picture = photos.picture(7, (480, 600))
    (tmp_path / "1.jpg").write_bytes(photos.jpeg(picture))
    index.add([NewPhoto.at(tmp_path / "1.jpg", account="gone", photo_id="p7")])
    with index.parts.catalog.write() as session:
        add_to_bank(session, KNOWN_STOLEN, ["p7"], "phash")
    for asked in (picture.resize((300, 375)), picture.crop((70, 90, 430, 500))):
        (before,) = index.check(photos.jpeg(asked))
        assert (before.photo.account, before.photo.bank) == ("gone", KNOWN_STOLEN)
    index.remove(account="gone")
    for asked in (picture.resize((300, 375)), picture.crop((70, 90, 430, 500))):
        result = index.check(photos.jpeg(asked))
        assert (result.status, result.accounts, result.reason) == (Status.MATCH, 0, None)
        (match,) = result
        assert (match.photo.account, match.photo.photo_id, match.photo.photo) == ("", "", "erased")
        assert match.photo.bank == KNOWN_STOLEN
    assert index.check(photos.jpeg(photos.picture(9, SIZE))).status == Status.NO_MATCH


def test_the_evidence_for_a_known_picture_is_the_same_when_no_account_carries_it_any_more(
    index: Index, tmp_path: Path
) -> None:
    picture = photos.picture(8, (480, 600))
    (tmp_path / "1.jpg").write_bytes(photos.jpeg(picture))
    index.add([NewPhoto.at(tmp_path / "1.jpg", account="left", photo_id="p8")])
    with index.parts.catalog.write() as session:
        add_to_bank(session, KNOWN_STOLEN, ["p8"], "phash")
    asked = [photos.jpeg(picture), photos.jpeg(picture.resize((300, 375)), 60)]
    before = [match.evidence for photo in asked for match in index.check(photo)]
    assert [evidence.kind for evidence in before] == [Kind.EXACT, Kind.NEAR]
    index.remove(account="left")
    after = [match.evidence for photo in asked for match in index.check(photo)]
    assert [(one.kind, one.distance) for one in after] == [(one.kind, one.distance) for one in before]
