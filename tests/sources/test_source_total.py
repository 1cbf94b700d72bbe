from __future__ import annotations

import os
import shutil
import sys
import tarfile
import threading
import time
import zipfile
from itertools import repeat
from typing import TYPE_CHECKING

import pytest

from imgmatch.sources import open_source
from imgmatch.sources.bucket import BucketSource
from imgmatch.sources.remote import Remote
from imgmatch.sources.remote_source import RemotePhotoSource
from imgmatch.sources.total import SourceTotal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.model import NewPhoto
    from imgmatch.sources import Source

CSV = 'account,photo\na,1.jpg\n\nb\n,2.jpg\nc,"3\n.jpg"\nd,\x00\ne,https://example.com/4.jpg\n'
JSONL = '{"account": "a", "photo": "1.jpg"}\n\nno json\n{"account": 1, "photo": "2.jpg", "seen_at": "yesterday"}\n'


class Own:
    """A source of somebody else's, whose items to count are endless."""

    key = "own"

    def __iter__(self) -> Iterator[NewPhoto]:
        return iter(())

    def to_count(self) -> Iterator[None]:
        return repeat(None)


class Plain:
    """A source of somebody else's, without items to count."""

    key = "plain"

    def __iter__(self) -> Iterator[NewPhoto]:
        return iter(())


def total(*sources: Source) -> int | None:
    """What is counted in the end."""
    with SourceTotal(sources) as count:
        while threads():
            time.sleep(0.001)
        return count.total


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "imgmatch-count"]


def folder(home: Path) -> Path:
    """Photos, and all that a folder may hold besides."""
    names = ("a/1.jpg", "a/deep/er/2.jpg", "a/notes.txt", ".hidden/3.jpg", "b/.4.jpg", "5.png", "empty/6.md", " .jpg")
    for name in names:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).touch()
    if sys.platform != "win32":
        (home / "a" / "link.jpg").symlink_to(home / "5.png")
        (home / "a" / "nowhere.jpg").symlink_to(home / "none")
        (home / "a" / "to-folder").symlink_to(home / "a" / "deep")
        (home / "bell\a").mkdir()
        (home / "b" / "pipe.jpg").parent.mkdir(exist_ok=True)
        os.mkfifo(home / "b" / "pipe.jpg")
    return home


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def zipped(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a/1.jpg", "a/", "../out.jpg", "a/notes.txt", "b/.2.jpg", "c/3.jpg"):
            archive.writestr(name, b"x")
    return path


def tarred(path: Path) -> Path:
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("a/1.jpg"))
    return path


def test_what_is_counted_is_what_will_come(tmp_path: Path) -> None:
    """Photos and what is skipped in their place alike, whatever the source."""
    sources = [
        open_source(folder(tmp_path / "folder")),
        open_source(written(tmp_path / "m.csv", CSV)),
        open_source(written(tmp_path / "m.jsonl", JSONL)),
        open_source(zipped(tmp_path / "set.zip")),
        open_source(written(tmp_path / "one.jpg", "x")),
    ]
    counts = [total(source) for source in sources]
    assert counts == [len(list(source)) for source in sources]
    assert min(count or 0 for count in counts) >= 1
    assert total(*sources) == sum(count or 0 for count in counts)


def test_the_rows_of_a_parquet_manifest_are_counted(tmp_path: Path) -> None:
    """A row that is no photo counts as well: it comes as a skipped one."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"account": ["a", "", "c"], "photo": ["1.jpg", "2.jpg", None]}), tmp_path / "m.parquet")
    assert total(open_source(tmp_path / "m.parquet")) == 3


def test_rows_that_name_urls_are_counted_and_no_connection_is_made(tmp_path: Path) -> None:
    """The manifest is here, and that is all that counting needs."""
    lines = "".join(f"a{number},https://example.com/{number}.jpg\n" for number in range(7))
    with Remote() as remote:
        assert total(open_source(written(tmp_path / "m.csv", f"account,photo\n{lines}"), remote=remote)) == 7


def test_a_source_that_only_reading_would_count_has_no_total(tmp_path: Path) -> None:
    """A tar file has no table of contents, and a bucket must be asked; then there is none for all sources together."""
    tar = open_source(tarred(tmp_path / "set.tar"))
    assert total(tar) is None
    assert total(Plain()) is None
    assert total(open_source(written(tmp_path / "m.csv", CSV)), tar) is None
    assert not hasattr(BucketSource, "to_count")
    assert hasattr(RemotePhotoSource, "to_count")


def test_a_source_that_cannot_be_read_has_no_total_and_disturbs_nobody(tmp_path: Path) -> None:
    """The scan comes upon the same, and says it."""
    source = open_source(folder(tmp_path / "folder"))
    shutil.rmtree(tmp_path / "folder")
    assert total(source) is None


def test_counting_is_over_when_nobody_wants_to_know_any_more() -> None:
    """However much is left to count."""
    with SourceTotal([Own()]) as count:
        assert threads()
    assert not threads()
    assert count.total is None


def test_a_source_is_counted_while_it_is_gone_through(tmp_path: Path) -> None:
    """Neither takes items from the other."""
    source = open_source(folder(tmp_path / "folder"))
    items = iter(source)
    first = next(items)
    found = total(source)
    assert [first, *items] == list(source)
    assert found == len(list(source))
