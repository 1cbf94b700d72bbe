from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import photos
import pytest

from imgmatch.actions.erase import erase
from imgmatch.actions.rings import find_rings
from imgmatch.actions.scan import scan
from imgmatch.index import Index
from imgmatch.ingest.retention import kept
from imgmatch.model import NewPhoto, Skipped, SkipReason

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SIZE = (160, 200)


def photo(path: Path, days: float | None) -> NewPhoto:
    return NewPhoto.at(path, account="a", seen_at=None if days is None else NOW - timedelta(days=days))


def test_photos_first_seen_too_long_ago_are_passed_over(tmp_path: Path) -> None:
    since = NOW - timedelta(days=30)
    old, new, exact = photo(Path("old"), 31), photo(Path("new"), 29), photo(Path("exact"), 30)
    bad = Skipped("line", SkipReason.BAD_LINE, "no account")
    assert list(kept([old, bad, new, exact], since)) == [bad, new, exact]
    assert list(kept([old, bad], None)) == [old, bad]
    for name, days in (("young", 1), ("aged", 90)):
        (tmp_path / name).write_bytes(b"x")
        moment = (NOW - timedelta(days=days)).timestamp()
        os.utime(tmp_path / name, (moment, moment))
    silent = [photo(tmp_path / name, None) for name in ("young", "aged", "missing")]
    assert [Path(item.label).name for item in kept(silent, since) if isinstance(item, NewPhoto)] == ["young", "missing"]


def manifest(home: Path) -> Path:
    """Four photos of two pictures: one on an old and a new account, one on two old ones."""
    lines = ["account,photo,seen_at"]
    for account, seed, days in (("old", 1, 400), ("new", 1, 3), ("gone1", 2, 500), ("gone2", 2, 450)):
        (home / f"{account}.jpg").write_bytes(photos.jpeg(photos.picture(seed, SIZE), 70 + len(account)))
        seen_at = datetime.now(UTC) - timedelta(days=days)
        lines.append(f"{account},{account}.jpg,{seen_at.isoformat()}")
    (home / "list.csv").write_text("\n".join(lines) + "\n")
    return home / "list.csv"


@pytest.fixture
def index(tmp_path: Path) -> Index:
    with Index.create(tmp_path / "index") as index:
        scan(index.parts, [manifest(tmp_path)])
        assert len(find_rings(index.parts).rings) == 2
        return index


def test_old_photos_are_erased_from_every_file_and_do_not_come_back(index: Index, tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(days=100)
    erasure = erase(index.parts, before=before)
    assert (erasure.photos, erasure.traces) == (3, 0)
    assert erasure.searched_for > 4
    assert index.counts()["accounts"] == 1
    assert find_rings(index.parts).rings == ()
    again = scan(index.parts, [tmp_path / "list.csv"], since=before)
    assert (again.added, again.unchanged) == (0, 1)
    assert (erase(index.parts, before=before).photos, len(index)) == (0, 1)


def test_a_scan_that_prunes_by_its_period_removes_what_is_too_old(index: Index, tmp_path: Path) -> None:
    result = scan(index.parts, [tmp_path / "list.csv"], prune=True, since=datetime.now(UTC) - timedelta(days=100))
    assert (result.unchanged, result.removed) == (1, 3)
    assert find_rings(index.parts).rings == ()
