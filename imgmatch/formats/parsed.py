"""Results back from the records that programs are given: what a client of the API hands out.

A record says less than the value it was made of: outlines are left out, and so are display names where they stand
elsewhere in it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from imgmatch.model import (
    AccountView,
    BankHit,
    Change,
    CheckResult,
    Comparison,
    Decision,
    DecisionKind,
    EnginePlace,
    Erasure,
    Evidence,
    Group,
    HeldLease,
    IndexStatus,
    Kind,
    Match,
    Photo,
    Purpose,
    Ring,
    RingAccount,
    RingQueue,
    RingSummary,
    ShardHealth,
    SharedPhoto,
    Status,
    Verdict,
)

Record = dict[str, Any]


def parsed_evidence(record: Record) -> Evidence:
    """Evidence, as part of a match."""
    return Evidence(
        Kind(record["kind"]),
        record["score"],
        record["distance"],
        record["mirrored"],
        record["rotation"],
        record["overlap"],
        record["agreement"],
        negative=record.get("negative", False),  # a server of a version before does not tell
    )


def parsed_photo(record: Record, name: str | None = None) -> Photo:
    """A stored photo."""
    return Photo(
        account=record["account"],
        photo=record["photo"],
        photo_id=record["photo_id"],
        name=record.get("name", name),
        seen_at=_moment(record["seen_at"]),
        bank=record.get("bank"),
        frame=record["frame"],
        damaged=record.get("damaged"),
    )


def parsed_check(record: Record) -> CheckResult:
    """What a check of one photo found."""
    matches = (Match(parsed_photo(one), parsed_evidence(one), one["query_frame"]) for one in record["matches"])
    return CheckResult(
        photo=record["photo"],
        status=Status(record["status"]),
        reason=record["reason"],
        accounts=record["accounts"],
        truncated=record["truncated"],
        matches=tuple(matches),
        damaged=record["damaged"],
        banks=tuple(map(parsed_bank_hit, record["banks"])),
        incomplete=tuple(record["incomplete"]),
    )


def parsed_bank_hit(record: Record) -> BankHit:
    """An entry of a bank that a photo hits."""
    evidence = parsed_evidence(record)
    return BankHit(
        record["bank"], Purpose(record["purpose"]), record["entry"], record["ref"], evidence, record["query_frame"]
    )


def parsed_comparison(record: Record) -> Comparison:
    """Two photos side by side."""
    return Comparison(
        query=record["query"],
        stored=record["stored"],
        is_match=record["match"],
        evidence=parsed_evidence(record),
        frame=record["frame"],
        query_frame=record["query_frame"],
        query_damaged=record["query_damaged"],
        stored_damaged=record["stored_damaged"],
    )


def parsed_decision(record: Record) -> Decision:
    """What a moderator said."""
    return Decision(
        number=record["decision"],
        decided_at=_moment(record["decided_at"]),
        verdict=Verdict(record["verdict"]),
        kind=DecisionKind(record["kind"]),
        subject=record["subject"],
        by=record["by"],
        reason=record["reason"],
        photos=record["photos"],
        undone_by=record["undone_by"],
    )


def parsed_ring(record: Record) -> Ring:
    """One ring."""
    names = {one["account"]: one["name"] for one in record["accounts"]}
    return Ring(
        ring=record["ring"],
        accounts=tuple(
            RingAccount(one["account"], one["name"], _moment(one["first_seen"])) for one in record["accounts"]
        ),
        groups=tuple(_group(one, names) for one in record["groups"]),
        first_account=record["first_account"],
        names=tuple(record["names"]),
        opened_at=_moment(record["opened_at"]),
        new=record["new"],
        decision=record["decision"],
        accounts_per_day=record["accounts_per_day"],
        bank=record["bank"],
        changes=tuple(map(Change, record["changes"])),
        joined=tuple(record["joined"]),
        left=tuple(record["left"]),
        came_from=tuple(record["came_from"]),
        went_to=tuple(record["went_to"]),
        bank_hits=tuple(map(parsed_bank_hit, record["bank_hits"])),
    )


def _group(record: Record, names: dict[str, str | None]) -> Group:
    photos = tuple(parsed_photo(one, names.get(one["account"])) for one in record["photos"])
    medoid = next((photo for photo in photos if photo.photo_id == record["medoid"]), photos[0])
    return Group(
        group=record["group"],
        medoid=medoid,
        photos=photos,
        accounts=tuple(dict.fromkeys(photo.account for photo in photos)),
        common=False,
        evidence=tuple(map(parsed_evidence, record["photos"])),
        diameter=record["diameter"],
        bank=record["bank"],
        decision=record["decision"],
    )


def parsed_queue(record: Record) -> RingQueue:
    """A part of a queue."""
    oldest = record["oldest_waiting"]
    return RingQueue(
        rings=tuple(map(_summary, record["rings"])),
        total=record["total"],
        waiting=record["waiting"],
        oldest_waiting=None if oldest is None else _moment(oldest),
        next=record["next"],
    )


def _summary(record: Record) -> RingSummary:
    return RingSummary(
        ring=record["ring"],
        accounts=record["accounts"],
        pictures=record["pictures"],
        first_account=record["first_account"],
        first_name=record["first_name"],
        names=tuple(record["names"]),
        opened_at=_moment(record["opened_at"]),
        last_seen=_moment(record["last_seen"]),
        accounts_per_day=record["accounts_per_day"],
        new=record["new"],
        changes=tuple(map(Change, record["changes"])),
        bank=record["bank"],
        decision=record["decision"],
        waiting=record["waiting"],
        decided=record["decided"],
    )


def parsed_account(record: Record) -> AccountView:
    """One account, and all that is known of it."""
    name = record["name"]
    return AccountView(
        account=record["account"],
        name=name,
        first_seen=_moment(record["first_seen"]),
        photos=tuple(parsed_photo(one, name) for one in record["photos"]),
        shares=tuple(_share(one, name) for one in record["shares"]),
        rings=tuple(record["rings"]),
        decisions=tuple(map(parsed_decision, record["decisions"])),
        lookalikes=tuple(record["lookalikes"]),
        attributes=record["attributes"],
        bank_hits=tuple(map(parsed_bank_hit, record["bank_hits"])),
    )


def _share(record: Record, name: str | None) -> SharedPhoto:
    return SharedPhoto(
        own=parsed_photo(record["own"], name),
        other=parsed_photo(record["other"], record["name"]),
        evidence=parsed_evidence(record["evidence"]),
        own_evidence=parsed_evidence(record["own_evidence"]),
        group=record["group"],
        common=record["common"],
        others=record["others"],
        ring=record["ring"],
    )


def parsed_status(record: Record) -> IndexStatus:
    """Counts and health."""
    lists = {name: tuple(record[name]) for name in ("hashers", "damage")}
    holders = {
        "shards": tuple(ShardHealth(**shard) for shard in record["shards"]),
        "leases": tuple(HeldLease(**_with_moments(one, "since", "until")) for one in record["leases"]),
        "places": tuple(EnginePlace(**_with_moments(one, "opened_at")) for one in record["places"]),
    }
    return IndexStatus(**{**record, **lists, **holders})


def _with_moments(record: Record, *names: str) -> Record:
    return record | {name: _moment(record[name]) for name in names}


def parsed_erasure(record: Record) -> Erasure:
    """What was erased, and the proof; which photos and accounts are gone is not told."""
    lists = {name: tuple(record[name]) for name in ("reasons", "masked_reasons", "elsewhere")}
    return Erasure(**{**record, **lists})


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
