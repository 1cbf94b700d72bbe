"""Rows, headers and engine files that are damaged, or made by a stranger: every verb goes on, or says what is wrong."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import warnings
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from damaging import QUERY, VERBS, Value, columns, copied, damage_rows, write_world
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgmatch import damage
from imgmatch.catalog import schema
from imgmatch.engines.folder import HEADER
from imgmatch.errors import ImgmatchError
from imgmatch.index import Index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = pytest.mark.sqlite

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
    derandomize=True,
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
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


# -- one damaged row costs its picture ------------------------------------------------------------------------------

ROW_OF = (
    "(SELECT f.id FROM features f JOIN photo_pictures s USING (pixels) JOIN photos p ON p.id = s.photo_id"
    " WHERE p.photo_id = 'p5')"
)
KINDS = {
    "thumbnail": ("UPDATE features SET thumbnail = ? WHERE id = " + ROW_OF, b"garbage!" * 20),
    "thumbnail that is huge": ("UPDATE features SET thumbnail = zeroblob(100000000) WHERE id = 6", None),
    "record": ("UPDATE features SET record = ? WHERE id = " + ROW_OF, b"garbage!" * 20),
    "record that is text": ("UPDATE features SET record = ? WHERE id = " + ROW_OF, "text"),
    "record that is huge": ("UPDATE features SET record = zeroblob(100000000) WHERE id = 6", None),
    "bits": ("UPDATE fingerprints SET bits = ? WHERE id = (SELECT max(id) FROM fingerprints)", b"short"),
    "bits that are text": ("UPDATE fingerprints SET bits = ? WHERE id = (SELECT max(id) FROM fingerprints)", "x"),
    "time": ("UPDATE photos SET seen_at = ? WHERE photo_id = 'p5'", "soon"),
    "attributes": ("UPDATE accounts SET attributes = ? WHERE account = 'own'", "{not json"),
    "outline": ("UPDATE pair_scores SET outline_low = ?", "{"),
    "outline of a group": ("UPDATE group_photos SET outline_photo = ?", "[[1]]"),
    "calibration": ("UPDATE calibrations SET slope = ?", float("inf")),
    "ring": ("UPDATE rings SET changes = ?", "[3]"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_one_damaged_row_costs_its_picture_and_its_neighbours_are_found(world: Path, tmp_path: Path, kind: str) -> None:
    copy = copied(world, tmp_path / "copy")
    statement, value = KINDS[kind]
    damage_rows(copy, statement, values=[value])
    with Index.open(copy) as index:
        told = index.status(verify=True)
        assert told.damaged
        assert len(told.damage) == min(told.damaged, 20)
        for _ in range(2):
            assert {match.photo.account for match in index.check(world / QUERY)} >= {"ann", "bea", "cat"}
            assert {"ann", "bea", "cat"} <= {one.account for ring in index.rings().rings for one in ring.accounts}
            index.rebuild()
        assert set(index.pictures(["p0", "p5"])) == {"p0", "p5"}
        assert index.erase(account="own").traces == 0


@pytest.mark.slow
def test_a_sound_index_has_no_damage(world: Path, tmp_path: Path) -> None:
    with Index.open(copied(world, tmp_path / "copy")) as index:
        assert (index.status().damaged, index.status(verify=True).damaged) == (None, 0)
    assert go_through(world, tmp_path / "copy") == []
    assert damage.met() == {}


def test_what_a_run_goes_by_is_made_anew_where_it_is_damaged(world: Path, tmp_path: Path) -> None:
    copy = copied(world, tmp_path / "copy")
    with Index.open(copy) as index:
        sound = index.rings()
    damage_rows(copy, "UPDATE clusterings SET options = '[]'", "UPDATE groups SET medoid = 'x'", "DELETE FROM rings")
    with Index.open(copy) as index:
        found = index.rings()
    assert [ring.accounts for ring in found.rings] == [ring.accounts for ring in sound.rings]


# -- the header and the engine files --------------------------------------------------------------------------------

SNAPSHOTS = ("snapshot", "features")
FIELDS: list[tuple[str, ...]] = [
    (name,) for name in ("format", "hashers", "engine", "codebook", "generation", *SNAPSHOTS)
]
FIELDS += [(name, field) for name in SNAPSHOTS for field in ("of", "engine", "file", "through", "size")]
NAMES = [
    "phash",
    "pdq",
    "flat",
    "linear",
    "ivf",
    "../x",
    "lock",
    "catalog.sqlite3",
    "/dev/zero",
    "\ud800",
    "a\0",
    2**62,
    6,
]

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(NAMES)),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=6,
)


@pytest.mark.slow
@settings(derandomize=True, max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field=st.sampled_from(FIELDS), value=JSON)
def test_whatever_a_header_says_no_verb_fails_but_with_an_error_of_ours(
    world: Path, tmp_path: Path, field: tuple[str, ...], value: object
) -> None:
    copy = copied(world, tmp_path / "copy")
    raw = json.loads((copy / HEADER).read_text())
    (raw if len(field) == 1 else raw[field[0]])[field[-1]] = value
    (copy / HEADER).write_text(json.dumps(raw))
    go_through(world, copy)


def hostile(draw: st.DrawFn, shape: tuple[int, ...], low: int = -(2**63), high: int = 2**63 - 1) -> NDArray[np.int64]:
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).integers(low, high, shape, dtype=np.int64, endpoint=True)


@st.composite
def engine_files(draw: st.DrawFn) -> dict[str, NDArray[Any]]:
    """Arrays of a file whose checksums are right, and nothing else need be."""
    count = draw(st.integers(0, 20))
    sizes = np.zeros(4096, np.int64)
    sizes[draw(st.integers(0, 4095))] = count
    low, high = draw(st.sampled_from([(-(2**63), 2**63 - 1), (-3, 3), (0, 2**24), (2**62, 2**63 - 1)]))
    arrays: dict[str, NDArray[Any]] = {
        "ids": hostile(draw, (count,), low, high),
        "codes": hostile(draw, (count, draw(st.sampled_from([16, 32]))), 0, 255).astype(np.uint8),
        "sizes": sizes if draw(st.booleans()) else hostile(draw, (draw(st.sampled_from([4096, 7])),), -5, 5),
        "pictures": np.array([draw(st.sampled_from([-1, 0, 6, 2**62]))]),
    }
    name = draw(st.sampled_from([None, *arrays]))
    if name is not None:
        arrays[name] = arrays[name].astype(draw(st.sampled_from(["<i8", ">i8", "<f8", "<i4", "u1", "<U3", "?"])))
    return arrays


@pytest.mark.slow
@settings(derandomize=True, max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.sampled_from(["snapshot", "features"]), arrays=engine_files(), cut=st.integers(0, 400))
def test_whatever_an_engine_file_holds_no_verb_fails_but_with_an_error_of_ours(
    world: Path, tmp_path: Path, which: str, arrays: dict[str, NDArray[Any]], cut: int
) -> None:
    copy = copied(world, tmp_path / "copy")
    raw = json.loads((copy / HEADER).read_text())
    path = copy / raw[which]["file"]
    with path.open("wb") as file:
        np.savez(file, **cast("Any", arrays))
    if cut > 300:
        path.write_bytes(path.read_bytes()[:-cut])
    raw[which]["size"] = len(arrays["ids"]) if which == "snapshot" else max(int(arrays["pictures"].astype(float)[0]), 0)
    (copy / HEADER).write_text(json.dumps(raw))
    assert go_through(world, copy) == []
    with Index.open(copy) as index:
        index.rebuild()
        assert {match.photo.account for match in index.check(world / QUERY)} >= {"bea", "cat"}
