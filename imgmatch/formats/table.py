"""Results for a person at a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from imgmatch.formats.evidence import bank_hit_line, named, there, unsearched
from imgmatch.formats.text import clean
from imgmatch.model import Change, Kind, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from imgmatch.model import CheckResult, Evidence, Hashed, Ring, RingsReport


_SLIGHT, _TURN = 2, 360
"""Degrees that nobody would call turned, and a whole turn."""

_WHOLE = 0.95
"""Share of the stored photo from which nothing is said of what is left out."""


def grid(columns: Sequence[str], rows: Sequence[Sequence[object]], width: int) -> str:
    """A plain table, as text ``width`` characters wide at the most."""
    table = Table(box=None, pad_edge=False, header_style="")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean("" if cell is None else str(cell))) for cell in row))
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(table)
    text = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO above
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


def fields_table(record: Mapping[str, Any], width: int) -> str:
    """One record, a field a line, or one for each record in it; lists that hold nothing are left out."""
    rows = [row for name, value in record.items() for row in _rows(name, value)]
    return "".join(grid(("", ""), rows, width).splitlines(keepends=True)[1:])


def _rows(name: str, value: Any) -> list[tuple[str, object]]:  # noqa: ANN401 -- whatever a record holds
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return [("" if number else name, _listed(one)) for number, one in enumerate(value)]
    return [(name, _listed(value))]


def _listed(value: Any) -> object:  # noqa: ANN401 -- whatever a record holds
    """Lists and nested fields on one line."""
    match value:
        case list():
            return ", ".join(" and ".join(map(str, one)) if isinstance(one, list) else str(one) for one in value)
        case dict():
            return ", ".join(_entry(name, each) for name, each in value.items())
        case _:
            return value


def _entry(name: str, value: Any) -> str:  # noqa: ANN401 -- likewise
    return f"{name} ({_listed(value)})" if isinstance(value, dict) else f"{name} {value}"


def check_table(result: CheckResult, width: int) -> str:
    """What a check of one photo found."""
    head = f"{clean(result.photo)}: {_verdict(result)}\n"
    head += "".join(f"  {bank_hit_line(hit)}\n" for hit in result.banks)
    head += f"  {unsearched(result.incomplete)}\n" if result.incomplete else ""
    if not result.matches:
        return head
    columns = ("  account", "name", "photo", "first seen", "kind", "score", "bits", "made by")
    rows = [
        (
            "  " + match.photo.account,
            match.photo.name,
            named(match.photo),
            day(match.photo.seen_at),
            match.evidence.kind,
            f"{match.evidence.score:.2f}",
            match.evidence.distance,
            how(match.evidence)
            + there(match.photo.damaged)
            + ("" if match.query_frame is None else f", from its frame {match.query_frame}"),
        )
        for match in result.matches
    ]
    return head + grid(columns, rows, width)


def _verdict(result: CheckResult) -> str:
    if result.status is Status.MATCH:
        beyond = ", not all shown" if result.truncated else ""
        if not result.accounts and not result.matches:
            return f"on no account, and known to be stolen{there(result.damaged)}"
        return f"on {_accounts(result.accounts)}{beyond}{there(result.damaged)}"
    if result.status is Status.NO_MATCH:
        return f"no match{there(result.damaged)}"
    return f"{str(result.status).replace('_', ' ')} ({clean(result.reason or '')})"


_NO_COPY = {Kind.RELATED: "another shot", Kind.TEMPLATE: "one template"}


def how(evidence: Evidence) -> str:
    """How the copy was made, in words."""
    if evidence.kind is Kind.EXACT:
        return "same picture"
    parts = [_NO_COPY[evidence.kind]] if evidence.kind in _NO_COPY else []
    if evidence.negative:
        parts.append("negative")
    if evidence.mirrored:
        parts.append("mirrored")
    if _SLIGHT < evidence.rotation < _TURN - _SLIGHT:
        parts.append(f"turned {evidence.rotation}°")
    if evidence.overlap is not None and evidence.overlap < _WHOLE:
        parts.append(f"shows {evidence.overlap:.0%} of it")
    return ", ".join(parts) or "upright"


def day(value: datetime) -> str:
    """A date, in UTC."""
    return value.astimezone(UTC).date().isoformat()


def hash_lines(hashed: Hashed) -> str:
    """Fingerprints as other tools print and read them: signal type, a space, 64 hexadecimal digits.

    Of a moving picture those of every frame that stands for it.
    """
    frames = [frame.fingerprints for frame in hashed.frames] or [hashed.fingerprints]
    return "".join(f"{name} {value}\n" for prints in frames for name, value in prints.items())


def rings_table(report: RingsReport, width: int, *, new: bool = False) -> str:
    """Rings, or with ``new`` what has changed of them, and the pictures too common to tie anybody."""
    nothing = "no rings\n" if report.since is None else f"nothing new since {day(report.since)}\n"
    text = "\n".join(_ring_table(ring, width) for ring in report.rings) or (nothing if new else "no rings\n")
    for gone in report.gone:
        text += f"\nring {gone.ring} is gone: {clean(', '.join(gone.accounts))}\n"
    for group in report.common:
        text += f"\ncommon picture, ties nobody: {clean(named(group.medoid))} on {_accounts(len(group.accounts))}\n"
    if report.bank_hits and new:  # a list may name photos of any age: they are told apart from what is new
        text += f"\n{len(report.bank_hits):,} hits on banks: see imgmatch bank hits\n"
    elif report.bank_hits:
        text += "\non banks:\n" + "".join(f"  {bank_hit_line(hit)}\n" for hit in report.bank_hits)
    if report.rings:
        low, high = report.expected_false_between
        text += f"\nwrong ties to be expected in the whole index: {report.expected_false:.1f} ({low} to {high})\n"
    return text


def _changes(ring: Ring) -> str:
    """What has become of a ring since the last report, in words."""
    parts = [str(change) for change in ring.changes if change is not Change.PICTURES]
    if Change.PICTURES in ring.changes:
        parts.append("other pictures")
    parts += [f"from {', '.join(ring.came_from)}"] if ring.came_from else []
    parts += [f"into {', '.join(ring.went_to)}"] if ring.went_to else []
    parts += [f"left: {', '.join(ring.left)}"] if ring.left else []
    return "; ".join(parts)


def _ring_table(ring: Ring, width: int) -> str:
    pictures = len(ring.groups)
    head = f"ring {ring.ring}: {_accounts(len(ring.accounts))}, {pictures} shared picture{'s' * (pictures != 1)}"
    head += f", {ring.bank}" if ring.bank else ""
    head += ", all look alike: may be one account" if ring.all_alike else ""
    head += f", decided: {ring.decision}" if ring.decision else ""
    changed = _changes(ring)
    joined = set(ring.joined) if ring.changes else set()
    carried = {
        member.account: [
            named(photo) for group in ring.groups for photo in group.photos if photo.account == member.account
        ]
        for member in ring.accounts
    }
    alike = {account for some in ring.lookalikes for account in some}
    rows = [
        (
            "  " + member.account,
            member.name,
            day(member.first_seen),
            ", ".join(_marks(member.account, ring.first_account, joined, alike)),
            ", ".join(carried[member.account]),
        )
        for member in ring.accounts
    ]
    speed = f", {ring.accounts_per_day:g} accounts a day" if len(ring.accounts) > 2 else ""  # noqa: PLR2004 -- of two, one came after the other
    head += f", since {day(ring.opened_at)}{speed}\n" + (f"  {clean(changed)}\n" if changed else "")
    return head + grid(("  account", "name", "since", "", "photos"), rows, width)


def _marks(account: str, first: str, joined: set[str], alike: set[str]) -> Iterator[str]:
    if account == first:
        yield "first"
    elif account in joined:
        yield "joined"
    if account in alike:
        yield "lookalike"


def _accounts(count: int) -> str:
    return f"{count:,} account{'s' * (count != 1)}"
