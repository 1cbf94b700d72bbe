"""What ``rings`` costs when runs are kept: nothing new, and some new photos among very many: ``make bench NAME=runs``.

An index of 60,000 photos and one of 1,000,000, fingerprints only, drawn with the correlations of real ones
(``scale_index.py``); one in a hundred is a near copy of another one. Asked through the command line: a first run, runs
with nothing new, and a run after new photos came, one for each hundred, of which one in a hundred is a near copy of an
old one. The version before is asked the same on a copy of the same index.

Options: ``--photos N`` for one other size, beyond 1,000,000 without the version before and with only the first million
joined among themselves: the first run of ten million takes hours, and only what comes after it is measured; ``--quick``
for 20,000; ``--alone`` leaves the version before out; ``--folder PATH`` to work there.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import photos_in, print_figures, say, spread
from scale_index import fill
from versions import BEFORE, ROOT, Ran, Version, VersionError, version_at

if TYPE_CHECKING:
    from collections.abc import Iterator

REAL = 2_000
SIZES = (60_000, 1_000_000)
FEW = 20_000
SHARE = 100
"""One photo in so many is new, and one in so many is a near copy."""

JOINED = 1_000_000
"""Of a larger index only so many photos are joined among themselves."""

REPEATS = 5
TIMEOUT = 1_800.0

Pairs = list[tuple[str, str]]


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--before", default=BEFORE)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    sizes = (FEW,) if asked.quick else (asked.photos,) if asked.photos else SIZES
    with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as temporary:
        folder = (asked.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            before = version_at(asked.before, folder)
            print_figures(
                "runs", lambda: {"before": asked.before} | dict(run(folder, before, sizes, alone=asked.alone))
            )
        except VersionError as error:
            say(str(error))
            sys.exit(1)


def run(folder: Path, before: Version, sizes: tuple[int, ...], *, alone: bool) -> Iterator[tuple[str, Any]]:
    """Each size in turn."""
    after = Version("after", ROOT)
    yield "before", before.code.name
    yield "after", after.described()
    for photos in sizes:
        base = folder / f"base-{photos}"
        planted = made(base, before, photos)
        yield str(photos), asked_both(base, planted, photos, [after] if alone or photos > JOINED else [before, after])
        shutil.rmtree(base)


def made(base: Path, version: Version, photos: int) -> Pairs:
    """An index that both versions can open, made by the version before; returns what is planted in it."""
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir()
    with (base / "real.csv").open("w", encoding="utf-8", newline="") as file:
        rows = enumerate(photos_in("portraits", "phone")[:REAL])
        csv.writer(file).writerows([("account", "photo"), *((f"real-{number}", path) for number, path in rows)])
    say(f"{photos:,} photos")
    scan = ("scan", base / "real.csv", "--depth", "fingerprint", "--workers", 2, "--quiet", "--index", base / "index")
    checked(version.run(*scan, cwd=base))
    count = min(photos, JOINED)
    half = count // 2
    fill(base / "index", half - REAL, REAL)
    return fill(base / "index", count - half, REAL, planted=count // SHARE)


def asked_both(base: Path, planted: Pairs, photos: int, versions: list[Version]) -> dict[str, Any]:
    """Every version on a copy of its own, with the same new photos."""
    figures: dict[str, Any] = {}
    shown: dict[str, dict[str, str]] = {}
    for version in versions:
        home = base / version.name
        home.mkdir()
        shutil.copytree(base / "index", home / "index")
        figures[version.name], shown[version.name] = measured(version, home, planted, photos)
        shutil.rmtree(home)
    if len(shown) > 1:
        one, other = shown.values()
        figures["accounts in rings of both versions"] = len(one.keys() & other.keys())
        figures["accounts in rings of one version alone"] = len(one.keys() ^ other.keys())
    return figures


def measured(version: Version, home: Path, planted: Pairs, photos: int) -> tuple[dict[str, Any], dict[str, str]]:
    """The runs of one version; returns the ring of each account at the end, too."""
    say(f"  {version.name}: first run")
    first = rings(version, home)
    if first.timed_out:
        return {"first run": f"ended after {TIMEOUT:.0f} s"}, {}
    figures = {"first run": told(first, planted)}
    rest = photos - min(photos, JOINED)
    if rest:
        fill(home / "index", rest, REAL)
        take_as_joined(home)
    say(f"  {version.name}: nothing new")
    quiet = [rings(version, home) for _ in range(REPEATS)]
    figures["nothing new"] = told(quiet[-1], planted) | {
        "seconds": spread(ran.seconds for ran in quiet),
        "cpu_seconds": spread(ran.cpu_seconds for ran in quiet),
    }
    count = max(photos // SHARE, SHARE)
    planted = planted + fill(home / "index", count, REAL, planted=count // SHARE)
    say(f"  {version.name}: {count:,} new photos")
    new = rings(version, home)
    figures["new"] = {"photos": count, **told(new, planted)}
    figures["after that"] = told(rings(version, home), planted)
    return figures, ring_of(new)


def rings(version: Version, home: Path) -> Ran:
    """All rings, as JSON."""
    command = ("rings", "--index", home / "index", "--format", "json", "--quiet")
    return checked(version.run(*command, cwd=home, timeout=TIMEOUT))


def checked(ran: Ran) -> Ran:
    """What ran, unless it has crashed.

    Raises:
        VersionError: it has.
    """
    if ran.exit_code and not ran.timed_out:
        raise VersionError(f"exit code {ran.exit_code}: {ran.errors}")
    return ran


def ring_of(ran: Ran) -> dict[str, str]:
    """The ring of each account."""
    return {member["account"]: ring["ring"] for ring in json.loads(ran.output) for member in ring["accounts"]}


def told(ran: Ran, planted: Pairs) -> dict[str, Any]:
    """Seconds, memory, and how many planted pairs are in one ring."""
    ring = ring_of(ran)
    found = sum(ring.get(copy, copy) == ring.get(original, original) for copy, original in planted)
    return {
        "seconds": round(ran.seconds, 2),
        "cpu_seconds": round(ran.cpu_seconds, 2),
        "peak_mib": ran.peak_mib and round(ran.peak_mib),
        "rings": len(set(ring.values())),
        "planted": len(planted),
        "planted_found": found,
        "output_mib": round(len(ran.output) / 2**20, 2),
    }


def take_as_joined(home: Path) -> None:
    """Note that all photos there are were joined among themselves: no near pair is kept of those that were not."""
    with closing(sqlite3.connect(home / "index" / "catalog.sqlite3", isolation_level=None)) as raw:
        raw.execute("UPDATE clusterings SET joined_watermark = (SELECT max(id) FROM fingerprints)")


if __name__ == "__main__":
    main()
