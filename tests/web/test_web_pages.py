from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from serving import Served, picture, served

from imgmatch.model import Verdict
from imgmatch.web.pages.base import static_url

if TYPE_CHECKING:
    from pathlib import Path

HTML = {"Accept": "text/html"}
PAGES = ("/", "/rings", "/rings?state=all&order=fastest&search=a&change=new", "/decisions",
         "/decisions?by=ana", "/figures", "/account?id=anna", "/account?id=lone", "/nothing")  # fmt: skip


def keep(server: Served, *photos: bytes, account: str = "") -> str:
    with server.client() as http:
        sent = [("photo", (f"{place}.jpg", data)) for place, data in enumerate(photos)]
        return str(http.post("/checks", files=sent, data={"account": account}).json()["url"])


def page(server: Served, path: str) -> str:
    with server.client() as http:
        return http.get(path, headers=HTML).text


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_script_or_style_of_its_own_and_asks_nobody_else(reading: Served, path: str) -> None:
    text = page(reading, path)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script>|javascript:|https?://", text)
    assert text.count("<h1") == 1
    assert '<html lang="en">' in text


def test_scripts_and_styles_may_be_kept_for_they_change_their_names(reading: Served) -> None:
    with reading.client() as http:
        found = http.get(static_url("app.js"))
        old = http.get("/static/000000000000/app.js")
        out = http.get("/static/../../pyproject.toml")
    assert (found.status_code, found.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
    assert (old.status_code, out.status_code) == (404, 404)


def test_all_scripts_and_styles_together_are_small() -> None:
    from pathlib import Path  # noqa: PLC0415 -- likewise

    import imgmatch.web  # noqa: PLC0415 -- for its folder alone

    folder = Path(imgmatch.web.__file__).parent / "static"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 60_000


def test_a_check_has_a_link_that_others_can_open(reading: Served) -> None:
    url = keep(reading, picture(1, 50, mirrored=True))
    text = page(reading, url)
    assert "On 4 accounts" in text
    assert re.findall(r'<h3><a href="/account\?id=(\w+)">', text) == ["lena", "mia", "kate", "anna"]
    assert "mirrored" in text
    assert "earliest here" in text
    with reading.client() as http:
        shown = http.get(f"{url}/picture/0?side=99")
        other = http.get(f"{url}/picture/1")
    assert (shown.status_code, shown.headers["content-type"], other.status_code) == (200, "image/jpeg", 404)


def test_several_photos_have_one_answer_for_each_account(reading: Served) -> None:
    text = page(reading, keep(reading, picture(1, 55), picture(2, 55), picture(8, 55)))
    assert "2 of 3 photos" in text
    assert "On no account" in text


def test_the_profile_that_is_left_out_is_not_found(reading: Served) -> None:
    text = page(reading, keep(reading, picture(3, 60), account=" tom "))
    assert "On 1 account<" in text.replace("</h2>", "<")
    assert "without tom" in text


@pytest.mark.parametrize(
    ("data", "said"), [(b"no photo", "Could not be read: not a picture"), (picture(8, 80), "On no account")]
)
def test_no_match_and_no_photo_are_answers_too(reading: Served, data: bytes, said: str) -> None:
    assert said in page(reading, keep(reading, data))


def test_a_form_without_a_file_is_refused_and_so_is_an_empty_one(reading: Served) -> None:
    with reading.client() as http:
        answers = [
            http.post("/checks", data={"account": "x"}),
            http.post("/checks", files={"photo": ("", b"")}),
            http.post("/checks"),
        ]
    assert {answer.status_code for answer in answers} == {422}


def test_a_check_is_gone_after_its_hours(world: Path) -> None:
    with served(world, upload_hours=1e-7) as server:
        url = keep(server, picture(1))
        with server.client() as http:
            answer = http.get(url)
        assert (answer.status_code, answer.json()["detail"][:18]) == (404, "this check is gone")
        keep(server, picture(1))
        assert len(list((world.parent / "uploads").iterdir())) == 1  # the one before was swept away


def test_what_a_stranger_has_written_is_shown_as_text(reading: Served) -> None:
    text = page(reading, "/account?id=lone")
    assert "&lt;b&gt;Lone&lt;/b&gt;" in text
    assert "\u202e" not in text


def test_the_account_page_says_who_shares_what_and_when(reading: Served) -> None:
    text = page(reading, "/account?id=lena")
    assert f"/rings/{reading.ring('mia')}" in text
    assert "40 days before this account" in text.replace("\n", " ")
    assert "opened in a burst" in text
    assert "Shared with 3 accounts" in text


def test_an_account_that_is_not_there_is_an_error_page_for_a_person(reading: Served) -> None:
    with reading.client() as http:
        answer = http.get("/account?id=nobody", headers=HTML)
    assert answer.status_code == 404
    assert "has no account" in answer.text
    assert "<nav" in answer.text


def test_a_ring_shows_accounts_by_pictures_and_who_had_them_first(reading: Served) -> None:
    text = page(reading, f"/rings/{reading.ring('mia')}")
    rows = re.findall(r'<tr class="item".*?</tr>', text, re.DOTALL)
    assert [re.search(r"account\?id=(\w+)", row)[1] for row in rows] == ["mia", "lena", "anna", "kate"]  # type: ignore[index]  # it is there
    assert [row.count("data-pair") + row.count("pic reference") for row in rows] == [1, 1, 2, 2]
    assert sum(row.count("pic reference") for row in rows) == 2  # one of each picture, compared with nothing
    assert ["possible owner" in row for row in rows] == [True, False, False, False]
    assert "Mark" not in text


def test_the_next_ring_is_one_that_nobody_else_has_open(server: Served) -> None:
    with server.client() as http:
        first = http.get("/rings/next").json()["url"]
        server.index.reviews.open_review(first.removeprefix("/rings/"), "somebody else")
        second = http.get("/rings/next").json()["url"]
        held = http.post(f"{first}/review").json()
        mine = http.post(f"{second}/review").json()
        http.post(f"{second}/skip")
        third = http.get("/rings/next").json()["url"]
        http.post(f"{third}/skip")
        none = http.get("/rings/next", headers=HTML)
        assert http.post(f"{second}/leave").status_code == 204
    assert (held["mine"], held["reviewer"], mine["mine"]) == (False, "somebody else", True)
    assert len({first, second, third}) == 3
    assert (none.status_code, none.headers["location"]) == (303, "/rings?none=1")
    assert "somebody else has this ring open" in page(server, first)
    assert "somebody else has it open" in page(server, "/rings")


def test_an_export_is_what_a_platform_acts_on_and_stands_in_the_log(server: Served) -> None:
    ring = server.ring("mia")
    with server.client() as http:
        ids = http.post(f"/rings/{ring}/export")
        table = http.post(f"/rings/{ring}/export?form=csv")
        assert http.post(f"/rings/{ring}/export?form=xml").status_code == 422
        assert http.post(f"/reveals?page=ring&ring={ring}").status_code == 204
        assert http.post("/reveals?page=mia").status_code == 422
        assert http.post("/reveals?page=ring&ring=mia").status_code == 422
        decisions = http.post("/decisions/export")
    assert (ids.text, ids.headers["x-imgmatch-left-out"]) == ("lena\nanna\nkate\n", "0")  # mia may be the victim
    assert table.text.splitlines()[0].startswith("ring,changes,group")
    assert len(table.text.splitlines()) == 1 + 6
    assert decisions.text.startswith("decision,decided_at,verdict")
    assert [one.action for one in server.index.people.audit(limit=9)] == ["export", "reveal", "export", "export"]


@pytest.mark.slow
def test_an_id_that_would_be_two_lines_is_in_the_table_alone(server: Served) -> None:
    with server.client() as http:
        for account, quality in (("evil\nmia", 30), ("good", 40)):
            sent = {"photo": ("x.jpg", picture(4, quality))}
            http.put("/api/v1/photo", params={"photo_id": account}, files=sent, data={"account": account})
        server.index.rings()
        ids = http.post(f"/rings/{server.ring('joe')}/export")
        table = http.post(f"/rings/{server.ring('joe')}/export?form=csv")
    assert (ids.text.splitlines(), ids.headers["x-imgmatch-left-out"]) == (["jim", "good"], "1")
    assert "evil" in table.text


def test_the_ring_of_a_picture_is_found_whatever_it_is_called_now(server: Served) -> None:
    ring = server.ring("mia")
    groups = [group.group for group in server.index.ring(ring).groups]
    with server.client() as http:
        same = http.get("/rings/of", params={"was": ring, "group": groups}).headers["location"]
        server.index.decide(Verdict.COMMON, group=groups[0], by="ana")
        now = http.get("/rings/of", params={"was": ring, "group": groups}).headers["location"]
        server.index.decide(Verdict.COMMON, group=groups[1], by="ana")
        none = http.get("/rings/of", params={"was": ring, "group": groups}).headers["location"]
    assert (same, none) == (f"/rings/{ring}", "/rings")
    assert now.startswith("/rings/r")


def test_an_answer_names_the_rings_and_an_account_that_is_not_there(reading: Served) -> None:
    text = page(reading, keep(reading, picture(1, 55), account="nosuch"))
    assert text.count(f'/rings/{reading.ring("mia")}"') == 4
    assert "There is no account nosuch" in text


def test_an_account_page_says_how_its_photos_stand_to_each_other(server: Served) -> None:
    """And not how each stands to a third one: lena's is mirrored, as the others are against hers."""
    lena, mia = page(server, "/account?id=lena"), page(server, "/account?id=mia")
    assert lena.count("mirrored") >= 3
    assert re.findall(r"<b>[^<]*</b> ([^<]*)", mia).count("Whole picture, mirrored") == 1


@pytest.mark.slow
def test_decisions_are_listed_with_a_way_back(server: Served) -> None:
    made = server.index.decide(Verdict.CONFIRM, ring=server.ring("mia"), by="ana", reason="<script>")
    assert f'data-undo="{made.number}"' in page(server, "/decisions")
    assert "&lt;script&gt;" in page(server, "/decisions")
    server.index.undo(made.number, by="ben")
    text = page(server, "/decisions")
    assert f"undone by {made.number + 1}" in text
    assert "data-undo" not in text
    figures = page(server, "/figures?seed=7")
    assert re.search(r"ana</a></th><td[^>]*>1</td><td[^>]*>1</td>", figures)
    assert "The log of what was done is whole: 2 entries." in figures


def test_a_sample_for_a_second_look_is_the_same_for_the_same_seed(server: Served) -> None:
    for account in ("mia", "tom", "joe"):
        server.index.decide(Verdict.CONFIRM, ring=server.ring(account), by="ana")
    assert page(server, "/figures?seed=3") == page(server, "/figures?seed=3")
    assert page(server, "/figures").count("confirm ring") == 3
