from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgmatch.actions.decide import decide, undo
from imgmatch.actions.rings import find_rings, keep_report, options_of
from imgmatch.catalog import photos as photo_rows
from imgmatch.catalog import scans as scan_rows
from imgmatch.catalog import schema
from imgmatch.catalog.decisions import read_decisions, undone_by
from imgmatch.catalog.erasing import Erased, mentions, remove_erased
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.catalog.rows import FileState, PhotoRecord, PictureRecord
from imgmatch.catalog.stale import count_stale
from imgmatch.catalog.times import to_microseconds
from imgmatch.clustering.common import CommonCriteria
from imgmatch.clustering.keeping import kept_current
from imgmatch.clustering.report import kept_report, whole_report
from imgmatch.hashers.phash import PHash
from imgmatch.index import Index
from imgmatch.model import Depth, NewPhoto, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.engines.parts import Parts
    from imgmatch.model import RingsReport

DAY_ONE = datetime(2026, 1, 1, tzinfo=UTC)
PICTURES, VARIANTS = 4, 6
COMMON = CommonCriteria(accounts=5, days=3.0, always=6)


def fingerprint(picture: int, variant: int) -> bytes:
    """Variants of one picture lie in a row, 12 bits from one to the next; some are mirrored, turned or negatives."""
    bits = np.unpackbits(np.random.default_rng(picture).integers(0, 256, 32, dtype=np.uint8))
    bits[: 12 * variant] ^= 1
    bits ^= variant in {1, 5}
    turned = PHash().estimated_orientations(np.packbits(bits)[None])
    return bytes(turned[(0, 0, 4, 0, 0, 3)[variant], 0].tobytes())


def record(number: int, account: int, picture: int, variant: int, day: int) -> PhotoRecord:
    """A photo that shows a variant of a picture; every third one moves, and shows the next picture as well."""
    photo_id, account_id = f"p{number}", f"a{account}"
    new = NewPhoto(account_id, Path(f"/photos/{number}.jpg"), f"{account_id}/{number}", photo_id)
    digest = bytes([picture, variant]) * 16
    seen_at = to_microseconds(DAY_ONE + timedelta(days=day))
    shown = [(picture, variant)] if number % 3 else [(picture, variant), ((picture + 1) % PICTURES, variant // 2)]
    pictures = tuple(
        PictureRecord(
            bytes(one) * 8,
            {"phash": fingerprint(*one), "pdq": bytes([number % 256]) * 32},
            frame=None if number % 3 else place,
        )
        for place, one in enumerate(shown, start=1)
    )
    return PhotoRecord(new, seen_at, FileState(1, number), digest, 9, 9, "JPEG", 90, pictures)


class World:
    """A catalog of made-up photos, changed step by step."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.options = options_of(parts, common=COMMON)
        self.ids: list[str] = []
        self.numbers = 0

    def add(self, account: int, picture: int, variant: int, day: int) -> None:
        self.numbers += 1
        with self.parts.catalog.write() as session:
            scan = scan_rows.begin_scan(session, "s")
            photo_rows.store_photos(session, scan, [record(self.numbers, account, picture, variant, day)])
        self.ids.append(f"p{self.numbers}")

    def change(self, place: int, account: int, picture: int, variant: int, day: int) -> None:
        """The photo of that id is another one now."""
        if self.ids:
            number = int(self.ids[place % len(self.ids)][1:])
            with self.parts.catalog.write() as session:
                scan = scan_rows.begin_scan(session, "s")
                photo_rows.store_photos(session, scan, [record(number, account, picture, variant, day)])
                remove_orphans(session)

    def erase(self, account: int) -> None:
        """As erasing does it: what is gone is gone from groups at once."""
        with self.parts.catalog.write() as session:
            with kept_current(session, self.parts.hasher, f"a{account}"):
                remove_erased(session, Erased(account=f"a{account}"))
                remove_orphans(session)
            assert mentions(session, Erased(account=f"a{account}")) == 0
        with self.parts.catalog.read() as session:
            left = session.sql.execute(schema.photos.select().with_only_columns(schema.photos.c.photo_id))
            self.ids = [photo_id for (photo_id,) in left]

    def decide(self, what: str, place: int, other: int, verdict: Verdict) -> None:
        report = self.kept()
        groups = [*report.common, *(group for ring in report.rings for group in ring.groups)]
        if what == "pair" and len(self.ids) > 1:
            one = place % len(self.ids)
            two = (one + 1 + other % (len(self.ids) - 1)) % len(self.ids)
            decide(self.parts, verdict, by="ana", pair=(self.ids[one], self.ids[two]))
        elif what == "group" and groups:
            decide(self.parts, verdict, by="ana", group=groups[place % len(groups)].group)
        elif what == "ring" and report.rings:
            decide(self.parts, verdict, by="ana", ring=report.rings[place % len(report.rings)].ring)

    def undo(self, place: int) -> None:
        with self.parts.catalog.read() as session:
            made = [row.id for row in read_decisions(session) if row.verdict != Verdict.UNDO]
            standing = sorted(set(made) - set(undone_by(session, made)))
        if standing:
            undo(self.parts, standing[place % len(standing)], by="zoe")

    def run(self) -> RingsReport:
        return find_rings(self.parts, common=COMMON)

    def keep_report(self) -> None:
        keep_report(self.parts, self.run())

    def kept(self) -> RingsReport:
        with self.parts.catalog.read() as session:
            return kept_report(session)

    def whole(self) -> RingsReport:
        with self.parts.catalog.read() as session:
            return whole_report(session, self.parts.hasher, self.options)

    def clear(self) -> None:
        with self.parts.catalog.write() as session:
            for table in reversed(schema.metadata.sorted_tables):
                if table is not schema.versions:
                    session.sql.execute(table.delete())


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("keeping") / "index", depth=Depth.FINGERPRINT) as index:
        yield index


@contextmanager
def world(index: Index) -> Iterator[World]:
    made = World(index.parts)
    yield made
    made.clear()


Step = tuple[Any, ...]
"""The name of what is done to a world, and its arguments."""

NUMBER = st.integers(0, 50)
SHOWN = (st.integers(0, 7), st.integers(0, PICTURES - 1), st.integers(0, VARIANTS - 1), st.integers(0, 9))
ADDING = st.tuples(st.just("add"), *SHOWN)
CHANGING = st.tuples(st.just("change"), NUMBER, *SHOWN)
ERASING = st.tuples(st.just("erase"), st.integers(0, 7))
DECIDING = st.tuples(
    st.just("decide"),
    st.sampled_from(["pair", "group", "ring"]),
    NUMBER,
    NUMBER,
    st.sampled_from([Verdict.CONFIRM, Verdict.DISMISS, Verdict.COMMON]),
)
UNDOING = st.tuples(st.just("undo"), NUMBER)
RUNNING, REPORTING = st.just(("run",)), st.just(("keep_report",))
quickly = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.mark.slow
@quickly
@given(
    st.lists(ADDING, min_size=6, max_size=25),
    st.lists(st.one_of(DECIDING, ERASING, DECIDING, UNDOING, REPORTING), min_size=1, max_size=8),
)
def test_decisions_and_erasures_leave_at_once_what_a_run_over_everything_gives(
    opened: Index, photos: list[Step], steps: list[Step]
) -> None:
    with world(opened) as made:
        for step in photos:
            made.add(*step[1:])
        made.run()
        for name, *arguments in steps:
            getattr(made, name)(*arguments)
            assert made.kept() == made.whole()


@pytest.mark.slow
@quickly
@given(
    st.lists(st.one_of(ADDING, ADDING, ADDING, CHANGING, ERASING, DECIDING, UNDOING, RUNNING, REPORTING), max_size=40)
)
def test_a_run_that_looks_at_what_is_new_gives_what_a_run_over_everything_gives(
    opened: Index, steps: list[Step]
) -> None:
    with world(opened) as made:
        for name, *arguments in [*steps, ("run",)]:
            getattr(made, name)(*arguments)
            if name in {"run", "keep_report"}:
                assert made.kept() == made.whole()
        with made.parts.catalog.read() as session:
            assert count_stale(session) == 0
        assert replace(made.run(), searched=made.kept().searched) == made.kept()
