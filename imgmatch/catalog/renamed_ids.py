"""What names a photo by its id, beside the photo itself: it follows when the id changes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, delete, select, update

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.decisions import change_reason, read_reasons

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Column, Table

    from imgmatch.catalog.session import Session

_DERIVED = re.compile(r"\b[0-9a-f]{20}\b")
"""Only derived ids change."""


def rename_ids(session: Session, ids: Mapping[str, str]) -> None:
    """Have decisions, groups and known pictures name photos by their new ids.

    Args:
        session: one that may write.
        ids: old id to new one.
    """
    for chunk in chunks(ids):
        some = {before: ids[before] for before in chunk}
        _rename_subjects(session, some)
        _rename_decided(session, some)
        _rename(session, schema.groups, schema.groups.c.name, some)
        _rename(session, schema.bank_entries, schema.bank_entries.c.photo_id, some)


def rename_in_reasons(session: Session, renamed: Callable[[set[str]], Mapping[str, str]]) -> None:
    """Have the reasons of decisions name photos by their new ids.

    Args:
        session: one that may write.
        renamed: tells which of some words are old ids, and the new ones.
    """
    reasons = read_reasons(session)
    ids = renamed({word for _, reason in reasons for word in _DERIVED.findall(reason)})
    for decision, reason in reasons:
        said = _DERIVED.sub(lambda found: ids.get(found.group(), found.group()), reason)
        if said != reason:
            change_reason(session, decision, said)


def _rename_subjects(session: Session, ids: Mapping[str, str]) -> None:
    table, decisions = schema.decision_photos.c, schema.decisions
    query = select(decisions.c.id, decisions.c.subject).join(
        schema.decision_photos, table.decision_id == decisions.c.id
    )
    for row, subject in set(session.sql.execute(query.where(table.photo_id.in_(list(ids))).distinct())):
        if subject is None:
            continue
        said = " ".join(ids.get(word, word) for word in subject.split(" "))
        if said != subject:
            session.sql.execute(update(decisions).where(decisions.c.id == row).values(subject=said))


def _rename_decided(session: Session, ids: Mapping[str, str]) -> None:
    """A decision that is about the photo under both ids, as it was scanned twice, is about it once."""
    table = schema.decision_photos
    keys = (table.c.decision_id, table.c.picture)
    rows = list(session.sql.execute(select(*keys, table.c.photo_id).where(table.c.photo_id.in_(list(ids)))))
    known = {
        tuple(row)
        for row in session.sql.execute(select(*keys, table.c.photo_id).where(table.c.photo_id.in_(list(ids.values()))))
    }
    values = [
        {"decision": row, "at": picture, "before": before, "photo_id": ids[before]} for row, picture, before in rows
    ]
    this = and_(keys[0] == bindparam("decision"), keys[1] == bindparam("at"), table.c.photo_id == bindparam("before"))
    twice = [value for value in values if (value["decision"], value["at"], value["photo_id"]) in known]
    if twice:
        session.sql.execute(delete(table).where(this), [{key: value[key] for key in value if key != "photo_id"}
                                                        for value in twice])  # fmt: skip
    if once := [value for value in values if value not in twice]:
        session.sql.execute(update(table).where(this), once)


def _rename(session: Session, table: Table, column: Column[str], ids: Mapping[str, str]) -> None:
    rows = session.sql.execute(select(table.c.id, column).where(column.in_(list(ids))))
    values = [{"row": row, column.name: ids[before]} for row, before in rows]
    if values:
        session.sql.execute(update(table).where(table.c.id == bindparam("row")), values)
