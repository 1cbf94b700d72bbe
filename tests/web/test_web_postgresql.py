"""Two servers, each a process with engine files of its own, over one index in PostgreSQL."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from serving import picture, serving_process

from imgmatch.index import Index
from imgmatch.model import NewPhoto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser
    from postgresql_server import Server


@contextmanager
def serving(home: str, folder: Path) -> Iterator[str]:
    """A server process of a machine of its own; its URL, once it is ready."""
    with serving_process(home, folder, environment={"IMGMATCH_ENGINES": str(folder / "engines")}) as (_, url):
        with httpx.Client(transport=httpx.HTTPTransport(retries=20)) as client:
            while client.get(f"{url}/readyz", timeout=60).status_code != 200:
                pass
        yield url


def said(url: str, path: str, **options: Any) -> Any:  # noqa: ANN401 -- whatever the API answers
    return httpx.get(f"{url}{path}", timeout=60, **options).raise_for_status().json()


@pytest.mark.slow
def test_what_is_done_at_one_server_is_seen_at_the_other_at_once(
    world: Path, postgresql: Server, tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = postgresql.database()
    monkeypatch.setenv("IMGMATCH_ENGINES", str(tmp_path / "mine"))
    with Index.open(world) as index:
        index.copy(home)
        [ring, *_] = [one for one in index.rings().rings if one.first_account == "mia"]
    with serving(home, tmp_path / "one") as one, serving(home, tmp_path / "two") as two:
        assert said(one, "/api/v1/rings") == said(two, "/api/v1/rings")
        page = browser.new_page()
        page.goto(f"{one}/rings/{ring.ring}")
        page.keyboard.press("d")
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.getElementById('toast').innerText.includes('dismissed')")
        page.close()
        [made] = said(two, "/api/v1/decisions")["decisions"]
        assert (made["verdict"], made["subject"]) == ("dismiss", ring.ring)
        photo = tmp_path / "new.jpg"
        photo.write_bytes(picture(3, 70))
        with Index.open(home) as index:  # a third machine adds a photo
            index.add([NewPhoto.at(photo, account="newcomer")])
        for url in (one, two):
            found = httpx.post(f"{url}/api/v1/check", files={"photo": ("x.jpg", picture(3, 60))}, timeout=60).json()
            assert {match["account"] for match in found["results"][0]["matches"]} == {"tom", "tim", "newcomer"}
