"""Planting photos in an index, and reading what rings are made of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import photos
import pytest

from imgmatch.actions.rings import find_rings
from imgmatch.catalog import schema
from imgmatch.index import Index
from imgmatch.model import NewPhoto, RingsReport, Searched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PIL import Image

    from imgmatch.clustering.common import CommonCriteria
    from imgmatch.model import Ring

DAY_ONE = datetime(2026, 1, 1, tzinfo=UTC)
SIZE = (160, 200)


class Planter:
    """Adds drawn photos to an index; the day tells when one was first seen."""

    def __init__(self, folder: Path, index: Index) -> None:
        self.folder = folder
        self.index = index
        self.planted: list[NewPhoto] = []
        self.count = 0

    def plant(self, account: str, image: Image.Image | bytes, day: float, name: str | None = None) -> str:
        """Returns the photo's id."""
        number, self.count = self.count, self.count + 1
        path = self.folder / f"{number}.jpg"
        path.write_bytes(image if isinstance(image, bytes) else photos.jpeg(image))
        photo = NewPhoto.at(
            path, account=account, name=name, seen_at=DAY_ONE + timedelta(days=day), photo_id=f"p{number:03}"
        )
        self.planted.append(replace(photo, label=f"{account}/{number}.jpg"))
        return photo.photo_id

    def file(self, photo_id: str) -> Path:
        return self.folder / f"{int(photo_id[1:])}.jpg"

    def drop(self, *photo_ids: str) -> list[NewPhoto]:
        """Photos that the next scan does not meet any more."""
        dropped = [photo for photo in self.planted if photo.photo_id in photo_ids]
        self.planted = [photo for photo in self.planted if photo.photo_id not in photo_ids]
        return dropped

    def scan(self) -> None:
        self.index.add(self.planted, prune=True)

    def rings(self, common: CommonCriteria | None = None) -> RingsReport:
        self.scan()
        return find_rings(self.index.parts, common=common)

    def clear(self) -> None:
        """Leave the index empty, for the next test."""
        with self.index.parts.catalog.write() as session:
            for table in reversed(schema.metadata.sorted_tables):
                if table is not schema.versions:
                    session.sql.execute(table.delete())
        self.index.rebuild()


def shot(seed: int) -> Image.Image:
    return photos.picture(seed, SIZE)


def who(ring: Ring) -> list[str]:
    return [member.account for member in ring.accounts]


def found(report: RingsReport) -> RingsReport:
    """Without what the search did: that depends on what was searched before."""
    return replace(report, searched=Searched())


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """One index for all tests, so that its worker starts once; each test leaves it empty."""
    with Index.create(tmp_path_factory.mktemp("index") / "index") as index:
        yield index


@pytest.fixture
def planter(opened: Index, tmp_path: Path) -> Iterator[Planter]:
    planter = Planter(tmp_path, opened)
    yield planter
    planter.clear()
