"""A small index with something in every table, and ways to damage a copy of it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import photos
from PIL import ImageOps

from imgmatch.catalog import schema
from imgmatch.catalog.calibrations import Calibration, store_calibration
from imgmatch.index import Index
from imgmatch.model import NewPhoto, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from PIL import Image

DAY_ONE = datetime(2026, 1, 1, tzinfo=UTC)
QUERY = "suspect.jpg"
"""A copy of the picture that most accounts have."""

Value = int | float | str | bytes | None


def write_world(folder: Path) -> None:
    """An index ``base`` of six accounts, run, decided on and reported, and a photo to check beside it."""
    gang, other = photos.picture(1), photos.picture(2)
    shown: dict[str, Image.Image] = {
        "ann": gang,
        "bea": gang.crop((60, 80, 420, 540)),
        "cat": ImageOps.mirror(gang),
        "dan": other,
        "eve": other,
        "own": photos.picture(3),
    }
    taken = []
    for day, (account, picture) in enumerate(shown.items()):
        path = folder / "photos" / account / "1.jpg"
        path.parent.mkdir(parents=True)
        path.write_bytes(photos.jpeg(picture, 60 + day))
        new = NewPhoto.at(path, account=account, name=account.title(), seen_at=DAY_ONE + timedelta(days=day))
        taken.append(replace(new, photo_id=f"p{day}", attributes={"country": "XX"}))
    (folder / "photos" / "flat.jpg").write_bytes(photos.jpeg(photos.flat()))
    taken.append(NewPhoto.at(folder / "photos" / "flat.jpg", account="flat"))
    (folder / QUERY).write_bytes(photos.jpeg(gang, 40))
    with Index.create(folder / "base") as index:
        index.add(taken)
        index.keep_report(index.rings())
        index.decide(Verdict.CONFIRM, pair=("p3", "p4"), by="kim", reason="one script")
        index.decide(Verdict.DISMISS, pair=("p0", "p5"), by="kim")
        index.rings()
        with index.parts.catalog.write() as session:
            store_calibration(session, Calibration(1.1, 0.1, 0.6, 40))


def copied(world: Path, to: Path) -> Path:
    """A copy of the index, to be damaged."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(world / "base", to)
    return to


def damage_rows(index: Path, *statements: str, values: Sequence[Value] = ()) -> None:
    """Change the catalog as nobody but somebody with another program would."""
    with closing(sqlite3.connect(index / "catalog.sqlite3")) as connection:
        connection.execute("PRAGMA ignore_check_constraints=ON")
        for statement in statements:
            connection.execute(statement, values if "?" in statement else ())
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def columns() -> list[tuple[str, str]]:
    """Every table and column."""
    return [(table.name, column.name) for table in schema.metadata.sorted_tables for column in table.columns]


def _add(world: Path, index: Index) -> None:
    index.add([NewPhoto.at(path, account=path.parent.name) for path in sorted(world.glob("photos/*/1.jpg"))])


VERBS: tuple[Callable[[Path, Index], object], ...] = (
    lambda _, index: index.status(verify=True),
    lambda world, index: index.check(world / QUERY, related=True),
    lambda _, index: index.rings(search=False),
    lambda _, index: index.rings(),
    lambda _, index: index.pictures(["p0", "p1", "p4"]),
    lambda _, index: index.decide(Verdict.COMMON, pair=("p1", "p2"), by="kim"),
    _add,
    lambda _, index: index.rebuild(),
    lambda world, index: index.check(world / QUERY),
    lambda _, index: index.erase(account="ann"),
    lambda _, index: index.rings(),
)
"""What reads, and what writes, in this order; each takes the folder of :func:`write_world`, and an index."""
