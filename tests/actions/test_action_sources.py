from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import photos
import pytest
from sqlalchemy import select

from imgmatch.actions import sources as verbs
from imgmatch.catalog import renames, schema
from imgmatch.errors import ConflictError, IndexLockedError, NotFoundError
from imgmatch.index import Index
from imgmatch.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = (96, 120)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """Two accounts of ``old`` share a picture; a third photo there is none."""
    photos.write_accounts(
        tmp_path / "old",
        {name: {"1.jpg": photos.picture(seed, SIZE)} for seed, name in ((1, "a"), (1, "b"), (2, "c"))},
    )
    (tmp_path / "old" / "c" / "bad.jpg").write_bytes(b"no picture")
    with Index.create(tmp_path / "index") as index:
        index.scan([tmp_path / "old"])
        yield index


def texts(index: Index) -> dict[str, list[str]]:
    """All that names photos by their ids."""
    columns = (
        schema.photos.c.photo_id,
        schema.decision_photos.c.photo_id,
        schema.decisions.c.subject,
        schema.decisions.c.reason,
        schema.bank_entries.c.photo_id,
        schema.groups.c.name,
        schema.skipped.c.photo_id,
    )
    with index.parts.catalog.read() as session:
        return {str(column): sorted(filter(None, session.sql.scalars(select(column)))) for column in columns}


def shown(index: Index) -> list[tuple[list[str], str | None, str | None]]:
    """The accounts of each ring, its decision and its bank."""
    rings = index.rings().rings
    return [([member.account for member in ring.accounts], ring.decision, ring.bank) for ring in rings]


def decided(index: Index) -> tuple[str, str]:
    """Confirm the group and its pair, with a reason that names a photo; returns the ids of its two photos."""
    [ring] = index.rings().rings
    [group] = ring.groups
    first, second = (photo.photo_id for photo in group.photos)
    index.decide(Verdict.CONFIRM, pair=(first, second), by="ana")
    index.decide(Verdict.CONFIRM, group=group.group, by="ana", reason=f"see {second}, and {first}.")
    return first, second


@pytest.mark.parametrize("scanned", [False, True])
def test_a_folder_that_has_moved_keeps_its_decisions_and_is_unchanged(
    index: Index, tmp_path: Path, *, scanned: bool
) -> None:
    """Whether or not it was scanned where it lies now before it was renamed."""
    before = decided(index)
    rings = shown(index)
    (tmp_path / "old").rename(tmp_path / "new")
    if scanned:
        assert index.scan([tmp_path / "new"]).added == 3
        assert index.seemingly_moved([str(tmp_path / "new")]) == [(str(tmp_path / "old"), str(tmp_path / "new"))]
    change = index.rename_source(str(tmp_path / "old"), str(tmp_path / "new"))
    assert (change.source, change.renamed, change.photos) == (str(tmp_path / "old"), str(tmp_path / "new"), 3)
    assert [(known.source, known.kind, known.photos) for known in index.sources()] == [
        (str(tmp_path / "new"), "folder", 3)
    ]
    named = texts(index)
    result = index.scan([tmp_path / "new"], prune=True)
    assert (result.unchanged, result.skipped, result.added, result.removed) == (3, 1, 0, 0)
    assert texts(index)["photos.photo_id"] == named["photos.photo_id"]
    assert not [word for some in named.values() for text in some for word in before if word in text]
    assert set(named["decision_photos.photo_id"]) <= set(named["photos.photo_id"])
    assert set(named["bank_entries.photo_id"]) <= set(named["photos.photo_id"])
    assert len(named["skipped.photo_id"]) == 1
    assert all(len(word) == 20 for word in " ".join(named["decisions.subject"]).split())
    assert shown(index) == rings


@pytest.mark.serial
def test_a_rename_that_is_killed_is_finished_by_the_next_scan(index: Index, tmp_path: Path) -> None:
    decided(index)
    (tmp_path / "old").rename(tmp_path / "new")
    program = (
        "import os, signal, sys\n"
        "from imgmatch import Index\n"
        "from imgmatch.actions import sources\n"
        "sources._MOVED_AT_ONCE = 1\n"
        "move = sources.move_photos\n"
        "moved = []\n"
        "def killed(session, begun, some):\n"
        "    if moved: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    moved.append(1)\n"
        "    return move(session, begun, some)\n"
        "sources.move_photos = killed\n"
        "with Index.open(sys.argv[1]) as index:\n"
        "    index.rename_source(sys.argv[2], sys.argv[3])\n"
    )
    arguments = [str(index.path), str(tmp_path / "old"), str(tmp_path / "new")]
    done = subprocess.run([sys.executable, "-c", program, *arguments], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with index.parts.catalog.read() as session:
        assert [(one.old, one.new) for one in renames.begun_renames(session)] == [tuple(arguments[1:])]
    result = index.scan([tmp_path / "new"], prune=True)
    assert (result.unchanged, result.skipped, result.added, result.removed) == (3, 1, 0, 0)
    assert [known.source for known in index.sources()] == [str(tmp_path / "new")]


def test_a_folder_with_photos_on_both_sides_of_a_rename_takes_the_newer_bytes(index: Index, tmp_path: Path) -> None:
    (tmp_path / "old").rename(tmp_path / "new")
    (tmp_path / "new" / "c" / "1.jpg").write_bytes(photos.jpeg(photos.picture(7, SIZE)))
    index.scan([tmp_path / "new"])
    index.rename_source(str(tmp_path / "old"), str(tmp_path / "new"))
    assert (len(index), index.scan([tmp_path / "new"], prune=True).unchanged) == (3, 3)
    assert {match.photo.account for match in index.check(photos.jpeg(photos.picture(7, SIZE)))} == {"c"}


def test_photos_whose_new_ids_are_old_ids_of_others_move_one_after_another(tmp_path: Path) -> None:
    """As where a manifest moves one folder down, beside folders of the same names."""
    names = ("1.jpg", "b/1.jpg", "b/b/1.jpg", "b/b/b/1.jpg")
    for seed, name in enumerate(names):
        (tmp_path / "a" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "a" / name).write_bytes(photos.jpeg(photos.picture(seed, SIZE)))
    lines = "\n".join(("account,photo", *(f"x,{name}" for name in names[:3])))
    (tmp_path / "a" / "m.csv").write_text(lines)
    with Index.create(tmp_path / "index") as index:
        index.scan([tmp_path / "a" / "m.csv"])
        (tmp_path / "a" / "m.csv").rename(tmp_path / "a" / "b" / "m.csv")
        index.rename_source(str(tmp_path / "a" / "m.csv"), str(tmp_path / "a" / "b" / "m.csv"))
        result = index.scan([tmp_path / "a" / "b" / "m.csv"], prune=True)
        assert (result.added, result.removed, len(index)) == (0, 0, 3)


def test_what_cannot_be_renamed_is_refused_and_nothing_is_noted(index: Index, tmp_path: Path) -> None:
    old = str(tmp_path / "old")
    with pytest.raises(NotFoundError, match="has no source"):
        index.rename_source(str(tmp_path / "none"), old)
    with pytest.raises(ConflictError, match="of another kind"):
        index.rename_source(old, str(tmp_path / "x.zip"))
    with pytest.raises(ConflictError, match="already"):
        index.rename_source(old, old)
    new = str(tmp_path / "new")
    with index.parts.catalog.lease(f"scan:{new}"), Index.open(index.path) as other, pytest.raises(IndexLockedError):
        other.rename_source(old, new)
    with index.parts.catalog.read() as session:
        assert renames.begun_renames(session) == []
    assert verbs.finish_renames(index.parts) == 0


def test_a_dropped_source_takes_its_photos_with_it_and_no_others(index: Index, tmp_path: Path) -> None:
    photos.write_accounts(tmp_path / "other", {"d": {"1.jpg": photos.picture(3, SIZE)}})
    index.scan([tmp_path / "other"])
    change = index.drop_source(os.path.relpath(tmp_path / "old"))
    assert (change.source, change.renamed, change.photos) == (str(tmp_path / "old"), None, 3)
    assert [(known.source, known.photos) for known in index.sources()] == [(str(tmp_path / "other"), 1)]
    assert (index.counts()["photos"], index.counts()["skipped"], index.counts()["accounts"]) == (1, 0, 1)
    with pytest.raises(NotFoundError, match="has no source"):
        index.drop_source(str(tmp_path / "old"))


def test_only_a_source_that_is_not_there_any_more_seems_to_have_moved(index: Index, tmp_path: Path) -> None:
    """An empty folder counts as not there: a disk is mounted elsewhere."""
    photos.write_accounts(tmp_path / "copy", {"a": {"1.jpg": photos.picture(1, SIZE)}})
    index.scan([tmp_path / "copy"])
    copy, old = str(tmp_path / "copy"), str(tmp_path / "old")
    assert index.seemingly_moved([copy, old, "/none"]) == []
    (tmp_path / "old").rename(tmp_path / "away")
    assert index.seemingly_moved([copy]) == [(old, copy)]
    (tmp_path / "old").mkdir()
    assert index.seemingly_moved([copy]) == [(old, copy)]
    photos.write_accounts(tmp_path / "copy", {"z": {"1.jpg": photos.picture(9, SIZE)}})
    index.scan([tmp_path / "copy"])
    assert index.seemingly_moved([copy]) == []
