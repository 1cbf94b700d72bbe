"""How fast, how large: checks at full depth against many photos, and what a scan at full depth costs.

``bench_depth.py`` takes 100,000 photos, ``bench_depth.py --photos 1000000`` as many as that. Real photos are indexed
with others whose features are drawn from real ones: their points are taken from all over the real photos, and some
digits of their codes are altered. Prints one line of JSON.
"""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import faiss
import numpy as np
from common import QUICK, milliseconds, peak_mib, photos_in, print_figures, say, spread
from edits import edited
from PIL import Image
from sqlalchemy import func, insert, select

from imgmatch.catalog import schema
from imgmatch.describing.describe import Describer
from imgmatch.describing.messages import Job
from imgmatch.describing.settings import Settings
from imgmatch.features.record import unpack
from imgmatch.index import Index
from imgmatch.model import Depth, NewPhoto
from imgmatch.registry import DEFAULT_CODEBOOK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgmatch.catalog.session import Session

SEED = 5
AT_ONCE = 20_000
REAL = 1_500
QUERIES, WARM = 12 if QUICK else 60, 6
BATCH = 64
NOISE = 0.15
"""Share of the 32 digits of a code that are drawn anew."""


def run() -> dict[str, Any]:
    photos = int(sys.argv[sys.argv.index("--photos") + 1]) if "--photos" in sys.argv else 6_000 if QUICK else 100_000
    for option, work in (("--ask", asked), ("--upkeep", upkeep)):
        if option in sys.argv:
            return work(Path(sys.argv[sys.argv.index(option) + 1]))
    with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as folder:
        place = Path(folder) / "index"
        built = build(place, photos)
        # In processes of their own, so that memory is that of checking alone.
        figures = {"check": in_a_process("--ask", place), "upkeep": in_a_process("--upkeep", place)}
        return {"scan": scanning()} | built | figures


def in_a_process(option: str, place: Path) -> Any:  # noqa: ANN401 -- whatever it prints
    command = [sys.executable, __file__, option, str(place)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def upkeep(place: Path) -> dict[str, Any]:
    """Status, a new generation of the engine file of features while another index on the folder keeps asking, and
    an account removed."""
    command = [sys.executable, "-m", "imgmatch", "status", "--index", str(place)]
    status = milliseconds(lambda: subprocess.run(command, check=True, capture_output=True))
    query, account = copies(1)[0]
    with Index.open(place) as reader, Index.open(place) as writer:
        found = [is_found(reader, query, account)]
        over = threading.Event()

        def keep_asking() -> None:
            while not over.is_set():
                found.append(is_found(reader, query, account))

        asking = threading.Thread(target=keep_asking)
        asking.start()
        publishing = milliseconds(lambda: writer.parts.features.publish(writer.parts.folder.header()))
        over.set()
        asking.join()
        catching_up = milliseconds(lambda: found.append(is_found(reader, query, account)))
        removing = milliseconds(lambda: writer.remove(account=account))
        gone = not is_found(reader, query, account)
    return {
        "status_seconds": round(status / 1000, 2),
        "publish_seconds": round(publishing / 1000, 1),
        "checks_meanwhile": len(found) - 2,
        "checks_that_missed": found.count(False),
        "first_check_of_the_new_generation_seconds": round(catching_up / 1000, 1),
        "remove_and_compact_seconds": round(removing / 1000, 1),
        "gone_for_the_reader": gone,
        "peak_mib": peak_mib(),
    }


def is_found(index: Index, query: bytes, account: str) -> bool:
    return any(match.photo.account == account for match in index.check(query))


def scanning() -> dict[str, Any]:
    """Milliseconds a photo in one process, one decode: fingerprints alone, and with features."""
    cv2.setNumThreads(1)
    faiss.omp_set_num_threads(1)
    small = [path.read_bytes() for path in photos_in("phone")[:200]]
    figures = {}
    for name, files in (("400 pixels", small), ("2,000 pixels", [scaled(data) for data in small[:60]])):
        for depth in Depth:
            describer = Describer(Settings(features=depth is Depth.FULL))
            for data in files[:10]:
                describer.describe(Job(data))
            figures[f"{name}, {depth}"] = spread(milliseconds(partial(describer.describe, Job(data))) for data in files)
    return figures


def scaled(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        factor = 2000 / max(image.size)
        large = image.convert("RGB").resize((round(image.width * factor), round(image.height * factor)))
    packed = io.BytesIO()
    large.save(packed, "JPEG", quality=90)
    return packed.getvalue()


def build(place: Path, photos: int) -> dict[str, Any]:
    """Real photos, and as many drawn ones as are wanted, written straight into the tables."""
    with Index.create(place, workers=2) as index:
        real = random.Random(SEED).sample(photos_in("portraits", "phone"), REAL)
        scanned = index.add([NewPhoto.at(path, account=path.stem + path.parent.name) for path in real])
        with index.parts.catalog.read() as session:
            records = list(session.sql.scalars(select(schema.features.c.record)))
        say(f"writing {photos:,} drawn photos")
        writing = milliseconds(lambda: store(index, records, photos - len(index)))
        rebuilding = milliseconds(index.rebuild)
        header = index.parts.folder.header()
        counted = index.counts()
    sizes = {name: (place / name).stat().st_size for name in sorted(header.files)}
    return {
        "photos": counted["photos"],
        "scan_photos_per_second_2_workers": round(scanned.photos_per_second, 1),
        "write_seconds": round(writing / 1000, 1),
        "rebuild_seconds": round(rebuilding / 1000, 1),
        "catalog_bytes_a_photo": round((place / "catalog.sqlite3").stat().st_size / counted["photos"]),
        "engine_bytes": sizes,
    }


def store(index: Index, records: list[bytes], count: int) -> None:
    """One photo on one account for each drawn record."""
    rng = np.random.default_rng(SEED)
    pool = [unpack(record) for record in records]
    lists = np.concatenate([one.lists for one in pool])
    codes = np.concatenate([one.codes for one in pool])
    for start in range(0, count, AT_ONCE):
        size = min(AT_ONCE, count - start)
        rows = drawn(rng, lists, codes, size)
        with index.parts.catalog.write() as session:
            store_block(session, rng, rows, 10_000_000 + start)


def drawn(rng: np.random.Generator, lists: NDArray[np.uint16], codes: NDArray[np.uint8], size: int) -> list[bytes]:
    """Records of 100 points each."""
    chosen = rng.integers(0, len(lists), size * 100)
    altered = codes[chosen]
    other = rng.integers(0, 256, altered.shape, dtype=np.uint8)
    mask = np.where(rng.random(altered.shape) < NOISE, 0x0F, 0) | np.where(rng.random(altered.shape) < NOISE, 0xF0, 0)
    altered = (altered & ~mask.astype(np.uint8)) | (other & mask.astype(np.uint8))
    head = np.frombuffer(bytes([1, 0, 100, 0]) + np.array([65_535, 49_000], "<u2").tobytes(), np.uint8)
    places = rng.integers(0, 65_536, (2, size, 100)).astype("<u2")
    whole = np.concatenate(
        [
            np.tile(head, (size, 1)),
            np.ascontiguousarray(places[0]).view(np.uint8),
            np.ascontiguousarray(places[1] // 4 * 3).view(np.uint8),
            rng.integers(90, 150, (size, 100), dtype=np.uint8),
            rng.integers(0, 256, (size, 100), dtype=np.uint8),
            np.ascontiguousarray(lists[chosen].astype("<u2").reshape(size, 100)).view(np.uint8),
            altered.reshape(size, 1600),
        ],
        axis=1,
    )
    return [row.tobytes() for row in whole]


def store_block(session: Session, rng: np.random.Generator, records: list[bytes], first: int) -> None:
    bits = rng.integers(0, 256, (len(records), 32), dtype=np.uint8)
    rows = [first + number for number in range(len(records))]
    source = session.sql.scalar(select(func.min(schema.sources.c.id)))
    same = {
        "source_id": source, "scan_id": 1, "seen_at": 1, "file_bytes": 1, "file_mtime_ns": 1,
        "width": 400, "height": 533, "format": "JPEG", "quality": 100,
    }  # fmt: skip
    session.sql.execute(
        insert(schema.accounts), [{"id": row, "account": f"drawn-{row}", "first_seen": 1} for row in rows]
    )
    session.sql.execute(
        insert(schema.photos),
        [
            same
            | {
                "id": row,
                "photo_id": f"drawn-{row}",
                "account_id": row,
                "label": f"{row}.jpg",
                "path": f"/drawn/{row}.jpg",
                "sha256": code.tobytes(),
            }
            for row, code in zip(rows, bits, strict=True)
        ],
    )
    session.sql.execute(
        insert(schema.photo_pictures),
        [{"photo_id": row, "place": 0, "pixels": code.tobytes()[:16]} for row, code in zip(rows, bits, strict=True)],
    )
    session.sql.execute(
        insert(schema.fingerprints),
        [{"id": row, "hasher": "phash", "bits": code.tobytes()} for row, code in zip(rows, bits, strict=True)],
    )
    session.sql.execute(
        insert(schema.photo_fingerprints), [{"fingerprint_id": row, "photo_id": row, "place": 0} for row in rows]
    )
    session.sql.execute(
        insert(schema.features),
        [
            {"pixels": code.tobytes()[:16], "codebook": DEFAULT_CODEBOOK, "record": record}
            for code, record in zip(bits, records, strict=True)
        ],
    )


def asked(place: Path) -> dict[str, Any]:
    """Times of checks of edited copies, one by one and together."""
    queries = copies(QUERIES + WARM)
    started = time.perf_counter()
    with Index.open(place) as index:
        index.check(queries[0][0])
        opened = time.perf_counter() - started
        times, found = [], 0
        for number, (data, account) in enumerate(queries):
            results: list[Any] = []
            took = milliseconds(lambda data=data, results=results: results.append(index.check(data)))  # type: ignore[misc]
            if number >= WARM:
                times.append(took)
            found += any(match.photo.account == account for match in results[0])
    with Index.open(place, workers=2) as index:
        many = [data for data, _ in queries[:BATCH]]
        list(index.check_many(many[:8]))
        together = milliseconds(lambda: list(index.check_many(many)))
    return {
        "open_and_first_check_seconds": round(opened, 2),
        "ms": spread(times),
        "found_percent": round(100 * found / len(queries), 1),
        "batch": len(many),
        "batch_ms_a_photo": round(together / len(many), 1),
        "peak_mib": peak_mib(),
        "threads": faiss.omp_get_max_threads(),
    }


def copies(count: int) -> list[tuple[bytes, str]]:
    """Real photos, cropped and mirrored or inside a screenshot, with the accounts they are on."""
    rng = random.Random(SEED)
    real = rng.sample(photos_in("portraits", "phone"), REAL)
    made = []
    for number, path in enumerate(rng.sample(real, count)):
        with Image.open(path) as image:
            picture = image.convert("RGB")
        name = ("mirror-crop", "square", "screenshot-chat", "caption-bar")[number % 4]
        packed = io.BytesIO()
        edited(name, picture, 1, number, [picture] * 4).save(packed, "JPEG", quality=85)
        made.append((packed.getvalue(), path.stem + path.parent.name))
    return made


if __name__ == "__main__":
    if {"--ask", "--upkeep"} & set(sys.argv):
        print(json.dumps(run()))
    else:
        print_figures("depth", run)
