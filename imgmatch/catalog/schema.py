"""The tables, as they are now. Steps from older catalogs are in :mod:`imgmatch.catalog.migrations`.

Times are whole microseconds since 1970 in UTC: they sort, compare and mean the same in every database.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

metadata = MetaData()

_Map = JSON(none_as_null=True)
_Key = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only under its own INTEGER

versions = Table(
    "versions",
    metadata,
    Column("version", Integer, primary_key=True),
)

sources = Table(
    "sources",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("key", String, nullable=False, unique=True),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("account", String, nullable=False, unique=True),
    Column("name", String),
    Column("first_seen", BigInteger, nullable=False),
    Column("attributes", _Map),
)

photos = Table(
    "photos",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("photo_id", String, nullable=False, unique=True),
    Column("account_id", _Key, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("source_id", _Key, ForeignKey("sources.id"), nullable=False, index=True),
    Column("scan_id", _Key, nullable=False),  # the last scan that met it
    Column("label", String, nullable=False),
    Column("path", String, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("file_bytes", BigInteger, nullable=False),
    Column("file_mtime_ns", BigInteger, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("pixels", LargeBinary(16), nullable=False, index=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("format", String, nullable=False),
    Column("quality", Integer, nullable=False),
)

fingerprints = Table(
    "fingerprints",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("hasher", String, nullable=False),
    Column("bits", LargeBinary(32), nullable=False),
    UniqueConstraint("hasher", "bits"),
    sqlite_autoincrement=True,  # an id is never used again: a stale engine may still answer with it
)

photo_fingerprints = Table(
    "photo_fingerprints",
    metadata,
    Column("fingerprint_id", _Key, ForeignKey("fingerprints.id"), primary_key=True),
    Column("photo_id", _Key, ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True),
    Index("photo_fingerprints_by_photo", "photo_id"),
    sqlite_with_rowid=False,
)

features = Table(
    "features",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("pixels", LargeBinary(16), nullable=False, unique=True),  # photos with these pixels share the row
    Column("codebook", String, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("thumbnail", LargeBinary),
    sqlite_autoincrement=True,  # as for fingerprints
)

scans = Table(
    "scans",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("source_id", _Key, ForeignKey("sources.id"), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),  # empty: interrupted, or under way
    Column("counts", _Map),
    sqlite_autoincrement=True,
)

calibrations = Table(
    "calibrations",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("fitted_at", BigInteger, nullable=False),
    Column("slope", Float, nullable=False),
    Column("shift", Float, nullable=False),
    Column("accept", Float, nullable=False),
    Column("pairs", Integer, nullable=False),
    sqlite_autoincrement=True,
)

skipped = Table(
    "skipped",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("source_id", _Key, ForeignKey("sources.id"), nullable=False),
    Column("scan_id", _Key, nullable=False),
    Column("photo_id", String),  # empty for a line that names no photo
    Column("account", String),
    Column("label", String, nullable=False),
    Column("line", BigInteger),
    Column("reason", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("file_bytes", BigInteger),
    Column("file_mtime_ns", BigInteger),
    # One index for both: with one for each, SQLite looks through all that a source has for every photo of it.
    Index("skipped_by_photo", "source_id", "photo_id"),
)

pair_scores = Table(
    "pair_scores",
    metadata,
    Column("low", _Key, ForeignKey("features.id", ondelete="CASCADE"), primary_key=True),
    Column("high", _Key, ForeignKey("features.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("log_odds", Float, nullable=False),  # of the pair model, not calibrated: calibration may change
    Column("mirrored", Integer, nullable=False),
    Column("rotation", Integer, nullable=False),
    Column("overlap_low", Float),
    Column("overlap_high", Float),
    Column("agreement", Float),
    Column("outline_low", _Map),  # corners of the shared part in ``low``, and the same corners in ``high``
    Column("outline_high", _Map),
    sqlite_with_rowid=False,
)

feature_searches = Table(
    "feature_searches",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("model", String, nullable=False),
    Column("watermark", BigInteger, nullable=False),
    Column("searched_at", BigInteger, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("decided_at", BigInteger, nullable=False),
    Column("verdict", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("subject", String),  # empty once what it named was erased
    Column("by", String, nullable=False),
    Column("reason", String),
    sqlite_autoincrement=True,
)

decision_photos = Table(
    "decision_photos",
    metadata,
    Column("decision_id", _Key, ForeignKey("decisions.id"), primary_key=True),
    Column("picture", Integer, primary_key=True),  # which of the groups decided on; their photos are copies of one
    Column("photo_id", String, primary_key=True, index=True),
    Column("account", String, nullable=False, index=True),
    Column("bits", LargeBinary(32), nullable=False, index=True),
    sqlite_with_rowid=False,
)

bank_pictures = Table(
    "bank_pictures",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("bank", String, nullable=False),
    Column("pixels", LargeBinary(16), nullable=False, index=True),
    Column("fingerprint_id", _Key, ForeignKey("fingerprints.id"), nullable=False, index=True),
    Column("label", String, nullable=False),
    Column("photo_id", String),
    Column("account", String),
    Column("added_at", BigInteger, nullable=False),
    UniqueConstraint("bank", "pixels"),
    sqlite_autoincrement=True,
)

reports = Table(
    "reports",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("made_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

report_rings = Table(
    "report_rings",
    metadata,
    Column("report_id", _Key, ForeignKey("reports.id", ondelete="CASCADE"), primary_key=True),
    Column("ring", String, primary_key=True, index=True),
    Column("pictures", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# Written by triggers, see ``row_counts``.
row_counts = Table(
    "row_counts",
    metadata,
    Column("kind", String, primary_key=True),
    Column("part", String, primary_key=True),
    Column("number", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

orphans = Table(
    "orphans",
    metadata,
    Column("kind", String, primary_key=True),
    Column("row", _Key, primary_key=True),
    sqlite_with_rowid=False,
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("kind", String, primary_key=True),
    Column("row", _Key, primary_key=True),
    Column("part", String, nullable=False),
    sqlite_with_rowid=False,
)

report_members = Table(
    "report_members",
    metadata,
    Column("report_id", _Key, ForeignKey("reports.id", ondelete="CASCADE"), primary_key=True),
    Column("account", String, primary_key=True),
    Column("ring", String, nullable=False),
    Index("report_members_by_account", "account"),
    Index("report_members_by_ring", "ring"),
    sqlite_with_rowid=False,
)

near_pairs = Table(
    "near_pairs",
    metadata,
    Column("low", _Key, ForeignKey("fingerprints.id", ondelete="CASCADE"), primary_key=True),
    Column("high", _Key, ForeignKey("fingerprints.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("distance", Integer, nullable=False),
    Column(
        "orientation", Integer, nullable=False
    ),  # of ``model.ORIENTATIONS``: brought into it, ``low`` shows ``high``
    sqlite_with_rowid=False,
)

clusterings = Table(
    "clusterings",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("joined_watermark", BigInteger, nullable=False),  # near pairs of fingerprints up to this row are kept
    Column("joined_distance", Integer, nullable=False),  # those within so many bits
    Column("options", _Map, nullable=False),  # what the groups that are kept were made with
    Column("finished_at", BigInteger),  # empty until the first run is done
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
    Column("ring", String, nullable=False, unique=True),
    Column("new", Integer),  # empty where there is no report to compare with
    Column("changes", _Map, nullable=False),  # what has become of it since the last report, as ``model.Ring`` has it
    Column("joined", _Map, nullable=False),
    Column("left", _Map, nullable=False),
    Column("came_from", _Map, nullable=False),
    Column("went_to", _Map, nullable=False),
)

ring_accounts = Table(
    "ring_accounts",
    metadata,
    Column("account", String, primary_key=True),  # an account is in one ring
    Column("ring_id", _Key, ForeignKey("rings.id", ondelete="CASCADE"), nullable=False, index=True),
    sqlite_with_rowid=False,
)

groups = Table(
    "groups",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("name", String, nullable=False, index=True),  # the photo_id of its earliest photo that names no other group
    Column("ring_id", _Key, ForeignKey("rings.id", ondelete="SET NULL"), index=True),  # empty for a common picture
    Column("medoid", _Key, nullable=False),  # the fingerprint all others are near to
    Column("medoid_photo", _Key),  # the first photo that shows it; empty where only a bank holds it
    Column("common", Integer, nullable=False),
    Column("diameter", Integer, nullable=False),
    Column("bank", String),
    Column("decision", String),
    Column("decided", _Key),  # the number of the decision
)

group_fingerprints = Table(
    "group_fingerprints",
    metadata,
    Column("fingerprint_id", _Key, primary_key=True),
    Column("group_id", _Key, ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True, index=True),
    sqlite_with_rowid=False,
)

group_photos = Table(
    "group_photos",
    metadata,
    Column("group_id", _Key, ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    Column("place", Integer, primary_key=True),  # the earliest photo first
    Column("photo_row", _Key, ForeignKey("photos.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("score", Float, nullable=False),
    Column("distance", Integer),
    Column("mirrored", Integer, nullable=False),
    Column("rotation", Integer, nullable=False),
    Column("overlap", Float),
    Column("agreement", Float),
    Column("outline_photo", _Map),  # the shared part in the photo, and the same corners in the medoid
    Column("outline_medoid", _Map),
    sqlite_with_rowid=False,
)

leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("owner", String, nullable=False),
    Column("token", String, nullable=False),
    Column("acquired_at", BigInteger, nullable=False),
    Column("heartbeat_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

# What an erasure that is under way, or was cut off, has left to do; see ``erasures``.
erasures = Table(
    "erasures",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("seal", LargeBinary(32), nullable=False),
    Column("named", LargeBinary, nullable=False),  # sealed: what was asked to be erased
    Column("stage", String, nullable=False),
    Column("photos", Integer, nullable=False),  # removed so far
)

erasure_portions = Table(
    "erasure_portions",
    metadata,
    Column("erasure_id", _Key, ForeignKey("erasures.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("gone", LargeBinary, nullable=False),  # sealed: what is to be looked for
)
