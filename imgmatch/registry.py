"""Names to things: the only place that imports by string.

To add a hasher, an engine, a runner or a source, write its file and one line here; the contract tests pick it up from
these tables. What a line names is loaded when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, cast

from imgmatch.errors import MissingExtraError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from imgmatch.catalog.base import Catalog
    from imgmatch.describing.runner import Runner
    from imgmatch.describing.settings import Settings
    from imgmatch.engines.base import FeatureEngine, FingerprintEngine
    from imgmatch.engines.shards.seats import ShardLink
    from imgmatch.features.codebook import Codebook
    from imgmatch.hashers.base import Hasher
    from imgmatch.sources.base import Source
    from imgmatch.sources.place import Place
    from imgmatch.sources.store import RemoteStore

HASHERS: Mapping[str, str] = {
    "phash": "imgmatch.hashers.phash:PHash",
    "pdq": "imgmatch.hashers.pdq:Pdq",
    "dhash": "imgmatch.hashers.dhash:DHash",
    "whash": "imgmatch.hashers.whash:WHash",
}

ENGINES: Mapping[str, str] = {
    "linear": "imgmatch.engines.linear:LinearEngine",
    "flat": "imgmatch.engines.flat:FlatEngine",
    "banded": "imgmatch.engines.banded:BandedEngine",
}

RUNNERS: Mapping[str, str] = {
    "processes": "imgmatch.describing.pool:WorkerPool",
    "in-process": "imgmatch.describing.in_process:InProcessRunner",
    "ray": "imgmatch.describing.on_ray.runner:RayRunner",
}

CLUSTERS: Mapping[str, str] = {"ray": "imgmatch.describing.on_ray.runner:open_at"}
"""Runners that work elsewhere, by what stands before the first colon of where that is: ``ray://head:10001``."""

UNITS: Mapping[str, str] = {
    "join": "imgmatch.joins.answering:answer",
    "verify": "imgmatch.matching.pair_units:answer",
}
"""What answers units of work, by their kind: see ``imgmatch.tasks``."""

SHARD_LINKS: Mapping[str, str] = {"ray": "imgmatch.engines.shards.on_ray.link:open_at"}
"""Ways to those who hold shards, by what stands before the first colon of where they are."""

SOURCES: Mapping[str, str] = {
    "folder": "imgmatch.sources.folder:FolderSource",
    "photo": "imgmatch.sources.single:SinglePhotoSource",
    ".csv": "imgmatch.sources.lines_csv:open_csv",
    ".tsv": "imgmatch.sources.lines_csv:open_csv",
    ".jsonl": "imgmatch.sources.lines_jsonl:open_jsonl",
    ".ndjson": "imgmatch.sources.lines_jsonl:open_jsonl",
    ".parquet": "imgmatch.sources.lines_parquet:open_parquet",
    ".zip": "imgmatch.sources.archive_zip:open_zip",
    ".tar": "imgmatch.sources.archive_tar:open_tar",
    ".tar.gz": "imgmatch.sources.archive_tar:open_tar",
    ".tgz": "imgmatch.sources.archive_tar:open_tar",
    ".tar.bz2": "imgmatch.sources.archive_tar:open_tar",
    ".tbz2": "imgmatch.sources.archive_tar:open_tar",
    ".tar.xz": "imgmatch.sources.archive_tar:open_tar",
    ".txz": "imgmatch.sources.archive_tar:open_tar",
}
"""Sources by the suffix of their files; ``folder`` is any folder, ``photo`` any other file."""

STORES: Mapping[str, str] = {
    "http": "imgmatch.sources.web:WebStore",
    "https": "imgmatch.sources.web:WebStore",
    "s3": "imgmatch.sources.buckets:BucketStore",
    "gs": "imgmatch.sources.buckets:BucketStore",
}
"""What reads URLs, by their scheme."""

FEATURE_ENGINES: Mapping[str, str] = {"ivf": "imgmatch.engines.ivf:IvfEngine"}

DEFAULT_FEATURE_ENGINE = "ivf"

CODEBOOKS: Mapping[str, str] = {
    "sift-4096-32x4-v1": "imgmatch.features.codebook:shipped",
    "sift-4096x16-32x4-v1": "imgmatch.features.refined:shipped",
}
"""A codebook never changes under its name: codes written with it stay readable."""

CATALOGS: Mapping[str, str] = {
    "file": "imgmatch.catalog.sqlite:SqliteCatalog",
    "postgresql": "imgmatch.catalog.postgresql:PostgresqlCatalog",
}
"""By the scheme of an index's home; a folder has none and stands for ``file``."""

DEFAULT_CODEBOOK = "sift-4096-32x4-v1"

DEFAULT_HASHERS = ("phash", "pdq")
"""What a new index computes; the first one is searched, ``pdq`` is kept for exchange."""

DEFAULT_ENGINE = "flat"

DEFAULT_RUNNER = "processes"


def check_names(hashers: Iterable[str], engine: str, codebook: str = DEFAULT_CODEBOOK) -> None:
    """Raise UnknownNameError unless all of these are known; nothing is loaded."""
    for name in hashers:
        _find("hasher", HASHERS, name)
    _find("engine", ENGINES, engine)
    _find("codebook", CODEBOOKS, codebook)


def hasher(name: str) -> Hasher:
    """The hasher of that name.

    Raises:
        UnknownNameError: there is none.
    """
    return cast("Hasher", _load("hasher", HASHERS, name)())


def engine(name: str) -> type[FingerprintEngine]:
    """The engine class of that name.

    Raises:
        UnknownNameError: there is none.
    """
    return cast("type[FingerprintEngine]", _load("engine", ENGINES, name))


def runner(name: str) -> Callable[[int, Settings], Runner]:
    """What opens the runner of that name, given a number of workers and the settings; see ``open_runner``.

    Raises:
        UnknownNameError: there is none.
    """
    return cast("Callable[[int, Settings], Runner]", _load("runner", RUNNERS, name))


def cluster(kind: str) -> Callable[[str, int, Settings], Runner]:
    """What opens runners of a kind, given where the work is done, a number of workers and the settings.

    Raises:
        UnknownNameError: there is no such kind.
    """
    return cast("Callable[[str, int, Settings], Runner]", _load("runner elsewhere", CLUSTERS, kind))


def answerer(kind: str) -> Callable[[bytes, Sequence[NDArray[np.uint8]]], bytes]:
    """What answers units of work of a kind, given one and what is kept for it.

    Raises:
        UnknownNameError: there is no such kind.
    """
    return cast("Callable[[bytes, Sequence[NDArray[np.uint8]]], bytes]", _load("unit", UNITS, kind))


def shard_link(address: str, token: str) -> ShardLink:
    """The way to the shards of the index whose catalog has this token, at an address such as ``ray://head:10001``.

    Raises:
        UnknownNameError: shards are held nowhere of that kind.
    """
    kind, _, where = address.partition(":")
    return cast("ShardLink", _load("holder of shards", SHARD_LINKS, kind)(where, token))


def source(kind: str) -> Callable[[Place], Source]:
    """What opens sources of a kind, given where one lies; see ``sources.open_source``.

    Raises:
        UnknownNameError: there is no such kind.
    """
    return cast("Callable[[Place], Source]", _load("source", SOURCES, kind))


def store(scheme: str) -> type[RemoteStore]:
    """What reads URLs of a scheme.

    Raises:
        ImportError: it needs a package that is not installed.
        UnknownNameError: nothing does.
    """
    return cast("type[RemoteStore]", _load("store", STORES, scheme))


def feature_engine(name: str) -> type[FeatureEngine]:
    """The class of the engine of features of that name.

    Raises:
        UnknownNameError: there is none.
    """
    return cast("type[FeatureEngine]", _load("engine of features", FEATURE_ENGINES, name))


def codebook(name: str) -> Codebook:
    """The codebook of that name.

    Raises:
        UnknownNameError: there is none.
    """
    return cast("Codebook", _load("codebook", CODEBOOKS, name)())


def load(place: str) -> Any:  # noqa: ANN401 -- the callers give it its type
    """What stands at ``place``, written ``module:attribute``."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


def open_catalog(home: str | PathLike[str]) -> Catalog:
    """Open the catalog of the index at ``home``, a folder or the URL of a database; it need not be there yet.

    Raises:
        UnknownNameError: no catalog is kept under such a URL.
        MissingExtraError: it needs a package that is not installed.
    """
    scheme, separator, _ = fspath(home).partition("://")
    try:
        return cast("Catalog", _load("catalog", CATALOGS, scheme if separator else "file")(home))
    except ModuleNotFoundError as error:  # the extra of a database is called as its URLs begin
        missing = f'an index in {scheme} needs {error.name}: pip install "imgmatch[{scheme}]"'
        raise MissingExtraError(missing) from None


def _load(what: str, table: Mapping[str, str], name: str) -> Any:  # noqa: ANN401 -- the same
    return load(_find(what, table, name))


def _find(what: str, table: Mapping[str, str], name: str) -> str:
    if name not in table:
        raise UnknownNameError(f"no {what} is called {name!r}; there are: {', '.join(sorted(table))}")
    return table[name]
