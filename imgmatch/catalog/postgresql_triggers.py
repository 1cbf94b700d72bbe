"""What PostgreSQL does of itself as rows come and go, of all rows of a statement at once.

It is what :mod:`row_counts`, :mod:`lookalikes` and :mod:`stale` have SQLite do. A trigger for each row would count a
batch by changing one row of the counts a thousand times, and every change would be a new version of that row for the
next to walk past. The tests hold both databases to the same tables after the same writes.
"""

# ruff: noqa: S608 -- all names in these statements are ours

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch.catalog.row_counts import COUNTED, IN_ENGINES, SEARCHED

if TYPE_CHECKING:
    from collections.abc import Iterator

CHANNEL = "imgmatch"
"""Of the database: what is said there is the schema that rows were added in which are searched."""

_TAG = "$imgmatch$"
_ADDED, _GONE = "added", "gone"
"""What the functions call the rows of a statement."""

_TABLES = {
    "INSERT": f"NEW TABLE AS {_ADDED}",
    "DELETE": f"OLD TABLE AS {_GONE}",
    "UPDATE": f"OLD TABLE AS {_GONE} NEW TABLE AS {_ADDED}",
}

_JOINED = "(SELECT joined_watermark FROM clusterings)"
_SHOWING = (
    "SELECT l.fingerprint_id FROM photo_pictures p"
    " JOIN photo_fingerprints l ON l.photo_id = p.photo_id AND l.place = p.place"
    f" WHERE p.pixels IN ({{pixels}}) AND l.fingerprint_id <= {_JOINED}"
    " UNION SELECT b.fingerprint_id FROM bank_entries b WHERE b.pixels IN ({pixels}) AND b.fingerprint_id IS NOT NULL"
)
_HIT = (
    "SELECT o.fingerprint_id FROM photo_fingerprints l"
    " JOIN photo_fingerprints o ON o.photo_id = l.photo_id AND o.place = l.place"
    f" WHERE l.fingerprint_id IN (SELECT fingerprint_id FROM {{rows}}) AND o.fingerprint_id <= {_JOINED}"
)
_DECIDED = (
    "SELECT f.id FROM fingerprints f WHERE f.hasher IN (SELECT part FROM row_counts WHERE kind = 'fingerprints')"
    f" AND f.bits IN ({{bits}}) AND f.id <= {_JOINED}"
)


def _noted(query: str) -> str:
    return (
        f"INSERT INTO stale_fingerprints (fingerprint_id) SELECT DISTINCT * FROM ({query}) AS q ON CONFLICT DO NOTHING;"
    )


def _orphaned(kind: str, query: str) -> str:
    return (
        f"INSERT INTO orphans (kind, \"row\") SELECT DISTINCT '{kind}', q.* FROM ({query}) AS q ON CONFLICT DO NOTHING;"
    )


_LOST_PICTURES = _orphaned("features", f"SELECT id FROM features WHERE pixels IN (SELECT pixels FROM {_GONE})")
_SAID = f"PERFORM pg_notify('{CHANNEL}', TG_TABLE_SCHEMA);"
"""For those who search these rows; a transaction says it once, when it is committed."""

_MOVED = "a.account_id <> g.account_id"

_RULES: dict[tuple[str, str], tuple[str, ...]] = {
    ("accounts", "INSERT"): (
        ("INSERT INTO lookalikes (look, number) SELECT look, count(*) FROM accounts"
        f" WHERE look IN (SELECT look FROM {_ADDED} WHERE look IS NOT NULL) GROUP BY look HAVING count(*) > 1"
        " ON CONFLICT (look) DO UPDATE SET number = excluded.number;"),
    ),
    ("accounts", "DELETE"): (
        ("UPDATE lookalikes SET number = lookalikes.number - q.number FROM"
        f" (SELECT look, count(*) AS number FROM {_GONE} WHERE look IS NOT NULL GROUP BY look) AS q"
        " WHERE lookalikes.look = q.look;"),
        f"DELETE FROM lookalikes WHERE number < 2 AND look IN (SELECT look FROM {_GONE});",
    ),
    ("photos", "DELETE"): (_orphaned("accounts", f"SELECT account_id FROM {_GONE}"),),
    ("photos", "UPDATE"): (
        _orphaned("accounts", f"SELECT g.account_id FROM {_GONE} g JOIN {_ADDED} a ON a.id = g.id WHERE {_MOVED}"),
        _noted(
            f"SELECT l.fingerprint_id FROM {_GONE} g JOIN {_ADDED} a ON a.id = g.id"
            " JOIN photo_fingerprints l ON l.photo_id = a.id"
            f" WHERE ({_MOVED} OR a.seen_at <> g.seen_at) AND l.fingerprint_id <= {_JOINED}"
        ),
    ),
    ("photo_pictures", "DELETE"): (_LOST_PICTURES,),
    ("photo_fingerprints", "INSERT"): (
        _noted(f"SELECT fingerprint_id FROM {_ADDED} WHERE fingerprint_id <= {_JOINED}"),
    ),
    ("photo_fingerprints", "DELETE"): (
        _orphaned("fingerprints", f"SELECT fingerprint_id FROM {_GONE}"),
        _noted(f"SELECT fingerprint_id FROM {_GONE} WHERE fingerprint_id <= {_JOINED}"),
    ),
    ("features", "INSERT"): (_noted(_SHOWING.format(pixels=f"SELECT pixels FROM {_ADDED}")),),
    ("bank_entries", "INSERT"): (
        _noted(f"SELECT fingerprint_id FROM {_ADDED} WHERE fingerprint_id IS NOT NULL"),
    ),
    ("bank_entries", "DELETE"): (
        _orphaned("fingerprints", f"SELECT fingerprint_id FROM {_GONE} WHERE fingerprint_id IS NOT NULL"),
        _orphaned(
            "features",
            "SELECT id FROM features"
            f" WHERE pixels IN (SELECT pixels FROM {_GONE} WHERE fingerprint_id IS NOT NULL)",
        ),
        _noted(f"SELECT fingerprint_id FROM {_GONE} WHERE fingerprint_id IS NOT NULL"),
    ),
    ("bank_hits", "INSERT"): (_noted(_HIT.format(rows=_ADDED)),),
    ("bank_hits", "DELETE"): (_noted(_HIT.format(rows=_GONE)),),
    ("near_pairs", "INSERT"): (_noted(f"SELECT low FROM {_ADDED} UNION SELECT high FROM {_ADDED}"),),
    ("near_pairs", "DELETE"): (_noted(f"SELECT low FROM {_GONE} UNION SELECT high FROM {_GONE}"),),
    ("pair_scores", "DELETE"): (
        _noted(
            _SHOWING.format(
                pixels="SELECT f.pixels FROM features f WHERE f.id IN"
                f" (SELECT low FROM {_GONE} UNION SELECT high FROM {_GONE})"
            )
        ),
    ),
    ("decision_photos", "INSERT"): (_noted(_DECIDED.format(bits=f"SELECT bits FROM {_ADDED}")),),
    ("decision_photos", "DELETE"): (
        _noted(
            _DECIDED.format(
                bits=f"SELECT bits FROM {_GONE} UNION SELECT d.bits FROM decision_photos d"
                f" WHERE d.decision_id IN (SELECT decision_id FROM {_GONE})"
            )
        ),
    ),
}  # fmt: skip


def triggers() -> Iterator[tuple[str, str, str, str]]:
    """Of each its name, the table, the event and the body of the function that it calls."""
    rules = dict(_RULES)
    for table, column in COUNTED.items():
        for event, counting in (("INSERT", _counted_in(table, column)), ("DELETE", _counted_out(table, column))):
            rules[table, event] = (counting, *rules.get((table, event), ()))
    for table in SEARCHED:
        rules[table, "INSERT"] = (*rules[table, "INSERT"], _SAID)
    for table in IN_ENGINES:
        rules[table, "DELETE"] = (*rules[table, "DELETE"], _buried(table))
    for (table, event), statements in rules.items():
        body = "\n".join(("", "BEGIN", *statements, "RETURN NULL;", "END", ""))
        yield f"imgmatch_{table}_{event.lower()}", table, event, body


def statements() -> Iterator[str]:
    """What makes them all."""
    for name, table, event, body in triggers():
        yield f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS {_TAG}{body}{_TAG}"
        yield (
            f"CREATE TRIGGER {name} AFTER {event} ON {table} REFERENCING {_TABLES[event]}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )


def _part(column: str) -> str:
    return f"{column}::text" if column else "''"


def _counted_in(table: str, column: str) -> str:
    part = _part(column)
    return (
        f"INSERT INTO row_counts (kind, part, number) SELECT '{table}', {part}, count(*) FROM {_ADDED}"
        " GROUP BY 2"
        " ON CONFLICT (kind, part) DO UPDATE SET number = row_counts.number + excluded.number;"
    )


def _counted_out(table: str, column: str) -> str:
    return (
        "UPDATE row_counts SET number = row_counts.number - q.number FROM"
        f" (SELECT {_part(column)} AS part, count(*) AS number FROM {_GONE} GROUP BY 1) AS q"
        f" WHERE row_counts.kind = '{table}' AND row_counts.part = q.part;"
    )


def _buried(table: str) -> str:
    """A tombstone for each place that has engine files: each forgets its own once they are written without the row."""
    return (
        'INSERT INTO tombstones (kind, "row", part)'
        f" SELECT concat_ws('/', '{table}', nullif(p.place, '')), g.id, g.{COUNTED[table]}"
        f" FROM {_GONE} g CROSS JOIN places p"
        " ON CONFLICT DO NOTHING;"
    )
