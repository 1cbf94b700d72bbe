from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch.model.names import is_text, named_by, storable_name

PIECES = st.lists(st.sampled_from([b"\\", b"x", b"ff", b"\xff", b"\xc3\xa9", b"/"]))
BYTES = st.binary(max_size=12) | PIECES.map(b"".join)


@given(BYTES)
@settings(deadline=None)
def test_every_name_can_be_stored_and_comes_back(data: bytes) -> None:
    name = data.decode(errors="surrogateescape")
    stored = storable_name(name)
    assert stored.encode().decode() == stored
    assert named_by(stored) == name


def test_names_of_text_stay_as_they_are() -> None:
    for name in ("a/1.jpg", "é.jpg", "a\\b.jpg", "\\x00", "\\n"):
        assert storable_name(name) == name
    assert storable_name("\udcff\\") == r"\xff\\"
    assert storable_name(r"\xff") == r"\\xff"


def test_what_holds_control_characters_or_nothing_is_no_text() -> None:
    assert is_text("é\t\r\n".encode()[:1])
    assert not any(map(is_text, (b"", b" \n", b"a\0", b"\x89PNG\r\n\x1a\n", b"a\x1b[2J")))
