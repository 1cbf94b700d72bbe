from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import photos
import pytest
from hearing import Heard
from older import back_to_version_7
from PIL import Image, ImageEnhance, ImageOps
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import select

from imgmatch import registry
from imgmatch.catalog import migrations, schema
from imgmatch.catalog.features import features_by_id, store_features
from imgmatch.engines.header import FORMAT_VERSION
from imgmatch.engines.postings import Postings
from imgmatch.engines.rows import FingerprintRows
from imgmatch.engines.sync import load_engine
from imgmatch.engines.votes import GEOMETRY_BITS
from imgmatch.errors import (
    ImgmatchError,
    IndexDamagedError,
    IndexLockedError,
    IndexNotFoundError,
    IndexTooNewError,
    NotAnIndexError,
    UnknownNameError,
)
from imgmatch.features.extract import extract_query
from imgmatch.index import Index
from imgmatch.ingest import intake
from imgmatch.model import Depth, Kind, NewPhoto, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from imgmatch.model import CheckResult, Evidence, ScanResult

DAY_ONE = datetime(2026, 1, 1, tzinfo=UTC)
SHARED, LONELY = 1, 2  # seeds of a picture four accounts have, and of one that one account has


def save(path: Path, image: Image.Image, quality: int = 85) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(photos.png(image) if path.suffix == ".png" else photos.jpeg(image, quality))
    return path


def on(account: str, path: Path, day: int = 0, name: str | None = None) -> NewPhoto:
    moment = DAY_ONE + timedelta(days=day)
    return replace(NewPhoto.at(path, account=account, name=name, seen_at=moment), label=f"{account}/{path.name}")


def world(folder: Path) -> list[NewPhoto]:
    """Accounts b, d, a, c had the shared picture in this order; d has it twice; a has a picture of its own, too."""
    shared, lonely = photos.picture(SHARED), photos.picture(LONELY)
    return [
        on("a", save(folder / "a" / "1.png", ImageEnhance.Brightness(shared).enhance(1.1)), day=3, name="Ann"),
        on("a", save(folder / "a" / "2.png", lonely), day=3, name="Ann"),
        on("b", save(folder / "b" / "1.png", shared), day=1, name="Ben"),
        on("c", save(folder / "c" / "1.jpg", shared.resize((240, 300))), day=9),
        on("d", save(folder / "d" / "1.jpg", ImageOps.mirror(shared)), day=2),
        on("d", save(folder / "d" / "2.jpg", shared, quality=40), day=5),
    ]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("world")


@pytest.fixture(scope="module")
def index(home: Path) -> Iterator[Index]:
    with Index.open(home / "index", create=True) as index:
        index.add(world(home / "photos"))
        yield index


def the_evidence(result: CheckResult, photo: str) -> Evidence:
    [evidence] = [match.evidence for match in result if match.photo.photo == photo]
    return evidence


# -- check ----------------------------------------------------------------------------------------------------------


def recompressed(image: Image.Image) -> bytes:
    return photos.jpeg(image, quality=30)


def edited(edit: Callable[[Image.Image], Image.Image]) -> Callable[[Image.Image], bytes]:
    return lambda image: photos.jpeg(edit(image))


def turned(how: Image.Transpose, *, mirrored: bool = False) -> Callable[[Image.Image], bytes]:
    return lambda image: photos.jpeg((ImageOps.mirror(image) if mirrored else image).transpose(how))


@pytest.mark.parametrize(
    ("copy", "mirrored", "rotation"),
    [
        pytest.param(recompressed, False, 0, id="recompressed"),
        pytest.param(edited(lambda image: image.resize((120, 150))), False, 0, id="quarter size"),
        pytest.param(edited(ImageOps.grayscale), False, 0, id="grey"),
        pytest.param(edited(lambda image: ImageEnhance.Brightness(image).enhance(1.2)), False, 0, id="brightened"),
        pytest.param(edited(ImageOps.mirror), True, 0, id="mirrored"),
        pytest.param(turned(Image.Transpose.ROTATE_270), False, 90, id="turned clockwise"),
        pytest.param(turned(Image.Transpose.ROTATE_180), False, 180, id="upside down"),
        pytest.param(turned(Image.Transpose.ROTATE_90), False, 270, id="turned anticlockwise"),
        pytest.param(turned(Image.Transpose.ROTATE_270, mirrored=True), True, 90, id="mirrored, then turned"),
    ],
)
def test_an_edited_copy_is_found_with_how_it_was_made(
    index: Index, copy: Callable[[Image.Image], bytes], rotation: int, *, mirrored: bool
) -> None:
    result = index.check(copy(photos.picture(SHARED)))
    assert (result.status, result.accounts, result.reason) == (Status.MATCH, 4, None)
    evidence = the_evidence(result, "b/1.png")
    assert evidence.kind is Kind.NEAR
    assert (evidence.mirrored, evidence.rotation) == (mirrored, rotation)
    assert evidence.distance is not None
    assert 0 <= evidence.distance <= index.parts.hasher.profile.max_distance
    assert 0.7 < evidence.score <= 1


def test_a_stored_photo_that_is_mirrored_is_told_from_one_that_is_not(index: Index) -> None:
    result = index.check(photos.jpeg(photos.picture(SHARED), quality=60))
    assert the_evidence(result, "d/1.jpg").mirrored
    assert not the_evidence(result, "d/2.jpg").mirrored


def test_the_same_bytes_are_exact(index: Index, home: Path) -> None:
    evidence = the_evidence(index.check(home / "photos" / "b" / "1.png"), "b/1.png")
    assert (evidence.kind, evidence.score, evidence.distance) == (Kind.EXACT, 1.0, 0)
    assert (evidence.mirrored, evidence.rotation) == (False, 0)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_the_same_pixels_under_other_metadata_or_in_another_lossless_format_are_exact(
    index: Index, tmp_path: Path, form: str
) -> None:
    extra = PngInfo()
    extra.add_text("Comment", "downloaded")
    path = tmp_path / "again"
    options = {"pnginfo": extra, "compress_level": 1} if form == "PNG" else {}
    photos.picture(SHARED).save(path, form, **options)
    evidence = the_evidence(index.check(path), "b/1.png")
    assert (evidence.kind, evidence.score) == (Kind.EXACT, 1.0)


def test_a_jpeg_whose_metadata_were_rewritten_is_exact(index: Index) -> None:
    again = photos.jpeg(photos.picture(SHARED), 40, comment=b"not there before")
    assert the_evidence(index.check(again), "d/2.jpg").kind is Kind.EXACT


def test_a_photo_nobody_has_is_no_match(index: Index) -> None:
    result = index.check(photos.jpeg(photos.picture(77)))
    assert (result.status, result.accounts, result.truncated, result.matches) == (Status.NO_MATCH, 0, False, ())


def test_an_accounts_own_photos_are_left_out_when_it_is_named(index: Index, home: Path) -> None:
    lonely = home / "photos" / "a" / "2.png"
    assert index.check(lonely).accounts == 1
    assert index.check(lonely, account="a").status is Status.NO_MATCH
    assert {match.photo.account for match in index.check(photos.jpeg(photos.picture(SHARED)), account="b")} == {*"acd"}


def test_exact_comes_first_then_the_others_by_score_then_who_had_it_first(index: Index, home: Path) -> None:
    result = index.check(home / "photos" / "c" / "1.jpg")
    accounts = list(dict.fromkeys(match.photo.account for match in result))
    assert accounts[0] == "c"
    best = {account: max(m.evidence.score for m in result if m.photo.account == account) for account in accounts}
    moments = {account: min(m.photo.seen_at for m in result if m.photo.account == account) for account in accounts}
    assert accounts[1:] == sorted(accounts[1:], key=lambda account: (-best[account], moments[account]))


def test_photos_of_one_account_stand_together(index: Index) -> None:
    result = index.check(photos.png(photos.picture(SHARED)))
    accounts = [match.photo.account for match in result]
    assert len(accounts) == 5
    assert len([1 for i, account in enumerate(accounts) if i == 0 or accounts[i - 1] != account]) == 4


@pytest.mark.slow
def test_the_limit_counts_accounts_and_says_that_it_left_some_out(index: Index) -> None:
    whole = index.check(photos.png(photos.picture(SHARED)))
    assert (whole.accounts, whole.truncated) == (4, False)
    best = list(dict.fromkeys(match.photo.account for match in whole))
    for limit in (1, 2, 3, 4):
        result = index.check(photos.png(photos.picture(SHARED)), limit=limit)
        assert list(dict.fromkeys(match.photo.account for match in result)) == best[:limit]
        assert (result.accounts, result.truncated) == (4, limit < 4)
        assert result.matches == whole.matches[: len(result)]


def test_a_match_carries_all_that_is_known_of_the_photo(index: Index, home: Path) -> None:
    photo = index.check(home / "photos" / "b" / "1.png").matches[0].photo
    assert (photo.account, photo.name, photo.photo, photo.bank) == ("b", "Ben", "b/1.png", None)
    assert photo.seen_at == DAY_ONE + timedelta(days=1)
    assert photo.photo_id == NewPhoto.at(home / "photos" / "b" / "1.png", account="b").photo_id


def test_the_distance_asked_for_is_inclusive_and_beyond_it_only_features_find(index: Index) -> None:
    query = photos.jpeg(photos.picture(SHARED), quality=8)
    distance = the_evidence(index.check(query), "b/1.png").distance
    assert distance
    assert the_evidence(index.check(query, max_distance=distance), "b/1.png").kind is Kind.NEAR
    beyond = the_evidence(index.check(query, max_distance=distance - 1), "b/1.png")
    assert (beyond.kind, beyond.distance) == (Kind.PARTIAL, None)
    with Index.open(index.path, depth=Depth.FINGERPRINT) as shallow:
        assert "b" in {match.photo.account for match in shallow.check(query, max_distance=distance)}
        assert "b" not in {match.photo.account for match in shallow.check(query, max_distance=distance - 1)}


def test_a_flat_photo_cannot_be_searched_and_the_answer_says_why(index: Index) -> None:
    result = index.check(photos.jpeg(photos.flat()))
    assert result.status is Status.NOT_SEARCHABLE
    assert result.reason is not None
    assert result.reason.startswith("flat: ")


def test_a_tiny_photo_cannot_be_searched_and_the_answer_says_why(index: Index) -> None:
    result = index.check(photos.png(photos.picture(SHARED, (20, 20))))
    assert result.status is Status.NOT_SEARCHABLE
    assert result.reason is not None
    assert result.reason.startswith("too small: ")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"not a picture", "unreadable: "), (b"", "unreadable: the file is empty"), (b"\xff\xd8\xff\xe0", "unreadable: ")],
)
def test_a_photo_that_cannot_be_read_is_an_answer_not_an_error(index: Index, content: bytes, reason: str) -> None:
    result = index.check(content)
    assert result.status is Status.UNREADABLE
    assert result.reason is not None
    assert result.reason.startswith(reason)


def test_a_file_that_is_not_there_is_an_answer_not_an_error(index: Index, tmp_path: Path) -> None:
    result = index.check(tmp_path / "gone.jpg")
    assert (result.photo, result.status) == (str(tmp_path / "gone.jpg"), Status.UNREADABLE)
    assert result.reason == "missing: there is no such file"


def test_bytes_and_file_get_the_same_answer(index: Index, home: Path) -> None:
    path = home / "photos" / "c" / "1.jpg"
    from_bytes, from_file = index.check(path.read_bytes()), index.check(str(path))
    assert (from_bytes.photo, from_file.photo) == ("-", str(path))
    assert from_bytes.matches == from_file.matches


@pytest.mark.slow
def test_many_photos_are_answered_in_order_each_as_if_alone(index: Index) -> None:
    queries = [photos.jpeg(photos.picture(seed)) for seed in (SHARED, 77, LONELY)] + [b"junk"]
    many = [query for _ in range(20) for query in queries]
    answers = list(index.check_many(iter(many)))
    alone = [index.check(query) for query in queries]
    assert answers == alone * 20


def test_an_answer_may_be_followed_by_a_write_before_the_next(tmp_path: Path) -> None:
    shared = save(tmp_path / "1.jpg", photos.picture(SHARED))
    with Index.create(tmp_path / "index") as index:
        index.add([on("a", shared)])
        for result in index.check_many([shared, shared]):
            assert result.status is Status.MATCH
            index.parts.catalog.compact()
            assert not (index.path / "catalog.sqlite3-wal").stat().st_size


@pytest.mark.slow
def test_eight_threads_may_check_at_once(index: Index) -> None:
    queries = [photos.jpeg(photos.picture(seed), quality=70) for seed in (SHARED, LONELY, 77)]
    alone = [index.check(query) for query in queries]
    with ThreadPoolExecutor(8) as threads:
        for place, result in threads.map(lambda place: (place, index.check(queries[place % 3])), range(48)):
            assert result == alone[place % 3]


# -- engines and hashers ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("engine", sorted(registry.ENGINES))
def test_every_engine_answers_as_the_oracle_does(index: Index, home: Path, tmp_path: Path, engine: str) -> None:
    queries = [photos.jpeg(photos.picture(SHARED), quality) for quality in (5, 20, 90)]
    queries += [photos.jpeg(photos.picture(LONELY).rotate(5)), photos.jpeg(photos.picture(50))]
    with Index.create(tmp_path / "index", engine=engine) as other:
        assert other.parts.folder.header().engine == engine
        other.add(world(home / "photos"))
        for distance in (0, 10, 31, 100, 140, 256):
            theirs = [list(other.check_many(queries, max_distance=distance))]
            assert theirs == [list(index.check_many(queries, max_distance=distance))]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(registry.HASHERS))
def test_every_hasher_can_be_the_one_that_is_searched(tmp_path: Path, name: str) -> None:
    hashers = (name, *(other for other in registry.DEFAULT_HASHERS if other != name))
    shared = photos.picture(SHARED)
    with Index.create(tmp_path / "index", hashers=hashers) as index:
        assert index.parts.folder.header().hashers == hashers
        index.add(
            [on("a", save(tmp_path / "1.png", shared)), on("b", save(tmp_path / "2.png", photos.picture(LONELY)))]
        )
        result = index.check(photos.jpeg(ImageOps.mirror(shared), quality=40))
        assert [match.photo.account for match in result] == ["a"]
        assert result.matches[0].evidence.mirrored
    with Index.open(tmp_path / "index") as index:  # now from the snapshot
        assert [match.photo.account for match in index.check(photos.jpeg(shared))] == ["a"]


# -- writing ----------------------------------------------------------------------------------------------------------


def test_a_removed_account_is_not_found_any_more_and_the_others_are(tmp_path: Path) -> None:
    shared = photos.picture(SHARED)
    with Index.create(tmp_path / "index") as index:
        index.add([on(account, save(tmp_path / f"{account}.jpg", shared)) for account in "abc"])
        assert index.remove(account="b") == 1
        assert {match.photo.account for match in index.check(photos.jpeg(shared))} == {*"ac"}
        left = index.check(photos.jpeg(shared)).matches[0].photo
        assert index.remove(photo_id=left.photo_id) == 1
        assert index.remove(photo_id=left.photo_id) == 0
        assert len(index) == 1
        assert index.counts()["accounts"] == 1


@pytest.mark.parametrize("named", [{}, {"account": "a", "photo_id": "p"}])
def test_removing_needs_one_name(index: Index, named: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="name an account, a photo_id or a moment"):
        index.remove(**named)


def test_an_index_rebuilt_without_its_engine_files_answers_as_before(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    query = photos.jpeg(photos.picture(SHARED), quality=30)
    with Index.create(folder) as index:
        index.add(world(tmp_path))
        before = index.check(query)
    for engine_file in folder.glob("phash.*"):
        engine_file.unlink()
    with Index.open(folder) as index:
        assert index.check(query) == before  # caught up from the catalog
        assert index.rebuild().snapshot == "ok"
        snapshot = index.parts.folder.header().snapshot
        assert snapshot is not None
        assert (folder / snapshot.file).is_file()
    with Index.open(folder) as index:
        assert index.check(query) == before


def test_a_damaged_engine_file_costs_nothing_but_time(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    with Index.create(folder) as index:
        index.add(world(tmp_path))
        before = index.check(photos.jpeg(photos.picture(SHARED)))
    for engine_file in folder.glob("phash.*"):
        engine_file.write_bytes(engine_file.read_bytes()[:-40])
    with Index.open(folder) as index:
        assert index.check(photos.jpeg(photos.picture(SHARED))) == before


def test_a_scan_that_only_meets_what_it_knows_publishes_what_a_killed_one_left(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    first, second = world(tmp_path)[:2]
    with Index.create(folder) as index:
        index.add([first])
        published = index.parts.folder.header()
        index.add([first])
        assert index.parts.folder.header() == published
        index.add([first, second])
        index.parts.folder.write_header(published)  # as if the kill had come between the last batch and the engine file
    with Index.open(folder) as index:
        index.add([first, second])
        snapshot = index.parts.folder.header().snapshot
        assert snapshot is not None
        assert snapshot.size == 2


def replaced_by_a_killed_scan(index: Index, folder: Path) -> list[NewPhoto]:
    """Three photos, of which a scan that was killed has taken in two with another picture; gives all of them."""
    paths = [save(folder / f"{number}.png", photos.picture(SHARED)) for number in range(3)]
    new = [on(f"a{number}", path) for number, path in enumerate(paths)]
    index.add(new)
    for path in paths:
        save(path, photos.picture(LONELY, (300, 200)))
        os.utime(path, (1_800_000_000, 1_800_000_000))

    done = iter(range(2))

    def third(work: str, share: float) -> None:
        del work, share
        if next(done, None) is None:
            raise ImgmatchError("killed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "BATCH", 1)
        with pytest.raises(ImgmatchError, match="killed"):
            index.add(new, progress=Heard(third))
    return new


def test_what_a_killed_scan_left_of_replaced_photos_is_swept_by_the_next(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index") as index:
        new = replaced_by_a_killed_scan(index, tmp_path)
        assert index.counts()["fingerprints"] == 4
        index.add(new)
        assert index.counts()["fingerprints"] == 2
        snapshot = index.parts.folder.header().snapshot
        assert snapshot is not None
        assert snapshot.size == 1


def test_a_library_and_a_scan_keep_their_photos_apart_when_pruning(tmp_path: Path) -> None:
    one, two = world(tmp_path)[:2]
    with Index.create(tmp_path / "index") as index:
        index.add([one])
        index.add([two], source="elsewhere", prune=True)
        assert len(index) == 2
        assert index.add([], source="elsewhere", prune=True).removed == 1
        assert len(index) == 1


@pytest.mark.slow
def test_one_opened_index_sees_what_another_process_scans(tmp_path: Path) -> None:
    pictures = {f"u{n}": {"1.jpg": photos.picture(n % 4, (160 + n, 200))} for n in range(60)}
    photos.write_accounts(tmp_path / "photos", pictures)
    folder = tmp_path / "index"
    query = photos.jpeg(photos.picture(0))
    with Index.create(folder) as index:
        assert index.check(query).accounts == 0
        command = [sys.executable, "-m", "imgmatch", "scan", str(tmp_path / "photos"), "--workers", "1"]
        scan = subprocess.Popen([*command, "--index", str(folder), "--format", "json"], stdout=subprocess.PIPE)
        seen = [index.check(query, limit=100).accounts]
        while scan.poll() is None:
            seen.append(index.check(query, limit=100).accounts)
        output, _ = scan.communicate()
        assert json.loads(output)["added"] == 60
        seen.append(index.check(query, limit=100).accounts)
        assert seen == sorted(seen)
        assert seen[-1] == 15


def test_photos_of_one_source_are_added_by_one_at_a_time_and_those_of_others_meanwhile(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index") as one, Index.open(tmp_path / "index") as two:

        def adding() -> Iterator[NewPhoto]:
            with ThreadPoolExecutor(1) as threads:
                with pytest.raises(IndexLockedError, match=r"scan:library is under way; process .* holds it since"):
                    threads.submit(two.add, []).result()
                threads.submit(two.add, [], source="other").result()
            yield from ()

        one.add(adding())
        two.add([])


# -- opening ----------------------------------------------------------------------------------------------------------


def test_there_is_no_index_until_one_is_made(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFoundError, match="there is no index"):
        Index.open(tmp_path / "index")
    assert not (tmp_path / "index").exists()


def test_creating_where_there_is_an_index_opens_it(tmp_path: Path) -> None:
    Index.create(tmp_path / "index", hashers=("pdq",), engine="linear").close()
    with Index.create(tmp_path / "index") as again:
        assert (again.parts.folder.header().hashers, again.parts.folder.header().engine) == (("pdq",), "linear")
    with Index.open(tmp_path / "index", create=True) as again:
        assert again.parts.folder.header().hashers == ("pdq",)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    for create in (True, False):
        with pytest.raises(NotAnIndexError):
            Index.open(tmp_path, create=create)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("hashers", [("md5",), ("phash", "md5")])
def test_an_unknown_hasher_is_refused_before_anything_is_written(tmp_path: Path, hashers: tuple[str, ...]) -> None:
    with pytest.raises(UnknownNameError, match="md5"):
        Index.create(tmp_path / "index", hashers=hashers)
    assert not (tmp_path / "index").exists()


def test_an_unknown_engine_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="hnsw"):
        Index.create(tmp_path / "index", engine="hnsw")
    assert not (tmp_path / "index").exists()


def test_an_index_without_a_hasher_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one hasher"):
        Index.create(tmp_path / "index", hashers=())


@pytest.mark.parametrize("change", [{"hashers": ["phash", "of tomorrow"]}, {"engine": "of tomorrow"}])
def test_an_index_that_uses_what_this_version_does_not_know_is_too_new(tmp_path: Path, change: dict[str, str]) -> None:
    Index.create(tmp_path / "index").close()
    header = tmp_path / "index" / "index.json"
    header.write_text(json.dumps(json.loads(header.read_text()) | change))
    with pytest.raises(IndexTooNewError, match="of tomorrow"):
        Index.open(tmp_path / "index")


def test_an_index_whose_catalog_is_gone_is_damaged(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index") as index:
        index.add([])
    (tmp_path / "index" / "catalog.sqlite3").unlink()
    for create in (False, True):
        with pytest.raises(IndexDamagedError, match="gone"):
            Index.open(tmp_path / "index", create=create)


def test_an_index_that_was_killed_while_it_was_made_is_made_by_the_next_scan(tmp_path: Path) -> None:
    Index.create(tmp_path / "index").close()
    (tmp_path / "index" / "index.json").unlink()  # it is written last
    with pytest.raises(NotAnIndexError):
        Index.open(tmp_path / "index")
    with Index.open(tmp_path / "index", create=True) as index:
        index.add(world(tmp_path))
        assert len(index) == 6


def test_a_catalog_of_another_program_is_not_an_index_and_the_error_names_the_folder(tmp_path: Path) -> None:
    Index.create(tmp_path / "index").close()
    catalog = tmp_path / "index" / "catalog.sqlite3"
    catalog.unlink()
    with sqlite3.connect(catalog) as connection:
        connection.execute("CREATE TABLE songs (title)")
    connection.close()
    with pytest.raises(NotAnIndexError, match=f"index {tmp_path / 'index'}: .*another program"):
        Index.open(tmp_path / "index")


def test_a_closed_index_leaves_no_process_and_no_log_behind(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index") as index:
        index.add(world(tmp_path))
    left = {entry.name for entry in (tmp_path / "index").iterdir()}
    assert left - {"lock"} == {"index.json", "catalog.sqlite3", "phash.flat.1", "features.ivf.2"}


# -- features ---------------------------------------------------------------------------------------------------------


def kept(index: Index) -> dict[bytes, tuple[int, bool]]:
    """Row id and whether there is a thumbnail, by pixels, of the features in the catalog."""
    table = schema.features.c
    with index.parts.catalog.read() as session:
        rows = session.sql.execute(select(table.pixels, table.id, table.thumbnail.is_not(None)))
        return {pixels: (row, bool(small)) for pixels, row, small in rows}


def shown(index: Index) -> set[bytes]:
    """The pixels of all photos."""
    with index.parts.catalog.read() as session:
        return set(session.sql.scalars(select(schema.photo_pictures.c.pixels)))


def in_file(index: Index) -> dict[int, int]:
    """How many points of each picture the published engine file of features holds."""
    snapshot = index.parts.folder.header().features
    assert snapshot is not None
    postings = Postings.open(index.parts.folder.snapshot_path(snapshot), registry.codebook(snapshot.of).lists)
    return Counter(row for piece in postings.pieces() for row in (piece.ids >> GEOMETRY_BITS).tolist())


def best(index: Index, seed: int) -> int:
    """The row of the features an engine finds first for a crop of a picture; 0 for none that stands out."""
    grey = np.asarray(photos.picture(seed).convert("L"))[100:500, 80:400]
    (found,) = index.parts.features.search([extract_query(grey, grey)], 2)
    return found[0].row if found and found[0].votes > 4 else 0


def tally(result: ScanResult) -> tuple[int, int, int, int, int]:
    return result.added, result.updated, result.unchanged, result.removed, result.skipped


def test_every_picture_has_features_and_a_thumbnail_and_is_found_by_a_part_of_it(tmp_path: Path) -> None:
    new = world(tmp_path)
    with Index.create(tmp_path / "index") as index:
        index.add(new)
        assert kept(index).keys() == shown(index)
        assert all(small for _, small in kept(index).values())
        assert in_file(index).keys() == {row for row, _ in kept(index).values()}
        rows = {photo.photo_id: kept(index)[pixels] for photo, pixels in with_pixels(index, new)}
        lonely = NewPhoto.at(tmp_path / "a" / "2.png", account="a").photo_id
        assert best(index, LONELY) == rows[lonely][0]
        assert best(index, SHARED) in {row for photo_id, (row, _) in rows.items() if photo_id != lonely}
        assert best(index, 77) == 0


def with_pixels(index: Index, new: list[NewPhoto]) -> list[tuple[NewPhoto, bytes]]:
    with index.parts.catalog.read() as session:
        pictures = schema.photo_pictures.c
        query = select(schema.photos.c.photo_id, pictures.pixels)
        rows = session.sql.execute(query.join(schema.photo_pictures, pictures.photo_id == schema.photos.c.id))
        pixels = {photo_id: digest for photo_id, digest in rows}  # noqa: C416 -- rows are not pairs
    return [(photo, pixels[photo.photo_id]) for photo in new]


def test_photos_scanned_for_fingerprints_alone_get_features_by_the_next_full_scan(tmp_path: Path) -> None:
    new = world(tmp_path)
    with Index.create(tmp_path / "index", depth=Depth.FINGERPRINT) as index:
        assert tally(index.add(new)) == (6, 0, 0, 0, 0)
        assert (kept(index), index.counts()["features"], best(index, LONELY)) == ({}, 0, 0)
        assert tally(index.add(new)) == (0, 0, 6, 0, 0)
    with Index.open(tmp_path / "index") as index:
        before = in_catalog(index)
        assert tally(index.add(new)) == (0, 6, 0, 0, 0)
        assert kept(index).keys() == shown(index)
        assert in_file(index).keys() == {row for row, _ in kept(index).values()}
        assert best(index, LONELY)
        assert in_catalog(index) == before
        assert tally(index.add(new)) == (0, 0, 6, 0, 0)
    with Index.open(tmp_path / "index", depth=Depth.FINGERPRINT) as index:  # what is there already stays
        assert tally(index.add(new)) == (0, 0, 6, 0, 0)
        assert kept(index).keys() == shown(index)


def in_catalog(index: Index) -> dict[str, list[tuple[object, ...]]]:
    """Photos, but for the scan that met them last and what it knew of their frames, and fingerprints."""
    photos_columns = [column for column in schema.photos.columns if column.name != "scan_id"]
    picture_columns = [column for column in schema.photo_pictures.columns if column.name != "share"]
    with index.parts.catalog.read() as session:
        return {
            "photos": [tuple(row) for row in session.sql.execute(select(*photos_columns).order_by(schema.photos.c.id))],
            "fingerprints": [tuple(row) for row in session.sql.execute(select(schema.fingerprints))],
            "pictures": sorted(tuple(row) for row in session.sql.execute(select(*picture_columns))),
            "links": sorted(tuple(row) for row in session.sql.execute(select(schema.photo_fingerprints))),
        }


def test_without_thumbnails_none_is_kept_and_parts_are_found_all_the_same(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index", thumbnails=False) as index:
        index.add(world(tmp_path))
        assert kept(index).keys() == shown(index)
        assert not any(small for _, small in kept(index).values())
        assert best(index, LONELY)
        assert b"\xff\xd8\xff\xe0" not in b"".join(entry.read_bytes() for entry in index.path.iterdir())


@pytest.mark.parametrize("how", ["removed account", "removed photo", "pruned", "changed"])
def test_a_photo_that_goes_takes_its_features_with_it_unless_somebody_else_shows_them(tmp_path: Path, how: str) -> None:
    shared, lonely = photos.picture(SHARED), photos.picture(LONELY)
    own, lent = save(tmp_path / "own.png", lonely), save(tmp_path / "lent.png", shared)
    mine = [on("a", own), on("a", lent)]
    with Index.create(tmp_path / "index") as index:
        index.add([*mine, on("b", save(tmp_path / "theirs.png", shared))], source="s")
        before = kept(index)
        assert len(before) == len(in_file(index)) == 2
        if how == "removed account":
            assert index.remove(account="a") == 2
        elif how == "removed photo":
            assert sum(index.remove(photo_id=photo.photo_id) for photo in mine) == 2
        elif how == "pruned":
            assert index.add([on("b", tmp_path / "theirs.png")], source="s", prune=True).removed == 2
        else:
            for path in (own, lent):
                save(path, photos.picture(50, (300, 200)))
                os.utime(path, (1_800_000_000, 1_800_000_000))
            assert index.add(mine, source="s").updated == 2
        left = kept(index)
        assert left.keys() == shown(index)
        assert len(set(before.values()) & set(left.values())) == 1
        assert in_file(index).keys() == {row for row, _ in left.values()}
        assert (best(index, LONELY), best(index, SHARED)) == (
            0,
            next(iter(set(before.values()) & set(left.values())))[0],
        )


def test_what_a_killed_scan_left_of_features_is_swept_by_the_next(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index") as index:
        new = replaced_by_a_killed_scan(index, tmp_path)
        assert len(kept(index)) == 2
        index.add(new)
        assert kept(index).keys() == shown(index)
        assert in_file(index).keys() == {row for row, _ in kept(index).values()}
        assert len(kept(index)) == 1


def test_features_by_another_codebook_are_made_anew_by_the_next_scan(tmp_path: Path) -> None:
    new = world(tmp_path)
    with Index.create(tmp_path / "index") as index:
        index.add(new)
        with index.parts.catalog.write() as session:
            rows = features_by_id(session, [row for row, _ in kept(index).values()]).values()
            store_features(session, [replace(row, codebook="of yesterday") for row in rows])
        old = {row for row, _ in kept(index).values()}
        assert tally(index.add(new)) == (0, 6, 0, 0, 0)
        again = {row for row, _ in kept(index).values()}
        assert not again & old
        assert in_file(index).keys() == again


def test_damaged_and_missing_engine_files_of_features_cost_nothing_but_time(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    with Index.create(folder) as index:
        index.add(world(tmp_path))
        before = [best(index, seed) for seed in (SHARED, LONELY, 77)]
    for content in (b"x" * 50, None):
        for engine_file in folder.glob("features.*"):
            engine_file.write_bytes(content) if content else engine_file.unlink()
        with Index.open(folder) as index:
            assert [best(index, seed) for seed in (SHARED, LONELY, 77)] == before


def back_to_format_1(folder: Path) -> None:
    """Make an index of fingerprints alone what the first format was."""
    header = json.loads((folder / "index.json").read_text())
    snapshot = header["snapshot"]
    assert snapshot is not None
    first = {"hasher": snapshot.pop("of"), **snapshot}
    names = ("hashers", "engine", "generation")
    text = json.dumps({"format": 1} | {name: header[name] for name in names} | {"snapshot": first}, indent=2)
    (folder / "index.json").write_text(text + "\n")
    for engine_file in folder.glob("features.*"):
        engine_file.unlink()
    back_to_version_7(folder)
    with contextlib.closing(sqlite3.connect(folder / "catalog.sqlite3")) as connection:
        connection.execute("DROP INDEX ix_photos_pixels")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table in tables - FIRST_TABLES - {"sqlite_sequence"}:
            connection.execute(f"DROP TABLE {table}")
        connection.execute("DELETE FROM versions")
        connection.execute("INSERT INTO versions VALUES (1)")
        connection.commit()


FIRST_TABLES = {
    *("versions", "sources", "accounts", "photos", "fingerprints", "photo_fingerprints", "scans", "skipped"),
}


def test_an_index_of_the_first_format_is_brought_up_to_date_and_gets_features_by_the_next_scan(tmp_path: Path) -> None:
    new = world(tmp_path)
    folder = tmp_path / "index"
    query = np.frombuffer(bytes(range(256)), np.uint8).reshape(8, 32)
    with Index.create(folder, depth=Depth.FINGERPRINT) as index:
        index.add(new)
        rows, answer = in_catalog(index), index.parts.fingerprints.search(query, 140).ids.tolist()
        assert answer
    back_to_format_1(folder)
    snapshot_file = json.loads((folder / "index.json").read_text())["snapshot"]["file"]
    with Index.open(folder) as index:
        header = index.parts.folder.header()
        assert (header.format, header.codebook, header.features) == (FORMAT_VERSION, registry.DEFAULT_CODEBOOK, None)
        assert (header.snapshot is not None, index.parts.catalog.version()) == (True, migrations.VERSION)
        assert (folder / snapshot_file).is_file()
        assert load_engine(FingerprintRows(), index.parts.folder, header) is not None
        assert (in_catalog(index), index.parts.fingerprints.search(query, 140).ids.tolist()) == (rows, answer)
        assert (kept(index), best(index, LONELY)) == ({}, 0)
    with Index.open(folder) as index:
        assert index.parts.folder.header() == header  # once is enough
        assert tally(index.add(new)) == (0, 6, 0, 0, 0)
        assert kept(index).keys() == shown(index)
        assert best(index, LONELY)
        assert in_catalog(index) == rows
        assert tally(index.add(new)) == (0, 0, 6, 0, 0)
