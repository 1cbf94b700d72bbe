from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from imgmatch.formats import table
from imgmatch.formats.evidence import position
from imgmatch.model import (
    Change,
    CheckResult,
    Evidence,
    Gone,
    Group,
    Hashed,
    HashedFrame,
    Kind,
    Match,
    Photo,
    Ring,
    RingAccount,
    RingsReport,
    Status,
)

DAY = datetime(2026, 1, 4, tzinfo=UTC)
LENA = Photo("a17", "a17/1.jpg", "p1", "Lena", DAY)
MIA = Photo("b2", "b2/9.jpg", "p2", None, DAY + timedelta(days=40))
EXACT = Evidence(Kind.EXACT, 1.0, 0, mirrored=False, rotation=0, overlap=1.0, agreement=1.0)
TURNED = Evidence(Kind.NEAR, 0.8906, 14, mirrored=True, rotation=270)
EVIL = "\x1b[31m\u202egpj.exe\x9b2J\x07\r\n"


def evil_photo() -> Photo:
    return Photo(EVIL, EVIL, EVIL, EVIL, DAY)


def ring(first: Photo = LENA, second: Photo = MIA) -> Ring:
    group = Group("p1", first, (first, second), (first.account, second.account), common=False)
    accounts = tuple(RingAccount(photo.account, photo.name, photo.seen_at) for photo in (first, second))
    return Ring("r1", accounts, (group,), first.account, ("Lena",), second.seen_at)


def steers(text: str) -> bool:
    return any(letter in text for letter in "\x1b\x9b\x07\r\u202e")


def test_a_match_is_a_line_under_its_photo() -> None:
    result = CheckResult("q.jpg", Status.MATCH, None, 2, matches=(Match(LENA, EXACT), Match(MIA, TURNED)))
    assert table.check_table(result, 120) == (
        "q.jpg: on 2 accounts\n"
        "  account  name  photo      first seen  kind   score  bits  made by\n"
        "  a17      Lena  a17/1.jpg  2026-01-04  exact  1.00   0     same picture\n"
        "  b2             b2/9.jpg   2026-02-13  near   0.89   14    mirrored, turned 270°\n"
    )


def test_of_a_moving_picture_the_frame_is_named_on_either_side() -> None:
    match = Match(replace(MIA, frame=3), TURNED, query_frame=2)
    text = table.check_table(CheckResult("q.gif", Status.MATCH, None, 1, matches=(match,)), 120)
    assert "b2/9.jpg (frame 3)" in text
    assert "mirrored, turned 270°, from its frame 2" in text
    assert "b2/9.jpg (frame 3)" in table.rings_table(RingsReport((ring(second=replace(MIA, frame=3)),), ()), 120)


def test_the_fingerprints_of_every_frame_are_lines_of_their_own() -> None:
    frames = (HashedFrame(3, 0.7, {"pdq": "00ff"}), HashedFrame(1, 0.3, {"pdq": "ff00"}))
    assert table.hash_lines(Hashed("q.gif", {"pdq": "00ff"}, frames=frames)) == "pdq 00ff\npdq ff00\n"


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (CheckResult("q.jpg", Status.NO_MATCH), "q.jpg: no match\n"),
        (CheckResult("q", Status.NOT_SEARCHABLE, "flat: grey"), "q: not searchable (flat: grey)\n"),
        (
            CheckResult("q", Status.UNREADABLE, "missing: there is no such file"),
            "q: unreadable (missing: there is no such file)\n",
        ),
    ],
)
def test_a_photo_without_a_match_is_one_line(result: CheckResult, line: str) -> None:
    assert table.check_table(result, 80) == line


def test_the_head_says_that_some_are_not_shown() -> None:
    result = CheckResult("q.jpg", Status.MATCH, None, 1234, truncated=True, matches=(Match(LENA, EXACT),))
    assert table.check_table(result, 100).startswith("q.jpg: on 1,234 accounts, not all shown\n")
    assert table.check_table(CheckResult("q", Status.MATCH, None, 1), 80) == "q: on 1 account\n"


@pytest.mark.parametrize(
    ("mirrored", "rotation", "words"),
    [(False, 0, "upright"), (True, 0, "mirrored"), (False, 90, "turned 90°"), (True, 180, "mirrored, turned 180°")],
)
def test_how_a_copy_was_made_is_said_in_words(rotation: int, words: str, *, mirrored: bool) -> None:
    assert table.how(Evidence(Kind.NEAR, 0.9, 3, mirrored=mirrored, rotation=rotation)) == words


def test_a_negative_is_said_to_be_one() -> None:
    negative = Evidence(Kind.NEAR, 0.9, 3, mirrored=True, rotation=0, negative=True)
    assert table.how(negative) == "negative, mirrored"
    assert position(negative) == "a negative, mirrored left to right"
    assert position(replace(negative, mirrored=False)) == "a negative, the same way up, not mirrored"


def test_rings_and_common_pictures_are_told_for_people() -> None:
    common = Group("p9", LENA, (LENA,), tuple(f"a{n}" for n in range(51)), common=True)
    assert table.rings_table(RingsReport((ring(),), (common,)), 100) == (
        "ring r1: 2 accounts, 1 shared picture, since 2026-02-13\n"
        "  account  name  since              photos\n"
        "  a17      Lena  2026-01-04  first  a17/1.jpg\n"
        "  b2             2026-02-13         b2/9.jpg\n"
        "\n"
        "common picture, ties nobody: a17/1.jpg on 51 accounts\n"
        "\n"
        "wrong ties to be expected in the whole index: 0.0 (0 to 0)\n"
    )


def test_no_rings_are_told_in_words() -> None:
    assert table.rings_table(RingsReport((), ()), 80) == "no rings\n"


def test_of_a_ring_is_told_what_is_known_of_it_and_what_has_become_of_it() -> None:
    later = Photo("c3", "c3/1.jpg", "p3", "Zoe", DAY + timedelta(days=41))
    plain = ring()
    grown = replace(
        plain,
        accounts=(*plain.accounts, RingAccount("c3", "Zoe", later.seen_at)),
        groups=(replace(plain.groups[0], photos=(LENA, MIA, later), accounts=("a17", "b2", "c3")),),
        accounts_per_day=2.5,
        bank="known-stolen",
        decision="confirm",
        changes=(Change.GROWN, Change.PICTURES, Change.MERGED),
        joined=("c3",),
        left=("d4",),
        came_from=("r2",),
        went_to=("r3", "r4"),
    )
    assert table.rings_table(RingsReport((grown,), (), expected_false=0.25, expected_false_between=(0, 2)), 100) == (
        "ring r1: 3 accounts, 1 shared picture, known-stolen, decided: confirm, since 2026-02-13, 2.5 accounts a day\n"
        "  grown; merged; other pictures; from r2; into r3, r4; left: d4\n"
        "  account  name  since               photos\n"
        "  a17      Lena  2026-01-04  first   a17/1.jpg\n"
        "  b2             2026-02-13          b2/9.jpg\n"
        "  c3       Zoe   2026-02-14  joined  c3/1.jpg\n"
        "\n"
        "wrong ties to be expected in the whole index: 0.2 (0 to 2)\n"
    )


def test_who_was_not_there_before_is_no_news_where_there_was_no_report() -> None:
    text = table.rings_table(RingsReport((replace(ring(), joined=("a17", "b2")),), ()), 100)
    assert "joined" not in text


def test_accounts_that_look_alike_are_marked_and_a_ring_of_them_alone_says_so() -> None:
    alike = ring(LENA, replace(MIA, account="A17"))
    text = table.rings_table(RingsReport((alike,), ()), 120)
    assert "1 shared picture, all look alike: may be one account, since" in text
    assert text.count("lookalike") == 2
    more = replace(alike, accounts=(*alike.accounts, replace(alike.accounts[0], account="c3")))
    text = table.rings_table(RingsReport((more,), ()), 120)
    assert "may be one account" not in text
    assert text.count("lookalike") == 2


def test_rings_that_are_gone_are_told_with_their_accounts() -> None:
    text = table.rings_table(RingsReport((), (), gone=(Gone("r9", ("a", EVIL)),)), 100)
    assert text.startswith("no rings\n\nring r9 is gone: a, ")
    assert not steers(text)


def test_a_record_is_a_field_a_line() -> None:
    record = {"photos": 3, "hashers": ["phash", "pdq"], "reason": None, "match": True}
    assert table.fields_table(record, 80) == "photos   3\nhashers  phash, pdq\nreason\nmatch    True\n"


def test_fingerprints_are_lines_other_tools_read() -> None:
    assert table.hash_lines(Hashed("a.jpg", {"pdq": "0f" * 32, "phash": "f0" * 32})) == (
        f"pdq {'0f' * 32}\nphash {'f0' * 32}\n"
    )
    assert table.hash_lines(Hashed("a.jpg", {}, reason="flat: grey")) == ""


def test_lists_and_nested_fields_of_a_record_stand_on_one_line() -> None:
    record = {"numbers": [4, 7], "found": {"left.tmp": {"ids": 2, "names": 1}}, "none": {}, "searched": {"ids": 3}}
    assert table.fields_table(record, 80) == (
        "numbers   4, 7\nfound     left.tmp (ids 2, names 1)\nnone\nsearched  ids 3\n"
    )


def test_a_day_is_that_of_utc() -> None:
    assert table.day(datetime(2026, 1, 4, 1, tzinfo=timezone(timedelta(hours=5)))) == "2026-01-03"


def test_nothing_a_stranger_wrote_steers_the_terminal() -> None:
    photo = evil_photo()
    checked = CheckResult(EVIL, Status.MATCH, None, 1, matches=(Match(photo, TURNED),))
    common = Group("p9", photo, (photo,), ("a",), common=True)
    for text in (
        table.check_table(checked, 200),
        table.check_table(CheckResult(EVIL, Status.UNREADABLE, EVIL), 200),
        table.rings_table(RingsReport((ring(photo),), (common,)), 200),
        table.fields_table({"account": EVIL}, 200),
    ):
        assert not steers(text)
        assert "gpj.exe" in text


def test_markup_and_emoji_codes_in_a_name_are_printed_as_they_are() -> None:
    assert "[red]:smile:[/red]" in table.grid(["name"], [["[red]:smile:[/red]"]], 80)


@given(
    st.lists(st.lists(st.text(st.characters(), max_size=40), min_size=2, max_size=2), max_size=4), st.integers(8, 60)
)
def test_no_line_of_a_table_is_wider_than_asked_for(rows: list[list[str]], width: int) -> None:
    text = table.grid(["one", "two"], rows, width)
    assert all(cell_len(line) <= width for line in text.splitlines())
    text.encode()
