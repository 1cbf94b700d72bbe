from __future__ import annotations

import json
import logging
import socket
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from coop_server import ACCOUNT_TYPE, KEY, CoopServer, add, problems
from serving import DAY_ONE, Served, served
from sqlalchemy import update

from imgmatch.actions.ring_reports import Finding
from imgmatch.catalog import schema
from imgmatch.catalog.times import now
from imgmatch.errors import ImgmatchError
from imgmatch.index import Index
from imgmatch.model import Ring, RingAccount, Verdict
from imgmatch.web import deliveries, posting
from imgmatch.web.coop import MOST_ITEMS, CoopForm, coop_report
from imgmatch.web.settings import ServeSettings
from imgmatch.web.sinks import channels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORM = CoopForm(ACCOUNT_TYPE)


@pytest.fixture
def coop(monkeypatch: pytest.MonkeyPatch) -> Iterator[CoopServer]:
    monkeypatch.setenv("IMGMATCH_COOP_KEY", KEY)
    monkeypatch.setenv("IMGMATCH_WEBHOOK_SECRET", "of nobody")
    monkeypatch.setattr(deliveries, "_PAUSE", 0.05)
    made = CoopServer()
    yield made
    made.close()


@pytest.fixture
def reporting(world: Path, coop: CoopServer) -> Iterator[Served]:
    with served(world, coop_url=coop.url, coop_type=ACCOUNT_TYPE) as server:
        yield server


def noted(server: Served, count: int = 1) -> list[dict[str, Any]]:
    """What became of reports, once so many were tried."""
    reports = server.index.outbox.reports("coop", confirmed=True, found=True)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        log = [one for one in reports.log(99) if one["attempts"]]
        if len(log) >= count:
            return log
        time.sleep(0.02)
    raise AssertionError(reports.log(99))


def now_due(server: Served) -> None:
    """What waits for its next attempt is tried at once."""
    table = schema.reported
    with server.index.parts.catalog.write() as session:
        session.sql.execute(update(table).where(table.c.next_at.is_not(None)).values(next_at=now()))


def accounts_of(report: dict[str, Any]) -> list[str]:
    return [report["reportedItem"]["id"], *(item["id"] for item in report.get("additionalItems", ()))]


def finding(world: Path, first_account: str) -> Finding:
    with Index.open(world) as index:
        name = next(one.ring for one in index.queue().rings if one.first_account == first_account)
        ring = index.ring(name)
    return Finding(ring, ring, None, None)


def ring_with(ring: Ring, days: list[int]) -> Ring:
    """A ring whose accounts came on these days."""
    accounts = [RingAccount(f"u{place}", None, DAY_ONE + timedelta(days=day)) for place, day in enumerate(days)]
    return replace(ring, accounts=tuple(accounts))


@pytest.mark.slow
def test_a_ring_that_is_confirmed_is_reported_once_without_its_possible_owner(
    reporting: Served, coop: CoopServer
) -> None:
    ring = reporting.ring("mia")
    reporting.index.decide(Verdict.CONFIRM, ring=ring, by="ana")
    [report] = coop.wait_for(1)
    assert accounts_of(report) == ["lena", "anna", "kate"]
    assert report["reporter"] == {"kind": "user", "typeId": ACCOUNT_TYPE, "id": "imgmatch"}
    assert report["reportedForReason"] == {
        "reason": "imgmatch: 4 accounts share 2 photos (confirmed by ana). Possibly the owner, and not reported: mia."
        " The others: anna, kate."
    }
    reporting.index.decide(Verdict.CONFIRM, ring=ring, by="ben")
    first, second = noted(reporting, 2)
    assert first["answer"].startswith("201 ")
    assert (first["ring"], first["accounts"], first["next_at"]) == (ring, 4, None)
    assert (second["answer"], second["delivered_at"], second["next_at"]) == ("told of already", None, None)
    assert coop.calls == 1


@pytest.mark.slow
def test_of_a_picture_that_is_confirmed_only_those_are_reported_who_show_it(
    reporting: Served, coop: CoopServer
) -> None:
    ring = reporting.index.ring(reporting.ring("mia"))
    [small] = [group for group in ring.groups if group.accounts == ("anna", "kate")]
    reporting.index.decide(Verdict.CONFIRM, group=small.group, by="ana")
    [report] = coop.wait_for(1)
    assert accounts_of(report) == ["kate"]
    assert "2 accounts share 1 photo (" in report["reportedForReason"]["reason"]
    assert "not reported: anna." in report["reportedForReason"]["reason"]
    [large] = [group for group in ring.groups if group.group != small.group]
    reporting.index.decide(Verdict.CONFIRM, group=large.group, by="ben")
    assert accounts_of(coop.wait_for(2)[1]) == ["lena", "anna", "kate"]


def test_what_is_dismissed_common_or_taken_back_is_not_reported(reporting: Served, coop: CoopServer) -> None:
    coop.status = 503
    made = reporting.index.decide(Verdict.CONFIRM, ring=reporting.ring("mia"), by="ana")
    noted(reporting)
    reporting.index.undo(made.number, by="ana")
    reporting.index.decide(Verdict.DISMISS, ring=reporting.ring("tom"), by="ana")
    reporting.index.decide(Verdict.COMMON, ring=reporting.ring("joe"), by="ana")
    coop.status = None
    now_due(reporting)
    until = time.monotonic() + 60
    while noted(reporting)[0]["attempts"] < 2 and time.monotonic() < until:
        time.sleep(0.02)
    [one] = noted(reporting)
    assert (one["answer"], one["next_at"]) == ("taken back before it was told", None)
    assert coop.reports == []


@pytest.mark.slow
@pytest.mark.parametrize("failing", ["coop", "webhook"])
def test_of_two_who_are_told_only_the_one_that_failed_is_told_again(
    world: Path, coop: CoopServer, failing: str
) -> None:
    platform = CoopServer()
    broken, sound = (coop, platform) if failing == "coop" else (platform, coop)
    platform.status, broken.status = 204, 500
    with served(world, webhook=platform.url, coop_url=coop.url, coop_type=ACCOUNT_TYPE) as server:
        server.index.decide(Verdict.CONFIRM, ring=server.ring("mia"), by="ana")
        broken.wait_for_calls(1)
        sound.wait_for_calls(1)
        noted(server)
        while not server.index.outbox.log(1)[0]["attempts"]:  # what is noted later would put it off again
            time.sleep(0.02)
        broken.status = 204 if broken is platform else None
        now_due(server)
        with server.index.parts.catalog.write() as session:
            table = schema.deliveries
            session.sql.execute(update(table).where(table.c.next_at.is_not(None)).values(next_at=now()))
        broken.wait_for_calls(2)
        until = time.monotonic() + 60
        while (
            noted(server)[0]["delivered_at"] is None or server.index.outbox.log(1)[0]["delivered_at"] is None
        ) and time.monotonic() < until:
            time.sleep(0.02)
        attempts = {"coop": noted(server)[0]["attempts"], "webhook": server.index.outbox.log(1)[0]["attempts"]}
    platform.close()
    assert attempts == {"coop": 1, "webhook": 1, failing: 2}
    assert (sound.calls, broken.calls) == (1, 2)


@pytest.mark.slow
def test_rings_that_nobody_has_decided_on_are_reported_where_that_is_asked_for(world: Path, coop: CoopServer) -> None:
    with Index.open(world) as index:
        tom = next(one.ring for one in index.queue().rings if one.first_account == "tom")
        index.decide(Verdict.CONFIRM, ring=tom, by="ana")
    with served(world, coop_url=coop.url, coop_type=ACCOUNT_TYPE, report_new_rings=("coop",)) as server:
        coop.wait_for(2)
        server.index.decide(Verdict.CONFIRM, ring=server.ring("mia"), by="ana")
        log = noted(server, 3)
    assert sorted(map(accounts_of, coop.reports)) == [["jim"], ["lena", "anna", "kate"]]
    assert all("(nobody has decided on it)" in report["reportedForReason"]["reason"] for report in coop.reports)
    assert log[2]["answer"] == "told of already"
    with served(world, coop_url=coop.url, coop_type=ACCOUNT_TYPE, report_new_rings=("coop",)):
        time.sleep(0.5)
    assert coop.calls == 2


@pytest.mark.slow
def test_rings_that_nobody_has_decided_on_are_left_alone_otherwise(reporting: Served, coop: CoopServer) -> None:
    reporting.index.decide(Verdict.CONFIRM, ring=reporting.ring("tom"), by="ana")
    coop.wait_for(1)
    noted(reporting)
    assert (len(coop.reports), accounts_of(coop.reports[0])) == (1, ["tim"])


@pytest.mark.slow
def test_a_ring_that_has_grown_is_reported_again_with_all_its_accounts(world: Path, coop: CoopServer) -> None:
    with served(world, coop_url=coop.url, coop_type=ACCOUNT_TYPE, report_new_rings=("coop",)) as server:
        coop.wait_for(3)
        noted(server, 3)
        add(server.index, "nora", 1)
        grown = coop.wait_for(4)[3]
        noted(server, 4)
        server.index.decide(Verdict.CONFIRM, ring=server.ring("mia"), by="ana")
        noted(server, 5)
        add(server.index, "olga", 2)
        confirmed = coop.wait_for(5)[4]
    assert accounts_of(grown) == ["lena", "anna", "kate", "nora"]
    assert "(nobody has decided on it; reported before with 4 accounts)" in grown["reportedForReason"]["reason"]
    assert accounts_of(confirmed) == ["lena", "anna", "kate", "nora", "olga"]
    assert "(confirmed by ana; reported before with 5 accounts)" in confirmed["reportedForReason"]["reason"]
    assert coop.calls == 5


@pytest.mark.slow
def test_decisions_from_before_there_was_a_queue_are_not_reported(world: Path, coop: CoopServer) -> None:
    with Index.open(world) as index:
        rings = {one.first_account: one.ring for one in index.queue().rings}
        index.decide(Verdict.CONFIRM, ring=rings["mia"], by="ana")
    with served(world, coop_url=coop.url, coop_type=ACCOUNT_TYPE):
        pass
    with Index.open(world) as index:  # while no server runs
        index.decide(Verdict.CONFIRM, ring=rings["tom"], by="ana")
    with served(world, coop_url=coop.url, coop_type=ACCOUNT_TYPE) as server:
        coop.wait_for(1)
        noted(server)
    assert list(map(accounts_of, coop.reports)) == [["tim"]]


@pytest.mark.slow
def test_a_redirect_is_not_followed(reporting: Served, coop: CoopServer) -> None:
    elsewhere = CoopServer()
    coop.status, coop.location = 307, f"{elsewhere.url}/api/v1/report"
    reporting.index.decide(Verdict.CONFIRM, ring=reporting.ring("mia"), by="ana")
    [one] = noted(reporting)
    elsewhere.close()
    assert (one["answer"], one["delivered_at"], elsewhere.calls) == ("307", None, 0)
    assert one["next_at"] > datetime.now(UTC)


@pytest.mark.slow
@pytest.mark.parametrize("status", [200, 400, 401])
def test_what_is_not_answered_with_created_is_not_taken(reporting: Served, coop: CoopServer, status: int) -> None:
    coop.status = status
    reporting.index.decide(Verdict.CONFIRM, ring=reporting.ring("mia"), by="ana")
    [one] = noted(reporting)
    assert (one["answer"], one["delivered_at"]) == (str(status), None)


@pytest.mark.slow
def test_of_a_huge_answer_no_more_is_read_than_an_id_needs(reporting: Served, coop: CoopServer) -> None:
    coop.tail = b" " * 30_000_000
    reporting.index.decide(Verdict.CONFIRM, ring=reporting.ring("mia"), by="ana")
    [one] = noted(reporting)
    assert one["answer"].startswith("201")
    assert one["delivered_at"] is not None


@pytest.mark.slow
def test_an_account_that_was_erased_meanwhile_is_not_reported(reporting: Served, coop: CoopServer) -> None:
    coop.status = 500
    reporting.index.decide(Verdict.CONFIRM, ring=reporting.ring("mia"), by="ana")
    noted(reporting)
    erased = reporting.index.erase(account="lena")
    assert (erased.traces, erased.finished) == (0, True)
    coop.status = None
    now_due(reporting)
    [report] = coop.wait_for(1)
    assert accounts_of(report) == ["anna", "kate"]
    assert "lena" not in json.dumps(report)


def test_the_key_is_in_no_log_and_not_in_the_catalog_even_where_it_is_sent_back(
    world: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("IMGMATCH_COOP_KEY", KEY)
    monkeypatch.setattr(deliveries, "_PAUSE", 0.05)
    monkeypatch.setattr(posting, "_TIMEOUT", 5.0)
    listening = socket.create_server(("127.0.0.1", 0))

    def echo() -> None:
        connection, _ = listening.accept()
        with connection:
            heard = connection.recv(65_536)
            line = next(one for one in heard.split(b"\r\n") if one.lower().startswith(b"x-api-key"))
            connection.sendall(b"HTTP/9 " + line + b"\r\n\r\n")

    echoing = threading.Thread(target=echo, daemon=True)
    echoing.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with served(world, coop_url=url, coop_type=ACCOUNT_TYPE) as server:
        server.index.decide(Verdict.CONFIRM, ring=server.ring("mia"), by="ana")
        [one] = noted(server)
    echoing.join(10)
    listening.close()
    assert one["answer"] == "RemoteProtocolError"
    assert "Coop: decision:1: RemoteProtocolError" in caplog.text
    of_ours = [record.getMessage() for record in caplog.records if record.name.startswith("imgmatch")]
    assert not any(KEY in line for line in of_ours)
    assert not any(KEY.encode() in file.read_bytes() for file in world.rglob("*") if file.is_file())


@pytest.mark.parametrize("key", [None, "a b", "two\nlines", "schlüssel"])
def test_a_key_that_is_missing_or_none_is_refused_and_not_repeated(
    server: Served, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    monkeypatch.delenv("IMGMATCH_COOP_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("IMGMATCH_COOP_KEY", key)
    with pytest.raises(ImgmatchError, match="IMGMATCH_COOP_KEY") as refused:
        channels(server.index, ServeSettings("x", coop_url="http://127.0.0.1:1", coop_type="t"))
    assert key is None or key not in str(refused.value)


def test_a_report_has_no_picture_no_path_and_no_id_of_a_photo(drawn_world: Path) -> None:
    found = finding(drawn_world, "mia")
    form = CoopForm(ACCOUNT_TYPE, "displayName", "p1", "https://photos.example/")
    report = coop_report(found, form, DAY_ONE)
    assert report == {
        "reporter": {"kind": "user", "typeId": ACCOUNT_TYPE, "id": "imgmatch"},
        "reportedAt": "2026-01-01T00:00:00Z",
        "reportedForReason": {
            "policyId": "p1",
            "reason": "imgmatch: 4 accounts share 2 photos (nobody has decided on it). Possibly the owner, and not"
            f" reported: mia. The others: anna, kate. https://photos.example/rings/{found.ring.ring}",
        },
        "reportedItem": {
            "id": "lena", "typeId": ACCOUNT_TYPE, "typeSchemaVariant": "partial", "data": {"displayName": "Lena"},
        },
        "additionalItems": [
            {"id": "anna", "typeId": ACCOUNT_TYPE, "typeSchemaVariant": "partial", "data": {"displayName": "Anna"}},
            {"id": "kate", "typeId": ACCOUNT_TYPE, "typeSchemaVariant": "partial", "data": {"displayName": "kate"}},
        ],
    }  # fmt: skip
    assert problems(report) == []


@pytest.mark.parametrize(
    ("days", "accounts"),
    [
        ([0, 1, 2], ["u1", "u2"]),  # u0 may be the owner
        ([0, 0, 2], ["u2", "u0", "u1"]),  # nobody knows which of two: the one that came later is reported
        ([0, 0, 0], ["u0", "u1", "u2"]),
    ],
)
def test_who_may_be_the_owner_is_not_the_one_that_is_reported(
    drawn_world: Path, days: list[int], accounts: list[str]
) -> None:
    found = finding(drawn_world, "mia")
    ring = ring_with(found.ring, days)
    report = coop_report(Finding(ring, ring, "ana", None), FORM)
    assert report is not None
    assert accounts_of(report) == accounts


def test_nothing_is_reported_where_everybody_may_be_the_owner(drawn_world: Path) -> None:
    found = finding(drawn_world, "mia")
    ring = ring_with(found.ring, [0, 1, 2])
    part = replace(ring, accounts=(ring.accounts[2], ring.accounts[0]))
    part = replace(part, accounts=(replace(part.accounts[0], first_seen=DAY_ONE - timedelta(days=1)), part.accounts[1]))
    assert coop_report(Finding(ring, part, "ana", None), FORM) is None


def test_a_ring_of_very_many_accounts_is_a_report_of_bounded_size(drawn_world: Path) -> None:
    found = finding(drawn_world, "mia")
    ring = ring_with(found.ring, list(range(MOST_ITEMS + 50)))
    report = coop_report(Finding(ring, ring, "b" * 9_999, 3), FORM)
    assert report is not None
    assert len(report["additionalItems"]) == MOST_ITEMS
    reason = report["reportedForReason"]["reason"]
    assert f"imgmatch: {MOST_ITEMS + 50} accounts share 2 photos" in reason
    assert "and 1,028 more. The first 1,000 of them are items of this report." in reason
    assert len(reason) < 1_000


def test_what_steers_a_terminal_is_not_in_the_reason(drawn_world: Path) -> None:
    found = finding(drawn_world, "mia")
    ring = ring_with(found.ring, [0, 1, 2])
    strange = replace(ring.accounts[2], account="a\u202eb\n")
    ring = replace(ring, accounts=(*ring.accounts[:2], strange))
    report = coop_report(Finding(ring, ring, "x\x1b[2J", None), FORM)
    assert report is not None
    assert report["additionalItems"][0]["id"] == "a\u202eb\n"
    assert report["reportedForReason"]["reason"].isprintable()
