"""Every text of the catalog in which an account, a photo, a name or a path could stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import String, select, text, type_coerce

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.dialects import is_postgresql

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from imgmatch.catalog.session import Session

TEXTS = {
    "decisions": ("reason", "subject", "by"),
    "decision_photos": ("photo_id", "account"),
    "sources": ("key",),
    "renames": ("key",),
    "leases": ("name", "owner"),
    "users": ("name",),
    "api_tokens": ("name",),
    "ring_reviews": ("ring", "reviewer"),
    "skipped_rings": ("ring", "reviewer"),
    "deliveries": ("answer",),
    "audit_log": ("actor", "subject"),
    "banks": ("name", "owner", "note", "checkpoint"),
    "bank_opinions": ("by", "reason"),
    "reported": ("sink", "subject", "ring", "answer"),
    "bank_entries": ("label", "photo_id", "account", "ref", "note", "category", "tags", "uri", "metadata"),
    "report_rings": ("ring",),
    "report_members": ("account", "ring"),
    "rings": ("ring", "changes", "joined", "left", "came_from", "went_to"),
    "ring_accounts": ("account",),
    "groups": ("name", "bank", "decision"),
    "clusterings": ("options",),
    "scans": ("counts",),
    "skipped": ("photo_id", "account", "label", "detail", "reason"),
    "accounts": ("account", "name", "attributes", "former"),
    "photos": ("photo_id", "label", "path"),
}
"""Tables, the small ones first, with the columns of people's texts."""

OWN_TEXTS = {
    "photos": ("format",),
    "photo_pictures": ("panel",),
    "fingerprints": ("hasher",),
    "features": ("codebook",),
    "pair_scores": ("outline_low", "outline_high"),
    "feature_searches": ("model",),
    "decisions": ("verdict", "kind"),
    "row_counts": ("kind", "part"),
    "orphans": ("kind",),
    "tombstones": ("kind", "part"),
    "group_photos": ("kind", "outline_photo", "outline_medoid"),
    "leases": ("token",),
    "erasures": ("stage",),
    "tokens": ("kind", "token", "pending"),
    "users": ("password", "role"),
    "api_tokens": ("scopes",),
    "banks": ("purpose",),
    "bank_opinions": ("opinion",),
    "audit_log": ("action",),
}
"""The others: imgmatch's own words, and numbers."""

_READ_AT_ONCE = 5_000
_SAMPLED = 500
_BETWEEN = "\0"
"""Stands in no text that is kept."""


def read_texts(session: Session) -> Iterator[tuple[str, bytes]]:
    """Every such text as the database has it, in blocks of many, each with the column it is of, as ``table.column``."""
    for name, columns in TEXTS.items():
        table = schema.metadata.tables[name]
        texts = [type_coerce(table.c[column], String) for column in columns]  # JSON is not parsed
        rows = session.sql.execute(select(*texts).execution_options(yield_per=_READ_AT_ONCE))
        for some in rows.partitions():
            for place, column in enumerate(columns):
                yield f"{name}.{column}", _BETWEEN.join(_as_text(row[place]) for row in some).encode()


def some_texts(session: Session) -> bytes:
    """Texts of some photos and accounts: what most of the others look like."""
    photos, accounts = schema.photos, schema.accounts
    columns = (photos.c.photo_id, photos.c.label, photos.c.path, accounts.c.account, accounts.c.name)
    attributes = type_coerce(accounts.c.attributes, String)
    query = select(*columns, attributes).join(accounts, accounts.c.id == photos.c.account_id)
    rows = session.sql.execute(query.order_by(photos.c.id).limit(_SAMPLED))
    return _BETWEEN.join(_as_text(text) for row in rows for text in row).encode()


def _as_text(value: object) -> str:
    """What a column of text holds, which in a damaged row may be anything."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return "" if value is None else str(value)


def format_texts(session: Session) -> bytes:
    """The words of the catalog's own format, which a name may happen to be."""
    if is_postgresql(session.sql):
        return b""  # its own tables say that, and no file of the index
    statements = session.sql.scalars(text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"))
    return _BETWEEN.join(statements).encode()


def names_in_use(session: Session, names: Collection[str]) -> set[str]:
    """Which of these are an account, a photo, a display name, a path, a label or a file name that is still there."""
    photos, accounts = schema.photos.c, schema.accounts.c
    used: set[str] = set()
    for chunk in chunks(names):
        for column in (accounts.account, accounts.name, photos.photo_id, photos.label, photos.path):
            used.update(session.sql.scalars(select(column).where(column.in_(chunk)).distinct()))
    files = {name for name in names if "/" not in name} - used
    if files:  # all of them in one pass: no index knows the ends of paths
        rows = session.sql.execute(select(photos.label, photos.path).execution_options(yield_per=_READ_AT_ONCE))
        used |= {name for row in rows for path in row if (name := path.rpartition("/")[2]) in files}
    return used
