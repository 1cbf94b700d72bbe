"""When an index writes its engine files anew, and that its answers do not depend on it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import photos
import pytest
from hearing import Heard
from sqlalchemy import select
from test_index import in_file, on, save

from imgmatch.actions.status import status
from imgmatch.catalog import schema
from imgmatch.catalog.erasing import Erased, remove_erased
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.index import Index

if TYPE_CHECKING:
    from pathlib import Path

    from imgmatch.model import NewPhoto


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index of 101 photos in its source ``s``, all of different pictures, beside these photos."""
    folder = tmp_path_factory.mktemp("large")
    with Index.create(folder / "index", workers=2) as index:
        index.add(many(folder), source="s")
    return folder


def many(folder: Path) -> list[NewPhoto]:
    """101 photos of different pictures, small ones; drawn where they are not there yet."""
    paths = [folder / "photos" / f"{seed}.jpg" for seed in range(100, 201)]
    for path in paths:
        if not path.exists():
            save(path, photos.picture(int(path.stem), (96, 120)))
    return [on(path.stem, path) for path in paths]


def files(index: Index) -> set[tuple[str, int]]:
    """The engine files, each with the number by which the system knows it."""
    header = index.parts.folder.header()
    return {(name, (index.path / name).stat().st_ino) for name in header.files}


def sizes(index: Index) -> tuple[int, int]:
    """How many rows both engine files say they hold."""
    header = index.parts.folder.header()
    assert header.snapshot is not None
    assert header.features is not None
    return header.snapshot.size, header.features.size


def names(index: Index, seed: int) -> set[str]:
    return {match.photo.account for match in index.check(photos.png(photos.picture(seed, (96, 120))))}


def features_of(index: Index, account: str) -> int:
    """The row of the features of this account's photo."""
    pictures = schema.photo_pictures.c
    query = select(schema.features.c.id).join(schema.photo_pictures, pictures.pixels == schema.features.c.pixels)
    query = query.join(schema.photos, schema.photos.c.id == pictures.photo_id)
    query = query.join(schema.accounts, schema.accounts.c.id == schema.photos.c.account_id)
    with index.parts.catalog.read() as session:
        row: int = session.sql.scalars(query.where(schema.accounts.c.account == account)).one()
        return row


def hashes_of(index: Index, account: str) -> bytes:
    """The fingerprint of this account's photo that is searched."""
    links, prints = schema.photo_fingerprints.c, schema.fingerprints.c
    query = select(prints.bits).join(schema.photo_fingerprints, links.fingerprint_id == prints.id)
    query = query.join(schema.photos, schema.photos.c.id == links.photo_id)
    query = query.join(schema.accounts, schema.accounts.c.id == schema.photos.c.account_id)
    with index.parts.catalog.read() as session:
        query = query.where(schema.accounts.c.account == account, prints.hasher == "phash")
        bits: bytes = session.sql.scalars(query).one()
        return bits


@pytest.mark.slow
def test_one_more_photo_in_a_hundred_writes_no_engine_file_and_is_found_nevertheless(
    large: Path, tmp_path: Path
) -> None:
    shutil.copytree(large / "index", tmp_path / "index")
    one, two = (on(f"new {seed}", save(tmp_path / f"{seed}.jpg", photos.picture(seed, (96, 120)))) for seed in (7, 8))
    with Index.open(tmp_path / "index") as index:
        before, header = files(index), index.parts.folder.header()
        assert (names(index, 7), sizes(index)) == (set(), (101, 101))
        index.add([one])
        assert (files(index), index.parts.folder.header()) == (before, header)
        assert (names(index, 7), names(index, 150)) == ({"new 7"}, {"150"})
    with Index.open(tmp_path / "index") as index:
        assert (names(index, 7), names(index, 150)) == ({"new 7"}, {"150"})
        assert (files(index), status(index.parts).photos) == (before, 102)
        index.add([two])  # two of 101 are more than one part in a hundred
        assert (sizes(index), names(index, 7), names(index, 8)) == ((103, 103), {"new 7"}, {"new 8"})
    with Index.open(tmp_path / "index") as index:
        assert (names(index, 7), names(index, 8), names(index, 150)) == ({"new 7"}, {"new 8"}, {"150"})


@pytest.mark.parametrize("opened_anew", [True, False])
def test_pruning_writes_engine_files_without_the_pruned_and_they_are_not_found(
    large: Path, tmp_path: Path, *, opened_anew: bool
) -> None:
    shutil.copytree(large / "index", tmp_path / "index")
    new = many(large)
    with Index.open(tmp_path / "index") as index:
        if not opened_anew:
            assert names(index, 150) == {"150"}
        gone = features_of(index, "150")
        prints = hashes_of(index, "150")
        assert index.add([photo for photo in new if photo.account != "150"], source="s", prune=True).removed == 1
        assert sizes(index) == (100, 100)
        assert gone not in in_file(index)
        snapshot = index.parts.folder.header().snapshot
        assert snapshot is not None
        assert prints not in (index.path / snapshot.file).read_bytes()
        assert len(list(index.path.glob("*.*.*"))) == 2
        assert (names(index, 150), names(index, 151)) == (set(), {"151"})
    with Index.open(tmp_path / "index") as index:
        assert (names(index, 150), names(index, 151)) == (set(), {"151"})


def test_a_photo_that_came_and_went_without_an_engine_file_costs_none(large: Path, tmp_path: Path) -> None:
    shutil.copytree(large / "index", tmp_path / "index")
    with Index.open(tmp_path / "index") as index:
        before = files(index)
        index.add([on("new", save(tmp_path / "7.jpg", photos.picture(7, (96, 120))))])
        assert index.remove(account="new") == 1
        assert (files(index), names(index, 7)) == (before, set())


def test_what_a_killed_process_did_not_publish_any_more_is_left_out_by_the_next_scan(
    large: Path, tmp_path: Path
) -> None:
    shutil.copytree(large / "index", tmp_path / "index")
    with Index.open(tmp_path / "index") as index:
        gone = features_of(index, "150")
        with index.parts.catalog.write() as session:  # as a scan ends, and is killed before it publishes
            remove_erased(session, Erased(account="150"))
            remove_orphans(session)
        assert names(index, 150) == set()
        assert index.add(many(large)[:1], source="s").unchanged == 1
        assert sizes(index) == (100, 100)
        assert gone not in in_file(index)


def test_progress_on_rebuilding_names_both_engines(large: Path, tmp_path: Path) -> None:
    shutil.copytree(large / "index", tmp_path / "index")
    heard = Heard()
    with Index.open(tmp_path / "index") as index:
        before = in_file(index)
        index.rebuild(progress=heard)
        assert (sizes(index), in_file(index)) == ((101, 101), before)
    assert heard.steps == [("fingerprints", 101, 101), ("features", 101, 101)]
