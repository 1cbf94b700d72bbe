"""The steps of the migrations, each as it was when it was written: in SQL of its own, which no later change touches.

A step never names :mod:`imgmatch.catalog.schema`, which is of this version. There are no triggers while steps run: they
are dropped before and made anew after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION_2 = (
    """CREATE TABLE features (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, pixels BLOB NOT NULL, codebook VARCHAR NOT NULL,
        record BLOB NOT NULL, thumbnail BLOB, UNIQUE (pixels))""",
    """CREATE TABLE calibrations (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, fitted_at BIGINT NOT NULL, slope FLOAT NOT NULL,
        shift FLOAT NOT NULL, accept FLOAT NOT NULL, pairs INTEGER NOT NULL)""",
    "CREATE INDEX ix_photos_pixels ON photos (pixels)",
)
"""Local features, one row a picture, which the next scan fills, and what scores are calibrated by."""

VERSION_3 = (
    """CREATE TABLE ties (
        low INTEGER NOT NULL, high INTEGER NOT NULL, odds FLOAT NOT NULL, mirrored INTEGER NOT NULL,
        rotation INTEGER NOT NULL, overlap_low FLOAT, overlap_high FLOAT, agreement FLOAT, PRIMARY KEY (low, high),
        FOREIGN KEY(low) REFERENCES features (id) ON DELETE CASCADE,
        FOREIGN KEY(high) REFERENCES features (id) ON DELETE CASCADE) WITHOUT ROWID""",
    "CREATE INDEX ix_ties_high ON ties (high)",
    """CREATE TABLE searches (
        id INTEGER NOT NULL, rule VARCHAR NOT NULL, through BIGINT NOT NULL, searched_at BIGINT NOT NULL,
        PRIMARY KEY (id))""",
    """CREATE TABLE decisions (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, decided_at BIGINT NOT NULL, verdict VARCHAR NOT NULL,
        kind VARCHAR NOT NULL, subject VARCHAR, "by" VARCHAR NOT NULL, reason VARCHAR)""",
    """CREATE TABLE decision_photos (
        decision_id INTEGER NOT NULL, picture INTEGER NOT NULL, photo_id VARCHAR NOT NULL, account VARCHAR NOT NULL,
        bits BLOB NOT NULL, PRIMARY KEY (decision_id, picture, photo_id),
        FOREIGN KEY(decision_id) REFERENCES decisions (id)) WITHOUT ROWID""",
    "CREATE INDEX ix_decision_photos_photo_id ON decision_photos (photo_id)",
    "CREATE INDEX ix_decision_photos_account ON decision_photos (account)",
    """CREATE TABLE bank_pictures (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, bank VARCHAR NOT NULL, pixels BLOB NOT NULL,
        fingerprint_id INTEGER NOT NULL, label VARCHAR NOT NULL, photo_id VARCHAR, account VARCHAR,
        added_at BIGINT NOT NULL, UNIQUE (bank, pixels), FOREIGN KEY(fingerprint_id) REFERENCES fingerprints (id))""",
    "CREATE INDEX ix_bank_pictures_fingerprint_id ON bank_pictures (fingerprint_id)",
    "CREATE INDEX ix_bank_pictures_pixels ON bank_pictures (pixels)",
    "CREATE TABLE reports (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, made_at BIGINT NOT NULL)",
    """CREATE TABLE report_rings (
        report_id INTEGER NOT NULL, ring VARCHAR NOT NULL, pictures INTEGER NOT NULL, PRIMARY KEY (report_id, ring),
        FOREIGN KEY(report_id) REFERENCES reports (id) ON DELETE CASCADE) WITHOUT ROWID""",
    """CREATE TABLE report_members (
        report_id INTEGER NOT NULL, account VARCHAR NOT NULL, ring VARCHAR NOT NULL, PRIMARY KEY (report_id, account),
        FOREIGN KEY(report_id) REFERENCES reports (id) ON DELETE CASCADE) WITHOUT ROWID""",
    "CREATE INDEX report_members_by_account ON report_members (account)",
)
"""What rings are made of and what people decide; pictures are searched for copies by the next run."""

VERSION_4 = (
    """CREATE TABLE tallies (
        kind VARCHAR NOT NULL, part VARCHAR NOT NULL, number BIGINT NOT NULL, PRIMARY KEY (kind, part))
        WITHOUT ROWID""",
    'CREATE TABLE unlinked (kind VARCHAR NOT NULL, "row" INTEGER NOT NULL, PRIMARY KEY (kind, "row")) WITHOUT ROWID',
    """CREATE TABLE swept (
        kind VARCHAR NOT NULL, "row" INTEGER NOT NULL, part VARCHAR NOT NULL, PRIMARY KEY (kind, "row"))
        WITHOUT ROWID""",
    "ALTER TABLE ties ADD COLUMN outline_low JSON",
    "ALTER TABLE ties ADD COLUMN outline_high JSON",
    "INSERT INTO tallies SELECT 'photos', '', count(*) FROM photos",
    "INSERT INTO tallies SELECT 'accounts', '', count(*) FROM accounts",
    "INSERT INTO tallies SELECT 'fingerprints', hasher, count(*) FROM fingerprints GROUP BY hasher",
    "INSERT INTO tallies SELECT 'features', codebook, count(*) FROM features GROUP BY codebook",
    "INSERT INTO tallies SELECT 'ties', '', count(*) FROM ties",
    """INSERT INTO unlinked SELECT 'fingerprints', id FROM fingerprints
        WHERE id NOT IN (SELECT fingerprint_id FROM photo_fingerprints)""",
    """INSERT INTO unlinked SELECT 'features', id FROM features
        WHERE id NOT IN (SELECT features.id FROM features JOIN photos USING (pixels))""",
    "INSERT INTO unlinked SELECT 'accounts', id FROM accounts WHERE id NOT IN (SELECT account_id FROM photos)",
)
"""Rows are counted, and what may be unused or is gone is noted; scores of pairs keep outlines."""

VERSION_5 = (
    "DROP INDEX ix_ties_high",
    "ALTER TABLE ties RENAME TO pair_scores",
    "ALTER TABLE pair_scores RENAME COLUMN odds TO log_odds",
    "CREATE INDEX ix_pair_scores_high ON pair_scores (high)",
    "ALTER TABLE searches RENAME TO feature_searches",
    "ALTER TABLE feature_searches RENAME COLUMN rule TO model",
    "ALTER TABLE feature_searches RENAME COLUMN through TO watermark",
    "ALTER TABLE tallies RENAME TO row_counts",
    "UPDATE row_counts SET kind = 'pair_scores' WHERE kind = 'ties'",
    "ALTER TABLE unlinked RENAME TO orphans",
    "ALTER TABLE swept RENAME TO tombstones",
    """CREATE TABLE leases (
        name VARCHAR NOT NULL, owner VARCHAR NOT NULL, token VARCHAR NOT NULL, acquired_at BIGINT NOT NULL,
        heartbeat_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, PRIMARY KEY (name))""",
)
"""Tables by the names of what they hold, and leases."""

STEPS: Mapping[int, tuple[str, ...]] = {2: VERSION_2, 3: VERSION_3, 4: VERSION_4, 5: VERSION_5}
"""Version to the statements that lead to it from the one before; version 1 is the first schema and has none."""
