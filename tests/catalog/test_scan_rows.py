from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from filled import begin, opened
from sqlalchemy import select

from imgmatch.catalog import scans as rows
from imgmatch.catalog import schema
from imgmatch.catalog.lookups import counts, unfinished_scans
from imgmatch.catalog.rows import FileState, SkipRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.catalog.session import Session
    from imgmatch.catalog.sqlite import SqliteCatalog

SKIP = SkipRecord("p1", "a1", "a1/1.jpg", 7, "unreadable", "it is a letter", FileState(10, 20))


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


def labels(session: Session) -> list[str]:
    return sorted(session.sql.scalars(select(schema.skipped.c.label)))


def test_a_source_is_one_row_however_often_it_is_scanned(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        first, again, other = begin(session, "s"), begin(session, "s"), begin(session, "t")
    assert first.source_id == again.source_id != other.source_id
    assert first.scan_id < again.scan_id < other.scan_id


def test_a_scan_is_unfinished_until_it_is_finished_and_keeps_its_counts(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        scan = begin(session)
        assert unfinished_scans(session) == 1
        rows.finish_scan(session, scan, {"added": 3})
        assert unfinished_scans(session) == 0
        started, finished, said = session.sql.execute(
            select(schema.scans.c.started_at, schema.scans.c.finished_at, schema.scans.c.counts)
        ).one()
    assert started <= finished
    assert said == {"added": 3}


def test_a_skipped_photo_is_known_again_with_its_reason(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        scan = begin(session)
        rows.store_skips(session, scan, [SKIP, replace(SKIP, photo_id="p2", label="no file", file=None)])
        found = rows.known_skips(session, scan, ["p1", "p2", "p3"])
        other = rows.known_skips(session, begin(session, "other"), ["p1"])
    assert set(found) == {"p1", "p2"}
    assert (found["p1"].file, found["p1"].reason, found["p1"].detail) == (SKIP.file, SKIP.reason, SKIP.detail)
    assert found["p2"].file is None
    assert other == {}


def test_a_photo_skipped_again_has_one_row(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        scan = begin(session)
        rows.store_skips(session, scan, [SKIP])
        rows.store_skips(session, begin(session), [replace(SKIP, label="new")])
        assert labels(session) == ["new"]


def test_of_a_duplicate_it_is_not_kept_which_photo_it_repeats(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        detail = "photo_id 'p1' stands for an earlier photo of this scan"
        rows.store_skips(session, begin(session), [replace(SKIP, account="a2", reason="duplicate", detail=detail)])
        ((_, label, kept),) = rows.skip_texts(session)
    assert (label, "p1" in kept) == (SKIP.label, False)


def test_what_is_said_of_a_skipped_photo_is_changed_only_if_it_is_what_it_was(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        rows.store_skips(session, begin(session), [SKIP])
        ((row, label, detail),) = rows.skip_texts(session)
        rows.mask_skip(session, row, (label, "something else"), ("x", "y"))
        assert list(rows.skip_texts(session)) == [(row, label, detail)]
        rows.mask_skip(session, row, (label, detail), ("x", "y"))
        assert list(rows.skip_texts(session)) == [(row, "x", "y")]


def test_a_source_that_nothing_came_from_is_forgotten_and_named(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        begin(session, "empty")
        rows.store_skips(session, begin(session, "with a skip"), [SKIP])
        assert rows.skips_of(session, account="a1", photo_id=None) == [("p1", "a1/1.jpg")]
        assert rows.skips_of(session, account=None, photo_id="p2") == []
        assert rows.drop_empty_sources(session) == ["empty"]
        assert rows.drop_empty_sources(session) == []


def test_a_duplicate_line_does_not_stand_for_the_photo_it_repeats(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        scan = begin(session)
        rows.store_skips(session, scan, [SKIP])
        rows.store_skips(session, scan, [replace(SKIP, reason="duplicate", label="twice")])
        assert labels(session) == ["a1/1.jpg", "twice"]
        assert rows.known_skips(session, scan, ["p1"])["p1"].reason == "unreadable"


def test_what_earlier_scans_skipped_in_this_source_only_is_forgotten_in_parts(catalog: SqliteCatalog) -> None:
    kept, again = replace(SKIP, photo_id="p2", label="kept"), replace(SKIP, photo_id="p3", label="again")
    with catalog.write() as session:
        rows.store_skips(session, begin(session, "other"), [replace(SKIP, label="other source")])
        first = begin(session)
        rows.store_skips(session, first, [SKIP, kept, again, replace(SKIP, photo_id=None, label="bad line")])
        scan = begin(session)
        rows.keep_skips(session, scan, [rows.known_skips(session, scan, ["p2"])["p2"].id])
        rows.store_skips(session, scan, [again])
        parts, last = [], 0
        while some := rows.prune_skips(session, scan, last, 1):
            parts.append(len(some))
            last = some[-1]
        assert parts == [1, 1]
        assert labels(session) == ["again", "kept", "other source"]


def test_a_photo_that_can_be_used_now_is_no_longer_skipped(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        scan = begin(session)
        rows.store_skips(session, scan, [SKIP, replace(SKIP, photo_id="p2", label="two")])
        rows.forget_skips(session, scan, ["p1"])
        assert labels(session) == ["two"]


def test_erasing_forgets_what_was_skipped_of_an_account_or_a_photo(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        skips = [SKIP, replace(SKIP, photo_id="p2"), replace(SKIP, photo_id="p3", account="a2", label="stays")]
        rows.store_skips(session, begin(session), skips)
        assert rows.remove_skips(session, account=None, photo_id="p1") == 1
        assert rows.remove_skips(session, account="a1", photo_id=None) == 1
        assert labels(session) == ["stays"]


def test_a_thousand_skipped_photos_are_kept(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        scan = begin(session)
        rows.store_skips(session, scan, [replace(SKIP, photo_id=f"p{number}") for number in range(1_100)])
        later = begin(session)
        found = rows.known_skips(session, later, [f"p{number}" for number in range(1_100)])
        rows.keep_skips(session, later, [skip.id for skip in found.values()])
        rows.finish_scan(session, later, {})
        assert counts(session)["skipped"] == 1_100
