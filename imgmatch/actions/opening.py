"""Open an index: make it if it is not there, bring it up to date, and put its parts together.

Its home is a folder, which holds catalog and engine files, or the URL of a database: then the engine files lie in a
folder of this machine (:mod:`imgmatch.actions.database`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.actions import database
from imgmatch.catalog import migrations
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.engines.bank_hashes import BankHashes
from imgmatch.engines.folder import Layout
from imgmatch.engines.header import FORMAT_VERSION, Header, refuse_unknown_names
from imgmatch.engines.lineage import adopt, ensure_own
from imgmatch.engines.listening import Listening
from imgmatch.engines.parts import Parts
from imgmatch.engines.searching import Search
from imgmatch.engines.sync import FeatureSearcher, FingerprintSearcher
from imgmatch.errors import IndexDamagedError, IndexReadOnlyError
from imgmatch.homes import naming, without_password, without_secrets
from imgmatch.imaging.limits import Limits
from imgmatch.model import Depth
from imgmatch.numeric import use_one_thread

if TYPE_CHECKING:
    from pathlib import Path

    from imgmatch.catalog.base import Catalog
    from imgmatch.homes import Home


def make_index(
    home: Home,
    hashers: tuple[str, ...],
    engine: str,
    codebook: str = registry.DEFAULT_CODEBOOK,
    *,
    share_with_group: bool = False,
) -> None:
    """Make an index in an empty or new folder or database; one that is there already is left as it is.

    Args:
        home: the folder, or the URL.
        hashers: what to compute for every photo; the first one is searched.
        engine: which engine searches.
        codebook: what local features are coded by.
        share_with_group: let the group of the folder read and write it; without it nobody but its owner may.

    Raises:
        NotAnIndexError: the folder or the database holds something else.
        UnknownNameError: no such hasher, engine or codebook.
        IndexUnusableError: it cannot be made here.
        ValueError: no hasher is given.
    """
    if not hashers:
        raise ValueError("an index needs at least one hasher")
    registry.check_names(hashers, engine, codebook)
    header = Header(FORMAT_VERSION, hashers, engine, codebook)
    if isinstance(home, str):
        database.make(home, header)
        return
    folder = Layout(home)
    if folder.exists():
        return
    catalog = registry.open_catalog(home)
    try:
        with naming(str(home)):
            catalog.refuse_another()
            folder.create(header, catalog.migrate, share_with_group=share_with_group)
    finally:
        catalog.close()


def share_index(home: Home) -> None:
    """Let the group of the folder read and write the index in it from now on.

    Raises:
        IndexReadOnlyError: it is not ours to say so; who may use a database, the database says.
        IndexUnusableError: there is no index.
    """
    if isinstance(home, str):
        raise IndexReadOnlyError(f"index {without_password(home)}: who may use it is said in the database, by GRANT")
    folder = Layout(home)
    folder.header()
    folder.share_with_group()


def is_index(home: Home) -> bool:
    """Whether there is an index at ``home``, or a header of something else."""
    return database.is_index(home) if isinstance(home, str) else Layout(home).exists()


def open_parts(
    home: Home, *, workers: int, limits: Limits | None, depth: Depth, thumbnails: bool, runner: str | None = None
) -> Parts:
    """The parts of the index at ``home``, which is migrated if it is of an older format; they are to be closed.

    Raises:
        IndexNotFoundError: there is nothing.
        NotAnIndexError: there is something else.
        IndexTooNewError: a newer imgmatch wrote it.
        IndexDamagedError: its catalog is gone or cannot be read.
        UnknownNameError: there is no such runner.
    """
    use_one_thread()
    name = without_password(home)
    folder, header, catalog = database.opened(home) if isinstance(home, str) else _opened(home)
    settings = Settings(
        header.hashers,
        limits or Limits(),
        features=depth is Depth.FULL,
        thumbnails=thumbnails,
        codebook=header.codebook,
    )
    try:
        searchers = FingerprintSearcher(folder, catalog), FeatureSearcher(folder, catalog)
        describing = open_runner(runner or registry.DEFAULT_RUNNER, workers, settings)
    except BaseException:
        catalog.close()
        raise
    banks = BankHashes(catalog)
    parts = Parts(
        name,
        without_secrets(home) if isinstance(home, str) else None,
        folder,
        header,
        catalog,
        *searchers,
        Search(catalog, header, *searchers),
        banks,
        Listening(catalog, *searchers, banks),
        describing,
        settings,
    )
    try:
        return replace(parts, header=ensure_own(parts))
    except BaseException:
        close_parts(parts)
        raise


def _opened(path: Path) -> tuple[Layout, Header, Catalog]:
    """The folder of an index, its header and its catalog, up to date."""
    folder = Layout(path)
    header = folder.header()
    folder.refuse_strange()
    for snapshot in (header.snapshot, header.features):
        if snapshot is not None:
            folder.snapshot_path(snapshot)
    refuse_unknown_names(str(path), header)
    catalog = registry.open_catalog(path)
    try:
        return folder, _up_to_date(folder, header, catalog), catalog
    except BaseException:
        catalog.close()
        raise


def close_parts(parts: Parts) -> None:
    """Listen no more, end the workers and close the catalog."""
    parts.listening.close()
    parts.runner.close()
    parts.search.close()
    parts.catalog.close()


def _up_to_date(folder: Layout, header: Header, catalog: Catalog) -> Header:
    if not catalog.exists():
        raise IndexDamagedError(f"index {folder.root}: its catalog is gone")
    with naming(str(folder.root)):
        version = catalog.version()
        migrations.refuse_newer(version)
        if version < 1:
            raise IndexDamagedError("its catalog is empty")
    if version == migrations.VERSION and header.format == FORMAT_VERSION:
        return header
    with naming(str(folder.root)):
        catalog.migrate()
    return adopt(folder, catalog)
