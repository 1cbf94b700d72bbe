from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import photos
import pytest
from hearing import Heard
from PIL import Image
from sqlalchemy import select, update

from imgmatch.actions.scan import scan
from imgmatch.catalog import schema
from imgmatch.imaging.limits import Limits
from imgmatch.index import Index
from imgmatch.ingest.intake import BATCH
from imgmatch.model import Depth, NewPhoto, ScanResult, Skipped, SkipReason, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.sources import Source

SMALL = (96, 120)


class Place:
    """An index, a folder beside it, and what scanning it skipped."""

    def __init__(self, folder: Path, index: Index) -> None:
        self.folder = folder
        self.index = index
        self.skipped: list[Skipped] = []

    def photo(self, path: str, seed: int, size: tuple[int, int] = SMALL) -> Path:
        found = self.folder / path
        found.parent.mkdir(parents=True, exist_ok=True)
        found.write_bytes(photos.jpeg(photos.picture(seed, size)))
        return found

    def manifest(self, *lines: str, columns: str = "account,photo") -> Path:
        path = self.folder / "manifest.csv"
        path.write_text("\n".join((columns, *lines, "")), encoding="utf-8")
        return path

    def scan(
        self,
        source: Path | Source | None = None,
        *,
        prune: bool = False,
        prune_all: bool = False,
        since: datetime | None = None,
    ) -> ScanResult:
        heard = Heard()
        self.skipped = heard.skips
        sources = [source or self.folder]
        return scan(self.index.parts, sources, prune=prune, prune_all=prune_all, since=since, progress=heard)

    def accounts_with(self, seed: int) -> set[str]:
        result = self.index.check(photos.jpeg(photos.picture(seed, SMALL)))
        return {match.photo.account for match in result}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """One index for all tests, so that its worker starts once; each test leaves it empty."""
    with Index.create(tmp_path_factory.mktemp("index") / "index") as index:
        yield index


@pytest.fixture
def place(opened: Index, tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "photos").mkdir()
    yield Place(tmp_path / "photos", opened)
    with opened.parts.catalog.write() as session:
        for table in reversed(schema.metadata.sorted_tables):
            if table is not schema.versions:
                session.sql.execute(table.delete())
    opened.rebuild()


def counts(result: ScanResult) -> dict[str, int]:
    """What is not nothing."""
    names = ("added", "updated", "unchanged", "removed", "skipped", "kept")
    return {name: getattr(result, name) for name in names if getattr(result, name)}


def put_garbage(path: Path) -> None:
    """Replace a file by as many other bytes and the same time: only whoever opens it can tell."""
    before = path.stat()
    path.write_bytes(b"x" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def touch(path: Path, seconds: int) -> None:
    after = path.stat().st_mtime_ns + seconds * 10**9
    os.utime(path, ns=(after, after))


# -- unchanged and changed --------------------------------------------------------------------------------------------


def test_a_photo_of_the_same_size_and_time_is_not_even_opened(place: Place) -> None:
    path = place.photo("a/1.jpg", 1)
    assert counts(place.scan()) == {"added": 1}
    put_garbage(path)
    assert counts(place.scan()) == {"unchanged": 1}
    assert place.accounts_with(1) == {"a"}


def test_a_touched_photo_with_the_same_bytes_is_unchanged_and_first_seen_when_it_was(place: Place) -> None:
    path = place.photo("a/1.jpg", 1)
    place.scan()
    [before] = place.index.check(path)
    touch(path, 3600)
    assert counts(place.scan()) == {"unchanged": 1}
    [after] = place.index.check(path)
    assert after.photo.seen_at == before.photo.seen_at
    put_garbage(path)  # its new time is known now
    assert counts(place.scan()) == {"unchanged": 1}


def test_a_changed_photo_replaces_what_was_there(place: Place) -> None:
    path = place.photo("a/1.jpg", 1)
    place.scan()
    fingerprints = place.index.counts()["fingerprints"]
    place.photo("a/1.jpg", 2)
    touch(path, 5)
    assert counts(place.scan()) == {"updated": 1}
    assert (place.accounts_with(1), place.accounts_with(2)) == (set(), {"a"})
    assert place.index.counts()["fingerprints"] == fingerprints


def test_a_file_from_the_far_future_or_the_far_past_is_a_photo_like_any_other(place: Place) -> None:
    for name, seconds in (("late", 2**34 - 10**9), ("early", -(2**31) + 10)):  # what ext4 can hold
        path = place.photo(f"{name}/1.jpg", 1)
        os.utime(path, (seconds, seconds))
    assert counts(place.scan()) == {"added": 2}
    assert counts(place.scan()) == {"unchanged": 2}
    assert place.accounts_with(1) == {"late", "early"}


# -- features ---------------------------------------------------------------------------------------------------------


def first_seen(index: Index) -> list[int]:
    with index.parts.catalog.read() as session:
        return list(session.sql.scalars(select(schema.photos.c.seen_at).order_by(schema.photos.c.photo_id)))


def scanned(folder: Path, home: Path, depth: Depth) -> dict[str, int]:
    """What a scan of a folder at some depth comes to, in an index of its own."""
    with Index.open(home / "deep", create=True, depth=depth) as index:
        return counts(scan(index.parts, [folder]))


def test_a_photo_with_features_is_not_even_opened_again_whatever_the_depth(place: Place, tmp_path: Path) -> None:
    path = place.photo("a/1.jpg", 1)
    assert scanned(place.folder, tmp_path, Depth.FULL) == {"added": 1}
    put_garbage(path)
    assert scanned(place.folder, tmp_path, Depth.FULL) == {"unchanged": 1}
    assert scanned(place.folder, tmp_path, Depth.FINGERPRINT) == {"unchanged": 1}


def test_a_touched_photo_with_features_is_read_but_not_decoded_again(place: Place) -> None:
    path = place.photo("a/1.jpg", 1)
    place.scan()
    with place.index.parts.catalog.write() as session:
        session.sql.execute(update(schema.photos).values(quality=3))  # decoding it would say otherwise
    touch(path, 60)
    assert counts(place.scan()) == {"unchanged": 1}
    with place.index.parts.catalog.read() as session:
        assert session.sql.scalars(select(schema.photos.c.quality)).all() == [3]


def test_only_photos_without_features_are_decoded_when_a_scan_goes_deeper(place: Place, tmp_path: Path) -> None:
    place.photo("a/1.jpg", 1)
    place.photo("b/1.jpg", 2)
    assert scanned(place.folder, tmp_path, Depth.FINGERPRINT) == {"added": 2}
    place.photo("c/1.jpg", 3)
    place.photo("d/1.jpg", 1)  # what a has: both get their features from this one
    bad = place.photo("e/1.jpg", 4)
    bad.write_bytes(b"no photo")
    assert scanned(place.folder, tmp_path, Depth.FULL) == {"added": 2, "updated": 2, "skipped": 1}
    assert scanned(place.folder, tmp_path, Depth.FULL) == {"unchanged": 4, "skipped": 1}


def test_a_photo_whose_file_turned_bad_keeps_what_is_known_when_a_scan_goes_deeper(
    place: Place, tmp_path: Path
) -> None:
    path = place.photo("a/1.jpg", 1)
    assert scanned(place.folder, tmp_path, Depth.FINGERPRINT) == {"added": 1}
    put_garbage(path)
    for _ in range(2):
        assert scanned(place.folder, tmp_path, Depth.FULL) == {"skipped": 1}
    with Index.open(tmp_path / "deep") as index:
        assert (len(index), index.counts()["features"]) == (1, 0)


def test_a_touched_photo_that_gets_its_features_was_first_seen_when_it_was(place: Place, tmp_path: Path) -> None:
    path = place.photo("a/1.jpg", 1)
    scanned(place.folder, tmp_path, Depth.FINGERPRINT)
    with Index.open(tmp_path / "deep") as index:
        before = first_seen(index)
    touch(path, 3600)
    assert scanned(place.folder, tmp_path, Depth.FULL) == {"updated": 1}
    with Index.open(tmp_path / "deep") as index:
        assert first_seen(index) == before


# -- what the manifest says anew --------------------------------------------------------------------------------------


def test_a_new_name_or_time_in_the_manifest_is_taken_over_without_decoding(place: Place) -> None:
    path = place.photo("1.jpg", 1)
    columns = "account,photo,name,seen_at"
    place.scan(place.manifest("a,1.jpg,Lena,2026-01-04T00:00:00Z", columns=columns))
    query = path.read_bytes()
    put_garbage(path)
    again = place.manifest("a,1.jpg,Mia,2025-12-24T18:00:00+01:00", columns=columns)
    assert counts(place.scan(again)) == {"unchanged": 1}
    [match] = place.index.check(query)
    assert (match.photo.name, match.photo.seen_at) == ("Mia", datetime(2025, 12, 24, 17, tzinfo=UTC))


def test_a_photo_that_moves_to_another_account_leaves_no_empty_account_behind(place: Place) -> None:
    place.photo("1.jpg", 1)
    columns = "account,photo,photo_id"
    place.scan(place.manifest("a,1.jpg,p1", columns=columns))
    assert counts(place.scan(place.manifest("b,1.jpg,p1", columns=columns))) == {"unchanged": 1}
    assert place.accounts_with(1) == {"b"}
    assert place.index.counts()["accounts"] == 1


def test_without_a_time_in_the_manifest_a_photo_was_first_seen_when_its_file_was_written(place: Place) -> None:
    path = place.photo("a/1.jpg", 1)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    place.scan()
    [match] = place.index.check(path)
    assert match.photo.seen_at == datetime.fromtimestamp(1_700_000_000, UTC)


def test_other_columns_are_kept_with_the_account_and_the_latest_wins(place: Place) -> None:
    place.photo("1.jpg", 1)
    columns = "account,photo,country,phone"
    place.scan(place.manifest("a,1.jpg,FR,1", columns=columns))
    place.scan(place.manifest("a,1.jpg,DE,", columns=columns))
    with place.index.parts.catalog.read() as session:
        assert session.sql.scalars(select(schema.accounts.c.attributes)).all() == [{"country": "DE", "phone": "1"}]


# -- pruning ----------------------------------------------------------------------------------------------------------


def test_photos_gone_from_their_source_stay_until_pruning(place: Place) -> None:
    place.photo("a/1.jpg", 1)
    place.photo("b/1.jpg", 2).parent.joinpath("1.jpg")
    place.scan()
    (place.folder / "b" / "1.jpg").unlink()
    assert counts(place.scan()) == {"unchanged": 1}
    assert place.accounts_with(2) == {"b"}
    assert counts(place.scan(prune=True)) == {"unchanged": 1, "removed": 1}
    assert place.accounts_with(2) == set()
    assert place.index.counts()["accounts"] == 1


def test_pruning_removes_only_what_came_from_that_source(place: Place, tmp_path: Path) -> None:
    place.photo("a/1.jpg", 1)
    gone = place.photo("a/2.jpg", 2)
    place.scan()
    photos.write_accounts(tmp_path / "other", {"b": {"1.jpg": photos.picture(3, SMALL)}})
    place.scan(tmp_path / "other")
    gone.unlink()
    assert counts(place.scan(prune=True)) == {"unchanged": 1, "removed": 1}
    assert place.accounts_with(3) == {"b"}


def test_pruning_by_an_empty_source_is_refused_and_removes_nothing(place: Place) -> None:
    place.photo("a/1.jpg", 1).unlink()
    assert counts(place.scan(prune=True)) == {}  # nothing came from it before
    path = place.photo("a/1.jpg", 1)
    place.scan()
    path.unlink()
    assert counts(place.scan(prune=True)) == {"skipped": 1, "kept": 1}
    assert "it has no photos; pruning by it would remove everything" in place.skipped[0].detail
    assert len(place.index) == 1
    assert counts(place.scan(prune_all=True)) == {"removed": 1}


@pytest.mark.slow
def test_more_than_a_tenth_of_a_source_is_pruned_only_when_that_is_asked_for(place: Place) -> None:
    """Up to ten photos go whatever their share; an unwanted one goes in any case."""
    data = photos.jpeg(photos.picture(1, (40, 40)))
    lines = [f"a{number},{number}.jpg,{2000 if number == 99 else 2020}-01-01" for number in range(100)]
    for number in range(100):
        (place.folder / f"{number}.jpg").write_bytes(data)
    columns = "account,photo,seen_at"
    place.scan(place.manifest(*lines, columns=columns))
    assert counts(place.scan(place.manifest(*lines[10:], columns=columns), prune=True)) == {
        "unchanged": 90,
        "removed": 10,
    }
    fewer = place.manifest(*lines[21:99], columns=columns)
    assert counts(place.scan(fewer, prune=True)) == {"unchanged": 78, "skipped": 1, "kept": 12}
    assert "12 of 90 photos are not in it any more, more than a tenth" in place.skipped[0].detail
    since = datetime(2010, 1, 1, tzinfo=UTC)
    assert counts(place.scan(fewer, prune=True, since=since)) == {
        "unchanged": 78,
        "skipped": 1,
        "kept": 11,
        "removed": 1,
    }
    assert counts(place.scan(fewer, prune_all=True)) == {"unchanged": 78, "removed": 11}


def test_lines_that_cannot_be_read_may_name_any_photo_until_that_is_settled(place: Place) -> None:
    """Lines that were as bad when nothing was missing hide no photo."""
    for number in range(4):
        place.photo(f"{number}.jpg", number)
    lines = ["a,0.jpg", "b,1.jpg", "c,2.jpg", "d,3.jpg"]
    place.scan(place.manifest(*lines, "odd"), prune=True)
    assert counts(place.scan(place.manifest(*lines[:3], "odd"), prune=True)) == {
        "unchanged": 3,
        "skipped": 1,
        "removed": 1,
    }
    garbled = place.manifest(*lines[:2], "odd", "cut off")
    assert counts(place.scan(garbled, prune=True)) == {"unchanged": 2, "skipped": 3, "kept": 1}
    assert counts(place.scan(garbled, prune=True)) == {"unchanged": 2, "skipped": 3, "kept": 1}
    assert counts(place.scan(garbled, prune_all=True)) == {"unchanged": 2, "skipped": 2, "removed": 1}


def test_a_line_that_is_bad_keeps_the_photo_that_it_names(place: Place) -> None:
    place.photo("1.jpg", 1)
    place.photo("2.jpg", 2)
    columns = "account,photo,seen_at"
    place.scan(place.manifest("a,1.jpg,", "b,2.jpg,", columns=columns))
    bad = place.manifest("a,1.jpg,yesterday", "b,2.jpg,", columns=columns)
    assert counts(place.scan(bad, prune=True)) == {"unchanged": 1, "skipped": 1, "kept": 1}


class Parts:
    """A source that gives photos of a folder, and parts of it that it could not read."""

    def __init__(self, folder: Path, *names: str, unread: tuple[str, ...] = ()) -> None:
        self.key = str(folder)
        self._items: list[NewPhoto | Skipped] = [
            NewPhoto(name.partition("/")[0], folder / name, name, name) for name in names
        ]
        self._items += [Skipped(part, SkipReason.UNREADABLE, "Input/output error", part=part) for part in unread]

    def __iter__(self) -> Iterator[NewPhoto | Skipped]:
        return iter(self._items)


def test_what_lies_in_a_part_that_cannot_be_read_is_kept_and_the_rest_is_pruned(place: Place) -> None:
    """Neither photos nor what is known of skipped ones are forgotten there, even if all is to be pruned."""
    names = ("a/1.jpg", "a/deep/2.jpg", "ab/1.jpg", "c/1.jpg")
    for seed, name in enumerate(names):
        place.photo(name, seed)
    for name in ("a/z.jpg", "c/z.jpg"):
        (place.folder / name).write_text("no picture")
    place.scan(Parts(place.folder, *names, "a/z.jpg", "c/z.jpg"))
    there = Parts(place.folder, "c/1.jpg", unread=("a",))
    assert counts(place.scan(there, prune_all=True)) == {"unchanged": 1, "skipped": 1, "removed": 1, "kept": 2}
    assert [place.accounts_with(seed) for seed in range(4)] == [{"a"}, {"a"}, set(), {"c"}]
    with place.index.parts.catalog.read() as session:
        known = set(session.sql.scalars(select(schema.skipped.c.photo_id)))
    assert known == {"a/z.jpg", None}


def test_of_too_many_parts_that_cannot_be_read_nothing_is_pruned(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgmatch.ingest.pruning.MOST_PARTS", 2)
    place.photo("a/1.jpg", 1)
    place.photo("b/1.jpg", 2)
    place.scan(Parts(place.folder, "a/1.jpg", "b/1.jpg"))
    some = Parts(place.folder, "b/1.jpg", unread=("x", "y"))
    more = Parts(place.folder, "b/1.jpg", unread=("x", "y", "z"))
    assert place.scan(more, prune=True).removed == 0
    assert place.scan(some, prune=True).removed == 1


def test_photos_whose_files_are_missing_are_named_and_kept_even_when_pruning(place: Place) -> None:
    path = place.photo("1.jpg", 1)
    place.photo("2.jpg", 2)
    manifest = place.manifest("a,1.jpg", "b,never-there.jpg", "c,2.jpg")
    assert counts(place.scan(manifest)) == {"added": 2, "skipped": 1}
    path.unlink()
    assert counts(place.scan(manifest, prune=True)) == {"unchanged": 1, "skipped": 2}
    assert [(skip.photo, skip.reason, skip.account, skip.line) for skip in place.skipped] == [
        ("1.jpg", SkipReason.MISSING, "a", 2),
        ("never-there.jpg", SkipReason.MISSING, "b", 3),
    ]
    assert place.accounts_with(1) == {"a"}


# -- what cannot be used ----------------------------------------------------------------------------------------------


def test_a_photo_id_that_comes_twice_is_named_and_the_first_is_kept(place: Place) -> None:
    place.photo("1.jpg", 1)
    place.photo("2.jpg", 2)
    result = place.scan(place.manifest("a,1.jpg,p", "b,2.jpg,p", columns="account,photo,photo_id"))
    assert counts(result) == {"added": 1, "skipped": 1}
    [skip] = place.skipped
    assert (skip.photo, skip.reason, skip.account, skip.line) == ("2.jpg", SkipReason.DUPLICATE, "b", 3)
    assert (place.accounts_with(1), place.accounts_with(2)) == ({"a"}, set())


@pytest.mark.slow
@pytest.mark.parametrize("apart", [1, BATCH - 1, BATCH, BATCH + 40, BATCH + 100, 2 * BATCH + 100])
def test_a_photo_id_that_comes_twice_is_named_however_far_apart(place: Place, apart: int) -> None:
    data = photos.jpeg(photos.picture(1, (40, 40)))
    lines = []
    for number in range(apart + 2):
        (place.folder / f"{number}.jpg").write_bytes(data)
        lines.append(f"a{number},{number}.jpg,p{0 if number == apart else number}")
    result = place.scan(place.manifest(*lines, columns="account,photo,photo_id"))
    assert [(skip.photo, skip.reason) for skip in place.skipped] == [(f"{apart}.jpg", SkipReason.DUPLICATE)]
    assert counts(result) == {"added": apart + 1, "skipped": 1}


def test_bad_lines_are_named_and_the_rest_is_taken_in(place: Place) -> None:
    place.photo("1.jpg", 1)
    columns = "account,photo,seen_at"
    manifest = place.manifest("a,1.jpg,yesterday", "b", ",1.jpg,", "d,1.jpg,2026-01-01", columns=columns)
    assert counts(place.scan(manifest)) == {"added": 1, "skipped": 3}
    assert [(skip.line, skip.reason) for skip in place.skipped] == [(n, SkipReason.BAD_LINE) for n in (2, 3, 4)]
    assert place.accounts_with(1) == {"d"}
    assert place.index.counts()["skipped"] == 3
    place.scan(manifest)
    assert place.index.counts()["skipped"] == 3  # of the last reading, not of all


def test_a_photo_that_cannot_be_used_is_named_each_time_but_read_once(place: Place) -> None:
    path = place.folder / "a.jpg"
    path.write_bytes(b"x" * len(photos.jpeg(photos.picture(1, SMALL))))
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert counts(place.scan()) == {"skipped": 1}
    [first] = place.skipped
    assert first.reason is SkipReason.UNREADABLE
    place.photo("a.jpg", 1)  # a photo now, but of the same size and time
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert counts(place.scan()) == {"skipped": 1}
    assert place.skipped == [first]
    touch(path, 1)
    assert counts(place.scan()) == {"added": 1}
    assert place.index.counts()["skipped"] == 0


def test_a_photo_that_turns_bad_stays_as_it_was_known_and_comes_back_when_it_is_good_again(place: Place) -> None:
    path = place.photo("a/1.jpg", 1)
    good = path.read_bytes()
    place.scan()
    path.write_bytes(b"cut off")
    for _ in range(2):
        assert counts(place.scan(prune=True)) == {"skipped": 1}
        assert place.accounts_with(1) == {"a"}
    path.write_bytes(good)
    assert counts(place.scan()) == {"unchanged": 1}
    assert place.index.counts()["skipped"] == 0


def test_a_flat_photo_is_skipped_with_its_reason(place: Place) -> None:
    (place.folder / "a.jpg").write_bytes(photos.jpeg(photos.flat()))
    assert counts(place.scan()) == {"skipped": 1}
    assert place.skipped[0].reason is SkipReason.FLAT


@pytest.mark.slow
def test_a_photo_that_took_too_long_is_tried_again_by_the_next_scan(tmp_path: Path) -> None:
    path = tmp_path / "photos" / "a.png"
    path.parent.mkdir()
    photos.picture(1, (3000, 3000)).save(path, compress_level=0)
    with Index.create(tmp_path / "index", limits=Limits(seconds=0.01)) as index:
        heard = Heard()
        result = scan(index.parts, [path.parent], progress=heard)
        assert counts(result) == {"skipped": 1}
        assert heard.skips[0].reason is SkipReason.TIMED_OUT
    with Index.open(tmp_path / "index") as index:
        assert counts(scan(index.parts, [path.parent])) == {"added": 1}
        assert index.counts()["skipped"] == 0


def test_folders_sockets_and_loops_in_place_of_a_photo_are_named(place: Place) -> None:
    (place.folder / "folder.jpg").mkdir()
    (place.folder / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(place.folder / "pipe.jpg")
    manifest = place.manifest("a,folder.jpg", "b,loop.jpg", "c,pipe.jpg", "d,/dev/zero")
    assert counts(place.scan(manifest)) == {"skipped": 4}
    assert [skip.reason for skip in place.skipped] == [SkipReason.UNREADABLE] * 4
    assert place.skipped[0].detail == "it is not a regular file"


# -- the whole --------------------------------------------------------------------------------------------------------


def test_every_item_is_a_step_of_progress(place: Place) -> None:
    place.photo("1.jpg", 1)
    manifest = place.manifest("a,1.jpg", "a,1.jpg", "b,none.jpg", "bad")
    for _ in range(2):
        heard = Heard()
        scan(place.index.parts, [manifest], progress=heard)
        assert heard.steps == [("photos", done, None) for done in (1, 2, 3, 4, 4)]


def test_photos_added_by_a_program_are_filed_as_those_of_a_scan_are(place: Place) -> None:
    path = place.photo("1.jpg", 1)
    when = datetime(2026, 2, 3, tzinfo=UTC) + timedelta(microseconds=7)
    photo = NewPhoto.at(path, account="a", name="Lena", seen_at=when, photo_id="mine")
    assert counts(place.index.add([photo])) == {"added": 1}
    assert counts(place.index.add([photo])) == {"unchanged": 1}
    result = place.index.check(path)
    assert result.status is Status.MATCH
    assert (result.matches[0].photo.photo_id, result.matches[0].photo.seen_at) == ("mine", when)


def test_a_photo_known_from_one_source_is_not_decoded_again_for_another(place: Place) -> None:
    path = place.photo("a/1.jpg", 1)
    place.scan()
    place.index.add([NewPhoto.at(path, account="a")])  # the same account and path: the same photo
    assert len(place.index) == 1


def test_a_scan_says_how_long_it_took(place: Place) -> None:
    place.photo("a/1.jpg", 1)
    before = time.perf_counter()
    result = place.scan()
    assert 0 < result.seconds <= time.perf_counter() - before


def test_a_picture_in_any_mode_is_taken_in(place: Place) -> None:
    picture = photos.picture(1, SMALL)
    for mode in ("L", "P", "RGBA", "CMYK", "1"):
        suffix = "tif" if mode == "CMYK" else "png"
        path = place.folder / f"{mode}.{suffix}"
        Image.Image.save(picture.convert(mode), path)
    assert place.scan().added == 5
    assert place.accounts_with(1) >= {"L", "P", "RGBA", "CMYK"}


def test_how_much_of_a_damaged_photo_there_is_is_kept_and_told_with_a_match(place: Place) -> None:
    size = (300, 400)
    whole = place.photo("a/1.jpg", 5, size).read_bytes()
    cut = place.folder / "b" / "1.jpg"
    cut.parent.mkdir()
    cut.write_bytes(whole[: len(whole) * 3 // 4])
    assert counts(place.scan()) == {"added": 2}
    with place.index.parts.catalog.read() as session:
        columns = schema.photos.c.damaged, schema.photos.c.width, schema.photos.c.height
        rows = {row[0]: row[1:] for row in session.sql.execute(select(schema.photos.c.label, *columns))}
    assert rows["a/1.jpg"] == (None, *size)
    share, *part = rows["b/1.jpg"]
    assert 0.6 < share < 0.9
    assert part == [300, round(share * 400)]
    found = {match.photo.account: match.photo.damaged for match in place.index.check(whole)}
    assert found == {"a": None, "b": share}
    asked = place.index.check(cut.read_bytes())
    assert asked.damaged == share
    assert {match.photo.account: match.evidence.kind for match in asked}["b"] == "exact"
    assert {match.photo.account for match in asked} == {"a", "b"}
