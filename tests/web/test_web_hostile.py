"""Whatever is sent to the server, it answers with what its description says, and lives on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from serving import Served, picture, served

from imgmatch.model import Scope, account_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def guarded(world: Path) -> Iterator[Served]:
    with served(world, upload_bytes=1 << 20) as server:
        yield server


def described(server: Served) -> list[Any]:
    schema = schemathesis.openapi.from_url(f"{server.url}/api/v1/openapi.json")
    return [found.ok() for found in schema.get_all_operations() if isinstance(found, schemathesis.core.result.Ok)]


@pytest.mark.slow
def test_every_answer_is_one_that_the_description_names(guarded: Served) -> None:
    """The same requests in each run, valid ones and others."""
    token = guarded.index.people.add_token("schemathesis", list(Scope)).secret
    tried = set()
    for operation in described(guarded):

        @hypothesis.settings(max_examples=15, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
        @hypothesis.given(case=operation.as_strategy())
        def ask(case: Any) -> None:  # noqa: ANN401 -- of an operation
            answer = case.call(headers={"Authorization": f"Bearer {token}"}, base_url=guarded.url)
            case.validate_response(answer, checks=CHECKS)

        ask()
        tried.add(operation.label)
    assert len(tried) >= 20
    with guarded.client(token) as http:
        assert http.get("/api/v1/status").json()["photos"] >= 11


@pytest.mark.shared
@pytest.mark.slow
def test_no_hostile_file_ends_the_server(guarded: Served, shared: Path) -> None:
    files = sorted(path for path in (shared / "hostile").rglob("*") if path.is_file())
    assert len(files) > 20
    with guarded.client() as http:
        for path in files:
            sent = {"photo": (path.name, path.read_bytes())}
            answer = http.post("/api/v1/check", files=sent)
            assert answer.status_code in {200, 413}, path
            kept = http.post("/checks", files=sent)
            assert kept.status_code in {200, 413, 422}, path
            if kept.status_code == 200:
                assert http.get(kept.json()["url"], headers={"Accept": "text/html"}).status_code == 200, path
                assert http.get(f"{kept.json()['url']}/picture/0").status_code in {200, 404}, path
        assert http.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"--x\r\n", b"--x--\r\n", b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\nabc',
     b"--x\r\n" * 5_000, b"\x00" * 10_000, b"--x\r\nContent-Disposition: " + b"a" * 100_000 + b"\r\n\r\n\r\n--x--\r\n"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a form cut off leaves a file to Python
def test_a_form_that_is_none_is_refused(reading: Served, body: bytes) -> None:
    with reading.client() as http:
        answer = http.post("/api/v1/check", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["<script>.jpg", "\u202egpj.exe", "x" * 1_000, "../../etc/passwd", "a\nb", "\x00"])
def test_a_name_of_a_photo_is_a_name_and_nothing_else(reading: Served, name: str) -> None:
    with reading.client() as http:
        kept = http.post("/checks", files={"photo": (name, picture(1, 50))})
        text = http.get(kept.json()["url"], headers={"Accept": "text/html"}).text
    assert "On 4 accounts" in text
    assert "<script>." not in text
    assert "\u202e" not in text


@pytest.mark.slow
def test_accounts_of_any_name_have_a_page(server: Served) -> None:
    names = ["a/b", "..", "a?b=c&d", "<i>", "x" * 900, "%2e%2e", "\u202ea", "a b", "😀", "'\""]
    with server.client() as http:
        for place, name in enumerate(names):
            sent = {"photo": ("x.jpg", picture(40, 50 + place))}
            added = http.put("/api/v1/photo", params={"photo_id": f"odd/{place}"}, files=sent, data={"account": name})
            assert added.status_code == 200, name
        server.index.rings()
        for name in names:
            assert http.get("/api/v1/account", params={"id": name}).json()["account"] == account_id(name)
            page = http.get("/account", params={"id": name}, headers={"Accept": "text/html"})
            assert page.status_code == 200
            assert "<i></a>" not in page.text
        [ring] = [one for one in server.index.queue().rings if one.accounts == len(names)]
        assert http.get(f"/rings/{ring.ring}", headers={"Accept": "text/html"}).status_code == 200
