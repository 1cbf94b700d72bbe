from __future__ import annotations

import contextlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from serving import PASSWORD, Served, picture, served
from sqlalchemy import update

from imgmatch.catalog import schema
from imgmatch.catalog.times import now
from imgmatch.model import Role, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SENT = {"photo": ("x.jpg", picture(1, 50))}
HTML = {"Accept": "text/html"}


@pytest.fixture
def guarded(server: Served) -> Served:
    """A server that has users."""
    for name, role in (("vera", Role.VIEWER), ("max", Role.MODERATOR), ("ada", Role.ADMIN)):
        server.index.people.add_user(name, role, PASSWORD)
    return server


@pytest.fixture
def http(guarded: Served) -> Iterator[httpx.Client]:
    with guarded.client() as client:
        yield client


def log_in(http: httpx.Client, name: str, password: str = PASSWORD, **more: str) -> httpx.Response:
    return http.post("/login", data={"name": name, "password": password, **more})


def csrf(http: httpx.Client) -> dict[str, str]:
    """What a page tells its scripts to send along."""
    page = http.get("/rings", headers=HTML).text
    return {"X-Imgmatch-CSRF": page.partition('name="csrf" content="')[2].partition('"')[0]}


def test_nobody_comes_in_without_saying_who_he_is(http: httpx.Client) -> None:
    for path in ("/api/v1/rings", "/api/v1/status", "/metrics", "/api/v1/picture?photo_id=p00", "/api/v1/audit"):
        answer = http.get(path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="imgmatch"')
    assert http.post("/api/v1/check", files=SENT).status_code == 401
    assert http.get("/healthz").status_code == http.get("/readyz").status_code == 200


def test_a_page_leads_to_the_form_and_the_form_back_to_the_page(http: httpx.Client) -> None:
    asked = http.get("/rings?order=largest", headers=HTML)
    assert (asked.status_code, asked.headers["location"].partition("/login")[2]) == (
        303,
        "?next=%2Frings%3Forder%3Dlargest",
    )
    form = http.get(asked.headers["location"], headers=HTML)
    assert 'name="next" value="/rings?order=largest"' in form.text
    entered = log_in(http, "max", next="/rings?order=largest")
    assert (entered.status_code, entered.headers["location"]) == (303, "/rings?order=largest")
    assert http.get("/rings", headers=HTML).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "", "/\nx", "/a\\b"]
)
def test_the_form_leads_to_no_page_of_others(http: httpx.Client, path: str) -> None:
    assert log_in(http, "max", next=path).headers["location"] == "/"


def test_a_cookie_is_for_this_server_alone_and_for_no_script(http: httpx.Client) -> None:
    cookie = log_in(http, "max").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie  # the test speaks plain HTTP


def test_a_wrong_password_is_said_and_after_some_one_has_to_wait(http: httpx.Client) -> None:
    for _ in range(5):
        refused = log_in(http, "max", "wrong password")
        assert refused.status_code == 401
        assert "Name and password do not belong together" in refused.text
    late = log_in(http, "max")
    assert (late.status_code, late.headers["retry-after"]) == (429, "900")
    assert "set-cookie" not in late.headers


def test_what_writes_needs_what_only_our_page_knows(guarded: Served, http: httpx.Client) -> None:
    log_in(http, "max")
    query = {"verdict": "confirm", "ring": guarded.ring("tom")}
    without = http.post("/api/v1/decisions", json=query)
    wrong = http.post("/api/v1/decisions", json=query, headers={"X-Imgmatch-CSRF": "0" * 64})
    foreign = http.post("/api/v1/decisions", json=query, headers=csrf(http) | {"Origin": "https://evil.example"})
    crossed = http.post("/api/v1/decisions", json=query, headers=csrf(http) | {"Sec-Fetch-Site": "cross-site"})
    assert [one.status_code for one in (without, wrong, foreign, crossed)] == [403] * 4
    assert guarded.index.decisions() == []
    assert http.post("/api/v1/decisions", json=query, headers=csrf(http)).status_code == 201
    assert guarded.index.decisions()[0].by == "max"


def test_no_other_site_logs_somebody_in(http: httpx.Client) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        refused = http.post("/login", data={"name": "max", "password": PASSWORD}, headers=headers)
        assert refused.status_code == 403
        assert "set-cookie" not in refused.headers


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("vera", {"read", "check"}),
        ("max", {"read", "check", "decide"}),
        ("ada", {"read", "check", "decide", "write", "admin"}),
    ],
)
def test_each_role_may_do_what_it_is_for(guarded: Served, http: httpx.Client, name: str, may: set[str]) -> None:
    log_in(http, name)
    headers = csrf(http)
    answers = {
        "read": http.get("/api/v1/rings"),
        "check": http.post("/api/v1/check", files=SENT, headers=headers),
        "decide": http.post(
            "/api/v1/decisions", json={"verdict": "dismiss", "ring": guarded.ring("tom")}, headers=headers
        ),
        "write": http.delete("/api/v1/photo?photo_id=none", headers=headers),
        "admin": http.get("/api/v1/audit"),
    }
    assert {scope for scope, answer in answers.items() if answer.is_success} == may
    assert {answer.status_code for scope, answer in answers.items() if scope not in may} <= {403}


@pytest.mark.slow
@pytest.mark.parametrize("scope", list(Scope))
def test_a_token_may_do_what_its_scopes_say(guarded: Served, scope: Scope) -> None:
    token = guarded.index.people.add_token("bot", [scope])
    with guarded.client(token.secret) as http:
        answers = {
            Scope.READ: http.get("/api/v1/rings"),
            Scope.CHECK: http.post("/api/v1/check", files=SENT),
            Scope.DECIDE: http.post("/api/v1/decisions", json={"verdict": "dismiss", "ring": guarded.ring("tom")}),
            Scope.WRITE: http.delete("/api/v1/photo?photo_id=none"),
            Scope.ADMIN: http.get("/api/v1/audit"),
        }
    assert [one for one, answer in answers.items() if answer.is_success] == [scope]
    assert {answer.status_code for one, answer in answers.items() if one != scope} == {403}


def test_a_token_that_is_forged_has_ended_or_was_revoked_is_refused(guarded: Served) -> None:
    people = guarded.index.people
    token = people.add_token("bot", [Scope.READ])
    assert token.secret is not None
    for secret in (token.secret[:-1], token.secret + "x", "x", "imgmatch_", "\u00e9"):
        with guarded.client() as http:
            answer = http.get("/api/v1/rings", headers={b"Authorization": f"Bearer {secret}".encode()})
        assert (answer.status_code, answer.json()["detail"]) == (401, "this token is not known, or has ended")
    with guarded.index.parts.catalog.write() as session:
        session.sql.execute(update(schema.api_tokens).values(expires_at=now() - 1))
    with guarded.client(token.secret) as http:
        assert http.get("/api/v1/rings").status_code == 401
    people.remove_token("bot")
    again = people.add_token("bot", [Scope.READ])
    with guarded.client(token.secret) as http:
        assert http.get("/api/v1/rings").status_code == 401
    with guarded.client(again.secret) as http:
        assert http.get("/api/v1/rings").status_code == 200


def test_a_login_that_is_forged_or_over_is_none(guarded: Served, http: httpx.Client) -> None:
    log_in(http, "max")
    assert http.get("/api/v1/rings").status_code == 200
    with guarded.client(cookies={"imgmatch_login": "forged"}) as other:
        assert other.get("/api/v1/rings").status_code == 401
    assert http.post("/logout").status_code == 403  # not by another site
    assert http.post("/logout", headers=csrf(http)).status_code == 204
    assert http.get("/api/v1/rings").status_code == 401
    actions = [entry.action for entry in guarded.index.people.audit(limit=9)]
    assert actions[:2] == ["logout", "login"]


@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        ({"is_open": False}, {}),
        ({}, {"X-Forwarded-For": "6.6.6.6"}),
        ({}, {"Forwarded": "for=6.6.6.6"}),
        ({}, {"X-Real-IP": "6.6.6.6"}),
    ],
)
def test_what_a_proxy_passes_on_is_not_from_this_machine(
    world: Path, settings: dict[str, Any], headers: dict[str, str]
) -> None:
    with served(world, **settings) as server, server.client() as http:
        assert http.get("/api/v1/audit", headers=headers).status_code == 401
        assert http.post("/api/v1/erasures", json={"account": "lone"}, headers=headers).status_code == 401


def test_nobody_sends_photos_before_it_is_known_who_that_is(guarded: Served, http: httpx.Client) -> None:
    sent = []

    def body() -> Iterator[bytes]:
        for _ in range(1_000):
            sent.append(1)
            yield b"x" * 65_536

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    for path in ("/checks", "/api/v1/check", "/api/v1/compare"):
        with contextlib.suppress(httpx.TransportError):  # it may be cut off while it is sending
            assert http.post(path, content=body(), headers=headers).status_code == 401
    assert len(sent) < 900
    assert http.post("/api/v1/decisions", content=body(), headers=headers).status_code in {401, 413}
    assert guarded.service.gate.inside == 0


def test_the_form_is_reached_by_a_path_of_our_own_whatever_a_proxy_says(world: Path) -> None:
    with served(world, is_open=False, proxies=("127.0.0.0/8",)) as server, server.client() as http:
        answer = http.get("/account?id=mia", headers=HTML | {"Host": "localhost", "X-Forwarded-Proto": "https"})
        assert answer.headers["location"] == "/login?next=%2Faccount%3Fid%3Dmia"
        looped = http.get("/login", headers=HTML | {"Authorization": "Bearer none"})
    assert looped.status_code == 200


@pytest.mark.slow
def test_many_guesses_at_once_are_counted_all_the_same(guarded: Served) -> None:
    def guess(_: int) -> int:
        with guarded.client() as http:
            return log_in(http, "max", "wrong password").status_code

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(guess, range(32)))
    assert sorted(set(answers)) == [401, 429]
    assert answers.count(401) == 5


def test_whoever_guesses_from_elsewhere_does_not_lock_the_owner_out(world: Path) -> None:
    with served(world, is_open=False, proxies=("127.0.0.1",)) as server, server.client() as http:
        server.index.people.add_user("max", Role.VIEWER, PASSWORD)
        forms = [{"name": "max", "password": "wrong password"}, {"name": "max", "password": PASSWORD}]
        for _ in range(6):
            last = http.post("/login", data=forms[0], headers={"X-Forwarded-For": "6.6.6.6"})
        assert last.status_code == 429
        assert http.post("/login", data=forms[1], headers={"X-Forwarded-For": "7.7.7.7"}).status_code == 303
        server.index.people.change_user("max", password=PASSWORD[::-1])
        again = {"name": "max", "password": PASSWORD[::-1]}
        assert http.post("/login", data=again, headers={"X-Forwarded-For": "6.6.6.6"}).status_code == 303


def test_an_index_that_is_gone_or_another_one_is_no_more_written_to(world: Path) -> None:
    with served(world) as server, server.client() as http:
        query = {"verdict": "dismiss", "ring": server.ring("tom")}
        shutil.move(world, world.parent / "old")
        assert http.post("/api/v1/decisions", json=query).status_code == 503
        shutil.copytree(world.parent / "old", world)
        answers = [http.post("/api/v1/decisions", json=query), http.get("/api/v1/rings"), http.get("/readyz")]
        assert [answer.status_code for answer in answers] == [503] * 3
        assert "another one is in its place" in answers[0].json()["detail"]
        assert str(world) not in answers[0].json()["detail"]


def test_where_nobody_is_named_this_machine_may_do_everything_and_other_sites_nothing(server: Served) -> None:
    query = {"verdict": "dismiss", "ring": server.ring("tom")}
    with server.client() as http:
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}):
            assert http.post("/api/v1/decisions", json=query, headers=headers).status_code in {403, 421}
        assert server.index.decisions() == []
        assert http.post("/api/v1/decisions", json=query).status_code == 201


def test_a_server_that_is_reached_from_elsewhere_is_open_to_nobody(world: Path) -> None:
    with served(world, local=False, is_open=False) as server, server.client() as http:
        assert http.get("/api/v1/rings").status_code == 401


def test_a_name_that_is_not_ours_is_refused(world: Path) -> None:
    with served(world, local=False, is_open=False, hosts=("Photos.Example",)) as server, server.client() as http:
        for host in ("evil.example", "[", "", "photos.example.evil.example"):
            assert http.get("/healthz", headers={"Host": host}).status_code == 421
        assert http.get("/healthz").status_code == 200  # whoever looks from this machine whether it is alive
        assert http.get("/healthz", headers={"Host": "photos.example:8443"}).status_code == 200


@pytest.mark.slow
def test_only_a_trusted_proxy_names_the_user(world: Path) -> None:
    header = {"X-Remote-User": "max"}
    for proxies, status in (((), 401), (("10.0.0.1",), 401), (("127.0.0.1",), 200)):
        with (
            served(world, local=False, is_open=False, user_header="X-Remote-User", proxies=proxies) as server,
            server.client() as http,
        ):
            if server.index.people.user("max") is None:
                server.index.people.add_user("max", Role.VIEWER, None)
            assert http.get("/api/v1/rings", headers=header).status_code == status
            assert http.get("/api/v1/rings", headers={"X-Remote-User": "nobody"}).status_code == 401
            assert http.get("/api/v1/rings").status_code == 401
            passed_on = header | {"Authorization": "Bearer of-the-proxy"}
            assert http.get("/api/v1/rings", headers=passed_on).status_code == status


def test_behind_a_proxy_with_https_the_cookie_is_for_https_alone(world: Path) -> None:
    with served(world, local=False, is_open=False, proxies=("127.0.0.1",)) as server, server.client() as http:
        server.index.people.add_user("max", Role.VIEWER, PASSWORD)
        form = {"name": "max", "password": PASSWORD}
        cookie = http.post("/login", data=form, headers={"X-Forwarded-Proto": "https"}).headers["set-cookie"]
    assert "secure" in cookie.lower()


def test_every_answer_tells_browsers_to_be_careful(reading: Served) -> None:
    with reading.client() as http:
        for path in ("/", "/api/v1/rings", "/nothing", "/login"):
            headers = http.get(path, headers=HTML).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")
            assert headers["cache-control"] == "no-store"
            assert len(headers["x-request-id"]) == 16


def test_a_request_that_is_too_large_is_refused_before_it_is_read(world: Path) -> None:
    with served(world, upload_bytes=100_000) as server, server.client() as http:
        large = http.post("/api/v1/check", files={"photo": ("x.jpg", b"\0" * 200_000)})
        endless = http.post(
            "/api/v1/decisions",
            content=(b" " * 65_536 for _ in range(40)),
            headers={"Content-Type": "application/json"},
        )
        fits = http.post("/api/v1/check", files=SENT)
    assert [answer.status_code for answer in (large, endless, fits)] == [413, 413, 200]
    assert large.json()["detail"] == "this request is larger than the server takes"


def test_more_photos_than_may_come_at_once_are_refused(world: Path) -> None:
    with served(world, most_photos=2) as server, server.client() as http:
        sent = [("photo", (f"{number}.jpg", b"x")) for number in range(3)]
        answer = http.post("/api/v1/check", files=sent)
    assert (answer.status_code, answer.json()["detail"]) == (422, "refused: a request brings 2 photos at the most")
