"""A shard that is made from what it has saved in shared storage, so that it need not read all of the catalog again.

Files come first, each under a name of its own, and then the manifest, which makes them count. What the catalog has lost
must not stay in them: they are dropped before a shard says that it has let go of it.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgmatch.catalog.tokens import new_token
from imgmatch.engines.rows import ENGINES
from imgmatch.engines.shards.manifest import (
    FORMAT,
    MOST_BYTES,
    Manifest,
    SavedRows,
    parsed_manifest,
    refuse_other,
    stem_of,
)
from imgmatch.engines.shards.stores import snapshot_store
from imgmatch.engines.snapshots import add_array, mapped_array
from imgmatch.errors import ImgmatchError, IndexDamagedError, IndexUnusableError, NotAnIndexError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imgmatch.engines.base import Ids
    from imgmatch.engines.header import Header
    from imgmatch.engines.rows import EngineRows
    from imgmatch.engines.shards.division import Division
    from imgmatch.engines.shards.held import Frozen, HeldRows
    from imgmatch.engines.shards.stores import SnapshotStore

_WORTH_SAVING = 20
"""It is saved anew once one row in so many is missing: a shard reads the rest from the catalog."""

_ROWS = "rows"
"""The array of row ids in each file, beside those of the engine, which may name no picture without points."""

_PIECE = 8 << 20


class ShardSnapshots:
    """What one shard has saved. Safe to use from several threads.

    Attributes:
        said: what became of the snapshot when the shard was made; ``None`` where there was none.
    """

    def __init__(self, header: Header, shard: int, held: Sequence[HeldRows[Any]]) -> None:
        """``held`` are those of :data:`imgmatch.engines.rows.ENGINES`, in their order."""
        self.said: str | None = None
        self._header, self._shard, self._held = header, shard, held
        self._guard, self._saving = threading.Lock(), threading.Lock()
        self._saved: tuple[Division, list[int], int] | None = None

    def load(self, url: str, division: Division) -> None:
        """Have the shard hold what it has saved for this division, if that fits; else it reads the catalog."""
        with self._guard:
            try:
                with tempfile.TemporaryDirectory(prefix="imgmatch-shard-") as local:
                    self._load(self._store(url), division, Path(local))
            except NotFoundError:
                return
            except (ImgmatchError, ValueError, OSError, MemoryError) as error:
                self.said = f"its snapshot was not used: {str(error) or type(error).__name__}"
                for held in self._held:
                    held.clear()
            else:
                self.said = "made from its snapshot"

    def _load(self, store: SnapshotStore, division: Division, local: Path) -> None:
        stem = stem_of(self._shard, division)
        manifest = parsed_manifest(store.read(f"{stem}json", MOST_BYTES))
        refuse_other(manifest, self._header, ENGINES)
        opened = []
        for rows in ENGINES:
            saved, path = manifest.tables[rows.table], local / rows.table
            _fetched(store, f"{stem}{manifest.save}.{rows.table}", path, saved)
            opened.append(self._opened(rows, path, saved, division))
        for held, (engine, ids, newest) in zip(self._held, opened, strict=True):
            if not held.begin(engine, ids, newest, division):
                raise NotAnIndexError("it is of another state of the database, which was put back")
        self._saved = division, [held.losses for held in self._held], sum(len(ids) for _, ids, _ in opened)

    def _opened(
        self, rows: EngineRows[Any], path: Path, saved: SavedRows, division: Division
    ) -> tuple[Any, Ids, Mapping[int, bytes]]:
        ids = mapped_array(path, _ROWS).copy()
        if (
            ids.shape != (saved.rows,)
            or ids.dtype != np.int64
            or not (np.diff(ids) > 0).all()
            or (len(ids) and not 0 < ids[0] <= ids[-1] <= saved.through)
            or not division.holds(self._shard, ids).all()
        ):
            raise IndexDamagedError(f"its {rows.table} are not those of this shard")
        engine = rows.open(self._header, path, saved.through, verify=not rows.verified_by_reading).loaded()
        if len(engine) != len(ids):
            raise IndexDamagedError(f"its {rows.table} are not as many as it says")
        return engine, ids, {int(row): bytes.fromhex(seen) for row, seen in saved.newest.items()}

    def save(self, url: str, division: Division) -> bool:
        """Save what the shard holds, where that is worth it; whether it was.

        Raises:
            ImgmatchError: it cannot be written; or something was let go of meanwhile.
        """
        with self._saving:
            try:
                return self._save(url, division)
            except OSError as error:
                said = error.strerror or error
                raise IndexUnusableError(f"its snapshot cannot be written on this node ({said})") from None

    def _save(self, url: str, division: Division) -> bool:
        frozen = [held.frozen() for held in self._held]
        losses, count = [one.losses for one in frozen], sum(len(one.ids) for one in frozen)
        with self._guard:
            if self._saved is not None and self._saved[:2] == (division, losses):
                missing = count - self._saved[2]
                if missing * _WORTH_SAVING <= count:
                    return False
        store, stem, save = self._store(url), stem_of(self._shard, division), new_token()
        with tempfile.TemporaryDirectory(prefix="imgmatch-shard-") as local:
            tables = {}
            for rows, one in zip(ENGINES, frozen, strict=True):
                path = Path(local) / rows.table
                tables[rows.table] = _written(path, rows.part(self._header), rows.engine_name(self._header), one)
                store.put(path, f"{stem}{save}.{rows.table}")
            manifest = Path(local) / "manifest"
            text = Manifest(FORMAT, self._header.catalog or "", save, tables).text()
            manifest.write_text(text, encoding="utf-8")
            with self._guard:
                if losses != [held.losses for held in self._held]:
                    _drop(store, f"{stem}{save}.")
                    raise IndexDamagedError("rows were removed while it was saved; the next one to publish tries again")
                store.put(manifest, f"{stem}json")
                self._saved = division, losses, count
        _drop(store, stem, but=(f"{stem}json", f"{stem}{save}."))
        return True

    def drop(self, url: str, division: Division) -> None:
        """Remove what it has saved: the catalog has lost rows that may be in it.

        Raises:
            ImgmatchError: it cannot be removed.
        """
        with self._guard:
            self._saved = None
            stem = stem_of(self._shard, division)
            store = self._store(url)
            store.drop(f"{stem}json")
            _drop(store, stem)

    def _store(self, url: str) -> SnapshotStore:
        return snapshot_store(url, folder_of(self._header.catalog))


def folder_of(catalog: str | None) -> str:
    """Where the snapshots of one index lie, by the token of its catalog, beneath what was named for them."""
    return f"imgmatch-{catalog or 'index'}"


def drop_snapshots(url: str, catalog: str | None, keep: Division | None = None) -> None:
    """Remove the snapshots of an index, but for those of one division.

    Raises:
        ImgmatchError: they cannot be removed.
    """
    store = snapshot_store(url, folder_of(catalog))
    ending = None if keep is None else f"-of-{keep.shards}."
    for name in store.names():
        if name.startswith("shard-") and (ending is None or ending not in name):
            store.drop(name)


def _drop(store: SnapshotStore, stem: str, but: tuple[str, ...] = ()) -> None:
    for name in store.names():
        if name.startswith(stem) and not (but and name.startswith(but)):
            store.drop(name)


def _fetched(store: SnapshotStore, name: str, path: Path, saved: SavedRows) -> None:
    """Copy a file of a snapshot, and see that it is the one that the manifest means."""
    what = path.name
    try:
        store.fetch(name, path, saved.size)
    except NotFoundError:
        raise IndexDamagedError(f"its {what} are missing") from None
    size = path.stat().st_size
    if size != saved.size:
        said = "more than" if size > saved.size else f"{size:,} and not"
        raise IndexDamagedError(f"its {what} are {said} {saved.size:,} bytes")
    if _digest(path) != saved.sha256:
        raise IndexDamagedError(f"its {what} have another digest than it says")


def _written(path: Path, part: str, engine: str, frozen: Frozen[Any]) -> SavedRows:
    frozen.engine.save(path)
    add_array(path, _ROWS, frozen.ids)
    newest = {str(row): seen.hex() for row, seen in frozen.newest.items()}
    watermark, size = frozen.engine.watermark, path.stat().st_size
    return SavedRows(part, engine, watermark, len(frozen.ids), size, _digest(path), newest)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_PIECE):
            digest.update(data)
    return digest.hexdigest()
