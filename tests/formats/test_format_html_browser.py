from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pages
import pytest
from browsing import BLURRED
from PIL import Image

from imgmatch.formats.html import check_page, compare_page

if TYPE_CHECKING:
    from pathlib import Path

    from browsing import Tabs
    from playwright.sync_api import Page as Tab

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pages")
    long = pages.check("x" * 300, pages.crop(), (pages.photo("y" * 300, "z" * 300), pages.PARTIAL, pages.stored()))
    checks = [pages.three_matches(), long, pages.check("none.jpg", pages.other())]
    (made / "check.html").write_text("".join(check_page(checks, at=pages.NOW)))
    compared = compare_page("q", "s", pages.PARTIAL, True, pages.crop(), pages.stored(), at=pages.NOW)  # noqa: FBT003
    (made / "compare.html").write_text(compared)
    return made


def opened(tabs: Tabs, path: Path, *, width: int = 1280, script: bool = True, scheme: str = "light") -> Tab:
    tab = tabs.open(path, width=width, scheme=scheme, script=script)
    assert tabs.told == []
    return tab


@pytest.fixture
def tab(tabs: Tabs, folder: Path) -> Tab:
    return opened(tabs, folder / "check.html")


def blurred(tab: Tab, match: str = "#c1m1") -> bool:
    found: list[bool] = [photo.evaluate(BLURRED) for photo in tab.locator(f"{match} .photo").all()]
    assert len(set(found)) == 1
    return found[0]


def focused(tab: Tab) -> str:
    return str(tab.evaluate("document.activeElement.id"))


@pytest.mark.parametrize("name", ["check.html", "compare.html"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_opens_without_a_complaint_and_asks_for_nothing(
    tabs: Tabs, folder: Path, name: str, scheme: str
) -> None:
    page = opened(tabs, folder / name, scheme=scheme)
    ground = str(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    dark = sum(map(int, ground.removeprefix("rgb(").removesuffix(")").split(","))) < 200
    assert dark == (scheme == "dark")


def test_the_policy_refuses_a_script_and_a_style_that_are_not_ours(tab: Tab) -> None:
    refused: list[str] = []
    tab.on("console", lambda message: refused.append(message.text))
    tab.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<b style=\"color:red\" onclick=\"window.hit=1\">x</b>')"
    )
    tab.evaluate("document.body.lastElementChild.click()")
    assert tab.evaluate("window.hit === undefined")
    assert len(refused) == 2
    assert all("Content Security Policy" in text for text in refused)


def test_a_click_shows_the_pictures_of_that_match_only(tab: Tab) -> None:
    assert blurred(tab)
    tab.locator("#c1m1 .cover").click()
    assert not blurred(tab)
    assert blurred(tab, "#c1m2")
    tab.get_by_text("Blur", exact=True).locator("visible=true").click()
    assert blurred(tab)


def test_all_pictures_are_shown_and_blurred_again(tab: Tab) -> None:
    tab.get_by_text("Show all pictures").click()
    assert not any(blurred(tab, match) for match in ("#c1m1", "#c1m2", "#c2m1", "#c3m"))
    tab.get_by_text("Blur all pictures").click()
    assert blurred(tab)


@pytest.mark.slow
def test_keys_move_between_matches_show_them_and_blur_all(tab: Tab) -> None:
    places = []
    for key in ("j", "j", "ArrowRight", "j", "j", "j", "k", "ArrowLeft"):
        tab.keyboard.press(key)
        places.append(focused(tab))
    assert places == ["c1m1", "c1m2", "c1m3", "c2m1", "c3m", "c3m", "c2m1", "c1m3"]
    tab.keyboard.press("k")
    tab.keyboard.press("k")
    for key in ("v", " ", "Enter"):
        was = blurred(tab)
        tab.keyboard.press(key)
        assert blurred(tab) != was
    assert not blurred(tab)
    tab.keyboard.press("Escape")
    assert blurred(tab)


def test_the_slider_blends_and_the_other_mode_takes_the_difference(tab: Tab) -> None:
    tab.locator("#c1m1 .cover").click()
    over, slider = tab.locator("#c1m1 .over"), tab.locator("#c1m1 input[type=range]")
    opacity, mode = "element => getComputedStyle(element).opacity", "element => getComputedStyle(element).mixBlendMode"
    assert over.evaluate(opacity) == "0.5"
    slider.focus()
    tab.keyboard.press("ArrowRight")
    assert over.evaluate(opacity) == "0.51"
    assert focused(tab) != "c1m2"
    slider.fill("0")
    assert over.evaluate(opacity) == "0"
    tab.locator("#c1m1").focus()
    tab.keyboard.press("d")
    assert (over.evaluate(opacity), over.evaluate(mode)) == ("1", "difference")
    tab.locator("#c1m1").get_by_role("radio", name="Blend").check()
    assert (over.evaluate(opacity), over.evaluate(mode)) == ("0", "normal")


def test_a_mirrored_crop_laid_over_its_photo_leaves_hardly_a_difference(tab: Tab) -> None:
    tab.get_by_text("Show all pictures").click()
    tab.locator("#c1m1").get_by_role("radio", name="Difference").check()
    shot = tab.locator("#c1m1 .laid .frame").screenshot()
    assert mean_level(shot) < 8
    tab.locator("#c1m1").get_by_role("radio", name="Blend").check()
    assert mean_level(tab.locator("#c1m1 .laid .frame").screenshot()) > 60


def mean_level(shot: bytes) -> float:
    return float(np.asarray(Image.open(BytesIO(shot)).convert("L")).mean())


@pytest.mark.parametrize("name", ["check.html", "compare.html"])
def test_a_phone_does_not_scroll_sideways(tabs: Tabs, folder: Path, name: str) -> None:
    page = opened(tabs, folder / name, width=390)
    page.get_by_text("Show all pictures").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.slow
def test_without_script_the_pictures_can_still_be_shown(tabs: Tabs, folder: Path) -> None:
    page = opened(tabs, folder / "check.html", script=False)
    assert page.locator("#c1m1 input[type=range]").is_hidden()
    page.locator("#c1m1 .cover").click()
    assert page.locator("#c1m1r").is_checked()
    page.get_by_text("Show all pictures").click()
    assert page.locator("#all").is_checked()
    contents, match = page.locator(".contents").bounding_box(), page.locator("#c1m1").bounding_box()
    assert contents is not None
    assert match is not None
    assert contents["y"] < match["y"]


def test_what_takes_the_focus_has_a_name(tab: Tab) -> None:
    for control in tab.locator("input:visible, article").all():
        named = control.evaluate("e => e.ariaLabel || e.getAttribute('aria-labelledby') || (e.labels || []).length > 0")
        assert named
