"""An index of millions of photos whose fingerprints are drawn, written straight into the tables.

Drawn fingerprints are the signs of Gaussian variables with the correlations of real ones, so that strangers lie as near
each other as real photos do. Keys come in random order, as they do when an index grows night by night: pages of the
catalog are filled as theirs are.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, cast

import numpy as np
from common import say
from scipy.stats import norm

from imgmatch.catalog.fingerprints import read_fingerprints
from imgmatch.catalog.scans import begin_scan

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from imgmatch.catalog.session import Session
    from imgmatch.index import Index

SEED = 7
AT_ONCE = 500_000
"""Rows in a transaction: many, since each touches pages all over the catalog."""

ACCOUNT_PHOTOS = 2
"""Photos an account has."""

_BITS = 256


def fill(index: Index, photos: int, real_ones: int) -> None:
    """Add so many drawn photos to an index whose first ones are real."""
    with index.catalog.read() as session:
        real = next(read_fingerprints(session, "phash"))[1][:real_ones]
        first = {name: _next(session, name) for name in ("photos", "accounts", "fingerprints")}
    mixing, levels = mixing_of(real)
    rng = np.random.default_rng([SEED, first["photos"]])  # of its own where an index is filled further
    with index.writing():
        with index.catalog.write() as session:
            source = begin_scan(session, "drawn")
        for done in range(0, photos, AT_ONCE):
            size = min(AT_ONCE, photos - done)
            codes = drawn(rng, mixing, levels, size), rng.integers(0, 256, (size, 32), dtype=np.uint8)
            with index.catalog.write() as session:
                raw = cast("sqlite3.Connection", session.sql.connection.driver_connection)
                raw.execute("PRAGMA cache_size=-6000000")  # 6 GB: pages are touched again and again
                write(raw, Block(first, done, size, source.source_id, source.scan_id), *codes)
            say(f"  {done + size:,} photos written")


def _next(session: Session, table: str) -> int:
    return int(session.sql.exec_driver_sql(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").scalar_one())  # noqa: S608


def mixing_of(real: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What Gaussian variables are multiplied by, shape (256, 256), and above which level a bit is set, shape (256,)."""
    bits = np.unpackbits(real, axis=1).astype(np.float32)
    moving = bits.std(axis=0) > 0
    latent = np.eye(_BITS)
    # Of two Gaussian variables with correlation r, the signs have 2/pi arcsin r.
    latent[np.ix_(moving, moving)] = np.sin(np.corrcoef(bits[:, moving], rowvar=False) * (np.pi / 2))
    values, vectors = np.linalg.eigh(latent)
    mixing = (vectors * np.sqrt(np.maximum(values, 0))).T
    return mixing.astype(np.float32), -norm.ppf(bits.mean(axis=0)).astype(np.float32)


def drawn(
    rng: np.random.Generator, mixing: NDArray[np.float32], levels: NDArray[np.float32], count: int
) -> NDArray[np.uint8]:
    """Fingerprints, shape (count, 32)."""
    return np.packbits(rng.standard_normal((count, _BITS), np.float32) @ mixing > levels, axis=1)


class Block:
    """Which rows are written at once."""

    def __init__(self, first: dict[str, int], done: int, size: int, source: int, scan: int) -> None:
        self.source, self.scan = source, scan
        self.photos = range(first["photos"] + done, first["photos"] + done + size)
        start = first["accounts"] + done // ACCOUNT_PHOTOS
        self.accounts = range(start, start + (size + ACCOUNT_PHOTOS - 1) // ACCOUNT_PHOTOS)
        self.prints = first["fingerprints"] + 2 * done

    def account_of(self, place: int) -> int:
        return self.accounts[place // ACCOUNT_PHOTOS]


def write(raw: sqlite3.Connection, block: Block, phash: NDArray[np.uint8], pdq: NDArray[np.uint8]) -> None:
    """Write one block through the tables' own triggers and indexes."""
    names = [secrets.token_hex(8) for _ in block.accounts]
    raw.executemany(
        "INSERT INTO accounts (id, account, first_seen) VALUES (?, ?, 1)", zip(block.accounts, names, strict=True)
    )
    raw.executemany(
        "INSERT INTO photos (id, photo_id, account_id, label, path, source_id, scan_id, sha256, pixels, seen_at,"
        " file_bytes, file_mtime_ns, width, height, format, quality)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 50000, 1700000000000000000, 640, 480, 'JPEG', 90)",
        _photos(block, names),
    )
    for hasher, codes, shift in (("phash", phash, 0), ("pdq", pdq, 1)):
        ids = range(block.prints + shift, block.prints + shift + 2 * len(codes), 2)
        raw.executemany(
            f"INSERT INTO fingerprints (id, hasher, bits) VALUES (?, '{hasher}', ?)",  # noqa: S608
            ((row, code.tobytes()) for row, code in zip(ids, codes, strict=True)),
        )
        raw.executemany("INSERT INTO photo_fingerprints VALUES (?, ?)", zip(ids, block.photos, strict=True))


def _photos(block: Block, names: list[str]) -> Iterator[tuple[object, ...]]:
    for place, row in enumerate(block.photos):
        name = names[place // ACCOUNT_PHOTOS]
        label = f"{name}/{place % ACCOUNT_PHOTOS}.jpg"
        digests = secrets.token_bytes(32), secrets.token_bytes(16)
        yield row, label, block.account_of(place), label, f"/srv/photos/{label}", block.source, block.scan, *digests
