from __future__ import annotations

import pytest

from imgmatch.errors import ConflictError
from imgmatch.model import derived_photo_id
from imgmatch.sources.moving import Move, kind_of


@pytest.mark.parametrize(
    ("old", "new", "label", "before", "after"),
    [
        ("/a/photos", "/b/new", "u1/1.jpg", "/a/photos/u1/1.jpg", "/b/new/u1/1.jpg"),
        ("/a/set.tar", "/b/set.tar", "u1/1.jpg", "/a/set.tar/u1/1.jpg", "/b/set.tar/u1/1.jpg"),  # a folder of that name
        ("/a/set.zip", "/b/x.zip", "u1/1.jpg", "zip://u1/1.jpg::/a/set.zip", "zip://u1/1.jpg::/b/x.zip"),
        ("/a/set.tar", "/a/set.tar.gz", "u1/1.jpg", "tar://u1/1.jpg::/a/set.tar", "tar://u1/1.jpg::/a/set.tar.gz"),
        ("/a/list.csv", "/b/list.jsonl", "../u1/1.jpg", "/u1/1.jpg", "/u1/1.jpg"),
        ("/a/list.csv", "/b/list.csv", "u1/1.jpg", "/a/u1/1.jpg", "/b/u1/1.jpg"),
        ("/a/1.jpg", "/b/1.jpg", "1.jpg", "/a/1.jpg", "/b/1.jpg"),
        ("s3://x/set/", "s3://y/", "u1/1.jpg", "s3://x/set/u1/1.jpg", "s3://y/u1/1.jpg"),
        ("/a/photos", "s3://y/set/", "u1/1.jpg", "/a/photos/u1/1.jpg", "s3://y/set/u1/1.jpg"),
        (
            *("https://x.example/m.csv", "https://y.example/n/m.csv", "u1/1.jpg"),
            *("https://x.example/u1/1.jpg", "https://y.example/n/u1/1.jpg"),
        ),
    ],
)
def test_a_photo_has_the_id_that_a_scan_of_the_new_place_gives_it(
    old: str, new: str, label: str, before: str, after: str
) -> None:
    """And the path; there and back again."""
    was = derived_photo_id("u1", before)
    moved = Move(old, new).moved("u1", was, label, before)
    assert moved == (derived_photo_id("u1", after), after)
    assert Move(new, old).moved("u1", moved[0], label, moved[1]) == (was, before)


def test_what_does_not_hang_on_the_place_of_the_source_stays() -> None:
    """An id of the manifest's own, an absolute path, a URL; of the first the path follows all the same."""
    move = Move("/a/list.csv", "/b/list.csv")
    assert move.moved("u1", "own-1", "u1/1.jpg", "/a/u1/1.jpg") == ("own-1", "/b/u1/1.jpg")
    there = derived_photo_id("u1", "/photos/1.jpg")
    assert move.moved("u1", there, "/photos/1.jpg", "/photos/1.jpg") == (there, "/photos/1.jpg")
    url = "https://x.example/1.jpg"
    assert move.moved("u1", derived_photo_id("u1", url), url, url) == (derived_photo_id("u1", url), url)


@pytest.mark.parametrize(
    ("old", "new"),
    [("/a/set.zip", "/a/set.tar"), ("/a", "/a.csv"), ("/a.csv", "/a"), ("library", "/a"), ("/a", "library")],
)
def test_a_source_of_another_kind_cannot_be_where_it_has_moved(old: str, new: str) -> None:
    with pytest.raises(ConflictError, match="of another kind"):
        Move(old, new)


def test_the_kind_of_a_source_shows_in_its_key() -> None:
    kinds = [
        "library",
        "/a",
        "/a/x.csv",
        "/a/x.PARQUET",
        "/a/x.tgz",
        "s3://b/x/",
        "https://x.example/x.csv",
        "https://x/1",
    ]
    assert [kind_of(key) for key in kinds] == [
        *("library", "folder", "manifest", "manifest", "archive", "bucket", "manifest", "url"),
    ]
