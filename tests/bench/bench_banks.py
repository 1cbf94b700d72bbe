"""A list of a million hashes: imported, cut off again and again, looked up in the library and over HTTP.

``bench_banks.py`` measures all; ``--part import|cut|lookup`` one of them. Every step runs in processes of its own, as a
user would start it. How threatexchange's own index does beside it is measured by ``bench_pdq.py`` in one run. Prints
one line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
from common import QUICK, peak_mib, print_figures, say, spread

from imgmatch import Index
from imgmatch.catalog.bank_entries import read_hashes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SEED = 16
LISTED = 20_000 if QUICK else 1_000_000
BROKEN = 100
"""One line in so many is broken."""

CUTS = 2 if QUICK else 6
LOOKUPS = 100 if QUICK else 1_000
BANK = "PARTNER"
COMMAND = [sys.executable, "-m", "imgmatch"]


def run() -> dict[str, Any]:
    parts: dict[str, Callable[[Path], dict[str, Any]]] = {"import": imported, "cut": cut, "lookup": looked_up}
    wanted = [sys.argv[sys.argv.index("--part") + 1]] if "--part" in sys.argv else list(parts)
    found: dict[str, Any] = {"listed": LISTED}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder / "list.txt")
        for part in wanted:
            found[part] = parts[part](folder)
            say(f"{part}: {json.dumps(found[part])}")
    return found


def draw(path: Path) -> None:
    """A list of random values, of which one line in a hundred is broken."""
    rng = random.Random(SEED)
    with path.open("w") as lines:
        for number in range(LISTED):
            value = rng.randbytes(32).hex()
            lines.write(f"pdq {value[:-1] if number % BROKEN == 1 else value}\n")


def new_index(path: Path) -> Path:
    with Index.open(path, create=True):
        return path


def importing(index: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [*COMMAND, "bank", "import", BANK, str(index.parent / "list.txt"), "--index", str(index), "--quiet"]
    return subprocess.Popen([*command, "--format", "json", *more], stdout=subprocess.PIPE)


def timed(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """How long it took, and the most memory it held."""
    started, most = time.perf_counter(), 0.0
    while process.poll() is None:
        most = max(most, peak_mib(process.pid) or 0.0)
        time.sleep(0.05)
    output = b"" if process.stdout is None else process.stdout.read()
    record = json.loads(output)
    told = {name: record[name] for name in ("added", "unchanged", "removed", "bad")}
    return {"seconds": round(time.perf_counter() - started, 1), "peak_mib": round(most), **told}


def imported(folder: Path) -> dict[str, Any]:
    """The list into an empty index, then once more, then as a whole list."""
    index = new_index(folder / "imported")
    first, again = timed(importing(index)), timed(importing(index))
    size = sum(file.stat().st_size for file in index.iterdir()) >> 20
    return {"first": first, "again": again, "whole": timed(importing(index, "--whole")), "index_mib": size}


def cut(folder: Path) -> dict[str, Any]:
    """Killed again and again, then finished: it must be what one import makes."""
    index, rng = new_index(folder / "cut"), random.Random(SEED)
    after = []
    for _ in range(CUTS):
        process = importing(index)
        time.sleep(rng.uniform(1.0, 3.0 if QUICK else 8.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        after.append(held(index).shape[0])
    last = timed(importing(index))
    whole = new_index(folder / "whole")
    timed(importing(whole))
    return {"held_after_kills": after, "last": last, "equal": bool(np.array_equal(held(index), held(whole)))}


def held(index: Path) -> np.ndarray[Any, Any]:
    """All values on the bank, sorted."""
    with Index.open(index) as opened, opened.parts.catalog.read() as session:
        rows = [bits for _, bits in read_hashes(session)]
    every = np.concatenate([np.empty((0, 32), np.uint8), *rows])
    return np.unique(every, axis=0)


def looked_up(folder: Path) -> dict[str, Any]:
    """One value after another: by the command, by the library, and over HTTP as an HMA client asks."""
    index = folder / "imported"
    if not index.is_dir():
        timed(importing(new_index(index)))
    asked = queries(index)
    started = time.perf_counter()
    subprocess.run(
        [*COMMAND, "bank", "lookup", asked[0], "--index", str(index), "--format", "json"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    found: dict[str, Any] = {"command_seconds": round(time.perf_counter() - started, 2)}
    with Index.open(index) as opened:
        first = time.perf_counter()
        opened.bank_lists.lookup(asked[0])
        found["first_ms"] = round(1_000 * (time.perf_counter() - first))
        found["library_ms"] = spread(_times(opened.bank_lists.lookup, asked))
        found["library_hits"] = sum(bool(opened.bank_lists.lookup(value)) for value in asked)
    with serving(index) as address, httpx.Client(base_url=address) as client:
        parameters = {"signal_type": "pdq"}
        client.get("/m/lookup", params={**parameters, "signal": asked[0]}, timeout=60)
        over_http = _times(lambda value: client.get("/m/lookup", params={**parameters, "signal": value}), asked)
        found["m_lookup_ms"] = spread(over_http)
    return found


def queries(index: Path) -> list[str]:
    """Half of them up to 31 bits off a listed one, half strangers."""
    rng, values = np.random.default_rng(SEED), held(index)
    asked = []
    for number in range(LOOKUPS):
        bits = np.unpackbits(values[rng.integers(len(values))])
        bits[rng.choice(256, int(rng.integers(32)), replace=False)] ^= 1
        asked.append((np.packbits(bits) if number % 2 else rng.integers(0, 256, 32, np.uint8)).tobytes().hex())
    return asked


def _times(ask: Callable[[str], object], asked: list[str]) -> Iterator[float]:
    for value in asked:
        started = time.perf_counter()
        ask(value)
        yield 1_000 * (time.perf_counter() - started)


@contextlib.contextmanager
def serving(index: Path) -> Iterator[str]:
    """A server of its own, as ``imgmatch serve`` starts it."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--index", str(index), "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        assert process.stdout is not None
        address = None
        while address is None:
            said = process.stdout.readline().decode()
            if not said:
                raise RuntimeError("the server ended")
            address = re.search(r"http://\S+", said)
        yield address.group(0).rstrip("/")
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    print_figures("banks", run)
