"""What Coop calls, in the order and form in which it calls: without a token, so that one stands in the path."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import httpx
import photos
import pytest
from hma_client import ASKED, Hma, speaking
from serving import picture
from web_server import Page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BANK, RENAMED, LISTED = "COOP_ORG1_TEST_BANK", "COOP_ORG1_OTHER_NAME", "COOP_ORG1_OF_A_PARTNER"
TYPE = {"Content-Type": "application/json"}


class Coop:
    """Asks as Coop does: by addresses put together as text, with a base that ends in a slash or does not."""

    def __init__(self, base: str, http: httpx.Client) -> None:
        self.base, self.http = base, http

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:  # noqa: ANN401 -- JSON
        """Any answer is to be JSON: what is not makes Coop throw."""
        content = None if body is None else json.dumps(body).encode()
        answer = self.http.request(method, f"{self.base}{path}", content=content, headers=headers or {})
        assert answer.headers["content-type"] == "application/json", path
        answer.json()
        return answer

    def make(self, name: str, ratio: str = "1") -> httpx.Response:
        return self.ask("POST", "/c/banks", {"name": name, "enabled_ratio": ratio}, TYPE)

    def has(self, name: str) -> bool:
        """Coop forgets a bank on 404 alone."""
        answer = self.ask("GET", f"/c/bank/{name}", headers=TYPE)
        assert answer.status_code in {200, 404}
        return answer.status_code == 200

    def hashes(self, url: str) -> dict[str, str]:
        """Of a picture, after six tries at the most; none where all fail."""
        for _ in range(6):
            answer = self.ask("GET", f"/h/hash?url={quote(url, safe='')}")
            if answer.is_success:
                found: dict[str, str] = answer.json()
                return found
        return {}

    def matched(self, kind: str, signal: str, banks: list[str]) -> list[str]:
        """Which of these banks a hash hits; an empty hash is left out of the request."""
        asked = {"signal_type": kind, **({"signal": signal} if signal else {})}
        answer = self.ask("GET", f"/m/lookup?{urlencode(asked)}")
        if not answer.is_success:
            raise LookupError(answer.status_code)
        return [bank for bank in banks if len(answer.json().get(bank) or []) > 0]


@pytest.fixture(scope="module")
def server(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hma]:
    yield from speaking(tmp_path_factory.mktemp("coop"), drawn_world, remember_minutes=5)


@pytest.mark.slow
@pytest.mark.parametrize("slash", ["", "/"])
def test_coop_replay(server: Hma, slash: str) -> None:
    """Calls 1 to 13 of Coop, read at 1c1f54d."""
    with httpx.Client(timeout=60) as http:
        coop = Coop(f"{server.served.url}/t/{server.token}{slash}", http)
        a_bank_is_made(coop)
        items_with_pictures_are_submitted(coop, server)
        it_is_changed_and_renamed(coop, server)
        banks_come_from_exchanges(coop)
        # 3: all of them go, one of them twice.
        for name in (RENAMED, LISTED, RENAMED):
            assert coop.ask("DELETE", f"/c/bank/{name}").is_success
        assert coop.ask("GET", "/c/banks").json() == []


def a_bank_is_made(coop: Coop) -> None:
    # 1: a bank is made; a second one of that name is refused, and Coop says so.
    made = coop.make(BANK)
    assert (made.status_code, made.json()) == (201, {"name": BANK, "matching_enabled_ratio": 1.0})
    assert coop.make(BANK).status_code == 403
    # 4: it is there, as every list of banks asks.
    assert coop.has(BANK)
    assert not coop.has("COOP_ORG1_NEVER_MADE")
    # 12: the list of banks shows whether it comes from an exchange.
    assert coop.ask("GET", f"/c/exchange/{BANK}").status_code == 404
    # Whoever runs it puts a photo on the bank, as on HMA's own page.
    photo = photos.jpeg(photos.picture(ASKED))
    added = coop.http.post(f"{coop.base}/c/bank/{BANK}/content", files={"photo": ("a.jpg", photo)})
    assert added.status_code == 200


def items_with_pictures_are_submitted(coop: Coop, server: Hma) -> None:
    # 4, 5, 6: an item with pictures is submitted.
    assert coop.has(BANK)
    server.web.pages["/item.jpg"] = Page(photos.jpeg(photos.picture(ASKED), 60), {"Content-Type": "image/jpeg"})
    found = coop.hashes(f"{server.web.url}/item.jpg")
    assert list(found) == ["pdq"]
    assert coop.matched("pdq", found["pdq"], [BANK]) == [BANK]
    # A crop, which HMA cannot find.
    crop = photos.jpeg(photos.picture(ASKED).crop((60, 60, 460, 460)))
    server.web.pages["/crop.jpg"] = Page(crop, {"Content-Type": "image/jpeg"})
    found = coop.hashes(f"{server.web.url}/crop.jpg?width=400&signature=a%2Fb")
    assert found == {}  # that path is not there: six tries, and the picture counts as clean
    found = coop.hashes(f"{server.web.url}/crop.jpg")
    assert coop.matched("pdq", found["pdq"], [BANK]) == [BANK]
    # One that is clean, one with too little in it, and one that cannot be had.
    server.web.pages["/clean.jpg"] = Page(picture(77), {"Content-Type": "image/jpeg"})
    found = coop.hashes(f"{server.web.url}/clean.jpg")
    assert coop.matched("pdq", found["pdq"], [BANK]) == []
    assert coop.hashes(f"{server.web.url}/flat.png") == {"pdq": ""}
    with pytest.raises(LookupError, match="400"):
        coop.matched("pdq", "", [BANK])
    before = len(server.web.asked)
    assert coop.hashes(f"{server.web.url}/nowhere.jpg") == {}
    assert len(server.web.asked) - before == 6


def it_is_changed_and_renamed(coop: Coop, server: Hma) -> None:
    # 2: another ratio, and none at all.
    for ratio in (0.5, 0):
        changed = coop.ask("PUT", f"/c/bank/{BANK}", {"enabled_ratio": ratio}, TYPE)
        assert (changed.status_code, changed.json()["matching_enabled_ratio"]) == (200, ratio)
    found = coop.hashes(f"{server.web.url}/item.jpg")
    assert coop.matched("pdq", found["pdq"], [BANK]) == []
    # 1, 3: renamed, which is made anew and deleted.
    assert coop.make(RENAMED, "0.5").status_code == 201
    assert coop.ask("DELETE", f"/c/bank/{BANK}").is_success
    assert coop.has(RENAMED)
    assert not coop.has(BANK)


def banks_come_from_exchanges(coop: Coop) -> None:
    # 7, 8, 9: what a bank can come from.
    apis = coop.ask("GET", "/c/exchanges/apis").json()
    for api in apis:
        about = coop.ask("GET", f"/c/exchanges/api/{quote(api, safe='')}")
        assert about.json() == {"supports_authentification": False, "has_set_authentification": False}
        assert coop.ask("GET", f"/c/exchanges/api/{api}/schema").json()["config_schema"] == {"fields": []}
    # 10, 11: a bank for a partner's list, then another ratio; and one that would have to be fetched.
    [api] = apis
    assert coop.ask("POST", f"/c/exchanges/api/{api}", {"credential_json": {}}, TYPE).is_success
    body = {"bank": LISTED, "api": api, "api_json": {}}
    assert coop.ask("POST", "/c/exchanges", body, TYPE).status_code == 201
    assert coop.ask("PUT", f"/c/bank/{LISTED}", {"enabled_ratio": 0.5}, TYPE).is_success
    refused = coop.ask("POST", "/c/exchanges", {"bank": "COOP_ORG1_X", "api": "ncmec", "api_json": {}}, TYPE)
    assert (refused.status_code, coop.has("COOP_ORG1_X")) == (400, False)
    # 12, 13: the list of banks again.
    shown = coop.ask("GET", f"/c/exchange/{LISTED}").json()
    assert (shown["api"], shown["enabled"]) == (api, True)
    status = coop.ask("GET", f"/c/exchange/{LISTED}/status").json()
    assert (status["fetched_items"], status["running_fetch_start_ts"], status["up_to_date"]) == (0, None, False)


def test_a_bank_is_not_forgotten_by_coop_while_its_token_is_wrong(server: Hma) -> None:
    with httpx.Client(timeout=60) as http:
        for prefix in ("", "/t/no-such-token", f"/t/{server.token}/x"):
            base = server.served.url + prefix
            answer = Coop(base, http).ask("GET", f"/c/bank/{BANK}", headers=TYPE)
            assert answer.status_code in {400, 401}
