"""A photo with several pictures, from its file to the answers, and until it is erased."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
from moving import SIZE, moving, picture, plain
from older import back_to_version_7
from PIL import Image
from sqlalchemy import func, select

from imgmatch import compare, hash_photos
from imgmatch.catalog import migrations, schema
from imgmatch.cli.main import run
from imgmatch.formats.records import check_record, compare_record, hash_record, ring_record
from imgmatch.index import Index
from imgmatch.model import Depth, Kind, NewPhoto, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.model import CheckResult, Group

SOURCES = (1, 2, 3)
STRANGER = 9


def save(path: Path, data: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def still(seed: int) -> bytes:
    """A copy of a drawn picture as somebody else has it."""
    return photos.jpeg(picture(seed).resize((240, 300)), 80)


def of_three() -> bytes:
    """A moving picture of three pictures, the second shown longest, behind a black frame."""
    return moving("GIF", [(plain(0), 500), (picture(1), 200), (picture(2), 700), (picture(3), 100)])


FRAME_OF = {1: 2, 2: 3, 3: 4}
"""The frame of ``of_three`` that shows each picture."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An index of stills of the three pictures and a stranger, each on an account of its own."""
    with Index.create(tmp_path / "index") as index:
        index.add([stored(tmp_path, f"a{seed}", f"{seed}.jpg", still(seed)) for seed in (*SOURCES, STRANGER)])
    return tmp_path


@pytest.fixture
def index(home: Path) -> Iterator[Index]:
    with Index.open(home / "index") as opened:
        yield opened


def stored(folder: Path, account: str, name: str, data: bytes) -> NewPhoto:
    return NewPhoto.at(save(folder / account / name, data), account=account, photo_id=f"{account}-{name}")


def found(result: CheckResult) -> dict[str, tuple[int | None, int | None]]:
    """Frame and frame of the query by account."""
    return {match.photo.account: (match.frame, match.query_frame) for match in result}


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_a_photo_behind_another_first_frame_is_found_and_its_frame_named(index: Index, kind: str) -> None:
    for first, shown_ms in ((plain(0), 2_000), (picture(STRANGER), 10)):
        result = index.check(moving(kind, [(first, shown_ms), (picture(1), 9_000)]))
        assert found(result)["a1"] == (None, 2)
    assert found(result).keys() == {"a1", f"a{STRANGER}"}


def test_every_picture_of_a_moving_query_finds_its_copies(index: Index) -> None:
    result = index.check(of_three())
    assert found(result) == {f"a{seed}": (None, FRAME_OF[seed]) for seed in SOURCES}
    assert [match["query_frame"] for match in check_record(result)["matches"]] == [
        match.query_frame for match in result
    ]


def test_a_stored_moving_picture_is_found_by_each_of_its_pictures(index: Index, home: Path) -> None:
    index.add([stored(home, "mover", "m.gif", of_three())])
    for seed in SOURCES:
        result = index.check(still(seed))
        assert found(result) == {f"a{seed}": (None, None), "mover": (FRAME_OF[seed], None)}
        [record] = [match for match in check_record(result)["matches"] if match["account"] == "mover"]
        assert (record["frame"], record["query_frame"]) == (FRAME_OF[seed], None)


def test_the_same_file_is_exact_and_frames_are_named_on_both_sides(index: Index, home: Path) -> None:
    index.add([stored(home, "mover", "m.gif", of_three())])
    result = index.check(of_three())
    [match] = [match for match in result if match.photo.account == "mover"]
    assert (match.evidence.kind, match.frame, match.query_frame) == (Kind.EXACT, 3, 3)
    assert len(result) == 4


def test_an_account_is_named_once_however_many_of_its_frames_match(index: Index, home: Path) -> None:
    again = moving("WEBP", [(picture(3), 900), (picture(1), 100), (picture(STRANGER), 100)])
    index.add([stored(home, "mover", "m.gif", of_three()), stored(home, "other", "o.webp", again)])
    result = index.check(again)
    assert [match.photo.account for match in result].count("mover") == 1
    assert found(result).keys() == {"a1", "a3", f"a{STRANGER}", "mover", "other"}


def test_flat_frames_beside_others_are_left_out_and_a_photo_of_flat_frames_alone_is_skipped(
    index: Index, home: Path
) -> None:
    index.add([stored(home, "mover", "m.gif", moving("GIF", [(plain(0), 100), (picture(1), 10), (plain(255), 100)]))])
    assert found(index.check(still(1)))["mover"] == (2, None)
    result = index.add([stored(home, "flat", "f.gif", moving("GIF", [(plain(0), 100), (plain(255), 100)]))])
    assert (result.added, result.skipped) == (0, 1)


def test_two_photos_are_compared_by_the_pictures_that_are_likest() -> None:
    result = compare(of_three(), still(3))
    assert (result.is_match, result.query_frame, result.frame) == (True, 4, None)
    result = compare(still(1), of_three())
    assert (result.is_match, result.query_frame, result.frame) == (True, None, 2)
    record = compare_record(result)
    assert (record["query_frame"], record["frame"]) == (None, 2)
    assert not compare(still(STRANGER), of_three()).is_match


def test_hash_gives_the_picture_that_is_shown_longest_and_every_frame() -> None:
    [moved, one] = hash_photos([of_three(), still(2)])
    assert [frame.frame for frame in moved.frames] == [3, 2, 4]
    assert moved.fingerprints == moved.frames[0].fingerprints
    assert [frame.share for frame in moved.frames] == [round(part / 1_500, 4) for part in (700, 200, 100)]
    assert one.frames == ()
    record = hash_record(moved)
    assert [frame["frame"] for frame in record["frames"]] == [3, 2, 4]
    assert record["frames"][0]["phash"] == record["phash"]


def test_pages_show_the_frames_that_are_meant_and_name_them(
    index: Index, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index.add([stored(home, "mover", "m.gif", of_three())])
    query = save(home / "asked" / "q.webp", moving("WEBP", [(plain(0), 300), (picture(3), 500), (picture(1), 200)]))
    assert run(["check", str(query), "--index", str(index.path), "--format", "html"]) == 0
    page = capsys.readouterr().out
    for caption in ("This photo", "Stored photo"):
        assert f"{caption}, frame " in page
    assert "This photo, frame 3 of a moving picture" in page
    assert page.count("<symbol") == 2 + 2 + 1  # both frames of the query, the stills, and the frame of the moving one
    assert run(["rings", "--index", str(index.path), "--format", "html", "--quiet"]) == 0
    page = capsys.readouterr().out
    for frame in FRAME_OF.values():
        assert f"m.gif, frame {frame} of a moving picture" in page
    assert len(set(re.findall(r'<script type="text/plain" id="(\w+)">', page))) == 6
    assert run(["compare", str(query), str(home / "a1" / "1.jpg"), "--format", "html"]) == 0
    assert "This photo, frame 3 of a moving picture" in capsys.readouterr().out


# -- rings ------------------------------------------------------------------------------------------------------------


def groups_of(index: Index) -> dict[frozenset[str], Group]:
    return {frozenset(group.accounts): group for ring in index.rings().rings for group in ring.groups}


def test_a_moving_picture_stands_in_a_group_with_each_of_its_sources(index: Index, home: Path) -> None:
    index.add([stored(home, "mover", "m.gif", of_three())])
    groups = groups_of(index)
    assert groups.keys() == {frozenset({f"a{seed}", "mover"}) for seed in SOURCES}
    for seed in SOURCES:
        group = groups[frozenset({f"a{seed}", "mover"})]
        assert {photo.account: photo.frame for photo in group.photos} == {f"a{seed}": None, "mover": FRAME_OF[seed]}
    [ring] = index.rings().rings
    assert {photo["frame"] for group in ring_record(ring)["groups"] for photo in group["photos"]} == {None, 2, 3, 4}


def test_frames_of_one_photo_tie_nobody(index: Index, home: Path) -> None:
    aside = picture(5).rotate(90, expand=True).resize(SIZE)
    turned = moving("GIF", [(picture(5), 100), (aside, 100), (picture(6), 50)])
    index.add([stored(home, "mover", "m.gif", turned)])
    assert groups_of(index) == {}


def test_of_several_frames_in_one_group_a_photo_is_there_once(index: Index, home: Path) -> None:
    mirrored = picture(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    index.add([stored(home, "mover", "m.gif", moving("GIF", [(mirrored, 100), (picture(1), 400)]))])
    [group] = groups_of(index).values()
    assert sorted(photo.photo_id for photo in group.photos) == ["a1-1.jpg", "mover-m.gif"]
    before = index.check(still(1))
    index.decide(Verdict.DISMISS, group=group.group, by="ana")
    assert groups_of(index) == {}
    assert index.check(still(1)) == before


def test_a_decision_on_a_group_is_on_that_picture_alone(index: Index, home: Path) -> None:
    index.add([stored(home, "mover", "m.gif", of_three())])
    groups = groups_of(index)
    index.decide(Verdict.DISMISS, group=groups[frozenset({"a1", "mover"})].group, by="ana")
    index.decide(Verdict.CONFIRM, group=groups[frozenset({"a2", "mover"})].group, by="ana")
    assert {names: group.decision for names, group in groups_of(index).items()} == {
        frozenset({"a2", "mover"}): "confirm",
        frozenset({"a3", "mover"}): None,
    }
    banked = {seed: {match.photo.bank for match in index.check(still(seed))} for seed in SOURCES}
    assert banked == {1: {None}, 2: {"known-stolen"}, 3: {None}}


def test_a_pair_is_dismissed_with_all_its_pictures_and_confirmed_by_the_nearest(index: Index, home: Path) -> None:
    index.add([stored(home, "mover", "m.gif", of_three())])
    groups_of(index)
    index.decide(Verdict.CONFIRM, pair=("mover-m.gif", "a3-3.jpg"), by="ana")
    assert {match.photo.bank for match in index.check(still(3))} == {"known-stolen"}
    assert {match.photo.bank for match in index.check(still(1))} == {None}
    index.decide(Verdict.DISMISS, pair=("mover-m.gif", "a3-3.jpg"), by="ana")
    assert groups_of(index).keys() == {frozenset({"a1", "mover"}), frozenset({"a2", "mover"})}
    assert {match.photo.bank for match in index.check(still(3))} == {None}


# -- what becomes of it -----------------------------------------------------------------------------------------------


def rows_of(index: Index) -> dict[str, int]:
    tables = ("photo_pictures", "photo_fingerprints", "fingerprints", "features")
    with index.parts.catalog.read() as session:
        counted = {name: select(func.count()).select_from(schema.metadata.tables[name]) for name in tables}
        return {name: session.sql.scalar(query) or 0 for name, query in counted.items()}


def test_nothing_is_left_of_a_moving_picture_that_is_erased(index: Index, home: Path) -> None:
    before = rows_of(index)
    index.add([stored(home, "mover", "m.gif", of_three())])
    groups_of(index)
    with index.parts.catalog.read() as session:
        photo, pictures = schema.photos.c, schema.photo_pictures.c
        query = select(pictures.pixels).join(schema.photos, photo.id == pictures.photo_id)
        digests = list(session.sql.scalars(query.where(photo.photo_id == "mover-m.gif")))
    assert len(digests) == 3
    erasure = index.erase(account="mover")
    assert (erasure.photos, erasure.traces, erasure.finished) == (1, 0, True)
    assert erasure.searched["pixels"] == 3
    assert rows_of(index) == before
    assert groups_of(index) == {}
    assert not any(digest in file.read_bytes() for file in index.path.iterdir() if file.is_file() for digest in digests)


@pytest.mark.slow
def test_a_moving_picture_that_is_replaced_leaves_nothing_of_its_frames(index: Index, home: Path) -> None:
    index.add([stored(home, "mover", "m.gif", of_three())])
    groups_of(index)
    index.add([stored(home, "mover", "m.gif", moving("GIF", [(picture(5), 100), (picture(3), 900)]))])
    assert groups_of(index).keys() == {frozenset({"a3", "mover"})}
    assert "mover" not in found(index.check(still(1)))
    assert found(index.check(still(5))) == {"mover": (1, None)}
    before = rows_of(index)
    index.add([stored(home, "mover", "m.gif", still(3))])
    assert {name: before[name] - number for name, number in rows_of(index).items()} == {
        "photo_pictures": 1,
        "photo_fingerprints": 2,
        "fingerprints": 4,
        "features": 2,
    }


def test_the_pictures_of_an_index_are_had_by_photo_and_by_frame(index: Index, home: Path) -> None:
    index.add([stored(home, "mover", "m.gif", of_three())])
    keys: list[str | tuple[str, int]] = ["mover-m.gif", ("mover-m.gif", 2), ("mover-m.gif", 4), "a1-1.jpg"]
    pictures = index.pictures([*keys, ("mover-m.gif", 1), ("nobody", 2)])
    assert list(pictures) == keys
    for key, seed in zip(keys, (2, 1, 3, 1), strict=True):
        shown = Image.open(BytesIO(pictures[key].jpeg or b"")).convert("L").resize(SIZE)
        assert np.abs(np.asarray(shown, np.int16) - np.asarray(picture(seed).convert("L"), np.int16)).mean() < 12
    (home / "mover" / "m.gif").unlink()
    notes = {key: one.note for key, one in index.pictures(keys).items()}
    assert "stored thumbnail" in (notes["mover-m.gif", 2] or "")


def test_a_moving_picture_is_found_by_its_frames_at_both_depths_and_after_a_rebuild(tmp_path: Path) -> None:
    for depth in Depth:
        with Index.create(tmp_path / depth, depth=depth) as index:
            index.add([stored(tmp_path, "mover", "m.gif", of_three())])
            answers = [found(index.check(still(seed))) for seed in SOURCES]
            assert answers == [{"mover": (FRAME_OF[seed], None)} for seed in SOURCES]
            index.rebuild()
            assert [found(index.check(still(seed))) for seed in SOURCES] == answers


# -- an index of before -----------------------------------------------------------------------------------------------


def answers(index: Index) -> list[object]:
    rings = index.rings().rings
    return [*(index.check(still(seed)) for seed in SOURCES), rings, [index.check(still(STRANGER))]]


@pytest.mark.slow
def test_an_index_of_the_seventh_version_answers_as_before(home: Path) -> None:
    with Index.open(home / "index") as index:
        index.add([stored(home, f"b{seed}", f"{seed}.jpg", photos.jpeg(picture(seed))) for seed in SOURCES])
        [*_, (ring, *_)] = [index.rings().rings]
        index.decide(Verdict.CONFIRM, ring=ring.ring, by="ana")
        index.decide(Verdict.DISMISS, pair=("a1-1.jpg", "a2-2.jpg"), by="ana")
        before = answers(index)
    back_to_version_7(home / "index")
    with Index.open(home / "index") as index:
        assert index.parts.catalog.version() == migrations.VERSION
        assert answers(index) == before
        assert not index.status(verify=True).damaged
        assert index.erase(account="b2").traces == 0


def test_moving_pictures_that_an_earlier_imgmatch_has_scanned_are_looked_at_again_by_the_next_scan(home: Path) -> None:
    mover = stored(home, "mover", "m.gif", moving("GIF", [(picture(1), 900), (picture(3), 100)]))
    with Index.open(home / "index") as index:
        index.add([mover])
    back_to_version_7(home / "index")
    with Index.open(home / "index") as index:
        assert found(index.check(still(1)))["mover"] == (None, None)
        assert "mover" not in found(index.check(still(3)))
        result = index.add([mover])
        assert (result.updated, result.unchanged) == (1, 0)
        assert found(index.check(still(3)))["mover"] == (2, None)
        result = index.add([mover])
        assert (result.updated, result.unchanged) == (0, 1)
