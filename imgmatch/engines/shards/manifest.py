"""What is said of the snapshot of one shard: whose it is, which rows it holds, and what its files are known by."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from imgmatch.errors import IndexDamagedError, IndexTooNewError, NotAnIndexError

if TYPE_CHECKING:
    from imgmatch.engines.header import Header
    from imgmatch.engines.rows import EngineRows
    from imgmatch.engines.shards.division import Division

FORMAT = 1
"""Of the snapshots that this imgmatch writes; it reads no newer ones."""

MOST_BYTES = 1 << 20
"""A manifest of ours has some six thousand."""

_MOST = (1 << 63) - 1
_DIGEST, _TOKEN = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class SavedRows:
    """The rows of one table in a snapshot.

    Attributes:
        of: name of the hasher or of the codebook.
        engine: which engine wrote the file.
        through: every row of the shard with an id up to this one was looked at.
        rows: how many it holds.
        size: of the file, in bytes.
        sha256: of the file, in hexadecimal digits.
        newest: digests of what the catalog holds under some of the highest row ids.
    """

    of: str
    engine: str
    through: int
    rows: int
    size: int
    sha256: str
    newest: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The snapshot of one shard.

    Attributes:
        format: of the files and of this.
        catalog: the token of the catalog.
        save: what its files have in their names.
        tables: by the names of the tables.
    """

    format: int
    catalog: str
    save: str
    tables: Mapping[str, SavedRows]

    def text(self) -> str:
        """As :func:`parsed_manifest` reads it."""
        return json.dumps(asdict(self), indent=1)


def stem_of(shard: int, division: Division) -> str:
    """How the names of all files of a shard begin, which is counted from 0."""
    return f"shard-{shard + 1}-of-{division.shards}."


def parsed_manifest(data: bytes) -> Manifest:
    """What a manifest says.

    Raises:
        IndexTooNewError: a newer imgmatch wrote it.
        IndexDamagedError: it says nothing that can be.
    """
    try:
        raw: Any = json.loads(data.decode())
    except (ValueError, RecursionError):
        raw = None
    match raw:
        case {"format": int(number)} if not isinstance(number, bool) and number > FORMAT:
            raise IndexTooNewError(f"a newer imgmatch wrote it (format {number}; this one reads up to {FORMAT})")
        case {"format": 1, "catalog": str(catalog), "save": str(save), "tables": dict(tables)} if len(
            data
        ) <= MOST_BYTES and _TOKEN.fullmatch(save):
            return Manifest(FORMAT, catalog, save, {name: _rows(table) for name, table in tables.items()})
    raise IndexDamagedError("its manifest is none, or damaged")


def _rows(raw: Any) -> SavedRows:  # noqa: ANN401 -- whatever JSON may hold
    match raw:
        case {
            "of": str(of),
            "engine": str(engine),
            "through": int(through),
            "rows": int(rows),
            "size": int(size),
            "sha256": str(sha256),
            "newest": dict(newest),
        } if (
            all(0 <= number <= _MOST for number in (through, rows, size))
            and _DIGEST.fullmatch(sha256)
            and all(
                row.isdecimal() and isinstance(seen, str) and _DIGEST.fullmatch(seen) for row, seen in newest.items()
            )
        ):
            return SavedRows(of, engine, through, rows, size, sha256, newest)
    raise IndexDamagedError("its manifest is damaged")


def refuse_other(manifest: Manifest, header: Header, every: tuple[EngineRows[Any], ...]) -> None:
    """Refuse a snapshot of another index, or of one that is made of something else.

    Raises:
        NotAnIndexError: it is; what differs is named.
    """
    if manifest.catalog != header.catalog:
        raise NotAnIndexError("it is of another index")
    for rows in every:
        saved = manifest.tables.get(rows.table)
        if saved is None:
            raise IndexDamagedError(f"it has no {rows.table}")
        for what, its, ours in (
            ("hasher or codebook", saved.of, rows.part(header)),
            ("engine", saved.engine, rows.engine_name(header)),
        ):
            if its != ours:
                raise NotAnIndexError(f"the {what} of its {rows.table} is {its}, and of the index {ours}")
