from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import photos
import pytest
from sqlalchemy import select

from imgmatch.actions.rings import find_rings
from imgmatch.catalog import schema
from imgmatch.index import Index

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Select

PHOTOS, LINES, KILLS = 150, 560, 10

pytestmark = [
    pytest.mark.serial,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9 on Windows"),
]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lines for three batches; accounts, pictures, bad files and bad lines repeat."""
    home = tmp_path_factory.mktemp("killed")
    lines = ["account,photo,name,seen_at,country"]
    for number in range(PHOTOS):
        path = home / f"{number}.jpg"
        picture = photos.picture(number % 40, (64 + number % 5, 80))
        path.write_bytes(b"not a picture" if number % 30 == 7 else photos.jpeg(picture, 60 + number % 30))
    for number in range(LINES):
        account = number % 90
        lines.append(f"a{account},{number % PHOTOS}.jpg,Name {account},2026-01-{1 + number % 28:02},{number}")
    lines[50:50] = ["a1", "a2,gone.jpg,,,", "a3,9.jpg,,not a date,"]
    (home / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    return home / "manifest.csv"


def start(manifest: Path, index: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "imgmatch", "scan", str(manifest), "--index", str(index), "--workers", "1", "-q"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def content(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """The catalog by natural keys: rows are numbered as they came, which a kill may change."""
    photo, account, pictures = schema.photos.c, schema.accounts.c, schema.photo_pictures.c
    prints, links, skipped = schema.fingerprints.c, schema.photo_fingerprints.c, schema.skipped.c
    described = [column for column in photo if column.name not in ("id", "account_id", "source_id", "scan_id")]
    queries: dict[str, Select[tuple[object, ...]]] = {
        "accounts": select(account.account, account.name, account.first_seen),
        "photos": select(*described, account.account, schema.sources.c.key)
        .join(schema.accounts, account.id == photo.account_id)
        .join(schema.sources, schema.sources.c.id == photo.source_id),
        "pictures": select(photo.photo_id, pictures.place, pictures.pixels).join(
            schema.photo_pictures, pictures.photo_id == photo.id
        ),
        "fingerprints": select(prints.hasher, prints.bits),
        "links": select(photo.photo_id, prints.hasher, prints.bits)
        .join(schema.photo_fingerprints, links.photo_id == photo.id)
        .join(schema.fingerprints, prints.id == links.fingerprint_id),
        "skipped": select(skipped.account, skipped.label, skipped.line, skipped.reason, skipped.detail),
    }
    with Index.open(folder) as index, index.parts.catalog.read() as session:
        return {
            name: sorted((tuple(row) for row in session.sql.execute(query)), key=repr)
            for name, query in queries.items()
        }


@pytest.mark.slow
def test_a_scan_killed_ten_times_and_resumed_ends_with_the_catalog_of_one_left_alone(
    manifest: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    begun = time.monotonic()
    assert start(manifest, tmp_path / "alone").wait() == 5
    seconds = time.monotonic() - begun
    rng = random.Random(20)
    for _ in range(KILLS):
        scan = start(manifest, tmp_path / "killed")
        time.sleep(rng.uniform(0.35, 1.0) * seconds)
        scan.send_signal(signal.SIGKILL)
        scan.wait()
        with Index.open(tmp_path / "killed", create=True):  # none is taken for that of another catalog
            assert not caplog.records
    assert start(manifest, tmp_path / "killed").wait() == 5
    assert content(tmp_path / "killed") == content(tmp_path / "alone")
    with Index.open(tmp_path / "alone") as alone, Index.open(tmp_path / "killed") as killed:
        assert find_rings(killed.parts) == find_rings(alone.parts)
        assert find_rings(alone.parts).rings
        query = manifest.parent / "1.jpg"
        assert killed.check(query) == alone.check(query)


def test_a_scan_killed_while_it_makes_the_index_can_be_begun_again(manifest: Path, tmp_path: Path) -> None:
    for number in range(3):
        folder = tmp_path / str(number)
        scan = start(manifest, folder)
        while not folder.exists() and scan.poll() is None:
            time.sleep(0.0005)
        time.sleep(0.004 * number)
        scan.send_signal(signal.SIGKILL)
        scan.wait()
        with Index.open(folder, create=True) as index:
            assert len(index) == 0


def test_no_worker_outlives_a_killed_scan(manifest: Path, tmp_path: Path) -> None:
    scan = start(manifest, tmp_path / "index")
    workers: list[int] = []
    while not workers and scan.poll() is None:
        time.sleep(0.02)
        workers = children(scan.pid)
    scan.send_signal(signal.SIGKILL)
    scan.wait()
    assert workers
    end = time.monotonic() + 10
    while any(map(alive, workers)):
        assert time.monotonic() < end
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607 -- wherever ps lies
    return [int(line) for line in found.stdout.split()]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607 -- wherever ps lies
    return not state.stdout.startswith("Z")
