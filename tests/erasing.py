"""An index from which an account is erased, by a process that is killed meanwhile; used by tests and a benchmark."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import photos
from sqlalchemy import select

from imgmatch.catalog import schema
from imgmatch.index import Index
from imgmatch.model import NewPhoto, Skipped, SkipReason, Verdict

if TYPE_CHECKING:
    from pathlib import Path

VICTIM, NAME, STAYS = "victim-account", "Victim Name", "stays-account"
SIZE = (160, 200)
WHEN = datetime(2026, 1, 1, tzinfo=UTC)

ERASE = """
import os, signal, sys
from contextlib import suppress
from itertools import count
from pathlib import Path
from shutil import copytree
from imgmatch.actions import erase, proof
from imgmatch.catalog import sqlite
from imgmatch.engines import folder, publishing
from imgmatch.errors import NotFoundError
from imgmatch.index import Index

STEPS = {
    erase.__file__: {"_removed", "_gone", "_cleared", "_mask_skips", "_reasons", "_proven", "_result"},
    proof.__file__: {"prove", "_in_use"},
    publishing.__file__: {"publish"},
    folder.__file__: {"publish", "_named", "_drop_others", "drop_leftovers"},
    sqlite.__file__: {"compact"},
}

def die_at(number):
    'Be killed before the first time that the line is run that is that many lines, each counted once, into the work.'
    seen = set()
    def trace(frame, event, _):
        code = frame.f_code
        if code.co_name not in STEPS.get(code.co_filename, ()):
            return None
        if event == "line":
            seen.add((code.co_filename, frame.f_lineno))
            if len(seen) == number:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace
    sys.settrace(trace)

def die_in(name, times):
    calls = count(1)
    def trace(frame, event, _):
        if frame.f_code.co_name == name and frame.f_code.co_filename in STEPS and next(calls) == times:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.settrace(trace)

def erase_in(folder):
    with Index.open(folder) as index:
        index.erase(account=sys.argv[2])
"""

AT_EVERY_LINE = """
for number in count(1):
    copy = Path(sys.argv[1]).parent / f"line {number}"
    copytree(sys.argv[1], copy)
    child = os.fork()
    if not child:
        die_at(number)
        erase_in(copy)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
"""

IN_STEP = """
die_in(sys.argv[3], int(sys.argv[4]))
erase_in(sys.argv[1])
"""

WHEN_READY = """
with Index.open(sys.argv[1]) as index:
    print("ready", flush=True)
    with suppress(NotFoundError):
        index.erase(account=sys.argv[2])
"""


def make(home: Path) -> Path:
    """An index in ``home``: of two pictures of the victim one is on another account, too; many texts name it."""
    pictures = {
        VICTIM: {"shared.jpg": photos.picture(1, SIZE), "own.jpg": photos.picture(2, SIZE)},
        "thief-account": {"shared.jpg": photos.picture(1, SIZE)},
        STAYS: {"x.jpg": photos.picture(3, SIZE)},
    }
    photos.write_accounts(home / "photos", pictures)
    (home / "other").mkdir()
    photos.write_accounts(home / "other", {"another": {"y.jpg": photos.picture(4, SIZE)}})
    files = sorted((home / "photos").glob("*/*.jpg"))
    found: list[NewPhoto | Skipped] = [
        NewPhoto.at(
            file,
            account=file.parent.name,
            name=NAME if file.parent.name == VICTIM else None,
            seen_at=WHEN,
            photo_id=f"{file.parent.name}-{file.stem}",
        )
        for file in files
    ]
    twice = NewPhoto.at(files[0], account=STAYS, photo_id=f"{VICTIM}-own")
    bad = Skipped(f"{VICTIM}/bad.jpg", SkipReason.UNREADABLE, "no picture", VICTIM)
    quoting = Skipped("line", SkipReason.BAD_LINE, f"what {VICTIM}-own says")
    with Index.create(home / "index") as index:
        index.add([*found, bad, twice, quoting])
        index.rings()
        index.decide(Verdict.DISMISS, pair=(f"{VICTIM}-own", f"{STAYS}-x"), by="ana")
        index.keep_report(index.rings())
    return home / "index"


def sought(folder: Path) -> dict[str, bytes]:
    """All by which the victim could be known again, by what it is."""
    photo, links, prints = schema.photos.c, schema.photo_fingerprints.c, schema.fingerprints.c
    table = schema.features.c
    needles = {
        "account": VICTIM.encode(),
        "name": NAME.encode(),
        "photo": f"{VICTIM}-own".encode(),
        "path": f"photos/{VICTIM}".encode(),
    }
    with Index.open(folder) as index, index.parts.catalog.read() as session:
        pictures = schema.photo_pictures.c
        query = select(photo.id, photo.sha256, pictures.pixels).where(photo.photo_id == f"{VICTIM}-own")
        query = query.join(schema.photo_pictures, pictures.photo_id == photo.id)
        row, needles["sha256"], needles["pixels"] = session.sql.execute(query).one()
        bits = select(prints.hasher, prints.bits).join(schema.photo_fingerprints, links.fingerprint_id == prints.id)
        needles |= {f"bits by {name}": value for name, value in session.sql.execute(bits.where(links.photo_id == row))}
        kept = select(table.record, table.thumbnail).where(table.pixels == needles["pixels"])
        for name, blob in zip(("record", "thumbnail"), session.sql.execute(kept).one(), strict=True):
            runs = range(len(blob) // 3, len(blob) - 32, 32)
            needles |= {f"{name} from {start}": blob[start : start + 32] for start in runs}
    return needles


def left(folder: Path, needles: dict[str, bytes]) -> list[tuple[str, str]]:
    """Which of these stand in which file."""
    contents = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    return [(file, what) for file, content in contents.items() for what, needle in needles.items() if needle in content]


def erasing(program: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A process that erases the victim."""
    command = [sys.executable, "-c", ERASE + program, str(folder), VICTIM, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
