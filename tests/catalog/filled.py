"""Photos for the tests of the catalog: made of numbers, no file behind them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, select

from imgmatch import registry
from imgmatch.catalog import photos as photo_rows
from imgmatch.catalog import scans as scan_rows
from imgmatch.catalog import schema
from imgmatch.catalog.rows import FileState, PhotoRecord, PictureRecord
from imgmatch.catalog.times import to_microseconds
from imgmatch.model import NewPhoto

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.rows import ScanKey
    from imgmatch.catalog.session import Session

DAY_ONE = datetime(2026, 1, 4, tzinfo=UTC)


def opened(folder: Path) -> Iterator[Any]:
    """A new catalog that waits a twentieth of a second for other writers."""
    catalog: Catalog = registry.load(registry.CATALOGS["file"])(folder, patience=0.05)
    catalog.migrate()
    yield catalog
    catalog.close()


def bits(seed: object) -> bytes:
    """A fingerprint, the same for the same seed."""
    return hashlib.sha256(f"bits {seed}".encode()).digest()


def photo(  # a photo has as many columns
    number: int,
    account: str = "a1",
    *,
    name: str | None = None,
    days: int = 0,
    attributes: Mapping[str, str] | None = None,
    picture: object = None,
) -> PhotoRecord:
    """Photo ``p<number>`` of an account, first seen some days after the first; ``picture`` gives its fingerprints."""
    picture = number if picture is None else picture
    seen_at = DAY_ONE + timedelta(days=days)
    new = NewPhoto(
        account, Path(f"/photos/{number}.jpg"), f"{account}/{number}.jpg", f"p{number}", name, seen_at, attributes or {}
    )
    digest = hashlib.sha256(f"bytes {picture}".encode()).digest()
    fingerprints = {"phash": bits(("phash", picture)), "pdq": bits(("pdq", picture))}
    return PhotoRecord(
        new,
        to_microseconds(seen_at),
        FileState(1000 + number, 7),
        digest,
        4,
        5,
        "JPEG",
        90,
        (PictureRecord(digest[:16], fingerprints),),
    )


def with_picture(record: PhotoRecord, **changed: Any) -> PhotoRecord:  # noqa: ANN401 -- fields of a dataclass
    """The same photo, whose one picture has other fingerprints or features."""
    return replace(record, pictures=(replace(record.pictures[0], **changed),))


def moving(*records: PhotoRecord) -> PhotoRecord:
    """The first of these photos, of which frame 1 shows its picture, frame 2 that of the second, and so on."""
    frames = (replace(one.pictures[0], frame=place) for place, one in enumerate(records, start=1))
    return replace(records[0], pictures=tuple(frames))


def begin(session: Session, source: str = "s") -> ScanKey:
    """A scan of a source."""
    return scan_rows.begin_scan(session, source)


def store(catalog: Catalog, records: Iterable[PhotoRecord], source: str = "s") -> ScanKey:
    """Write photos as one scan writes one batch."""
    with catalog.write() as session:
        scan = begin(session, source)
        photo_rows.store_photos(session, scan, list(records))
    return scan


def run_unprivileged(code: str, *args: object) -> str:
    """Run Python as a user who owns nothing, and give what it printed.

    ``code`` calls ``drop()`` once it has imported what it needs: until then it may read our own folders.
    """
    if not hasattr(os, "geteuid"):
        pytest.skip("there are no such users here")
    drop = "import os, sys\ndef drop():\n    os.getuid() or (os.setgroups([]), os.setgid(65534), os.setuid(65534))\n"
    done = subprocess.run(
        [sys.executable, "-c", drop + code, *map(str, args)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def remove_photos(session: Session, *, account: str | None = None, photo_id: str | None = None) -> int:
    """Remove an account's photos, or one photo, and nothing else; returns how many."""
    table = schema.photos
    if account is not None:
        owner = select(schema.accounts.c.id).where(schema.accounts.c.account == account).scalar_subquery()
        return session.sql.execute(delete(table).where(table.c.account_id == owner)).rowcount
    return session.sql.execute(delete(table).where(table.c.photo_id == photo_id)).rowcount
