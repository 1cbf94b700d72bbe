"""The tables, as they are now. Steps from older catalogs are in :mod:`imgmatch.catalog.migrations`.

Times are whole microseconds since 1970 in UTC: they sort, compare and mean the same in every database.
"""

from __future__ import annotations

import math

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, Table, UniqueConstraint

from imgmatch.catalog.checked import (
    Bytes,
    Corners,
    Number,
    Reference,
    Small,
    Structure,
    Whole,
    Words,
    is_counts,
    is_number,
    is_text_map,
    is_texts,
    named,
)
from imgmatch.catalog.times import LAST
from imgmatch.errors import SkipReason
from imgmatch.model import (
    FINGERPRINT_BITS,
    FINGERPRINT_BYTES,
    ORIENTATIONS,
    WITH_NEGATIVES,
    Change,
    Kind,
    Opinion,
    Purpose,
    Role,
    Scope,
)

metadata = MetaData()

_Key = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only under its own INTEGER

MOST_RECORD_BYTES, MOST_THUMBNAIL_BYTES = 8_192, 16_384
"""Several times what a record of a hundred points and a thumbnail of 96 pixels take."""

MOST_SEALED_BYTES = 16 << 20
"""A portion of an erasure: what is to be looked for of some hundred photos."""

_SHA256, _PIXELS, _KEY = 32, 16, 16
_PIXELS_A_SIDE = 1 << 31
_LARGEST_ODDS = 1e6
_NO_COPY = -40.0
"""Log odds of a pair that ties nobody."""

_MOST_CORNERS = 64
_OPTIONS = {"max_distance", "sure_distance", "min_score"}
_COMMON = {"accounts", "days", "always"}


def _time() -> Whole:
    """A time; a damaged one is after all others, so that nobody had a photo before everybody else by damage."""
    return Whole(instead=LAST)


def _count() -> Whole:
    return Whole(0)


def _flag() -> Small:
    return Small(0, 1)


def _picture() -> Small:
    """Which picture of a photo; the first where it is damaged."""
    return Small(0, _PIXELS_A_SIDE)


def _share() -> Number:
    return Number(0, 1)


def _is_outline(value: object) -> bool:
    """Corners as shares of width and height."""
    return (
        isinstance(value, list)
        and len(value) <= _MOST_CORNERS
        and all(isinstance(corner, list) and len(corner) == 2 and all(map(_is_share, corner)) for corner in value)  # noqa: PLR2004 -- x and y
    )


def _is_panel(value: object) -> bool:
    return _is_outline(value) and len(value) == 4  # type: ignore[arg-type]  # noqa: PLR2004 -- it is a list; corners


def _is_share(value: object) -> bool:
    return is_number(value) and 0 <= value <= 1  # type: ignore[operator]  # it is a number


def _is_changes(value: object) -> bool:
    return is_texts(value) and all(one in set(Change) for one in value)  # type: ignore[attr-defined]  # it is a list


def _is_scopes(value: object) -> bool:
    return is_texts(value) and all(one in set(Scope) for one in value)  # type: ignore[attr-defined]  # it is a list


def _is_options(value: object) -> bool:
    """What groups are made with; see ``clustering.options``."""
    if not isinstance(value, dict) or value.keys() != _OPTIONS | {"common"}:
        return False
    common = value["common"]
    numbers = [value[name] for name in _OPTIONS]
    return isinstance(common, dict) and common.keys() == _COMMON and all(map(is_number, (*numbers, *common.values())))


versions = Table(
    "versions",
    metadata,
    Column("version", Integer, primary_key=True),
)

sources = Table(
    "sources",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("key", Words(), nullable=False, unique=True),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("account", Words(), nullable=False, unique=True),
    Column("name", Words()),
    Column("first_seen", _time(), nullable=False),
    Column("attributes", Structure(is_text_map)),
    Column("look", Whole(), index=True),  # a hash that lookalikes have in common
    Column("former", Structure(is_texts)),  # how an older version spelt it, where that was otherwise
)

# Written by triggers, see ``lookalikes``.
lookalikes = Table(
    "lookalikes",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("look", Whole(), nullable=False, unique=True),
    Column("number", _count(), nullable=False),
)

photos = Table(
    "photos",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("photo_id", Words(), nullable=False, unique=True),
    Column("account_id", Reference(), ForeignKey("accounts.id"), nullable=False, index=True),
    Column("source_id", Reference(), ForeignKey("sources.id"), nullable=False, index=True),
    Column("scan_id", Reference(), nullable=False),  # the last scan that met it
    Column("label", Words(), nullable=False),
    Column("path", Words(), nullable=False),
    Column("seen_at", _time(), nullable=False),
    Column("file_bytes", _count(), nullable=False),
    Column("file_mtime_ns", Whole(), nullable=False),
    Column("sha256", Bytes(_SHA256), nullable=False),
    Column("width", Small(1, _PIXELS_A_SIDE), nullable=False),
    Column("height", Small(1, _PIXELS_A_SIDE), nullable=False),
    Column("format", Words(), nullable=False),
    Column("quality", Small(0, 100), nullable=False),
    Column("damaged", _share()),
)

photo_pictures = Table(
    "photo_pictures",
    metadata,
    Column("photo_id", Reference(), ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True),
    Column("place", _picture(), primary_key=True),  # 0 is the picture that is shown longest
    Column("pixels", Bytes(_PIXELS), nullable=False, index=True),
    Column("frame", Small(1, _PIXELS_A_SIDE)),  # empty where the photo does not move
    Column("share", _share()),  # 0: only the first frame was looked at, by an earlier imgmatch
    Column("panel", Corners(_is_panel)),  # where a part of the photo lies in it; empty for the whole picture
    sqlite_with_rowid=False,
)

BITS = Bytes(FINGERPRINT_BYTES)
"""What ``fingerprints.bits`` holds."""

fingerprints = Table(
    "fingerprints",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("hasher", Words(), nullable=False),
    Column("bits", BITS, nullable=False),
    UniqueConstraint("hasher", "bits"),
    sqlite_autoincrement=True,  # an id is never used again: a stale engine may still answer with it
)

photo_fingerprints = Table(
    "photo_fingerprints",
    metadata,
    Column("fingerprint_id", Reference(), ForeignKey("fingerprints.id"), primary_key=True),
    Column("photo_id", Reference(), ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True),
    Column("place", _picture(), primary_key=True),  # of the picture that looks so
    Index("photo_fingerprints_by_photo", "photo_id"),
    sqlite_with_rowid=False,
)

features = Table(
    "features",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("pixels", Bytes(_PIXELS), nullable=False, unique=True),  # pictures with these pixels share the row
    Column("codebook", Words(), nullable=False),
    Column("record", Bytes(most=MOST_RECORD_BYTES, least=1), nullable=False),
    Column("thumbnail", Bytes(most=MOST_THUMBNAIL_BYTES)),
    sqlite_autoincrement=True,  # as for fingerprints
)

scans = Table(
    "scans",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("source_id", Reference(), ForeignKey("sources.id"), nullable=False),
    Column("started_at", _time(), nullable=False),
    Column("finished_at", _time()),  # empty: interrupted, or under way
    Column("counts", Structure(is_counts)),
    sqlite_autoincrement=True,
)

calibrations = Table(
    "calibrations",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("fitted_at", _time(), nullable=False),
    Column("slope", Number(-_LARGEST_ODDS, _LARGEST_ODDS, math.nan), nullable=False),
    Column("shift", Number(-_LARGEST_ODDS, _LARGEST_ODDS, math.nan), nullable=False),
    Column("accept", Number(0, 1, math.nan), nullable=False),
    Column("pairs", Small(0, _PIXELS_A_SIDE), nullable=False),
    sqlite_autoincrement=True,
)

skipped = Table(
    "skipped",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("source_id", Reference(), ForeignKey("sources.id"), nullable=False),
    Column("scan_id", Reference(), nullable=False),
    Column("photo_id", Words()),  # empty for a line that names no photo
    Column("account", Words()),
    Column("label", Words(), nullable=False),
    Column("line", _count()),
    # A damaged reason is one that a photo is tried again for.
    Column("reason", Words([reason.value for reason in SkipReason], SkipReason.CRASHED.value), nullable=False),
    Column("detail", Words(), nullable=False),
    Column("file_bytes", _count()),
    Column("file_mtime_ns", Whole()),
    # One index for both: with one for each, SQLite looks through all that a source has for every photo of it.
    Index("skipped_by_photo", "source_id", "photo_id"),
)

pair_scores = Table(
    "pair_scores",
    metadata,
    Column("low", Reference(), ForeignKey("features.id", ondelete="CASCADE"), primary_key=True),
    Column("high", Reference(), ForeignKey("features.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column(
        "log_odds", Number(-_LARGEST_ODDS, _LARGEST_ODDS, _NO_COPY), nullable=False
    ),  # of the pair model, not calibrated: calibration may change
    Column("mirrored", _flag(), nullable=False),
    Column("rotation", Small(0, 359), nullable=False),
    Column("overlap_low", _share()),
    Column("overlap_high", _share()),
    Column("agreement", _share()),
    Column(
        "outline_low", Corners(_is_outline)
    ),  # corners of the shared part in ``low``, and the same corners in ``high``
    Column("outline_high", Corners(_is_outline)),
    Column("negative", _flag()),  # empty where the two were not compared as negatives
    sqlite_with_rowid=False,
)

feature_searches = Table(
    "feature_searches",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("model", Words(), nullable=False),
    Column("watermark", _count(), nullable=False),
    Column("searched_at", _time(), nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("decided_at", _time(), nullable=False),
    Column("verdict", Words(), nullable=False),
    Column("kind", Words(), nullable=False),
    Column("subject", Words()),  # empty once what it named was erased
    Column("by", Words(), nullable=False),
    Column("reason", Words()),
    Column("undoes", Reference(), index=True),  # the decision that does not count any more
    Column("opened_at", Whole()),  # when who decided had opened the ring; empty where that is not known
    sqlite_autoincrement=True,
)

decision_photos = Table(
    "decision_photos",
    metadata,
    Column("decision_id", Reference(), ForeignKey("decisions.id"), primary_key=True),
    Column(
        "picture", Small(0, _PIXELS_A_SIDE), primary_key=True
    ),  # which of the groups decided on; their photos are copies of one
    Column("photo_id", Words(), primary_key=True, index=True),
    Column("bits", Bytes(FINGERPRINT_BYTES), primary_key=True, index=True),  # of one that moves several may be meant
    Column("account", Words(), nullable=False, index=True),  # last: SQLite looks for it behind the key when it verifies
    sqlite_with_rowid=False,
)

# Named lists; see ``banks``.
banks = Table(
    "banks",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("name", Words(), nullable=False, unique=True),
    Column("purpose", Words([one.value for one in Purpose], Purpose.PARTNER.value), nullable=False),
    Column("owner", Words()),
    Column("enabled", _flag(), nullable=False),
    Column("ratio", _share(), nullable=False),  # of photos that it takes part in the search for
    Column("note", Words()),
    Column("created_at", _time(), nullable=False),
    Column("changes", _count(), nullable=False),  # rises with whatever changes what lookups find, but for new entries
    Column("checkpoint", Words()),  # what the last import has noted to go on from
    sqlite_autoincrement=True,
)

# What stands on them: pictures of ours, with fingerprint and features, and bare PDQ values.
bank_entries = Table(
    "bank_entries",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("bank_id", Reference(), ForeignKey("banks.id", ondelete="CASCADE"), nullable=False),
    Column("key", Bytes(_KEY), nullable=False),  # what makes two entries one: the digest of a picture, or of an id
    Column("pdq", Bytes(FINGERPRINT_BYTES), index=True),
    Column("pixels", Bytes(_PIXELS), index=True),
    Column("fingerprint_id", Reference(), ForeignKey("fingerprints.id"), index=True),
    Column("label", Words()),  # the short name of the photo a picture was taken from
    Column("photo_id", Words()),
    Column("account", Words()),
    Column("ref", Words()),  # what its list calls it
    Column("added_at", _time(), nullable=False),
    Column("modified", Whole()),  # when its list changed it, in seconds since 1970
    Column("muted_until", Whole(), index=True),
    Column("quarantined_at", Whole(), index=True),
    Column("note", Words()),
    Column("category", Words()),
    Column("tags", Structure(is_texts)),
    Column("uri", Words()),
    Column("metadata", Structure(is_text_map)),
    UniqueConstraint("bank_id", "key"),
    sqlite_autoincrement=True,
)

# What moderators here say of an entry, by its PDQ value or the digest of its picture: it holds whoever lists it.
bank_opinions = Table(
    "bank_opinions",
    metadata,
    Column("key", Bytes(most=FINGERPRINT_BYTES, least=_KEY), primary_key=True),
    Column("opinion", Words([one.value for one in Opinion], Opinion.CONFIRMED.value), nullable=False),
    Column("by", Words(), nullable=False),
    Column("reason", Words()),
    Column("given_at", _time(), nullable=False),
    sqlite_with_rowid=False,
)

# PDQ fingerprints of photos that are near to a bare value; see ``bank_hits``.
bank_hits = Table(
    "bank_hits",
    metadata,
    Column("entry_id", Reference(), ForeignKey("bank_entries.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "fingerprint_id",
        Reference(),
        ForeignKey("fingerprints.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    Column("distance", Small(0, FINGERPRINT_BITS, FINGERPRINT_BITS), nullable=False),
    # Of ``model.ORIENTATIONS``: the photo shows the entry in it.
    Column("orientation", Small(0, len(ORIENTATIONS) - 1), nullable=False),
    sqlite_with_rowid=False,
)

# How far photos and entries have been compared.
bank_joins = Table(
    "bank_joins",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("fingerprints", _count(), nullable=False),
    Column("entries", _count(), nullable=False),
)

reports = Table(
    "reports",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("made_at", _time(), nullable=False),
    sqlite_autoincrement=True,
)

report_rings = Table(
    "report_rings",
    metadata,
    Column("report_id", Reference(), ForeignKey("reports.id", ondelete="CASCADE"), primary_key=True),
    Column("ring", Words(), primary_key=True, index=True),
    Column("pictures", Small(0, _PIXELS_A_SIDE), nullable=False),
    sqlite_with_rowid=False,
)

# Written by triggers, see ``row_counts``.
row_counts = Table(
    "row_counts",
    metadata,
    Column("kind", Words(), primary_key=True),
    Column("part", Words(), primary_key=True),
    Column("number", _count(), nullable=False),
    sqlite_with_rowid=False,
)

orphans = Table(
    "orphans",
    metadata,
    Column("kind", Words(), primary_key=True),
    Column("row", Reference(), primary_key=True),
    sqlite_with_rowid=False,
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("kind", Words(), primary_key=True),
    Column("row", Reference(), primary_key=True),
    Column("part", Words(), nullable=False),
    sqlite_with_rowid=False,
)

report_members = Table(
    "report_members",
    metadata,
    Column("report_id", Reference(), ForeignKey("reports.id", ondelete="CASCADE"), primary_key=True),
    Column("account", Words(), primary_key=True),
    Column("ring", Words(), nullable=False),
    Index("report_members_by_account", "account"),
    Index("report_members_by_ring", "ring"),
    sqlite_with_rowid=False,
)

near_pairs = Table(
    "near_pairs",
    metadata,
    Column("low", Reference(), ForeignKey("fingerprints.id", ondelete="CASCADE"), primary_key=True),
    Column("high", Reference(), ForeignKey("fingerprints.id", ondelete="CASCADE"), primary_key=True),
    Column("distance", Small(0, FINGERPRINT_BITS, FINGERPRINT_BITS), nullable=False),
    # Of ``model.WITH_NEGATIVES``: brought into it, ``low`` shows ``high``.
    Column("orientation", Small(0, len(WITH_NEGATIVES) - 1), nullable=False),
    # A gang's copies make millions: with the distance in it, neighbours are found without reading the pairs.
    Index("near_pairs_by_high", "high", "distance"),
    sqlite_with_rowid=False,
)

clusterings = Table(
    "clusterings",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("joined_watermark", _count(), nullable=False),  # near pairs of fingerprints up to this row are kept
    Column("joined_distance", Small(0, 2 * FINGERPRINT_BITS), nullable=False),  # those within so many bits
    Column("options", Structure(_is_options, {}), nullable=False),  # what the groups that are kept were made with
    Column("finished_at", _time()),  # empty until the first run is done
)

# Written by triggers, see ``stale``.
stale_fingerprints = Table(
    "stale_fingerprints",
    metadata,
    Column("fingerprint_id", _Key, primary_key=True),
)

rings = Table(
    "rings",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("ring", Words(), nullable=False, unique=True),
    Column("new", _flag()),  # empty where there is no report to compare with
    Column(
        "changes", Structure(_is_changes, []), nullable=False
    ),  # what has become of it since the last report, as ``model.Ring`` has it
    Column("joined", Structure(is_texts, []), nullable=False),
    Column("left", Structure(is_texts, []), nullable=False),
    Column("came_from", Structure(is_texts, []), nullable=False),
    Column("went_to", Structure(is_texts, []), nullable=False),
)

ring_accounts = Table(
    "ring_accounts",
    metadata,
    Column("account", Words(), primary_key=True),  # an account is in one ring
    Column("ring_id", Reference(), ForeignKey("rings.id", ondelete="CASCADE"), nullable=False, index=True),
    sqlite_with_rowid=False,
)

groups = Table(
    "groups",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("name", Words(), nullable=False, index=True),  # the photo_id of its earliest photo that names no other group
    Column(
        "ring_id", Reference(), ForeignKey("rings.id", ondelete="SET NULL"), index=True
    ),  # empty for a common picture
    Column("medoid", Reference(), nullable=False),  # the fingerprint all others are near to
    Column("medoid_photo", Reference()),  # the first photo that shows it; empty where only a bank holds it
    Column("common", _flag(), nullable=False),
    Column("diameter", Small(0, 2 * FINGERPRINT_BITS), nullable=False),
    Column("bank", Words()),
    Column("decision", Words()),
    Column("decided", Reference()),  # the number of the decision
)

group_fingerprints = Table(
    "group_fingerprints",
    metadata,
    Column("fingerprint_id", Reference(), primary_key=True),
    Column("group_id", Reference(), ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True, index=True),
    sqlite_with_rowid=False,
)

group_photos = Table(
    "group_photos",
    metadata,
    Column("group_id", Reference(), ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    Column("place", Small(0, _PIXELS_A_SIDE), primary_key=True),  # the earliest photo first
    Column("photo_row", Reference(), ForeignKey("photos.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", Words([kind.value for kind in Kind], Kind.NEAR.value), nullable=False),
    Column("score", _share(), nullable=False),
    Column("distance", Small(0, FINGERPRINT_BITS, FINGERPRINT_BITS)),
    Column("mirrored", _flag(), nullable=False),
    Column("rotation", Small(0, 359), nullable=False),
    Column("overlap", _share()),
    Column("agreement", _share()),
    Column("outline_photo", Corners(_is_outline)),  # the shared part in the photo, and the same corners in the medoid
    Column("outline_medoid", Corners(_is_outline)),
    Column("picture", _picture()),  # which of the photo's, as ``photo_pictures.place``; empty: its first
    Column("negative", _flag()),  # empty in groups from before version 13
    sqlite_with_rowid=False,
)

leases = Table(
    "leases",
    metadata,
    Column("name", Words(), primary_key=True),
    Column("owner", Words(), nullable=False),
    Column("token", Words(), nullable=False),
    Column("acquired_at", _time(), nullable=False),
    Column("heartbeat_at", _time(), nullable=False),
    Column("expires_at", Whole(0), nullable=False),
)

# What an erasure that is under way, or was cut off, has left to do; see ``erasures``.
erasures = Table(
    "erasures",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("seal", Bytes(32), nullable=False),
    Column("named", Bytes(most=MOST_SEALED_BYTES), nullable=False),  # sealed: what was asked to be erased
    Column("stage", Words(), nullable=False),
    Column("photos", Small(0), nullable=False),  # removed so far
)

erasure_portions = Table(
    "erasure_portions",
    metadata,
    Column("erasure_id", Reference(), ForeignKey("erasures.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Small(0), primary_key=True),
    Column("gone", Bytes(most=MOST_SEALED_BYTES), nullable=False),  # sealed: what is to be looked for
)

# A source that is to have another key; see ``renames``.
renames = Table(
    "renames",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("source_id", Reference(), ForeignKey("sources.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("key", Words(), nullable=False),
)

# By which the header and the engine files are known to be of this catalog; see ``tokens``.
tokens = Table(
    "tokens",
    metadata,
    Column("kind", Words(), primary_key=True),
    Column("token", Words()),
    Column("pending", Words()),
)

# Who may use the page and the API.
users = Table(
    "users",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("name", Words(), nullable=False, unique=True),
    Column("password", Words()),  # as argon2 writes it; empty for one who comes through a proxy alone
    Column("role", Words([role.value for role in Role], Role.VIEWER.value), nullable=False),
    Column("added_at", _time(), nullable=False),
    sqlite_autoincrement=True,
)

# Logins: what a browser holds is not kept, only its digest.
logins = Table(
    "logins",
    metadata,
    Column("digest", Bytes(_SHA256), primary_key=True),
    Column("user_id", Reference(), ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("began_at", _time(), nullable=False),
    Column("expires_at", Whole(0), nullable=False),
    sqlite_with_rowid=False,
)

# What programs call the API with; likewise.
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("name", Words(), nullable=False, unique=True),
    Column("digest", Bytes(_SHA256), nullable=False, unique=True),
    Column("scopes", Structure(_is_scopes, []), nullable=False),
    Column("added_at", _time(), nullable=False),
    Column("expires_at", Whole(0), nullable=False),
    sqlite_autoincrement=True,
)

failed_logins = Table(
    "failed_logins",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("key", Bytes(_SHA256), nullable=False, index=True),  # digest of the name, or of the address
    Column("failed_at", _time(), nullable=False),
)

# Who has a ring open; see ``reviews``.
ring_reviews = Table(
    "ring_reviews",
    metadata,
    Column("ring", Words(), primary_key=True),
    Column("reviewer", Words(), nullable=False),
    Column("opened_at", _time(), nullable=False),
    Column("expires_at", Whole(0), nullable=False),
    sqlite_with_rowid=False,
)

skipped_rings = Table(
    "skipped_rings",
    metadata,
    Column("reviewer", Words(), primary_key=True),
    Column("ring", Words(), primary_key=True),
    Column("expires_at", Whole(0), nullable=False),
    sqlite_with_rowid=False,
)

# What was done, in a chain; see ``audit``.
audit_log = Table(
    "audit_log",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("at", _time(), nullable=False),
    Column("actor", Words(), nullable=False),
    Column("action", Words(), nullable=False),
    Column("subject", Words()),
    Column("digest", Bytes(_SHA256), nullable=False),  # over the row and the digest before
    sqlite_autoincrement=True,
)

# Decisions that a platform is to be told of; see ``deliveries``.
deliveries = Table(
    "deliveries",
    metadata,
    Column("decision_id", Reference(), ForeignKey("decisions.id"), primary_key=True),
    Column("attempts", _count(), nullable=False),
    Column("next_at", Whole(0), index=True),  # empty once it is delivered, or given up
    Column("delivered_at", Whole(0)),
    Column("answer", Words()),  # what the platform said last
)

# Rings that other platforms' queues are to be told of, or were; see ``deliveries``.
reported = Table(
    "reported",
    metadata,
    Column("sink", Words(), primary_key=True),
    Column("subject", Words(), primary_key=True),
    Column("decision_id", Reference()),
    Column("ring", Words()),
    Column("size", Small(0)),  # accounts that were reported
    Column("attempts", _count(), nullable=False),
    Column("next_at", Whole(0), index=True),  # as of ``deliveries``
    Column("delivered_at", Whole(0)),
    Column("answer", Words()),
    sqlite_with_rowid=False,
)

for _table in metadata.tables.values():
    named(_table)
