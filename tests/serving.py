"""A server in a thread of the test, over a small index of drawn photos."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import photos
import pytest
from PIL import ImageOps

from imgmatch.index import Index
from imgmatch.model import NewPhoto, QueueState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from socket import socket

    import httpx

DAY_ONE = datetime(2026, 1, 1, tzinfo=UTC)
SIZE = (160, 200)
PASSWORD = "correct horse battery"  # noqa: S105 -- of nobody


def picture(seed: int, quality: int = 85, *, mirrored: bool = False) -> bytes:
    image = photos.picture(seed, SIZE)
    return photos.jpeg(ImageOps.mirror(image) if mirrored else image, quality)


WORLD = (
    # account, name, picture, quality, mirrored, day
    ("mia", "Mia", 1, 90, False, 0),
    ("lena", "Lena", 1, 60, True, 40),
    ("anna", "Anna", 1, 40, False, 42),
    ("kate", None, 1, 70, False, 44),
    ("anna", "Anna", 2, 80, False, 50),
    ("kate", None, 2, 50, False, 51),
    ("tom", "Tom", 3, 80, False, 5),
    ("tim", "Tim", 3, 50, False, 6),
    ("joe", "Joe", 4, 80, False, 20),
    ("jim", "Jim", 4, 50, False, 90),
    ("lone", "<b>Lone</b> \u202emoT", 9, 80, False, 1),
)
"""Three rings, led by mia, tom and joe, and an account that shares nothing."""


def make_world(home: Path) -> Path:
    """An index of these photos whose rings are kept; returns its folder."""
    folder = home / "photos"
    folder.mkdir(parents=True)
    planted = []
    for number, (account, name, seed, quality, mirrored, day) in enumerate(WORLD):
        path = folder / f"{number}.jpg"
        path.write_bytes(picture(seed, quality, mirrored=mirrored))
        seen_at = DAY_ONE + timedelta(days=day)
        planted.append(NewPhoto.at(path, account=account, name=name, seen_at=seen_at, photo_id=f"p{number:02}"))
    with Index.create(home / "index") as index:
        index.add(planted)
        assert len(index.rings().rings) == 3
    return home / "index"


def copied(index: Path, home: Path) -> Path:
    """A copy of an index in a folder; the photos lie where they lay."""
    return Path(shutil.copytree(index, home / "index"))


@dataclass(frozen=True)
class Served:
    """A server that runs.

    Attributes:
        url: where.
        service: what it works with.
    """

    url: str
    service: Any

    @property
    def index(self) -> Index:
        found: Index = self.service.index
        return found

    def client(self, token: str | None = None, **options: Any) -> httpx.Client:  # noqa: ANN401 -- as httpx has them
        import httpx  # noqa: PLC0415 -- an extra

        headers = {"Accept": "application/json"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, **options)

    def ring(self, first_account: str) -> str:
        """The id of the ring that this account leads."""
        return next(
            one.ring for one in self.index.queue(state=QueueState.ALL).rings if one.first_account == first_account
        )


@contextmanager
def served(index: Path, **settings: Any) -> Iterator[Served]:  # noqa: ANN401 -- fields of ServeSettings
    """Serve an index until the block ends."""
    import uvicorn  # noqa: PLC0415 -- an extra

    from imgmatch.web.app import create_app  # noqa: PLC0415 -- likewise
    from imgmatch.web.settings import ServeSettings  # noqa: PLC0415 -- likewise

    uploads = index.parent / "uploads"
    app = create_app(ServeSettings(index=str(index), uploads=str(uploads), **settings))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False))
    ready = threading.Event()

    async def startup(sockets: list[socket] | None = None) -> None:
        await started(sockets)
        ready.set()

    started = server.startup
    server.startup = startup  # type: ignore[method-assign]  # to hear of it
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not ready.wait(0.1):
            assert thread.is_alive(), "the server could not be started"
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(f"http://127.0.0.1:{port}", app.state.service)
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


@contextmanager
def serving_process(
    home: Path | str, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server as its own process, which keeps what it is asked about in a folder, and its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "imgmatch", "--log-json", "serve", "--index", str(home), "--port", "0",
         "--workers", "1", "--uploads", str(folder / "kept"), *arguments],
        stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | dict(environment or {}),
    )  # fmt: skip
    try:
        assert process.stderr is not None
        port = next(json.loads(line)["port"] for line in process.stderr if "port" in json.loads(line))
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def drawn_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index that no test changes and none serves: pages note in its log what was looked at."""
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def reading(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server over a copy, where nobody is named: whoever is here may do everything, and tests only look."""
    with served(copied(drawn_world, tmp_path_factory.mktemp("reading"))) as server:
        yield server


@pytest.fixture
def world(drawn_world: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return copied(drawn_world, tmp_path)


@pytest.fixture
def server(world: Path) -> Iterator[Served]:
    """A server over that copy."""
    with served(world) as running:
        yield running
