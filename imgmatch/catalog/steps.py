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

VERSION_6 = (
    """CREATE TABLE near_pairs (low INTEGER NOT NULL, high INTEGER NOT NULL, distance INTEGER NOT NULL, orientation
        INTEGER NOT NULL, PRIMARY KEY (low, high), FOREIGN KEY(low) REFERENCES fingerprints (id) ON DELETE CASCADE,
        FOREIGN KEY(high) REFERENCES fingerprints (id) ON DELETE CASCADE) WITHOUT ROWID""",
    "CREATE INDEX ix_near_pairs_high ON near_pairs (high)",
    """CREATE TABLE clusterings (id INTEGER NOT NULL, joined_watermark BIGINT NOT NULL, joined_distance INTEGER NOT
        NULL, options JSON NOT NULL, finished_at BIGINT, PRIMARY KEY (id))""",
    "CREATE TABLE stale_fingerprints (fingerprint_id INTEGER NOT NULL, PRIMARY KEY (fingerprint_id))",
    """CREATE TABLE rings (id INTEGER NOT NULL, ring VARCHAR NOT NULL, new INTEGER, changes JSON NOT NULL, joined
        JSON NOT NULL, "left" JSON NOT NULL, came_from JSON NOT NULL, went_to JSON NOT NULL, PRIMARY KEY (id),
        UNIQUE (ring))""",
    """CREATE TABLE ring_accounts (account VARCHAR NOT NULL, ring_id INTEGER NOT NULL, PRIMARY KEY (account),
        FOREIGN KEY(ring_id) REFERENCES rings (id) ON DELETE CASCADE) WITHOUT ROWID""",
    "CREATE INDEX ix_ring_accounts_ring_id ON ring_accounts (ring_id)",
    """CREATE TABLE groups (id INTEGER NOT NULL, name VARCHAR NOT NULL, ring_id INTEGER, medoid INTEGER NOT NULL,
        medoid_photo INTEGER, common INTEGER NOT NULL, diameter INTEGER NOT NULL, bank VARCHAR, decision VARCHAR,
        decided INTEGER, PRIMARY KEY (id), FOREIGN KEY(ring_id) REFERENCES rings (id) ON DELETE SET NULL)""",
    "CREATE INDEX ix_groups_name ON groups (name)",
    "CREATE INDEX ix_groups_ring_id ON groups (ring_id)",
    """CREATE TABLE group_fingerprints (fingerprint_id INTEGER NOT NULL, group_id INTEGER NOT NULL, PRIMARY KEY
        (fingerprint_id, group_id), FOREIGN KEY(group_id) REFERENCES groups (id) ON DELETE CASCADE) WITHOUT ROWID""",
    "CREATE INDEX ix_group_fingerprints_group_id ON group_fingerprints (group_id)",
    """CREATE TABLE group_photos (group_id INTEGER NOT NULL, place INTEGER NOT NULL, photo_row INTEGER NOT NULL,
        kind VARCHAR NOT NULL, score FLOAT NOT NULL, distance INTEGER, mirrored INTEGER NOT NULL, rotation INTEGER
        NOT NULL, overlap FLOAT, agreement FLOAT, outline_photo JSON, outline_medoid JSON, PRIMARY KEY (group_id,
        place), FOREIGN KEY(group_id) REFERENCES groups (id) ON DELETE CASCADE, FOREIGN KEY(photo_row) REFERENCES
        photos (id) ON DELETE CASCADE) WITHOUT ROWID""",
    "CREATE INDEX ix_group_photos_photo_row ON group_photos (photo_row)",
    "CREATE INDEX ix_decision_photos_bits ON decision_photos (bits)",
    "CREATE INDEX ix_report_rings_ring ON report_rings (ring)",
    "CREATE INDEX report_members_by_ring ON report_members (ring)",
)
"""Near pairs, groups and rings are kept, and what is out of date is noted."""

VERSION_7 = (
    """CREATE TABLE erasures (id INTEGER NOT NULL, seal BLOB NOT NULL, named BLOB NOT NULL, stage VARCHAR NOT NULL,
        photos INTEGER NOT NULL, PRIMARY KEY (id))""",
    """CREATE TABLE erasure_portions (erasure_id INTEGER NOT NULL, number INTEGER NOT NULL, gone BLOB NOT NULL,
        PRIMARY KEY (erasure_id, number), FOREIGN KEY(erasure_id) REFERENCES erasures (id) ON DELETE CASCADE)""",
    """UPDATE skipped SET detail = 'the photo_id stands for an earlier photo of this scan'
        WHERE reason = 'duplicate' AND detail LIKE 'photo_id %'""",
)
"""Erasures that were cut off are noted, and what is said of a duplicate no longer names the photo it repeats."""


def _spelt(column: str) -> str:
    return f"imgmatch_account_id(CAST({column} AS BLOB))"


_WATERMARK = "(SELECT joined_watermark FROM clusterings)"
_MERGED = "SELECT r.id FROM respelt r JOIN spelt s USING (account) WHERE s.id = accounts.id"

VERSION_8 = (
    """CREATE TABLE renames (id INTEGER NOT NULL, source_id INTEGER NOT NULL, "key" VARCHAR NOT NULL, PRIMARY KEY (id),
        UNIQUE (source_id), FOREIGN KEY(source_id) REFERENCES sources (id) ON DELETE CASCADE)""",
    """CREATE TABLE tokens (kind VARCHAR NOT NULL, token VARCHAR, pending VARCHAR, PRIMARY KEY (kind))""",
    "INSERT INTO tokens VALUES ('catalog', lower(hex(randomblob(16))), NULL)",
    "ALTER TABLE accounts ADD COLUMN look BIGINT",
    "ALTER TABLE accounts ADD COLUMN former JSON",
    """CREATE TABLE lookalikes (id INTEGER NOT NULL, look BIGINT NOT NULL, number BIGINT NOT NULL, PRIMARY KEY (id),
        UNIQUE (look))""",
    # Accounts that go by one spelling from now on become one; their photos keep their ids.
    "CREATE TEMP TABLE respelt (id INTEGER PRIMARY KEY, former VARCHAR, account VARCHAR)",
    f"""INSERT INTO respelt SELECT id, account, spelt FROM
        (SELECT id, account, {_spelt("account")} AS spelt FROM accounts WHERE typeof(account) = 'text')
        WHERE spelt <> account""",
    "CREATE INDEX temp.respelt_by_account ON respelt (account)",
    "CREATE TEMP TABLE spelt (id INTEGER PRIMARY KEY, account VARCHAR UNIQUE)",
    """INSERT INTO spelt
        SELECT coalesce((SELECT a.id FROM accounts a WHERE a.account = r.account), min(r.id)), r.account
        FROM respelt r GROUP BY r.account""",
    f"""INSERT OR IGNORE INTO stale_fingerprints SELECT l.fingerprint_id FROM respelt r
        JOIN photos p ON p.account_id = r.id JOIN photo_fingerprints l ON l.photo_id = p.id
        WHERE l.fingerprint_id <= {_WATERMARK}""",
    """UPDATE photos SET account_id = (SELECT s.id FROM respelt r JOIN spelt s USING (account)
        WHERE r.id = photos.account_id) WHERE account_id IN (SELECT id FROM respelt)""",
    f"""UPDATE accounts SET
        former = (SELECT json_group_array(r.former)
            FROM respelt r JOIN spelt s USING (account) WHERE s.id = accounts.id),
        name = coalesce(name, (SELECT a.name FROM accounts a WHERE a.id IN ({_MERGED}) AND a.name IS NOT NULL)),
        attributes = coalesce(attributes,
            (SELECT a.attributes FROM accounts a WHERE a.id IN ({_MERGED}) AND a.attributes IS NOT NULL)),
        first_seen = min(first_seen, (SELECT min(a.first_seen) FROM accounts a WHERE a.id IN ({_MERGED})))
        WHERE id IN (SELECT id FROM spelt)""",
    "DELETE FROM accounts WHERE id IN (SELECT id FROM respelt) AND id NOT IN (SELECT id FROM spelt)",
    """UPDATE accounts SET account = (SELECT s.account FROM spelt s WHERE s.id = accounts.id)
        WHERE id IN (SELECT id FROM spelt)""",
    "DROP TABLE temp.respelt",
    "DROP TABLE temp.spelt",
    "UPDATE row_counts SET number = (SELECT count(*) FROM accounts) WHERE kind = 'accounts'",
    *(
        f"UPDATE OR REPLACE {table} SET account = {_spelt('account')} WHERE {_spelt('account')} <> account"
        for table in ("decision_photos", "skipped", "bank_pictures", "report_members", "ring_accounts")
    ),
    *(
        f"""UPDATE rings SET "{column}" = coalesce(imgmatch_account_ids(CAST("{column}" AS BLOB)), "{column}")"""
        for column in ("joined", "left")
    ),
    "UPDATE accounts SET look = imgmatch_account_look(CAST(account AS BLOB))",
    "CREATE INDEX ix_accounts_look ON accounts (look)",
    """INSERT INTO lookalikes (look, number)
        SELECT look, count(*) FROM accounts WHERE look IS NOT NULL GROUP BY look HAVING count(*) > 1""",
    # A photo has several pictures: frames of one that moves. Of what is there each has its first one; a share of 0 has
    # the next scan look whether there are more.
    """CREATE TABLE photo_pictures (photo_id INTEGER NOT NULL, place INTEGER NOT NULL, pixels BLOB NOT NULL,
        frame INTEGER, share FLOAT, PRIMARY KEY (photo_id, place),
        FOREIGN KEY(photo_id) REFERENCES photos (id) ON DELETE CASCADE) WITHOUT ROWID""",
    """INSERT INTO photo_pictures SELECT id, 0, pixels, NULL,
        CASE WHEN format IN ('GIF', 'PNG', 'WEBP', 'AVIF') THEN 0 END FROM photos ORDER BY id""",
    "CREATE INDEX ix_photo_pictures_pixels ON photo_pictures (pixels)",
    "DROP INDEX ix_photos_pixels",
    "ALTER TABLE photos DROP COLUMN pixels",
    """CREATE TABLE placed_fingerprints (fingerprint_id INTEGER NOT NULL, photo_id INTEGER NOT NULL, place INTEGER NOT
        NULL, PRIMARY KEY (fingerprint_id, photo_id, place), FOREIGN KEY(fingerprint_id) REFERENCES fingerprints (id),
        FOREIGN KEY(photo_id) REFERENCES photos (id) ON DELETE CASCADE) WITHOUT ROWID""",
    """INSERT INTO placed_fingerprints SELECT fingerprint_id, photo_id, 0 FROM photo_fingerprints
        ORDER BY fingerprint_id, photo_id""",
    "DROP TABLE photo_fingerprints",
    "ALTER TABLE placed_fingerprints RENAME TO photo_fingerprints",
    "CREATE INDEX photo_fingerprints_by_photo ON photo_fingerprints (photo_id)",
    "ALTER TABLE group_photos ADD COLUMN picture INTEGER",
    """CREATE TABLE decided_pictures (
        decision_id INTEGER NOT NULL, picture INTEGER NOT NULL, photo_id VARCHAR NOT NULL, bits BLOB NOT NULL,
        account VARCHAR NOT NULL, PRIMARY KEY (decision_id, picture, photo_id, bits),
        FOREIGN KEY(decision_id) REFERENCES decisions (id)) WITHOUT ROWID""",
    "INSERT INTO decided_pictures SELECT decision_id, picture, photo_id, bits, account FROM decision_photos",
    "DROP TABLE decision_photos",
    "ALTER TABLE decided_pictures RENAME TO decision_photos",
    "CREATE INDEX ix_decision_photos_photo_id ON decision_photos (photo_id)",
    "CREATE INDEX ix_decision_photos_account ON decision_photos (account)",
    "CREATE INDEX ix_decision_photos_bits ON decision_photos (bits)",
    # What there is of a damaged photo is used: the next scan tries again what could not be read before.
    "ALTER TABLE photos ADD COLUMN damaged FLOAT",
    "UPDATE skipped SET file_bytes = NULL, file_mtime_ns = NULL WHERE reason = 'unreadable'",
)
"""Sources that are being renamed are noted; the header and engine files are known to be of their catalog: those that
are there get tokens when the index is opened. Each account has one spelling, and those that look alike are noted.
A photo may have several pictures, or be damaged.

The functions that spell are those of :mod:`imgmatch.catalog.spellings`."""

VERSION_9 = (
    "DROP INDEX ix_near_pairs_high",
    "CREATE INDEX near_pairs_by_high ON near_pairs (high, distance)",
)
"""Neighbours are found from both ends of a pair without reading the pair itself."""

VERSION_10 = (
    "ALTER TABLE decisions ADD COLUMN undoes INTEGER",
    "ALTER TABLE decisions ADD COLUMN opened_at BIGINT",
    "CREATE INDEX ix_decisions_undoes ON decisions (undoes)",
    """CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name VARCHAR NOT NULL, password VARCHAR,
        role VARCHAR NOT NULL, added_at BIGINT NOT NULL, UNIQUE (name))""",
    """CREATE TABLE logins (digest BLOB NOT NULL, user_id INTEGER NOT NULL, began_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL, PRIMARY KEY (digest),
        FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE) WITHOUT ROWID""",
    "CREATE INDEX ix_logins_user_id ON logins (user_id)",
    """CREATE TABLE api_tokens (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name VARCHAR NOT NULL,
        digest BLOB NOT NULL, scopes JSON NOT NULL, added_at BIGINT NOT NULL, expires_at BIGINT NOT NULL,
        UNIQUE (name), UNIQUE (digest))""",
    """CREATE TABLE failed_logins (id INTEGER NOT NULL, "key" BLOB NOT NULL, failed_at BIGINT NOT NULL,
        PRIMARY KEY (id))""",
    'CREATE INDEX ix_failed_logins_key ON failed_logins ("key")',
    """CREATE TABLE ring_reviews (ring VARCHAR NOT NULL, reviewer VARCHAR NOT NULL, opened_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL, PRIMARY KEY (ring)) WITHOUT ROWID""",
    """CREATE TABLE skipped_rings (reviewer VARCHAR NOT NULL, ring VARCHAR NOT NULL, expires_at BIGINT NOT NULL,
        PRIMARY KEY (reviewer, ring)) WITHOUT ROWID""",
    """CREATE TABLE audit_log (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, at BIGINT NOT NULL,
        actor VARCHAR NOT NULL, action VARCHAR NOT NULL, subject VARCHAR, digest BLOB NOT NULL)""",
    """CREATE TABLE deliveries (decision_id INTEGER NOT NULL, attempts BIGINT NOT NULL, next_at BIGINT,
        delivered_at BIGINT, answer VARCHAR, PRIMARY KEY (decision_id),
        FOREIGN KEY(decision_id) REFERENCES decisions (id))""",
    "CREATE INDEX ix_deliveries_next_at ON deliveries (next_at)",
)
"""A decision can be undone. Who may use the page, who has a ring open, and what was done are kept."""

VERSION_11 = (
    """CREATE TABLE banks (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name VARCHAR NOT NULL,
        purpose VARCHAR NOT NULL, owner VARCHAR, enabled INTEGER NOT NULL, ratio FLOAT NOT NULL, note VARCHAR,
        created_at BIGINT NOT NULL, changes BIGINT NOT NULL, checkpoint VARCHAR, UNIQUE (name))""",
    """INSERT INTO banks (name, purpose, enabled, ratio, created_at, changes)
        SELECT bank, CASE bank WHEN 'known-stolen' THEN 'stolen' WHEN 'known-common' THEN 'common' ELSE 'partner' END,
        1, 1, min(added_at), 0 FROM bank_pictures GROUP BY bank ORDER BY bank""",
    """CREATE TABLE bank_entries (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, bank_id INTEGER NOT NULL,
        "key" BLOB NOT NULL, pdq BLOB, pixels BLOB, fingerprint_id INTEGER, label VARCHAR, photo_id VARCHAR,
        account VARCHAR, ref VARCHAR, added_at BIGINT NOT NULL, modified BIGINT, muted_until BIGINT,
        quarantined_at BIGINT, note VARCHAR, category VARCHAR, tags JSON, uri VARCHAR, metadata JSON,
        UNIQUE (bank_id, "key"), FOREIGN KEY(bank_id) REFERENCES banks (id) ON DELETE CASCADE,
        FOREIGN KEY(fingerprint_id) REFERENCES fingerprints (id))""",
    """INSERT INTO bank_entries (id, bank_id, "key", pixels, fingerprint_id, label, photo_id, account, added_at, pdq)
        SELECT p.id, b.id, p.pixels, p.pixels, p.fingerprint_id, p.label, p.photo_id, p.account, p.added_at,
        (SELECT f.bits FROM photo_pictures s JOIN photo_fingerprints l ON l.photo_id = s.photo_id AND l.place = s.place
            JOIN fingerprints f ON f.id = l.fingerprint_id
            WHERE s.pixels = p.pixels AND f.hasher || '' = 'pdq' LIMIT 1)
        FROM bank_pictures p JOIN banks b ON b.name = p.bank ORDER BY p.id""",
    # The numbers of entries that are gone are not given again.
    "DELETE FROM sqlite_sequence WHERE name = 'bank_entries'",
    "INSERT INTO sqlite_sequence SELECT 'bank_entries', seq FROM sqlite_sequence WHERE name = 'bank_pictures'",
    "DROP TABLE bank_pictures",
    "CREATE INDEX ix_bank_entries_fingerprint_id ON bank_entries (fingerprint_id)",
    "CREATE INDEX ix_bank_entries_pdq ON bank_entries (pdq)",
    "CREATE INDEX ix_bank_entries_muted_until ON bank_entries (muted_until)",
    "CREATE INDEX ix_bank_entries_quarantined_at ON bank_entries (quarantined_at)",
    "CREATE INDEX ix_bank_entries_pixels ON bank_entries (pixels)",
    "INSERT INTO row_counts SELECT 'bank_entries', bank_id, count(*) FROM bank_entries GROUP BY bank_id",
    """CREATE TABLE bank_opinions ("key" BLOB NOT NULL, opinion VARCHAR NOT NULL, "by" VARCHAR NOT NULL, reason VARCHAR,
        given_at BIGINT NOT NULL, PRIMARY KEY ("key")) WITHOUT ROWID""",
    """CREATE TABLE bank_hits (entry_id INTEGER NOT NULL, fingerprint_id INTEGER NOT NULL, distance INTEGER NOT NULL,
        orientation INTEGER NOT NULL, PRIMARY KEY (entry_id, fingerprint_id),
        FOREIGN KEY(entry_id) REFERENCES bank_entries (id) ON DELETE CASCADE,
        FOREIGN KEY(fingerprint_id) REFERENCES fingerprints (id) ON DELETE CASCADE) WITHOUT ROWID""",
    "CREATE INDEX ix_bank_hits_fingerprint_id ON bank_hits (fingerprint_id)",
    """CREATE TABLE bank_joins (id INTEGER NOT NULL, fingerprints BIGINT NOT NULL, entries BIGINT NOT NULL,
        PRIMARY KEY (id))""",
    """CREATE TABLE reported (sink VARCHAR NOT NULL, subject VARCHAR NOT NULL, decision_id INTEGER, ring VARCHAR,
        size INTEGER, attempts BIGINT NOT NULL, next_at BIGINT, delivered_at BIGINT, answer VARCHAR,
        PRIMARY KEY (sink, subject)) WITHOUT ROWID""",
    "CREATE INDEX ix_reported_next_at ON reported (next_at)",
)
"""Banks have a purpose, an owner and a share of traffic, and hold bare hashes as well as pictures; what photos hit is
kept, and what moderators say of an entry. Queues that rings are reported to are noted."""

VERSION_13 = (
    "ALTER TABLE photo_pictures ADD COLUMN panel JSON",
    "ALTER TABLE pair_scores ADD COLUMN negative INTEGER",
    "ALTER TABLE group_photos ADD COLUMN negative INTEGER",
    # Pairs of negatives are kept of no fingerprints yet: the next run joins all of them once more.
    "UPDATE clusterings SET joined_distance = 0",
)
"""Photos that are parts of another are pictures of their own. Of two pictures one may be the negative of the other."""

STEPS: Mapping[int, tuple[str, ...]] = {
    2: VERSION_2,
    3: VERSION_3,
    4: VERSION_4,
    5: VERSION_5,
    6: VERSION_6,
    7: VERSION_7,
    8: VERSION_8,
    9: VERSION_9,
    10: VERSION_10,
    11: VERSION_11,
    12: (),  # PostgreSQL alone has something new
    13: VERSION_13,
}
"""Version to the statements that lead to it from the one before; version 1 is the first schema and has none."""
