from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from typing import TYPE_CHECKING

import photos
import pytest
import ring_reports as reports
from PIL import Image
from test_format_html import EVIL, LOADING, Page

from imgmatch.formats.ring_page import Shown, rings_page, script_json
from imgmatch.formats.ring_shown import MOST_CARRIERS, commands, laid
from imgmatch.formats.ring_spread import HEIGHT, MOST_DOTS, WIDTH, spread
from imgmatch.model import Evidence, Group, Kind, Photo, Ring, RingAccount, RingsReport

if TYPE_CHECKING:
    from pathlib import Path

    from imgmatch.formats.ring_shown import Pictures


def words(text: str) -> str:
    """What stands on the page, as a reader sees it."""
    return " ".join(Page(text).read.replace("\N{NO-BREAK SPACE}", " ").split())


def evil_report(text: str) -> RingsReport:
    """A report in which every text comes from a stranger."""
    here = Photo(text, text, text, text, reports.NOW)
    there = replace(here, account=text + "2", photo_id=text + "2")
    tied = Group(text, here, (here, there), (text, text + "2"), False, (reports.EXACT, reports.MIRRORED), bank=text)  # noqa: FBT003
    accounts = (RingAccount(text, text, reports.NOW), RingAccount(text + "2", text, reports.NOW))
    ring = Ring(text, accounts, (tied, tied), text, (text,), reports.NOW, decision=text, bank=text, left=(text,))
    return replace(reports.report(), rings=(ring, ring), common=(replace(tied, common=True),))


def evil_page(text: str = EVIL) -> str:
    known: Pictures = {one: replace(reports.shown(reports.drawn(1)), note=text) for one in (text, text + "2")}
    return reports.page(evil_report(text), known, index=text)


def test_a_page_is_one_whole_document_whose_ids_are_its_own() -> None:
    for text in (reports.page(), reports.page(RingsReport((), ()))):
        assert text.startswith('<!doctype html>\n<html lang="en">')
        assert text.endswith("</html>")
        page = Page(text)
        ids = [found["id"] for _, found in page.tags if "id" in found]
        assert len(ids) == len(set(ids))
        referred = {found["aria-labelledby"] for _, found in page.tags if "aria-labelledby" in found}
        shown = {found["data-p"] for _, found in page.tags if "data-p" in found}
        assert referred | shown <= set(ids)


@pytest.mark.parametrize("text", [reports.page(), evil_page()])
def test_nothing_is_loaded_from_elsewhere(text: str) -> None:
    for tag, found in Page(text).tags:
        for name in LOADING & found.keys():
            assert found[name].startswith(("#", "data:,")), (tag, found[name][:40])
    assert not re.search(r"""https?:(?!//www\.w3\.org/2000/svg")|@import|url\(""", text.replace(EVIL, ""))


@pytest.mark.parametrize("text", [reports.page(), evil_page()])
def test_the_policy_lets_in_this_style_and_this_script_only(text: str) -> None:
    page = Page(text)
    [policy] = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    rules = dict(rule.strip().split(" ", 1) for rule in policy["content"].split(";"))
    assert (rules["default-src"], rules["img-src"]) == ("'none'", "data:")
    kinds = [found.get("type") for found in page.all("script")]
    assert kinds.count(None) == 1
    assert set(kinds) == {None, "text/plain", "application/json"}
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        digest = base64.b64encode(hashlib.sha256(page.texts[tag][-1].encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert not any(name.startswith("on") or name == "style" for _, found in page.tags for name in found)


def test_a_stranger_adds_no_tag_and_no_attribute() -> None:
    evil, good = Page(evil_page(EVIL.replace("\x1b\u202e", ""))), Page(evil_page("plain"))
    assert [(tag, list(found)) for tag, found in evil.tags] == [(tag, list(found)) for tag, found in good.tags]


def test_what_a_stranger_wrote_is_shown_as_it_is_and_steers_nothing() -> None:
    text = evil_page()
    assert "<script>alert" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "<img src=x onerror=alert(1)>{{ 7 * 7 }}\ufffd\ufffd&amp;" in words(text)
    evil_page("q\udcff").encode()


def test_data_for_the_script_cannot_end_it() -> None:
    value = {"a": "</script><!--<script>&\u2028\udcff"}
    text = script_json(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value


def known(text: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(Page(text).texts["script"][-2])
    return found


def test_the_script_knows_of_each_ring_what_it_is_found_and_sorted_by() -> None:
    [large, fast, done] = known(reports.page())
    assert (large["size"], large["strength"], large["speed"], large["changes"]) == (12, 2, 0.5, ["grown"])
    assert large["text"] == "\n".join(dict.fromkeys(str(large["text"]).split("\n")))
    assert {"rlarge", "many03", "many03-2", "many03/2.jpg", "Léna Ibáñez"} <= set(str(large["text"]).split("\n"))
    assert (fast["changes"], done["changes"]) == (["new"], ["none"])
    assert (fast["decided"], done["decided"]) == (False, True)
    assert int(str(large["newest"])) < int(str(fast["newest"])) < int(str(done["newest"]))


def test_every_picture_is_in_the_document_once_before_it_is_shown() -> None:
    page = Page(reports.page())
    kept = [found["id"] for found in page.all("script", type="text/plain")]
    data = [base64.b64decode(text) for text in page.texts["script"][: len(kept)]]
    assert len(set(data)) == len(data) == 10
    assert set(data) == {shown.jpeg for shown in reports.pictures().values()} - {None}
    stored: set[str] = set()
    for tag, found in page.tags:
        if tag == "script" and "id" in found:
            stored.add(found["id"])
        if tag == "img":
            assert found["data-p"] in stored


def test_the_head_tells_when_and_how_much_and_how_sure() -> None:
    text = words(reports.page())
    for said in (
        "Made 2026-03-01 07:30 UTC with imgmatch",
        "compared with the report of 2026-02-28 07:30 UTC",
        "3 rings 17 accounts 4 shared pictures 23 photos 1 new 1 grown 1 gone",
        "Wrong ties to be expected, as the scores go: 0.4.",
        "1 common picture ties nobody.",
        "3 large photos could not be read again: parts of them were not looked for.",
        "imgmatch compares photos, never people. The account that had a photo first may be the victim.",
    ):
        assert said in text


def test_a_first_report_says_that_there_was_none_and_one_without_rings_that_there_is_none() -> None:
    text = words(reports.page(RingsReport((), ())))
    assert "there is no earlier report to compare with" in text
    assert "No ring." in text
    assert "0 rings" in text
    assert "common picture" not in text
    assert "none that has changed" in words(reports.page(RingsReport((), (), since=reports.NOW)))


def test_a_ring_tells_its_accounts_who_was_first_who_joined_and_what_was_said() -> None:
    text = words(reports.page())
    for said in (
        "12 accounts, 2 shared pictures rlarge grown",
        "many00 first",
        "many11 joined",
        "2 more accounts",
        "Léna Ibáñez",
        "2025-11-21",
        "Accounts a day 0.5",
        "Joined since many10, many11",
        "Left since old1",
        "3 accounts, 1 shared picture rfast new",
        "rdone known stolen decided: confirm",
    ):
        assert said in text
    assert "fast2 joined" not in text  # of a new ring all have


def test_a_ring_of_accounts_that_look_alike_says_so_on_its_page() -> None:
    one, other = reports.photo("u1", day=0), reports.photo("U1", day=1)
    alike = reports.ring("r", reports.group((one, reports.EXACT), (other, reports.EXACT)))
    text = words(reports.page(RingsReport((alike,), ())))
    assert "all look alike: may be one account" in text
    assert "u1 first lookalike" in text
    assert "U1 lookalike" in text


def test_a_copy_tells_how_it_was_made_and_the_reference_is_marked() -> None:
    text = words(reports.page())
    for said in (
        "many01 2025-11-22 Whole picture, 98 %, mirrored many01/2.jpg",
        "many02 2025-11-23 Whole picture, 97 %, turned 90° many02/2.jpg",
        "many04 2025-11-25 Part of the picture, 91 %, mirrored, turned 10°, shows 40% of it many04/2.jpg",
        "many01 2025-11-22 Same picture, 100 % many01/1.jpg",
        "many00 Léna Ibáñez 2025-11-21 first reference many00/2.jpg",
        "the file is gone",
    ):
        assert said in text
    assert len([found for found in Page(reports.page()).all("button") if "reference" in found.get("class", "")]) == 5


def test_a_picture_that_ties_nobody_is_shown_once_and_apart() -> None:
    text = words(reports.page())
    assert "Common pictures" in text
    assert "30 accounts 2025-11-21 to 2025-12-20, 29 days common0/1.jpg this is the stored thumbnail" in text
    assert "common7/1.jpg" not in text


def common_page(*groups: Group) -> str:
    return words(reports.page(RingsReport((), groups)))


def test_a_picture_that_ties_nobody_lists_each_account_once_as_it_first_showed_it() -> None:
    again = reports.group(
        (reports.photo("early", name="Léna"), reports.EXACT),
        (reports.photo("late", day=30), reports.EXACT),
        (reports.photo("early", 2, name="Anna", day=31), reports.EXACT),
        common=True,
    )
    assert "2 accounts 2025-11-21 to 2025-12-22, 31 days" in common_page(again)
    assert "List the accounts AccountNameFirst seen early Léna 2025-11-21 late 2025-12-21 Decide" in common_page(again)


def test_of_very_many_accounts_with_a_common_picture_the_first_are_listed_and_the_rest_counted() -> None:
    many = MOST_CARRIERS + 1234
    text = common_page(
        reports.group(*((reports.photo(f"a{n:04d}", day=n), reports.EXACT) for n in range(many)), common=True)
    )
    assert "1,284 accounts 2025-11-21 to 2029-05-27, 1,283 days" in text
    assert "List the first 50 accounts" in text
    assert "a0049 2026-01-09 and 1,234 more" in text
    assert "a0050" not in text


def test_a_common_picture_on_one_account_for_one_day_is_told_in_the_singular() -> None:
    text = common_page(reports.group((reports.photo("lone"), reports.EXACT), common=True))
    assert "1 account 2025-11-21 lone/1.jpg List the account Account" in text
    assert not re.search(r"and [\d,]+ more", text)


def test_rings_that_are_gone_are_named() -> None:
    assert "rgone gone1, gone2" in words(reports.page())


def test_a_known_picture_that_no_photo_shows_is_the_reference_without_being_a_photo() -> None:
    apart = Photo("", "bank picture", "nowhere", None, reports.NOW, "known-stolen")
    tied = replace(reports.fast().groups[0], medoid=apart)
    ring = replace(reports.fast(), groups=(tied,))
    text = reports.page(RingsReport((ring,), ()), {**reports.pictures(), "nowhere": reports.shown(reports.drawn(9))})
    assert "known picture reference" in words(text)
    reports.page(RingsReport((ring,), ()), {})


def corner(matrix: tuple[float, ...], x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


@pytest.mark.parametrize(
    ("evidence", "size", "place"),
    [
        (reports.EXACT, (100, 200), (0, 0)),
        (reports.MIRRORED, (100, 200), (100, 0)),
        (reports.TURNED, (200, 100), (200, 0)),
        (reports.BOTH, (200, 100), (200, 100)),
        (replace(reports.TURNED, rotation=180), (100, 200), (100, 200)),
        (replace(reports.TURNED, rotation=270), (200, 100), (0, 100)),
    ],
)
def test_a_copy_of_the_whole_lies_on_its_reference_corner_on_corner(
    evidence: Evidence, size: tuple[int, int], place: tuple[int, int]
) -> None:
    matrix = laid(evidence, Shown(b"x", *size), Shown(b"x", 100, 200))
    assert matrix is not None
    assert corner(matrix, *place) == pytest.approx((0, 0), abs=1e-6)
    opposite = size[0] - place[0], size[1] - place[1]
    assert corner(matrix, *opposite) == pytest.approx((100, 200), abs=1e-6)


def test_a_part_is_laid_where_outlines_tell_and_nowhere_else() -> None:
    here, there = Shown(b"x", 50, 50), Shown(b"x", 100, 100)
    square = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    middle = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
    outlined = replace(reports.PART, outline_query=square, outline_stored=middle)
    assert laid(outlined, here, there) == pytest.approx((1, 0, 0, 1, 25, 25), abs=1e-6)
    assert laid(reports.PART, here, there) is None
    assert laid(replace(reports.TURNED, rotation=30), here, there) is None
    assert laid(reports.EXACT, here, Shown(None, 0, 0)) is None
    assert laid(Evidence(Kind.RELATED, 0.5, None, mirrored=False, rotation=0), here, there) is None


def test_commands_to_decide_are_for_a_shell_as_they_stand() -> None:
    assert commands("ring", "r1", None)[1] == "imgmatch decide dismiss --ring r1 --by NAME"
    [line, *_] = commands("group", "x; rm -rf ~ 'y'", "my index")
    assert shlex.split(line) == [
        "imgmatch", "decide", "confirm", "--group", "x; rm -rf ~ 'y'", "--by", "NAME", "--index", "my index",
    ]  # fmt: skip
    assert shlex.split(commands("group", "--by", None)[0])[3] == "--group=--by"


@pytest.mark.parametrize("subject", ["a\nb", "a\u202eb", "a\udcffb"])
def test_an_id_that_would_steer_a_terminal_gets_no_command(subject: str) -> None:
    assert commands("group", subject, None) == ()
    assert commands("ring", "r1", subject) == ()


def test_a_ring_of_one_picture_is_decided_on_as_a_whole() -> None:
    text = words(reports.page())
    assert "imgmatch decide common --ring rfast --by NAME" in text
    assert "--group fast1-1" not in text
    assert "imgmatch decide confirm --group many00-2 --by NAME" in text
    assert "--by NAME --index /srv/index" in words(reports.page(index="/srv/index"))


def test_the_stair_of_accounts_rises_from_the_first_to_the_last() -> None:
    times = [reports.NOW + timedelta(days=day) for day in (0, 5, 10)]
    drawn = spread(times)
    assert drawn.dots == (("4", "36"), ("120", "20"), ("236", "4"))
    assert drawn.path == "M4 52H4V36H120V20H236V4"
    assert (drawn.start, drawn.end) == (times[0], times[-1])
    assert spread([reports.NOW] * 2).dots == (("120", "28"), ("120", "4"))
    many = spread([reports.NOW + timedelta(hours=hour) for hour in range(MOST_DOTS + 1)])
    assert many.dots == ()
    assert all(0 <= float(x) <= WIDTH for x in re.findall(r"H([\d.]+)", many.path))
    assert all(0 <= float(y) <= HEIGHT for y in re.findall(r"V([\d.]+)", many.path))


def test_the_same_report_at_the_same_time_gives_the_same_bytes() -> None:
    elsewhere = reports.NOW.astimezone(timezone(timedelta(hours=5)))
    shuffled = dict(reversed(reports.pictures().items()))
    assert "".join(rings_page(reports.report(), shuffled, at=elsewhere)) == reports.page()
    found = re.search(r'datetime="(\d{4}-\d\d-\d\d)T', "".join(rings_page(reports.report(), {})))
    assert found is not None
    assert abs(datetime.fromisoformat(found[1]).date() - datetime.now(UTC).date()) <= timedelta(days=1)


def test_a_page_comes_in_pieces() -> None:
    many = replace(reports.report(), rings=(reports.large(),) * 30)
    assert len(list(rings_page(many, reports.pictures(), at=reports.NOW))) > 2


@pytest.mark.slow
def test_the_command_writes_a_page_with_the_pictures_as_they_are_now(tmp_path: Path) -> None:
    image = photos.picture(1)
    for account, quality in (("a", 95), ("b", 70), ("c", 50)):
        (tmp_path / "photos" / account).mkdir(parents=True)
        (tmp_path / "photos" / account / "1.jpg").write_bytes(photos.jpeg(image, quality))
    imgmatch = (sys.executable, "-m", "imgmatch")
    subprocess.run([*imgmatch, "scan", "photos"], cwd=tmp_path, capture_output=True, check=True)
    (tmp_path / "photos" / "c" / "1.jpg").unlink()
    asked = [*imgmatch, "rings", "--new", "--format", "html", "--out", "rings.html"]
    run = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("", "")
    text = (tmp_path / "rings.html").read_text(encoding="utf-8")
    assert "3 accounts, 1 shared picture" in words(text)
    assert "the file cannot be read; this is the stored thumbnail" in words(text)
    page = Page(text)
    kept = [base64.b64decode(data) for data in page.texts["script"][: len(page.all("script", type="text/plain"))]]
    assert len(kept) == 3
    assert all(max(Image.open(BytesIO(jpeg)).size) <= 320 for jpeg in kept)
    assert "--index" not in words(text)


def test_help_does_not_load_what_only_the_page_needs() -> None:
    code = "import sys, imgmatch.cli.main, imgmatch.cli.rings; print('jinja2' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
