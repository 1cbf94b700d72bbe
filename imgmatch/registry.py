"""Names to things: the only place that imports by string.

To add a hasher or an engine, write its file and one line here; the contract tests pick it up from these tables.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from imgmatch.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from imgmatch.engines.base import FingerprintEngine
    from imgmatch.features.codebook import Codebook
    from imgmatch.hashers.base import Hasher

HASHERS: Mapping[str, str] = {
    "phash": "imgmatch.hashers.phash:PHash",
    "pdq": "imgmatch.hashers.pdq:Pdq",
    "dhash": "imgmatch.hashers.dhash:DHash",
    "whash": "imgmatch.hashers.whash:WHash",
}

ENGINES: Mapping[str, str] = {
    "linear": "imgmatch.engines.linear:LinearEngine",
    "flat": "imgmatch.engines.flat:FlatEngine",
}

CODEBOOKS: Mapping[str, str] = {"sift-4096-32x4-v1": "imgmatch.features.codebook:shipped"}
"""A codebook never changes under its name: codes written with it stay readable."""

DEFAULT_CODEBOOK = "sift-4096-32x4-v1"

DEFAULT_HASHERS = ("phash", "pdq")
"""What a new index computes; the first one is searched, ``pdq`` is kept for exchange."""

DEFAULT_ENGINE = "flat"


def check_names(hashers: Iterable[str], engine: str) -> None:
    """Raise UnknownNameError unless all of these are known; nothing is loaded."""
    for name in hashers:
        _find("hasher", HASHERS, name)
    _find("engine", ENGINES, engine)


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


def codebook(name: str) -> Codebook:
    """The codebook of that name.

    Raises:
        UnknownNameError: there is none.
    """
    return cast("Codebook", _load("codebook", CODEBOOKS, name)())


def _load(what: str, table: Mapping[str, str], name: str) -> Any:  # noqa: ANN401 -- the callers give it its type
    module, _, attribute = _find(what, table, name).partition(":")
    return getattr(import_module(module), attribute)


def _find(what: str, table: Mapping[str, str], name: str) -> str:
    if name not in table:
        raise UnknownNameError(f"no {what} is called {name!r}; there are: {', '.join(sorted(table))}")
    return table[name]
