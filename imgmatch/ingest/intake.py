"""Photos on their way into the catalog: known ones are met, new ones described, all are written in batches.

Every batch is one transaction: a kill loses at most the batch in hand, and the next run meets the rest unchanged.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.catalog import photos as photo_rows
from imgmatch.catalog import scans as scan_rows
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.features import FeatureRow
from imgmatch.catalog.rows import FileState, KnownPhoto, KnownSkip, PhotoRecord, PictureRecord, ScanKey, SkipRecord
from imgmatch.catalog.spellings import ids_of_respelt
from imgmatch.catalog.times import to_microseconds
from imgmatch.describing.messages import DescribedPicture, Description, Job, Reply, Unchanged
from imgmatch.errors import PhotoError
from imgmatch.interrupts import unbroken
from imgmatch.model import Failure, Fetched, NewPhoto, RemoteMetadata, Skipped, SkipReason, account_id
from imgmatch.sources.fetching import fetched_ahead, metadata_of_photos
from imgmatch.sources.states import UNKNOWN_STATE, file_state, unchanged_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from imgmatch.catalog.leases import Lease
    from imgmatch.catalog.session import Session
    from imgmatch.engines.parts import Parts
    from imgmatch.progress import Progress

BATCH = 256
"""Photos written at once, and the most that a kill can lose."""

RETRIED = {SkipReason.TIMED_OUT, SkipReason.CRASHED, SkipReason.INTERNAL}
"""Reasons that may be the machine's or ours, not the photo's: such photos are tried again."""

WORK = "photos"
"""What progress on taking photos in is called; a skipped photo is done with, too."""

HELD_BYTES = 96 << 20
"""While so many bytes of fetched photos are with the workers, no more are handed to them."""

_NS_PER_US = 1_000


@dataclass(slots=True)
class _Work:
    """A photo to describe; of a remote one, all but the first three are known once it is here."""

    photo: NewPhoto
    known: KnownPhoto | None
    complete: bool
    file: FileState | None
    content: Path | bytes | Failure
    modified_ns: int | None

    def job(self) -> Job | Failure:
        known = self.known.sha256 if self.known and self.complete else None
        if isinstance(self.content, Failure):
            return self.content
        return Job(self.content, known, root=self.photo.root)

    def land(self, got: Fetched | PhotoError | None) -> None:
        if isinstance(got, PhotoError):
            self.content, self.file = Failure(got.reason, got.detail), None
        elif got is not None:
            self.content, self.modified_ns = got.data, got.metadata.modified_ns
            self.file = FileState(len(got.data), got.metadata.tag or UNKNOWN_STATE)

    def held(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else 0

    def seen_at(self, sha256: bytes) -> int:
        if self.photo.seen_at is not None:
            return to_microseconds(self.photo.seen_at)
        if self.known is not None and self.known.sha256 == sha256:
            return self.known.seen_at  # described anew for its features: it was first seen when it was first seen
        return (time.time_ns() if self.modified_ns is None else self.modified_ns) // _NS_PER_US


@dataclass(slots=True)
class _Pending:
    """What waits to be written."""

    records: list[PhotoRecord] = field(default_factory=list)
    seen: list[tuple[KnownPhoto, NewPhoto, int, FileState]] = field(default_factory=list)
    lines_seen: list[str] = field(default_factory=list)
    skips: list[SkipRecord] = field(default_factory=list)
    kept_skips: list[int] = field(default_factory=list)
    photo_ids: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.records) + len(self.seen) + len(self.skips) + len(self.kept_skips)


class Intake:
    """One scan's way into the catalog.

    Attributes:
        counts: what became of how many items.
        kept: how many photos are written that were new or have changed.
    """

    def __init__(self, parts: Parts, scan: ScanKey, progress: Progress, lease: Lease | None = None) -> None:
        """With a ``lease``, nothing more is written once that is lost."""
        self._codebook = parts.codebook if parts.settings.features else None  # of the features the runner computes
        self._catalog = parts.catalog
        self._runner = parts.runner
        self._lease = lease
        self.scan = scan
        self._progress = progress
        self._done = 0
        self._pending = _Pending()
        self._in_hand: set[str] = set()
        self._written: list[str] = []
        self._held_bytes = 0
        self.counts: Counter[str] = Counter()
        self.kept = 0

    @property
    def has_met_any(self) -> bool:
        """Whether there was anything but what was passed over."""
        return any(count for what, count in self.counts.items() if what != "passed_over")

    def run(self, items: Iterable[NewPhoto | Skipped]) -> None:
        """Take in every item, reading them only a few batches ahead.

        Whoever interrupts it gets what has been described so far written, and the interruption handed on.
        """
        try:
            self._run(items)
        except (KeyboardInterrupt, SystemExit):
            self._write()
            raise

    def _run(self, items: Iterable[NewPhoto | Skipped]) -> None:
        works = self._fetched(items)
        for first in works:
            # What is fetched is handed over in parts, each small enough to be held in memory; files are one part.
            for work, reply in self._runner.describe(chain((first,), self._until_full(works)), _Work.job, spare=BATCH):
                self._held_bytes -= work.held()
                self._take(work, reply)
                self._write_if_full()
        self._write()

    def _fetched(self, items: Iterable[NewPhoto | Skipped]) -> Iterator[_Work]:
        for work, got in fetched_ahead(self._to_do(items)):
            work.land(got)
            self._held_bytes += work.held()
            yield work

    def _until_full(self, works: Iterator[_Work]) -> Iterator[_Work]:
        while self._held_bytes < HELD_BYTES and (work := next(works, None)) is not None:
            yield work

    def _to_do(self, items: Iterable[NewPhoto | Skipped]) -> Iterator[_Work]:
        for some in chunks(map(self._spelt, items), BATCH):
            ids = [item.photo_id for item in some if isinstance(item, NewPhoto)]
            # What was written while the last batch was sorted is seen in the catalog from here on, not before.
            self._in_hand.difference_update(self._written)
            self._written.clear()
            with self._catalog.read() as session:
                known = photo_rows.known_photos(session, ids)
                batch = _under_kept_ids(session, some, known)
                skips = scan_rows.known_skips(session, self.scan, ids)
            photos = [item for item in batch if isinstance(item, NewPhoto)]
            metadata = metadata_of_photos(
                photo for photo in photos if photo.photo_id in known or photo.photo_id in skips
            )
            works = (self._sort(item, known, skips, metadata) for item in batch)
            yield from (work for work in works if work is not None)
            self._write_if_full()

    def _spelt(self, item: NewPhoto | Skipped) -> NewPhoto | Skipped:
        """From here on every account goes by its one spelling."""
        account = None if item.account is None else account_id(item.account)
        if account is None or account == item.account:
            return item
        self.counts["respelt"] += isinstance(item, NewPhoto)
        return replace(item, account=account)

    def _sort(
        self,
        item: NewPhoto | Skipped,
        known: Mapping[str, KnownPhoto],
        skips: Mapping[str, KnownSkip],
        metadata: Mapping[str, RemoteMetadata | PhotoError],
    ) -> _Work | None:
        """Deal with what needs no decoding; the rest is work for the runner."""
        if isinstance(item, Skipped):
            if item.reason is SkipReason.PASSED_OVER:
                self._count("passed_over")
                self._progress.skipped(item)
            else:
                self._skip(item)
            return None
        photo, skip = known.get(item.photo_id), skips.get(item.photo_id)
        if self._met_before(item, photo, skip):
            detail = f"photo_id {item.photo_id!r} stands for an earlier photo of this scan"
            self._skip(_skipped(item, SkipReason.DUPLICATE, detail))
            return None
        self._in_hand.add(item.photo_id)
        file = _state(item, metadata.get(item.photo_id), photo, skip)
        if isinstance(file, Skipped):
            self._skip(file, item, known=photo)
            return None
        complete = photo is not None and photo.looked_at and self._codebook in {None, photo.codebook}
        if photo is not None and file is not None and photo.file == file and complete:
            self._meet(photo, item, file)
            return None
        if skip is not None and file is not None and skip.file == file and skip.reason not in RETRIED:
            self._skip_again(item, skip, photo)
            return None
        path = item.path if isinstance(item.path, Path) else b""
        return _Work(item, photo, complete, file, path, None if file is None else file.mtime_ns)

    def _met_before(self, item: NewPhoto, photo: KnownPhoto | None, skip: KnownSkip | None) -> bool:
        scan = self.scan.scan_id
        written = (photo is not None and photo.scan_id == scan) or (skip is not None and skip.scan_id == scan)
        return written or item.photo_id in self._in_hand

    def _take(self, work: _Work, reply: Reply) -> None:
        if isinstance(reply, Failure):
            # A server that announces less than the whole is not caught by length: such a photo is fetched again.
            cut_off = isinstance(work.content, bytes) and reply.reason is SkipReason.UNREADABLE
            file = None if cut_off else work.file
            self._skip(_skipped(work.photo, reply.reason, reply.detail), work.photo, file, work.known)
        elif isinstance(reply, Unchanged) and work.known is not None and work.file is not None:
            self._meet(work.known, work.photo, work.file)
        elif isinstance(reply, Description) and work.file is not None:
            file = work.file
            if isinstance(work.content, bytes) and reply.damaged is not None:  # perhaps cut off on its way, likewise
                file = FileState(file.size, UNKNOWN_STATE)
            self._count("updated" if work.known else "added")
            self._pending.photo_ids.append(work.photo.photo_id)
            self._pending.records.append(
                PhotoRecord(
                    photo=work.photo,
                    seen_at=work.seen_at(reply.sha256),
                    file=file,
                    sha256=reply.sha256,
                    width=reply.width,
                    height=reply.height,
                    format=reply.format,
                    quality=reply.quality,
                    pictures=tuple(map(self._picture, reply.pictures)),
                    damaged=reply.damaged,
                )
            )

    def _picture(self, found: DescribedPicture) -> PictureRecord:
        features = None
        if found.stored is not None and self._codebook is not None:
            features = FeatureRow(found.pixels, self._codebook, found.stored.record, found.stored.thumbnail or None)
        return PictureRecord(found.pixels, found.fingerprints, features, found.frame, found.share, found.panel)

    def _meet(self, known: KnownPhoto, photo: NewPhoto, file: FileState) -> None:
        self._count("unchanged")
        self._pending.photo_ids.append(photo.photo_id)
        # A file copied anew has a later time; it was first seen when it was first seen.
        seen_at = known.seen_at if photo.seen_at is None else to_microseconds(photo.seen_at)
        self._pending.seen.append((known, photo, seen_at, file))

    def _skip(
        self,
        skipped: Skipped,
        photo: NewPhoto | None = None,
        file: FileState | None = None,
        known: KnownPhoto | None = None,
    ) -> None:
        self._count("skipped")
        self._progress.skipped(skipped)
        if photo is not None:
            self._pending.photo_ids.append(photo.photo_id)
            if known is not None:
                self._pending.lines_seen.append(photo.photo_id)
        self._pending.skips.append(
            SkipRecord(
                photo_id=photo.photo_id if photo else None,
                account=skipped.account,
                label=skipped.photo,
                line=skipped.line,
                reason=skipped.reason,
                detail=skipped.detail,
                file=file,
            )
        )

    def _skip_again(self, photo: NewPhoto, skip: KnownSkip, known: KnownPhoto | None) -> None:
        self._count("skipped")
        self._progress.skipped(_skipped(photo, SkipReason(skip.reason), skip.detail))
        self._pending.kept_skips.append(skip.id)
        self._pending.photo_ids.append(photo.photo_id)
        if known is not None:
            self._pending.lines_seen.append(photo.photo_id)

    def _count(self, what: str) -> None:
        self.counts[what] += 1
        self._done += 1
        self._progress.step(WORK, self._done)

    def _write_if_full(self) -> None:
        if len(self._pending) >= BATCH:
            self._write()

    def _write(self) -> None:
        if not len(self._pending):
            return
        with unbroken() as begun:
            self._store(self._pending, begun)
            self._written += self._pending.photo_ids
            self.kept += len(self._pending.records)
            self._pending = _Pending()

    def _store(self, pending: _Pending, begun: Callable[[], None]) -> None:
        """Write a batch; ``begun`` is called once it is our turn."""
        with self._catalog.write(self._lease) as session:
            begun()
            usable = [record.photo.photo_id for record in pending.records]
            usable += [photo.photo_id for _, photo, _, _ in pending.seen]
            scan_rows.forget_skips(session, self.scan, usable)
            photo_rows.store_photos(session, self.scan, pending.records)
            photo_rows.mark_seen(session, self.scan, pending.seen)
            photo_rows.mark_line_seen(session, self.scan, pending.lines_seen)
            scan_rows.store_skips(session, self.scan, pending.skips)
            scan_rows.keep_skips(session, self.scan, pending.kept_skips)


def _state(
    photo: NewPhoto, metadata: RemoteMetadata | PhotoError | None, *before: KnownPhoto | KnownSkip | None
) -> FileState | Skipped | None:
    """The state of a photo's file; of a remote one only if it is as it was, and ``None`` if it must be fetched."""
    try:
        if isinstance(photo.path, Path):
            return FileState(*file_state(photo.path, photo.root))
        return unchanged_state(metadata, [known.file for known in before if known is not None])
    except PhotoError as error:
        return _skipped(photo, error.reason, error.detail)


def _skipped(photo: NewPhoto, reason: SkipReason, detail: str) -> Skipped:
    return Skipped(photo.label, reason, detail, photo.account, photo.line)


def _under_kept_ids(
    session: Session, batch: list[NewPhoto | Skipped], known: dict[str, KnownPhoto]
) -> list[NewPhoto | Skipped]:
    """The same, photos that an older version took in under another spelling by the ids they have; adds to known."""
    unknown = [item for item in batch if isinstance(item, NewPhoto) and item.photo_id not in known]
    kept = ids_of_respelt(session, unknown)
    if not kept:
        return batch
    known.update(photo_rows.known_photos(session, kept.values()))
    return [
        replace(item, photo_id=kept.get(item.photo_id, item.photo_id)) if isinstance(item, NewPhoto) else item
        for item in batch
    ]
