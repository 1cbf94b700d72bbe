from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.errors import SourceError
from imgmatch.model import NewPhoto, Skipped, SkipReason
from imgmatch.model.accounts import BLANKS
from imgmatch.sources import open_source

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30).filter(
    lambda text: text.strip(BLANKS)
)

ROWS = st.lists(st.tuples(TEXTS, TEXTS, st.text(alphabet=st.characters(exclude_characters="\0", codec="utf-8"))))


def read(folder: Path, text: str | bytes, name: str = "m.jsonl") -> list[NewPhoto | Skipped]:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(open_source(path))


def read_one(folder: Path, **values: object) -> NewPhoto | Skipped:
    [found] = read(folder, json.dumps({"account": "a", "photo": "1.jpg"} | values))
    return found


@pytest.mark.parametrize("name", ["m.jsonl", "m.NDJSON"])
def test_an_object_becomes_a_photo_with_all_that_is_known(tmp_path: Path, name: str) -> None:
    line = '{"account":"a17","photo":"x/1.jpg","name":"Lena","seen_at":"2026-01-04","photo_id":"p1","country":"de"}'
    assert read(tmp_path, f"\ufeff\n{line}\r\n\n", name) == [
        NewPhoto(
            account="a17",
            path=tmp_path / "x" / "1.jpg",
            label="x/1.jpg",
            photo_id="p1",
            name="Lena",
            seen_at=datetime(2026, 1, 4, tzinfo=UTC),
            attributes={"country": "de"},
            line=2,
        )
    ]


@pytest.mark.parametrize(("number", "text"), [(17, "17"), (0, "0"), (-3, "-3"), (2**63, "9223372036854775808")])
def test_a_whole_number_as_an_id_is_turned_to_text(tmp_path: Path, number: int, text: str) -> None:
    photo = read_one(tmp_path, account=number, photo_id=number)
    assert isinstance(photo, NewPhoto)
    assert (photo.account, photo.photo_id) == (text, text)


def test_null_is_the_same_as_not_given(tmp_path: Path) -> None:
    photo = read_one(tmp_path, name=None, seen_at=None, photo_id=None, bio=None)
    assert photo == read_one(tmp_path)


def test_attributes_are_text(tmp_path: Path) -> None:
    photo = read_one(tmp_path, i=1, f=1.5, yes=True, no=False, empty="", items=["ä", {"b": None}])
    assert isinstance(photo, NewPhoto)
    assert photo.attributes == {"i": "1", "f": "1.5", "yes": "true", "no": "false", "items": '["ä", {"b": null}]'}


@given(rows=ROWS)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_what_the_json_module_wrote_comes_back_equal(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    ascii_only: bool,
    rows: list[tuple[str, str, str]],
) -> None:
    path = tmp_path_factory.mktemp("round") / "m.jsonl"
    objects = [{"account": account, "photo": "1.jpg", "name": name, "bio": bio} for account, name, bio in rows]
    lines = [json.dumps(one, ensure_ascii=ascii_only) + "\n" for one in objects or [{"account": ""}]]
    path.write_text("".join(lines), encoding="utf-8", newline="")
    found = [one for one in open_source(path) if isinstance(one, NewPhoto)]
    assert [(one.account, one.name, one.attributes.get("bio", "")) for one in found] == rows


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ('{"account":"a","photo":"1.jpg"', "not JSON"),
        ('{"account":"a","photo":"1.jpg"} {}', "not JSON"),
        ('{"account":"a","photo":"1.jpg","x":NaN}', "NaN"),
        ('{"account":"a\tb","photo":"1.jpg"}', "not JSON"),
        ('{"account":' + "9" * 5000 + ',"photo":"1.jpg"}', "digits"),
        ('{"x":' + "[" * 100_000 + "]" * 100_000 + "}", "nested"),
        ('"text"', "not a JSON object"),
        ("17", "not a JSON object"),
        ("null", "not a JSON object"),
        ('{"photo":"1.jpg"}', "no account"),
        ("{}", "no account and no photo"),
        ('{"account":null,"photo":"1.jpg"}', "no account"),
        ('{"account":"","photo":"1.jpg"}', "account is empty"),
        ('{"account":true,"photo":"1.jpg"}', "account must be"),
        ('{"account":1.5,"photo":"1.jpg"}', "account must be"),
        ('{"account":["a"],"photo":"1.jpg"}', "account must be"),
        ('{"account":"a","photo":5}', "photo must be text"),
        ('{"account":"a","photo":""}', "photo is empty"),
        ('{"account":"a","photo":"1.jpg","name":5}', "name must be text"),
        ('{"account":"a","photo":"1.jpg","seen_at":true}', "seen_at must be text or a number"),
        ('{"account":"a","photo":"1.jpg","seen_at":45321.5}', "as a spreadsheet counts"),
        ('{"account":"a","photo":"1.jpg","seen_at":1e400}', "seen_at is not a date"),
        ('{"account":"a","Account":"b","photo":"1.jpg"}', "twice"),
        ('{"user":"a","photo":"1.jpg"}', "no account; did you mean account by user?"),
        ('{"account":"a","photo":"1.jpg","photo_id":{}}', "photo_id must be"),
        ('{"account":"a","photo":"1.jpg","account":"b"}', "twice"),
        ('{"account":"a\\nb","photo":"1.jpg"}', "control"),
        ('{"account":"a","photo":"1\\u0000.jpg"}', "NUL"),
        ('{"account":"a","photo":"1.jpg","bio":"\\u0000"}', "NUL"),
        ('{"account":"a\\ud800","photo":"1.jpg"}', "surrogate"),
        ('{"account":"a","photo":"1.jpg","bio":["\\udfff"]}', "surrogate"),
        ('{"account":"a","photo":"1.jpg","\\udfff":1}', "surrogate"),
        (b'{"account":"\xff","photo":"1.jpg"}', "UTF-8"),
        (b'{"account":"\0","photo":"1.jpg"}', "NUL"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_bad_line_says_why_and_the_next_is_read(
    tmp_path: Path,
    line: str | bytes,
    reason: str,
    *,
    first: bool,
) -> None:
    good = b'{"account":"z","photo":"1.jpg"}\n'
    raw = line.encode() if isinstance(line, str) else line
    found = read(tmp_path, (b"" if first else good) + raw + b"\n" + good)
    bad = found[0 if first else 1]
    assert isinstance(bad, Skipped)
    assert (bad.reason, bad.line) == (SkipReason.BAD_LINE, 1 if first else 2)
    assert reason in bad.detail
    assert len(bad.photo) + len(bad.detail) < 600
    assert found[-1].account == "z"


@pytest.mark.parametrize("line", ['["a","1.jpg"]', '{"bio":"' + "x" * (3 << 20) + '"}', "\0"])
def test_what_would_be_an_error_as_the_first_line_is_a_bad_line_later(tmp_path: Path, line: str) -> None:
    good = '{"account":"z","photo":"1.jpg"}\n'
    _, bad, last = read(tmp_path, f"{good}{line}\n{good}")
    assert isinstance(bad, Skipped)
    assert (bad.reason, bad.line, last.line) == (SkipReason.BAD_LINE, 2, 3)


def test_a_url_is_refused(tmp_path: Path) -> None:
    refused = read_one(tmp_path, photo="https://cdn.example/1.jpg")
    assert isinstance(refused, Skipped)
    assert refused.reason is SkipReason.REFUSED


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "empty"),
        ("\n\r\n  \n", "empty"),
        ('[{"account":"a","photo":"1.jpg"}]', "JSON array"),
        ('[\n{"account":"a","photo":"1.jpg"}\n]', "JSON array"),
        (b"\x89PNG\r\n\x1a\n\0\0", "UTF-8"),
        (b"x" * (3 << 20), "1 MiB"),
    ],
)
def test_what_is_no_manifest_is_an_error_that_names_the_file(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    with pytest.raises(SourceError, match=rf"m\.jsonl.*{sentence}"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("written", "seen_at"),
    [
        ("1767484800", datetime(2026, 1, 4, tzinfo=UTC)),
        ("1767484800.5", datetime(2026, 1, 4, 0, 0, 0, 500_000, tzinfo=UTC)),
        ("1767484800000", datetime(2026, 1, 4, tzinfo=UTC)),
        ("1.7674848e9", datetime(2026, 1, 4, tzinfo=UTC)),
    ],
)
def test_a_time_may_be_a_number(tmp_path: Path, written: str, seen_at: datetime) -> None:
    [photo] = read(tmp_path, f'{{"account":"a","photo":"1.jpg","seen_at":{written}}}\n')
    assert isinstance(photo, NewPhoto)
    assert photo.seen_at == seen_at


def test_keys_may_have_capitals(tmp_path: Path) -> None:
    [photo] = read(tmp_path, '{"Account":"a","PHOTO":"1.jpg","Photo_ID":"p","Bio":"x"}\n')
    assert isinstance(photo, NewPhoto)
    assert (photo.account, photo.photo_id, photo.attributes) == ("a", "p", {"Bio": "x"})


def test_text_in_utf_16_is_read(tmp_path: Path) -> None:
    [photo] = read(tmp_path, '{"account":"José","photo":"1.jpg"}\n'.encode("utf-16"))
    assert photo.account == "José"
