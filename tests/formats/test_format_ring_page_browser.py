from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
import ring_reports as reports
from browsing import BLURRED
from PIL import Image
from test_format_html import EVIL
from test_format_ring_page import evil_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from browsing import Tabs
    from playwright.sync_api import Browser, Locator
    from playwright.sync_api import Page as Tab

    from imgmatch.model import RingsReport

    Opener = Callable[..., Tab]

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture
def opened(tabs: Tabs, tmp_path: Path) -> Iterator[Opener]:
    """Opens a page; at the end nothing may have been asked for, and nothing been complained of."""

    def open_page(text: str, *, width: int = 1280, scheme: str = "light", script: bool = True) -> Tab:
        (tmp_path / "rings.html").write_text(text, encoding="utf-8")
        return tabs.open(tmp_path / "rings.html", width=width, scheme=scheme, script=script)

    yield open_page
    assert tabs.told == []


@pytest.fixture
def tab(opened: Opener) -> Tab:
    return opened(reports.page())


def thumb(tab: Tab, account: str, number: int = 1) -> Locator:
    return tab.locator(f'.thumb[aria-label$=" photo {account}/{number}.jpg of account {account}"]')


def is_blurred(button: Locator) -> bool:
    return bool(button.locator("img").evaluate(BLURRED))


def rings_shown(tab: Tab) -> list[str]:
    return [found.strip() for found in tab.locator(".ring:visible h2 code").all_text_contents()]


def focused(tab: Tab) -> str:
    return str(tab.evaluate("(document.activeElement.ariaLabel || document.activeElement.id)"))


@pytest.mark.slow
def test_all_pictures_are_blurred_at_first_and_a_click_shows_one(tab: Tab) -> None:
    assert all(is_blurred(one) for one in tab.locator(".thumb").all())
    thumb(tab, "many01").click()
    assert not is_blurred(thumb(tab, "many01"))
    assert is_blurred(thumb(tab, "many02"))  # the same pixels on another account
    assert thumb(tab, "many01").get_attribute("aria-label") == "Compare photo many01/1.jpg of account many01"


def test_once_the_page_is_read_nothing_is_said_of_waiting(tab: Tab) -> None:
    assert not tab.locator("#waiting").is_visible()
    assert tab.get_by_role("search").is_visible()


def test_a_picture_is_loaded_from_the_page_when_it_comes_near(tab: Tab) -> None:
    assert thumb(tab, "many00").locator("img").evaluate("e => e.complete && e.naturalWidth") == reports.SIZE[0]
    assert tab.locator(".missing").inner_text() == "the file is gone"


@pytest.mark.slow
def test_b_shows_all_and_blurs_all_and_escape_blurs_too(tab: Tab) -> None:
    tab.keyboard.press("b")
    assert not any(is_blurred(one) for one in tab.locator(".thumb").all())
    tab.keyboard.press("b")
    assert all(is_blurred(one) for one in tab.locator(".thumb").all())
    tab.get_by_role("button", name="Show all pictures").click()
    assert not is_blurred(thumb(tab, "fast2"))
    tab.keyboard.press("Escape")
    assert all(is_blurred(one) for one in tab.locator(".thumb").all())


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("rfast", ["rfast"]),
        ("FAST2", ["rfast"]),
        ("lena ibanez", ["rlarge"]),
        ("done2-1", ["rdone"]),
        ("many11/1.jpg rlarge", ["rlarge"]),
        ("1.jpg", ["rlarge", "rfast", "rdone"]),
        ("first", []),
        ("rfast rdone", []),
    ],
)
def test_what_is_typed_is_found_in_accounts_names_rings_and_photos(tab: Tab, asked: str, found: list[str]) -> None:
    tab.keyboard.press("/")
    tab.keyboard.type(asked)
    assert rings_shown(tab) == found
    told = "3 rings" if len(found) == 3 else f"{len(found)} of 3 rings"
    assert tab.locator("#count").inner_text() == told
    assert tab.locator("#nothing").is_visible() == (not found)
    tab.keyboard.press("Escape")
    assert rings_shown(tab) == ["rlarge", "rfast", "rdone"]


def test_rings_are_chosen_by_change_and_by_decision(tab: Tab) -> None:
    for label, choice, found in (
        ("Change", "New (1)", ["rfast"]),
        ("Change", "Unchanged (1)", ["rdone"]),
        ("Decision", "Undecided", []),
        ("Change", "Any", ["rlarge", "rfast"]),
        ("Decision", "Decided", ["rdone"]),
    ):
        tab.get_by_label(label).select_option(choice)
        assert rings_shown(tab) == found


def test_the_order_changes_and_comes_back(tab: Tab) -> None:
    for choice, found in (
        ("Fastest", ["rfast", "rlarge", "rdone"]),
        ("Newest account", ["rdone", "rfast", "rlarge"]),
        ("Most pictures", ["rlarge", "rfast", "rdone"]),
        ("Newest account", ["rdone", "rfast", "rlarge"]),
        ("Most accounts", ["rlarge", "rfast", "rdone"]),
    ):
        tab.get_by_label("Order").select_option(choice)
        assert rings_shown(tab) == found


def many_rings(count: int) -> RingsReport:
    """Rings whose fastest is the last; each third is new."""
    made = [
        replace(reports.fast(), ring=f"r{number:03d}", accounts_per_day=float(number), decision=None)
        for number in range(count)
    ]
    return replace(
        reports.report(),
        rings=tuple(
            ring if number % 3 == 0 else replace(ring, changes=(), new=False) for number, ring in enumerate(made)
        ),
    )


PLACED = "() => Array.from(document.querySelectorAll('#rings .ring h2 code'), code => code.textContent)"
HEAD = """([order, change]) => {
  const choose = (id, value) => {
    const box = document.getElementById(id);
    box.value = value;
    box.dispatchEvent(new Event("change"));
  };
  choose("order", order);
  if (change !== null) choose("change", change);
  const shown = document.querySelectorAll("#rings .ring:not([hidden]) h2 code");
  return Array.from(shown, code => code.textContent).slice(0, 40);
}"""


def placed_at_last(tab: Tab, wanted: list[str]) -> list[str]:
    """The rings as they stand, once they stand as they should or ten seconds have gone."""
    for _ in range(100):
        if tab.evaluate(PLACED) == wanted:
            break
        tab.wait_for_timeout(100)
    found: list[str] = tab.evaluate(PLACED)
    return found


@pytest.mark.slow
def test_a_new_order_of_very_many_rings_is_right_at_the_top_at_once_and_soon_everywhere(opened: Opener) -> None:
    tab = opened(reports.page(many_rings(300)))
    names = [f"r{number:03d}" for number in range(300)]
    assert tab.evaluate(HEAD, ["speed", None]) == names[::-1][:40]
    assert placed_at_last(tab, names[::-1]) == names[::-1]
    assert tab.evaluate(HEAD, ["size", None]) == names[:40]
    assert placed_at_last(tab, names) == names


@pytest.mark.slow
def test_what_is_chosen_while_rings_are_still_being_moved_is_in_order_too(opened: Opener) -> None:
    tab = opened(reports.page(many_rings(300)))
    tab.evaluate(HEAD, ["size", "new"])
    assert tab.evaluate(HEAD, ["speed", "none"]) == [f"r{n:03d}" for n in reversed(range(300)) if n % 3][:40]
    assert tab.evaluate(HEAD, ["size", ""]) == [f"r{n:03d}" for n in range(40)]
    assert tab.evaluate(HEAD, ["speed", "new"]) == [f"r{n:03d}" for n in reversed(range(300)) if n % 3 == 0][:40]


def test_a_key_finds_all_rings_in_their_new_order_however_soon_it_comes(opened: Opener) -> None:
    tab = opened(reports.page(many_rings(300)))
    tab.evaluate(HEAD, ["speed", None])
    tab.evaluate("document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'j', bubbles: true }))")
    assert tab.evaluate(PLACED) == [f"r{number:03d}" for number in reversed(range(300))]
    assert focused(tab) == "ring300"


def test_a_new_order_is_read_from_its_top(opened: Opener) -> None:
    tab = opened(reports.page(many_rings(60)))
    tab.evaluate("window.scrollTo(0, 9000)")
    tab.get_by_label("Order").select_option("Fastest")
    first = tab.locator("#ring60")
    assert 0 <= first.evaluate("e => e.getBoundingClientRect().top") < 300
    tab.keyboard.press("Tab")
    tab.get_by_label("Order").blur()
    tab.keyboard.press("j")
    assert focused(tab) == "ring60"


def test_the_accounts_with_a_common_picture_are_listed_when_they_are_asked_for(tab: Tab) -> None:
    listed = tab.get_by_role("group", name="Accounts with common picture 1")
    assert not listed.is_visible()
    tab.get_by_text("List the accounts").focus()
    tab.keyboard.press("Enter")
    assert listed.get_by_role("row").count() == 31
    assert tab.locator("#common").evaluate("e => e.scrollWidth <= e.clientWidth")


def test_keys_move_between_rings_and_pictures(tab: Tab) -> None:
    places = []
    for key in ("j", "j", "j", "j", "k"):
        tab.keyboard.press(key)
        places.append(focused(tab))
    assert places == ["ring1", "ring2", "ring3", "ring3", "ring2"]
    places = []
    for key in ("n", "n", "n", "p", "p"):
        tab.keyboard.press(key)
        places.append(focused(tab).split("photo ")[1].split("/")[0])
    assert places == ["fast1", "fast2", "done1", "fast2", "fast1"]
    tab.keyboard.press("v")
    assert not is_blurred(thumb(tab, "fast1"))
    tab.keyboard.press("v")
    assert is_blurred(thumb(tab, "fast1"))
    tab.get_by_label("Find").fill("rdone")
    tab.get_by_label("Find").blur()
    tab.keyboard.press("j")
    assert focused(tab) == "ring3"


def test_where_the_focus_is_can_be_seen_and_is_not_under_the_bar(tab: Tab) -> None:
    for key in ("j", "n", "n"):
        tab.keyboard.press(key)
        drawn = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        top = tab.evaluate("document.activeElement.getBoundingClientRect().top")
        below = tab.evaluate("document.querySelector('.bar').getBoundingClientRect().bottom")
        assert drawn == "solid"
        assert top >= below - 1


def test_letters_typed_into_the_find_box_are_no_keys(tab: Tab) -> None:
    tab.keyboard.press("/")
    tab.keyboard.type("bjn?")
    assert tab.get_by_label("Find").input_value() == "bjn?"
    assert is_blurred(thumb(tab, "many00"))
    assert not tab.locator("#help").is_visible()


def test_the_keys_are_told(tab: Tab) -> None:
    tab.keyboard.press("?")
    assert tab.get_by_role("dialog", name="Keys").is_visible()
    tab.keyboard.press("j")
    tab.keyboard.press("Escape")
    assert not tab.locator("#help").is_visible()
    tab.get_by_role("button", name="Keys").click()
    tab.get_by_role("button", name="Close").locator("visible=true").click()
    assert not tab.locator("#help").is_visible()


def pixels(shot: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(Image.open(BytesIO(shot)).convert("RGB"), dtype=np.float64)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("account", "told"),
    [
        ("many01", "mirrored back"),
        ("many02", "turned back 90°"),
        ("many03", "mirrored back, turned back 90°"),
        ("many05", "a negative, inverted back, mirrored back"),
    ],
)
def test_a_copy_is_turned_and_mirrored_back_beside_its_reference(tab: Tab, account: str, told: str) -> None:
    thumb(tab, account, 2).click()
    thumb(tab, account, 2).click()
    assert tab.locator("#rightn").inner_text() == told
    left, right = (pixels(tab.locator(f"#{side}").screenshot()) for side in ("left", "right"))
    assert np.abs(left - right).mean() < 8 < np.abs(left - right[:, ::-1]).mean()
    tab.get_by_role("radio", name="Difference").check(force=True)
    assert pixels(tab.locator("#both").screenshot()).mean() < 8
    tab.get_by_role("radio", name="Blend").check(force=True)
    assert pixels(tab.locator("#both").screenshot()).mean() > 60


def test_a_part_stands_beside_its_reference_and_it_is_said_why(tab: Tab) -> None:
    thumb(tab, "many04", 2).focus()
    tab.keyboard.press("c")
    assert tab.locator("#apart").is_visible()
    assert not tab.locator("#laid").is_visible()
    assert tab.locator("#rightn").inner_text() == "mirrored back, turned back 10°"
    assert "Overlap 40 %" in tab.locator("#facts").inner_text().replace("\N{NO-BREAK SPACE}", " ")


def test_what_is_compared_stays_blurred_until_it_is_shown(tab: Tab) -> None:
    thumb(tab, "many01", 2).focus()
    tab.keyboard.press("c")
    drawn = tab.locator("#left svg"), tab.locator("#right svg"), tab.locator("#both svg")
    assert all(one.evaluate(BLURRED) for one in drawn)
    tab.keyboard.press("v")
    assert not any(one.evaluate(BLURRED) for one in drawn)
    tab.keyboard.press("n")
    assert all(one.evaluate(BLURRED) for one in drawn)
    assert "many02" in tab.locator("#said").inner_text()
    tab.keyboard.press("p")
    assert not any(one.evaluate(BLURRED) for one in drawn)
    tab.get_by_label("Blend from").fill("0")
    assert tab.locator(".over").evaluate("e => getComputedStyle(e).opacity") == "0"
    tab.keyboard.press("Escape")
    assert not tab.locator("#compare").is_visible()
    assert focused(tab) == "Compare photo many01/2.jpg of account many01"


def test_a_reference_is_blurred_again_by_a_second_click(tab: Tab) -> None:
    thumb(tab, "many00").click()
    assert not is_blurred(thumb(tab, "many00"))
    thumb(tab, "many00").click()
    assert is_blurred(thumb(tab, "many00"))
    assert not tab.locator("#compare").is_visible()


def test_commands_are_shown_and_copied(tab: Tab) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.locator("#ring2").get_by_text("Decide on this ring").click()
    row = tab.locator("#ring2 .decide p", has_text="dismiss")
    row.get_by_role("button").click()
    tab.wait_for_function("document.getElementById('live').textContent === 'Copied'")
    assert tab.evaluate("navigator.clipboard.readText()") == "imgmatch decide dismiss --ring rfast --by NAME"


def test_names_from_strangers_do_nothing(opened: Opener) -> None:
    tab = opened(evil_page())
    tab.keyboard.press("b")
    tab.get_by_label("Find").fill("<img src=x onerror=alert(1)>")
    tab.get_by_label("Find").blur()
    assert tab.locator(".ring:visible").count() == 2
    for key in ("j", "n", "n", "c"):
        tab.keyboard.press(key)
    assert tab.locator("#compare").is_visible()
    assert "<img src=x" in tab.locator("#said").inner_text()
    assert tab.locator("img[src=x]").count() == 0
    assert EVIL.split("\x1b")[0] in str(tab.locator("#ring1 tbody th").first.text_content())


def test_the_policy_refuses_a_script_and_a_style_that_are_not_ours(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "rings.html").write_text(reports.page())
    page = browser.new_page()
    page.goto((tmp_path / "rings.html").as_uri())
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<b style=\"color:red\" onclick=\"window.hit=1\">x</b>')"
    )
    page.evaluate("document.body.lastElementChild.click()")
    assert page.evaluate("window.hit === undefined")
    assert len([text for text in refused if "Content Security Policy" in text]) == 2
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize("text", [reports.page(), evil_page("x" * 300)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_does_not_scroll_sideways(opened: Opener, text: str, scheme: str) -> None:
    tab = opened(text, width=390, scheme=scheme)
    for details in tab.locator("details summary").all():
        details.click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.keyboard.press("b")
    tab.keyboard.press("j")
    tab.keyboard.press("n")
    tab.keyboard.press("n")
    tab.keyboard.press("c")
    assert tab.locator("#compare").is_visible()
    assert tab.locator("#compare").evaluate("e => e.scrollWidth <= e.clientWidth")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.slow
def test_on_paper_all_rings_stand_with_their_pictures_and_without_buttons(opened: Opener) -> None:
    far = [replace(reports.fast(), ring=f"far{number}") for number in range(40)]
    tab = opened(reports.page(replace(reports.report(), rings=(reports.large(), *far))))
    thumb(tab, "many00").click()
    assert tab.locator("img:not([src])").count() > 0
    tab.evaluate("window.printed = 0; addEventListener('afterprint', () => { window.printed += 1; })")
    pdf = tab.pdf()
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) > 5
    assert tab.evaluate("window.printed") == 1
    assert tab.locator("img:not([src])").count() == 0
    assert tab.locator(".folded[open]").count() == 0
    tab.emulate_media(media="print")
    assert not any(tab.locator(hidden).first.is_visible() for hidden in (".bar", ".decide", ".folded summary"))
    assert tab.locator(".ring").last.evaluate("e => getComputedStyle(e).contentVisibility") == "visible"
    assert not is_blurred(thumb(tab, "many00"))
    assert is_blurred(thumb(tab, "many01"))


def test_what_takes_the_focus_has_a_name(tab: Tab) -> None:
    for control in tab.locator("input:visible, select:visible, button:visible, article").all():
        assert control.evaluate(
            "e => e.ariaLabel || e.getAttribute('aria-labelledby') || (e.labels || []).length || e.innerText.trim()"
        )
    assert tab.get_by_role("main").count() == tab.get_by_role("search").count() == 1
    assert tab.get_by_role("banner").count() == tab.get_by_role("contentinfo").count() == 1


@pytest.mark.slow
def test_without_script_the_text_is_there_and_it_is_said_what_is_not(opened: Opener) -> None:
    tab = opened(reports.page(), script=False)
    assert tab.get_by_text("they need its script").is_visible()
    assert not tab.locator(".bar").is_visible()
    assert "many01" in tab.locator("#ring1").inner_text()
