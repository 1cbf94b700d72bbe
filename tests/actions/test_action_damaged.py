"""Rows, headers and engine files that are damaged, or made by a stranger: every verb goes on, or says what is wrong."""

from __future__ import annotations

import contextlib
import sqlite3
import warnings
from typing import TYPE_CHECKING

import pytest
from damaging import VERBS, Value, columns, copied, damage_rows, write_world
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgmatch import damage
from imgmatch.catalog import schema
from imgmatch.errors import ImgmatchError
from imgmatch.index import Index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NO_ROW_IDS = {
    table.name
    for table in schema.metadata.tables.values()
    if table.dialect_options["sqlite"].get("with_rowid") is False
}

VALUES: st.SearchStrategy[Value] = st.one_of(
    st.sampled_from([0, 1, -1, 2**31, 2**62, 2**63 - 1, -(2**63), 1e300, -1e300, float("inf"), -float("inf"), 0.5]),
    st.sampled_from(["", "x", "{", "[[1]]", "[]", "{}", "null", '"x"', "[" * 5_000, "9" * 5_000, "\0", "a\0b", "é"]),
    st.sampled_from([b"", b"\0", b"\xff\xd8\xff", bytes(16), bytes(32), b"\1\0\2\0\xff\xff\xff\xff" + bytes(48)]),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.binary(max_size=40),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_world(folder)
    return folder


@pytest.fixture(autouse=True)
def _told_anew() -> Iterator[None]:
    damage.forget()
    yield
    damage.forget()


def go_through(world: Path, copy: Path) -> list[str]:
    """Call every verb; what it says that is not one of our errors is a fault. Returns what was refused."""
    refused = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numbers of a damaged record may be of any size
        for verb in VERBS:
            try:
                with Index.open(copy) as index:
                    verb(world, index)
            except ImgmatchError as error:
                refused.append(str(error))
    return refused


@pytest.mark.slow
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(place=st.sampled_from(columns()), value=VALUES, rows=st.sampled_from(["all", "first", "last"]))
def test_whatever_a_column_holds_no_verb_fails_but_with_an_error_of_ours(
    world: Path, tmp_path: Path, place: tuple[str, str], value: Value, rows: str
) -> None:
    table, column = place
    copy = copied(world, tmp_path / "copy")
    which = "" if rows == "all" else f" ORDER BY 1 {'DESC' if rows == 'last' else ''} LIMIT 1"
    some = f' WHERE _rowid_ IN (SELECT _rowid_ FROM "{table}"{which})' if which and table not in NO_ROW_IDS else ""
    with contextlib.suppress(sqlite3.Error):  # SQLite refuses some of it itself
        damage_rows(copy, f'UPDATE OR IGNORE "{table}" SET "{column}" = ?{some}', values=[value])
    go_through(world, copy)
