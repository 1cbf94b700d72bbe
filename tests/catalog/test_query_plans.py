"""How SQLite answers what an open index asks: at ten million photos a question must not lead through a whole table."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, cast

import photos
import pytest
from sqlalchemy import event
from test_index import save

from imgmatch.actions.decide import decide
from imgmatch.actions.rings import find_rings, options_of
from imgmatch.actions.status import status
from imgmatch.catalog.chunks import PARAMETERS
from imgmatch.clustering.run import run
from imgmatch.index import Index
from imgmatch.model import NamedPhoto, NewPhoto, Opinion, Purpose, Verdict
from imgmatch.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.catalog.sqlite import SqliteCatalog

pytestmark = pytest.mark.sqlite

LARGE = (
    "photos|accounts|fingerprints|features|photo_fingerprints|photo_pictures|pair_scores|near_pairs|group_photos|group_fingerprints"
    "|ring_accounts|decision_photos|report_members|bank_entries|bank_hits"
)
THROUGH_ALL = re.compile(rf"SCAN (?:{LARGE})\b|SEARCH fingerprints USING (?:COVERING )?INDEX \S+ \(hasher=\?\)")

Asked = list[str]


@contextmanager
def listening(index: Index) -> Iterator[Asked]:
    """All that is asked of the catalog meanwhile."""
    asked: Asked = []

    def hear(_: object, __: object, statement: str, *___: object) -> None:
        asked.append(statement)

    catalog = cast("SqliteCatalog", index.parts.catalog)
    engines = catalog._reading, catalog._writing  # noqa: SLF001 -- nothing else hears what is asked
    for engine in engines:
        event.listen(engine, "before_cursor_execute", hear)
    yield asked
    for engine in engines:
        event.remove(engine, "before_cursor_execute", hear)


def roads(index: Index, asked: Asked) -> dict[str, str]:
    """For each statement that looks for something, how SQLite does."""
    found = {}
    with closing(sqlite3.connect(index.path / "catalog.sqlite3")) as connection:
        for statement in asked:
            if re.match(r"\s*(WITH|SELECT|UPDATE|DELETE)\b", statement):
                # With many values SQLite may take another road than with the few of a small index.
                wide = re.sub(r"IN \(\?(?:, \?)*\)", f"IN ({', '.join('?' * PARAMETERS)})", statement)
                rows = connection.execute(f"EXPLAIN QUERY PLAN {wide}", [None] * wide.count("?"))
                found[" ".join(statement.split())] = "; ".join(row[3] for row in rows)
    return found


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.open(tmp_path / "index", create=True) as made:
        made.add([NewPhoto.at(photo(tmp_path, number), account=f"a{number}") for number in range(4)])
        yield made


def photo(folder: Path, number: int, seed: int | None = None) -> Path:
    return save(folder / f"{number}.jpg", photos.picture(number if seed is None else seed, (200, 240)))


def held(index: Index, asked: Asked, least: int) -> None:
    ways = roads(index, asked)
    assert len(ways) >= least, "hardly anything was heard"
    assert {statement: way for statement, way in ways.items() if THROUGH_ALL.search(way)} == {}


def test_a_check_goes_through_no_whole_table(index: Index, tmp_path: Path) -> None:
    with listening(index) as asked:
        assert len(index.check(photo(tmp_path, 9, seed=1))) == 1
    held(index, asked, 10)


@pytest.fixture
def banked(index: Index, tmp_path: Path) -> Index:
    """With pictures and values on banks that its photos hit, and a run that has found so."""
    banks = index.bank_lists
    for name, purpose in (("acme", Purpose.PARTNER), ("ours", Purpose.STOLEN)):
        banks.create(name, purpose=purpose)
        banks.add_photo(name, NamedPhoto("1.jpg", tmp_path / "1.jpg"))
        entry = banks.add_photo(name, NamedPhoto("2.jpg", tmp_path / "2.jpg"))
        assert entry.pdq is not None
        banks.remove(name, entry.entry)
        banks.add_hash(name, entry.pdq, ref="r")
    assert len(find_rings(index.parts).bank_hits) == 4
    return index


def test_a_check_and_a_lookup_with_banks_go_through_no_whole_table(banked: Index, tmp_path: Path) -> None:
    with listening(banked) as asked:
        assert len(banked.check(photo(tmp_path, 9, seed=1)).banks) == 2
        [hit, _] = banked.check(photo(tmp_path, 9, seed=2)).banks
        value = banked.bank_lists.entry(hit.bank, hit.entry).pdq
        assert value is not None
        assert len(banked.bank_lists.lookup(value, turned=True)) == 2
    held(banked, asked, 15)


def test_what_is_done_to_one_entry_goes_through_no_whole_table(banked: Index) -> None:
    banks = banked.bank_lists
    [picture, bare] = banks.entries("acme")
    with listening(banked) as asked:
        for entry in (picture.entry, bare.entry):
            banks.mute("acme", entry, None)
            banks.say("acme", entry, Opinion.DISMISSED, by="ana")
            banks.remove("acme", entry)
        banks.add_hash("acme", "0" * 64)
    held(banked, asked, 20)


def test_what_one_account_hits_goes_through_no_whole_table(banked: Index) -> None:
    with listening(banked) as asked:
        assert len(banked.bank_lists.hits(account="a2")) == 2
    held(banked, asked, 5)


def test_new_unchanged_and_changed_photos_go_through_no_whole_table(index: Index, tmp_path: Path) -> None:
    with listening(index) as asked:
        paths = [tmp_path / "1.jpg", photo(tmp_path, 2, seed=20), photo(tmp_path, 7)]
        result = index.add([NewPhoto.at(path, account=f"a{path.stem}") for path in paths])
        assert (result.added, result.updated, result.unchanged) == (1, 1, 1)
    held(index, asked, 20)


def test_a_decision_goes_through_no_whole_table(index: Index, tmp_path: Path) -> None:
    index.add([NewPhoto.at(photo(tmp_path, 8, seed=1), account="b", photo_id="copy")])
    [ring] = find_rings(index.parts).rings
    with listening(index) as asked:
        decide(index.parts, Verdict.CONFIRM, ring=ring.ring, by="ana")
        decide(index.parts, Verdict.DISMISS, group=ring.groups[0].group, by="ana")
    held(index, asked, 20)


def test_a_run_goes_through_no_whole_table_but_that_of_the_fingerprints_it_joins_with(
    index: Index, tmp_path: Path
) -> None:
    find_rings(index.parts)
    index.add([NewPhoto.at(photo(tmp_path, 8, seed=1), account="b")])
    with listening(index) as asked:
        run(index.parts, options_of(index.parts), SILENT)
    joined = [statement for statement in asked if re.match(r"SELECT fingerprints.id, fingerprints.bits", statement)]
    joined += [statement for statement in asked if re.search(r"WHERE bank_entries.muted_until <=", statement)]
    held(index, [statement for statement in asked if statement not in joined], 20)


def test_looking_at_an_index_goes_through_no_whole_table(index: Index) -> None:
    with listening(index) as asked:
        assert status(index.parts).photos == 4
    held(index, asked, 5)


def test_what_would_go_through_a_whole_table_is_noticed(index: Index) -> None:
    asked = ["SELECT count(*) FROM photos", "SELECT id FROM fingerprints WHERE hasher = ? AND id > ? ORDER BY id"]
    assert all(THROUGH_ALL.search(way) for way in roads(index, asked).values())
