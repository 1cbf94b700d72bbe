"""Open an index: make it if it is not there, bring it up to date, and put its parts together."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.catalog import migrations
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.engines.bank_hashes import BankHashes
from imgmatch.engines.folder import Layout
from imgmatch.engines.header import FORMAT_VERSION, Header
from imgmatch.engines.lineage import adopt, ensure_own
from imgmatch.engines.parts import Parts
from imgmatch.engines.sync import FeatureSearcher, FingerprintSearcher
from imgmatch.errors import IndexDamagedError, IndexTooNewError, NotAnIndexError
from imgmatch.imaging.limits import Limits
from imgmatch.model import Depth
from imgmatch.numeric import use_one_thread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.catalog.base import Catalog


def make_index(path: Path, hashers: tuple[str, ...], engine: str, *, share_with_group: bool = False) -> None:
    """Make an index in an empty or new folder; one that is there already is left as it is.

    Args:
        path: the folder.
        hashers: what to compute for every photo; the first one is searched.
        engine: which engine searches.
        share_with_group: let the group of the folder read and write it; without it nobody but its owner may.

    Raises:
        NotAnIndexError: the folder holds something else.
        UnknownNameError: no such hasher or engine.
        IndexUnusableError: it cannot be made here.
        ValueError: no hasher is given.
    """
    if not hashers:
        raise ValueError("an index needs at least one hasher")
    registry.check_names(hashers, engine)
    folder = Layout(path)
    if folder.exists():
        return
    header = Header(FORMAT_VERSION, hashers, engine, registry.DEFAULT_CODEBOOK)
    catalog = registry.open_catalog(path)
    try:
        with _naming(folder):
            catalog.refuse_another()
            folder.create(header, catalog.migrate, share_with_group=share_with_group)
    finally:
        catalog.close()


def share_index(path: Path) -> None:
    """Let the group of the folder read and write the index in it from now on.

    Raises:
        IndexReadOnlyError: it is not ours to say so.
        IndexUnusableError: there is no index.
    """
    folder = Layout(path)
    folder.header()
    folder.share_with_group()


def is_index(path: Path) -> bool:
    """Whether there is an index, or something else, at ``path``."""
    return Layout(path).exists()


def open_parts(path: Path, *, workers: int, limits: Limits | None, depth: Depth, thumbnails: bool) -> Parts:
    """The parts of the index at ``path``, which is migrated if it is of an older format; they are to be closed.

    Raises:
        IndexNotFoundError: there is nothing.
        NotAnIndexError: there is something else.
        IndexTooNewError: a newer imgmatch wrote it.
        IndexDamagedError: its catalog is gone or cannot be read.
    """
    folder = Layout(path)
    header = folder.header()
    folder.refuse_strange()
    for snapshot in (header.snapshot, header.features):
        if snapshot is not None:
            folder.snapshot_path(snapshot)
    _refuse_unknown_names(path, header)
    use_one_thread()
    catalog = registry.open_catalog(path)
    try:
        header = _up_to_date(folder, header, catalog)
    except BaseException:
        catalog.close()
        raise
    settings = Settings(header.hashers, limits or Limits(), features=depth is Depth.FULL, thumbnails=thumbnails)
    parts = Parts(
        folder,
        header,
        catalog,
        FingerprintSearcher(folder, catalog),
        FeatureSearcher(folder, catalog),
        BankHashes(catalog),
        open_runner(registry.DEFAULT_RUNNER, workers, settings),
        settings,
    )
    try:
        return replace(parts, header=ensure_own(parts))
    except BaseException:
        close_parts(parts)
        raise


def close_parts(parts: Parts) -> None:
    """End the workers and close the catalog."""
    parts.runner.close()
    parts.catalog.close()


def _up_to_date(folder: Layout, header: Header, catalog: Catalog) -> Header:
    if not catalog.exists():
        raise IndexDamagedError(f"index {folder.root}: its catalog is gone")
    with _naming(folder):
        version = catalog.version()
        migrations.refuse_newer(version)
        if version < 1:
            raise IndexDamagedError("its catalog is empty")
    if version == migrations.VERSION and header.format == FORMAT_VERSION:
        return header
    with _naming(folder):
        catalog.migrate()
    return adopt(folder, catalog)


@contextmanager
def _naming(folder: Layout) -> Iterator[None]:
    """Have the catalog's errors name the index."""
    try:
        yield
    except (IndexTooNewError, NotAnIndexError, IndexDamagedError) as error:
        if str(folder.root) in str(error):
            raise
        raise type(error)(f"index {folder.root}: {error}") from None


def _refuse_unknown_names(path: Path, header: Header) -> None:
    unknown = [name for name in header.hashers if name not in registry.HASHERS]
    unknown += [header.engine] if header.engine not in registry.ENGINES else []
    unknown += [header.codebook] if header.codebook not in registry.CODEBOOKS else []
    if unknown:
        raise IndexTooNewError(f"index {path} uses {', '.join(unknown)}, unknown to this imgmatch: upgrade it")
