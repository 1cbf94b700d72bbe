from __future__ import annotations

import pytest
from hash_lists import bad, good, hashes, others, read, reasons

from imgmatch.errors import SourceError, UnknownNameError
from imgmatch.exchange.lists import WithdrawnRef
from imgmatch.model import ListedHash

ONE, TWO, THREE = hashes(3)
CODE = bytes.fromhex(ONE)


def test_chosen_columns_become_the_fields_of_an_entry() -> None:
    text = f'Id;Hash;Labels;Kind;Seen\n7;{ONE};"a b,c";pdq;2026-01-31T12:00:00Z\n8;{TWO};;md5;\n'
    columns = {"pdq": "hash", "ref": "Id", "tags": "Labels", "type": "Kind", "modified": "Seen"}
    found = read(text, columns=columns)
    assert found[0] == ListedHash(CODE, ref="7", tags=("a", "b", "c"), modified=1_769_860_800)
    assert others(found) == [3]


def test_columns_that_are_not_chosen_are_not_read() -> None:
    assert read(f"Hash,ref,note\n{ONE},7,text\n", columns={"pdq": "Hash"}) == [ListedHash(CODE)]


def test_without_a_choice_columns_go_by_the_names_of_the_fields() -> None:
    text = (
        "PDQ,Ref,withdrawn,modified,category,tags,note,uri,quality,opinions\n"
        f'{ONE},r1,yes,1700000000,c,"[""a b"",""c""]",n,u,77,"[[""who"",""what""]]"\n'
    )
    assert read(text) == [
        ListedHash(CODE, "r1", True, 1_700_000_000, "c", ("a b", "c"), "n", "u", 77, (("who", "what"),))  # noqa: FBT003
    ]


def test_a_withdrawn_line_without_a_hash_withdraws_what_goes_by_its_id() -> None:
    text = "pdq,ref,withdrawn,modified\n,r1,true,5\n,r2,false,\n,,true,\n"
    found = read(text)
    assert found[0] == WithdrawnRef("r1", 5)
    assert bad(found) == [3, 4]


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("quality", "101"),
        ("withdrawn", "perhaps"),
        ("modified", "yesterday"),
        ("opinions", "[1]"),
        ("ref", "r" * 1_001),
    ],
)
def test_a_cell_that_cannot_be_understood_makes_a_bad_line(column: str, cell: str) -> None:
    found = read(f"pdq,{column}\n{ONE},{cell}\n{TWO},\n")
    assert (good(found), bad(found)) == ([TWO], [2])
    assert len(reasons(found)[0]) < 200


def test_a_record_over_several_lines_is_named_by_its_first_and_a_lone_quote_costs_one_line() -> None:
    text = f'pdq,note\n{ONE},"two\nlines"\nxx,"three\n\nlines"\n{TWO},"open\n{THREE},closed\n'
    found = read(text)
    assert found[0] == ListedHash(CODE, note="two\nlines")
    assert bad(found) == [4, 7]
    assert good(found) == [ONE, THREE]


def test_empty_rows_are_passed_over_and_rows_of_another_width_named() -> None:
    found = read(f"pdq,note\n\n,\n  ,\n{ONE},a,b\n{TWO},a\n")
    assert (good(found), bad(found)) == ([TWO], [5])


def test_a_choice_that_does_not_fit_is_told_at_once() -> None:
    with pytest.raises(SourceError, match="no column Hush; found: hash, id"):
        read(f"Hash,Id\n{ONE},7\n", columns={"pdq": "Hush"})
    with pytest.raises(UnknownNameError, match="no field hash"):
        read(f"Hash,Id\n{ONE},7\n", columns={"hash": "Hash"})
    with pytest.raises(SourceError, match="more than once: hash"):
        read(f"Hash,hash\n{ONE},{TWO}\n", columns={"pdq": "Hash"})
    with pytest.raises(SourceError, match="CR alone"):
        read(f"pdq\r{ONE}\r", "csv")
    with pytest.raises(SourceError, match="empty"):
        read("", "csv")


def test_the_csv_of_threatexchange_has_category_and_tags() -> None:
    text = (
        "signal_type,signal_str,collab,category,tags\n"
        f"pdq,{ONE},Sample,POSITIVE_CLASS,a b\nvideo_md5,d41d8cd98f00b204e9800998ecf8427e,Sample,POSITIVE_CLASS,\n"
        f",{TWO},Sample,,\n"
    )
    found = read(text)
    assert found[0] == ListedHash(CODE, category="POSITIVE_CLASS", tags=("a", "b"))
    assert (good(found), others(found)) == ([ONE, TWO], [3])


def test_a_spreadsheet_may_say_what_separates() -> None:
    assert read(f"sep=;\r\npdq;note\r\n{ONE};a,b\r\n") == [ListedHash(CODE, note="a,b")]
