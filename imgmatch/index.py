"""An opened index folder: the library's main door."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.catalog import lookups, migrations
from imgmatch.catalog import photos as photo_rows
from imgmatch.catalog import scans as scan_rows
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.erasing import Erased, remove_erased
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.catalog.row_counts import row_count
from imgmatch.catalog.times import to_microseconds
from imgmatch.clustering.keeping import kept_current
from imgmatch.describing.messages import job_of
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.engines.folder import Layout
from imgmatch.engines.header import FORMAT_VERSION, Header
from imgmatch.engines.parts import Parts
from imgmatch.engines.sync import FeatureSearcher, FingerprintSearcher
from imgmatch.errors import IndexDamagedError, IndexTooNewError, NotAnIndexError
from imgmatch.imaging.limits import Limits
from imgmatch.ingest.intake import Intake
from imgmatch.matching.checking import Checker
from imgmatch.matching.verification import Wanted
from imgmatch.model import (
    CheckResult,
    Depth,
    NamedPhoto,
    ScanResult,
)
from imgmatch.numeric import use_one_thread
from imgmatch.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from types import TracebackType
    from typing import Self

    from imgmatch.features.pair_model import Rule
    from imgmatch.hashers.base import Hasher
    from imgmatch.model import NewPhoto, Skipped
    from imgmatch.progress import Progress

LIBRARY_SOURCE = "library"
"""The source that photos added by a program, not by a scan, are filed under."""

_CHECKED_AT_ONCE = 64


class Index:
    """An index folder: photos of accounts, searchable.

    Reading (:meth:`check`, :meth:`check_many`, :meth:`counts`) is safe from several threads, and while another
    process writes. One process writes at a time.

        with Index.open("index", create=True) as index:
            index.add([NewPhoto.at("a17/1.jpg", account="a17")])
            for match in index.check("suspect.jpg"):
                print(match.photo.account, match.evidence.score)
    """

    def __init__(self, layout: Layout, header: Header, workers: int, settings: Settings) -> None:
        """Use :meth:`open` or :meth:`create`."""
        self.layout = layout
        self._header = header
        self._settings = settings
        self.catalog = registry.open_catalog(layout.root)
        self.searcher = FingerprintSearcher(layout, self.catalog)
        self.features = FeatureSearcher(layout, self.catalog)
        self.pool = open_runner(registry.DEFAULT_RUNNER, workers, settings)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        hashers: tuple[str, ...] = registry.DEFAULT_HASHERS,
        engine: str = registry.DEFAULT_ENGINE,
        workers: int = 1,
        limits: Limits | None = None,
        depth: Depth = Depth.FULL,
        thumbnails: bool = True,
    ) -> Self:
        """Make an index in an empty or new folder and open it; an index that is there already is just opened.

        Args:
            path: the folder.
            hashers: what to compute for every photo; the first one is searched.
            engine: which engine searches.
            workers: how many processes decode photos.
            limits: what a photo may cost.
            depth: what to compute for each photo.
            thumbnails: keep a small grey picture of each photo, to verify matches with.

        Raises:
            NotAnIndexError: the folder holds something else.
            UnknownNameError: no such hasher or engine.
            IndexUnusableError: it cannot be made here.
            ValueError: no hasher is given.
        """
        if not hashers:
            raise ValueError("an index needs at least one hasher")
        registry.check_names(hashers, engine)
        layout = Layout(Path(path))
        if not layout.exists():
            catalog = registry.open_catalog(layout.root)
            try:
                layout.create(Header(FORMAT_VERSION, hashers, engine, registry.DEFAULT_CODEBOOK), catalog.migrate)
            finally:
                catalog.close()
        return cls.open(path, workers=workers, limits=limits, depth=depth, thumbnails=thumbnails)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        create: bool = False,
        workers: int = 1,
        limits: Limits | None = None,
        depth: Depth = Depth.FULL,
        thumbnails: bool = True,
    ) -> Self:
        """Open an index; with ``create`` make it first if there is none.

        Args:
            path: the folder.
            create: see above.
            workers: how many processes decode photos; they start with the first photo.
            limits: what a photo may cost.
            depth: what to compute for each photo, stored or asked about.
            thumbnails: keep a small grey picture of each photo that is added, to verify matches with.

        Raises:
            IndexNotFoundError: there is nothing at ``path`` and ``create`` is off.
            NotAnIndexError: there is something else.
            IndexTooNewError: a newer imgmatch wrote it.
            IndexDamagedError: its catalog is gone or cannot be read.
        """
        layout = Layout(Path(path))
        if create and not layout.exists():
            return cls.create(path, workers=workers, limits=limits, depth=depth, thumbnails=thumbnails)
        header = layout.header()
        settings = Settings(header.hashers, limits or Limits(), features=depth is Depth.FULL, thumbnails=thumbnails)
        use_one_thread()
        index = cls(layout, header, workers, settings)
        try:
            index._bring_up_to_date()
        except BaseException:
            index.close()
            raise
        return index

    def _bring_up_to_date(self) -> None:
        self._refuse_unknown_names()
        if not self.catalog.exists():
            raise IndexDamagedError(f"index {self.path}: its catalog is gone")
        try:
            version = self.catalog.version()
            migrations.refuse_newer(version)
        except (IndexTooNewError, NotAnIndexError) as error:
            raise type(error)(f"index {self.path}: {error}") from None
        if version < migrations.VERSION or self._header.format < FORMAT_VERSION:
            with self.layout.lock():
                self.catalog.migrate()
                self._header = replace(self.layout.header(), format=FORMAT_VERSION)
                self.layout.write_header(self._header)

    def _refuse_unknown_names(self) -> None:
        unknown = [name for name in self._header.hashers if name not in registry.HASHERS]
        unknown += [self._header.engine] if self._header.engine not in registry.ENGINES else []
        unknown += [self._header.codebook] if self._header.codebook not in registry.CODEBOOKS else []
        if unknown:
            raise IndexTooNewError(f"index {self.path} uses {', '.join(unknown)}, unknown to this imgmatch: upgrade it")

    @property
    def parts(self) -> Parts:
        """What it is made of."""
        return Parts(self.layout, self._header, self.catalog, self.searcher, self.features, self.pool)

    @cached_property
    def hasher(self) -> Hasher:
        """The hasher whose fingerprints are searched."""
        return registry.hasher(self._header.hashers[0])

    @property
    def max_distance(self) -> int:
        """Bits in which a copy's fingerprint may differ, where the asker does not say."""
        return self.hasher.profile.max_distance

    @property
    def path(self) -> Path:
        """The folder."""
        return self.layout.root

    @property
    def header(self) -> Header:
        """What ``index.json`` says now."""
        return self.layout.header()

    # -- reading ------------------------------------------------------------------------------------------------

    def check(
        self,
        photo: str | os.PathLike[str] | bytes,
        *,
        account: str | None = None,
        limit: int = 20,
        max_distance: int | None = None,
        related: bool = False,
        min_score: float | None = None,
    ) -> CheckResult:
        """Which accounts carry this photo.

        Args:
            photo: a file, or the bytes of one.
            account: leave out this account's own photos.
            limit: how many accounts at the most, the best first.
            max_distance: bits in which a copy's fingerprint may differ; ``None`` takes the hasher's own, and up to its
                reach where the pictures can be verified.
            related: also give other shots of the same moment; they do not make a match.
            min_score: what a copy scores at least; ``None`` takes the learned rule's own.

        Returns:
            what was found; a photo that cannot be read is a result with a reason, not an error.
        """
        wanted = Wanted(account, limit, related, min_score, max_distance)
        (result,) = self.answers([named_photo(photo)], wanted)
        return result

    def check_many(
        self,
        photos: Iterable[str | os.PathLike[str] | bytes | NamedPhoto],
        *,
        account: str | None = None,
        limit: int = 20,
        max_distance: int | None = None,
        related: bool = False,
        min_score: float | None = None,
    ) -> Iterator[CheckResult]:
        """As :meth:`check` for many photos, in order; cheaper a photo, since they are searched together."""
        wanted = Wanted(account, limit, related, min_score, max_distance)
        return self.answers((named_photo(photo) for photo in photos), wanted)

    def answers(
        self, photos: Iterable[NamedPhoto], wanted: Wanted, *, rule: Rule | None = None
    ) -> Iterator[CheckResult]:
        """The answer for each photo, in order.

        Args:
            photos: under the names their answers carry.
            wanted: what to show of what is found.
            rule: what judges candidates; ``None`` takes what ships, as it was last calibrated.
        """
        self.pool.warm_up()
        checker = Checker(self.catalog, self.searcher, self.features, self._header)
        with self.catalog.read() as connection:
            features = row_count(connection, "features") > 0  # where no photo has any, the query needs none
        described = self.pool.describe(photos, lambda photo: job_of(photo, query=True, features=features))
        for batch in chunks(described, _CHECKED_AT_ONCE):
            yield from checker.answers(batch, wanted, rule)

    def counts(self) -> dict[str, int]:
        """How many photos, accounts, fingerprints, skipped photos, sources and scans the catalog holds."""
        with self.catalog.read() as session:
            return lookups.counts(session)

    def __len__(self) -> int:
        return self.counts()["photos"]

    # -- writing ------------------------------------------------------------------------------------------------

    def add(
        self,
        photos: Iterable[NewPhoto | Skipped],
        *,
        source: str = LIBRARY_SOURCE,
        prune: bool = False,
        progress: Progress = SILENT,
    ) -> ScanResult:
        """Add photos, replace changed ones, and leave unchanged ones alone.

        Written batch by batch: a kill loses at most the batch in hand, and the same call again goes on from there.

        Args:
            photos: photos, and lines a source could not use (they are filed with the skipped ones).
            source: what the photos are filed under.
            prune: afterwards, remove photos filed under ``source`` that were not among ``photos``.
            progress: hears how many photos are done with, and of every skipped one.

        Raises:
            IndexLockedError: another process is writing.
            IndexUnusableError: it cannot be written.
        """
        started = time.perf_counter()
        removed = 0
        with self.writing():
            with self.catalog.write() as session:
                scan = scan_rows.begin_scan(session, source)
            codebook = self._header.codebook if self._settings.features else None
            intake = Intake(self.catalog, self.pool, scan, progress, codebook)
            intake.run(photos)
            counted = {name: intake.counts[name] for name in ("added", "updated", "unchanged", "skipped")}
            with self.catalog.write() as session:
                if prune:
                    removed = photo_rows.prune_photos(session, scan)
                remove_orphans(session)
                scan_rows.finish_scan(session, scan, counted | {"removed": removed})
            self._publish()
        return ScanResult(removed=removed, seconds=time.perf_counter() - started, **counted)

    def _publish(self) -> None:
        """Write engine files without what the catalog has lost, and with what is new where that is worth it."""
        header = self.layout.header()
        for searcher in (self.searcher, self.features):
            if not searcher.is_current(header):
                header = searcher.publish(header)
        self._header = header

    def remove(self, *, account: str | None = None, photo_id: str | None = None, before: datetime | None = None) -> int:
        """Remove photos from the catalog and every engine file; returns how many.

        Args:
            account: all photos of this account,
            photo_id: or this photo,
            before: or all photos first seen before this moment, which has a time zone.

        Raises:
            ValueError: not one of these was given.
            IndexUnusableError: it cannot be written.
        """
        if sum(one is not None for one in (account, photo_id, before)) != 1:
            raise ValueError("name an account, a photo_id or a moment")
        erased = Erased(account, photo_id, None if before is None else to_microseconds(before))
        with self.writing():
            with self.catalog.write() as session:
                with kept_current(session, self.hasher, account):
                    removed = remove_erased(session, erased)
                    remove_orphans(session)
                if before is None:
                    scan_rows.remove_skips(session, account=account, photo_id=photo_id)
                scan_rows.drop_empty_sources(session)
            self._publish()
            self.catalog.compact()
        return removed

    def rebuild(self, progress: Progress = SILENT) -> Header:
        """Make the engine files anew from the catalog alone.

        Args:
            progress: hears how many ``fingerprints``, then ``features``, are read of how many.

        Raises:
            IndexUnusableError: they cannot be written.
        """
        with self.writing():
            header = self.searcher.rebuild(self.layout.header(), progress)
            self._header = self.features.rebuild(header, progress)
        return self._header

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the writer's lock; may be nested.

        Raises:
            IndexLockedError: another process holds it.
        """
        with self.layout.lock():
            yield

    def close(self) -> None:
        """End the workers and close the catalog."""
        self.pool.close()
        self.catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def named_photo(photo: str | os.PathLike[str] | bytes | NamedPhoto) -> NamedPhoto:
    """``photo`` under its path, or ``-`` where it came as bytes."""
    if isinstance(photo, NamedPhoto):
        return photo
    if isinstance(photo, bytes):
        return NamedPhoto("-", photo)
    return NamedPhoto(os.fspath(photo), Path(photo))
