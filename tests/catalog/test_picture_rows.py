from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filled import bits, moving, opened, photo, remove_photos, store, with_picture
from pictured import HASHER, feature_row, pixels, showing

from imgmatch.catalog.banks import KNOWN_STOLEN, add_to_bank, read_banks, remove_from_bank
from imgmatch.catalog.features import features_of_fingerprints, fingerprints_of_features
from imgmatch.catalog.fingerprints import intern_fingerprints
from imgmatch.catalog.lookups import files_of, fingerprints_of_keys, frames_of, photos_showing, photos_with
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.catalog.pictures import (
    PictureFile,
    files_of_pictures,
    fingerprints_beside,
    fingerprints_of_pictures,
    meant,
    pictures_with,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.catalog.rows import PhotoRecord
    from imgmatch.catalog.session import Session
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


# -- photos with several pictures -------------------------------------------------------------------------------------


def prints_of(session: Session, *names: str) -> list[int]:
    """Row ids of the fingerprints of pictures."""
    found = intern_fingerprints(session, HASHER, [bits((HASHER, name)) for name in names])
    return [found[bits((HASHER, name))] for name in names]


def mover(number: int = 1, account: str = "a", *names: str) -> PhotoRecord:
    """A photo whose frames show these pictures, by default x, y and z."""
    return moving(*(showing(number, account, picture=name) for name in names or ("x", "y", "z")))


def test_each_picture_of_a_moving_photo_has_its_own_fingerprint_features_and_frame(catalog: SqliteCatalog) -> None:
    store(catalog, [mover(), showing(2, "b", picture="y")])
    with catalog.write() as session:
        rows = [feature_row(session, name) for name in "xyz"]
        prints = prints_of(session, *"xyz")
        assert list(fingerprints_of_pictures(session, HASHER)) == sorted(zip(rows, prints, strict=True))
        assert features_of_fingerprints(session, prints) == dict(zip(prints, rows, strict=True))
        by_row = {row: bits((HASHER, name)) for row, name in zip(rows, "xyz", strict=True)}
        assert fingerprints_of_features(session, HASHER, rows) == by_row
        assert pictures_with(session, prints[1:]) == set(rows[1:])
        shown = {(row, one.photo_id, one.frame, one.pixels) for row, one in photos_showing(session, rows)}
        assert shown == {
            (rows[0], "p1", 1, pixels("x")),
            (rows[1], "p1", 2, pixels("y")),
            (rows[2], "p1", 3, pixels("z")),
            (rows[1], "p2", None, pixels("y")),
        }
        assert {(row, one.photo_id, one.place) for row, one in photos_with(session, [prints[2]])} == {
            (prints[2], "p1", 2)
        }
        assert {row: file.frame for row, file in files_of_pictures(session, rows).items()} == dict(
            zip(rows, (1, 2, 3), strict=True)
        )


def test_the_file_of_a_photo_is_that_of_its_first_picture_and_each_frame_has_its_own(catalog: SqliteCatalog) -> None:
    store(catalog, [mover(), showing(2, "b", picture="y")])
    with catalog.read() as session:
        assert {key: file.frame for key, file in files_of(session, ["p1", "p2", "gone"]).items()} == {
            "p1": 1,
            "p2": None,
        }
        assert set(frames_of(session, ["p1", "p2", "gone"])) == {("p1", 1), ("p1", 2), ("p1", 3)}


def test_the_fingerprints_beside_one_are_those_of_other_pictures_of_its_photos(catalog: SqliteCatalog) -> None:
    store(catalog, [mover(), mover(2, "b", "z", "w"), showing(3, "c", picture="x")])
    with catalog.write() as session:
        x, y, z, w = prints_of(session, *"xyzw")
        assert fingerprints_beside(session, HASHER, [x]) == {y, z}
        assert fingerprints_beside(session, HASHER, [z, w]) == {x, y, z, w}
        assert fingerprints_beside(session, "unknown", [x]) == set()
        keys = [("p1", 2, None), ("p3", None, None), ("p1", None, None), ("p2", 9, None)]
        assert fingerprints_of_keys(session, HASHER, keys) == {y, x}


def test_only_those_pictures_of_a_photo_are_put_on_a_list_and_taken_off_that_are_meant(catalog: SqliteCatalog) -> None:
    store(catalog, [mover(), showing(2, "b", picture="w")])
    with catalog.write() as session:
        x, y, z = prints_of(session, *"xyz")
        assert add_to_bank(session, KNOWN_STOLEN, ["p1", "p2"], HASHER, {y}) == 2
        assert {picture.pixels for picture in read_banks(session)} == {pixels("y"), pixels("w")}
        assert add_to_bank(session, KNOWN_STOLEN, ["p1"], HASHER) == 2
        assert remove_from_bank(session, KNOWN_STOLEN, ["p1"], {x, z}) == 2
        assert {picture.pixels for picture in read_banks(session)} == {pixels("y"), pixels("w")}


def test_where_no_picture_that_is_meant_is_left_the_first_is() -> None:
    rows = [("p1", 5, "x"), ("p1", 6, "y"), ("p2", 7, "z")]
    assert list(meant(rows, None)) == rows
    assert list(meant(rows, {6})) == [rows[1], rows[2]]
    assert list(meant(rows, set())) == [rows[0], rows[2]]
