"""An index of millions of photos whose fingerprints are drawn, written straight into the tables of its catalog.

Drawn fingerprints are the signs of Gaussian variables with the correlations of real ones, so that strangers lie as near
each other as real photos do. Keys come in random order, as they do when an index grows night by night: pages of the
catalog are filled as theirs are. The catalog is written with ``sqlite3`` alone, through its own triggers, so that
one index serves several versions of imgmatch.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from common import say
from scipy.stats import norm

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SEED = 7
AT_ONCE = 500_000
"""Rows in a transaction: many, since each touches pages all over the catalog."""

ACCOUNT_PHOTOS = 2
"""Photos an account has."""

FLIPPED = (2, 10)
"""Bits in which a planted copy differs from its original, from the first to the second number."""

_BITS = 256
_NAME_BYTES = 8
_DIGEST_BYTES, _PIXEL_BYTES = 32, 16
_ASKED_AT_ONCE = 500


def fill(home: Path, photos: int, real_ones: int, *, planted: int = 0) -> list[tuple[str, str]]:
    """Add so many drawn photos to an index whose first ones are real.

    Args:
        home: the index; nobody else may write meanwhile.
        photos: how many to add.
        real_ones: how many of its first fingerprints show how real ones are correlated.
        planted: how many of them are near copies of photos that are there already, no two of one photo.

    Returns:
        the accounts of each planted copy and of its original.
    """
    with closing(sqlite3.connect(home / "catalog.sqlite3", isolation_level=None)) as raw:
        raw.execute("PRAGMA cache_size=-6000000")  # 6 GB: pages are touched again and again
        mixing, levels = mixing_of(_first_codes(raw, real_ones))
        first = {name: _next(raw, name) for name in ("photos", "accounts", "fingerprints")}
        rng = np.random.default_rng([SEED, first["photos"]])  # of its own where an index is filled further
        originals = _originals(raw, rng.permutation(np.arange(1, first["photos"]))[: 2 * planted].tolist())[:planted]
        source, scan = _begin_scan(raw)
        pairs: list[tuple[str, str]] = []
        for done in range(0, photos, AT_ONCE):
            size = min(AT_ONCE, photos - done)
            block = Block(first, done, size, source, scan, rng)
            phash = drawn(rng, mixing, levels, size)
            share = originals[len(originals) * done // photos : len(originals) * (done + size) // photos]
            pairs += plant(rng, block, phash, share)
            raw.execute("BEGIN IMMEDIATE")
            write(raw, block, phash, rng.integers(0, 256, (size, 32), dtype=np.uint8))
            raw.execute("COMMIT")
            say(f"  {done + size:,} photos written")
        return pairs


def _first_codes(raw: sqlite3.Connection, count: int) -> NDArray[np.uint8]:
    query = "SELECT bits FROM fingerprints WHERE hasher || '' = 'phash' ORDER BY id LIMIT ?"
    return np.frombuffer(b"".join(bits for (bits,) in raw.execute(query, (count,))), np.uint8).reshape(-1, 32)


def _next(raw: sqlite3.Connection, table: str) -> int:
    return int(raw.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()[0])


def _begin_scan(raw: sqlite3.Connection) -> tuple[int, int]:
    """A source for what is drawn, and a scan of it that has ended."""
    raw.execute("INSERT OR IGNORE INTO sources (key) VALUES ('drawn')")
    source = int(raw.execute("SELECT id FROM sources WHERE key = 'drawn'").fetchone()[0])
    raw.execute("INSERT INTO scans (source_id, started_at, finished_at, counts) VALUES (?, 1, 1, '{}')", (source,))
    return source, int(raw.execute("SELECT max(id) FROM scans").fetchone()[0])


def _originals(raw: sqlite3.Connection, photos: Sequence[int]) -> list[tuple[bytes, str]]:
    """Fingerprint and account of those of these photos that are there."""
    found: list[tuple[bytes, str]] = []
    for start in range(0, len(photos), _ASKED_AT_ONCE):
        some = photos[start : start + _ASKED_AT_ONCE]
        query = (
            "SELECT f.bits, a.account FROM photos p JOIN accounts a ON a.id = p.account_id"
            " JOIN photo_fingerprints l ON l.photo_id = p.id JOIN fingerprints f ON f.id = l.fingerprint_id"
            f" WHERE f.hasher || '' = 'phash' AND p.id IN ({', '.join('?' * len(some))}) ORDER BY p.id"
        )
        found += raw.execute(query, some)
    return found


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


@dataclass
class Block:
    """Which rows are written at once."""

    first: dict[str, int]
    done: int
    size: int
    source: int
    scan: int
    rng: np.random.Generator
    names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        drawn_names = self.rng.bytes(_NAME_BYTES * len(self.accounts)).hex()
        self.names = [
            drawn_names[start : start + 2 * _NAME_BYTES] for start in range(0, len(drawn_names), 2 * _NAME_BYTES)
        ]

    @property
    def photos(self) -> range:
        start = self.first["photos"] + self.done
        return range(start, start + self.size)

    @property
    def accounts(self) -> range:
        start = self.first["accounts"] + self.done // ACCOUNT_PHOTOS
        return range(start, start + (self.size + ACCOUNT_PHOTOS - 1) // ACCOUNT_PHOTOS)

    @property
    def prints(self) -> int:
        return self.first["fingerprints"] + 2 * self.done


def plant(
    rng: np.random.Generator, block: Block, phash: NDArray[np.uint8], originals: Sequence[tuple[bytes, str]]
) -> list[tuple[str, str]]:
    """Make some fingerprints of a block near copies of these, each on another account; returns the accounts of both."""
    accounts = rng.choice(len(block.names), len(originals), replace=False).tolist()
    pairs = []
    for account, (bits, owner) in zip(accounts, originals, strict=True):
        code = np.unpackbits(np.frombuffer(bits, np.uint8))
        flipped = rng.choice(_BITS, int(rng.integers(FLIPPED[0], FLIPPED[1] + 1)), replace=False)
        code[flipped] ^= 1
        phash[account * ACCOUNT_PHOTOS] = np.packbits(code)
        pairs.append((block.names[account], owner))
    return pairs


def write(raw: sqlite3.Connection, block: Block, phash: NDArray[np.uint8], pdq: NDArray[np.uint8]) -> None:
    """Write one block through the tables' own triggers and indexes."""
    raw.executemany(
        "INSERT INTO accounts (id, account, first_seen) VALUES (?, ?, 1)", zip(block.accounts, block.names, strict=True)
    )
    digests = [(block.rng.bytes(_PIXEL_BYTES),) for _ in block.photos]
    if older(raw):  # one picture a photo
        _write_photos(raw, block, ", pixels", digests)
    else:
        _write_photos(raw, block, "", [()] * block.size)
        raw.executemany(
            "INSERT INTO photo_pictures (photo_id, place, pixels) VALUES (?, 0, ?)",
            ((row, *digest) for row, digest in zip(block.photos, digests, strict=True)),
        )
    place = "" if older(raw) else ", 0"
    for hasher, codes, shift in (("phash", phash, 0), ("pdq", pdq, 1)):
        ids = range(block.prints + shift, block.prints + shift + 2 * len(codes), 2)
        raw.executemany(
            f"INSERT INTO fingerprints (id, hasher, bits) VALUES (?, '{hasher}', ?)",
            _codes(ids, codes),
        )
        raw.executemany(f"INSERT INTO photo_fingerprints VALUES (?, ?{place})", zip(ids, block.photos, strict=True))


def older(raw: sqlite3.Connection) -> bool:
    """Whether the index is of a version that kept one picture a photo."""
    return any(name == "pixels" for _, name, *_ in raw.execute("PRAGMA table_info(photos)"))


def _write_photos(raw: sqlite3.Connection, block: Block, columns: str, values: Sequence[tuple[bytes, ...]]) -> None:
    raw.executemany(
        "INSERT INTO photos (id, photo_id, account_id, label, path, source_id, scan_id, sha256, seen_at,"
        f" file_bytes, file_mtime_ns, width, height, format, quality{columns})"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, 50000, 1700000000000000000, 640, 480, 'JPEG', 90"
        f"{', ?' if columns else ''})",
        ((*row, *value) for row, value in zip(_photos(block), values, strict=True)),
    )


def _codes(ids: Iterable[int], codes: NDArray[np.uint8]) -> Iterator[tuple[int, bytes]]:
    return ((row, code.tobytes()) for row, code in zip(ids, codes, strict=True))


def _photos(block: Block) -> Iterator[tuple[object, ...]]:
    digests = block.rng.bytes(_DIGEST_BYTES * block.size)
    for place, row in enumerate(block.photos):
        name, account = block.names[place // ACCOUNT_PHOTOS], block.accounts[place // ACCOUNT_PHOTOS]
        label = f"{name}/{place % ACCOUNT_PHOTOS}.jpg"
        digest = digests[place * _DIGEST_BYTES : (place + 1) * _DIGEST_BYTES]
        yield row, label, account, label, f"/srv/photos/{label}", block.source, block.scan, digest
