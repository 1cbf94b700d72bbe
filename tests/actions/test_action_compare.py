from __future__ import annotations

from typing import TYPE_CHECKING

import photos
import pytest
from PIL import Image, ImageOps

from imgmatch.actions.compare import compare
from imgmatch.errors import PhotoError
from imgmatch.index import Index
from imgmatch.model import Depth, Kind, NamedPhoto, NewPhoto

if TYPE_CHECKING:
    from pathlib import Path

ONE = photos.picture(1, (160, 200))


def named(name: str, content: bytes) -> NamedPhoto:
    return NamedPhoto(name, content)


def test_the_evidence_is_that_of_a_check_in_an_index(tmp_path: Path) -> None:
    stored = tmp_path / "stored.jpg"
    stored.write_bytes(photos.jpeg(ONE))
    query = photos.jpeg(ImageOps.mirror(ONE).transpose(Image.Transpose.ROTATE_270), 50)
    found = compare(named("q", query), NamedPhoto("s", stored))
    with Index.create(tmp_path / "index") as index:
        index.add([NewPhoto.at(stored, account="a")])
        [match] = index.check(query)
    assert (found.query, found.stored, found.is_match, found.evidence) == ("q", "s", True, match.evidence)
    assert (found.evidence.mirrored, found.evidence.rotation) == (True, 90)


def test_a_negative_has_the_evidence_of_a_check_too_at_either_depth(tmp_path: Path) -> None:
    stored = tmp_path / "stored.jpg"
    stored.write_bytes(photos.jpeg(ONE))
    query = photos.jpeg(ImageOps.invert(ImageOps.mirror(ONE)), 50)
    for depth in Depth:
        with Index.create(tmp_path / str(depth), depth=depth) as index:
            index.add([NewPhoto.at(stored, account="a")])
            [match] = index.check(query)
            found = index.compare(query, stored)
        assert (found.is_match, found.evidence) == (True, match.evidence)
        assert (found.evidence.kind, found.evidence.mirrored, found.evidence.negative) == (Kind.NEAR, True, True)


def test_the_same_pixels_are_exact() -> None:
    found = compare(named("q", photos.jpeg(ONE)), named("s", photos.jpeg(ONE, comment=b"other")))
    assert (found.is_match, found.evidence.kind) == (True, Kind.EXACT)


def test_two_pictures_that_have_nothing_in_common_are_no_match_and_still_get_a_distance() -> None:
    found = compare(named("q", photos.jpeg(ONE)), named("s", photos.jpeg(photos.picture(2))))
    assert not found.is_match
    assert found.evidence.distance is not None
    assert found.evidence.distance > 70


def test_the_distance_asked_for_is_inclusive() -> None:
    pair = (named("q", photos.jpeg(ONE, 8)), named("s", photos.jpeg(ONE)))
    distance = compare(*pair).evidence.distance
    assert distance
    assert compare(*pair, max_distance=distance).evidence.kind is Kind.NEAR
    assert compare(*pair, max_distance=distance - 1).evidence.kind is not Kind.NEAR


def test_a_photo_that_cannot_be_used_is_named_with_the_reason() -> None:
    with pytest.raises(PhotoError, match=r"flat: grey\.jpg: too little detail"):
        compare(named("q.jpg", photos.jpeg(ONE)), named("grey.jpg", photos.jpeg(photos.flat())))
    with pytest.raises(PhotoError, match=r"unreadable: q\.jpg: "):
        compare(named("q.jpg", b"junk"), named("s.jpg", photos.jpeg(ONE)))
