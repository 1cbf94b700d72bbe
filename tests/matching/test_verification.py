"""What a check says of copies and strangers, through a whole index of drawn photos."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from imgmatch.index import Index
from imgmatch.matching import checking
from imgmatch.matching.evidence import Near, apart, nearest_negative_of, nearest_of
from imgmatch.model import Depth, Kind, NewPhoto, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = (480, 600)
PICTURES = {name: photos.picture(seed, SIZE) for seed, name in enumerate(("ann", "bob", "cat", "dan", "eve"), 40)}


def filled(home: Path, **options: object) -> Index:
    photos.write_accounts(home / "photos", {name: {"1.jpg": image} for name, image in PICTURES.items()})
    index = Index.create(home / "index", **options)  # type: ignore[arg-type]
    index.add([NewPhoto.at(path, account=path.parent.name) for path in sorted((home / "photos").glob("*/*.jpg"))])
    return index


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with filled(tmp_path_factory.mktemp("home")) as opened:
        yield opened


def screenshot(picture: Image.Image) -> Image.Image:
    """A phone's screen with the picture in a bubble among lines of text."""
    screen = Image.new("RGB", (720, 1560), (236, 229, 221))
    for line in range(14):
        screen.paste((90, 90, 90), (40, 60 + 105 * line, 80 + 37 * (line % 5) + 260, 74 + 105 * line))
    screen.paste(picture.resize((400, 500)), (280, 500))
    return screen


def test_a_mirrored_square_crop_names_the_account_with_its_evidence(index: Index) -> None:
    crop = ImageOps.mirror(PICTURES["cat"].crop((60, 90, 440, 470)))
    result = index.check(photos.jpeg(crop, 75))
    assert (result.status, result.accounts) == (Status.MATCH, 1)
    (match,) = result
    evidence = match.evidence
    assert (match.photo.account, evidence.kind, evidence.mirrored, evidence.distance) == (
        "cat",
        Kind.PARTIAL,
        True,
        None,
    )
    assert evidence.rotation in {0, 1, 359}
    assert evidence.score > 0.95
    assert evidence.overlap == pytest.approx(380 * 380 / (480 * 600), abs=0.03)
    assert evidence.agreement is not None
    assert evidence.agreement > 0.9
    assert evidence.outline_query is not None
    assert evidence.outline_stored is not None
    # Corner by corner: what is left in the crop is right in the photo.
    for (x, y), (across, down) in zip(evidence.outline_query, evidence.outline_stored, strict=True):
        assert across == pytest.approx((440 - 380 * x) / 480, abs=0.03)
        assert down == pytest.approx((90 + 380 * y) / 600, abs=0.03)


def test_a_screenshot_and_a_collage_name_every_account_on_them(index: Index) -> None:
    (match,) = index.check(photos.jpeg(screenshot(PICTURES["bob"]), 80))
    assert (match.photo.account, match.evidence.kind) == ("bob", Kind.PARTIAL)
    collage = Image.new("RGB", (800, 500))
    collage.paste(PICTURES["ann"].resize((400, 500)), (0, 0))
    collage.paste(PICTURES["dan"].resize((400, 500)), (400, 0))
    assert {match.photo.account for match in index.check(photos.jpeg(collage, 80))} == {"ann", "dan"}


def test_a_near_copy_is_verified_too(index: Index) -> None:
    (match,) = index.check(photos.jpeg(PICTURES["eve"].rotate(-90, expand=True), 40))
    evidence = match.evidence
    assert (match.photo.account, evidence.kind, evidence.rotation) == ("eve", Kind.NEAR, 90)
    assert evidence.overlap == pytest.approx(1, abs=0.03)
    assert evidence.agreement is not None
    assert evidence.agreement > 0.9


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_rotation_says_how_the_copy_was_turned(index: Index, mirrored: bool) -> None:  # noqa: FBT001 -- parametrize passes it by name
    made = ImageOps.mirror(PICTURES["bob"]) if mirrored else PICTURES["bob"]
    turned = made.rotate(-20, Image.Resampling.BICUBIC).crop((100, 130, 380, 470))
    (match,) = index.check(photos.jpeg(turned))
    assert (match.photo.account, match.evidence.mirrored) == ("bob", mirrored)
    assert match.evidence.rotation == pytest.approx(20, abs=2)


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_every_orientation_lies_on_its_picture(index: Index, mirrored: bool, quarters: int) -> None:  # noqa: FBT001 -- the same
    made = ImageOps.mirror(PICTURES["eve"]) if mirrored else PICTURES["eve"]
    # Blurred until no point is left: only frame on frame can tell.
    turned = made.rotate(-90 * quarters, expand=True).filter(ImageFilter.GaussianBlur(6))
    (match,) = index.check(photos.jpeg(turned))
    evidence = match.evidence
    assert (evidence.kind, evidence.mirrored, evidence.rotation) == (Kind.NEAR, mirrored, 90 * quarters)
    assert evidence.agreement is not None
    assert evidence.agreement > 0.8


@pytest.mark.parametrize("turned", [0, 90])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_negative_names_the_account_and_is_said_to_be_one(index: Index, mirrored: bool, turned: int) -> None:  # noqa: FBT001 -- the same
    made = ImageOps.mirror(PICTURES["dan"]) if mirrored else PICTURES["dan"]
    made = ImageOps.invert(made.rotate(-turned, expand=True).resize((300, 360)))
    (match,) = index.check(photos.jpeg(made, 60))
    evidence = match.evidence
    assert (match.photo.account, evidence.kind, evidence.negative) == ("dan", Kind.NEAR, True)
    assert (evidence.mirrored, evidence.rotation) == (mirrored, turned)
    assert evidence.score > 0.95
    assert evidence.distance is not None
    assert evidence.distance <= 12
    assert evidence.agreement is not None
    assert evidence.agreement > 0.9


def test_a_negative_of_a_stored_negative_is_a_plain_copy(tmp_path: Path) -> None:
    photos.write_accounts(tmp_path / "photos", {"neg": {"1.jpg": ImageOps.invert(PICTURES["ann"])}})
    with Index.create(tmp_path / "index") as opened:
        opened.add([NewPhoto.at(tmp_path / "photos/neg/1.jpg", account="neg")])
        (plain,) = opened.check(photos.jpeg(ImageOps.invert(PICTURES["ann"]), 60))
        (negative,) = opened.check(photos.jpeg(PICTURES["ann"]))
    assert (plain.evidence.negative, negative.evidence.negative) == (False, True)


def test_a_picture_that_is_nearly_its_own_negative_is_found_as_it_is(tmp_path: Path) -> None:
    half = np.asarray(photos.picture(44, (240, 480)))
    both = Image.fromarray(np.hstack([half, 255 - half[:, ::-1]]))  # mirrored it is its negative
    photos.write_accounts(tmp_path / "photos", {"two": {"1.jpg": both}, "ann": {"1.jpg": PICTURES["ann"]}})
    with Index.create(tmp_path / "index") as opened:
        opened.add([NewPhoto.at(tmp_path / f"photos/{name}/1.jpg", account=name) for name in ("ann", "two")])
        (match,) = opened.check(photos.jpeg(both, 50))
        (mirrored,) = opened.check(photos.jpeg(ImageOps.mirror(both), 50))
    assert (match.photo.account, match.evidence.negative, match.evidence.mirrored) == ("two", False, False)
    assert (mirrored.photo.account, mirrored.evidence.negative, mirrored.evidence.mirrored) == ("two", False, True)


def test_pictures_that_share_a_caption_and_a_background_are_strangers(index: Index) -> None:
    with_room = photos.picture(70, SIZE)
    for other in (71, 72):
        shared = with_room.copy()
        shared.paste(photos.picture(other, (300, 420)), (90, 120))
        result = index.check(photos.jpeg(shared))
        assert (result.status, list(result)) == (Status.NO_MATCH, [])


def test_a_photo_on_a_large_plain_page_is_searched_as_the_photo_it_is(index: Index) -> None:
    def on_white(picture: Image.Image) -> bytes:
        page = Image.new("RGB", (900, 900), "white")
        page.paste(picture.resize((260, 320)), (560, 40))
        return photos.png(page)

    assert index.check(on_white(photos.picture(99))).status is Status.NO_MATCH
    assert {match.photo.account for match in index.check(on_white(PICTURES["ann"]))} == {"ann"}


def test_a_flat_drawing_is_searched_by_its_features_and_says_so_where_they_find_nothing(index: Index) -> None:
    page = Image.new("RGB", (900, 900), "white")
    for line, words in enumerate(("Only good vibes", "Coffee first", "Monday again")):
        ImageDraw.Draw(page).text((300, 60 * line + 80), words, fill="black", font=ImageFont.load_default(40))
    nothing = index.check(photos.png(page))
    assert nothing.status is Status.NOT_SEARCHABLE
    assert nothing.reason is not None
    assert nothing.reason.startswith("flat: ")


def test_without_features_only_fingerprints_speak(tmp_path: Path) -> None:
    crop = photos.jpeg(PICTURES["cat"].crop((60, 90, 440, 470)))
    with filled(tmp_path, depth=Depth.FINGERPRINT) as bare:
        assert bare.counts()["features"] == 0
        assert bare.check(crop).status is Status.NO_MATCH
        (match,) = bare.check(photos.jpeg(PICTURES["cat"], 40))
    assert match.evidence.kind is Kind.NEAR
    assert (match.evidence.overlap, match.evidence.agreement, match.evidence.outline_query) == (None, None, None)


@pytest.mark.slow
def test_without_thumbnails_a_crop_is_found_by_its_points_alone(tmp_path: Path) -> None:
    with filled(tmp_path, thumbnails=False) as bare:
        (match,) = bare.check(photos.jpeg(PICTURES["cat"].crop((40, 60, 470, 560))))
    assert (match.photo.account, match.evidence.kind, match.evidence.agreement) == ("cat", Kind.PARTIAL, None)
    assert match.evidence.overlap == pytest.approx(430 * 500 / (480 * 600), abs=0.05)


def test_what_scores_less_than_is_asked_for_is_left_out(index: Index) -> None:
    crop = photos.jpeg(PICTURES["cat"].crop((60, 90, 440, 470)))
    assert index.check(crop, min_score=1).status is Status.NO_MATCH
    everything = index.check(crop, min_score=0)
    assert everything.matches[0].photo.account == "cat"


@pytest.mark.slow
def test_candidates_with_few_votes_are_left_out_and_no_answer_misses_them(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [photos.jpeg(image.crop((60, 90, 400, 500)).resize((170, 205)), 60) for image in PICTURES.values()]
    asked += [photos.jpeg(screenshot(image), 70) for image in PICTURES.values()]
    usual = [[(match.photo.account, match.evidence) for match in result] for result in index.check_many(asked)]
    monkeypatch.setattr(checking, "LEAST_VOTES", 0.0)
    every = [[(match.photo.account, match.evidence) for match in result] for result in index.check_many(asked)]
    assert every == usual
    assert sum(map(len, usual)) >= len(asked)


def test_the_answer_is_the_same_after_a_rebuild_without_the_photos(tmp_path: Path) -> None:
    crop = photos.jpeg(PICTURES["dan"].crop((60, 90, 440, 470)))
    with filled(tmp_path) as opened:
        before = opened.check(crop)
        for file in (tmp_path / "photos").glob("*/*"):
            file.unlink()
        opened.rebuild()
        assert opened.check(crop) == before
    with Index.open(tmp_path / "index") as again:
        assert again.check(crop) == before


@pytest.mark.parametrize("orientation", range(8))
def test_bits_apart_are_the_least_over_all_orientations(orientation: int) -> None:
    rng = np.random.default_rng(orientation)
    turned = rng.integers(0, 256, (8, 32), dtype=np.uint8)
    stored = turned[orientation].copy()
    stored[0] ^= 0b1011
    assert nearest_of(turned.tobytes(), stored.tobytes()) == Near(3, orientation)
    negative = nearest_negative_of(turned.tobytes(), (~stored).tobytes())
    assert (negative, negative.negative) == (Near(3, 8 + orientation), True)
    assert apart(turned, stored.tobytes()) == 3
    assert apart(turned, None) == 128
