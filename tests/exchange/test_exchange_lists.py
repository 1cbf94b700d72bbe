from __future__ import annotations

import codecs
import json
import os
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hash_lists import bad, good, hashes, read, written
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch.errors import ImgmatchError, SourceError, UnknownNameError
from imgmatch.exchange.lists import FORMS, WRITTEN_FORMS, ListOptions, detect_form, form_of, read_list
from imgmatch.model import BadEntry, ListedHash

if TYPE_CHECKING:
    from collections.abc import Callable

ONE, TWO, THREE = hashes(3)

LINE_FORMS: dict[str, Callable[[str], str]] = {
    "hashes": lambda value: value,
    "tx": lambda value: f"pdq {value}",
    "mih": lambda value: f"hash={value},a note",
    "pdq-hasher": lambda value: f"{value},100,a.jpg",
    "tx-csv": lambda value: f"pdq,{value},Sample,POSITIVE_CLASS,a b",
    "csv": lambda value: f"{value},a note",
    "stopncii": lambda value: json.dumps({"signalType": "ImagePDQ", "hashValue": value, "hashStatus": "Active"}),
}
HEADERS = {"tx-csv": "signal_type,signal_str,collab,category,tags\n", "csv": "pdq,note\n"}


def listed(form: str, values: list[str], end: str = "\n") -> str:
    """A list of a form with a line an entry."""
    head = HEADERS.get(form, "").replace("\n", end)
    return head + "".join(LINE_FORMS[form](value) + end for value in values)


@pytest.mark.parametrize("form", LINE_FORMS)
def test_one_broken_line_in_a_hundred_is_named_and_all_others_are_read(form: str) -> None:
    values = hashes(20_000)
    broken = {number: values[number][: number % 64] + "?" for number in range(7, 20_000, 100)}
    text = listed(form, [broken.get(number, value) for number, value in enumerate(values)])
    found = read(text)
    assert good(found) == [value for number, value in enumerate(values) if number not in broken]
    first = 1 + text.startswith(HEADERS.get(form, "-"))
    assert bad(found) == [number + first for number in broken]


@pytest.mark.parametrize("form", LINE_FORMS)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-32"])
def test_byte_order_marks_and_line_ends_do_not_matter(form: str, end: str, encoding: str) -> None:
    text = listed(form, [ONE, TWO.upper(), THREE], end)
    raw = ("\ufeff" + text if encoding.startswith("utf-16") else text).encode(encoding)
    assert detect_form(raw) == form
    assert good(read(raw)) == [ONE, TWO, THREE]


@pytest.mark.parametrize("form", LINE_FORMS)
def test_the_form_is_told_in_spite_of_a_few_broken_lines(form: str) -> None:
    lines = listed(form, hashes(60)).splitlines()
    lines[1:1] = ["", "what is this", "?" * 70]
    lines.insert(40, "12,50,x")
    assert detect_form("\n".join(lines).encode()) == form


def test_bare_hashes_among_the_lines_of_a_form_that_reads_them_do_not_matter() -> None:
    assert detect_form(f"{ONE}\npdq {TWO}\n".encode()) == "tx"
    assert detect_form(f"{ONE}\n{TWO},a note\n".encode()) == "mih"
    assert detect_form(f"{ONE}\nvideo_md5 d41d8cd98f00b204e9800998ecf8427e\n".encode()) == "tx"
    assert detect_form(b"  <queryResult/>") == "ncmec"
    assert detect_form(f"# x\n\n{ONE}".encode()) == "hashes"


@pytest.mark.parametrize("raw", [b"", b"\n \n", b"\xef\xbb\xbf", codecs.BOM_UTF16_BE])
def test_an_empty_list_has_no_form_and_is_read_where_its_form_is_said(raw: bytes) -> None:
    with pytest.raises(SourceError, match="empty"):
        read(raw)
    assert read(raw, "hashes") == []
    assert read(raw, "stopncii") == []


@pytest.mark.parametrize(
    "raw", [b"hello\nworld\n", b"account,photo\na,b\n", b"\x89PNG\r\n\x1a\n" + bytes(99), bytes(200)]
)
def test_what_has_no_known_form_is_refused(raw: bytes) -> None:
    with pytest.raises(SourceError, match="no known form"):
        read(raw)


def test_every_form_has_a_sentence_and_an_unknown_one_is_refused_by_name() -> None:
    assert set(WRITTEN_FORMS) < set(FORMS)
    assert all(sentence.endswith(".") for sentence in FORMS.values())
    with pytest.raises(UnknownNameError, match="called pdf"):
        read(ONE, "pdf")


@pytest.mark.parametrize("form", [form for form in LINE_FORMS if form not in HEADERS])
def test_the_memory_for_a_line_without_end_is_bounded(tmp_path: Path, form: str) -> None:
    path = tmp_path / "list"
    with path.open("w") as file:
        file.write(LINE_FORMS[form](ONE) + "\n")
        for _ in range(32):
            file.write("f" * (1 << 20))
        file.write("\n" + LINE_FORMS[form](TWO) + "\n")
    tracemalloc.start()
    try:
        found = list(read_list(path, ListOptions(form)))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (good(found), bad(found)) == ([ONE, TWO], [2])
    assert most < 16 << 20


def test_a_list_is_read_from_a_file_and_its_name_is_in_every_error(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"{ONE}\n12\n")
    assert list(read_list(path, ListOptions())) == [
        ListedHash(bytes.fromhex(ONE)),
        BadEntry(2, "A PDQ value is 64 hexadecimal digits, not 2 characters: 12"),
    ]
    assert form_of(path, ListOptions()) == "hashes"
    assert form_of(path, ListOptions("mih")) == "mih"
    assert form_of(path, ListOptions(columns={"pdq": "Hash"})) == "csv"
    path.write_text("hello")
    for read_it in (lambda: form_of(path, ListOptions()), lambda: list(read_list(path, ListOptions("csv")))):
        with pytest.raises(SourceError, match=r"list\.txt: "):
            read_it()


def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path, tmp_path / "missing", fifo, Path("a\0b")):
        with pytest.raises(SourceError, match="cannot be read"):
            list(read_list(path, ListOptions()))


SEEDS = [
    *(listed(form, [ONE, TWO]).encode() for form in LINE_FORMS),
    written([ListedHash(bytes.fromhex(ONE), opinions=(("a", "b"),))] * 3, "stopncii").encode(),
    f'<?xml version="1.0"?><queryResult><images><image><id>1</id><fingerprints><pdq>{ONE}</pdq></fingerprints>'
    "</image></images></queryResult>".encode(),
]
PIECES = st.sampled_from(
    [
        *(
            b'"',
            b"\n",
            b"\r",
            b"\0",
            b"\xff",
            b",",
            b"{",
            b"}",
            b"[",
            b"]",
            b"<",
            b"/>",
            b"&x;",
            b"\\",
            b"=",
            b"#",
            b" ",
        ),
        *(
            b"pdq",
            b"ORIGINAL ",
            b"\xff\xfe",
            b"\xef\xbb\xbf",
            b"<!DOCTYPE a [",
            b"[" * 3_000,
            b'{"a":' * 2_000,
            b'"\\ud800"',
        ),
    ]
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A list with something put in, or taken out."""
    raw = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(st.integers(0, len(raw))), draw(st.integers(0, 40))
        raw = raw[:at] + draw(PIECES | st.binary(max_size=8)) + raw[at + length :]
    return raw


@pytest.mark.slow
@given(raw=st.binary(max_size=300) | damaged(), form=st.sampled_from([None, *FORMS]))
@settings(max_examples=400, deadline=None)
def test_whatever_bytes_come_nothing_but_the_documented_errors_is_raised(raw: bytes, form: str | None) -> None:
    try:
        found = read(raw, form)
    except ImgmatchError as error:
        assert isinstance(error, SourceError)  # noqa: PT017 -- either outcome is one
        return
    assert all(len(entry.pdq) == 32 for entry in found if isinstance(entry, ListedHash))
    for entry in found:
        if isinstance(entry, BadEntry):
            assert entry.line >= 1
            assert len(entry.reason) < 500
            assert entry.reason.encode()


@pytest.mark.shared
def test_the_lists_beside_the_reference_pictures_are_read_whole(shared: Path) -> None:
    for name in ("needles.txt", "haystack.txt"):
        path = shared / "pdq" / name
        found = list(read_list(path, ListOptions()))
        assert good(found) == [line.strip() for line in path.read_text().splitlines() if line.strip()]
        assert len(found) == len(good(found))
