from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pages
import pytest

from imgmatch.formats.evidence import facts, percent
from imgmatch.formats.html import Shown, ShownCheck, check_page, compare_page
from imgmatch.model import CheckResult, Evidence, Kind, Photo, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}\x1b\u202e&amp;"
VOID = {"meta", "link", "input", "img", "br", "hr", "base"}
LOADING = {"src", "href", "xlink:href", "action", "srcset", "poster", "data", "background", "formaction", "style"}


class Page(HTMLParser):
    """The tags of a page with their attributes, and the text in each; it fails on tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.read = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]][-1] += data
        if self.open[-1:] not in (["style"], ["script"]):
            self.read += data

    def all(self, tag: str, **having: str) -> list[dict[str, str]]:
        return [found for name, found in self.tags if name == tag and having.items() <= found.items()]


def check_text(*checks: ShownCheck) -> str:
    return "".join(check_page(checks, at=pages.NOW))


def compare_text(evidence: Evidence = pages.PARTIAL, *, query: Shown | None = None, name: str = "q.jpg") -> str:
    shown = query or pages.crop()
    return compare_page(name, "stored.jpg", evidence, True, shown, pages.stored(), at=pages.NOW)  # noqa: FBT003


def words(text: str) -> str:
    """What stands on the page, as a reader sees it."""
    return " ".join(Page(text).read.replace("\N{NO-BREAK SPACE}", " ").split())


def evil_check() -> ShownCheck:
    owner = Photo(EVIL, EVIL, EVIL, EVIL, pages.NOW, EVIL)
    noted = replace(pages.stored(), note=EVIL)
    return pages.check(
        EVIL, replace(pages.crop(), note=EVIL), (owner, pages.PARTIAL, noted), (owner, pages.NEAR, noted)
    )


def evil_pages() -> list[str]:
    unreadable = ShownCheck(CheckResult(EVIL, Status.UNREADABLE, EVIL), replace(pages.GONE, note=EVIL), ())
    return [
        check_text(evil_check()),
        check_text(evil_check(), unreadable),
        "".join(check_page([evil_check()], at=pages.NOW, checked=EVIL)),
        compare_text(name=EVIL),
    ]


def test_a_page_is_one_whole_document() -> None:
    for text in (check_text(), check_text(pages.three_matches()), compare_text()):
        assert text.startswith('<!doctype html>\n<html lang="en">')
        page = Page(text)
        ids = [found["id"] for _, found in page.tags if "id" in found]
        assert len(ids) == len(set(ids))
        referred = [found[name] for _, found in page.tags for name in ("for", "aria-labelledby") if name in found]
        assert set(referred) <= set(ids)
        assert {found["href"][1:] for found in page.all("use")} <= set(ids)


@pytest.mark.parametrize("text", [check_text(pages.three_matches(), pages.three_matches("r.jpg")), compare_text()])
def test_nothing_is_loaded_from_elsewhere(text: str) -> None:
    page = Page(text)
    for tag, found in page.tags:
        for name in LOADING & found.keys():
            assert found[name].startswith(("#", "data:image/jpeg;base64,", "data:,")), (tag, found[name][:40])
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", re.sub(r"base64,[^\"]*", "", text))


@pytest.mark.parametrize("text", [check_text(pages.three_matches()), *evil_pages()])
def test_the_policy_lets_in_this_style_and_this_script_only(text: str) -> None:
    page = Page(text)
    [policy] = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    rules = dict(rule.strip().split(" ", 1) for rule in policy["content"].split(";"))
    assert (rules["default-src"], rules["img-src"]) == ("'none'", "data:")
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        [text] = page.texts[tag]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert not any(name.startswith("on") or name == "style" for _, found in page.tags for name in found)


def test_a_stranger_adds_no_tag_and_no_attribute() -> None:
    harmless = Photo("a", "a/1", "i", "n", pages.NOW, "bank")
    plain = pages.check(
        "q",
        replace(pages.crop(), note="note"),
        (harmless, pages.PARTIAL, replace(pages.stored(), note="note")),
        (harmless, pages.NEAR, replace(pages.stored(), note="note")),
    )
    evil, good = Page(check_text(evil_check())), Page(check_text(plain))
    assert [(tag, list(found)) for tag, found in evil.tags] == [(tag, list(found)) for tag, found in good.tags]


@pytest.mark.parametrize("text", evil_pages())
def test_what_a_stranger_wrote_is_shown_as_it_is_and_steers_nothing(text: str) -> None:
    assert "<script>alert" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "<img src=x onerror=alert(1)>{{ 7 * 7 }}\ufffd\ufffd&amp;" in words(text)
    assert len(Page(text).all("script")) == 1
    text.encode()


def test_a_file_name_that_is_no_text_can_be_written() -> None:
    check_text(pages.check("q\udcff.jpg", pages.crop(), (pages.photo("a\udc80"), pages.NEAR, pages.stored()))).encode()


def test_every_picture_is_in_the_document_once() -> None:
    both = [pages.three_matches(), pages.three_matches("r.jpg"), pages.check("alone.jpg", pages.crop())]
    images = [found["href"] for found in Page(check_text(*both)).all("image")]
    wanted = {pages.crop().jpeg, pages.stored().jpeg, pages.other().jpeg}
    assert [base64.b64decode(href.partition(",")[2]) in wanted for href in images] == [True] * 3
    assert len(set(images)) == 3


def test_a_symbol_stands_before_its_first_use() -> None:
    page = Page(check_text(pages.three_matches(), pages.three_matches("r.jpg")))
    known: set[str] = set()
    for tag, found in page.tags:
        if tag == "symbol":
            known.add(found["id"])
        if tag == "use":
            assert found["href"][1:] in known


def test_a_mirrored_crop_is_laid_where_it_was_cut_out() -> None:
    [moved] = [found["transform"] for found in Page(compare_text()).all("g") if "transform" in found]
    numbers = [float(number) for number in moved.removeprefix("matrix(").removesuffix(")").split()]
    scale = pages.SIDE / pages.CROP
    assert numbers == pytest.approx([-scale, 0, 0, scale, pages.LEFT + pages.SIDE, pages.TOP], abs=1e-4)


def test_a_negative_is_inverted_back_where_it_is_laid_over_the_other() -> None:
    negative = compare_text(replace(pages.PARTIAL, negative=True))
    assert [found.get("class") for found in Page(negative).all("g") if "transform" in found] == ["inverted"]
    assert "a negative, mirrored left to right" in words(negative)
    assert "inverted" not in [found.get("class") for found in Page(compare_text()).all("g")]


def test_the_shared_part_is_outlined_on_both_and_clips_what_is_laid_over() -> None:
    page = Page(compare_text())
    [clip] = page.all("clippath")
    assert [found.get("clip-path") for found in page.all("g") if "clip-path" in found] == [f"url(#{clip['id']})"]
    query, stored = (found["points"] for found in page.all("polygon", **{"class": "line"}))
    assert query == "120.00,0.00 0.00,0.00 0.00,120.00 120.00,120.00"
    assert stored == "40.00,20.00 220.00,20.00 220.00,200.00 40.00,200.00"
    assert [found["points"] for found in page.all("polygon") if "class" not in found] == [stored]


@pytest.mark.parametrize(
    ("evidence", "query", "said"),
    [
        (pages.NEAR, pages.crop(), "The pictures were not aligned"),
        (replace(pages.PARTIAL, outline_query=((0.0, 0.0),) * 4), pages.crop(), "The pictures were not aligned"),
        (pages.PARTIAL, pages.GONE, "A picture is missing"),
    ],
)
def test_pictures_that_cannot_be_aligned_stand_side_by_side_and_it_is_said(
    evidence: Evidence, query: Shown, said: str
) -> None:
    text = compare_text(evidence, query=query)
    assert said in words(text)
    assert not Page(text).all("clippath")
    assert len(Page(text).all("figure")) == 2


def test_the_same_pixels_lie_on_each_other_as_they_are() -> None:
    same = Evidence(Kind.EXACT, 1.0, 0, mirrored=False, rotation=0)
    [moved] = [
        found["transform"] for found in Page(compare_text(same, query=pages.stored())).all("g") if "transform" in found
    ]
    assert [round(float(number), 6) for number in moved[7:-1].split()] == [1, 0, 0, 1, 0, 0]
    assert not Page(compare_text(replace(same, rotation=90))).all("clippath")


def test_a_match_tells_what_there_is_to_know_in_plain_words() -> None:
    text = words(check_text(pages.three_matches()))
    for said in (
        "On 3 accounts",
        "Checked 2026-03-01 14:02 UTC with imgmatch",
        "Lena",
        "a17/1.jpg",
        "2026-02-20 14:02 UTC",
        "earliest shown here",
        "A part of one is found in the other",
        "mirrored left to right",
        "too far apart to tell",
        "28 of 256 bits",
        "turned 90° clockwise",
        "62 % of the stored photo is in this one",
        "94 % of the shared part looks alike",
        "99 %",
        "the file is gone",
        "this is the stored thumbnail",
        "imgmatch compares photos, never people. The account that had the photo first may be the victim.",
    ):
        assert said in text


def test_only_the_earliest_of_several_accounts_is_marked() -> None:
    assert check_text(pages.three_matches()).count("earliest shown here") == 1
    alone = pages.check("q", pages.crop(), (pages.photo("a"), pages.NEAR, pages.stored()))
    assert "earliest" not in words(check_text(alone))


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (CheckResult("q", Status.NO_MATCH), "On no account in the index"),
        (CheckResult("q", Status.NOT_SEARCHABLE, "flat: grey"), "Could not be searched: flat: grey"),
        (CheckResult("q", Status.UNREADABLE, "missing: no file"), "Could not be read: missing: no file"),
        (CheckResult("q", Status.MATCH, None, 1234, truncated=True), "On 1,234 accounts; not all are shown"),
        (CheckResult("q", Status.MATCH, None, 1), "On 1 account"),
    ],
)
def test_the_verdict_on_a_photo_is_said(result: CheckResult, said: str) -> None:
    assert said in words(check_text(ShownCheck(result, pages.GONE, ())))


def test_several_photos_get_a_list_of_contents_and_one_does_not() -> None:
    page = Page(check_text(pages.three_matches(), pages.check("r.jpg", pages.crop())))
    assert [found["href"] for found in page.all("a")] == ["#c1", "#c2"]
    assert not Page(check_text(pages.three_matches())).all("nav")
    assert Page(check_text(pages.three_matches())).texts["h1"] == ["q.jpg"]
    assert Page("".join(check_page([], at=pages.NOW, checked="folder x"))).texts["h1"] == ["folder x"]


def test_checks_are_read_as_the_pieces_are_taken() -> None:
    taken = []

    def checks() -> Iterator[ShownCheck]:
        for number in range(30):
            taken.append(number)
            yield pages.three_matches(f"{number}.jpg")

    page = check_page(checks(), at=pages.NOW)
    next(page)
    assert len(taken) < 5
    assert "".join(page).endswith("</html>")
    assert len(taken) == 30


def test_the_same_checks_at_the_same_time_give_the_same_page() -> None:
    assert check_text(pages.three_matches()) == check_text(pages.three_matches())
    elsewhere = pages.NOW.astimezone(timezone(timedelta(hours=5)))
    assert "".join(check_page([pages.three_matches()], at=elsewhere)) == check_text(pages.three_matches())
    today = datetime.now(UTC).date()
    found = re.search(r'datetime="(\d{4}-\d\d-\d\d)T', "".join(check_page([])))
    assert found is not None
    assert abs(datetime.fromisoformat(found[1]).date() - today) <= timedelta(days=1)


def test_a_share_is_whole_only_where_it_is() -> None:
    shares = (0.0, 0.001, 0.01, 0.29, 0.57, 0.999, 1.0)
    assert [percent(share).replace("\N{NO-BREAK SPACE}", "") for share in shares] == [
        "0%", "<1%", "1%", "29%", "57%", "99%", "100%",
    ]  # fmt: skip


def test_what_was_not_measured_is_not_told() -> None:
    assert [term for term, _ in facts(pages.NEAR)] == ["This photo is", "Distance"]
    assert "score" in words(compare_text(replace(pages.NEAR, kind=Kind.RELATED)))


def test_help_does_not_load_jinja2() -> None:
    code = "import sys, imgmatch.cli.main, imgmatch.formats.table; print('jinja2' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
