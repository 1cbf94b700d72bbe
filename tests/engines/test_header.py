from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch import registry
from imgmatch.engines.folder import HEADER
from imgmatch.engines.header import FORMAT_VERSION, Header, Snapshot, parse_header
from imgmatch.errors import IndexTooNewError, NotAnIndexError

PLACE = Path("shelf") / HEADER
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
COUNTS = st.integers(0, 2**62)
TOKENS = st.none() | st.binary(min_size=16, max_size=16).map(bytes.hex)
HEADERS = st.builds(
    Header,
    format=st.just(FORMAT_VERSION),
    hashers=st.lists(TEXT, min_size=1, max_size=4).map(tuple),
    engine=TEXT,
    codebook=TEXT,
    generation=COUNTS,
    snapshot=st.none() | st.builds(Snapshot, TEXT, TEXT, TEXT, COUNTS, COUNTS, TOKENS),
    features=st.none() | st.builds(Snapshot, TEXT, TEXT, TEXT, COUNTS, COUNTS, TOKENS),
    catalog=TOKENS,
)


def read(raw: object) -> Header:
    return parse_header(raw if isinstance(raw, str) else json.dumps(raw), PLACE)


@settings(deadline=None, max_examples=100)
@given(header=HEADERS)
def test_a_header_is_read_as_it_was_written(header: Header) -> None:
    assert read(asdict(header)) == header


NEW = Header(FORMAT_VERSION, ("phash", "pdq"), "linear", registry.DEFAULT_CODEBOOK)
WHOLE = asdict(replace(NEW, generation=3, snapshot=Snapshot("phash", "flat", "phash.flat.3", 9, 9)))


def changed(path: str, value: object) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads(json.dumps(WHOLE))
    *above, last = path.split(".")
    (raw[above[0]] if above else raw)[last] = value
    return raw


@pytest.mark.parametrize("field", [field for field in WHOLE if field not in {"snapshot", "features", "place"}])
def test_a_header_without_a_field_is_refused(field: str) -> None:
    with pytest.raises(NotAnIndexError, match=HEADER):
        read({name: value for name, value in WHOLE.items() if name != field})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", "1"),
        ("format", None),
        ("format", 0),
        ("format", 1.5),
        ("hashers", "phash"),
        ("hashers", []),
        ("hashers", ["phash", 1]),
        ("engine", 7),
        ("codebook", 7),
        ("codebook", None),
        ("features", "features.ivf.3"),
        ("features", {}),
        ("generation", "3"),
        ("generation", None),
        ("snapshot", "phash.flat.3"),
        ("snapshot", {}),
        ("snapshot.file", 3),
        ("snapshot.file", None),
        ("snapshot.size", "9"),
        ("snapshot.through", None),
        ("snapshot.through", -1),
        ("snapshot.size", 2**63),
        ("snapshot.size", True),
        ("snapshot.file", "x" * 101),
        ("generation", 10**4_000),
        ("generation", -1),
        ("generation", True),
        ("format", True),
        ("engine", "x" * 101),
        ("hashers", ["phash"] * 33),
        ("catalog", "0" * 31),
        ("catalog", "g" * 32),
        ("catalog", 7),
        ("snapshot.token", "0" * 33),
        ("snapshot.token", "A" * 32),
        ("snapshot.token", ["0" * 32]),
    ],
)
def test_a_header_with_a_field_of_another_type_is_refused(field: str, value: object) -> None:
    with pytest.raises(NotAnIndexError, match=HEADER):
        read(changed(field, value))


def test_a_snapshot_without_a_token_is_refused_since_there_are_tokens() -> None:
    raw = changed("format", FORMAT_VERSION)
    del raw["snapshot"]["token"]
    with pytest.raises(NotAnIndexError, match=HEADER):
        read(raw)
    before = read(raw | {"format": 2})
    assert before.snapshot is not None
    assert (before.snapshot.token, before.catalog) == (None, None)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '{"format": 1', "[" * 50_000, "9" * 5_000, "\0"])
def test_a_header_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(NotAnIndexError, match=HEADER):
        read(text)


def test_a_header_cut_short_anywhere_is_refused() -> None:
    whole = json.dumps(WHOLE, indent=2)
    assert read(whole).generation == WHOLE["generation"]
    for length in range(len(whole)):
        with pytest.raises(NotAnIndexError, match=HEADER):
            read(whole[:length])


def test_a_newer_format_is_refused_whatever_else_it_says() -> None:
    with pytest.raises(IndexTooNewError, match="upgrade"):
        read({"format": FORMAT_VERSION + 1})
