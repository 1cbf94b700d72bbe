from __future__ import annotations

import csv
import gc
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.errors import SourceError
from imgmatch.model import NewPhoto, Skipped, SkipReason, derived_photo_id
from imgmatch.model.accounts import BLANKS
from imgmatch.sources import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1 << 20
TEXTS = st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30).filter(
    lambda text: text.strip(BLANKS)
)


def read(folder: Path, text: str | bytes, name: str = "m.csv") -> list[NewPhoto | Skipped]:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(open_source(path))


def read_rows(folder: Path, rows: str | bytes) -> list[NewPhoto | Skipped]:
    """What comes of rows under the columns account, photo, bio."""
    raw = rows.encode() if isinstance(rows, str) else rows
    return read(folder, b"account,photo,bio\n" + raw)


def told(found: list[NewPhoto | Skipped]) -> list[str | int | None]:
    """Good lines as their account, bad ones as their line."""
    return [one.account if isinstance(one, NewPhoto) else one.line for one in found]


def test_a_line_becomes_a_photo_with_all_that_is_known(tmp_path: Path) -> None:
    text = "photo_id,account,photo,name,seen_at,country,bio\np1,a17,x/1.jpg,Lena,2026-01-04T01:00:00+01:00,de,\n"
    assert read(tmp_path, text) == [
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


def test_what_is_left_empty_is_not_known_and_the_id_is_derived(tmp_path: Path) -> None:
    [photo] = read(tmp_path, "account,photo,name,seen_at,photo_id\na,./1.jpg,,,\n")
    assert photo == NewPhoto(
        "a", tmp_path / "1.jpg", "./1.jpg", derived_photo_id("a", str(tmp_path / "1.jpg")), attributes={}, line=2
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["m.csv", "m.TSV"])
def test_the_header_tells_the_delimiter(tmp_path: Path, delimiter: str, name: str) -> None:
    text = f"account{delimiter}photo{delimiter}bio\na{delimiter}1.jpg{delimiter}x\n"
    assert told(read(tmp_path, text, name)) == ["a"]


def test_a_byte_order_mark_crlf_blank_lines_and_no_last_line_end_are_fine(tmp_path: Path) -> None:
    raw = b'\xef\xbb\xbf"account",photo \r\n\r\na,1.jpg\r\n  \r\n"b","2.jpg"\r\nc,3.jpg'
    found = read(tmp_path, raw)
    assert [(one.account, one.line) for one in found] == [("a", 3), ("b", 5), ("c", 6)]


def test_columns_without_a_name_are_nobodys(tmp_path: Path) -> None:
    [photo] = read(tmp_path, ",account,photo,,\n0,a,1.jpg,x,y\n")
    assert isinstance(photo, NewPhoto)
    assert photo.attributes == {}


@given(st.lists(st.tuples(TEXTS, TEXTS, st.text(alphabet=st.characters(exclude_characters="\0", codec="utf-8")))))
def test_what_the_csv_module_wrote_comes_back_equal_but_for_blanks_round_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("round") / "m.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("account", "name", "bio", "photo"), *((*row, "1.jpg") for row in rows)])
    found = [one for one in open_source(path) if isinstance(one, NewPhoto)]
    bare = [tuple(text.strip(" ") for text in row) for row in rows]
    assert [(one.account.strip(" "), one.name, one.attributes.get("bio", "")) for one in found] == bare


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a", "fields"),
        ("a,1.jpg", "2 fields, the header has 3"),
        ("a,1.jpg,x,y", "4 fields"),
        (",1.jpg,", "account is empty"),
        ('"  ",1.jpg,', "account is empty"),
        ("a,,", "photo is empty"),
        ("a, ,", "photo is empty"),
        ("a\x1b,1.jpg,", "control"),
        ('"a\nb",1.jpg,', "control"),
        ("a,1\0.jpg,", "NUL"),
        ('"a\0",1.jpg,', "NUL"),
        (b"\xff,1.jpg,", "UTF-8"),
        (b'"\xff",1.jpg,', "UTF-8"),
        ("a,1.jpg,x\ry", "carriage return"),
        ('a,"1.jpg"x,', "quotes"),
        ('a,"1.jpg,', "quotes"),
        ("a" * 1001 + ",1.jpg,", "longer than 1000"),
        ("a," + "x" * 5000 + ",", "longer than 4096"),
        ("a,1.jpg," + "x" * 100_001, "attribute"),
        ('a,1.jpg,"' + "x" * 200_000 + '"', "quotes|attribute"),
        ("a,1.jpg," + "x" * MIB, "1 MiB"),
        ('a,1.jpg,"' + "x" * 3 * MIB + '"', "1 MiB"),
    ],
)
def test_a_bad_line_says_why_and_the_next_is_read(tmp_path: Path, row: str | bytes, reason: str) -> None:
    raw = row.encode() if isinstance(row, str) else row
    bad, *rest = read_rows(tmp_path, raw + b"\nz,1.jpg,\n")
    assert isinstance(bad, Skipped)
    assert (bad.reason, bad.line) == (SkipReason.BAD_LINE, 2)
    assert any(part in bad.detail for part in reason.split("|"))
    assert len(bad.photo) + len(bad.detail) < 600
    assert told(rest)[-1:] == ["z"]


@pytest.mark.parametrize(
    ("seen_at", "expected"),
    [
        ("2026-01-04", datetime(2026, 1, 4, tzinfo=UTC)),
        ("2026-01-04 10:30", datetime(2026, 1, 4, 10, 30, tzinfo=UTC)),
        ("2026-01-04T10:30:00Z", datetime(2026, 1, 4, 10, 30, tzinfo=UTC)),
        (" 2026-01-04T10:30:00.5-02:00 ", datetime(2026, 1, 4, 12, 30, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_a_date_in_iso_8601_becomes_a_time_in_utc(tmp_path: Path, seen_at: str, expected: datetime) -> None:
    [photo] = read(tmp_path, f"account,photo,seen_at\na,1.jpg,{seen_at}\n")
    assert isinstance(photo, NewPhoto)
    assert photo.seen_at == expected
    assert photo.seen_at.tzinfo is UTC


@pytest.mark.parametrize(
    "seen_at", ["04/01/2026", "17674848", "2026-13-01", "soon", "0001-01-01T00:00:00+01:00", "10000-01-01", "٢٠٢٦"]
)
def test_any_other_date_is_a_bad_line(tmp_path: Path, seen_at: str) -> None:
    bad, _ = read(tmp_path, f"account,photo,seen_at\na,1.jpg,{seen_at}\nb,1.jpg,\n")
    assert isinstance(bad, Skipped)
    assert (bad.reason, bad.account, bad.photo) == (SkipReason.BAD_LINE, "a", "1.jpg")
    assert "seen_at" in bad.detail


@pytest.mark.parametrize(
    ("column", "value"), [("name", "x" * 1001), ("photo_id", "x" * 1001), ("photo_id", "a\x07"), ("photo_id", "\t")]
)
def test_a_name_or_id_that_cannot_be_kept_is_a_bad_line(tmp_path: Path, column: str, value: str) -> None:
    bad, good = read(tmp_path, f"account,photo,{column}\na,1.jpg,{value}\nb,1.jpg,x\n")
    assert isinstance(bad, Skipped)
    assert column in bad.detail
    assert isinstance(good, NewPhoto)


@pytest.mark.parametrize("url", ["http://x/1.jpg", "HTTPS://x/1.jpg", "s3://b/1.jpg", "file:///x", "data:image/png;x"])
def test_a_url_is_refused_where_nothing_may_be_fetched(tmp_path: Path, url: str) -> None:
    [refused] = read(tmp_path, f"account,photo\na,{url}\n")
    assert isinstance(refused, Skipped)
    assert (refused.reason, refused.account) == (SkipReason.REFUSED, "a")
    assert "URLs" in refused.detail


def test_a_quoted_field_may_run_over_lines_and_lines_are_counted_in_the_file(tmp_path: Path) -> None:
    found = read_rows(tmp_path, 'a,1.jpg,"one\r\ntwo ""quoted""\n\nfour"\nb,1.jpg,\n')
    assert [(one.account, one.line) for one in found] == [("a", 2), ("b", 6)]
    assert isinstance(found[0], NewPhoto)
    assert found[0].attributes == {"bio": 'one\r\ntwo "quoted"\n\nfour'}


@pytest.mark.parametrize("tail", ["", 'y,1.jpg,"quoted"\n', 'y,"1.jpg",\n'])
def test_a_quote_that_is_never_closed_costs_its_own_line_only(tmp_path: Path, tail: str) -> None:
    plain = "".join(f"p{index},1.jpg,\n" for index in range(3000))
    found = read_rows(tmp_path, f'a,1.jpg,\nbad,"1.jpg,\n{plain}{tail}')
    assert told(found) == ["a", 3, *(f"p{index}" for index in range(3000)), *(["y"] if tail else [])]


def test_a_quote_that_closes_too_far_away_costs_its_own_line_only(tmp_path: Path) -> None:
    plain = "".join(f"p{index},{'x' * 100}.jpg,\n" for index in range(20_000))
    found = read_rows(tmp_path, f'bad,"1.jpg,\n{plain}last,1.jpg,"\n')
    assert len(found) == 20_002
    assert [one.line for one in found if isinstance(one, Skipped)] == [2, 20_003]


def test_an_open_quote_before_an_endless_line_is_given_up_there(tmp_path: Path) -> None:
    assert told(read_rows(tmp_path, f'bad,"1.jpg,\na,1.jpg,\n{"x" * 2 * MIB}\nb,1.jpg,\n')) == [2, "a", 4, "b"]


def test_a_record_over_several_lines_with_too_many_fields_gives_its_lines_back(tmp_path: Path) -> None:
    found = read_rows(tmp_path, 'bad,"1.jpg,\na,1.jpg,\nb,1.jpg,",x,y,z\nc,1.jpg,\n')
    assert told(found) == [2, "a", 4, "c"]
    assert isinstance(found[0], Skipped)
    assert "closes on line 4" in found[0].detail


@pytest.mark.slow
@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("account,photo", 'a",b,"'),
        ("account;photo", 'a";b;"'),
        ("account\tphoto", 'a"\tb\t"'),
        ("account,photo,bio", '"'),
        ("account,photo,bio", '"","'),
        ("account,photo,bio", ',"",x,"'),
        ("account,photo,bio", 'a,1.jpg,"' + "x" * 500),
    ],
)
def test_quotes_that_never_pair_up_take_a_time_that_grows_with_the_file_and_not_with_its_square(
    tmp_path: Path, header: str, line: str
) -> None:
    lines = max(400_000 // (len(line) + 1), 20_000)
    before = time.process_time()
    found = read(tmp_path, f"{header}\n" + f"{line}\n" * lines)
    assert time.process_time() - before < 15  # the square would take minutes
    assert len(found) > lines // 3
    assert all(isinstance(one, Skipped) for one in found[:100])


def test_good_rows_between_quotes_that_never_pair_up_are_read(tmp_path: Path) -> None:
    bad = 'a",b,"\n' * 300
    found = read(tmp_path, "account,photo,bio\n" + "".join(f"{bad}g{n},1.jpg,\n" for n in range(100)))
    assert {one.account for one in found if isinstance(one, NewPhoto)} >= {f"g{n}" for n in range(90)}


def test_long_bios_stay_whole_where_some_quotes_do_not_pair_up(tmp_path: Path) -> None:
    bio = "\n".join(f"line {n} of a bio" for n in range(2000))
    good = "".join(f'g{n},1.jpg,"{bio}"\n' for n in range(40))
    found = read_rows(tmp_path, good + 'bad,"1.jpg,\n' * 3 + good)
    assert [one.account for one in found if isinstance(one, NewPhoto)].count("g7") >= 1
    assert [one.attributes["bio"] for one in found if isinstance(one, NewPhoto)][:40] == [bio] * 40


def test_forty_thousand_columns_take_no_square(tmp_path: Path) -> None:
    columns = ",".join(f"c{n}" for n in range(40_000))
    before = time.process_time()
    [photo] = read(tmp_path, f"account,photo,{columns}\na,1.jpg{',' * 40_000}\n")
    assert time.process_time() - before < 5
    assert photo.account == "a"


@pytest.mark.parametrize("poison", [b"\xff", b"\0"])
def test_a_bad_bio_cannot_smuggle_in_a_line_that_looks_like_a_row(tmp_path: Path, poison: bytes) -> None:
    found = read_rows(tmp_path, b'a,1.jpg,"' + poison + b'\nvictim,stolen.jpg,\n"\nb,1.jpg,\n')
    assert told(found) == [2, "b"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "empty.*account and photo"),
        ("\ufeff", "empty"),
        ("\n\naccount,photo\n", "empty"),
        ("user,image\na,b\n", "missing: account, photo; found: user, image"),
        ("account,picture\n", "missing: photo"),
        ("account photo\n", "missing"),
        ('"account,photo\n', "missing"),
        ("account,photo,bio,bio\n", "more than once: bio"),
        ("account,photo,photo\n", "more than once: photo"),
        ("account,photo\ra,1.jpg\r", "CR alone"),
        ("account,photo".encode("utf-16-le"), "UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0", "UTF-8"),
        (b"account,photo,\0\n", "NUL"),
        (b"x" * 2 * MIB, "1 MiB"),
    ],
)
def test_what_is_no_manifest_is_an_error_that_names_the_file(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    with pytest.raises(SourceError, match=rf"m\.csv.*{sentence}"):
        read(tmp_path, text)


def test_a_header_alone_is_a_manifest_of_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "account,photo\n") == []


def test_a_manifest_is_read_line_by_line_and_closed_when_left_early(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("account,photo\n" + "a,1.jpg\n" * 1000)
    lines: Iterator[NewPhoto | Skipped] = iter(open_source(path))
    next(lines)
    del lines
    gc.collect()  # an open file would warn here, and a warning is an error


def test_a_manifest_that_went_away_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("account,photo\na,1.jpg\n")
    source = open_source(path)
    path.unlink()
    with pytest.raises(SourceError, match=r"m\.csv cannot be read"):
        list(source)


# -- what spreadsheets write ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
def test_a_first_line_that_names_the_separator_is_none_of_the_manifest(tmp_path: Path, first: str) -> None:
    [photo, bad] = read(tmp_path, f'{first}\r\naccount;photo;bio\r\na;1.jpg;"x, y"\r\nb\r\n')
    assert isinstance(photo, NewPhoto)
    assert (photo.account, photo.line, photo.attributes) == ("a", 3, {"bio": "x, y"})
    assert bad.line == 4


@pytest.mark.parametrize("text", ["sep=|\naccount|photo\n", "sep=;\naccount,photo\n", "sep=;\n", "sep=;"])
def test_a_separator_that_is_not_read_or_not_there_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceError, match=r"m\.csv"):
        read(tmp_path, text)


def test_columns_may_have_capitals_and_blanks(tmp_path: Path) -> None:
    [photo] = read(tmp_path, 'Account, "PHOTO", Seen_At ,Bio\na,1.jpg,2026-01-04,x\n')
    assert isinstance(photo, NewPhoto)
    assert (photo.account, photo.seen_at, photo.attributes) == ("a", datetime(2026, 1, 4, tzinfo=UTC), {"Bio": "x"})


def test_a_column_in_two_spellings_comes_more_than_once(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="more than once: account"):
        read(tmp_path, "account,Account,photo\na,b,1.jpg\n")


@pytest.mark.parametrize(
    ("header", "question"),
    [
        ("user,photo", r"found: user, photo; did you mean account by user\?"),
        ("User ID,image_path", r"did you mean account by User ID and photo by image_path\?"),
        ("account,file", r"did you mean photo by file\?"),
        ("account,what", "found: account, what$"),
    ],
)
def test_columns_by_other_names_are_asked_about_and_not_taken(tmp_path: Path, header: str, question: str) -> None:
    with pytest.raises(SourceError, match=question):
        read(tmp_path, f"{header}\na,1.jpg\n")


@pytest.mark.parametrize("line", ["a, 1.jpg, x, p1", " a ,1.jpg,x ,p1 ", 'a, "1.jpg", "x", "p1"', 'a,1.jpg," x ",p1 '])
def test_blanks_round_fields_are_no_part_of_them(tmp_path: Path, line: str) -> None:
    [photo] = read(tmp_path, f"account,photo,bio,photo_id\n{line}\n")
    assert isinstance(photo, NewPhoto)
    assert (photo.account.strip(), photo.path, photo.photo_id) == ("a", tmp_path / "1.jpg", "p1")
    assert photo.attributes == {"bio": "x"}


@pytest.mark.parametrize("name", [" 1.jpg", "1.jpg ", "a\\1.jpg"])
def test_a_file_that_is_called_so_is_meant(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    [photo] = read(tmp_path, f"account,photo\na,{name}\n")
    assert isinstance(photo, NewPhoto)
    assert (photo.path, photo.label) == (tmp_path / name, name)


@pytest.mark.parametrize("written", ["a\\1.jpg", ".\\a\\1.jpg", "a\\b\\..\\1.jpg", "a\\1.jpg "])
@pytest.mark.parametrize("there", [True, False])
def test_a_path_as_windows_writes_it_is_one_of_this_system_and_has_one_id(
    tmp_path: Path, written: str, *, there: bool
) -> None:
    (tmp_path / "a").mkdir()
    if there:
        (tmp_path / "a" / "1.jpg").touch()
    [photo] = read(tmp_path, f"account,photo\nu,{written}\n")
    assert isinstance(photo, NewPhoto)
    assert photo.path == tmp_path / "a" / "1.jpg"
    assert photo.photo_id == derived_photo_id("u", str(tmp_path / "a" / "1.jpg"))


def test_a_path_with_backslashes_cannot_leave_the_root(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "m.csv").write_text("account,photo\na,..\\secret.jpg\n")
    (tmp_path / "secret.jpg").touch()
    [refused] = open_source(tmp_path / "in" / "m.csv", root=tmp_path / "in")
    assert isinstance(refused, Skipped)
    assert refused.reason is SkipReason.REFUSED


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str, delimiter: str) -> None:
    text = f"account{delimiter}photo\r\nJosé{delimiter}1.jpg\r\n🙂{delimiter}2.jpg" + f"\r\nz{delimiter}3.jpg" * 50_000
    found = told(read(tmp_path, text.encode(encoding)))
    assert found == ["José", "🙂", *["z"] * 50_000]


def test_big_endian_text_is_read_and_what_is_broken_in_it_costs_its_line(tmp_path: Path) -> None:
    good, lone = "a,1.jpg\n", b"\xd8\x00"
    raw = b"\xfe\xff" + "account,photo\n".encode("utf-16-be") + lone + (good + good).encode("utf-16-be") + b"\0"
    assert told(read(tmp_path, raw)) == [2, "a", 4]


def test_text_of_windows_in_an_old_encoding_is_a_bad_line_that_says_how_to_save_it(tmp_path: Path) -> None:
    bad, good = read(tmp_path, "account,photo\nJosé,1.jpg\na,1.jpg\n".encode("cp1252"))
    assert isinstance(bad, Skipped)
    assert "CSV UTF-8" in bad.detail
    assert good.account == "a"


@pytest.mark.parametrize("cut", ["4.53182E+17", "1E+12", "1,5E+20"])
@pytest.mark.parametrize("column", ["account", "photo_id"])
def test_an_id_that_a_spreadsheet_has_cut_is_a_bad_line(tmp_path: Path, cut: str, column: str) -> None:
    row = {"account": "a", "photo_id": "p"} | {column: cut}
    bad, good = read(tmp_path, f"account;photo_id;photo\n{row['account']};{row['photo_id']};1.jpg\nE+E;xE+1;1.jpg\n")
    assert isinstance(bad, Skipped)
    assert cut in bad.detail
    assert good.account == "E+E"


def test_rows_of_empty_cells_are_blank(tmp_path: Path) -> None:
    found = read(tmp_path, 'account;photo;bio\na;1.jpg;\n;;\n ; ;\n"";"";""\n;1.jpg;\n')
    assert told(found) == ["a", 6]
