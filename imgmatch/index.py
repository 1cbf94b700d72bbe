"""An opened index: the library's main door.

Each verb is loaded when it is called: a check does not wait for what scans and groups.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from imgmatch import registry
from imgmatch.actions.opening import close_parts, is_index, make_index, open_parts, share_index
from imgmatch.errors import IndexUnusableError
from imgmatch.homes import as_home
from imgmatch.imaging.sizes import SHOWN_SIDE
from imgmatch.model import FORECAST_SAMPLE, LIBRARY_SOURCE, Depth, QueueOrder, QueueState
from imgmatch.progress import SILENT

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from imgmatch.actions.banks import Banks
    from imgmatch.actions.deliveries import Outbox
    from imgmatch.actions.people import People
    from imgmatch.actions.queries import PhotoLike
    from imgmatch.actions.reviews import Reviews
    from imgmatch.engines.parts import Parts
    from imgmatch.imaging.limits import Limits
    from imgmatch.model import (
        AccountView,
        Change,
        CheckResult,
        Comparison,
        Copied,
        Decision,
        Erasure,
        Forecast,
        Hashed,
        HeldLease,
        IndexStatus,
        KnownSource,
        Labelled,
        NewPhoto,
        Picture,
        Ring,
        RingQueue,
        RingsReport,
        ScanResult,
        ShardHealth,
        Skipped,
        SourceChange,
        Verdict,
    )
    from imgmatch.progress import Progress
    from imgmatch.sources.base import Source

Key = TypeVar("Key", bound="str | tuple[str, int]")

_LOGGER = logging.getLogger(__name__)


def _log_erasure(done: Erasure | IndexUnusableError) -> None:
    if isinstance(done, IndexUnusableError):
        _LOGGER.warning("an erasure that was cut off cannot be finished: %s", done)
    else:
        _LOGGER.log(logging.INFO if done.finished else logging.WARNING, "an erasure that was cut off: %s", done)


class Index:
    """An index, in a folder or a database: photos of accounts, searchable.

    Any number of threads and processes may read and write at once: writers take turns, readers wait for nobody. What
    must not be done twice at once, such as to scan one source, is refused to the second.

        with Index.open("index", create=True) as index:
            index.add([NewPhoto.at("a17/1.jpg", account="a17")])
            for match in index.check("suspect.jpg"):
                print(match.photo.account, match.evidence.score)

    Attributes:
        hear_erasure: called with what came of each erasure that was cut off and that another verb went on with, or with
            why it cannot be finished; at first that is logged.
    """

    def __init__(self, parts: Parts) -> None:
        """Use :meth:`open` or :meth:`create`."""
        self._parts = parts
        self.hear_erasure: Callable[[Erasure | IndexUnusableError], None] = _log_erasure

    @classmethod
    def create(  # noqa: PLR0913 -- each is a choice of its own
        cls,
        path: str | os.PathLike[str],
        *,
        hashers: tuple[str, ...] = registry.DEFAULT_HASHERS,
        engine: str = registry.DEFAULT_ENGINE,
        codebook: str = registry.DEFAULT_CODEBOOK,
        workers: int = 1,
        limits: Limits | None = None,
        depth: Depth = Depth.FULL,
        thumbnails: bool = True,
        runner: str | None = None,
        share_with_group: bool = False,
    ) -> Self:
        """Make an index in an empty or new folder and open it; an index that is there already is just opened.

        Args:
            path: the folder, or the URL of a database, ``postgresql://…``, whose schema is empty.
            hashers: what to compute for every photo; the first one is searched.
            engine: which engine searches.
            codebook: what local features are coded by; for tens of millions of photos ``sift-4096x16-32x4-v1``.
            workers: how many photos are described at once.
            runner: where that is done, and what :meth:`rings` does: ``processes`` of this machine, as by default, or a
                Ray cluster, ``ray://head:10001``.
            limits: what a photo may cost.
            depth: what to compute for each photo.
            thumbnails: keep a small grey picture of each photo, to verify matches with.
            share_with_group: let the group of the folder read and write the index, whoever writes; without it nobody
                but the owner may.

        Raises:
            NotAnIndexError: the folder holds something else.
            UnknownNameError: no such hasher, engine, codebook or runner.
            IndexUnusableError: it cannot be made here.
            ValueError: no hasher is given.
        """
        make_index(as_home(path), hashers, engine, codebook, share_with_group=share_with_group)
        if share_with_group:
            share_index(as_home(path))
        return cls.open(path, workers=workers, limits=limits, depth=depth, thumbnails=thumbnails, runner=runner)

    @classmethod
    def open(  # noqa: PLR0913 -- as for create
        cls,
        path: str | os.PathLike[str],
        *,
        create: bool = False,
        codebook: str = registry.DEFAULT_CODEBOOK,
        workers: int = 1,
        limits: Limits | None = None,
        depth: Depth = Depth.FULL,
        thumbnails: bool = True,
        runner: str | None = None,
        share_with_group: bool = False,
    ) -> Self:
        """Open an index; with ``create`` make it first if there is none.

        Args:
            path: the folder, or the URL of a database.
            create: see above.
            codebook: of an index that is made now; see :meth:`create`.
            workers: how many photos are described at once, by processes that start with the first photo.
            runner: where that is done, and what :meth:`rings` does: ``processes`` of this machine, as by default, or a
                Ray cluster, ``ray://head:10001``.
            limits: what a photo may cost.
            depth: what to compute for each photo, stored or asked about.
            thumbnails: keep a small grey picture of each photo that is added, to verify matches with.
            share_with_group: let the group of the folder read and write the index from now on.

        Raises:
            IndexNotFoundError: there is nothing at ``path`` and ``create`` is off.
            NotAnIndexError: there is something else.
            IndexTooNewError: a newer imgmatch wrote it.
            IndexDamagedError: its catalog is gone or cannot be read.
        """
        if create and not is_index(as_home(path)):
            return cls.create(
                path,
                codebook=codebook,
                workers=workers,
                limits=limits,
                depth=depth,
                thumbnails=thumbnails,
                runner=runner,
                share_with_group=share_with_group,
            )
        if share_with_group:
            share_index(as_home(path))
        home = as_home(path)
        parts = open_parts(home, workers=workers, limits=limits, depth=depth, thumbnails=thumbnails, runner=runner)
        return cls(parts)

    @property
    def path(self) -> Path:
        """The folder; of an index in a database that of the engine files on this machine."""
        return self._parts.folder.root

    @property
    def name(self) -> str:
        """What messages call it: its folder, or the URL of its database without a password."""
        return self._parts.name

    @property
    def parts(self) -> Parts:
        """What it is made of, for tools that work beneath the verbs."""
        return self._parts

    @property
    def people(self) -> People:
        """Who may use the page and the API, and the log of what was done."""
        from imgmatch.actions.people import People

        return People(self._parts)

    @property
    def bank_lists(self) -> Banks:
        """Banks: named lists of known pictures and hashes, and what stands on them."""
        from imgmatch.actions.banks import Banks

        return Banks(self._parts)

    @property
    def reviews(self) -> Reviews:
        """Who reviews which ring, and how that goes."""
        from imgmatch.actions.reviews import Reviews

        return Reviews(self._parts)

    @property
    def outbox(self) -> Outbox:
        """Decisions that a platform is still to be told of."""
        from imgmatch.actions.deliveries import Outbox

        return Outbox(self._parts)

    def ensure_there(self) -> None:
        """See that the index is still the one that was opened; for a program that has it open for long.

        Raises:
            IndexUnusableError: it was removed, or another one was put in its place: what is written would be lost.
        """
        if self._parts.catalog.is_replaced():
            raise IndexUnusableError(f"index {self.name} was removed, or another one is in its place: open it anew")

    # -- reading ------------------------------------------------------------------------------------------------

    def check(
        self,
        photo: PhotoLike,
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
            related: also give what is no copy and makes no match: other shots of the same moment, other photos in the
                same template.
            min_score: what a copy scores at least; ``None`` takes the pair model's own.

        Returns:
            what was found; a photo that cannot be read is a result with a reason, not an error.
        """
        from imgmatch.actions.check import check
        from imgmatch.actions.queries import named_photo
        from imgmatch.matching.verification import CheckOptions

        wanted = CheckOptions(account, limit, related, min_score, max_distance)
        (result,) = check(self._parts, [named_photo(photo)], wanted)
        return result

    def check_many(
        self,
        photos: Iterable[PhotoLike],
        *,
        account: str | None = None,
        limit: int = 20,
        max_distance: int | None = None,
        related: bool = False,
        min_score: float | None = None,
        root: Path | None = None,
    ) -> Iterator[CheckResult]:
        """Which accounts carry each photo, in order; a folder, manifest or archive stands for its photos.

        Cheaper a photo than :meth:`check`, since they are searched together.

        Args:
            photos: files, bytes, folders, manifests and archives, by path or URL.
            account: as of :meth:`check`.
            limit: likewise.
            max_distance: likewise.
            related: likewise.
            min_score: likewise.
            root: refuse photos outside this folder.

        Raises:
            SourceError: a folder, a manifest or an archive cannot be read at all.
        """
        from imgmatch.actions.check import check
        from imgmatch.actions.queries import named_photos
        from imgmatch.matching.verification import CheckOptions

        wanted = CheckOptions(account, limit, related, min_score, max_distance)
        return check(self._parts, named_photos(photos, root=root), wanted)

    def warm_up(self) -> None:
        """Get ready, so that the first :meth:`check` takes no longer than others; for a program that serves many."""
        from imgmatch.actions.check import warm_up

        warm_up(self._parts)

    def check_fingerprint(
        self, fingerprint: str, *, account: str | None = None, limit: int = 20, max_distance: int | None = None
    ) -> CheckResult:
        """Which accounts carry a picture of this fingerprint; nothing can be verified, so only near ones are found.

        Args:
            fingerprint: 64 hexadecimal digits, by the first hasher of this index.
            account: as of :meth:`check`.
            limit: likewise.
            max_distance: bits in which a copy's fingerprint may differ; ``None`` takes the hasher's own.

        Raises:
            ValueError: it is no fingerprint.
        """
        from imgmatch.actions.check import check_fingerprint
        from imgmatch.matching.verification import CheckOptions

        return check_fingerprint(self._parts, fingerprint, CheckOptions(account, limit, max_distance=max_distance))

    def compare(self, query: PhotoLike, stored: PhotoLike, *, max_distance: int | None = None) -> Comparison:
        """The evidence for two photos being copies of one picture, as if the second were in this index.

        Its hasher, its depth and its calibration count; :func:`imgmatch.compare` needs no index and judges as a new
        one would.

        Args:
            query: a file, or the bytes of one.
            stored: likewise.
            max_distance: bits in which a copy's fingerprint may differ; ``None`` takes the hasher's own.

        Raises:
            PhotoError: one of them cannot be used; the message names it.
        """
        from imgmatch.actions.compare import compare_in

        return compare_in(self._parts, query, stored, max_distance=max_distance)

    def hash(self, photos: Iterable[PhotoLike], *, root: Path | None = None) -> Iterator[Hashed]:
        """The fingerprints and quality of each photo, in order; a folder, manifest or archive stands for its photos.

        Its hashers are those of this index; :func:`imgmatch.hash_photos` needs none.

        Args:
            photos: files, bytes, folders, manifests and archives, by path or URL.
            root: refuse photos outside this folder.

        Raises:
            SourceError: a folder, a manifest or an archive cannot be read at all.
        """
        from imgmatch.actions.hash import hashed
        from imgmatch.actions.queries import named_photos

        return hashed(self._parts.runner, named_photos(photos, root=root))

    def view(
        self, photos: Iterable[PhotoLike], *, side: int = SHOWN_SIDE, frames: Sequence[int | None] = ()
    ) -> Iterator[Picture]:
        """Each photo as it can be shown, in order.

        Args:
            photos: files, or the bytes of some.
            side: pixels of the longer side at the most.
            frames: of moving pictures the frames to show, from 1, in the order of the photos; else the first.
        """
        from imgmatch.actions.pictures import viewed
        from imgmatch.actions.queries import named_photo

        return viewed(self._parts.runner, map(named_photo, photos), side, frames)

    def pictures(self, photo_ids: Iterable[Key], *, side: int = SHOWN_SIDE) -> dict[Key, Picture]:
        """Stored photos as they can be shown, by ``photo_id``: from their files, or else the thumbnails that are kept.

        Args:
            photo_ids: of the photos, or keys that name a frame of a moving one (see ``Photo.key``); one that
                is not in the index is left out.
            side: pixels of the longer side at the most.
        """
        from imgmatch.actions.pictures import stored_pictures

        return stored_pictures(self._parts, photo_ids, side=side)

    def account(self, account: str) -> AccountView:
        """One account: its photos, whom it shares them with, its rings, and what was decided on it.

        Whom it shares photos with is what the last :meth:`rings`, and what was decided since, have left.

        Raises:
            NotFoundError: there is no such account.
        """
        from imgmatch.actions.account import account_view

        return account_view(self._parts, account)

    def ring(self, ring: str) -> Ring:
        """One ring as the last :meth:`rings`, and what was decided since, have left it.

        Raises:
            NotFoundError: there is no such ring.
        """
        from imgmatch.actions.reviews import ring as kept

        return kept(self._parts, ring)

    def queue(
        self,
        *,
        state: QueueState = QueueState.WAITING,
        order: QueueOrder = QueueOrder.NEW,
        search: str = "",
        change: Change | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> RingQueue:
        """A part of the queue of rings that moderators decide on.

        Args:
            state: which rings; a ring waits while nobody has decided on one of its pictures.
            order: in which order; of equal ones the larger first.
            search: only those in which every one of these words is in an account, a name or the ring's id.
            change: only those of which this has become since the last report.
            limit: so many at the most.
            after: ``next`` of the part before.

        Raises:
            ValueError: ``after`` is not what a part had as ``next``.
        """
        from imgmatch.actions.reviews import queue

        return queue(self._parts, state=state, order=order, search=search, change=change, limit=limit, after=after)

    def rings_of(self, accounts: Collection[str]) -> dict[str, str]:
        """The ids of the rings that these accounts are in, by account; as of the last :meth:`rings`."""
        from imgmatch.actions.reviews import rings_of

        return rings_of(self._parts, accounts)

    def decisions(self, *, limit: int = 50, before: int | None = None, by: str | None = None) -> list[Decision]:
        """What was decided, the latest first.

        Args:
            limit: so many at the most.
            before: only those of a lower number.
            by: only those of one person.
        """
        from imgmatch.actions.reviews import decisions

        return decisions(self._parts, limit=limit, before=before, by=by)

    def status(self, *, verify: bool = False) -> IndexStatus:
        """How much the index holds, what it is made of, and whether its engine files are there and complete.

        Args:
            verify: compare the engine files with the catalog, bit by bit, and look at every row of the catalog.
        """
        from imgmatch.actions.status import status

        return status(self._parts, verify=verify)

    def leases(self) -> tuple[HeldLease, ...]:
        """What is under way that must not run twice at once, such as scans, and who does it; the longest first."""
        from imgmatch.actions.status import leases

        return leases(self._parts)

    def counts(self) -> dict[str, int]:
        """How many photos, accounts, fingerprints, skipped photos, sources and scans the catalog holds."""
        from imgmatch.catalog.lookups import counts

        with self._parts.catalog.read() as session:
            return counts(session)

    def banks(self) -> dict[str, int]:
        """How many pictures are on each list of known ones."""
        from imgmatch.catalog.banks import bank_counts

        with self._parts.catalog.read() as session:
            return bank_counts(session)

    def sources(self) -> list[KnownSource]:
        """Every source that something came from, by their keys."""
        from imgmatch.actions.sources import known_sources

        return known_sources(self._parts)

    def seemingly_moved(self, sources: Iterable[str]) -> list[tuple[str, str]]:
        """Sources that look like another one that is not there any more: all their photos came from that as well.

        Args:
            sources: keys of sources that have just been scanned for the first time.

        Returns:
            the old key and the new one, as :meth:`rename_source` takes them.
        """
        from imgmatch.actions.sources import seemingly_moved

        return seemingly_moved(self._parts, sources)

    def __len__(self) -> int:
        return self.counts()["photos"]

    # -- writing ------------------------------------------------------------------------------------------------

    def scan(  # noqa: PLR0913 -- each is a choice of its own
        self,
        sources: Sequence[str | os.PathLike[str] | Source],
        *,
        root: Path | None = None,
        prune: bool = False,
        prune_all: bool = False,
        since: datetime | None = None,
        include: Sequence[str] = (),
        progress: Progress = SILENT,
        count_ahead: bool = False,
    ) -> ScanResult:
        """Add or update the photos of every source, one after another.

        Unchanged photos are not decoded again; an interrupted scan goes on where it stopped. A source that cannot be
        opened, or breaks off half-way, costs what follows in it, and is told of as a skipped item; it is not pruned.

        Args:
            sources: folders, manifests, archives and photos, by path or URL, or opened with
                :func:`imgmatch.open_sources`.
            root: refuse photos outside this folder.
            prune: remove photos of these sources that are gone from them. Photos stay that may lie where a source could
                not be read; and all stay, which is told of as a skipped item, where more are gone than a tenth of those
                that came from the source (and than ten), all of them, or where lines of a manifest that cannot be read
                may have named them.
            prune_all: remove them then, too; only what may lie in a part that could not be read stays.
            since: pass over photos first seen before this moment, which has a time zone; with ``prune`` those that are
                there are removed.
            include: patterns of names that are passed over otherwise, such as ``@eaDir`` or ``*.pdf``; of sources that
                are opened already they count not.
            progress: hears how many photos are done with, those passed over too, and of every skipped one.
            count_ahead: count all photos beside the work, so that ``progress`` hears of how many, once that is known.

        Raises:
            MissingExtraError: what reads a source is not installed.
            SourceError: there is nothing where a source should be, which shows before anything is written; or one
                cannot be opened, has broken off, or is a manifest none of whose photos is there, and no source has
                given any photo that could be used.
            IndexLockedError: a source is being scanned by somebody else.
            IndexUnusableError: the index cannot be written.
            ScanInterrupted: a KeyboardInterrupt that says how many photos are kept: those that were described so far.
        """
        from imgmatch.actions.scan import scan

        self._finish_first()
        return scan(
            self._parts,
            sources,
            root=root,
            prune=prune,
            prune_all=prune_all,
            since=since,
            include=include,
            progress=progress,
            count_ahead=count_ahead,
        )

    def rings(
        self,
        *,
        max_distance: int | None = None,
        min_score: float | None = None,
        false_rings: float | None = None,
        search: bool = True,
        common_accounts: int | None = None,
        common_days: float | None = None,
        progress: Progress = SILENT,
    ) -> RingsReport:
        """Accounts tied together by photos they share, the largest ring first, and who had a photo first.

        New photos are first looked up among all by their local features; what is found is kept, so that each run looks
        up only what is new.

        Args:
            max_distance: bits in which a copy's fingerprint may differ; ``None`` takes the hasher's own.
            min_score: what a pair by local features scores at least; ``None`` takes the pair model's own.
            false_rings: in place of ``min_score`` take the score, 0.5 or more, from which so many ties of strangers are
                to be expected in this index; more than 0.
            search: without it nothing is looked up, and nothing written.
            common_accounts: a picture on so many accounts that come over a long time ties nobody; ``None`` takes 15.
            common_days: the time is long if the middle half of them come over so many days; ``None`` takes 120.
            progress: hears how far each kind of work is.

        Raises:
            ValueError: ``false_rings`` is not above 0, or ``min_score`` is given, too; a number is not finite.
            IndexLockedError: another run is under way, and there is something to write.
        """
        from imgmatch.actions.rings import find_rings
        from imgmatch.clustering.common import CommonCriteria

        if search:
            self._finish_first()
        common = CommonCriteria()
        common = common if common_accounts is None else replace(common, accounts=common_accounts)
        common = common if common_days is None else replace(common, days=common_days)
        return find_rings(
            self._parts,
            max_distance=max_distance,
            min_score=min_score,
            false_rings=false_rings,
            common=common,
            search=search,
            progress=progress,
        )

    def keep_report(self, report: RingsReport) -> None:
        """Let this be the report that later ones are compared with: :meth:`RingsReport.changed` says what is new since.

        Args:
            report: as :meth:`rings` gave it, not a part of it.

        Raises:
            IndexUnusableError: it cannot be written.
        """
        from imgmatch.actions.rings import keep_report

        keep_report(self._parts, report)

    def decide(
        self,
        verdict: Verdict,
        *,
        by: str,
        ring: str | None = None,
        group: str | None = None,
        pair: tuple[str, str] | None = None,
        reason: str | None = None,
        expect: str | None = None,
    ) -> Decision:
        """Confirm, dismiss or mark as common a ring, a group or a pair of photos; what was decided last counts.

        It waits for nothing but its turn to write: what an erasure that was cut off has left to do is left to others.

        Args:
            verdict: what is said.
            by: who says so.
            ring: the id of a ring: all its groups are decided on,
            group: or that of a group,
            pair: or the ids of two photos.
            reason: why.
            expect: ``Ring.version`` of the ring as it was shown, or of the ring that the group ties.

        Raises:
            ConflictError: the two photos are one, or the ring has changed since it was shown.
            NotFoundError: there is no such ring, group or photo.
            ValueError: not one of ``ring``, ``group`` and ``pair`` was given.
            IndexUnusableError: the index cannot be written.
        """
        from imgmatch.actions.decide import decide

        return decide(self._parts, verdict, by=by, ring=ring, group=group, pair=pair, reason=reason, expect=expect)

    def undo(self, number: int, *, by: str, reason: str | None = None) -> Decision:
        """Take a decision back, by one more: what was said before on the same photos counts again.

        Args:
            number: of the decision.
            by: who takes it back.
            reason: why.

        Raises:
            ConflictError: it was taken back already, or takes another one back itself.
            NotFoundError: there is no such decision.
            IndexUnusableError: the index cannot be written.
        """
        from imgmatch.actions.decide import undo

        return undo(self._parts, number, by=by, reason=reason)

    def erase(
        self,
        *,
        account: str | None = None,
        photo_id: str | None = None,
        before: datetime | None = None,
        mask_reasons: bool = False,
        by: str = "",
        folder: Path | None = None,
    ) -> Erasure:
        """Remove an account, a photo or old photos everywhere, then search every file for traces.

        One that was cut off is finished by the same call again, or by the next ``scan``, ``rings``, ``calibrate``,
        ``rebuild``, ``remove``, or ``erase`` of something else.

        Args:
            account: all photos of this account,
            photo_id: or this photo,
            before: or all photos first seen before this moment, which has a time zone.
            mask_reasons: where the reason of a decision speaks of what is erased, put ``…`` in its place.
            by: who erases: the log of what was done tells that, and not what was erased.
            folder: where :meth:`add_photo` keeps files: those that no photo lies in any more are removed.

        Raises:
            NotFoundError: there is no such account or photo.
            ValueError: not one of these was given.
            IndexUnusableError: it cannot be written, or a file of it cannot be read.
        """
        from imgmatch.actions.erase import erase

        self._finish_renames()
        with self._dropping(folder, account, photo_id):
            return erase(
                self._parts,
                account=account,
                photo_id=photo_id,
                before=before,
                mask_reasons=mask_reasons,
                by=by,
                hear=self.hear_erasure,
            )

    @contextmanager
    def _dropping(self, folder: Path | None, account: str | None, photo_id: str | None) -> Iterator[None]:
        """After the block, remove the files that we have kept of what it removes."""
        from imgmatch.actions.uploads import drop_unused, kept_files

        kept = set() if folder is None else kept_files(self._parts, folder, account=account, photo_id=photo_id)
        yield
        drop_unused(self._parts, kept)

    def finish_erasures(self) -> list[Erasure]:
        """Finish erasures that were cut off, as ``scan``, ``rings``, ``calibrate``, ``rebuild`` and ``erase`` do first.

        Returns:
            what came of each; none where nothing was cut off, or somebody else is at it.

        Raises:
            IndexUnusableError: it cannot be written, or one cannot be finished; the others are, and
                ``hear_erasure`` hears of them.
        """
        outcomes: list[Erasure | IndexUnusableError] = []
        self._finish_erasures(outcomes.append)
        finished = [done for done in outcomes if not isinstance(done, IndexUnusableError)]
        for error in outcomes:
            if isinstance(error, IndexUnusableError):
                for done in finished:  # their proof cannot be had again
                    self.hear_erasure(done)
                raise error
        return finished

    def _finish_erasures(self, hear: Callable[[Erasure | IndexUnusableError], None]) -> None:
        """What an erasure has left to do comes before another write: who adds photos must not have them erased."""
        from imgmatch.catalog.erasures import has_begun

        with self._parts.catalog.read() as session:
            if not has_begun(session):
                return
        from imgmatch.actions.erase import finish_erasures

        finish_erasures(self._parts, hear)

    def _finish_first(self) -> None:
        """What a rename or an erasure has left to do comes before another write."""
        self._finish_renames()
        self._finish_erasures(self.hear_erasure)

    def _finish_renames(self) -> None:
        from imgmatch.catalog.renames import begun_renames

        with self._parts.catalog.read() as session:
            if not begun_renames(session):
                return
        from imgmatch.actions.sources import finish_renames

        finish_renames(self._parts)

    def calibrate(
        self,
        pairs: Iterable[Labelled] = (),
        *,
        decisions: bool = False,
        checks: int | None = None,
        false_per_1000: float | None = None,
        sample: int = FORECAST_SAMPLE,
    ) -> Forecast:
        """Fit scores to what people have decided, and say how many false answers to expect from this index.

        With neither ``pairs`` nor ``decisions`` nothing is changed, unless ``false_per_1000`` is given.

        Args:
            pairs: photos and whether they are copies; see :func:`imgmatch.read_pairs`.
            decisions: fit to what was decided in this index as well.
            checks: checks a night; ``None`` takes as many as there are photos.
            false_per_1000: accept candidates from the score that lets so many false answers be expected in a thousand
                checks; ``None`` leaves it.
            sample: how many stored photos to check for the forecast.

        Raises:
            ConflictError: there are too few pairs of one kind.
            IndexUnusableError: the index cannot be written.
        """
        from imgmatch.actions.calibrate import calibrate
        from imgmatch.actions.labels import decided_pairs

        self._finish_first()
        labelled = [*pairs, *(decided_pairs(self._parts) if decisions else ())]
        return calibrate(self._parts, labelled, checks=checks, false_per_1000=false_per_1000, sample=sample)

    def add(
        self,
        photos: Iterable[NewPhoto | Skipped],
        *,
        source: str = LIBRARY_SOURCE,
        prune: bool = False,
        progress: Progress = SILENT,
    ) -> ScanResult:
        """Add photos, replace changed ones, and leave unchanged ones alone.

        Written batch by batch, so that others may write meanwhile: a kill loses at most the batch in hand, Ctrl-C only
        what is not yet described, and the same call again goes on from there. It finishes no erasure that was cut off:
        where one was while it removed photos of an account, call :meth:`finish_erasures` before photos of that account
        are added, or they are erased with it.

        Args:
            photos: photos, and lines a source could not use (they are filed with the skipped ones).
            source: what the photos are filed under.
            prune: afterwards, remove photos filed under ``source`` that were not among ``photos``.
            progress: hears how many photos are done with, and of every skipped one.

        Raises:
            IndexLockedError: somebody else adds photos under this source.
            IndexUnusableError: it cannot be written.
            ScanInterrupted: as of :meth:`scan`.
        """
        from imgmatch.actions.scan import with_lookalikes
        from imgmatch.ingest.adding import add

        return with_lookalikes(self._parts, add(self._parts, photos, source=source, prune=prune, progress=progress))

    def add_photo(
        self,
        data: bytes,
        *,
        photo_id: str,
        account: str,
        name: str | None = None,
        seen_at: datetime | None = None,
        folder: Path | None = None,
    ) -> str:
        """Add one photo that is here as bytes, or replace the one of that id; the same again changes nothing.

        For one photo at a time, such as on upload; many are added faster by :meth:`add`.

        Args:
            data: the bytes of its file.
            photo_id: its id.
            account: whose it is.
            name: display name of the account.
            seen_at: when it was first seen, with a time zone; ``None`` takes what is known of it, or else now.
            folder: where its file is kept, named by its digest; without one only what is computed from it is kept.

        Returns:
            ``added``, ``updated`` or ``unchanged``.

        Raises:
            PhotoError: it cannot be used; the reason says why.
            IndexLockedError: others add such photos all the time.
            IndexUnusableError: the index cannot be written.
        """
        from imgmatch.actions.uploads import add_photo

        return add_photo(
            self._parts, data, photo_id=photo_id, account=account, name=name, seen_at=seen_at, folder=folder
        )

    def remove(
        self,
        *,
        account: str | None = None,
        photo_id: str | None = None,
        before: datetime | None = None,
        folder: Path | None = None,
    ) -> int:
        """Remove photos from the catalog and every engine file; returns how many.

        Args:
            account: all photos of this account,
            photo_id: or this photo,
            before: or all photos first seen before this moment, which has a time zone.
            folder: as of :meth:`erase`.

        Raises:
            ValueError: not one of these was given.
            IndexUnusableError: it cannot be written.
        """
        from imgmatch.actions.erase import remove

        self._finish_renames()
        with self._dropping(folder, account, photo_id):
            return remove(self._parts, account=account, photo_id=photo_id, before=before, hear=self.hear_erasure)

    def rename_source(self, old: str, new: str) -> SourceChange:
        """File the photos of a source under another path, where it lies now: ids that hang on the path change with it.

        Accounts, decisions, groups and what is known of pictures stay. What was scanned under the new path already
        becomes one with what came from the old one. One that was cut off is finished by the same call again, or by the
        next ``scan``, ``rings``, ``calibrate``, ``rebuild``, ``remove`` or ``erase``.

        Args:
            old: its path or URL.
            new: where it lies now.

        Raises:
            NotFoundError: nothing came from ``old``.
            ConflictError: a source of its kind cannot lie at ``new``.
            SourceError: ``new`` is no path.
            IndexLockedError: one of them is being scanned.
            IndexUnusableError: the index cannot be written.
        """
        from imgmatch.actions.sources import rename_source

        self._finish_first()
        return rename_source(self._parts, old, new)

    def drop_source(self, source: str) -> SourceChange:
        """Remove every photo of a source, as pruning does, and forget the source.

        Args:
            source: its path or URL.

        Raises:
            NotFoundError: nothing came from it.
            IndexLockedError: it is being scanned.
            IndexUnusableError: the index cannot be written.
        """
        from imgmatch.actions.sources import drop_known_source

        self._finish_first()
        return drop_known_source(self._parts, source)

    def rebuild(self, *, progress: Progress = SILENT) -> IndexStatus:
        """Make the engine files anew from the catalog alone.

        Args:
            progress: hears how many ``fingerprints``, then ``features``, are read of how many.

        Raises:
            IndexUnusableError: they cannot be written.
        """
        from imgmatch.engines.publishing import rebuild

        self._finish_first()
        rebuild(self._parts, progress)
        return self.status()

    def catch_up(self) -> None:
        """Write the engine files of this machine anew where that is worth it: without what is gone, with what is new.

        ``scan`` and ``rings`` do so themselves. A server whose index is in a database, which other machines write to,
        would else read all that is new from there whenever it starts.

        Raises:
            IndexUnusableError: they cannot be written.
        """
        from imgmatch.engines.publishing import publish

        publish(self._parts)

    def start_shards(
        self, shards: int, *, at: str, replicas: int = 1, deadline: float = 5.0, snapshots: str | None = None
    ) -> tuple[ShardHealth, ...]:
        """Have shards on a Ray cluster hold what is searched, for every machine that opens the index.

        They are waited for until they have read the index. Shards that are there already go on: one more takes over
        its share of each.

        Args:
            shards: how many share the index.
            at: the cluster, ``ray://head:10001``, ``ray:head:6379`` or ``ray:auto``.
            replicas: how many actors hold each shard.
            deadline: seconds in which a check has the answers of shards; what has not answered by then is missing, and
                named in ``CheckResult.incomplete``.
            snapshots: where shards save what they hold, so that one that is started anew need not read all of the
                database: a folder that all nodes share, ``s3://`` or ``gs://``.

        Returns:
            how each shard is; :meth:`status` says so later.

        Raises:
            ConflictError: the index is in a folder: only a database is reached by every node.
            UnknownNameError: ``at`` is no cluster, or ``snapshots`` no such place.
            IndexLockedError: somebody else starts or stops shards.
            ImgmatchError: the cluster cannot be reached, a node is refused, or a shard does not answer.
            ValueError: a number is out of its range.
        """
        from imgmatch.actions.shards import start_shards

        return start_shards(self._parts, shards, at=at, replicas=replicas, deadline=deadline, snapshots=snapshots)

    def shards(self) -> tuple[ShardHealth, ...]:
        """How each shard is; none where there are no shards."""
        from imgmatch.engines.shards.tending import healths

        search = self._parts.search
        record = search.record()
        return () if record is None else healths(self._parts.catalog, search.holders, record)

    def stop_shards(self) -> None:
        """End all shards: from now on each machine that opens the index has engine files of its own.

        Raises:
            ConflictError: the index is in a folder.
            IndexLockedError: somebody else starts or stops shards.
            ImgmatchError: the cluster cannot be reached: nobody asks its shards any more, but they may be there still.
        """
        from imgmatch.actions.shards import stop_shards

        stop_shards(self._parts)

    def copy(self, home: str | os.PathLike[str], *, codebook: str | None = None, progress: Progress = SILENT) -> Copied:
        """Copy it, decisions and all, to a new or empty home, such as from a folder to a database; it stays as it is.

        What is copied is its state of now. A copy that was cut off goes on when it is asked for again; all rows of
        both are compared before the copy is an index. Its engine files are made by :meth:`rebuild` of the copy.

        Args:
            home: a folder, or the URL of a database whose schema is empty.
            codebook: write the local features of the copy for this codebook, without the photos; as they are.
            progress: hears how many ``rows copied``, then ``tables compared``, of how many.

        Raises:
            ConflictError: there is an index already.
            UnknownNameError: there is no such codebook.
            ImgmatchError: there is something else, a row cannot be stored there, or the source was changed between
                two tries.
            IndexUnusableError: it cannot be made there.
        """
        from imgmatch.actions.copy import copy

        return copy(self._parts, as_home(home), progress, codebook=codebook)

    def close(self) -> None:
        """End the workers and close the catalog."""
        close_parts(self._parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
