from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from hash_lists import PDQ_BYTES, TEXT, WORDS, good, hashes, read, written
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.errors import UnknownNameError
from imgmatch.exchange.lists import WRITTEN_FORMS, detect_form, write_list
from imgmatch.model import ListedHash

ONE, TWO, THREE = hashes(3)
CODE = bytes.fromhex(ONE)
FULL = ListedHash(CODE, "r", True, 1_700_000_000, "c", ("a",), "n", "u", 77, (("who", "what"),))  # noqa: FBT003

SAID = TEXT.map(lambda text: text or None)
SECONDS = st.none() | st.integers(1, 99_999_999_999)
OPINIONS = st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)

ENTRIES: dict[str, st.SearchStrategy[ListedHash]] = {
    "hashes": st.builds(ListedHash, PDQ_BYTES),
    "tx": st.builds(ListedHash, PDQ_BYTES),
    "mih": st.builds(ListedHash, PDQ_BYTES, note=SAID.map(lambda text: " ".join((text or "").split()) or None)),
    "tx-csv": st.builds(
        ListedHash, PDQ_BYTES, category=SAID, tags=st.lists(WORDS | st.just("[]"), unique=True).map(tuple)
    ),
    "csv": st.builds(
        ListedHash,
        PDQ_BYTES,
        ref=SAID,
        withdrawn=st.booleans(),
        modified=SECONDS,
        category=SAID,
        tags=st.lists(TEXT.filter(bool), unique=True, max_size=4).map(tuple),
        note=SAID,
        uri=SAID,
        quality=st.none() | st.integers(0, 100),
        opinions=OPINIONS,
    ),
    "stopncii": st.builds(
        ListedHash,
        PDQ_BYTES,
        withdrawn=st.booleans(),
        modified=SECONDS,
        tags=st.lists(TEXT.filter(bool) | TEXT.map("case:".__add__), unique=True, max_size=4).map(
            lambda tags: tuple(sorted(tags, key=lambda tag: tag.startswith("case:")))
        ),
        opinions=OPINIONS,
    ),
}


def test_every_form_that_is_written_is_tested_here() -> None:
    assert set(ENTRIES) == set(WRITTEN_FORMS)


@pytest.mark.slow
@pytest.mark.parametrize("form", WRITTEN_FORMS)
def test_what_is_written_reads_back_equal_and_its_form_is_told(form: str) -> None:
    @given(entries=st.lists(ENTRIES[form], min_size=1, max_size=6))
    def holds(entries: list[ListedHash]) -> None:
        text = written(entries, form)
        assert read(text, form) == entries
        assert detect_form(text.encode()) == form

    holds()


@pytest.mark.parametrize("form", ["hashes", "tx", "tx-csv", "mih"])
def test_a_form_that_cannot_say_withdrawn_leaves_such_entries_out(form: str) -> None:
    assert good(read(written([FULL, ListedHash(bytes.fromhex(TWO))], form))) == [TWO]
    assert good(read(written([FULL], "csv"))) == good(read(written([FULL], "stopncii"))) == [ONE]


def test_what_is_written_is_what_the_field_writes() -> None:
    entry = replace(FULL, withdrawn=False)
    assert written([entry], "hashes") == f"{ONE}\n"
    assert written([entry], "tx") == f"pdq {ONE}\n"
    assert written([entry, replace(entry, note=None)], "mih") == f"hash={ONE},n\nhash={ONE},r\n"
    assert written([entry], "tx-csv") == f"signal_type,signal_str,collab,category,tags\npdq,{ONE},,c,a\n"
    assert written([entry], "csv").splitlines() == [
        "pdq,ref,withdrawn,modified,category,tags,note,uri,quality,opinions",
        f'{ONE},r,,1700000000,c,a,n,u,77,"[[""who"", ""what""]]"',
    ]


def test_a_record_of_stopncii_has_the_shape_that_its_clients_read() -> None:
    entry = replace(FULL, tags=("x", "case:7"), opinions=(("A", "Blocked: Nude, Other"),))
    assert json.loads(written([entry], "stopncii")) == [
        {
            "lastModtimestamp": 1_700_000_000,
            "signalType": "ImagePDQ",
            "hashValue": ONE,
            "hashStatus": "Withdrawn",
            "caseNumbers": {"7": "Withdrawn"},
            "tags": ["x"],
            "CSPFeedbacks": [{"source": "A", "feedbackValue": "Blocked", "tags": ["Nude", "Other"]}],
        }
    ]


@pytest.mark.parametrize("form", WRITTEN_FORMS)
def test_an_empty_list_is_written_and_read(form: str) -> None:
    assert read(written([], form), form) == []


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "\t=", "\n=", "'=", "\N{FULLWIDTH EQUALS SIGN}"])
@pytest.mark.parametrize("form", ["csv", "tx-csv"])
def test_no_cell_is_a_formula_for_a_spreadsheet_and_all_come_back(form: str, start: str) -> None:
    text = f"{start}1+cmd|' /C calc'!A0"
    entry = ListedHash(CODE, category=text)
    raw = written([entry], form)
    cells = list(csv.reader(io.StringIO(raw, newline="")))[1]
    assert not any(cell.lstrip().startswith(tuple("=+-@\N{FULLWIDTH EQUALS SIGN}")) for cell in cells)
    assert read(raw) == [entry]


def test_what_no_list_can_hold_is_replaced_and_breaks_no_line() -> None:
    hostile = "a\0b\ud800\x1b[31m\x85c"
    entry = ListedHash(CODE, hostile, category=hostile, tags=(hostile,), note=f"{hostile}\nhash={TWO}", uri=hostile)
    for form in WRITTEN_FORMS:
        text = written([entry], form)
        assert text.encode()
        assert "\0" not in text
        assert "\x1b" not in text
        assert good(read(text)) == [ONE]


def test_the_number_of_what_was_written_is_told_and_an_unknown_form_refused() -> None:
    assert write_list([FULL, ListedHash(CODE)], io.StringIO(), "tx") == 1
    assert write_list([FULL, ListedHash(CODE)], io.StringIO(), "csv") == 2
    for form in ("pdq-hasher", "ncmec", "pdf"):
        with pytest.raises(UnknownNameError, match=form):
            write_list([], io.StringIO(), form)
