"""Whatever is sent to the routes of HMA, they answer in JSON, never with 500, and live on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
import schemathesis
from hma_client import Hma, message
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance
from serving import picture

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

HASH = "ab" * 32


@pytest.fixture(scope="module")
def entry(hma: Hma) -> int:
    return hma.add(hma.bank("HOSTILE"), HASH)


@pytest.mark.slow
def test_every_answer_is_one_that_the_description_names(hma: Hma) -> None:
    """The same requests in each run, valid ones and others."""
    schema = schemathesis.openapi.from_url(f"{hma.served.url}/openapi/openapi.json")
    tried = set()
    described = [one.ok() for one in schema.get_all_operations() if isinstance(one, schemathesis.core.result.Ok)]
    for operation in described:

        @hypothesis.settings(max_examples=12, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
        @hypothesis.given(case=operation.as_strategy())
        def ask(case: Any) -> None:  # noqa: ANN401 -- of an operation
            answer = case.call(headers={"Authorization": f"Bearer {hma.token}"}, base_url=hma.served.url)
            case.validate_response(
                answer, checks=[not_a_server_error, status_code_conformance, content_type_conformance]
            )

        ask()
        tried.add(operation.label)
    assert len(tried) >= 25


BODIES = [
    b"", b"null", b"[", b"[" * 100_000, b"{" * 1_000, b'{"name": NaN}', b'{"name": Infinity}', b"\xff\xfe\x00",
    b'{"name": "\\ud800"}', b'{"note": "\\ud800", "pdq": "' + HASH.encode() + b'"}', b'{"\\ud800": 1}', b"1" * 5_000,
    b'{"enabled_ratio": 1' + b"0" * 5_000 + b"}", b'{"name": "' + b"A" * 500_000 + b'"}', b"\x00" * 1_000,
    b'{"pdq": ["' + HASH.encode() + b'", "\\u0000"]}', b'{"disable_until_ts": 1e400}', b'{"note": "\\u0000"}',
]  # fmt: skip
"""Of no use to anybody."""


@pytest.mark.slow
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_no_body_makes_a_route_fail(hma: Hma, entry: int, body: bytes, kind: str) -> None:
    for method, path in (
        ("POST", "c/banks"),
        ("PUT", "c/bank/HOSTILE"),
        ("POST", "c/bank/HOSTILE/signal"),
        ("PUT", f"c/bank/HOSTILE/content/{entry}"),
        ("POST", "c/bank/HOSTILE/content"),
        ("POST", "c/bank/HOSTILE/content?url=x"),
        ("POST", "c/exchanges"),
        ("PUT", "c/exchange/HOSTILE"),
        ("POST", "m/compare"),
        ("POST", "m/lookup"),
        ("POST", "h/hash"),
    ):
        lives(hma.http.request(method, path, content=body, headers={"Content-Type": kind}))


@pytest.mark.parametrize(
    "name", ["A" * 5_000, "\u202e", "%00", "%ff%fe", "%2e%2e", "a%0ab", "😀", "' OR 1=1 --", "A%20"]
)
def test_no_name_makes_a_route_fail(hma: Hma, name: str) -> None:
    for method, path in (
        ("GET", f"c/bank/{name}"),
        ("PUT", f"c/bank/{name}"),
        ("DELETE", f"c/bank/{name}"),
        ("POST", f"c/bank/{name}/signal"),
        ("GET", f"c/bank/{name}/content/1"),
        ("GET", f"c/exchange/{name}"),
        ("DELETE", f"c/exchange/{name}"),
        ("GET", f"c/exchanges/api/{name}"),
        ("GET", f"m/lookup?signal_type={name}&signal={name}&banks={name}&url="),
        ("GET", f"m/index/status?signal_type={name}"),
        ("GET", f"h/hash?url={name}&types={name}&content_type={name}"),
    ):
        lives(hma.http.request(method, path))


@pytest.mark.slow
@given(number=st.one_of(st.integers(), st.floats(), st.text(max_size=30)))
def test_no_number_makes_a_route_fail(hma: Hma, entry: int, number: float | str) -> None:
    import json  # noqa: PLC0415 -- of this test alone

    body = json.dumps({"disable_until_ts": number, "enabled_ratio": number, "enabled": number})
    for path in ("c/bank/HOSTILE", f"c/bank/HOSTILE/content/{entry}"):
        lives(hma.http.put(path, content=body.encode()))


@pytest.mark.parametrize(
    "body",
    [b"", b"--x\r\n", b"--x--\r\n", b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\nabc',
     b"--x\r\n" * 5_000, b"--x\r\nContent-Disposition: " + b"a" * 100_000 + b"\r\n\r\n\r\n--x--\r\n"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a form cut off leaves a file to Python
def test_a_form_that_is_none_is_refused(hma: Hma, body: bytes) -> None:
    for path in ("h/hash", "m/lookup", "c/bank/HOSTILE/content"):
        answer = hma.http.post(path, content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
        assert 400 <= answer.status_code < 500
        message(answer)


@pytest.mark.parametrize("name", ["<script>.jpg", "\u202egpj.exe", "x" * 2_000, "../../etc/passwd", "a\nb", "\x00"])
def test_a_name_of_a_photo_is_a_name_and_nothing_else(hma: Hma, entry: int, name: str) -> None:
    added = hma.http.post("c/bank/HOSTILE/content", files={"photo": (name, picture(50))})
    assert added.status_code == 200, added.text
    assert added.json()["id"] >= entry


@pytest.mark.shared
@pytest.mark.slow
def test_no_hostile_file_makes_a_route_fail(hma: Hma, entry: int, shared: Path) -> None:
    del entry
    files = sorted(path for path in (shared / "hostile").rglob("*") if path.is_file())
    assert len(files) > 20
    for path in files:
        sent = {"photo": (path.name, path.read_bytes())}
        for route in ("h/hash", "m/lookup", "c/bank/HOSTILE/content"):
            lives(hma.http.post(route, files=sent))
    assert hma.http.get("c/banks").status_code == 200


def lives(answer: httpx.Response) -> None:
    """It is no failure of the server, and in JSON."""
    assert answer.status_code < 500, (answer.request.url, answer.text)
    assert answer.headers["content-type"] == "application/json"
    if answer.status_code >= 400:
        message(answer)
    else:
        answer.json()
