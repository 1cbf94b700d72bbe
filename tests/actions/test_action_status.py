from __future__ import annotations

from typing import TYPE_CHECKING

import photos
import pytest

from imgmatch.actions.scan import scan
from imgmatch.actions.status import status
from imgmatch.errors import ImgmatchError
from imgmatch.index import Index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.model import NewPhoto


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    pictures = {f"a{number}": {"1.jpg": photos.picture(number, (96, 120))} for number in range(3)}
    photos.write_accounts(tmp_path / "photos", pictures | {"flat": {"1.jpg": photos.flat()}})
    with Index.create(tmp_path / "index") as index:
        scan(index, [tmp_path / "photos"])
        yield index


def test_everything_is_counted_and_what_the_index_is_made_of_is_told(index: Index) -> None:
    found = status(index)
    assert (found.photos, found.accounts, found.fingerprints, found.skipped) == (3, 3, 6, 1)
    assert (found.sources, found.scans, found.unfinished_scans) == (1, 1, 0)
    assert (found.format, found.hashers, found.engine) == (1, ("phash", "pdq"), "flat")
    assert (found.generation, found.snapshot) == (1, "ok")


def test_a_missing_and_a_damaged_snapshot_are_told_until_it_is_rebuilt(index: Index) -> None:
    snapshot = index.header.snapshot
    assert snapshot is not None
    path = index.path / snapshot.file
    path.write_bytes(b"x" * 100)
    assert status(index).snapshot == "damaged"
    path.unlink()
    assert status(index).snapshot == "missing"
    index.rebuild()
    assert (status(index).snapshot, status(index).generation) == ("ok", 2)


def test_an_interrupted_scan_is_told(index: Index) -> None:
    def broken() -> Iterator[NewPhoto]:
        raise ImgmatchError("cut off")
        yield

    with pytest.raises(ImgmatchError, match="cut off"):
        index.add(broken())
    assert (status(index).scans, status(index).unfinished_scans) == (2, 1)


def test_a_new_index_is_empty_and_has_no_snapshot_yet(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index") as index:
        found = status(index)
        assert (found.photos, found.accounts, found.fingerprints, found.scans) == (0, 0, 0, 0)
        assert (found.generation, found.snapshot) == (0, "missing")
