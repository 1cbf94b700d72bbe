from __future__ import annotations

import pytest
from hash_lists import bad, good, hashes, others, read, reasons

from imgmatch.model import ListedHash

ONE, TWO, THREE = hashes(3)
CODE = bytes.fromhex(ONE)


def test_bare_hashes_stand_one_a_line_among_blank_lines_and_comments() -> None:
    assert read(f"# a list\n\n  {ONE} \t\n\r\n{TWO}", "hashes") == [ListedHash(CODE), ListedHash(bytes.fromhex(TWO))]


def test_upper_case_is_the_same_hash() -> None:
    assert good(read(ONE.upper() + "\n")) == [ONE]


@pytest.mark.parametrize(
    "line",
    [
        ONE[:-1],
        ONE + "0",
        ONE[:-1] + "g",
        ONE[:32] + " " + ONE[33:],
        ONE[:20] + "  " + ONE[22:],
        "\N{FULLWIDTH DIGIT ONE}" * 64,
        ONE[:-1] + "\0",
        ONE + "\r" + TWO,
        "x" * 100_000,
    ],
    ids=["short", "long", "letter", "blank", "blanks", "other digits", "NUL", "CR alone", "very long"],
)
@pytest.mark.parametrize("form", ["hashes", "tx", "mih", "pdq-hasher"])
def test_a_line_that_is_no_hash_is_named_with_its_number_and_its_start_alone(form: str, line: str) -> None:
    found = read(f"{ONE}\n{line}\n{TWO}\n", form)
    assert good(found) == [ONE, TWO]
    assert bad(found) == [2]
    assert len(reasons(found)[0]) < 200


def test_lines_of_threatexchange_name_their_kind_and_other_kinds_are_counted_and_left() -> None:
    others_of = "video_md5 d41d8cd98f00b204e9800998ecf8427e\nraw_text come in pdq\nhouse_hash 17\n"
    text = f"pdq {ONE}\nPDQ\t{TWO}\n{others_of}{THREE}\n"
    found = read(text, "tx")
    assert good(found) == [ONE, TWO, THREE]
    assert others(found) == [3, 4, 5]


@pytest.mark.parametrize("line", ["pdq", "pdq 12", f"pdq {ONE} {TWO}", "!! 12", f"{ONE[:20]} {ONE[20:]}", "ROTATE90"])
def test_a_broken_line_of_threatexchange_is_bad_and_of_no_other_kind(line: str) -> None:
    found = read(f"pdq {ONE}\n{line}\n", "tx")
    assert (good(found), bad(found), others(found)) == ([ONE], [2], [])


def test_a_signal_alone_is_of_the_kind_that_the_options_say() -> None:
    found = read(f"{ONE}\npdq {TWO}\n", "tx", default_type="photodna")
    assert (good(found), others(found)) == ([TWO], [1])
    assert others(read(ONE, "hashes", default_type="sha256")) == [1]
    assert others(read(ONE, "mih", default_type="sha256")) == [1]


def test_orientations_that_follow_the_original_say_nothing_more() -> None:
    text = f"ORIGINAL pdq {ONE}\nROTATE90 pdq {TWO}\nFLIPX pdq {THREE}\nORIGINAL pdq {TWO}\nROTATE90 pdq {ONE}\n"
    assert good(read(text)) == [ONE, TWO]


def test_orientations_without_an_original_before_them_are_entries() -> None:
    text = f"ROTATE90 pdq {TWO}\nFLIPX pdq {THREE}\npdq {ONE}\nROTATE180 pdq {ONE}\n"
    assert good(read(text)) == [TWO, THREE, ONE, ONE]
    again = f"ORIGINAL pdq {ONE}\nROTATE90 pdq {TWO}\nROTATE90 pdq {THREE}\n"
    assert good(read(again)) == [ONE, THREE]


def test_an_orientation_that_is_no_hash_is_named() -> None:
    assert bad(read(f"ORIGINAL pdq {ONE}\nROTATE90 pdq 12\nROTATE180\n", "tx")) == [2, 3]


def test_pdq_photo_hasher_gives_quality_and_file_whatever_the_quality() -> None:
    assert read(f"{ONE},100,a, b.jpg\n{ONE},0,\n{ONE}, 49 \n", "pdq-hasher") == [
        ListedHash(CODE, quality=100, uri="a, b.jpg"),
        ListedHash(CODE, quality=0),
        ListedHash(CODE, quality=49),
    ]


@pytest.mark.parametrize("quality", ["101", "-1", "many", "", "50.5", "\N{ARABIC-INDIC DIGIT FIVE}"])
def test_a_quality_that_is_none_makes_a_bad_line(quality: str) -> None:
    assert bad(read(f"{ONE},{quality},a.jpg\n", "pdq-hasher")) == [1]


def test_lines_of_the_pdq_tools_have_a_word_in_front_or_none_and_a_note_or_none() -> None:
    assert read(f"hash={ONE},norm=1,b\n{ONE}, a b \n{ONE}\nhash={ONE},\n", "mih") == [
        ListedHash(CODE, note="norm=1,b"),
        ListedHash(CODE, note="a b"),
        ListedHash(CODE),
        ListedHash(CODE),
    ]


def test_a_note_is_kept_up_to_a_length_and_the_hash_with_it() -> None:
    (entry,) = read(f"{ONE},{'n' * 5_000}\n", "mih")
    assert isinstance(entry, ListedHash)
    assert entry.note == "n" * 1_000
