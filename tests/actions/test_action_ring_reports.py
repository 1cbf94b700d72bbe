from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from coop_server import add
from serving import DAY_ONE
from sqlalchemy import update

from imgmatch.actions.deliveries import GIVE_UP_AFTER
from imgmatch.actions.ring_reports import Finding, RingReports
from imgmatch.catalog import schema
from imgmatch.catalog.times import now
from imgmatch.index import Index
from imgmatch.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def index(world: Path) -> Iterator[Index]:
    with Index.open(world) as opened:
        yield opened


def reports_of(index: Index, *, found: bool = False) -> RingReports:
    reports: RingReports = index.outbox.reports("queue", confirmed=True, found=found)
    reports.begin()
    return reports


def ring(index: Index, first_account: str) -> str:
    return next(one.ring for one in index.queue().rings if one.first_account == first_account)


def told(reports: RingReports) -> list[str]:
    """Tell all that is due; its subjects."""
    due = reports.due()
    for one in due:
        found = reports.finding(one)
        if isinstance(found, str):
            reports.skip(one, found)
        else:
            reports.note(one, found, "201", delivered=True)
    return [one.subject for one in due]


def by_subject(reports: RingReports) -> dict[str, dict[str, Any]]:
    return {one["subject"]: one for one in reports.log(99)}


def test_what_is_never_taken_is_tried_later_and_later_and_then_given_up(index: Index) -> None:
    reports = reports_of(index)
    index.decide(Verdict.CONFIRM, ring=ring(index, "mia"), by="ana")
    waits = []
    for _ in range(GIVE_UP_AFTER):
        [due] = reports.due()
        found = reports.finding(due)
        assert isinstance(found, Finding)
        reports.note(due, found, "ConnectError", delivered=False)
        again = reports.log(1)[0]["next_at"]
        waits.append(None if again is None else round(again.timestamp() - time.time(), -1))
        with index.parts.catalog.write() as session:
            table = schema.reported
            session.sql.execute(update(table).where(table.c.next_at.is_not(None)).values(next_at=now()))
    assert waits[:4] == [10, 20, 40, 80]
    assert waits[-1] is None
    assert reports.due() == []
    assert reports.log(1)[0]["attempts"] == GIVE_UP_AFTER


def test_what_two_processes_have_found_at_once_is_told_once(index: Index, world: Path) -> None:
    with Index.open(world) as other:
        first, second = reports_of(index, found=True), reports_of(other, found=True)
        subjects = [one.subject for one in first.due()]
        assert len(subjects) == 3
        assert [one.subject for one in second.due()] == subjects
        with first.turn() as mine, second.turn() as theirs:
            assert (mine, theirs) == (True, False)
        assert sorted(told(first)) == sorted(subjects)
        assert told(second) == []


def test_two_who_are_told_do_not_share_what_they_were_told(index: Index) -> None:
    first = reports_of(index)
    second = index.outbox.reports("other", confirmed=True, found=False)
    second.begin()
    made = index.decide(Verdict.CONFIRM, ring=ring(index, "mia"), by="ana")
    assert told(first) == [f"decision:{made.number}"]
    assert told(first) == []
    assert told(second) == [f"decision:{made.number}"]


def test_decisions_are_told_of_from_the_beginning_though_none_was_there_then(index: Index, world: Path) -> None:
    reports_of(index)
    index.decide(Verdict.CONFIRM, ring=ring(index, "mia"), by="ana")
    with Index.open(world) as later:
        assert told(reports_of(later)) == ["decision:1"]


def test_a_ring_is_found_anew_only_by_another_run_and_told_of_once_it_has_more_accounts(index: Index) -> None:
    reports = reports_of(index, found=True)
    mia = ring(index, "mia")
    assert len(told(reports)) == 3
    assert told(reports) == []
    add(index, "nora", 1)
    assert told(reports) == [f"ring:{mia}:2"]
    add(index, "olga", 8)
    assert told(reports) == []
    assert by_subject(reports)[f"ring:{mia}:2"]["accounts"] == 5


@pytest.mark.slow
def test_a_ring_that_waits_is_told_as_it_is_when_it_is_told(index: Index) -> None:
    reports = reports_of(index, found=True)
    mia = ring(index, "mia")
    reports.due()
    add(index, "nora", 1)
    assert f"ring:{mia}:1" in told(reports)
    assert told(reports) == []
    assert by_subject(reports)[f"ring:{mia}:1"]["accounts"] == 5


def test_a_ring_that_was_dismissed_while_it_waited_is_not_told_and_comes_again_once_that_is_taken_back(
    index: Index,
) -> None:
    reports = reports_of(index, found=True)
    tom = ring(index, "tom")
    reports.due()
    made = index.decide(Verdict.DISMISS, ring=tom, by="ana")
    told(reports)
    assert by_subject(reports)[f"ring:{tom}:1"]["delivered_at"] is None
    index.undo(made.number, by="ana")
    add(index, "nora", 8)
    assert told(reports) == [f"ring:{tom}:2"]


@pytest.mark.slow
def test_an_account_that_is_alone_with_its_pictures_is_not_told_of(index: Index) -> None:
    reports = reports_of(index)
    made = index.decide(Verdict.CONFIRM, ring=ring(index, "tom"), by="ana")
    index.erase(account="tim")
    assert told(reports) == [f"decision:{made.number}"]
    [noted] = reports.log(9)
    assert noted["answer"] in {"one account alone", "no ring any more"}


@pytest.mark.slow
def test_a_confirmed_ring_is_found_though_it_goes_by_another_name_by_then(index: Index) -> None:
    reports = reports_of(index)
    before = ring(index, "mia")
    index.decide(Verdict.CONFIRM, ring=before, by="ana")
    add(
        index, "zoe", 1, DAY_ONE - timedelta(days=9)
    )  # it had the picture first: no report was kept that has the ring's name
    assert told(reports) == ["decision:1"]
    [noted] = reports.log(9)
    assert (noted["ring"] != before, noted["accounts"]) == (True, 5)
