"""One photo that comes as bytes on its way into the index, such as by HTTP."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch import own_files
from imgmatch.catalog.lookups import paths_beneath, paths_in_use, photos_by_id
from imgmatch.catalog.times import from_microseconds
from imgmatch.errors import IndexLockedError, PhotoError, SkipReason
from imgmatch.ingest.adding import add
from imgmatch.model import Fetched, NewPhoto, RemoteMetadata, account_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from imgmatch.catalog.session import Session
    from imgmatch.engines.parts import Parts
    from imgmatch.model import ScanResult, Skipped
    from imgmatch.model.photos import Reserving

SOURCE = "uploaded"
"""What photos are filed under that came as bytes."""

PATIENCE = 20.0
"""Seconds that a photo waits while others are added."""

_LOOK_AGAIN = 0.05
_OTHERS = "others add photos all the time; try again later"
_turns = threading.Lock()


class _Uploaded:
    """A photo whose bytes are here and will lie nowhere: ``upload:`` and their digest stand for a path."""

    lanes = 1

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._digest = hashlib.sha256(data).digest()

    def __str__(self) -> str:
        return f"upload:{self._digest.hex()}"

    def look(self) -> Future[RemoteMetadata]:
        """Its size, and a number that is another for other bytes."""
        found: Future[RemoteMetadata] = Future()
        found.set_result(self._metadata())
        return found

    def fetch(self, reserved: Reserving | None = None) -> Future[Fetched]:
        """All of it."""
        if reserved is not None:
            reserved.take(len(self._data))
        found: Future[Fetched] = Future()
        found.set_result(Fetched(self._data, self._metadata()))
        return found

    def _metadata(self) -> RemoteMetadata:
        return RemoteMetadata(len(self._data), int.from_bytes(self._digest[:7]))


class _Heard:
    """Remembers why a photo was skipped."""

    def __init__(self) -> None:
        self.why: Skipped | None = None

    def step(self, work: str, done: float, total: float | None = None) -> None:
        """There is nothing to show."""

    def skipped(self, skipped: Skipped) -> None:
        """Of the one photo that there is."""
        self.why = skipped


def add_photo(
    parts: Parts,
    data: bytes,
    *,
    photo_id: str,
    account: str,
    name: str | None = None,
    seen_at: datetime | None = None,
    folder: Path | None = None,
) -> str:
    """Add a photo, or replace the one of that id; the same again changes nothing.

    Args:
        parts: of the index.
        data: the bytes of its file.
        photo_id: its id.
        account: whose it is.
        name: display name of the account.
        seen_at: when it was first seen, with a time zone; ``None`` takes what is known, or now.
        folder: where its file is kept, named by its digest, as long as any photo lies in it; without one only what is
            computed from it is.

    Returns:
        ``added``, ``updated`` or ``unchanged``.

    Raises:
        PhotoError: it cannot be used.
        IndexLockedError: others add photos all the time.
    """
    with parts.catalog.read() as session:
        before = _known(session, photo_id)
        old_paths = set() if folder is None else paths_beneath(session, folder, photo_ids=[photo_id])
    path = _Uploaded(data) if folder is None else _kept(folder, data)
    if seen_at is None:
        seen_at = datetime.now(UTC) if before is None else from_microseconds(before[2])
    photo = NewPhoto(account, path, f"{account}/{photo_id}", photo_id, name, seen_at)
    try:
        result = _added(parts, photo)
    except BaseException:
        if folder is not None:
            drop_unused(parts, {str(path)})
        raise
    drop_unused(parts, old_paths - {str(path)})
    if result.added:
        return "added"
    with parts.catalog.read() as session:
        return "updated" if result.updated or _known(session, photo_id) != before else "unchanged"


def _added(parts: Parts, photo: NewPhoto) -> ScanResult:
    """Add it when its turn comes: of this process, and then of all, which hold the lease of the source."""
    until = time.monotonic() + PATIENCE
    while True:
        heard = _Heard()
        try:
            with _turn(until):
                result = add(parts, [photo], source=SOURCE, progress=heard)
        except IndexLockedError:
            if time.monotonic() > until:
                raise
            time.sleep(_LOOK_AGAIN)
            continue
        if heard.why is not None or result.skipped:
            why = heard.why
            raise PhotoError(SkipReason.UNREADABLE if why is None else why.reason, "" if why is None else why.detail)
        return result


@contextlib.contextmanager
def _turn(until: float) -> Iterator[None]:
    if not _turns.acquire(timeout=max(until - time.monotonic(), 0)):
        raise IndexLockedError(_OTHERS)
    try:
        yield
    finally:
        _turns.release()


def _known(session: Session, photo_id: str) -> tuple[str, str | None, int] | None:
    """Account, display name and first time of a photo, in microseconds; ``None`` where it is not there."""
    found = photos_by_id(session, [photo_id])
    return (found[0].account, found[0].name, found[0].seen_at) if found else None


def kept_files(parts: Parts, folder: Path, *, account: str | None = None, photo_id: str | None = None) -> set[str]:
    """The files in a folder of kept ones that photos of an account, or one photo, lie in."""
    with parts.catalog.read() as session:
        named = None if account is None else account_id(account)
        return paths_beneath(session, folder, account=named, photo_ids=[] if photo_id is None else [photo_id])


def drop_unused(parts: Parts, paths: Collection[str]) -> int:
    """Remove files that we have kept and that no photo lies in any more; returns how many."""
    if not paths:  # to look for one goes through all photos
        return 0
    with parts.catalog.read() as session:
        unused = set(paths) - paths_in_use(session, paths)
    removed = 0
    for path in map(Path, unused):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
            removed += 1
    return removed


def _kept(folder: Path, data: bytes) -> Path:
    """The file of a photo in the folder of those that are kept, named by its bytes; it is there once it returns."""
    digest = hashlib.sha256(data).hexdigest()
    path = folder / digest[:2] / digest
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{digest}.{os.getpid()}.{threading.get_ident()}.new")
    try:
        with os.fdopen(own_files.create(new, own_files.OWNERS_FILE), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    return path
