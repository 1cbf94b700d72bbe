"""How fast one photo is checked against an index of a million fingerprints, next to other exact searches of as many.

Prints one line of JSON. Needs the folder ../shared; threatexchange is optional, and the line says so where it is
missing.
"""

from __future__ import annotations

import io
import random
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import faiss
import numpy as np
from common import QUICK, milliseconds, peer, photos_in, print_figures, resident_mib, say, spread
from PIL import Image, ImageOps
from sqlalchemy import func, insert, select

from imgmatch.catalog import schema
from imgmatch.describing.messages import Description, Job
from imgmatch.describing.pool import WorkerPool
from imgmatch.describing.settings import Settings
from imgmatch.engines.linear import LinearSegment
from imgmatch.engines.snapshots import map_arrays
from imgmatch.imaging.limits import Limits
from imgmatch.index import Index
from imgmatch.matching.bank_hits import nearest
from imgmatch.model import Depth, NewPhoto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from imgmatch.catalog.session import Session
    from imgmatch.describing.messages import Reply
    from imgmatch.model import Failure

SEED = 20
SYNTHETIC = 50_000 if QUICK else 1_000_000
AT_ONCE = 50_000
REAL = 200
QUERIES = 40 if QUICK else 200
ORACLE_QUERIES = 12
BEYOND = 12
"""Fingerprints are planted at every distance up to this many bits beyond ``max_distance``."""

BATCH = 64
PEER_QUERIES = 10 if QUICK else 40
PEER_BUILD_SECONDS = 30

Item = TypeVar("Item")


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as folder:
        place = Path(folder) / "index"
        queries = query_photos()
        built = build(place, queries)
        before = resident_mib()
        figures = checked(place, queries)
        after = resident_mib()
        codes = figures.pop("codes")
        turned = figures.pop("turned")
        memory = round(after - before) if before is not None and after is not None else None
        return built | figures | {"memory_mib": memory, "peers": peers(codes, turned)}


@dataclass(frozen=True, slots=True)
class Query:
    """A photo to check, and the stored one it was made from."""

    data: bytes
    original: Path


def query_photos() -> list[Query]:
    """Stored photos, mirrored and saved anew at quality 30, as they would come in."""
    rng = random.Random(SEED)
    files = rng.sample(photos_in("phone", "portraits"), REAL)
    queries = []
    for file in files[:QUERIES]:
        with Image.open(file) as image:
            buffer = io.BytesIO()
            ImageOps.mirror(image.convert("RGB")).save(buffer, "JPEG", quality=30)
        queries.append(Query(buffer.getvalue(), file))
    return queries


def build(place: Path, queries: list[Query]) -> dict[str, Any]:
    """An index of the real photos, the planted fingerprints, and random ones."""
    with Index.create(place, workers=2, depth=Depth.FINGERPRINT) as index:
        index.add([NewPhoto.at(query.original, account=f"real-{n}") for n, query in enumerate(queries)])
        hasher = index.parts.folder.header().hashers[0]
        random_codes = np.random.default_rng(SEED).integers(0, 256, (SYNTHETIC, 32), dtype=np.uint8)
        planted = plant(index, queries[:ORACLE_QUERIES])
        random_codes[:: SYNTHETIC // len(planted)][: len(planted)] = planted
        say(f"writing {SYNTHETIC:,} photos into the catalog")
        writing = milliseconds(lambda: store(index, hasher, random_codes))
        rebuilding = milliseconds(index.rebuild)
        counted = index.counts()
        engine = index.parts.folder.header().snapshot
    return {
        "photos": counted["photos"],
        "synthetic": SYNTHETIC,
        "planted": len(planted),
        "write_seconds": round(writing / 1000, 1),
        "rebuild_seconds": round(rebuilding / 1000, 1),
        "catalog_mib": round((place / "catalog.sqlite3").stat().st_size / 2**20),
        "engine_mib": round((place / engine.file).stat().st_size / 2**20) if engine else None,
    }


def plant(index: Index, queries: Iterable[Query]) -> NDArray[np.uint8]:
    """Fingerprints at every distance, in turn, from the orientations of these queries."""
    rng = np.random.default_rng(SEED + 1)
    planted = []
    for query in queries:
        turned = described(index, query).reshape(-1, 32)
        for distance in range(index.parts.hasher.profile.max_distance + BEYOND + 1):
            bits = np.unpackbits(turned[distance % len(turned)])
            bits[rng.choice(bits.size, distance, replace=False)] ^= 1
            planted.append(np.packbits(bits))
    return np.unique(np.stack(planted), axis=0)


def described(index: Index, query: Query) -> NDArray[np.uint8]:
    """The searched fingerprints of all orientations of a query, shape (8, 32)."""
    ((_, reply),) = index.parts.runner.describe([query], lambda item: Job(item.data, query=True))
    if not isinstance(reply, Description):
        raise TypeError(f"{query.original} could not be described: {reply}")
    return np.frombuffer(reply.first.orientations[index.parts.folder.header().hashers[0]], np.uint8).reshape(-1, 32)


def store(index: Index, hasher: str, codes: NDArray[np.uint8]) -> None:
    """One photo and one account for every fingerprint, straight into the tables."""
    with index.parts.catalog.write() as session:
        tables = (schema.accounts, schema.photos, schema.fingerprints)
        firsts = [1 + (session.sql.scalar(select(func.max(table.c.id))) or 0) for table in tables]
        source = session.sql.scalar(select(func.min(schema.sources.c.id)))
        for start in range(0, len(codes), AT_ONCE):
            block = codes[start : start + AT_ONCE]
            _store_block(session, hasher, block, [first + start for first in firsts], source)


def _store_block(
    session: Session, hasher: str, codes: NDArray[np.uint8], firsts: list[int], source: int | None
) -> None:
    account, photo, fingerprint = firsts
    seen = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1_000_000)
    numbers = range(len(codes))
    session.sql.execute(
        insert(schema.accounts),
        [{"id": account + n, "account": f"synthetic-{account + n}", "first_seen": seen} for n in numbers],
    )
    same = {
        "source_id": source,
        "scan_id": 1,
        "seen_at": seen,
        "file_bytes": 1,
        "file_mtime_ns": 1,
        "width": 400,
        "height": 533,
        "format": "JPEG",
        "quality": 100,
    }
    session.sql.execute(
        insert(schema.photos),
        [
            same
            | {
                "id": photo + n,
                "photo_id": f"synthetic-{photo + n:09}",
                "account_id": account + n,
                "label": f"{photo + n}.jpg",
                "path": f"/synthetic/{photo + n}.jpg",
                "sha256": code.tobytes(),
            }
            for n, code in enumerate(codes)
        ],
    )
    session.sql.execute(
        insert(schema.photo_pictures),
        [{"photo_id": photo + n, "place": 0, "pixels": code.tobytes()[:16]} for n, code in enumerate(codes)],
    )
    session.sql.execute(
        insert(schema.fingerprints),
        [{"id": fingerprint + n, "hasher": hasher, "bits": code.tobytes()} for n, code in enumerate(codes)],
    )
    session.sql.execute(
        insert(schema.photo_fingerprints),
        [{"fingerprint_id": fingerprint + n, "photo_id": photo + n, "place": 0} for n in numbers],
    )


class TimedPool(WorkerPool):
    """A pool that knows how long its callers waited for descriptions."""

    waited = 0.0

    def describe(
        self, items: Iterable[Item], job_of: Callable[[Item], Job | Failure], *, spare: int = 0
    ) -> Iterator[tuple[Item, Reply]]:
        source = super().describe(items, job_of, spare=spare)
        while True:
            started = time.perf_counter()
            found = next(source, None)
            self.waited += time.perf_counter() - started
            if found is None:
                return
            yield found


def checked(place: Path, queries: list[Query]) -> dict[str, Any]:
    """Times of checks, one by one and together, and whether they found what the oracle finds."""
    opening = time.perf_counter()
    usual = Index.open(place, depth=Depth.FINGERPRINT).parts
    usual.runner.close()
    pool = TimedPool(1, Settings(usual.header.hashers, Limits(), features=False))
    with Index(replace(usual, runner=pool)) as index:
        index.parts.fingerprints.current()
        opened = time.perf_counter() - opening
        say("checking photos one by one")
        turned = [described(index, query) for query in queries]  # also lets the worker meet every size of picture
        totals, describing = [], []
        found = 0
        for number, query in enumerate(queries):
            pool.waited = 0.0
            started = time.perf_counter()
            result = index.check(query.data)
            totals.append((time.perf_counter() - started) * 1000)
            describing.append(pool.waited * 1000)
            found += any(match.photo.account == f"real-{number}" for match in result)
        searching = [
            milliseconds(partial(index.parts.fingerprints.search, rows, index.parts.hasher.profile.max_distance))
            for rows in turned
        ]
        batch = [query.data for query in queries[:BATCH]]
        pool.waited = 0.0
        together = milliseconds(lambda: list(index.check_many(batch)))
        say("asking the oracle")
        index.parts.fingerprints.current().save(written := place.with_name("oracle"))
        ids, codes = map_arrays(written)
        return {
            "open_seconds": round(opened, 3),
            "max_distance": index.parts.hasher.profile.max_distance,
            "orientations": len(turned[0]),
            "threads": faiss.omp_get_max_threads(),
            "target_beyond_describing_ms": 15,
            "check_ms": spread(totals),
            "describing_ms": spread(describing),
            "beyond_describing_ms": spread(t - d for t, d in zip(totals, describing, strict=True)),
            "search_alone_ms": spread(searching),
            "found_percent": round(100 * found / len(queries), 2),
            "batch": BATCH,
            "batch_ms_a_photo": round(together / BATCH, 3),
            "batch_beyond_describing_ms_a_photo": round((together - pool.waited * 1000) / BATCH, 3),
            "oracle": against_oracle(index, LinearSegment(ids, codes), queries[:ORACLE_QUERIES]),
            "codes": codes,
            "turned": turned,
        }


def against_oracle(index: Index, oracle: LinearSegment, queries: list[Query]) -> dict[str, Any]:
    """For a few queries: does a check name the accounts and distances that comparing with every fingerprint gives."""
    equal, matches = 0, 0
    for query in queries:
        hits = oracle.search(described(index, query), index.parts.hasher.profile.max_distance)
        with index.parts.catalog.read() as session:
            expected = {
                (account, near.distance)
                for fingerprint, near in nearest(hits).items()
                for account in accounts_with(session, fingerprint)
            }
        result = index.check(query.data, limit=1000)
        given = {(match.photo.account, match.evidence.distance) for match in result}
        equal += given == expected
        matches += len(expected)
    return {"queries": len(queries), "equal": equal, "matches": matches}


def accounts_with(session: Session, fingerprint: int) -> list[str]:
    links, photos, accounts = schema.photo_fingerprints.c, schema.photos.c, schema.accounts.c
    joined = (
        select(accounts.account)
        .join(schema.photos, photos.account_id == accounts.id)
        .join(schema.photo_fingerprints, links.photo_id == photos.id)
    )
    return list(session.sql.scalars(joined.where(links.fingerprint_id == fingerprint)))


def peers(codes: NDArray[np.uint8], turned: list[NDArray[np.uint8]]) -> dict[str, Any]:
    """Other searches of the same fingerprints."""
    say("asking the peers")
    flat = faiss.IndexBinaryFlat(256)
    flat.add(np.ascontiguousarray(codes))
    some = turned[:PEER_QUERIES]
    return {
        "faiss IndexBinaryFlat.search k=1, 8 orientations, ms": spread(
            milliseconds(partial(flat.search, rows, 1)) for rows in some
        ),
        "faiss IndexBinaryFlat.search k=1, 1 orientation, ms": spread(
            milliseconds(partial(flat.search, rows[:1], 1)) for rows in some
        ),
        "threatexchange": threatexchange_figures(codes, some),
    }


def threatexchange_figures(codes: NDArray[np.uint8], turned: list[NDArray[np.uint8]]) -> dict[str, Any] | str:
    """Its default index of PDQ and its flat one, which look at one orientation a query and at its own distance."""
    module = peer("threatexchange.signal_type.pdq.pdq_index")
    if isinstance(module, str):
        return module
    figures = {}
    for kind in (module.PDQFlatIndex, module.PDQIndex):
        trying = milliseconds(partial(kind, entries(codes[: len(codes) // 50]))) / 1000
        size = len(codes) if trying * 50 < PEER_BUILD_SECONDS else len(codes) // 10
        started = time.perf_counter()
        built = kind(entries(codes[:size]))
        seconds = time.perf_counter() - started
        figures[kind.__name__] = {
            "fingerprints": size,
            "max_distance": kind.get_match_threshold(),
            "build_seconds": round(seconds, 1),
            "query_1_orientation_ms": spread(milliseconds(partial(built.query, to_hex(rows[0]))) for rows in turned),
        }
    return figures


def entries(codes: NDArray[np.uint8]) -> Iterator[tuple[str, int]]:
    return ((to_hex(code), number) for number, code in enumerate(codes))


def to_hex(code: NDArray[np.uint8]) -> str:
    return code.tobytes().hex()


if __name__ == "__main__":
    print_figures("check", run)
