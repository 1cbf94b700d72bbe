from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgmatch import registry
from imgmatch.actions.rings import find_rings, options_of
from imgmatch.catalog import photos as photo_rows
from imgmatch.catalog import scans as scan_rows
from imgmatch.catalog import schema
from imgmatch.catalog.bank_entries import takes_part
from imgmatch.catalog.bank_hits import join_watermarks, store_hits
from imgmatch.catalog.erasing import Erased, remove_erased
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.catalog.rows import FileState, PhotoRecord, PictureRecord
from imgmatch.catalog.times import to_microseconds
from imgmatch.clustering import bank_joining
from imgmatch.clustering.keeping import kept_current
from imgmatch.clustering.report import kept_report, whole_report
from imgmatch.index import Index
from imgmatch.joins.hamming import cross_join
from imgmatch.model import ORIENTATIONS, PDQ, PDQ_DISTANCE, PDQ_QUALITY, Depth, NewPhoto, Opinion, Purpose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.actions.banks import Banks
    from imgmatch.model import BankEntry

HASHER = registry.hasher(PDQ)
DAY_ONE = datetime(2026, 1, 1, tzinfo=UTC)
STEPS = (0, 9, 18, 31, 32, 40)
FUTURE = datetime(2126, 1, 1, tzinfo=UTC)
PURPOSES = {"partner": Purpose.PARTNER, "ours": Purpose.STOLEN, "half": Purpose.PARTNER}


def value(picture: int, step: int, turn: int) -> bytes:
    """A PDQ value: variants of a picture are some bits away from it, and lie in one of eight ways."""
    bits = np.unpackbits(np.random.default_rng(picture).integers(0, 256, 32, dtype=np.uint8))
    bits[: STEPS[step]] ^= 1
    return bytes(HASHER.estimated_orientations(np.packbits(bits)[None])[turn, 0].tobytes())


class World:
    """Made-up photos and entries, which come and go; and what of them is near to what, the slow and obvious way."""

    def __init__(self, index: Index) -> None:
        self.index, self.parts = index, index.parts
        self.numbers = 0
        self.photos: dict[str, tuple[str, list[bytes], int]] = {}
        self.entries: list[tuple[str, int]] = []
        for name, purpose in PURPOSES.items():
            self.banks.create(name, purpose=purpose, ratio=0.5 if name == "half" else 1.0)

    @property
    def banks(self) -> Banks:
        return self.index.bank_lists

    def scan(self, number: int, account: int, shown: list[bytes], quality: int) -> None:
        photo_id = f"p{number}"
        new = NewPhoto(f"a{account}", Path(f"/photos/{number}.jpg"), f"a{account}/{number}", photo_id)
        pictures = tuple(
            PictureRecord(
                bytes([number % 256, number // 256, place]) + bytes(13),
                {"phash": np.random.default_rng((number, place)).bytes(32), "pdq": bits},
                frame=None if len(shown) == 1 else place,
            )
            for place, bits in enumerate(shown, start=1)
        )
        seen_at = to_microseconds(DAY_ONE + timedelta(days=number))
        digest = np.random.default_rng((number, 77)).bytes(32)
        state = FileState(1, number)
        record = PhotoRecord(new, seen_at, state, digest, 9, 9, "JPEG", quality, pictures)
        with self.parts.catalog.write() as session:
            photo_rows.store_photos(session, scan_rows.begin_scan(session, "s"), [record])
            remove_orphans(session)
        self.photos[photo_id] = (f"a{account}", shown, quality)

    def add(self, account: int, picture: int, step: int, turn: int, quality: int) -> None:
        self.numbers += 1
        shown = [value(picture, step, turn)]
        shown += [value((picture + 1) % 3, 0, turn)] if self.numbers % 4 == 0 else []
        self.scan(self.numbers, account, shown, quality)

    def change(self, place: int, account: int, picture: int, step: int, turn: int, quality: int) -> None:
        """The photo of that id is another one now."""
        if self.photos:
            number = int(sorted(self.photos)[place % len(self.photos)][1:])
            self.scan(number, account, [value(picture, step, turn)], quality)

    def erase(self, account: int) -> None:
        with self.parts.catalog.write() as session, kept_current(session, self.parts.hasher, f"a{account}"):
            remove_erased(session, Erased(account=f"a{account}"))
            remove_orphans(session)
        self.photos = {photo: about for photo, about in self.photos.items() if about[0] != f"a{account}"}

    def list(self, bank: str, picture: int, step: int, turn: int) -> None:
        entry = self.banks.add_hash(bank, value(picture, step, turn).hex()).entry
        if (bank, entry) not in self.entries:
            self.entries.append((bank, entry))

    def unlist(self, place: int) -> None:
        if self.entries:
            self.banks.remove(*self.entries.pop(place % len(self.entries)))

    def say(self, place: int, opinion: Opinion | None) -> None:
        if self.entries:
            self.banks.say(*self.entries[place % len(self.entries)], opinion, by="ana")

    def mute(self, place: int, *, off: bool) -> None:
        if self.entries:
            self.banks.mute(*self.entries[place % len(self.entries)], None if off else FUTURE)

    def change_bank(self, name: str, *, enabled: bool) -> None:
        self.banks.update(name, enabled=enabled)

    def run(self) -> None:
        find_rings(self.parts)

    def hits(self) -> set[tuple[str, int, int | None]]:
        return {
            (hit.photo.photo_id, hit.entry, hit.evidence.distance) for hit in self.banks.hits() if hit.photo is not None
        }

    def obvious(self) -> set[tuple[str, int, int]]:
        """Every photo in all eight ways beside every entry that counts."""
        found: set[tuple[str, int, int]] = set()
        enabled = {bank.name: bank for bank in self.banks.all() if bank.enabled}
        entries = [entry for name in enabled for entry in self.banks.entries(name, limit=None) if counts(entry)]
        for photo, (_, shown, quality) in self.photos.items():
            for entry in entries:
                known = bytes.fromhex(entry.pdq or "")
                ratio = enabled[entry.bank].ratio
                apart = [least(bits, known) for bits in shown if takes_part(ratio, bits)]
                if apart and min(apart) <= PDQ_DISTANCE and quality >= PDQ_QUALITY:
                    found.add((photo, entry.entry, min(apart)))
        return found

    def clear(self) -> None:
        with self.parts.catalog.write() as session:
            for table in reversed(schema.metadata.sorted_tables):
                if table is not schema.versions:
                    session.sql.execute(table.delete())


def counts(entry: BankEntry) -> bool:
    return entry.muted_until is None and entry.quarantined_at is None and entry.opinion is not Opinion.DISMISSED


def least(bits: bytes, known: bytes) -> int:
    """The least distance over the eight ways in which a photo may lie."""
    turned = HASHER.estimated_orientations(np.frombuffer(bits, np.uint8)[None])[:, 0]
    return min((int.from_bytes(way.tobytes(), "big") ^ int.from_bytes(known, "big")).bit_count() for way in turned)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("joining") / "index", depth=Depth.FINGERPRINT) as index:
        yield index


@contextmanager
def world(index: Index) -> Iterator[World]:
    made = World(index)
    try:
        yield made
    finally:
        made.clear()


NUMBER, ACCOUNT = st.integers(0, 50), st.integers(0, 3)
SHOWN = (st.integers(0, 2), st.integers(0, len(STEPS) - 1), st.integers(0, 7))
QUALITY = st.sampled_from([100, 100, 100, 50, 49])
ADDING = st.tuples(st.just("add"), ACCOUNT, *SHOWN, QUALITY)
CHANGING = st.tuples(st.just("change"), NUMBER, ACCOUNT, *SHOWN, QUALITY)
ERASING = st.tuples(st.just("erase"), ACCOUNT)
LISTING = st.tuples(st.just("list"), st.sampled_from(sorted(PURPOSES)), *SHOWN)
UNLISTING = st.tuples(st.just("unlist"), NUMBER)
SAYING = st.tuples(st.just("say"), NUMBER, st.sampled_from([Opinion.DISMISSED, Opinion.CONFIRMED, None]))
RUNNING = st.just(("run",))
STEP: st.SearchStrategy[tuple[Any, ...]] = st.one_of(
    ADDING, ADDING, ADDING, LISTING, LISTING, CHANGING, ERASING, UNLISTING, SAYING, RUNNING
)
quickly = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.mark.slow
@quickly
@given(steps=st.lists(STEP, max_size=30), muted=st.booleans(), disabled=st.booleans())
def test_what_is_kept_of_nights_is_what_comparing_everything_gives(
    opened: Index, steps: list[tuple[Any, ...]], *, muted: bool, disabled: bool
) -> None:
    with world(opened) as made:
        for name, *arguments in [*steps, ("run",)]:
            getattr(made, name)(*arguments)
            if name in {"run", "erase", "unlist", "say"}:
                found = made.hits()
                assert found <= made.obvious()  # of what came since the last run nothing is known
                assert name != "run" or found == made.obvious()
        made.mute(3, off=not muted)
        made.change_bank("partner", enabled=not disabled)
        assert made.hits() == made.obvious()
        made.run()
        with made.parts.catalog.read() as session:
            assert kept_report(session) == whole_report(session, made.parts.hasher, options_of(made.parts))


def test_a_run_that_is_cut_off_is_made_again_and_keeps_each_hit_once(
    opened: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_joining, "_WRITTEN_AT_ONCE", 2)
    monkeypatch.setattr(bank_joining, "_TURNED_AT_ONCE", 3)
    store = store_hits
    with world(opened) as made:
        for number in range(7):
            made.add(number, number % 3, 1, number, 100)
            made.list("ours", number % 3, 2, number)
        for calls in range(1, 5):
            left = calls

            def cut_off(*given: Any) -> None:  # noqa: ANN401 -- as it is
                nonlocal left
                left -= 1
                store(*given)
                if not left:
                    raise KeyboardInterrupt

            monkeypatch.setattr(bank_joining, "store_hits", cut_off)
            with pytest.raises(KeyboardInterrupt):
                made.run()
            with made.parts.catalog.read() as session:
                assert join_watermarks(session) == (0, 0)
        monkeypatch.setattr(bank_joining, "store_hits", store)
        made.run()
        assert made.hits() == made.obvious()
        assert len(made.hits()) > 10


def test_what_was_compared_is_not_compared_again(opened: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    join = cross_join

    def counted(left: Any, right: Any, *more: Any) -> Any:  # noqa: ANN401 -- as it is
        compared.append((len(left) // len(ORIENTATIONS), len(right)))
        return join(left, right, *more)

    monkeypatch.setattr(bank_joining, "cross_join", counted)
    with world(opened) as made:
        for number in range(2):
            made.add(number, 0, number, 0, 100)
        for step in range(3):
            made.list("partner", 0, step, 0)
        made.run()
        assert compared == [(2, 3)]
        made.run()
        assert compared == [(2, 3)]
        made.add(9, 0, 5, 0, 100)
        made.run()
        assert compared[1:] == [(1, 3)]  # the new photo with all entries
        made.list("partner", 1, 0, 0)
        made.run()
        assert compared[2:] == [(1, 3)]  # the new entry with all photos


@pytest.fixture
def floods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_joining, "FLOOD_ACCOUNTS", 3)
    monkeypatch.setattr(bank_joining, "FLOOD_SHARE", 0.5)


def flood(made: World, accounts: int, others: int) -> None:
    for number in range(accounts):
        made.add(number, 0, number % 3, 0, 100)
        made.add(number, 0, 0, 0, 100)  # twice on one account
    for number in range(others):
        made.add(100 + number, 1, 0, 0, 100)


@pytest.mark.usefixtures("floods")
@pytest.mark.parametrize(("accounts", "others", "is_flood"), [(3, 3, True), (3, 4, False), (2, 0, False), (7, 0, True)])
def test_an_entry_that_photos_of_many_accounts_and_a_large_share_hit_is_put_in_quarantine_and_reported(
    opened: Index, accounts: int, others: int, *, is_flood: bool
) -> None:
    with world(opened) as made:
        made.list("partner", 0, 0, 0)
        made.list("partner", 5, 0, 0)
        flood(made, accounts, others)
        made.run()
        bank, number = made.entries[0]
        entry = made.banks.entry(bank, number)
        assert (entry.quarantined_at is not None) == is_flood
        assert made.banks.get(bank).quarantined == is_flood
        told = [(one.action, one.subject) for one in opened.people.audit(limit=5) if one.actor == "imgmatch"]
        assert told == ([("quarantine", f"entry {number}, hit by {accounts} accounts")] if is_flood else [])
        assert made.hits() == made.obvious()
        assert bool(made.hits()) == (not is_flood)


@pytest.mark.usefixtures("floods")
def test_what_a_moderator_has_confirmed_and_what_is_common_is_left_alone(opened: Index) -> None:
    with world(opened) as made:
        made.list("partner", 0, 0, 0)
        made.banks.create("celebrities", purpose=Purpose.COMMON)
        common = made.banks.add_hash("celebrities", value(0, 1, 0).hex()).entry
        made.say(0, Opinion.CONFIRMED)
        flood(made, 5, 0)
        made.run()
        assert made.banks.entry(*made.entries[0]).quarantined_at is None
        assert made.banks.entry("celebrities", common).quarantined_at is None


@pytest.mark.usefixtures("floods")
def test_quarantine_ends_when_somebody_confirms_and_does_not_come_back(opened: Index) -> None:
    with world(opened) as made:
        made.list("ours", 0, 0, 0)
        flood(made, 5, 0)
        made.run()
        [(bank, number)] = made.entries
        assert made.banks.entry(bank, number).quarantined_at is not None
        with made.parts.catalog.read() as session:
            assert kept_report(session).rings == ()  # made-up photos share nothing but the entry
        made.say(0, Opinion.CONFIRMED)
        assert made.banks.entry(bank, number).quarantined_at is None
        assert made.hits() == made.obvious() != set()
        made.add(7, 0, 0, 0, 100)
        made.run()
        assert made.banks.entry(bank, number).quarantined_at is None
        with made.parts.catalog.read() as session:
            report = kept_report(session)
            assert report == whole_report(session, made.parts.hasher, options_of(made.parts))
        assert {ring.bank for ring in report.rings} == {"ours"}


@pytest.mark.usefixtures("floods")
def test_photos_of_too_low_a_quality_make_no_flood(opened: Index) -> None:
    with world(opened) as made:
        made.list("partner", 0, 0, 0)
        for number in range(5):
            made.add(number, 0, 0, 0, PDQ_QUALITY - 1)
        made.run()
        assert made.banks.entry(*made.entries[0]).quarantined_at is None
