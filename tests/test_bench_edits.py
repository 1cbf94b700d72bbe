from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from photos import picture, png

from imgmatch.index import Index
from imgmatch.model import NewPhoto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from PIL import Image

BENCH = Path(__file__).parent / "bench"
FAMILIES = {
    "recompression",
    "size",
    "colour",
    "blur",
    "mirror",
    "rotation",
    "crop",
    "frame",
    "caption",
    "sticker",
    "stripes",
    "meme",
    "screenshot",
    "pasted",
    "collage",
    "perspective",
    "chain",
    "squeeze",
    "covered",
    "warped",
    "overlaid",
    "redrawn",
    "small",
    "negative",
}
FIXED = {
    *("grey", "sepia", "posterised", "sketch", "mirror", "mirror-grey", "rotate-90", "rotate-180", "rotate-270"),
    *("negative", "negative-grey", "negative+mirror+jpeg"),
}
"""Edits that leave nothing to chance."""

PORTRAIT, LANDSCAPE = (200, 267), (267, 200)
SEEDS = range(10, 16)


@pytest.fixture(scope="module")
def edits() -> Iterator[ModuleType]:
    """The package as the benchmarks see it: they are run by path, so their folder is where imports begin."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCH)
        yield import_module("edits")
    for name in [name for name in sys.modules if name.partition(".")[0] == "edits"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def others() -> list[Image.Image]:
    return [picture(seed, PORTRAIT if seed % 2 else LANDSCAPE) for seed in range(4)]


def pixels(image: Image.Image) -> tuple[tuple[int, int], bytes]:
    return image.size, image.tobytes()


def test_there_are_at_least_35_edits_and_every_family_has_some(edits: ModuleType) -> None:
    assert len(edits.EDITS) >= 35
    assert set(edits.FAMILIES) == FAMILIES
    assert {edit.family for edit in edits.EDITS.values()} == FAMILIES
    assert all(name == edit.name and 1 in edit.strengths for name, edit in edits.EDITS.items())


@pytest.mark.slow
@pytest.mark.parametrize("size", [PORTRAIT, LANDSCAPE])
def test_every_edit_gives_an_rgb_picture_of_a_usable_size_and_leaves_its_input_as_it_was(
    edits: ModuleType, size: tuple[int, int], others: list[Image.Image]
) -> None:
    original = picture(7, size)
    before, around = pixels(original), [pixels(other) for other in others]
    for edit in edits.EDITS.values():
        for strength in edit.strengths:
            drawn = edits.edited(edit.name, original, strength, 1, others)
            assert drawn.mode == "RGB", edit.name
            assert min(drawn.size) >= 64, edit.name
            assert max(drawn.size) <= 2400, edit.name
            assert pixels(original) == before, edit.name
    assert [pixels(other) for other in others] == around


def test_a_very_large_picture_is_brought_within_the_bounds(edits: ModuleType, others: list[Image.Image]) -> None:
    original = picture(8, (2600, 1950))
    for name in ("rotate-90", "enlarged", "frame"):
        assert max(edits.edited(name, original, 1, 1, others).size) <= 2400, name


@pytest.mark.slow
def test_one_seed_gives_one_picture_and_another_seed_another_unless_the_edit_is_fixed(
    edits: ModuleType,
    others: list[Image.Image],
) -> None:
    original = picture(9, (300, 400))  # so large that no edit meets the least size, which leaves no choice
    for name in edits.EDITS:
        first = pixels(edits.edited(name, original, 1, 1, others))
        assert pixels(edits.edited(name, original, 1, 1, others)) == first, name
        differs = any(pixels(edits.edited(name, original, 1, seed, others)) != first for seed in SEEDS)
        assert differs is (name not in FIXED), name


@pytest.mark.slow
def test_an_edit_changes_the_picture(edits: ModuleType, others: list[Image.Image]) -> None:
    original = picture(10, PORTRAIT)
    same = [name for name in edits.EDITS if pixels(edits.edited(name, original, 1, 1, others)) == pixels(original)]
    assert not same


def test_every_negative_is_found_and_said_to_be_one(
    edits: ModuleType, others: list[Image.Image], tmp_path: Path
) -> None:
    original = picture(11, (300, 400))
    (tmp_path / "stored.png").write_bytes(png(original))
    asked = [
        png(edits.edited(edit.name, original, strength, 1, others))
        for edit in edits.EDITS.values()
        if edit.family == "negative"
        for strength in edit.strengths
    ]
    with Index.create(tmp_path / "index") as index:
        index.add([NewPhoto.at(tmp_path / "stored.png", account="a")])
        found = [index.check(one) for one in asked]
    assert [[(match.photo.account, match.evidence.negative) for match in one] for one in found] == [[("a", True)]] * 5
