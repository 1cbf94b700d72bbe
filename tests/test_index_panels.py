"""A photo that is a small part of a page is a picture of its own: for a check, a ring, a decision and an erasure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
import screens
from sqlalchemy import func, select

from imgmatch import compare, hash_photos
from imgmatch.catalog import schema
from imgmatch.catalog.banks import read_banks
from imgmatch.demo.portraits import portrait
from imgmatch.index import Index
from imgmatch.model import Kind, NamedPhoto, NewPhoto, Purpose, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.model import Outline

FACE = 1
ON_PAGE = np.array(screens.FACE, np.float64).reshape(2, 2) / screens.SIZE
"""Where the face is on a page: its upper left and its lower right corner, as shares of its sides."""


def photo_of(folder: Path, account: str, data: bytes) -> NewPhoto:
    path = folder / account / "photo.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return NewPhoto.at(path, account=account, photo_id=account)


def face() -> bytes:
    """The photo as its owner has it."""
    return photos.jpeg(portrait(FACE))


def page(seed: int = 0, quality: int = 85) -> bytes:
    """Somebody's profile with the same photo, passed on as a screenshot."""
    return photos.jpeg(screens.profile(portrait(FACE), seed), quality)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.create(tmp_path / "index") as made:
        yield made


def add(index: Index, folder: Path, **of: bytes) -> None:
    index.add([photo_of(folder, account, data) for account, data in of.items()])


def is_on_face(outline: Outline | None) -> bool:
    """Whether an outline lies on the face of a page, and covers most of it."""
    assert outline is not None
    low, high = np.array(outline).min(axis=0), np.array(outline).max(axis=0)
    return bool((low > ON_PAGE[0] - 0.03).all() and (high < ON_PAGE[1] + 0.03).all() and np.ptp(outline, 0).min() > 0.1)


def test_a_stored_page_is_found_by_the_photo_and_says_where_it_is_on_it(index: Index, tmp_path: Path) -> None:
    add(index, tmp_path, page=page(), other=photos.jpeg(portrait(40)))
    [match] = index.check(face())
    assert (match.photo.account, match.evidence.kind, match.frame) == ("page", Kind.PARTIAL, None)
    assert is_on_face(match.evidence.outline_stored)
    assert match.evidence.overlap is not None
    assert match.evidence.overlap < 0.12  # of the page, of which the face is a small part


def test_a_page_finds_the_photo_that_is_on_it_and_says_where(index: Index, tmp_path: Path) -> None:
    add(index, tmp_path, owner=face(), other=photos.jpeg(portrait(40)))
    [match] = index.check(page())
    assert (match.photo.account, match.evidence.kind) == ("owner", Kind.PARTIAL)
    assert is_on_face(match.evidence.outline_query)


def test_two_photos_are_compared_by_their_panels_too() -> None:
    found = compare(page(), face())
    assert found.is_match
    assert is_on_face(found.evidence.outline_query)
    assert compare(page(), page()).evidence.kind is Kind.EXACT
    assert not compare(page(), photos.jpeg(portrait(41))).is_match
    [hashed] = hash_photos([page()])
    assert hashed.frames == ()


@pytest.mark.slow
def test_a_ring_ties_a_page_to_the_photo_on_it(index: Index, tmp_path: Path) -> None:
    add(index, tmp_path, owner=face(), page=page(), other=photos.jpeg(portrait(40)))
    [ring] = index.rings().rings
    [group] = ring.groups
    assert {photo.account for photo in group.photos} == {"owner", "page"}
    evidence = {photo.account: one for photo, one in zip(group.photos, group.evidence, strict=True)}
    there = evidence["owner"] if group.medoid.account == "page" else evidence["page"]
    assert there.kind is Kind.PARTIAL
    assert is_on_face(there.outline_stored if group.medoid.account == "page" else there.outline_query)
    assert index.rings().rings == (ring,)


@pytest.mark.slow
def test_copies_of_one_page_are_one_group_whatever_is_on_it(index: Index, tmp_path: Path) -> None:
    add(index, tmp_path, one=page(), two=page(quality=40))
    [ring] = index.rings().rings
    [group] = ring.groups
    assert {photo.account for photo in group.photos} == {"one", "two"}
    assert {photo.panel for photo in group.photos} == {None}


@pytest.mark.slow
def test_a_decision_on_a_photo_says_nothing_of_the_others_on_the_page(index: Index, tmp_path: Path) -> None:
    add(index, tmp_path, owner=face(), page=page(), friend=photos.jpeg(portrait(910)))
    [ring] = index.rings().rings
    named = {frozenset(photo.account for photo in group.photos): group for group in ring.groups}
    assert named.keys() == {frozenset({"owner", "page"}), frozenset({"friend", "page"})}
    index.decide(Verdict.COMMON, group=named[frozenset({"owner", "page"})].group, by="ann")
    report = index.rings()
    [group] = [group for ring in report.rings for group in ring.groups]
    assert {photo.account for photo in group.photos} == {"friend", "page"}
    [common] = report.common
    assert {photo.account for photo in common.photos} == {"owner", "page"}
    with index.parts.catalog.read() as session:
        assert sorted(picture.photo_id or "" for picture in read_banks(session)) == ["owner", "page"]


@pytest.mark.slow
def test_pages_that_show_one_friend_each_in_another_place_tie_nobody(index: Index, tmp_path: Path) -> None:
    def grid(number: int) -> bytes:
        tiles = [portrait(seed) for seed in range(60 + 10 * number, 68 + 10 * number)]
        tiles.insert(2 * number, portrait(910))
        return photos.jpeg(screens.grid(tiles, 3, 180 - 30 * number, 3 * number))

    add(index, tmp_path, **{f"grid{number}": grid(number) for number in range(4)})
    assert index.rings().rings == ()


@pytest.mark.slow
def test_two_pages_that_show_one_friend_are_tied_by_the_friends_own_photo_alone(index: Index, tmp_path: Path) -> None:
    friend = portrait(910)
    grid = photos.jpeg(screens.grid([friend, *(portrait(seed) for seed in range(70, 78))], 3))
    add(index, tmp_path, page=page(), grid=grid)
    assert index.check(grid, account="grid").matches == ()
    assert index.rings().rings == ()
    assert not compare(page(), grid).is_match
    add(index, tmp_path, friend=photos.jpeg(friend))
    assert {match.photo.account for match in index.check(grid, account="grid")} == {"friend"}
    [ring] = index.rings().rings
    assert {member.account for member in ring.accounts} == {"page", "grid", "friend"}


def test_a_page_is_put_on_a_bank_without_what_else_is_on_it(index: Index) -> None:
    index.bank_lists.create("pages", purpose=Purpose.STOLEN)
    assert len(list(index.bank_lists.add_photos("pages", [NamedPhoto("photo.jpg", page())]))) == 1
    with index.parts.catalog.read() as session:
        assert [picture.label for picture in read_banks(session)] == ["photo.jpg"]


def test_nothing_of_a_page_is_left_when_its_account_is_erased(index: Index, tmp_path: Path) -> None:
    add(index, tmp_path, page=page())
    with index.parts.catalog.read() as session:
        assert len(session.sql.execute(select(schema.features.c.id)).all()) > 4  # the page, and what is on it
    index.erase(account="page")
    with index.parts.catalog.read() as session:
        for table in (schema.features, schema.fingerprints, schema.photo_pictures):
            assert session.sql.scalar(select(func.count()).select_from(table)) == 0
