"""What an index holds, and what a scan or an erasure has made of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imgmatch.model.holders import EnginePlace, HeldLease


@dataclass(frozen=True, slots=True)
class Copied:
    """What came of copying an index.

    Attributes:
        home: where the copy is: a folder, or the URL of a database without a password.
        tables: how many were copied and compared.
        rows: how many rows it has.
        kept: rows of these that an earlier try, which was cut off, had brought over.
    """

    home: str
    tables: int
    rows: int
    kept: int


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan did, in photos.

    Attributes:
        added: photos that are new.
        updated: photos whose bytes have changed.
        unchanged: photos that are as they were.
        removed: photos that are gone from their source, and were removed.
        skipped: photos and lines that could not be used, and sources that could not be read or pruned.
        seconds: of wall time.
        passed_over: files and folders that were passed over by their names.
        kept: photos that were not met and that pruning left: what may hold them could not be read, or there were too
            many of them.
        respelt: photos whose account was written otherwise than it is kept: with blanks or invisible characters at its
            ends, or not in NFC.
        lookalikes: how many sets of accounts the index holds that look alike.
        alike: some of these sets, of each a few accounts.
        hints: what the operator should look at, a sentence each.
    """

    added: int
    updated: int
    unchanged: int
    removed: int
    skipped: int
    seconds: float
    passed_over: int = 0
    kept: int = 0
    respelt: int = 0
    lookalikes: int = 0
    alike: tuple[tuple[str, ...], ...] = ()
    hints: tuple[str, ...] = ()

    @property
    def photos_per_second(self) -> float:
        """Photos looked at per second of wall time, unchanged and skipped ones included."""
        looked_at = self.added + self.updated + self.unchanged + self.skipped
        return looked_at / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased, and the proof.

    Attributes:
        account: the account that was named, if one was.
        photo_id: the photo that was named, if one was.
        photos: photos removed.
        searched_for: digests, fingerprints and pieces of features and thumbnails that no other photo has and that were
            looked for afterwards.
        files_searched: files of the index that were read from end to end.
        traces: how many of them, and of all else in ``searched``, were found, and rows that still name the account or
            photo; 0 is the proof.
        gone_photos: ids of the photos removed, and of the one that was named.
        gone_accounts: those of whose photos none is left, and the one that was named: with the photos, what is to be
            looked for outside the index, such as in reports (``imgmatch.search_reports``).
        searched: kind to how many pieces of it were looked for: ``ids``, ``names``, ``attributes``, ``paths``,
            ``digests``, ``pixels``, ``fingerprints``, ``features`` and ``thumbnails``. Shorter ones than 6 bytes are
            looked for in the rows of the catalog alone.
        found: file to kind to how many of these are in it; also ``points``, which an engine file still holds, and
            ``rows`` of the ``catalog``.
        in_use: column of the catalog to how many texts were found that others still use: those are no traces.
        reasons: numbers of decisions whose reason still speaks of what was erased.
        masked_reasons: numbers of those whose reason did, and has ``…`` in its place now.
        came_back: photos of it that somebody has added again meanwhile.
        finished: nothing is left to do. If not, the same erasure again goes on, and so does the next command that
            writes, but for ``decide`` and ``add``, unless all that is left is that traces were found.
        compacted: the catalog is compacted. If not, somebody read an older state of it meanwhile, and what was erased
            may stand in old pages of its files until nobody does.
        elsewhere: of an index in a database the other machines whose engine files may hold it still, until they are
            written anew there: by the next ``scan``, ``rings`` or ``rebuild``, or by ``serve`` within the hour; and
            shards, such as ``shard 2 of 4``, that did not say that they have let go of it: the same commands ask them
            again.
    """

    account: str | None
    photo_id: str | None
    photos: int
    searched_for: int
    files_searched: int
    traces: int
    gone_photos: frozenset[str] = frozenset()
    gone_accounts: frozenset[str] = frozenset()
    searched: Mapping[str, int] = field(default_factory=dict)
    found: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    in_use: Mapping[str, int] = field(default_factory=dict)
    reasons: tuple[int, ...] = ()
    masked_reasons: tuple[int, ...] = ()
    came_back: int = 0
    finished: bool = True
    compacted: bool = True
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShardHealth:
    """One shard of an index whose engines are held in shards.

    Attributes:
        shard: its name, such as ``shard 2 of 4``.
        replicas: how many are to hold it.
        answering: how many of them answer.
        fingerprints: how many it holds, by the one that holds most.
        features: of how many pictures it holds the local features, likewise.
        behind: row ids that the one furthest behind has not looked at yet; it does so before it answers.
        problem: why one that holds it does not answer; ``None`` where all do.
        snapshot: what became of the snapshot that one was made from, or not; ``None`` where there was none.
    """

    shard: str
    replicas: int
    answering: int
    fingerprints: int
    features: int
    behind: int
    problem: str | None = None
    snapshot: str | None = None


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """Whole-number counts, and what the index is made of.

    Attributes:
        photos: photos that can be found.
        accounts: accounts with at least one photo.
        fingerprints: distinct fingerprints, of all hashers.
        features: distinct pictures whose local features are kept.
        ties: pairs of pictures that runs have judged.
        decisions: what moderators have said so far.
        bank_pictures: known pictures.
        skipped: photos and lines that could not be used when their source was last read.
        sources: folders and manifests read so far.
        scans: scans begun so far.
        unfinished_scans: scans that were interrupted, or are under way.
        unfinished_erasures: erasures that were interrupted, are under way, or have found traces: rows or bytes of what
            was to be erased may still be there.
        format: version of the on-disk format.
        hashers: what is computed for every photo; the first is searched.
        engine: which engine searches.
        codebook: what local features are coded by.
        generation: of the engine files.
        snapshot: of the fingerprints, ``ok``, ``missing``, ``damaged`` or, where the engine file was compared with the
            catalog, ``different``: it holds other rows. What is missing or damaged costs time at every start until
            ``rebuild``; what is different gives wrong answers until then. ``shards`` where these hold what the file
            would, and there is none.
        features_snapshot: the same of the local features.
        access: who may look into the folder, by its mode: ``owner``, ``group`` or ``everyone``; ``None`` where the
            system keeps no modes.
        damaged: how many values and rows are damaged; ``None`` where it was not looked for.
        damage: which these are, a sentence each, the first of many.
        bank_entries: what stands on banks: known pictures, and bare hashes.
        shards: of an index whose engines are held in shards each of these.
        shards_at: the Ray cluster where they are; ``None`` where this machine has engines of its own.
        leases: what is under way that must not run twice, the longest first.
        places: of an index in a database the folders of engine files that machines have of it, by their machines.
    """

    photos: int
    accounts: int
    fingerprints: int
    features: int
    ties: int
    decisions: int
    bank_pictures: int
    skipped: int
    sources: int
    scans: int
    unfinished_scans: int
    unfinished_erasures: int
    format: int
    hashers: tuple[str, ...]
    engine: str
    codebook: str
    generation: int
    snapshot: str
    features_snapshot: str
    access: str | None = None
    damaged: int | None = None
    damage: tuple[str, ...] = ()
    bank_entries: int = 0
    shards: tuple[ShardHealth, ...] = ()
    shards_at: str | None = None
    leases: tuple[HeldLease, ...] = ()
    places: tuple[EnginePlace, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportSearch:
    """Which reports outside the index still show what was erased.

    Attributes:
        read: how many reports were read.
        showing: those that show what was looked for.
        unclear: files and folders that are a report, or may be, and could not be read, and why.
    """

    read: int
    showing: tuple[Path, ...]
    unclear: tuple[tuple[Path, str], ...]
