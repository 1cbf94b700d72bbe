from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import ring_reports as reports
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.actions import reports as action
from imgmatch.actions.reports import UnreadableReportError
from imgmatch.cli.rings import _text as written_by_rings
from imgmatch.formats import reported
from imgmatch.formats.records import RING_COLUMNS
from imgmatch.formats.reported import Shows, as_cells, reader
from imgmatch.formats.ring_shown import MOST_CARRIERS
from imgmatch.model import Gone, ReportSearch, RingsReport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FORMS = ("html", "json", "jsonl", "csv")
HOSTILE = (
    "plain",
    "a,b;c\td",
    "two\nlines\r\nand a third",
    "\"quoted\" 'twice'",
    "</script><script>alert(1)</script><!--",
    '<script type="application/json" id="reported">{"imgmatch":"rings","accounts":[],"photos":[]}</script>',
    "=HYPERLINK(1)",
    " +1",
    "'=1",
    "\x00\x1b[31m\x7f\x9b",
    "\u202ereversed\u2066 and \u2028 apart",
    "Léna 日本 \U0001f600",
    "\udcff",
    "\\n\\u0041\\",
    "\ufeff",
    " ",
)
RINGS = RingsReport((reports.large(), reports.fast(), reports.decided()), ())
PHOTOS = {photo.photo_id for ring in RINGS.rings for group in ring.groups for photo in group.photos}
ACCOUNTS = {member.account for ring in RINGS.rings for member in ring.accounts}


def shown_by(path: Path) -> Shows | None:
    shows = action.shown_by(path, reader)
    assert shows is None or isinstance(shows, Shows)
    return shows


def look_through(paths: list[Path], accounts: list[str], photos: list[str]) -> ReportSearch:
    return action.search_reports(paths, accounts, photos, reader)


def written(report: RingsReport, form: str) -> bytes:
    """A report as ``imgmatch rings`` writes it, in UTF-8."""
    text = reports.page(report, {}) if form == "html" else written_by_rings(report, form, new=True)
    return text.encode()


def hostile(names: tuple[str, ...] = HOSTILE) -> RingsReport:
    """One ring of accounts with these names, whose photos have them as well."""
    members = [
        (replace(reports.photo("x", day=day), account=name, photo_id="p" + name, photo=name, name=name), reports.EXACT)
        for day, name in enumerate(names)
    ]
    return RingsReport((reports.ring("r1", reports.group(*members)),), ())


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_every_format_is_read_back_to_exactly_the_accounts_and_photos_in_it(tmp_path: Path, form: str) -> None:
    shows = shown_by(put(tmp_path / "report", written(RINGS, form)))  # known without its suffix
    left = set() if form == "csv" else {"old1"}  # a sheet has a line a photo, and who left has none
    assert shows == Shows(frozenset(ACCOUNTS | left), frozenset(PHOTOS), cells=form == "csv")


@pytest.mark.parametrize("form", ["json", "jsonl", "html"])
def test_rings_that_are_gone_show_the_accounts_they_had(tmp_path: Path, form: str) -> None:
    gone = RingsReport((), (), (Gone("rgone", ("gone1", "gone2")),))
    assert shown_by(put(tmp_path / "report", written(gone, form))) == Shows(frozenset({"gone1", "gone2"}), frozenset())


def test_a_page_shows_the_medoid_of_a_common_picture_and_those_accounts_that_are_listed(tmp_path: Path) -> None:
    many = reports.group(
        *((reports.photo(f"a{number:03d}", day=number), reports.EXACT) for number in range(MOST_CARRIERS + 9)),
        medoid=MOST_CARRIERS + 3,
        common=True,
    )
    shows = shown_by(put(tmp_path / "report", written(RingsReport((), (many,)), "html")))
    assert shows is not None
    # The first photo is the group's id, which the command to decide on it names.
    assert shows.photos == {"a000-1", f"a{MOST_CARRIERS + 3:03d}-1"}
    listed = {f"a{number:03d}" for number in range(MOST_CARRIERS)}
    assert shows.accounts == listed | {f"a{MOST_CARRIERS + 3:03d}"}


def test_a_known_picture_whose_photo_is_gone_has_no_name_to_be_found(tmp_path: Path) -> None:
    tied = replace(reports.decided().groups[0], medoid=replace(reports.photo("x"), account="", photo_id=""))
    report = RingsReport((reports.ring("r1", tied),), ())
    for form in FORMS:
        shows = shown_by(put(tmp_path / "report", written(report, form)))
        assert shows is not None
        assert shows.accounts == {"done1", "done2"}, form
        assert shows.photos == {"done1-1", "done2-1"}, form


@pytest.mark.parametrize("form", FORMS)
def test_a_hostile_name_is_found_again_wherever_it_is_and_nowhere_else(tmp_path: Path, form: str) -> None:
    whole = put(tmp_path / "whole", written(hostile(), form))
    for name in HOSTILE:
        rest = put(tmp_path / "rest", written(hostile(tuple(one for one in HOSTILE if one != name)), form))
        assert look_through([whole, rest], [name], []).showing == (whole,), name
        assert look_through([whole, rest], [], ["p" + name]).showing == (whole,), name


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@given(
    names=st.lists(
        st.text(st.characters(codec=None), min_size=1) | st.sampled_from(HOSTILE), min_size=2, max_size=4, unique=True
    )
)
def test_any_names_are_read_back(tmp_path_factory: pytest.TempPathFactory, form: str, names: list[str]) -> None:
    shows = shown_by(put(tmp_path_factory.getbasetemp() / f"any-{form}", written(hostile(tuple(names)), form)))
    assert shows is not None
    photos = ["p" + name for name in names]
    wanted = (as_cells(frozenset(names)), as_cells(frozenset(photos))) if form == "csv" else (set(names), set(photos))
    assert (shows.accounts, shows.photos) == wanted


def test_a_name_in_a_sheet_is_what_the_sheet_makes_of_it() -> None:
    assert as_cells(frozenset({"=1", "a\nb", 'x"y', "p,q"})) == {"'=1", "a\ufffdb", 'x"y', "p,q"}
    assert as_cells(frozenset({"a" * 200_000, "b"})) == {"b"}  # longer than what a sheet can be read with


def test_a_page_says_what_it_shows_once(tmp_path: Path) -> None:
    page = written(hostile(), "html")
    assert page.count(reported.PAGE_DATA.encode()) == 1
    twice = shown_by(put(tmp_path / "both.html", page + written(RINGS, "html")))  # two pages in one file
    assert twice is not None
    assert twice.accounts == {*HOSTILE, *ACCOUNTS, "old1"}


def test_no_rings_are_a_report_that_shows_nothing(tmp_path: Path) -> None:
    for form in ("html", "json", "csv"):
        shows = shown_by(put(tmp_path / f"none.{form}", written(RingsReport((), ()), form)))
        assert shows is not None
        assert not shows.accounts | shows.photos, form


def test_a_report_that_another_program_has_laid_out_anew_is_read_all_the_same(tmp_path: Path) -> None:
    rings = json.loads(written(RINGS, "json"))
    for text in (json.dumps(rings), json.dumps(rings, indent=1, sort_keys=True), "\n".join(map(json.dumps, rings))):
        shows = shown_by(put(tmp_path / "r.json", "\ufeff \r\n" + text + "\n\n"))
        assert shows is not None
        assert shows.photos == PHOTOS
    sheet = written(RINGS, "csv").decode().replace("\n", "\r\n")
    shows = shown_by(put(tmp_path / "r.csv", "\ufeff" + sheet + "\r\n"))
    assert shows is not None
    assert shows.photos == PHOTOS


FOREIGN: dict[str, str | bytes] = {
    "scan.json": '{\n  "added": 3,\n  "seconds": 0.4\n}\n',
    "numbers.json": "[1, 2, 3]",
    "word.json": '"ring"',
    "log.jsonl": '{"time": "now"}\n{"ring": "r1", "accounts": [], "groups": []}\n',
    "skipped.csv": "photo,reason\na.jpg,flat\n",
    "manifest.csv": "account,photo,photo_id\na,a.jpg,p1\n",
    "other.html": "<!doctype html><html><title>Rings</title></html>",
    "part.html": "<p>nothing</p>",
    "empty.json": "",
    "blank.jsonl": " \n",
    "picture.jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "broken.txt": '[{"not": ',
    "notes.txt": "ring, account: photo_id\n",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_of_something_else_is_passed_over_without_a_word(tmp_path: Path, name: str) -> None:
    path = put(tmp_path / name, FOREIGN[name])
    assert shown_by(path) is None
    assert look_through([tmp_path], ["a"], ["p1"]) == ReportSearch(0, (), ())


def deep(text: str, by: int = 200_000) -> str:
    return text % ("[" * by + "]" * by)


def saying(data: str) -> str:
    """A page with these data."""
    return f"<!doctype html>\n<title>Rings · imgmatch</title>{reported.PAGE_DATA}{data}</script></html>"


BROKEN: dict[str, Callable[[], str | bytes]] = {
    "bytes.html": lambda: b"\xff\xfe\x00",
    "bytes.csv": lambda: "ring,group,account,photo_id".encode("utf-16"),
    "words.json": lambda: "no data",
    "torn.json": lambda: written(RINGS, "json")[:-400],
    "unclosed.json": lambda: written(RINGS, "json").rstrip()[:-1],
    "twice.json": lambda: written(RINGS, "json") * 2,
    "torn.jsonl": lambda: written(RINGS, "jsonl")[:-9],
    "mixed.jsonl": lambda: written(RINGS, "jsonl") + b'{"added": 1}\n',
    "torn.csv": lambda: written(RINGS, "csv")[:-30],
    "wide.csv": lambda: written(RINGS, "csv") + b"x" * 200_000,
    "quote.csv": lambda: written(RINGS, "csv") + b'"',
    "torn.html": lambda: written(RINGS, "html")[: written(RINGS, "html").index(b'"reported"') + 60],
    "early.html": lambda: written(RINGS, "html")[:20_000],
    "deep.json": lambda: deep('[{"ring": "r1", "accounts": %s, "groups": []}]'),
    "deep.jsonl": lambda: deep("%s"),
    "deep.html": lambda: deep(saying("%s")),
    "list.html": lambda: saying("[]"),
    "kind.html": lambda: saying('{"imgmatch": "x", "accounts": [], "photos": []}'),
    "digits.json": lambda: "[" + "9" * 10_000 + "]",
    "names.json": lambda: '[{"ring": "r1", "accounts": [{"account": 7}], "groups": []}]',
    "strings.json": lambda: '[{"ring": "r1", "accounts": ["x"], "groups": []}]',
    "groups.json": lambda: '[{"ring": "r1", "accounts": [], "groups": [{"photos": 3}]}]',
    "left.json": lambda: '[{"ring": "r1", "accounts": [], "groups": [], "left": 3}]',
    "null.json": lambda: '[{"ring": "r1", "accounts": [], "groups": [], "left": [null]}]',
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_that_looks_like_a_report_is_named_and_hides_no_other(tmp_path: Path, name: str) -> None:
    path = put(tmp_path / name, BROKEN[name]())
    with pytest.raises(UnreadableReportError):
        shown_by(path)
    good = put(tmp_path / "zz" / "good.html", written(RINGS, "html"))
    looked = look_through([tmp_path], ["many03"], [])
    assert (looked.read, looked.showing, [one for one, _ in looked.unclear]) == (1, (good,), [path])


def test_a_report_that_breaks_off_is_named_whatever_its_suffix(tmp_path: Path) -> None:
    for form in ("json", "jsonl", "csv", "html"):
        with pytest.raises(UnreadableReportError):
            shown_by(put(tmp_path / "report.txt", written(RINGS, form)[:-200].split(reported.PAGE_DATA.encode())[0]))


def test_a_page_that_does_not_say_what_it_shows_is_not_taken_for_one_that_shows_nothing(tmp_path: Path) -> None:
    page = written(RINGS, "html")
    start = page.index(reported.PAGE_DATA.encode())
    older = page[:start] + page[page.index(b"</script>", start) + len(b"</script>\n") :]
    with pytest.raises(UnreadableReportError, match="does not say"):
        shown_by(put(tmp_path / "older", older))


def test_what_is_too_large_is_named_if_it_begins_like_a_report_and_is_not_read(tmp_path: Path) -> None:
    for name, form in (("a.csv", "csv"), ("b", "html"), ("c.json", "json"), ("d", "jsonl")):
        path = put(tmp_path / name, written(RINGS, form))
        os.truncate(path, action.MOST_BYTES + 1)
        with pytest.raises(UnreadableReportError, match="larger than 200 MB"):
            shown_by(path)
    manifest = put(tmp_path / "accounts.csv", "account,photo\na,b\n")
    os.truncate(manifest, action.MOST_BYTES + 1)
    assert shown_by(manifest) is None


def test_every_file_is_looked_at_once_and_all_folders_below(tmp_path: Path) -> None:
    first = put(tmp_path / "a" / "b" / "c" / "1.html", written(RINGS, "html"))
    second = put(tmp_path / "2.jsonl", written(RINGS, "jsonl"))
    put(tmp_path / "a" / "other.json", written(hostile(), "json"))
    looked = look_through([tmp_path, tmp_path / "a", first], [], ["fast1-1"])
    assert looked == ReportSearch(3, (second, first), ())


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    put(tmp_path / "elsewhere" / "old.html", written(RINGS, "html"))
    return tmp_path / "elsewhere"


def test_links_are_not_followed_and_those_that_lead_out_to_a_report_are_named(tmp_path: Path, elsewhere: Path) -> None:
    home = tmp_path / "reports"
    page = put(home / "1.html", written(RINGS, "html"))
    put(elsewhere / "photo.jpg", b"")
    links: dict[str, Path | str] = {
        "latest.html": page,
        "loop.html": "loop.html",
        "up": home,
        "nothing.html": "gone.html",
        "photo": elsewhere / "photo.jpg",
        "page": elsewhere / "old.html",
        "archive": elsewhere,
    }
    for name, target in links.items():
        (home / name).symlink_to(target)
    looked = look_through([home], ["many03"], [])
    assert (looked.read, looked.showing) == (1, (page,))
    assert [path.name for path, _ in looked.unclear] == ["archive", "page"]
    assert look_through([home, elsewhere], ["many03"], []) == ReportSearch(2, (page, elsewhere / "old.html"), ())
    assert look_through([home / "latest.html"], ["many03"], []).showing == (home / "latest.html",)  # asked for


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_that_is_called_like_a_report_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.html")
    assert shown_by(tmp_path / "pipe.html") is None
    assert look_through([tmp_path], ["a"], []) == ReportSearch(0, (), ())


def test_a_file_that_is_gone_or_no_file_is_told_as_one_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableReportError, match="No such file"):
        shown_by(tmp_path / "gone.html")
    assert shown_by(tmp_path / "gone.txt") is None


@given(
    st.binary(max_size=300)
    | st.builds(lambda cut, form: written(RINGS, form)[:cut], st.integers(0, 9_000), st.sampled_from(FORMS)),
    st.sampled_from(["x", *sorted(action.SUFFIXES)]),
)
def test_whatever_a_file_holds_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str
) -> None:
    path = put(tmp_path_factory.getbasetemp() / f"any{suffix}", content)
    looked = look_through([path], ["a"], ["p"])
    assert looked.showing == ()
    assert looked.read + len(looked.unclear) <= 1


def test_the_columns_a_sheet_is_known_by_are_among_those_that_rings_writes() -> None:
    assert set(RING_COLUMNS) >= reported._COLUMNS  # noqa: SLF001
