from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from filled import bits, opened, store
from hypothesis import given
from hypothesis import strategies as st
from pictured import pixels, showing

from imgmatch.catalog import bank_entries as entries
from imgmatch.catalog import banks as rows
from imgmatch.catalog import schema
from imgmatch.catalog.chunks import PARAMETERS
from imgmatch.catalog.fingerprints import intern_fingerprints
from imgmatch.catalog.row_counts import row_count
from imgmatch.catalog.times import now
from imgmatch.model import Opinion, Purpose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.catalog.session import Session
    from imgmatch.catalog.sqlite import SqliteCatalog

UNSAID = dict.fromkeys(("modified", *entries.LISTED))


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    """Two photos, and two banks."""
    for catalog in opened(tmp_path):
        store(catalog, [showing(1, "a", picture="x"), showing(2, "b", picture="y")])
        with catalog.write() as session:
            rows.ensure_bank(session, "acme", Purpose.PARTNER)
            rows.ensure_bank(session, "other", Purpose.STOLEN)
        yield catalog


def bare(number: object) -> dict[str, Any]:
    """A row of a bare value."""
    return {"key": entries.entry_key(bits(number)), "pdq": bits(number), **UNSAID}


def bank(session: Session, name: str = "acme") -> int:
    return rows.ensure_bank(session, name, Purpose.PARTNER)


def put_picture(session: Session, name: str = "x", on: str = "acme") -> int:
    [row] = intern_fingerprints(session, "phash", [bits(("phash", name))]).values()
    picture = {"key": pixels(name), "pixels": pixels(name), "fingerprint_id": row, "pdq": bits(("pdq", name))}
    return entries.insert_entry(session, bank(session, on), picture)


@given(st.text(st.characters(exclude_categories=())), st.binary(min_size=32, max_size=32))
def test_what_makes_two_entries_one_is_told_by_any_id_and_any_value(text: str, value: bytes) -> None:
    assert entries.entry_key(text) == entries.entry_key(text)
    assert len(entries.entry_key(text)) == len(entries.entry_key(value)) == 16
    assert entries.entry_key(text) != entries.entry_key(text + "x")


def test_entries_are_written_together_and_read_in_order_with_what_their_list_says(catalog: SqliteCatalog) -> None:
    said: dict[str, Any] = {"ref": "r", "note": "n", "category": "c", "tags": ["t"], "uri": "u", "metadata": {"k": "v"}}
    with catalog.write() as session:
        entries.insert_entries(session, bank(session), [bare(1), bare(2) | said, bare(3)])
        entries.insert_entries(session, bank(session, "other"), [bare(2)])
        entries.insert_entries(session, bank(session), [])
    with catalog.read() as session:
        found = entries.read_entries(session, bank(session))
        assert [one.entry for one in found] == [1, 2, 3]
        assert [one.pdq for one in found] == [bits(number).hex() for number in (1, 2, 3)]
        two = found[1]
        assert (two.ref, two.note, two.category, two.tags, two.uri) == ("r", "n", "c", ("t",), "u")
        assert (dict(two.metadata), two.bank, two.is_picture) == ({"k": "v"}, "acme", False)
        assert (found[0].tags, dict(found[0].metadata), found[0].label) == ((), {}, "")
        assert entries.read_entries(session, bank(session), after=1, limit=1) == [two]
        assert entries.read_entries(session, bank(session), ids=[2, 4]) == [two]
        assert entries.numbers(session, bank(session)).tolist() == [1, 2, 3]
        assert entries.last_entry(session) == 4
        assert row_count(session, "bank_entries", str(bank(session))) == 3


def test_what_a_list_says_of_entries_is_changed_together_and_nothing_else_of_them(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        entries.insert_entries(session, bank(session), [bare(number) for number in range(3)])
        before = entries.read_entries(session, bank(session))
        changed = {"id": 2, **UNSAID, "modified": 7, "tags": ["a", "b"], "note": "n"}
        entries.change_listed(session, bank(session), [changed])
        entries.change_listed(session, bank(session), [])
        one, two, three = entries.read_entries(session, bank(session))
        assert [one, three] == [before[0], before[2]]
        assert (two.tags, two.note, two.pdq, two.added_at) == (("a", "b"), "n", before[1].pdq, before[1].added_at)
        [row] = entries.known_entries(session, bank(session), [entries.entry_key(bits(1))]).values()
        assert row.modified == 7
        entries.change_listed(session, bank(session), [{"id": 2, **UNSAID}])
        assert entries.read_entries(session, bank(session)) == before


def test_entries_are_known_by_their_keys_on_their_own_bank_alone(catalog: SqliteCatalog) -> None:
    many = range(PARAMETERS + 3)
    with catalog.write() as session:
        entries.insert_entries(session, bank(session), [bare(number) for number in many])
        keys = [entries.entry_key(bits(number)) for number in many]
        found = entries.known_entries(session, bank(session), keys)
        assert {key: row.id for key, row in found.items()} == {key: number + 1 for number, key in enumerate(keys)}
        assert entries.known_entries(session, bank(session, "other"), keys) == {}
        assert entries.numbers_without(session, bank(session), set(keys[2:])) == [1, 2]


def test_values_are_read_above_a_row_in_order_and_of_bare_entries_alone(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        entries.insert_entries(session, bank(session), [bare(1), bare(2)])
        put_picture(session)
        entries.insert_entries(session, bank(session), [bare(4)])
        ((ids, codes),) = entries.read_hashes(session, 1)
        assert (ids.tolist(), codes.shape, codes[0].tobytes()) == ([2, 3, 4], (3, 32), bits(2))
        ((ids, _),) = entries.read_hashes(session, bare=True)
        assert ids.tolist() == [1, 2, 4]
        assert list(entries.read_hashes(session, 4)) == []


@pytest.mark.sqlite
def test_a_damaged_value_is_left_out(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        entries.insert_entries(session, bank(session), [bare(1), bare(2), bare(3)])
        session.sql.exec_driver_sql("UPDATE bank_entries SET pdq = x'00' WHERE id = 2")
        session.sql.exec_driver_sql("UPDATE bank_entries SET pdq = 7 WHERE id = 3")
        ((ids, codes),) = entries.read_hashes(session)
        assert (ids.tolist(), len(codes)) == ([1], 1)


def test_what_counts_is_neither_muted_nor_in_quarantine_nor_dismissed_and_its_bank_takes_part(
    catalog: SqliteCatalog,
) -> None:
    with catalog.write() as session:
        entries.insert_entries(session, bank(session), [bare(number) for number in range(5)])
        picture = put_picture(session, on="other")
        assert sorted(entries.hit_entries(session, range(99))) == [1, 2, 3, 4, 5, picture]
        entries.change_entry(session, bank(session), 1, muted_until=now() + 10**9)
        entries.change_entry(session, bank(session), 2, muted_until=now() - 1)
        entries.change_entry(session, bank(session), 3, quarantined_at=now())
        entries.give_opinion(session, bits(3), Opinion.DISMISSED, "ana", None)
        entries.give_opinion(session, bits(4), Opinion.CONFIRMED, "ana", None)
        entries.give_opinion(session, bits(("pdq", "x")), Opinion.DISMISSED, "ana", None)
        assert sorted(entries.hit_entries(session, range(99))) == [2, 5]
        assert [picture.active for picture in rows.read_banks(session)] == [False]
        entries.give_opinion(session, bits(("pdq", "x")), None, "ana", None)
        assert sorted(entries.hit_entries(session, range(99))) == [2, 5, picture]
        entries.give_opinion(session, pixels("x"), Opinion.DISMISSED, "ana", None)
        assert sorted(entries.hit_entries(session, range(99))) == [2, 5]
        rows.change_bank(session, bank(session), enabled=0)
        assert entries.hit_entries(session, range(99)) == {}


def test_an_opinion_is_kept_by_the_value_or_by_the_picture_without_one_and_the_last_counts(
    catalog: SqliteCatalog,
) -> None:
    with catalog.write() as session:
        picture = put_picture(session)
        assert entries.key_of(session, picture) == bits(("pdq", "x"))
        entries.insert_entries(session, bank(session, "other"), [bare(("pdq", "x"))])
        assert entries.entries_of_value(session, bits(("pdq", "x"))) == {picture: 1, picture + 1: 2}
        for opinion in (Opinion.CONFIRMED, Opinion.DISMISSED):
            entries.give_opinion(session, bits(("pdq", "x")), opinion, "ana", "why")
        [found] = entries.read_entries(session, bank(session))
        assert (found.opinion, found.opinion_by, found.opinion_reason) == (Opinion.DISMISSED, "ana", "why")
        session.sql.execute(schema.bank_entries.update().values(pdq=None))
        assert entries.key_of(session, picture) == pixels("x")
        assert entries.read_entries(session, bank(session))[0].opinion is None


def test_a_mute_that_is_over_is_noticed_and_ended_once(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        entries.insert_entries(session, bank(session), [bare(1), bare(2)])
        assert not entries.has_ended_mutes(session)
        entries.change_entry(session, bank(session), 1, muted_until=now() + 10**9)
        assert not entries.has_ended_mutes(session)
        entries.change_entry(session, bank(session), 2, muted_until=now() - 1)
        assert entries.has_ended_mutes(session)
        entries.end_mutes(session)
        assert not entries.has_ended_mutes(session)
        one, two = entries.read_entries(session, bank(session))
        assert one.muted_until is not None
        assert two.muted_until is None


def test_entries_that_are_removed_are_gone_from_their_own_bank_alone_and_their_numbers_are_not_given_again(
    catalog: SqliteCatalog,
) -> None:
    with catalog.write() as session:
        entries.insert_entries(session, bank(session), [bare(1), bare(2)])
        entries.insert_entries(session, bank(session, "other"), [bare(3)])
        assert entries.remove_entries(session, bank(session), [2, 3, 9]) == 1
        assert [one.entry for one in entries.read_entries(session, bank(session, "other"))] == [3]
        assert entries.remove_entries(session, bank(session, "other"), [3]) == 1
        entries.insert_entries(session, bank(session), [bare(2)])
        assert entries.last_entry(session) == 4
        rows.drop_bank(session, bank(session))
        assert entries.last_entry(session) == 0
        assert [one.name for one in rows.read_bank_list(session)] == ["other"]


def test_banks_are_counted_each_by_itself(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        entries.insert_entries(session, bank(session), [bare(number) for number in range(3)])
        put_picture(session)
        put_picture(session, "y", on="other")
        for entry in (1, 4):
            entries.change_entry(session, bank(session), entry, quarantined_at=now())
        every = rows.read_bank_list(session)
        assert [(one.name, one.entries, one.pictures, one.quarantined) for one in every] == [
            ("acme", 4, 1, 2),
            ("other", 1, 1, 0),
        ]
        assert [rows.read_bank_list(session, one.name) for one in every] == [[one] for one in every]
        assert rows.read_bank_list(session, "none") == []


def test_what_is_shared_are_the_entries_that_count_with_their_features(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        entries.insert_entries(session, bank(session), [bare(1), bare(2), bare(3)])
        picture = put_picture(session)
        entries.change_entry(session, bank(session), 2, muted_until=now() + 10**9)
        found = entries.shared_rows(session, bank(session), after=1, limit=2)
        assert [(row.id, features) for row, features in found] == [(3, None), (picture, ("book", b"record of x"))]
