"""Copy an index into another home: from a folder to a database, back, or to its like.

What is copied is one state of it. A copy that was cut off goes on where it stopped; at the end every row of both is
compared, and only then is the copy an index.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.actions.opening import is_index, make_index
from imgmatch.catalog.copying import (
    begin_copy,
    count_rows,
    end_copy,
    first_difference,
    last_key,
    pass_on_numbers,
    recount_features,
    rows_after,
    source_token,
    store_rows,
    tables,
)
from imgmatch.engines.folder import Layout
from imgmatch.errors import ConflictError, ImgmatchError, IndexUnusableError
from imgmatch.features.recoding import can_recode, recoded
from imgmatch.homes import naming, without_password
from imgmatch.model import Copied
from imgmatch.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.copying import Row
    from imgmatch.catalog.session import Session
    from imgmatch.engines.parts import Parts
    from imgmatch.homes import Home
    from imgmatch.progress import Progress


def copy(parts: Parts, home: Home, progress: Progress = SILENT, *, codebook: str | None = None) -> Copied:
    """Copy an index to a new or empty home.

    Args:
        parts: of the index.
        home: where to; a copy into it that was cut off goes on.
        codebook: write its local features for this codebook, without the photos.
        progress: hears how many rows are copied, then compared, of how many.

    Raises:
        ConflictError: there is an index already.
        UnknownNameError: there is no such codebook.
        ImgmatchError: there is no way to that codebook without the photos, there is something else at ``home``, a row
            cannot be stored there, or the rows of both are not the same.
        IndexUnusableError: it cannot be made there.
    """
    name, recoding = without_password(home), _Recoding(parts.codebook, codebook or parts.codebook)
    if is_index(home):
        raise ConflictError(f"there is an index in {name} already")
    with parts.catalog.read() as source, _target(home) as target:
        copying = _Copying(source, target, recoding, progress)
        with _saying(name):
            copying.fill()
            copying.compare()
            copying.end()
    make_index(home, parts.header.hashers, parts.header.engine, recoding.new)
    return Copied(name, len(copying.tables), copying.total, copying.kept)


@contextmanager
def _target(home: Home) -> Iterator[Catalog]:
    """The catalog that is filled; it is made if it is not there."""
    if isinstance(home, Path):
        Layout(home).prepare()
    with closing(registry.open_catalog(home)) as catalog:
        with naming(without_password(home)):
            catalog.refuse_another()
            catalog.migrate()
        yield catalog


@contextmanager
def _saying(name: str) -> Iterator[None]:
    try:
        yield
    except IndexUnusableError:
        raise
    except ImgmatchError as error:
        raise ImgmatchError(f"copy to {name}: {error}") from None


class _Recoding:
    """Local features coded by one codebook, and what was searched with it, written for another."""

    def __init__(self, old: str, new: str) -> None:
        """Both by name.

        Raises:
            UnknownNameError: there is no such codebook.
            ImgmatchError: there is no way from one to the other without the photos.
        """
        self.old, self.new = old, new
        self._from, self._to = registry.codebook(old), registry.codebook(new)
        if not can_recode(self._from, self._to):
            raise ImgmatchError(
                f"what is coded by {old} cannot be written for {new} without the photos: scan them anew"
            )

    def changed(self, table: str, columns: Sequence[str], rows: list[Row]) -> list[Row]:
        """The rows of a table as they are with the new codebook."""
        if self.old == self.new or table not in {"features", "feature_searches"}:
            return rows
        places = {column: place for place, column in enumerate(columns)}
        if table == "feature_searches":  # what codes stand for is the same, and so is what was found
            return [_with(row, places, model=str(row[places["model"]]).replace(self.old, self.new, 1)) for row in rows]
        return [
            _with(row, places, codebook=self.new, record=self._recoded(row[places["record"]]))
            if row[places["codebook"]] == self.old
            else row
            for row in rows
        ]

    def _recoded(self, record: bytes) -> bytes:
        try:
            return recoded(record, self._from, self._to)
        except (ValueError, TypeError):  # a damaged one stays what it is
            return record


def _with(row: Row, places: dict[str, int], **values: object) -> Row:
    changed = list(row)
    for name, value in values.items():
        changed[places[name]] = value
    return tuple(changed)


class _Copying:
    """From one state of a catalog into another catalog."""

    def __init__(self, source: Session, target: Catalog, recoding: _Recoding, progress: Progress) -> None:
        self._source, self._target, self._recoding, self._progress = source, target, recoding, progress
        self.tables = tables()
        self.total = sum(count_rows(source, table) for table in self.tables)
        self.kept = 0
        """Rows that an earlier try had brought over."""

    def fill(self) -> None:
        """Bring over what is not there yet, some rows in each transaction."""
        with self._target.write() as session:
            begin_copy(session, source_token(self._source))
        done = 0
        for table in self.tables:
            with self._target.read() as session:
                last, there = last_key(session, table), count_rows(session, table)
            self.kept, done = self.kept + there, done + there
            for rows in rows_after(self._source, table, last, self._recoding.changed):
                with self._target.write() as session:
                    store_rows(session, table, rows)
                done += len(rows)
                self._progress.step("rows copied", done, max(self.total, done))

    def compare(self) -> None:
        """See that every row is the same.

        Raises:
            ImgmatchError: it names the first difference: the source was changed between two tries, or a disk errs.
        """
        with self._target.read() as session:
            for number, table in enumerate(self.tables):
                self._progress.step("tables compared", number, len(self.tables))
                if (row := first_difference(self._source, session, table, self._recoding.changed)) is not None:
                    raise ImgmatchError(
                        f"{table.name} {row} is not the same in both; empty the target and copy again"
                        " while nobody writes to the source"
                    )

    def end(self) -> None:
        """Make it a catalog like any other."""
        with self._target.write() as session:
            pass_on_numbers(self._source, session)
            recount_features(session, self._recoding.old, self._recoding.new)
            end_copy(session)
