from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from imgmatch.formats import records
from imgmatch.formats.records import RING_COLUMNS
from imgmatch.model import (
    Change,
    CheckResult,
    Comparison,
    Decision,
    DecisionKind,
    Erasure,
    Evidence,
    Group,
    Hashed,
    HashedFrame,
    IndexStatus,
    Kind,
    Match,
    Photo,
    Ring,
    RingAccount,
    ScanResult,
    Status,
    Verdict,
)

NEW_YEAR = datetime(2026, 1, 4, tzinfo=UTC)
LENA = Photo("a17", "a17/1.jpg", "p1", "Lena", NEW_YEAR)
NEAR = Evidence(Kind.NEAR, 0.9375, 8, mirrored=True, rotation=90)
MATCHED: dict[str, Any] = {
    "account": "a17",
    "name": "Lena",
    "photo": "a17/1.jpg",
    "photo_id": "p1",
    "seen_at": "2026-01-04T00:00:00Z",
    "bank": None,
    "damaged": None,
    "kind": "near",
    "score": 0.9375,
    "distance": 8,
    "mirrored": True,
    "rotation": 90,
    "overlap": None,
    "agreement": None,
    "negative": False,
    "frame": None,
    "query_frame": None,
}


def same(record: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Equal, the order of the keys included."""
    return list(record.items()) == list(expected.items())


def test_times_are_in_utc_with_the_letter_z() -> None:
    assert records.moment(NEW_YEAR) == "2026-01-04T00:00:00Z"
    assert records.moment(NEW_YEAR + timedelta(microseconds=7)) == "2026-01-04T00:00:00.000007Z"
    assert records.moment(datetime(2026, 1, 4, 2, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-04T00:00:00Z"


def test_a_check_has_the_fields_of_the_design_in_their_order() -> None:
    result = CheckResult("q.jpg", Status.MATCH, accounts=3, truncated=True, matches=(Match(LENA, NEAR),))
    assert same(
        records.check_record(result),
        {
            "photo": "q.jpg",
            "status": "match",
            "reason": None,
            "accounts": 3,
            "truncated": True,
            "damaged": None,
            "matches": [MATCHED],
            "banks": [],
            "incomplete": [],
        },
    )
    assert list(records.check_record(result)["matches"][0]) == list(MATCHED)


def test_a_check_without_a_match_keeps_its_shape() -> None:
    result = CheckResult("q.jpg", Status.NOT_SEARCHABLE, "flat: too little detail")
    assert records.check_record(result) == {
        "photo": "q.jpg",
        "status": "not_searchable",
        "reason": "flat: too little detail",
        "accounts": 0,
        "truncated": False,
        "damaged": None,
        "matches": [],
        "banks": [],
        "incomplete": [],
    }


def test_a_spreadsheet_gets_a_row_a_match_and_one_for_a_photo_without() -> None:
    two = CheckResult("q.jpg", Status.MATCH, accounts=1, matches=(Match(LENA, NEAR), Match(LENA, NEAR)))
    rows = records.check_rows(two)
    head = {"query": "q.jpg", "reason": None, "query_damaged": None, "incomplete": None}
    assert rows == [head | {"status": "match"} | MATCHED] * 2
    none = records.check_rows(CheckResult("q.jpg", Status.NO_MATCH))
    assert none == [head | {"status": "no_match"}]


def test_how_much_of_a_damaged_photo_is_there_is_told_and_never_rounded_up_to_all() -> None:
    cut = replace(LENA, damaged=0.99996)
    result = records.check_record(CheckResult("q.jpg", Status.MATCH, matches=(Match(cut, NEAR),), damaged=1.0))
    assert (result["damaged"], result["matches"][0]["damaged"]) == (1.0, 0.999)
    compared = Comparison("a", "b", is_match=True, evidence=NEAR, stored_damaged=0.5)
    assert records.compare_record(compared)["stored_damaged"] == 0.5
    assert records.hash_record(Hashed("a.jpg", {}, damaged=0.75))["damaged"] == 0.75


def test_a_scan_has_the_fields_of_the_design_in_their_order() -> None:
    assert same(
        records.scan_record(ScanResult(1, 2, 3, 4, 5, 2.00049, 7, 6, 6, 1, (("u", "U"),), ("look",))),
        {
            "added": 1,
            "updated": 2,
            "unchanged": 3,
            "removed": 4,
            "skipped": 5,
            "passed_over": 7,
            "kept": 6,
            "seconds": 2.0,
            "photos_per_second": 5.5,
            "respelt": 6,
            "lookalikes": 1,
            "alike": [["u", "U"]],
            "hints": ["look"],
        },
    )


def test_a_ring_has_the_fields_of_the_design_in_their_order() -> None:
    second = Photo("b2", "b2/9.jpg", "p2", None, NEW_YEAR + timedelta(days=1))
    itself = Evidence(Kind.EXACT, 1.0, 0, mirrored=False, rotation=0, overlap=1.0, agreement=1.0)
    group = Group("p1", LENA, (LENA, second), ("a17", "b2"), common=False, evidence=(itself, NEAR), diameter=8)
    ring = Ring(
        "r1",
        (RingAccount("a17", "Lena", LENA.seen_at), RingAccount("b2", None, second.seen_at)),
        (group,),
        "a17",
        ("Lena",),
        second.seen_at,
        new=True,
        accounts_per_day=1.0,
        bank="known-stolen",
        changes=(Change.NEW, Change.GROWN),
        joined=("b2",),
        left=("c3",),
        came_from=("r2",),
        went_to=("r3", "r4"),
    )
    first_photo = {"photo_id": "p1", "account": "a17", "photo": "a17/1.jpg", "seen_at": "2026-01-04T00:00:00Z"}
    first_photo |= records.evidence_record(itself) | {"frame": None}
    second_photo = {"photo_id": "p2", "account": "b2", "photo": "b2/9.jpg", "seen_at": "2026-01-05T00:00:00Z"}
    second_photo |= records.evidence_record(NEAR) | {"frame": None}
    assert same(
        records.ring_record(ring),
        {
            "ring": "r1",
            "accounts": [
                {"account": "a17", "name": "Lena", "first_seen": "2026-01-04T00:00:00Z"},
                {"account": "b2", "name": None, "first_seen": "2026-01-05T00:00:00Z"},
            ],
            "groups": [
                {
                    "group": "p1",
                    "medoid": "p1",
                    "diameter": 8,
                    "bank": None,
                    "decision": None,
                    "photos": [first_photo, second_photo],
                }
            ],
            "first_account": "a17",
            "names": ["Lena"],
            "opened_at": "2026-01-05T00:00:00Z",
            "strength": 1,
            "accounts_per_day": 1.0,
            "bank": "known-stolen",
            "new": True,
            "changes": ["new", "grown"],
            "joined": ["b2"],
            "left": ["c3"],
            "came_from": ["r2"],
            "went_to": ["r3", "r4"],
            "decision": None,
            "lookalikes": [],
            "all_alike": False,
            "version": ring.version,
            "bank_hits": [],
        },
    )
    assert len(ring.version) == 16
    rows = records.ring_rows(ring)
    assert [row["first"] for row in rows] == [True, False]
    of_group = {"ring": "r1", "changes": "new grown", "group": "p1", "bank": None, "decision": None}
    assert rows[1] == second_photo | of_group | {"name": None, "first": False}
    assert list(rows[1]) == list(RING_COLUMNS)


def test_a_decision_has_the_fields_of_the_design_in_their_order() -> None:
    decision = Decision(7, NEW_YEAR, Verdict.DISMISS, DecisionKind.PAIR, "p1 p2", "ann", None, 2)
    assert same(
        records.decision_record(decision),
        {
            "decision": 7,
            "verdict": "dismiss",
            "kind": "pair",
            "subject": "p1 p2",
            "photos": 2,
            "by": "ann",
            "reason": None,
            "decided_at": "2026-01-04T00:00:00Z",
            "undone_by": None,
        },
    )


def test_a_comparison_a_hash_a_status_and_an_erasure_are_plain_records() -> None:
    evidence = {key: value for key, value in MATCHED.items() if key in records.evidence_record(NEAR)}
    compared = records.compare_record(Comparison("a.jpg", "b.jpg", is_match=True, evidence=NEAR))
    frames = {"frame": None, "query_frame": None}
    whole = {"query_damaged": None, "stored_damaged": None}
    assert compared == {"query": "a.jpg", "stored": "b.jpg", "match": True, **whole, **evidence, **frames}
    hashed = Hashed("a.jpg", {"pdq": "00ff"}, 99, 400, 500, "JPEG")
    assert same(
        records.hash_record(hashed),
        {
            "photo": "a.jpg",
            "pdq": "00ff",
            "quality": 99,
            "width": 400,
            "height": 500,
            "format": "JPEG",
            "reason": None,
            "damaged": None,
            "frames": [],
        },
    )
    moving = Hashed("a.gif", {"pdq": "00ff"}, frames=(HashedFrame(3, 0.75, {"pdq": "00ff"}),))
    assert records.hash_record(moving)["frames"] == [{"frame": 3, "share": 0.75, "pdq": "00ff"}]
    status = records.status_record(
        IndexStatus(1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 0, 1, 2, ("phash", "pdq"), "flat", "book", 7, "ok", "damaged")
    )
    assert status["hashers"] == ["phash", "pdq"]
    counts = ("photos", "accounts", "fingerprints", "features", "ties", "decisions", "bank_pictures", "skipped")
    assert [status[name] for name in counts] == [1, 2, 3, 8, 9, 10, 11, 4]
    assert [status[name] for name in ("sources", "scans", "unfinished_scans", "unfinished_erasures")] == [5, 6, 0, 1]
    others = ("format", "engine", "codebook", "generation", "snapshot", "features_snapshot")
    assert [status[name] for name in others] == [2, "flat", "book", 7, "ok", "damaged"]
    erasure = Erasure(
        *("a17", None, 2, 8, 3, 1),
        searched={"ids": 3, "digests": 5},
        found={"left.tmp": {"digests": 1}},
        in_use={"photos.path": 2},
        reasons=(4, 7),
        masked_reasons=(9,),
        came_back=1,
        finished=False,
    )
    erased = records.erase_record(erasure)
    assert same(
        erased,
        {
            "account": "a17",
            "photo_id": None,
            "photos": 2,
            "searched_for": 8,
            "files_searched": 3,
            "traces": 1,
            "searched": {"ids": 3, "digests": 5},
            "found": {"left.tmp": {"digests": 1}},
            "in_use": {"photos.path": 2},
            "reasons": [4, 7],
            "masked_reasons": [9],
            "came_back": 1,
            "finished": False,
            "compacted": True,
            "elsewhere": [],
        },
    )
