"""Coop, the open review console: rings are reported into its queue.

What a report must look like is read from Coop's own checks, roostorg/coop at 1c1f54d (2026-08-21):
``server/routes/reporting/ReportingRoutes.ts`` (what is required, and of which type), ``submitReport.ts`` there (what is
done with it) and ``server/services/itemProcessingService/types.ts`` (an item). From these follows:

- ``reporter.kind`` is ``user`` and nothing else, with ``typeId`` and ``id``, which are not looked up.
- an item takes ``id``, ``data`` and ``typeId``. What its type requires of ``data`` we do not know: as ``partial`` it
  may lack fields.
- pictures whose addresses stand in ``data.images`` are fetched: none are sent.
- other accounts, ``additionalItems``, are kept for context, but a reviewer sees only those of a content type: so the
  reason names them.
- a report of an account whose job still waits is added to that job: so it is always the same account of a ring.
- 201 comes once the report is kept, with its ``reportId``. Reports cannot be taken back.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from imgmatch.formats.records import moment
from imgmatch.formats.text import clean
from imgmatch.web.deliveries import Carried
from imgmatch.web.pages.ring import possible_owner
from imgmatch.web.posting import Answer, post
from imgmatch.web.settings import coop_key

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from imgmatch import Index
    from imgmatch.actions.ring_reports import Finding
    from imgmatch.catalog.reported import DueReport
    from imgmatch.model import RingAccount
    from imgmatch.web.settings import ServeSettings

SINK = "coop"
MOST_ITEMS = 1_000
"""Accounts of one report beside the reported one: Coop files each, all at once."""

_ROUTE = "/api/v1/report"
_REPORTER = "imgmatch"
_CREATED = 201
_MOST_ANSWER = 4_096
_REPORT_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_NAMED, _LONGEST_NAME = 20, 100


@dataclass(frozen=True, slots=True)
class CoopForm:
    """What a house has set up in its Coop.

    Attributes:
        account_type: id of the item type that its accounts are of.
        name_field: field of that type for the display name; ``None`` sends none.
        policy: id of the policy that is named as violated; ``None`` names none.
        pages: where a moderator opens imgmatch's own pages; ``None`` gives no link.
    """

    account_type: str
    name_field: str | None = None
    policy: str | None = None
    pages: str | None = None


class Coop:
    """Reports rings to it."""

    name = "Coop"

    def __init__(self, index: Index, settings: ServeSettings) -> None:
        """``settings`` name its URL.

        Raises:
            ImgmatchError: there is no key to report with.
        """
        self._reports = index.outbox.reports(SINK, confirmed=True, found=SINK in settings.report_new_rings)
        self._url = (settings.coop_url or "").rstrip("/").removesuffix(_ROUTE) + _ROUTE
        self._form = CoopForm(settings.coop_type, settings.coop_name_field, settings.coop_policy, settings.public_url)
        self._key = coop_key()

    def begin(self) -> None:
        """See :class:`~imgmatch.web.deliveries.Channel`."""
        self._reports.begin()

    def turn(self) -> AbstractContextManager[bool]:
        """Likewise."""
        return self._reports.turn()

    def due(self) -> list[DueReport]:
        """Likewise."""
        return self._reports.due()

    def carry(self, one: DueReport) -> Carried:
        """Likewise."""
        finding = self._reports.finding(one)
        if isinstance(finding, str):
            return self._skipped(one, finding)
        report = coop_report(finding, self._form)
        if report is None:
            return self._skipped(one, "nobody but possible owners")
        answer = post(self._url, json.dumps(report).encode(), {"X-API-KEY": self._key}, _MOST_ANSWER)
        delivered = answer.status == _CREATED
        said = f"{answer.text} {_report_id(answer)}".rstrip() if delivered else answer.text
        self._reports.note(one, finding, said, delivered=delivered)
        return Carried(one.subject, said, is_good=delivered)

    def _skipped(self, one: DueReport, why: str) -> Carried:
        self._reports.skip(one, why)
        return Carried(one.subject, why)


def _report_id(answer: Answer) -> str:
    """By what Coop knows the report; empty where it does not say so in a form that can be kept."""
    try:
        found = json.loads(answer.head)["reportId"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return found if isinstance(found, str) and _REPORT_ID.fullmatch(found) else ""


def coop_report(finding: Finding, form: CoopForm, at: datetime | None = None) -> dict[str, Any] | None:
    """What Coop is told: no picture, no path, and no account that may be the owner of what is shared.

    Args:
        finding: the ring.
        form: what is set up there.
        at: when it is reported; now, if that is not given.

    Returns:
        ``None`` where every account may be the owner.
    """
    part = finding.part
    owners = _possible_owners(finding)
    others = [member for member in part.accounts if member.account not in owners]
    if not others:
        return None
    # Of those that came first at the same time nobody knows who is the owner: one that came later, if there is one.
    reported = next((one for one in others if one.first_seen > part.accounts[0].first_seen), others[0])
    others.remove(reported)
    policy = {} if form.policy is None else {"policyId": form.policy}
    report = {
        "reporter": {"kind": "user", "typeId": form.account_type, "id": _REPORTER},
        "reportedAt": moment((at or datetime.now(UTC)).replace(microsecond=0)),
        "reportedForReason": {**policy, "reason": _reason(finding, form, owners, others)},
        "reportedItem": _item(reported, form),
    }
    items = [_item(one, form) for one in others[:MOST_ITEMS]]
    return report | ({"additionalItems": items} if items else {})


def _possible_owners(finding: Finding) -> list[str]:
    """Who had a picture of the ring before all others, and who had one of the part that is told."""
    first = {possible_owner(finding.ring), possible_owner(finding.part)}
    return [member.account for member in finding.part.accounts if member.account in first]


def _item(member: RingAccount, form: CoopForm) -> dict[str, Any]:
    data = {} if form.name_field is None else {form.name_field: member.name or member.account}
    return {"id": member.account, "typeId": form.account_type, "typeSchemaVariant": "partial", "data": data}


def _reason(finding: Finding, form: CoopForm, owners: list[str], others: list[RingAccount]) -> str:
    part = finding.part
    accounts, pictures = len(part.accounts), len(part.groups)
    said = [f"imgmatch: {accounts} accounts share {pictures} photo{'' if pictures == 1 else 's'} ({_state(finding)})."]
    if owners:
        said.append(f"Possibly the owner, and not reported: {_listed(owners)}.")
    if others:
        said.append(f"The others: {_listed([one.account for one in others])}.")
    if len(others) > MOST_ITEMS:
        said.append(f"The first {MOST_ITEMS:,} of them are items of this report.")
    if form.pages is not None:
        said.append(f"{form.pages.rstrip('/')}/rings/{quote(finding.ring.ring, safe='')}")
    return " ".join(said)


def _state(finding: Finding) -> str:
    if finding.part.decision is None:
        said = "nobody has decided on it"
    else:
        said = "confirmed" if finding.by is None else f"confirmed by {_short(finding.by)}"
    return said if finding.before is None else f"{said}; reported before with {finding.before} accounts"


def _listed(accounts: list[str]) -> str:
    named = ", ".join(_short(one) for one in accounts[:_NAMED])
    return named if len(accounts) <= _NAMED else f"{named} and {len(accounts) - _NAMED:,} more"


def _short(text: str) -> str:
    shown = clean(text)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[:_LONGEST_NAME]}…"
