from __future__ import annotations

import csv
import io
import json
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imgmatch.formats.text import as_csv, as_json, as_json_line, clean

# Any code point, those included that stand for bytes of a file name that is not text (PEP 383); two halves of a
# surrogate pair side by side are one letter in JSON.
TEXT = st.text(st.characters(max_codepoint=0xD7FF) | st.characters(min_codepoint=0xDC00))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
STEERING = "\x00\x07\x08\x1b\x7f\x85\x9b\u061c\u200e\u200f\u202a\u202e\u2066\u2069\u2028\u2029\udc80\udfff"


def steers(text: str) -> bool:
    """Whether anything in ``text`` but line ends could move a cursor, reorder what is read, or not be printed."""
    turning = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return any(
        unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"}
        or unicodedata.bidirectional(letter) in turning
        or letter in "\u200e\u200f\u061c"
        for letter in text.replace("\n", "")
    )


def read_csv(lines: list[str]) -> list[list[str]]:
    return list(csv.reader(io.StringIO("".join(lines), newline="")))


@pytest.mark.slow
@given(st.dictionaries(TEXT, JSON))
@example({"name": STEERING})
def test_any_record_comes_back_from_a_json_line_as_it_was(record: dict[str, Any]) -> None:
    line = as_json_line(record)
    assert json.loads(line) == record
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert not steers(line)
    line.encode()


@pytest.mark.slow
@given(st.lists(st.dictionaries(TEXT, JSON), max_size=3))
def test_any_document_comes_back_from_json_as_it_was(value: list[dict[str, Any]]) -> None:
    text = as_json(value)
    assert json.loads(text) == value
    assert not steers(text)
    text.encode()


def test_letters_of_all_languages_stay_readable_in_json() -> None:
    assert as_json_line({"name": "Léna 莉娜 لينا"}) == '{"name": "Léna 莉娜 لينا"}\n'
    assert as_json({"a": [1]}) == '{\n  "a": [\n    1\n  ]\n}\n'


@given(TEXT)
@example(STEERING)
def test_what_is_cleaned_steers_nothing_and_keeps_its_length(text: str) -> None:
    assert not steers(clean(text).replace("\n", "\x00"))
    assert len(clean(text)) == len(text)
    assert clean(clean(text)) == clean(text)


def test_cleaning_leaves_ordinary_letters_alone() -> None:
    assert clean("Léna 莉娜 لينا 👩‍💻") == "Léna 莉娜 لينا 👩‍💻"


@pytest.mark.parametrize(
    "start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201"]
)
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(start: str) -> None:
    [_, [cell]] = read_csv(list(as_csv([{"name": start}], ["name"])))
    assert cell[0] in "'\ufffd"
    assert cell.removeprefix("'") == clean(start)


@given(TEXT)
def test_no_text_in_a_cell_begins_a_formula_or_steers_a_terminal(text: str) -> None:
    lines = list(as_csv([{"name": text}], ["name"]))
    [_, [cell]] = read_csv(lines)
    assert not cell.lstrip().startswith(("=", "+", "-", "@"))
    assert not steers("".join(lines))
    assert cell in {clean(text), "'" + clean(text)}


def test_cells_that_are_no_text_are_written_as_other_programs_read_them() -> None:
    row = {"none": None, "yes": True, "no": False, "whole": -3, "share": -0.5, "list": ["=1", "é"], "map": {"a": 1}}
    assert list(as_csv([row], [*row, "missing"])) == [
        "none,yes,no,whole,share,list,map,missing\n",
        ',true,false,-3,-0.5,"[""=1"", ""é""]","{""a"": 1}",\n',
    ]


def test_only_the_columns_asked_for_are_written_and_a_header_even_without_rows() -> None:
    assert list(as_csv([{"a": 1, "b": 2}], ["b"])) == ["b\n", "2\n"]
    assert list(as_csv([], ["a", "b"])) == ["a,b\n"]
