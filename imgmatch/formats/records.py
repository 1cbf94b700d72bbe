"""Results as plain dictionaries, in the shapes other programs rely on (docs/formats.md, "JSON")."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imgmatch.model import (
        AccountView,
        AuditEntry,
        AuditProof,
        Bank,
        BankEntry,
        BankHit,
        CheckResult,
        Comparison,
        Copied,
        Decision,
        Erasure,
        Evidence,
        Forecast,
        Gone,
        Group,
        Hashed,
        IndexStatus,
        KnownSource,
        ListImport,
        Match,
        Photo,
        ProfileMatch,
        ReportSearch,
        Ring,
        RingQueue,
        RingSummary,
        ScanResult,
        SourceChange,
    )

Record = dict[str, Any]

RING_COLUMNS = (
    "ring",
    "changes",
    "group",
    "bank",
    "decision",
    "account",
    "name",
    "photo",
    "photo_id",
    "seen_at",
    "first",
    "kind",
    "score",
    "distance",
    "mirrored",
    "rotation",
    "overlap",
    "agreement",
    "negative",
    "frame",
)
"""The columns of :func:`ring_rows`."""


def moment(value: datetime) -> str:
    """ISO 8601 in UTC, with the letter Z; fractions of a second only where there are any."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def share(part: float | None) -> float | None:
    """How much of a damaged photo is there, in whole thousandths: a little less than all of it is never all."""
    return None if part is None else math.floor(part * 1000) / 1000


def evidence_record(evidence: Evidence) -> Record:
    """Evidence, as part of a match."""
    return {
        "kind": str(evidence.kind),
        "score": evidence.score,
        "distance": evidence.distance,
        "mirrored": evidence.mirrored,
        "rotation": evidence.rotation,
        "overlap": evidence.overlap,
        "agreement": evidence.agreement,
        "negative": evidence.negative,
    }


def match_record(match: Match) -> Record:
    """One matching photo."""
    photo = match.photo
    return {
        "account": photo.account,
        "name": photo.name,
        "photo": photo.photo,
        "photo_id": photo.photo_id,
        "seen_at": moment(photo.seen_at),
        "bank": photo.bank,
        "damaged": share(photo.damaged),
        **evidence_record(match.evidence),
        "frame": match.frame,
        "query_frame": match.query_frame,
    }


def bank_hit_record(hit: BankHit) -> Record:
    """An entry of a bank that a photo hits; which photo, where stored ones were asked about."""
    photo: Record = {}
    if hit.photo is not None:
        photo = {"account": hit.photo.account, "photo_id": hit.photo.photo_id, "photo": hit.photo.photo}
        photo |= {"frame": hit.photo.frame}
    head: Record = {"bank": hit.bank, "purpose": str(hit.purpose), "entry": hit.entry, "ref": hit.ref}
    return {**head, **evidence_record(hit.evidence), "query_frame": hit.query_frame, **photo}


def bank_record(bank: Bank) -> Record:
    """One bank."""
    return {**asdict(bank), "purpose": str(bank.purpose), "created_at": moment(bank.created_at)}


def bank_entry_record(entry: BankEntry) -> Record:
    """What stands on a bank."""
    times = ("added_at", "muted_until", "quarantined_at")
    told: Record = {name: None if (at := getattr(entry, name)) is None else moment(at) for name in times}
    opinion = None if entry.opinion is None else str(entry.opinion)
    return {**asdict(entry), **told, "opinion": opinion, "tags": list(entry.tags), "metadata": dict(entry.metadata)}


def list_import_record(done: ListImport) -> Record:
    """What an import of a list did."""
    first = [{"line": bad.line, "reason": bad.reason} for bad in done.first_bad]
    return {**asdict(done), "first_bad": first}


def check_record(result: CheckResult) -> Record:
    """What a check of one photo found."""
    return {
        "photo": result.photo,
        "status": str(result.status),
        "reason": result.reason,
        "accounts": result.accounts,
        "truncated": result.truncated,
        "damaged": share(result.damaged),
        "matches": [match_record(match) for match in result.matches],
        "banks": [bank_hit_record(hit) for hit in result.banks],
        "incomplete": list(result.incomplete),
    }


def check_rows(result: CheckResult) -> list[Record]:
    """The same for a spreadsheet: one row a match or a hit on a bank, and one for a photo without any."""
    head: Record = {"query": result.photo, "status": str(result.status), "reason": result.reason}
    head["query_damaged"] = share(result.damaged)
    head["incomplete"] = "; ".join(result.incomplete) or None
    rows = [head | match_record(match) for match in result.matches]
    return [*rows, *(head | bank_hit_record(hit) for hit in result.banks)] or [head]


def copied_record(done: Copied) -> Record:
    """Of a copy of an index."""
    return {"home": done.home, "tables": done.tables, "rows": done.rows, "kept": done.kept}


def scan_record(result: ScanResult) -> Record:
    """What a scan did."""
    told = ("seconds", "respelt", "lookalikes", "alike", "hints")
    record = {name: value for name, value in asdict(result).items() if name not in told}
    record |= {"seconds": round(result.seconds, 3), "photos_per_second": round(result.photos_per_second, 1)}
    record |= {"respelt": result.respelt, "lookalikes": result.lookalikes}
    return record | {"alike": [list(some) for some in result.alike], "hints": list(result.hints)}


def source_record(known: KnownSource) -> Record:
    """A source, and what is known of it."""
    return {
        "source": known.source,
        "kind": known.kind,
        "photos": known.photos,
        "last_scan": None if known.last_scan is None else moment(known.last_scan),
        "last_finished": None if known.last_finished is None else moment(known.last_finished),
    }


def source_change_record(change: SourceChange) -> Record:
    """What has become of a source."""
    return asdict(change)


def compare_record(comparison: Comparison) -> Record:
    """Two photos side by side."""
    return {
        "query": comparison.query,
        "stored": comparison.stored,
        "match": comparison.is_match,
        "query_damaged": share(comparison.query_damaged),
        "stored_damaged": share(comparison.stored_damaged),
        **evidence_record(comparison.evidence),
        "frame": comparison.frame,
        "query_frame": comparison.query_frame,
    }


def hash_record(hashed: Hashed) -> Record:
    """A photo's fingerprints."""
    record = asdict(hashed) | {"damaged": share(hashed.damaged)}
    frames = [frame | frame.pop("fingerprints") for frame in record.pop("frames")]
    return {"photo": record.pop("photo"), **record.pop("fingerprints"), **record, "frames": frames}


def decision_record(decision: Decision) -> Record:
    """What a moderator said."""
    return {
        "decision": decision.number,
        "verdict": str(decision.verdict),
        "kind": str(decision.kind),
        "subject": decision.subject,
        "photos": decision.photos,
        "by": decision.by,
        "reason": decision.reason,
        "decided_at": moment(decision.decided_at),
        "undone_by": decision.undone_by,
    }


def audit_record(entry: AuditEntry) -> Record:
    """One thing that was done."""
    return {
        "number": entry.number,
        "at": moment(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "digest": entry.digest,
    }


def proof_record(proof: AuditProof) -> Record:
    """Whether the log is whole."""
    return {**asdict(proof), "whole": proof.is_whole}


def photo_record(photo: Photo) -> Record:
    """A stored photo."""
    return {
        "photo_id": photo.photo_id,
        "account": photo.account,
        "photo": photo.photo,
        "seen_at": moment(photo.seen_at),
        "frame": photo.frame,
        "damaged": share(photo.damaged),
    }


def account_record(view: AccountView) -> Record:
    """One account, and all that is known of it."""
    return {
        "account": view.account,
        "name": view.name,
        "first_seen": moment(view.first_seen),
        "attributes": dict(view.attributes),
        "photos": [photo_record(photo) for photo in view.photos],
        "shares": [
            {
                "own": photo_record(one.own),
                "other": photo_record(one.other),
                "name": one.other.name,
                "evidence": evidence_record(one.evidence),
                "own_evidence": evidence_record(one.own_evidence),
                "group": one.group,
                "common": one.common,
                "others": one.others,
                "ring": one.ring,
            }
            for one in view.shares
        ],
        "rings": list(view.rings),
        "bank_hits": [bank_hit_record(hit) for hit in view.bank_hits],
        "decisions": [decision_record(one) for one in view.decisions],
        "lookalikes": list(view.lookalikes),
    }


def summary_record(one: RingSummary) -> Record:
    """A ring as a queue shows it."""
    return {
        "ring": one.ring,
        "accounts": one.accounts,
        "pictures": one.pictures,
        "first_account": one.first_account,
        "first_name": one.first_name,
        "names": list(one.names),
        "opened_at": moment(one.opened_at),
        "last_seen": moment(one.last_seen),
        "accounts_per_day": one.accounts_per_day,
        "new": one.new,
        "changes": [str(change) for change in one.changes],
        "bank": one.bank,
        "decision": one.decision,
        "waiting": one.waiting,
        "decided": one.decided,
    }


def queue_record(queue: RingQueue) -> Record:
    """A part of a queue."""
    return {
        "rings": [summary_record(one) for one in queue.rings],
        "total": queue.total,
        "waiting": queue.waiting,
        "oldest_waiting": None if queue.oldest_waiting is None else moment(queue.oldest_waiting),
        "next": queue.next,
    }


def profile_record(one: ProfileMatch) -> Record:
    """An account that carries photos of a profile."""
    return {
        "account": one.account,
        "name": one.name,
        "photos": one.photos,
        "score": one.score,
        "first_seen": moment(one.first_seen),
    }


def group_record(group: Group) -> Record:
    """Photos of one picture, each with how it stands to the medoid."""
    photos = [
        {
            "photo_id": photo.photo_id,
            "account": photo.account,
            "photo": photo.photo,
            "seen_at": moment(photo.seen_at),
            **evidence_record(evidence),
            "frame": photo.frame,
        }
        for photo, evidence in zip(group.photos, group.evidence, strict=True)
    ]
    return {
        "group": group.group,
        "medoid": group.medoid.photo_id,
        "diameter": group.diameter,
        "bank": group.bank,
        "decision": group.decision,
        "photos": photos,
    }


def ring_record(ring: Ring) -> Record:
    """One ring."""
    return {
        "ring": ring.ring,
        "accounts": [
            {"account": member.account, "name": member.name, "first_seen": moment(member.first_seen)}
            for member in ring.accounts
        ],
        "groups": [group_record(group) for group in ring.groups],
        "first_account": ring.first_account,
        "names": list(ring.names),
        "opened_at": moment(ring.opened_at),
        "strength": ring.strength,
        "accounts_per_day": ring.accounts_per_day,
        "bank": ring.bank,
        "new": ring.new,
        "changes": [str(change) for change in ring.changes],
        "joined": list(ring.joined),
        "left": list(ring.left),
        "came_from": list(ring.came_from),
        "went_to": list(ring.went_to),
        "decision": ring.decision,
        "lookalikes": [list(some) for some in ring.lookalikes],
        "all_alike": ring.all_alike,
        "version": ring.version,
        "bank_hits": [bank_hit_record(hit) for hit in ring.bank_hits],
    }


def gone_record(gone: Gone) -> Record:
    """A ring of the last report that is none any more, in the form of one that is."""
    empty: Record = {"accounts": [], "groups": [], "first_account": None, "names": [], "opened_at": None, "strength": 0}
    changes: Record = {"new": False, "changes": ["gone"], "joined": [], "left": list(gone.accounts)}
    rest: Record = {"came_from": [], "went_to": [], "decision": None, "lookalikes": [], "all_alike": False}
    rest |= {"version": None, "bank_hits": []}
    return {"ring": gone.ring, **empty, "accounts_per_day": 0.0, "bank": None, **changes, **rest}


def ring_rows(ring: Ring) -> list[Record]:
    """The same for a spreadsheet: one row a photo of a shared group."""
    names = {member.account: member.name for member in ring.accounts}
    return [
        {
            "ring": ring.ring,
            "changes": " ".join(ring.changes),
            "group": group.group,
            "bank": group.bank,
            "decision": group.decision,
            "account": photo.account,
            "name": names[photo.account],
            "photo": photo.photo,
            "photo_id": photo.photo_id,
            "seen_at": moment(photo.seen_at),
            "first": photo.account == ring.first_account,
            **evidence_record(evidence),
            "frame": photo.frame,
        }
        for group in ring.groups
        for photo, evidence in zip(group.photos, group.evidence, strict=True)
    ]


def status_record(status: IndexStatus) -> Record:
    """Counts and health."""
    record = asdict(status) | {"hashers": list(status.hashers), "damage": list(status.damage)}
    leases = [asdict(one) | {"since": moment(one.since), "until": moment(one.until)} for one in status.leases]
    places = [asdict(one) | {"opened_at": moment(one.opened_at)} for one in status.places]
    return record | {"shards": list(record["shards"]), "leases": leases, "places": places}


def forecast_record(forecast: Forecast) -> Record:
    """What an index will answer."""
    return asdict(forecast)


def erase_record(erasure: Erasure, reports: ReportSearch | None = None) -> Record:
    """What was erased, and the proof; where reports were searched, which of them still show it."""
    record: Record = {
        "account": erasure.account,
        "photo_id": erasure.photo_id,
        "photos": erasure.photos,
        "searched_for": erasure.searched_for,
        "files_searched": erasure.files_searched,
        "traces": erasure.traces,
        "searched": dict(erasure.searched),
        "found": {file: dict(kinds) for file, kinds in erasure.found.items()},
        "in_use": dict(erasure.in_use),
        "reasons": list(erasure.reasons),
        "masked_reasons": list(erasure.masked_reasons),
        "came_back": erasure.came_back,
        "finished": erasure.finished,
        "compacted": erasure.compacted,
        "elsewhere": list(erasure.elsewhere),
    }
    if reports is not None:
        record |= {"reports_read": reports.read, "reports_showing": [str(path) for path in reports.showing]}
    return record
