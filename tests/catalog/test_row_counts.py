"""Rows are counted, and what nothing uses any more is removed, as looking through whole tables would do it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from filled import DAY_ONE, begin, opened, photo, remove_photos, store, with_picture
from pictured import HASHER, feature_row, pixels, showing
from sqlalchemy import delete, func, select, text

from imgmatch.catalog import photos as photo_rows
from imgmatch.catalog import schema
from imgmatch.catalog.banks import KNOWN_COMMON, KNOWN_STOLEN, add_to_bank, remove_from_bank
from imgmatch.catalog.erasing import Erased, remove_erased
from imgmatch.catalog.features import (
    FeatureRow,
    count_features,
    count_features_after,
    last_features,
    store_features,
)
from imgmatch.catalog.fingerprints import count_fingerprints, count_fingerprints_after, last_fingerprint
from imgmatch.catalog.lookups import counts
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.catalog.pair_scores import PairScore, begin_feature_search, store_pair_scores
from imgmatch.catalog.row_counts import COUNTED, IN_ENGINES, forget_tombstones, row_count, tombstones
from imgmatch.catalog.times import to_microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.catalog.rows import PhotoRecord
    from imgmatch.catalog.session import Session
    from imgmatch.catalog.sqlite import SqliteCatalog

BOOK, OTHER_BOOK = "book", "other book"
ACCOUNTS, PICTURES, PHOTOS = "abcd", 8, 14
BANKS = (KNOWN_STOLEN, KNOWN_COMMON)

LAST = 2**62
"""Later than any row id."""


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


# -- the obviously right way ----------------------------------------------------------------------------------------

COUNTING = {
    "photos": "SELECT '', count(*) FROM photos",
    "accounts": "SELECT '', count(*) FROM accounts",
    "pair_scores": "SELECT '', count(*) FROM pair_scores",
    "fingerprints": "SELECT hasher, count(*) FROM fingerprints GROUP BY hasher",
    "features": "SELECT codebook, count(*) FROM features GROUP BY codebook",
    "bank_entries": "SELECT bank_id, count(*) FROM bank_entries GROUP BY bank_id",
}
UNUSED = {
    "fingerprints": """
        SELECT hasher, id FROM fingerprints
        WHERE NOT EXISTS (SELECT * FROM photo_fingerprints WHERE fingerprint_id = fingerprints.id)
        AND NOT EXISTS (SELECT * FROM bank_entries WHERE fingerprint_id = fingerprints.id)
        ORDER BY id""",
    "features": """
        SELECT codebook, id FROM features
        WHERE NOT EXISTS (SELECT * FROM photo_pictures WHERE photo_pictures.pixels = features.pixels)
        AND NOT EXISTS (SELECT * FROM bank_entries WHERE bank_entries.pixels = features.pixels)
        ORDER BY id""",
    "accounts": """
        SELECT '', id FROM accounts WHERE NOT EXISTS (SELECT * FROM photos WHERE account_id = accounts.id) ORDER BY id
        """,
}


def counted(session: Session) -> dict[tuple[str, str], int]:
    """How many rows there are of each kind and part, by counting them."""
    asked = ((kind, *row) for kind, query in COUNTING.items() for row in session.sql.execute(text(query)))
    return {(kind, str(part)): number for kind, part, number in asked if number}


def kept_counts(session: Session) -> dict[tuple[str, str], int]:
    """What is kept of that."""
    table = schema.row_counts.c
    return {
        (kind, part): number
        for kind, part, number in session.sql.execute(select(table.kind, table.part, table.number))
        if number
    }


def unused(session: Session, kind: str) -> dict[str, list[int]]:
    """Rows that nothing uses, by looking at all there are."""
    found: dict[str, list[int]] = {}
    for part, row in session.sql.execute(text(UNUSED[kind])):
        found.setdefault(part, []).append(row)
    return found


def ids(session: Session, kind: str) -> set[int]:
    return set(session.sql.scalars(select(schema.metadata.tables[kind].c.id)))


def check_counts(session: Session) -> None:
    right = counted(session)
    assert kept_counts(session) == right
    assert {kind: row_count(session, kind) for kind in COUNTED} == {
        kind: sum(number for (of, _), number in right.items() if of == kind) for kind in COUNTED
    }
    shown = {"ties" if kind == "pair_scores" else kind: row_count(session, kind) for kind in COUNTED}
    assert counts(session).items() >= shown.items()
    for hasher in ("phash", "pdq", "unknown"):
        assert count_fingerprints(session, hasher) == right.get(("fingerprints", hasher), 0)
    for codebook in (BOOK, OTHER_BOOK, "unknown"):
        assert count_features(session, codebook) == right.get(("features", codebook), 0)


def noted(session: Session, kind: str) -> dict[str, set[int]]:
    """The rows an engine file may still hold."""
    found: dict[str, set[int]] = {}
    for part in {part for of, part in ever_counted(session) if of == kind}:
        found[part] = set(tombstones(session, kind, part, LAST))
    return found


def ever_counted(session: Session) -> set[tuple[str, str]]:
    return {
        (kind, part) for kind, part in session.sql.execute(select(schema.row_counts.c.kind, schema.row_counts.c.part))
    }


def checked_removal(session: Session) -> dict[str, int]:
    """A removal of orphans, held to the queries over whole tables."""
    before = {kind: noted(session, kind) for kind in IN_ENGINES}
    right = {kind: unused(session, kind) for kind in UNUSED}
    left = {kind: ids(session, kind) - {row for rows in right[kind].values() for row in rows} for kind in UNUSED}
    gone = remove_orphans(session)
    assert gone == {kind: sum(map(len, right[kind].values())) for kind in UNUSED}
    for kind in IN_ENGINES:
        fresh = {part: sorted(rows - before[kind][part]) for part, rows in noted(session, kind).items()}
        assert {part: rows for part, rows in fresh.items() if rows} == right[kind]
    assert {kind: ids(session, kind) for kind in UNUSED} == left
    assert session.sql.scalar(select(func.count()).select_from(schema.orphans)) == 0
    check_counts(session)
    return gone


# -- a walk at random -------------------------------------------------------------------------------------------------


def by_the_other_book(record: PhotoRecord) -> PhotoRecord:
    assert record.pictures[0].features is not None
    return with_picture(record, features=replace(record.pictures[0].features, codebook=OTHER_BOOK))


class Walk:
    """Whatever writes to a catalog, in any order."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.removed = 0

    def record(self) -> PhotoRecord:
        """A photo, with or without features, of a picture that others may show; near copies share a fingerprint."""
        chance = self.chance
        number, account, picture = chance.randrange(PHOTOS), chance.choice(ACCOUNTS), chance.randrange(PICTURES)
        record = showing(number, account, picture=picture, days=number)
        if chance.random() < 0.2:
            record = with_picture(record, features=None)
        elif chance.random() < 0.2:
            record = by_the_other_book(record)
        if chance.random() < 0.3:
            record = with_picture(record, fingerprints=photo(0, picture=picture // 2).pictures[0].fingerprints)
        return record

    def photo_ids(self) -> list[str]:
        return [f"p{number}" for number in self.chance.sample(range(PHOTOS), self.chance.randint(1, 5))]

    def step(self, session: Session) -> None:
        steps = (
            *(self.add,) * 3,
            *(self.prune, self.meet, self.remove, self.erase),
            *(self.bank, self.unbank, self.tie, self.forget_ties, self.remove_orphans),
        )
        self.chance.choice(steps)(session)

    def add(self, session: Session) -> None:
        records = {record.photo.photo_id: record for record in (self.record() for _ in range(4))}
        photo_rows.store_photos(session, begin(session, self.chance.choice("st")), list(records.values()))

    def prune(self, session: Session) -> None:
        scan = begin(session, self.chance.choice("st"))
        photo_rows.mark_line_seen(session, scan, self.photo_ids())
        photo_rows.prune_photos(session, scan, 0, PHOTOS)

    def meet(self, session: Session) -> None:
        """Photos are met again, and may have gone to another account."""
        known = photo_rows.known_photos(session, self.photo_ids())
        met = [
            (found, replace(self.record().photo, photo_id=photo_id), found.seen_at, found.file)
            for photo_id, found in known.items()
        ]
        photo_rows.mark_seen(session, begin(session), met)

    def remove(self, session: Session) -> None:
        if self.chance.random() < 0.5:
            remove_photos(session, account=self.chance.choice(ACCOUNTS))
        else:
            remove_photos(session, photo_id=self.photo_ids()[0])

    def erase(self, session: Session) -> None:
        moment = to_microseconds(DAY_ONE) + self.chance.randrange(PHOTOS // 2) * 86_400_000_000
        ways = Erased(account=self.chance.choice(ACCOUNTS)), Erased(photo_id="p3"), Erased(before=moment)
        remove_erased(session, self.chance.choice(ways))

    def bank(self, session: Session) -> None:
        add_to_bank(session, self.chance.choice(BANKS), self.photo_ids(), HASHER)

    def unbank(self, session: Session) -> None:
        if self.chance.random() < 0.7:
            remove_from_bank(session, self.chance.choice(BANKS), self.photo_ids())
        else:
            session.sql.execute(delete(schema.bank_entries).where(schema.bank_entries.c.id % 2 == 0))

    def tie(self, session: Session) -> None:
        rows = sorted(ids(session, "features"))
        pairs = [(low, high) for low in rows for high in rows if low < high]
        chosen = self.chance.sample(pairs, min(6, len(pairs)))
        odds = self.chance.uniform(-3, 3)
        store_pair_scores(session, [PairScore(*pair, odds, False, 0, None, None, None) for pair in chosen])  # noqa: FBT003 -- as rows come

    def forget_ties(self, session: Session) -> None:
        begin_feature_search(session, self.chance.choice(("one rule", "another")))

    def remove_orphans(self, session: Session) -> None:
        found = checked_removal(session)
        self.removed += sum(found.values())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_written_rows_are_counted_right_and_just_what_nothing_uses_is_removed(
    catalog: SqliteCatalog, seed: int
) -> None:
    walk = Walk(seed)
    for _ in range(60):
        with catalog.write() as session:
            walk.step(session)
            check_counts(session)
    with catalog.write() as session:
        walk.remove_orphans(session)
        assert walk.removed > 5
        for account in ACCOUNTS:
            remove_photos(session, account=account)
        session.sql.execute(delete(schema.bank_entries))
        checked_removal(session)
        assert counted(session) == {}


def test_what_is_rolled_back_is_not_counted(catalog: SqliteCatalog) -> None:
    store(catalog, [showing(1, picture="x")])

    def broken() -> None:
        with catalog.write() as session:
            photo_rows.store_photos(session, begin(session), [showing(2, "b", picture="y")])
            remove_photos(session, photo_id="p1")
            raise KeyboardInterrupt

    with catalog.read() as session:
        before = counted(session)
    with pytest.raises(KeyboardInterrupt):
        broken()
    with catalog.write() as session:
        assert kept_counts(session) == counted(session) == before
        assert session.sql.scalar(select(func.count()).select_from(schema.orphans)) == 0


def test_ties_that_go_with_their_features_are_counted_off(catalog: SqliteCatalog) -> None:
    store(catalog, [showing(number, f"a{number}", picture=number) for number in range(4)])
    with catalog.write() as session:
        rows = sorted(ids(session, "features"))
        pairs = [(low, high) for low in rows for high in rows if low < high]
        store_pair_scores(session, [PairScore(*pair, 1.0, False, 0, None, None, None) for pair in pairs])  # noqa: FBT003 -- as rows come
        assert row_count(session, "pair_scores") == 6
        remove_photos(session, photo_id="p1")
        checked_removal(session)
        assert row_count(session, "pair_scores") == 3
        store_features(session, [FeatureRow(pixels(2), OTHER_BOOK, b"anew", None)])  # which drops the row of before
        assert row_count(session, "pair_scores") == 1
        check_counts(session)


def test_every_row_that_was_removed_is_noted_under_its_hasher_or_codebook_until_no_engine_file_holds_it(
    catalog: SqliteCatalog,
) -> None:
    store(catalog, [showing(1, "a", picture="x"), by_the_other_book(showing(2, "b", picture="y"))])
    with catalog.write() as session:
        x, y = feature_row(session, "x"), feature_row(session, "y")
        for account in "ab":
            remove_photos(session, account=account)
        assert checked_removal(session) == {"fingerprints": 4, "features": 2, "accounts": 2}
        assert noted(session, "features") == {BOOK: {x}, OTHER_BOOK: {y}}
        assert {hasher: len(rows) for hasher, rows in noted(session, "fingerprints").items()} == {
            "phash": 2,
            "pdq": 2,
        }
        assert sum(remove_orphans(session).values()) == 0
        assert tombstones(session, "features", BOOK, x - 1) == []
        forget_tombstones(session, "features", [x])
        assert noted(session, "features") == {BOOK: set(), OTHER_BOOK: {y}}
        forget_tombstones(session, "features", [y, x])
        assert noted(session, "features") == {BOOK: set(), OTHER_BOOK: set()}
        assert sum(map(len, noted(session, "fingerprints").values())) == 4


def test_what_is_left_by_a_scan_that_was_killed_is_removed_by_the_next(tmp_path: Path) -> None:
    for catalog in opened(tmp_path):
        store(catalog, [showing(number, f"a{number}", picture=number) for number in range(5)])
        store(catalog, [showing(number, "one for all", picture="new") for number in range(3)])
        # The catalog is closed here, as by the end of a process: nobody has removed them.
    for catalog in opened(tmp_path):
        store(catalog, [showing(4, "a4", picture="new")])
        with catalog.write() as session:
            assert checked_removal(session)["features"] == 4
            assert set(session.sql.scalars(select(schema.accounts.c.account))) == {"one for all", "a3", "a4"}


def test_a_row_noted_as_unused_that_is_used_again_by_then_stays(catalog: SqliteCatalog) -> None:
    store(catalog, [showing(1, "a", picture="x")])
    with catalog.write() as session:
        before = {kind: ids(session, kind) for kind in UNUSED}
        remove_photos(session, photo_id="p1")
    store(catalog, [showing(2, "a", picture="x")])
    with catalog.write() as session:
        assert sum(checked_removal(session).values()) == 0
        assert {kind: ids(session, kind) for kind in UNUSED} == before


def test_what_comes_after_a_row_is_counted_without_what_came_before(catalog: SqliteCatalog) -> None:
    store(catalog, [showing(number, picture=number) for number in range(9)])
    with catalog.write() as session:
        remove_photos(session, photo_id="p5")
        remove_orphans(session)
        for row in range(-1, 20):
            prints, features = schema.fingerprints.c, schema.features.c
            later = select(func.count()).where(prints.id > row, prints.hasher == "pdq")
            assert count_fingerprints_after(session, "pdq", row) == session.sql.scalar(later)
            later = select(func.count()).where(features.id > row, features.codebook == BOOK)
            assert count_features_after(session, BOOK, row) == session.sql.scalar(later)
            assert count_features_after(session, OTHER_BOOK, row) == 0
        assert count_fingerprints_after(session, "pdq", last_fingerprint(session)) == 0
        assert count_features_after(session, BOOK, last_features(session)) == 0
