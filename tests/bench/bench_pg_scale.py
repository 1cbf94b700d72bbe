"""Ten million fingerprints, and a million pictures at full depth, in a catalog in PostgreSQL beside one in SQLite.

``--photos 10000000`` drawn photos with fingerprints only, then ``--deep 1000000`` at full depth (``--photos 0`` leaves
either out), each into a database of a server of its own, and a part of them (``--tenth 10``: one in ten) into a folder.
Of each: filling, ``rebuild``, opening and the first check, checks, catching up with 1,000 rows that somebody else has
written, ``status``, bytes a photo. Every commit is on the disk; the server has 4 GB for pages and writes a checkpoint
for each 8 GB of its log. Prints one line of JSON.
"""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_writers import option
from common import QUICK, milliseconds, peak_mib, print_figures, say, spread
from cropped import crops
from drawn_rows import fill
from edits import edited
from PIL import Image
from postgresql_server import Server, database_of, running

from imgmatch.index import Index
from imgmatch.model import Depth, NewPhoto

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgmatch.homes import Home

REAL = 2_000
QUERIES, WARM = (10, 2) if QUICK else (60, 6)
NEW = 1_000
"""Rows that are caught up with."""

STATUS_RUNS = 3
SETTINGS = {"shared_buffers": "4GB", "max_wal_size": "8GB", "maintenance_work_mem": "512MB"}


def run() -> dict[str, Any]:
    for name, work in (("--rebuild", rebuilt), ("--ask", asked)):
        if name in sys.argv:
            home, pictures, deep = sys.argv[sys.argv.index(name) + 1 :][:3]
            return work(home, Path(pictures), deep=bool(int(deep)))
    fewer = int(option("--tenth", "10"))
    wanted = {
        "fingerprints": int(option("--photos", "20000" if QUICK else "10000000")),
        "full depth": int(option("--deep", "5000" if QUICK else "1000000")),
    }
    with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as temporary:
        place = Path(option("--folder", temporary))
        os.environ["IMGMATCH_ENGINES"] = str(place / "engines")
        say("drawing photos")
        real = crops(place / "photos", REAL)
        figures: dict[str, Any] = {"settings": SETTINGS}
        for name, photos in wanted.items():
            if not photos:
                continue
            say(f"{name}: {photos:,} photos in PostgreSQL")
            with running(durable=True, settings=SETTINGS) as server:
                figures[f"{name}, postgresql"] = side(
                    server.database(), real, photos, server, deep=name == "full depth"
                )
                say(json.dumps(figures[f"{name}, postgresql"]))
            few = photos // fewer
            say(f"{name}: {few:,} photos in SQLite")
            figures[f"{name}, sqlite"] = side(place / f"index-{few}", real, few, None, deep=name == "full depth")
            say(json.dumps(figures[f"{name}, sqlite"]))
        return figures


def side(home: Home, real: Sequence[Path], photos: int, server: Server | None, *, deep: bool) -> dict[str, Any]:
    """One home: made, filled, and asked in processes of their own, so that memory is that of each work alone."""
    with Index.open(home, create=True, workers=2, depth=Depth.FULL if deep else Depth.FINGERPRINT) as index:
        index.add(map(numbered, real))
        say("  filling")
        rows: list[int] = []
        seconds = milliseconds(lambda: rows.append(fill(index, photos - len(index), deep=deep))) / 1000
    say("  rebuild")
    again = in_a_process("--rebuild", home, real[0].parent, int(deep))
    say("  asking")
    return {
        "photos": photos,
        "fill_seconds": round(seconds, 1),
        "rows_a_second": round(rows[0] / seconds),
        "rebuild": again,
        **in_a_process("--ask", home, real[0].parent, int(deep)),
        "status_seconds": status_seconds(home),
        **sizes(home, photos, server),
    }


def in_a_process(*arguments: object) -> Any:  # noqa: ANN401 -- whatever it prints
    done = subprocess.run([sys.executable, __file__, *map(str, arguments)], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def numbered(path: Path) -> NewPhoto:
    return NewPhoto.at(path, account=f"real-{path.stem}")


def rebuilt(home: str, pictures: Path, *, deep: bool) -> dict[str, Any]:
    del pictures, deep
    with Index.open(home) as index:
        seconds = milliseconds(index.rebuild) / 1000
        return {"seconds": round(seconds, 1), "peak_resident_mib": peak_mib()}


def asked(home: str, pictures: Path, *, deep: bool) -> dict[str, Any]:
    """Opening, checks, and what the first check takes after others have written."""
    queries = [(path, query(path, number, deep=deep)) for number, path in enumerate(chosen(pictures))]
    began = time.perf_counter()
    with Index.open(home, workers=1) as index:
        opened = time.perf_counter() - began
        first = milliseconds(partial(index.check, queries[0][1])) / 1000
        times, found = [], 0
        for number, (path, data) in enumerate(queries):
            started = time.perf_counter()
            result = index.check(data)
            if number >= WARM:
                times.append(1000 * (time.perf_counter() - started))
            found += any(match.photo.account == f"real-{path.stem}" for match in result)
        figures = {
            "open_seconds": round(opened, 2),
            "first_check_seconds": round(first, 2),
            "check_ms": spread(times),
            "found": f"{found} of {len(queries)}",
            "checking_peak_mib": peak_mib(),
        }
        writing = milliseconds(lambda: fill(index, NEW, deep=deep, told=False))
        after = milliseconds(partial(index.check, queries[0][1]))
    with Index.open(home, workers=1) as index:
        again = milliseconds(partial(index.check, queries[0][1])) / 1000
    return figures | {
        f"writing_{NEW}_ms": round(writing),
        f"check_after_{NEW}_new_rows_ms": round(after),
        "opened_anew_first_check_seconds": round(again, 2),
    }


def chosen(pictures: Path) -> list[Path]:
    return random.Random(REAL).sample(sorted(pictures.glob("*.jpg")), QUERIES + WARM)


def query(path: Path, number: int, *, deep: bool) -> bytes:
    """A copy of a photo: at full depth a part of it, mirrored."""
    if not deep:
        return path.read_bytes()
    with Image.open(path) as image:
        picture = image.convert("RGB")
    packed = io.BytesIO()
    edited("mirror-crop", picture, 1, number, [picture] * 4).save(packed, "JPEG", quality=85)
    return packed.getvalue()


def status_seconds(home: Home) -> dict[str, float]:
    """The command from its start to its end."""
    command = [sys.executable, "-m", "imgmatch", "status", "--index", str(home)]
    times = [milliseconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(STATUS_RUNS)]
    return {"median": round(sorted(times)[STATUS_RUNS // 2] / 1000, 2), "worst": round(max(times) / 1000, 2)}


def sizes(home: Home, photos: int, server: Server | None) -> dict[str, Any]:
    """Bytes a photo, in the catalog and in engine files, and which tables and indexes take most."""
    with Index.open(home) as index:
        layout = index.parts.folder
        engine = sum((layout.root / name).stat().st_size for name in layout.header().files)
    if server is None:
        catalog, most = (Path(home) / "catalog.sqlite3").stat().st_size, {}
    else:
        name = database_of(str(home))
        catalog = int(server.say(f"SELECT pg_database_size('{name}') - pg_database_size('template1')"))
        told = server.say(LARGEST, name).splitlines()
        most = {one: round(int(size) / photos) for one, size in (line.split("|") for line in told)}
    return {
        "catalog_bytes_a_photo": round(catalog / photos),
        "engine_bytes_a_photo": round(engine / photos),
        **({"of_that": most} if most else {}),
    }


LARGEST = (
    "SELECT c.relname, pg_relation_size(c.oid) + CASE WHEN c.reltoastrelid = 0 THEN 0"
    " ELSE pg_total_relation_size(c.reltoastrelid) END AS size FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind IN ('r', 'i')"
    " ORDER BY 2 DESC LIMIT 14"
)


if __name__ == "__main__":
    if {"--ask", "--rebuild"} & set(sys.argv):
        print(json.dumps(run()))
    else:
        print_figures("pg_scale", run)
