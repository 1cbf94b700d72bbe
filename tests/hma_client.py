"""A server that speaks HMA, its client with a token in the path, and a web server whose photos it may fetch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import photos
import pytest
from serving import Served, copied, picture, served
from web_server import Page, WebServer

from imgmatch.index import Index
from imgmatch.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx  # noqa: TC004 -- for an annotation alone

ASKED = 21
"""The seed of a picture that no account has."""


@dataclass(frozen=True)
class Hma:
    """A server, as one of HMA's clients knows it.

    Attributes:
        served: it.
        token: what may do all that such a client does.
        http: asks with the token in the path.
        web: what it may fetch photos from.
    """

    served: Served
    token: str
    http: httpx.Client
    web: WebServer

    @property
    def index(self) -> Index:
        return self.served.index

    def bank(self, name: str, ratio: float = 1.0) -> str:
        """Make a bank."""
        made = self.http.post("c/banks", json={"name": name, "enabled_ratio": ratio})
        assert made.status_code == 201, made.text
        return name

    def add(self, bank: str, pdq: str) -> int:
        """Put a hash on a bank; returns its number."""
        added = self.http.post(f"c/bank/{bank}/signal", json={"pdq": pdq})
        assert added.status_code == 200, added.text
        return int(added.json()["id"])

    def lookup(self, pdq: str, **more: Any) -> Any:  # noqa: ANN401 -- JSON
        """What a hash hits."""
        found = self.http.get("m/lookup", params={"signal": pdq, "signal_type": "pdq", **more})
        assert found.status_code == 200, found.text
        return found.json()


def pages() -> dict[str, Page]:
    image = {"Content-Type": "image/jpeg"}
    return {
        "/a.jpg": Page(picture(ASKED), image),
        "/large.jpg": Page(b"\xff\xd8" + bytes(4 << 20), image),
        "/flat.png": Page(photos.png(photos.flat()), image),
        "/text": Page(b"no photo", {"Content-Type": "text/plain"}),
        "/gone": Page(statuses=[500]),
    }


def speaking(home: Path, world: Path, **settings: Any) -> Iterator[Hma]:  # noqa: ANN401 -- of ServeSettings
    """A server over a copy of an index."""
    copy = copied(world, home)
    with Index.open(copy) as index:
        token = index.people.add_token("coop", [Scope.CHECK, Scope.READ, Scope.WRITE]).secret or ""
    with WebServer(pages()) as web:
        wanted = {"fetch_hosts": (web.url,), "allow_private": True, "upload_bytes": 1 << 20, **settings}
        with served(copy, **wanted) as server, server.client() as http:
            http.base_url = f"{server.url}/t/{token}/"
            yield Hma(server, token, http, web)


@pytest.fixture(scope="module")
def hma(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hma]:
    """One for the tests of a module, each of which makes its own banks."""
    yield from speaking(tmp_path_factory.mktemp("hma"), drawn_world)


def message(answer: httpx.Response) -> str:
    """What an error says; it is JSON, and holds that alone."""
    assert answer.status_code >= 400
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["message"]
    return str(body["message"])
