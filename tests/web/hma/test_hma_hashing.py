from __future__ import annotations

from typing import TYPE_CHECKING, Any

import photos
import pytest
from hma_client import ASKED, Hma, message, pages, speaking
from serving import picture
from web_server import Page, WebServer

from imgmatch.web.hma.fetching import FetchHost

if TYPE_CHECKING:
    from pathlib import Path


def pdq(hma: Hma, photo: bytes) -> str:
    [hashed] = hma.index.hash([photo])
    return hashed.fingerprints["pdq"]


def test_a_photo_is_answered_with_its_pdq_value_and_nothing_else(hma: Hma) -> None:
    photo = picture(ASKED)
    answer = hma.http.post("h/hash", files={"photo": ("a.jpg", photo)})
    assert (answer.status_code, answer.json()) == (200, {"pdq": pdq(hma, photo)})


def test_the_photo_at_a_url_is_answered_alike(hma: Hma) -> None:
    for more in ({}, {"content_type": "photo"}, {"types": "pdq"}, {"types": " pdq ,"}):
        answer = hma.http.get("h/hash", params={"url": f"{hma.web.url}/a.jpg", **more})
        assert (answer.status_code, answer.json()) == (200, {"pdq": pdq(hma, picture(ASKED))})


@pytest.mark.parametrize(
    "image", [photos.flat(), photos.picture(1, (8, 8)), photos.flat((4, 4))], ids=["flat", "small", "both"]
)
def test_a_photo_with_too_little_in_it_has_no_hash(hma: Hma, image: Any) -> None:  # noqa: ANN401 -- Pillow's
    answer = hma.http.post("h/hash", files={"photo": ("a.png", photos.png(image))})
    assert (answer.status_code, answer.json()) == (200, {"pdq": ""})


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, "Missing multipart/form-data file upload"),
        ({"data": {"photo": "text"}}, "Missing multipart/form-data file upload"),
        ({"files": {"video": ("a.mp4", b"x")}}, "no such content_type: 'video'"),
        ({"files": [("photo", ("a", b"x")), ("photo", ("b", b"x"))]}, "Only one file allowed per request"),
        ({"files": [("photo", ("a", b"x")) for _ in range(3)]}, "Too many files"),
        ({"files": {"photo": ("a.jpg", b"no photo")}}, "the photo cannot be used: unreadable"),
        ({"files": {"photo": ("a.jpg", b"")}}, "the photo cannot be used"),
        ({"files": {"photo": ("a.jpg", picture(1))}, "params": {"types": "pdq,md5"}}, "'md5' doesn't exist"),
        ({"files": {"photo": ("a.jpg", picture(1))}, "params": {"types": ","}}, "empty signal type selection"),
    ],
)
def test_a_form_that_holds_no_one_photo_is_refused_with_a_message(hma: Hma, sent: dict[str, Any], said: str) -> None:
    answer = hma.http.post("h/hash", **sent)
    assert answer.status_code == 400
    assert said in message(answer)


def test_a_photo_that_is_too_large_is_refused_before_it_is_read(hma: Hma) -> None:
    answer = hma.http.post("h/hash", files={"photo": ("a.jpg", bytes(2 << 20))})
    assert answer.status_code == 413
    assert "larger" in message(answer)


@pytest.mark.parametrize(
    ("params", "status", "said"),
    [
        ({}, 400, "url is required"),
        ({"url": ""}, 400, "url is required"),
        ({"url": "{web}/a.jpg", "content_type": "video"}, 400, "no such content_type: 'video'"),
        ({"url": "{web}/nowhere"}, 400, "the server answered 404"),
        ({"url": "{web}/gone"}, 400, "the server answered 500"),
        ({"url": "{web}/text"}, 400, "the photo cannot be used"),
        ({"url": "{web}/large.jpg"}, 413, "the limit is 1,048,576"),
        ({"url": "https://elsewhere.example/a.jpg"}, 400, "see --fetch-host"),
        ({"url": "http://127.0.0.1:1/a.jpg"}, 400, "see --fetch-host"),
        ({"url": "https://user@127.0.0.1/"}, 400, "user name"),
        ({"url": "file:///etc/passwd"}, 400, "Of URLs only"),
        ({"url": "http://[::1"}, 400, "cannot be understood"),
        ({"url": "\x00"}, 400, "control characters"),
    ],
)
def test_a_url_that_leads_to_no_photo_is_refused_with_a_message(
    hma: Hma, params: dict[str, str], status: int, said: str
) -> None:
    answer = hma.http.get("h/hash", params={name: text.replace("{web}", hma.web.url) for name, text in params.items()})
    assert answer.status_code == status
    assert said in message(answer)


def test_a_flat_photo_at_a_url_has_no_hash(hma: Hma) -> None:
    assert hma.http.get("h/hash", params={"url": f"{hma.web.url}/flat.png"}).json() == {"pdq": ""}


def test_a_redirect_is_followed_to_an_allowed_host_alone(hma: Hma) -> None:
    with WebServer(pages()) as other:
        hma.web.pages["/there"] = Page(statuses=[302], headers={"Location": f"{other.url}/a.jpg"})
        hma.web.pages["/here"] = Page(statuses=[302], headers={"Location": "/a.jpg"})
        refused = hma.http.get("h/hash", params={"url": f"{hma.web.url}/there"})
        assert hma.http.get("h/hash", params={"url": f"{hma.web.url}/here"}).status_code == 200
    assert refused.status_code == 400
    assert "see --fetch-host" in message(refused)
    assert other.asked == []


@pytest.mark.slow
def test_addresses_of_this_machine_and_private_ones_take_a_word_more(drawn_world: Path, tmp_path: Path) -> None:
    for hma in speaking(tmp_path, drawn_world, allow_private=False):
        answer = hma.http.get("h/hash", params={"url": f"{hma.web.url}/a.jpg"})
        assert "not a public address" in message(answer)
        assert hma.web.asked == []


def test_nothing_is_fetched_where_no_host_was_named(drawn_world: Path, tmp_path: Path) -> None:
    for hma in speaking(tmp_path, drawn_world, fetch_hosts=()):
        for path in ("h/hash", "m/lookup"):
            answer = hma.http.get(path, params={"url": f"{hma.web.url}/a.jpg"})
            assert answer.status_code == 400
            assert "see --fetch-host" in message(answer)
        assert hma.web.asked == []


@pytest.mark.parametrize(
    ("host", "url", "allowed"),
    [
        ("media.example", "https://media.example/a?b#c", True),
        ("Media.Example", "https://media.example/", True),
        ("https://media.example", "https://media.example:443/", True),
        ("media.example", "http://media.example/", False),
        ("media.example", "https://media.example:8443/", False),
        ("media.example", "https://media.example./", False),
        ("media.example", "https://media.example.evil/", False),
        ("media.example", "https://evil.media.example/", False),
        ("media.example", "https://evil/media.example", False),
        ("media.example", "https://media.example@evil/", False),
        ("media.example", "https://evil\\.media.example/", False),
        ("media.example:8443", "https://media.example:8443/", True),
        ("http://media.example", "http://media.example/", True),
        ("http://media.example", "https://media.example/", False),
        ("*.media.example", "https://a.b.media.example/", True),
        ("*.media.example", "https://media.example/", False),
        ("*.media.example", "https://evilmedia.example/", False),
        ("*.media.example", "https://evil\\.media.example/", False),
        ("*.media.example", "https://evil/.media.example", False),
        ("[::1]:80", "https://[::1]:80/", True),
        ("127.0.0.1", "https://127.0.0.1:99999/", False),
        ("127.0.0.1", "https://[127.0.0.1/", False),
    ],
)
def test_a_host_allows_its_own_urls_alone(host: str, url: str, allowed: bool) -> None:  # noqa: FBT001 -- a case
    assert FetchHost.of(host).allows(url) == allowed


@pytest.mark.parametrize(
    "text",
    ["", "a b", "ftp://a", "media.example/x", "a:0", "a:99999", "a:", "*", "*.", "a@b", "https://", "-a", "ä.example"],
)
def test_what_is_no_host_is_no_host(text: str) -> None:
    with pytest.raises(ValueError, match="is no host"):
        FetchHost.of(text)


def test_each_photo_counts_for_who_asks_too_often(drawn_world: Path, tmp_path: Path) -> None:
    for hma in speaking(tmp_path, drawn_world, checks_a_minute=2):
        statuses = [hma.http.get("h/hash", params={"url": f"{hma.web.url}/a.jpg"}).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        late = hma.http.get("m/lookup", params={"signal": "0" * 64, "signal_type": "pdq"})
        assert "more than 2 times a minute" in message(late)
        assert int(late.headers["Retry-After"]) > 0
