"""What ``index.json`` says: what an index is made of, and which engine files belong to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from imgmatch.catalog.tokens import is_token
from imgmatch.errors import IndexTooNewError, NotAnIndexError
from imgmatch.registry import CODEBOOKS, DEFAULT_CODEBOOK, ENGINES, HASHERS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT_VERSION = 3

FIRST_WITH_TOKENS = 3
"""The format from which on header and engine files say to which catalog they belong."""

_MOST = (1 << 63) - 1
"""No row id and no count is larger."""

_LONGEST_NAME, _MOST_HASHERS = 100, 32


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An engine file: the fingerprints of one hasher, or the features by one codebook, with row ids up to ``through``.

    Attributes:
        of: name of the hasher or of the codebook.
        engine: which engine wrote it.
        file: its name, in the index folder.
        through: it holds all rows with an id up to this one.
        size: how many rows it holds.
        token: which publication it is, as the catalog and the file itself say; ``None`` where that is not known.
    """

    of: str
    engine: str
    file: str
    through: int
    size: int
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """What ``index.json`` says.

    Attributes:
        format: version of the on-disk format.
        hashers: what is computed for every photo; the first one is searched.
        engine: which engine searches fingerprints.
        codebook: which codebook the local features are coded by.
        generation: raised by one with each engine file that is published.
        snapshot: the engine file of the fingerprints, if there is one.
        features: the engine file of the local features, if there is one.
        catalog: the token of the catalog that it belongs to; ``None`` where that is not known yet.
        place: what a catalog in a database knows this folder of engine files by; ``None`` where the catalog is in it.
    """

    format: int
    hashers: tuple[str, ...]
    engine: str
    codebook: str
    generation: int = 0
    snapshot: Snapshot | None = None
    features: Snapshot | None = None
    catalog: str | None = None
    place: str | None = None

    @property
    def files(self) -> set[str]:
        """The engine files it names."""
        return {snapshot.file for snapshot in (self.snapshot, self.features) if snapshot is not None}


def filed_as(what: str, place: str | None) -> str:
    """What the catalog files something of an engine's folder under: a database has several such folders."""
    return what if place is None else f"{what}/{place}"


def parse_header(text: str, path: Path) -> Header:
    """What the text of ``index.json`` says; ``path`` is what errors name.

    Raises:
        NotAnIndexError: it is no header.
        IndexTooNewError: a newer imgmatch wrote it.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise NotAnIndexError(f"{path} is not the header of an imgmatch index") from None
    version = raw.get("format") if isinstance(raw, dict) else None
    if not _is_count(version) or version < 1:
        raise NotAnIndexError(f"{path} names no format version")
    if version > FORMAT_VERSION:
        raise IndexTooNewError(
            f"{path.parent} has format {version}; this imgmatch reads up to {FORMAT_VERSION}: upgrade it"
        )
    try:
        return _header(version, raw)
    except ValueError:
        raise NotAnIndexError(f"{path} is not a whole header") from None


def refuse_unknown_names(index: str, header: Header) -> None:
    """Refuse an index that is made of something that this imgmatch does not know.

    Raises:
        IndexTooNewError: it names what.
    """
    unknown = [hasher for hasher in header.hashers if hasher not in HASHERS]
    unknown += [header.engine] if header.engine not in ENGINES else []
    unknown += [header.codebook] if header.codebook not in CODEBOOKS else []
    if unknown:
        raise IndexTooNewError(f"index {index} uses {', '.join(unknown)}, unknown to this imgmatch: upgrade it")


def _header(version: int, raw: dict[str, Any]) -> Header:
    match raw:
        case {"hashers": [str(), *_] as hashers, "engine": str(engine), "generation": generation} if (
            len(hashers) <= _MOST_HASHERS and all(map(_is_name, (*hashers, engine))) and _is_count(generation)
        ):
            snapshot = _snapshot(raw.get("snapshot"), version)
            return Header(
                version,
                tuple(hashers),
                engine,
                _codebook(raw, version),
                generation,
                snapshot,
                _snapshot(raw.get("features"), version),
                _token(raw, "catalog", version),
                _token({"place": None} | raw, "place", version),
            )
    raise ValueError("a field is missing, or of another type")


def _codebook(raw: dict[str, Any], version: int) -> str:
    if version == 1:  # before there were features
        return DEFAULT_CODEBOOK
    match raw:
        case {"codebook": str(codebook)} if _is_name(codebook):
            return codebook
    raise ValueError("no codebook is named")


def _token(raw: Mapping[str, Any], field: str, version: int) -> str | None:
    if version < FIRST_WITH_TOKENS:
        return None
    token = raw.get(field, "")
    if token is not None and not is_token(token):
        raise ValueError("a token is missing, or is none")
    return token


def _snapshot(raw: Any, version: int) -> Snapshot | None:  # noqa: ANN401 -- whatever JSON holds
    if version == 1 and isinstance(raw, dict):
        raw = raw | {"of": raw.get("hasher")}
    match raw:
        case None:
            return None
        case {"of": str(of), "engine": str(engine), "file": str(file), "through": last, "size": size} if (
            all(map(_is_name, (of, engine, file))) and _is_count(last) and _is_count(size)
        ):
            return Snapshot(of, engine, file, last, size, _token(raw, "token", version))
    raise ValueError("a field of the snapshot is missing, or of another type")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_NAME


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= _MOST  # a boolean is a whole number to Python, not to JSON
