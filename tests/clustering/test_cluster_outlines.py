"""Where a copy lies on the picture its group is gathered round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from imgmatch.clustering.grouping import lies_so
from imgmatch.demo import edits
from imgmatch.demo.portraits import portrait
from imgmatch.formats.overlay import affine
from imgmatch.model import Evidence, Kind, Orientation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from planting import Planter

    from imgmatch.model import Group

OFF = 0.03
"""How far a point may be laid from where it truly lies, in longer sides of the picture it is laid over."""


@dataclass(frozen=True)
class Drawn:
    """A copy, and where it shows what: a (3, 3) map of the whole picture's pixels to its own."""

    image: Image.Image
    matrix: NDArray[np.float64]

    def cropped(self, left: int, top: int, right: int, bottom: int) -> Drawn:
        return self._moved(self.image.crop((left, top, right, bottom)), [1, 0, -left], [0, 1, -top])

    def mirrored(self) -> Drawn:
        return self._moved(ImageOps.mirror(self.image), [-1, 0, self.image.width], [0, 1, 0])

    def turned(self) -> Drawn:
        """A quarter clockwise."""
        return self._moved(edits.rotate_90(self.image), [0, -1, self.image.height], [1, 0, 0])

    def resized(self, width: int, height: int) -> Drawn:
        across, along = width / self.image.width, height / self.image.height
        return self._moved(self.image.resize((width, height)), [across, 0, 0], [0, along, 0])

    def warmed(self) -> Drawn:
        return Drawn(edits.warm(self.image), self.matrix)

    def _moved(self, image: Image.Image, *rows: Sequence[float]) -> Drawn:
        return Drawn(image, np.array([*rows, [0, 0, 1]], np.float64) @ self.matrix)


WHOLE = Drawn(portrait(60), np.eye(3))
WIDTH, HEIGHT = WHOLE.image.size
CROP = WHOLE.cropped(WIDTH // 10, HEIGHT // 8, WIDTH * 4 // 5, HEIGHT * 5 // 6)
PARTS = {
    "crop": CROP,
    "shrunk crop": CROP.resized(CROP.image.width * 2 // 3, CROP.image.height * 2 // 3),
    "mirrored crop": CROP.mirrored(),
    "turned crop": CROP.turned(),
    "crop turned back": CROP.turned().turned().turned(),
    "crop mirrored and turned": CROP.mirrored().turned(),
    "upper left": WHOLE.cropped(0, 0, WIDTH * 4 // 5, HEIGHT * 4 // 5),
}
SLIGHT = {
    "slight crop": WHOLE.cropped(WIDTH // 50, 0, WIDTH, HEIGHT),
    "turned slight crop": WHOLE.cropped(0, 0, WIDTH - WIDTH // 40, HEIGHT).turned(),
    "mirrored slight crop": WHOLE.cropped(0, 0, WIDTH - WIDTH // 40, HEIGHT).mirrored(),
}


def off(evidence: Evidence, copy: Drawn, medoid: Drawn) -> float:
    """How far from its true place the farthest point that both show is laid, in longer sides of the medoid."""
    assert evidence.outline_query is not None
    assert evidence.outline_stored is not None
    found = affine(evidence.outline_query, evidence.outline_stored, copy.image.size, medoid.image.size)
    assert found is not None
    laid = np.array(found).reshape(3, 2).T
    across, along = np.meshgrid(*(np.linspace(0, side, 21) for side in copy.image.size))
    points = np.stack([across.ravel(), along.ravel(), np.ones(across.size)])
    true = (medoid.matrix @ np.linalg.inv(copy.matrix) @ points)[:2].T
    shared = ((true >= 0) & (true <= medoid.image.size)).all(axis=1)
    assert shared.sum() > 50
    return float(np.linalg.norm((laid @ points).T - true, axis=1)[shared].max() / max(medoid.image.size))


def only_group(planter: Planter, copies: Mapping[str, Drawn]) -> Group:
    """Of copies that are planted one after the other, so that their features are numbered in that order."""
    for day, (account, drawn) in enumerate(copies.items()):
        planter.plant(account, drawn.image, day)
        planter.scan()
    [ring] = planter.rings().rings
    [group] = ring.groups
    assert sorted(group.accounts) == sorted(copies)
    return group


def beside_medoid(group: Group) -> dict[str, Evidence]:
    found = zip(group.photos, group.evidence, strict=True)
    return {photo.account: evidence for photo, evidence in found if photo != group.medoid}


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("part_comes", [0, 2])
def test_outlines_lay_a_part_of_a_picture_where_it_truly_lies_whichever_of_the_two_has_the_lower_row(
    planter: Planter, part: str, part_comes: int
) -> None:
    copies = [("whole", WHOLE), ("whole too", WHOLE.warmed())]
    copies.insert(part_comes, (part, PARTS[part]))
    group = only_group(planter, dict(copies))
    assert group.medoid.account != part
    evidence = beside_medoid(group)[part]
    assert evidence.kind is Kind.PARTIAL
    assert off(evidence, PARTS[part], WHOLE) < OFF


@pytest.mark.parametrize("part", PARTS)
def test_outlines_lay_a_picture_over_a_part_of_it_so_that_what_both_show_lies_in_one_place(
    planter: Planter, part: str
) -> None:
    """The part is the medoid, because it came first."""
    copies = {part: PARTS[part], "whole": WHOLE}
    group = only_group(planter, copies)
    assert group.medoid.account == part
    [evidence] = beside_medoid(group).values()
    assert off(evidence, WHOLE, PARTS[part]) < OFF


@pytest.mark.parametrize("copy", SLIGHT)
def test_a_near_copy_that_was_laid_over_the_medoid_is_told_where_it_lies_better_than_frame_on_frame(
    planter: Planter, copy: str
) -> None:
    group = only_group(planter, {"whole": WHOLE, copy: SLIGHT[copy]})
    [evidence] = beside_medoid(group).values()
    assert evidence.kind is Kind.NEAR
    assert off(evidence, SLIGHT[copy], WHOLE) < 0.01


def test_fingerprints_that_are_near_enough_alone_and_exact_copies_come_without_outlines(planter: Planter) -> None:
    group = only_group(planter, {"whole": WHOLE, "warm": WHOLE.warmed(), "same": WHOLE})
    assert [evidence.kind for evidence in group.evidence] == [Kind.EXACT, Kind.NEAR, Kind.EXACT]
    assert {(evidence.outline_query, evidence.outline_stored) for evidence in group.evidence} == {(None, None)}


def test_what_symmetric_near_copies_tell_of_another_orientation_than_their_fingerprints_is_left_out() -> None:
    told = Evidence(Kind.PARTIAL, 1.0, None, mirrored=True, rotation=358)
    assert lies_so(told, Orientation(mirrored=True, rotation=0))
    assert not lies_so(told, Orientation(mirrored=False, rotation=0))
    assert not lies_so(told, Orientation(mirrored=True, rotation=180))
