"""What a run leaves of hits on pictures of banks, where fingerprints are near and not so near that this is enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import photos
import pytest
from banking import carried, described, named
from PIL import ImageEnhance

from imgmatch import registry
from imgmatch.model import Purpose

if TYPE_CHECKING:
    from PIL import Image
    from planting import Planter

PROFILE = registry.hasher("phash").profile


def bits_apart(one: Image.Image, other: Image.Image) -> int:
    first, second = (int(described(image).first.fingerprints["phash"].hex(), 16) for image in (one, other))
    return (first ^ second).bit_count()


def loose(source: Image.Image) -> Image.Image:
    """A copy whose fingerprint is near, and too far for that to be enough."""
    width, height = source.size
    edits = (source.crop((cut, cut, width - cut, height - cut)) for cut in range(1, 40))
    wanted = range(PROFILE.sure_distance + 4, PROFILE.max_distance - 4)
    return next(edit for edit in edits if bits_apart(source, edit) in wanted)


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_copy_that_is_neither_sure_by_its_fingerprint_nor_searched_by_features_hits_in_a_run_as_in_a_check(
    planter: Planter, purpose: Purpose
) -> None:
    banks, source = planter.index.bank_lists, photos.picture(7)
    banks.create("bank", purpose=purpose)
    entry = banks.add_photo("bank", named(source)).entry
    copy = loose(source)
    planter.plant("a", copy, 1)
    assert planter.rings().bank_hits
    assert carried(banks.hits()) == [("a", entry)]
    assert [one.entry for one in planter.index.check(photos.jpeg(copy)).banks] == [entry]


def test_one_that_features_speak_against_does_not_hit(planter: Planter) -> None:
    """Of a stolen picture the run asks the pair model, as it does of photos."""
    banks, source = planter.index.bank_lists, photos.picture(7)
    banks.create("ours", purpose=Purpose.STOLEN)
    banks.add_photo("ours", named(source))
    planter.plant("a", ImageEnhance.Brightness(loose(source)).enhance(1.05), 1)
    [ring] = planter.rings().rings
    assert [one.entry for one in ring.bank_hits] == [one.entry for one in banks.hits()]
    with planter.index.parts.catalog.write() as session:
        session.sql.exec_driver_sql("UPDATE pair_scores SET log_odds = -9")
    assert banks.hits() == ()
