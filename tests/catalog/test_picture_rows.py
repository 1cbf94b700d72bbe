from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filled import bits, opened, photo, remove_photos, store, with_picture
from pictured import HASHER, feature_row, pixels, showing

from imgmatch.catalog.banks import KNOWN_STOLEN, add_to_bank
from imgmatch.catalog.fingerprints import intern_fingerprints
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.catalog.pictures import PictureFile, files_of_pictures, fingerprints_of_pictures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.catalog.sqlite import SqliteCatalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


def test_every_picture_with_features_comes_in_order_with_its_fingerprint(catalog: SqliteCatalog) -> None:
    same = with_picture(showing(4, "d", picture="z"), fingerprints=showing(0, picture="y").pictures[0].fingerprints)
    store(catalog, [showing(1, "a", picture="x"), showing(2, "b", picture="x"), showing(3, "c", picture="y"), same])
    store(catalog, [photo(5, picture="bare")])
    with catalog.write() as session:
        prints = intern_fingerprints(session, HASHER, [bits((HASHER, name)) for name in ("x", "y")])
        x, y = (prints[bits((HASHER, name))] for name in ("x", "y"))
        rows = {name: feature_row(session, name) for name in ("x", "y", "z")}
        found = list(fingerprints_of_pictures(session, HASHER))
        assert found == sorted([(rows["x"], x), (rows["y"], y), (rows["z"], y)])
        by_pdq = dict(fingerprints_of_pictures(session, "pdq"))
        assert set(by_pdq) == set(rows.values())
        assert set(by_pdq.values()).isdisjoint({x, y})
        assert list(fingerprints_of_pictures(session, "unknown")) == []


def test_a_picture_in_a_bank_keeps_its_fingerprint_when_no_photo_shows_it(catalog: SqliteCatalog) -> None:
    store(catalog, [showing(1, "a", picture="x"), showing(2, "b", picture="y"), showing(3, "c", picture="z")])
    with catalog.write() as session:
        before = list(fingerprints_of_pictures(session, HASHER))
        add_to_bank(session, KNOWN_STOLEN, ["p2"], HASHER)
        assert list(fingerprints_of_pictures(session, HASHER)) == before
        for account in "bc":
            remove_photos(session, account=account)
        remove_orphans(session)
        assert list(fingerprints_of_pictures(session, HASHER)) == before[:2]


def test_the_file_of_a_picture_is_that_of_the_first_photo_that_shows_it(catalog: SqliteCatalog) -> None:
    wide = replace(showing(1, "a", picture="x"), width=900, height=20)
    store(catalog, [wide, showing(2, "b", picture="x"), showing(3, "c", picture="y")])
    with catalog.write() as session:
        x, y = feature_row(session, "x"), feature_row(session, "y")
        found = files_of_pictures(session, [y, x, 999])
        assert found == {
            x: PictureFile(Path("/photos/1.jpg"), wide.sha256, 900),
            y: PictureFile(Path("/photos/3.jpg"), showing(3, picture="y").sha256, 5),
        }
        assert found[x].sha256[:16] == pixels("x")
        assert files_of_pictures(session, []) == {}
        remove_photos(session, photo_id="p1")
        assert files_of_pictures(session, [x])[x].path == Path("/photos/2.jpg")
        remove_photos(session, photo_id="p2")
        assert files_of_pictures(session, [x]) == {}
