from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imgmatch.errors import SourceError
from imgmatch.model import Failure, SkipReason
from imgmatch.sources import open_source, query_photos
from imgmatch.sources.remote import Remote

if TYPE_CHECKING:
    from pathlib import Path


def asked(path: Path, root: Path | None = None) -> dict[str, object]:
    with Remote() as remote:
        return {photo.name: photo.content for photo in query_photos(str(path), remote=remote, root=root)}


def test_a_list_stands_for_the_photos_that_it_names(tmp_path: Path) -> None:
    """Relative to itself, absolute or by URL; blank lines are none, and what cannot be read stands in its place."""
    lines = b"\xef\xbb\xbfa/1.jpg\r\n\n  \n/photos/2.jpg\nftp://x.example/3.jpg\na/\xff.jpg\nZ\xc3\xbcrich.jpg"
    (tmp_path / "list.TXT").write_bytes(lines)
    found = asked(tmp_path / "list.TXT")
    assert list(found) == ["a/1.jpg", "/photos/2.jpg", "ftp://x.example/3.jpg", "list.TXT:6", "Zürich.jpg"]
    assert found["a/1.jpg"] == tmp_path / "a/1.jpg"
    assert str(found["/photos/2.jpg"]) == "/photos/2.jpg"
    failures = [content.reason for content in found.values() if isinstance(content, Failure)]
    assert failures == [SkipReason.REFUSED, SkipReason.BAD_LINE]


def test_a_list_leads_to_nothing_outside_the_root(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1.jpg").touch()
    (tmp_path / "in" / "list.txt").write_text("1.jpg\n../2.jpg\n")
    inside, outside = asked(tmp_path / "in" / "list.txt", tmp_path / "in").values()
    assert inside == (tmp_path / "in" / "1.jpg").resolve()
    assert isinstance(outside, Failure)
    assert outside.reason is SkipReason.REFUSED


def test_a_scan_of_a_list_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("1.jpg\n")
    with pytest.raises(SourceError, match=r"does not say whose photos they are.*columns account and photo"):
        open_source(tmp_path / "list.txt")


def test_a_photo_by_the_name_of_a_list_is_a_photo(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_bytes(b"\xff\xd8\xff\xe0" + bytes(20))
    assert asked(tmp_path / "1.txt") == {str(tmp_path / "1.txt"): tmp_path / "1.txt"}
    assert open_source(tmp_path / "1.txt").key == str(tmp_path / "1.txt")
