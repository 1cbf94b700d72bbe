"""The pages as a moderator works with them, in a real browser."""

from __future__ import annotations

import base64
import io
import time
from typing import TYPE_CHECKING, Any

import photos
import pytest
from browsing import BLURRED
from PIL import Image, ImageOps
from serving import PASSWORD, Served, picture, served

from imgmatch.model import Role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.slow

MIRRORED = picture(1, 50, mirrored=True)
_FILES = """([data, kind, event]) => {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], "dropped.jpg", { type: "image/jpeg" }));
  const options = { bubbles: true, cancelable: true };
  const made = kind === "drop" ? new DragEvent(event, { ...options, dataTransfer: files })
    : new ClipboardEvent(event, { ...options, clipboardData: files });
  document.body.dispatchEvent(made);
}"""


_EMPTY = """() => document.body.dispatchEvent(
  new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: new DataTransfer() }))"""


class Desk:
    """A browser of one moderator."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.url = url
        self.complaints: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._look_at)

    def _note(self, message: Any) -> None:  # noqa: ANN401 -- Playwright's own
        if message.type in {"error", "warning"} and "409" not in message.text and "401" not in message.text:
            self.complaints.append(message.text)

    def _look_at(self, request: Any) -> None:  # noqa: ANN401 -- likewise
        if not request.url.startswith((self.url, "blob:", "data:", "about:")):
            self.complaints.append(request.url)

    def open(self, path: str) -> Page:
        self.page.goto(self.url + path)
        self.page.wait_for_load_state("networkidle")
        return self.page

    def log_in(self, name: str) -> None:
        self.open("/login")
        self.page.fill("#name", name)
        self.page.fill("#password", PASSWORD)
        self.page.click("text=Log in >> nth=-1")


@pytest.fixture
def desks(browser: Browser) -> Iterator[Any]:
    """Opens browsers of moderators; none of their pages may have complained or asked anybody else."""
    opened: list[tuple[BrowserContext, Desk]] = []

    def open_desk(server: Served, **options: Any) -> Desk:  # noqa: ANN401 -- Playwright's own
        options = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"} | options
        context = browser.new_context(**options)
        desk = Desk(context, server.url)
        opened.append((context, desk))
        return desk

    yield open_desk
    complaints = [desk.complaints for _, desk in opened]
    for context, _ in opened:
        context.close()
    assert not any(complaints), complaints


def compared(page: Page) -> None:
    """Both pictures of the viewer are drawn."""
    page.wait_for_function("() => document.querySelectorAll('#viewer .stage svg image').length >= 2")


@pytest.mark.parametrize("way", ["drop", "paste", "choose"])
def test_a_photo_that_is_dropped_pasted_or_chosen_is_checked(reading: Served, desks: Any, way: str) -> None:  # noqa: ANN401 -- a fixture
    desk = desks(reading)
    page = desk.open("/")
    if way == "choose":
        page.set_input_files("#photo", {"name": "dropped.jpg", "mimeType": "image/jpeg", "buffer": MIRRORED})
    else:
        page.evaluate(_FILES, [base64.b64encode(MIRRORED).decode(), way, way])
    page.wait_for_url("**/checks/*")
    assert page.inner_text("h2") == "On 4 accounts"
    assert page.locator(".matches h3 > a:first-child").count() == 4
    compared(page)
    assert page.locator("#viewer [data-name=query]").inner_text() == "dropped.jpg"


def test_what_is_no_photo_is_said_and_nothing_is_lost(reading: Served, desks: Any) -> None:  # noqa: ANN401 -- a fixture
    page = desks(reading).open("/")
    page.evaluate(_EMPTY)
    assert page.inner_text("#wrong") == "There is no photo in that."
    page.set_input_files("#photo", {"name": "x.txt", "mimeType": "text/plain", "buffer": b"no photo"})
    page.wait_for_url("**/checks/*")
    assert "Could not be read" in page.inner_text("h2")


def checked(desk: Desk, photo: bytes = MIRRORED) -> Page:
    page = desk.open("/")
    page.set_input_files("#photo", {"name": "suspect.jpg", "mimeType": "image/jpeg", "buffer": photo})
    page.wait_for_url("**/checks/*")
    compared(page)
    return page


def test_pictures_are_covered_until_asked_for_and_covered_again_after_a_while(reading: Served, desks: Any) -> None:  # noqa: ANN401 -- a fixture
    desk = desks(reading)
    desk.page.clock.install()
    page = checked(desk)
    picture_, image = page.locator(".matches .pic").first, page.locator(".matches .pic img").first
    stage = page.locator("#viewer .stage svg").first
    assert image.evaluate(BLURRED)
    assert "grayscale" in image.evaluate("element => getComputedStyle(element).filter")
    picture_.click()
    page.wait_for_function("() => document.getElementById('viewer').classList.contains('shown')")
    assert not image.evaluate(BLURRED)
    assert not stage.evaluate(BLURRED)
    assert (picture_.get_attribute("aria-label") or "").startswith("Compare picture: ")
    page.clock.run_for(9_000)
    assert not image.evaluate(BLURRED)
    page.clock.run_for(2_000)
    assert image.evaluate(BLURRED)
    assert stage.evaluate(BLURRED)


def test_pictures_are_covered_when_the_window_loses_the_focus_and_by_a_key(reading: Served, desks: Any) -> None:  # noqa: ANN401 -- a fixture
    page = checked(desks(reading))
    image = page.locator(".matches .pic img").first
    page.keyboard.press("b")
    assert not image.evaluate(BLURRED)
    page.evaluate("() => dispatchEvent(new Event('blur'))")
    assert image.evaluate(BLURRED)
    page.keyboard.press("b")
    page.keyboard.press("Escape")
    assert image.evaluate(BLURRED)
    until = time.monotonic() + 60
    while len(noted := reading.index.people.audit(limit=2)) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert [(one.action, one.subject) for one in noted] == [("reveal", "answer")] * 2


INVERTED = (
    "laid => { const it = document.querySelector(laid); return it && getComputedStyle(it).filter === 'invert(1)' }"
)


def test_a_negative_is_said_to_be_one_and_inverted_back(reading: Served, desks: Any) -> None:  # noqa: ANN401 -- a fixture
    negative = photos.jpeg(ImageOps.invert(Image.open(io.BytesIO(MIRRORED))), 80)
    page = checked(desks(reading), negative)
    assert "Whole picture, negative, mirrored" in page.inner_text(".matches")
    assert "a negative, mirrored left to right" in page.inner_text("#viewer [data-facts]")
    page.locator(".matches .pic").first.click()
    compared(page)
    page.keyboard.press("x")
    for laid in ('[data-pane="query"] g', '[data-pane="stored"] .over g'):  # which the key may draw anew
        page.wait_for_function(INVERTED, arg=laid)


def test_one_photo_takes_the_place_of_the_other_while_a_key_is_held(reading: Served, desks: Any) -> None:  # noqa: ANN401 -- a fixture
    page = checked(desks(reading))
    page.locator(".matches .item", has_text="mirrored").locator(".pic").first.click()
    # Laid over the stored one it runs the other way.
    page.locator('[data-pane="query"] g[transform^="matrix(-"]').first.wait_for(state="attached")
    compared(page)
    over = page.locator('[data-pane="stored"] .over')
    page.keyboard.down("f")
    assert over.count() == 1
    page.keyboard.up("f")
    assert over.count() == 0
    page.keyboard.press("x")
    assert over.evaluate("element => getComputedStyle(element).mixBlendMode") == "difference"
    page.keyboard.press("x")
    assert page.locator("#viewer polygon").count() == 4
    page.keyboard.press("o")
    assert page.locator("#viewer polygon").count() == 0


def test_zoom_and_place_are_the_same_in_both(reading: Served, desks: Any) -> None:  # noqa: ANN401 -- a fixture
    page = checked(desks(reading))
    boxes = "() => [...document.querySelectorAll('#viewer svg')].map((one) => one.getAttribute('viewBox'))"
    whole = page.evaluate(boxes)
    stage = page.locator('[data-pane="query"]').bounding_box()
    assert stage is not None
    page.mouse.move(stage["x"] + stage["width"] / 4, stage["y"] + stage["height"] / 4)
    page.mouse.wheel(0, -300)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
    page.mouse.up()
    moved = page.evaluate(boxes)
    assert moved[0] == moved[1] != whole[0]
    page.keyboard.press("0")
    assert page.evaluate(boxes) == whole


def test_keys_do_nothing_where_somebody_writes_and_can_be_turned_off(server: Served, desks: Any) -> None:  # noqa: ANN401 -- a fixture
    page = desks(server).open(f"/rings/{server.ring('mia')}")
    page.focus("#find")
    page.keyboard.type("cdm?")
    assert page.locator("dialog[open]").count() == 0
    page.locator("body").click(position={"x": 5, "y": 300})
    page.keyboard.press("?")
    assert page.locator("#help[open]").count() == 1
    page.check("#keysoff")
    page.keyboard.press("c")
    page.click("#help button")
    page.keyboard.press("c")
    assert page.locator("dialog[open]").count() == 0


def test_a_ring_is_decided_on_by_keys_and_the_next_one_comes_at_once(server: Served, desks: Any) -> None:  # noqa: ANN401 -- a fixture
    desk = desks(server)
    page = desk.open("/rings?order=largest")
    page.click("#next")
    page.wait_for_load_state("networkidle")
    first = page.locator("#ring").get_attribute("data-ring")
    page.keyboard.press("c")
    page.keyboard.press("Alt+2")
    page.keyboard.type("and they write alike")
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => document.getElementById('ring').dataset.ring !== '{first}'")
    assert page.url.endswith(page.locator("#ring").get_attribute("data-ring") or "?")
    assert f"Ring {first} is confirmed." in page.inner_text("#toast")
    [made] = server.index.decisions()
    assert (made.subject, made.verdict) == (first, "confirm")
    assert made.reason == "reported by a victim; and they write alike"
    page.keyboard.press("u")
    page.wait_for_url(f"**/rings/{first}")
    assert f"Decision {made.number} is undone." in page.inner_text("#toast")
    assert [one.verdict for one in server.index.decisions()] == ["undo", "confirm"]


def test_one_picture_of_a_ring_is_decided_on_alone(server: Served, desks: Any) -> None:  # noqa: ANN401 -- a fixture
    page = desks(server).open(f"/rings/{server.ring('mia')}")
    page.click("thead details >> nth=1")
    page.click("thead details >> nth=1 >> text=Dismiss")
    assert "picture 2" in page.inner_text("#decideh")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelectorAll('thead th[data-group]').length === 1")
    assert "The picture is dismissed." in page.inner_text("#toast")
    [made] = server.index.decisions()
    assert (made.kind, made.verdict, made.photos) == ("group", "dismiss", 2)
    page.keyboard.press("u")
    page.wait_for_function("() => document.querySelectorAll('thead th[data-group]').length === 2")
    assert server.index.decisions()[0].verdict == "undo"


def test_a_ring_that_has_changed_meanwhile_is_not_decided_on(server: Served, desks: Any) -> None:  # noqa: ANN401 -- a fixture
    ring = server.ring("mia")
    page = desks(server).open(f"/rings/{ring}")
    server.index.erase(account="lena")
    page.keyboard.press("d")
    page.keyboard.press("Enter")
    page.wait_for_selector("#refused:not([hidden])")
    assert "has changed since it was shown" in page.inner_text("#refused")
    assert server.index.decisions() == []


def test_a_ring_that_is_skipped_comes_back_to_others_alone(server: Served, desks: Any) -> None:  # noqa: ANN401 -- a fixture
    desk = desks(server)
    seen = []
    page = desk.open("/rings/next")
    for _ in range(3):
        seen.append(page.locator("#ring").get_attribute("data-ring"))
        page.wait_for_load_state("networkidle")
        page.keyboard.press("s")
        page.wait_for_function(f"() => document.getElementById('ring')?.dataset.ring !== '{seen[-1]}'")
    page.wait_for_url("**/rings?none=1")
    assert len(set(seen)) == 3
    assert "There is no ring left for you: 3 you have skipped" in page.inner_text(".warn")
    assert page.locator("text=skipped by you").count() == 3
    page.click("#takeup")
    page.wait_for_url("**/rings")
    assert page.locator("text=skipped by you").count() == 0
    assert server.index.reviews.next_ring("ana") in seen


def test_a_sign_of_life_that_is_slow_does_not_take_a_skip_back(server: Served, desks: Any) -> None:  # noqa: ANN401 -- a fixture
    desk = desks(server)
    page = desk.open("/rings")
    held: list[Any] = []
    page.route("**/review", lambda route: route.continue_() if held else held.append(route))
    page.goto(f"{server.url}/rings/{server.ring('mia')}")
    page.wait_for_load_state("load")
    page.wait_for_function("() => document.querySelector('.deck button')")
    while not held:
        page.wait_for_timeout(20)
    page.keyboard.press("s")
    page.wait_for_timeout(200)
    held[0].continue_()
    page.wait_for_function(f"() => document.getElementById('ring')?.dataset.ring !== '{server.ring('mia')}'")
    page.wait_for_load_state("networkidle")
    page.goto(f"{server.url}/rings")
    assert page.locator("text=skipped by you").count() == 1


def test_what_is_typed_for_a_reason_is_the_reason(server: Served, desks: Any) -> None:  # noqa: ANN401 -- a fixture
    page = desks(server).open(f"/rings/{server.ring('mia')}")
    page.keyboard.press("d")
    assert [one.strip() for one in page.locator("#decide label:visible").all_inner_texts()[:2]] == [
        "photos of one person, rightly there Alt 1",
        "no copies Alt 2",
    ]
    page.keyboard.type("just a shared family photo")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.getElementById('toast').innerText.includes('dismissed')")
    assert [one.reason for one in server.index.decisions()] == ["just a shared family photo"]


def test_the_possible_owner_is_not_among_the_ids_to_act_on(server: Served, desks: Any) -> None:  # noqa: ANN401 -- a fixture
    page = desks(server).open(f"/rings/{server.ring('mia')}")
    assert page.inner_text('[data-act="copy"]') == "Copy 3 account ids"
    page.keyboard.press("c")
    assert "mia had a picture first, and may be the victim" in page.inner_text("#decidewhat")


def test_copies_are_walked_through_by_keys_and_what_is_touched_stays_shown(server: Served, desks: Any) -> None:  # noqa: ANN401 -- a fixture
    desk = desks(server)
    desk.page.clock.install()
    page = desk.open(f"/rings/{server.ring('mia')}")
    chosen = page.locator(".pic.chosen")
    walked = []
    for key in ("j", "j", "j", "j", "l", "h"):
        page.keyboard.press(key)
        walked.append(chosen.get_attribute("data-name"))
    copies = [name for name in walked if name is not None]
    assert len(set(copies)) >= 4
    assert walked[-1] != walked[-2]
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.getElementById('viewer').classList.contains('shown')")
    stage = page.locator("#viewer .stage svg").first
    for _ in range(3):
        page.clock.run_for(8_000)
        assert not stage.evaluate(BLURRED)
        page.keyboard.press("x")
    page.clock.run_for(11_000)
    assert stage.evaluate(BLURRED)


@pytest.fixture
def guarded(world: Path) -> Iterator[Served]:
    with served(world, local=False, is_open=False) as server:
        for name in ("ana", "ben"):
            server.index.people.add_user(name, Role.MODERATOR, PASSWORD)
        yield server


def test_two_on_one_ring_are_told_of_each_other(guarded: Served, desks: Any) -> None:  # noqa: ANN401 -- a fixture
    ana, ben = desks(guarded), desks(guarded)
    for desk, name in ((ana, "ana"), (ben, "ben")):
        desk.log_in(name)
        desk.page.wait_for_url("**/")
    page = ana.open("/rings/next")
    ring = page.locator("#ring").get_attribute("data-ring")
    ben.open(f"/rings/{ring}")
    assert "ana has this ring open" in ben.page.inner_text("#held")
    assert ben.open("/rings/next").locator("#ring").get_attribute("data-ring") != ring
    ana.open("/decisions")
    page = ben.open(f"/rings/{ring}")
    page.wait_for_function("() => document.getElementById('held').hidden")


def test_a_login_that_ends_leads_to_the_form_and_back(guarded: Served, desks: Any) -> None:  # noqa: ANN401 -- a fixture
    desk = desks(guarded)
    page = desk.open("/rings")
    assert page.url.endswith("/login?next=%2Frings")
    page.fill("#name", "ana")
    page.fill("#password", "a wrong password")
    page.keyboard.press("Enter")
    page.wait_for_selector(".wrong")
    assert "do not belong together" in page.inner_text(".wrong")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/rings")
    page.goto(guarded.url + f"/rings/{guarded.ring('tom')}")
    guarded.index.people.change_user("ana", role=Role.VIEWER)
    page.keyboard.press("s")
    page.wait_for_url("**/login?next=*")


PAGES = ("/", "/rings", "ring", "check", "/account?id=anna", "/decisions", "/figures", "/nothing")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("light", 640)])
def test_no_page_shuts_anybody_out(server: Served, desks: Any, scheme: str, width: int) -> None:  # noqa: ANN401 -- a fixture
    """By the rules of axe-core; 640 is a page of 1,280 at a zoom of 200 %."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 -- not every machine has it

    server.index.decide("confirm", ring=server.ring("joe"), by="ana")  # type: ignore[arg-type]  # its value
    desk = desks(server, color_scheme=scheme, viewport={"width": width, "height": 900})
    found = {}
    for path in PAGES:
        if path == "check":
            page = checked(desk)
        else:
            page = desk.open(f"/rings/{server.ring('mia')}" if path == "ring" else path)
        desk.complaints = [one for one in desk.complaints if "404" not in one]
        bad = [one["id"] for one in Axe().run(page).response["violations"] if one["impact"] in {"serious", "critical"}]
        wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        found[path] = (bad, max(wide, 0))
    assert found == dict.fromkeys(PAGES, ([], 0))
