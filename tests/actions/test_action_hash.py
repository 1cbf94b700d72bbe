from __future__ import annotations

import photos
import pytest

from imgmatch import registry
from imgmatch.actions.hash import hash_photos
from imgmatch.errors import UnknownNameError
from imgmatch.model import Failure, NamedPhoto, SkipReason


def test_photos_are_hashed_in_order_and_what_cannot_be_used_says_why() -> None:
    named = [
        NamedPhoto("one.jpg", photos.jpeg(photos.picture(1))),
        NamedPhoto("bad line", Failure(SkipReason.BAD_LINE, "no photo (line 3)")),
        NamedPhoto("junk.jpg", b"junk"),
        NamedPhoto("two.png", photos.png(photos.picture(2, (300, 200)))),
    ]
    one, line, junk, two = hash_photos(named, tuple(registry.HASHERS))
    assert (one.photo, one.width, one.height, one.format, one.reason) == ("one.jpg", 480, 600, "JPEG", None)
    assert set(one.fingerprints) == set(registry.HASHERS)
    assert all(len(value) == 64 and int(value, 16) for value in one.fingerprints.values())
    assert one.quality is not None
    assert 50 <= one.quality <= 100
    assert (line.photo, line.reason) == ("bad line", "bad line: no photo (line 3)")
    assert junk.reason == "unreadable: not a picture in a format imgmatch reads"
    assert (junk.fingerprints, junk.quality, junk.width) == ({}, None, None)
    assert (two.photo, two.width, two.format) == ("two.png", 300, "PNG")


def test_an_unknown_hasher_is_an_error_that_names_it() -> None:
    with pytest.raises(UnknownNameError, match="md5"):
        list(hash_photos([NamedPhoto("x", photos.jpeg(photos.picture(1)))], ("md5",)))
