from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import photos
import pytest
from click.testing import CliRunner
from serving import Served, picture, served

from imgmatch.cli.main import cli
from imgmatch.model import Scope, Verdict
from imgmatch.web.api import schemas

if TYPE_CHECKING:
    from pathlib import Path

MIRRORED = picture(1, 50, mirrored=True)


def printed(index: Path, *arguments: str) -> Any:  # noqa: ANN401 -- whatever JSON holds
    """What the command line prints as JSON."""
    result = CliRunner().invoke(cli, [*arguments, "--index", str(index), "--format", "json"])
    return json.loads(result.stdout)


@pytest.mark.slow
def test_a_check_answers_what_the_command_line_prints(reading: Served, tmp_path: Path) -> None:
    (tmp_path / "suspect.jpg").write_bytes(MIRRORED)
    with reading.client() as http:
        answer = http.post("/api/v1/check", files=[("photo", ("suspect.jpg", MIRRORED))])
    assert answer.status_code == 200
    [result] = answer.json()["results"]
    [expected] = printed(reading.service.settings.index_path, "check", str(tmp_path / "suspect.jpg"))
    assert result == expected | {"photo": "suspect.jpg"}
    assert list(result) == list(expected)
    assert {match["account"] for match in result["matches"]} == {"mia", "lena", "anna", "kate"}
    schemas.CheckAnswerShape.model_validate(answer.json())


def test_several_photos_are_one_profile(reading: Served) -> None:
    sent = [("photo", (f"{seed}.jpg", picture(seed, 55))) for seed in (1, 2, 8)]
    with reading.client() as http:
        answer = http.post("/api/v1/check", files=sent, data={"account": "mia"}).json()
    assert [one["status"] for one in answer["results"]] == ["match", "match", "no_match"]
    assert [(one["account"], one["photos"]) for one in answer["accounts"]] == [("anna", 2), ("kate", 2), ("lena", 1)]


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        (b"", "unreadable", "unreadable"),
        (b"no photo", "unreadable", "unreadable"),
        (photos.jpeg(photos.flat()), "not_searchable", "flat"),
    ],
)
def test_what_cannot_be_searched_is_an_answer(reading: Served, data: bytes, status: str, reason: str) -> None:
    with reading.client() as http:
        [result] = http.post("/api/v1/check", files={"photo": ("x.jpg", data)}).json()["results"]
    assert (result["status"], result["matches"]) == (status, [])
    assert result["reason"].startswith(reason)


def test_an_answer_that_comes_too_late_is_none(reading: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading  # noqa: PLC0415 -- for this alone

    goes_on = threading.Event()
    monkeypatch.setattr(type(reading.index), "check_many", lambda *_, **__: goes_on.wait(60) and [])
    with reading.client() as http:
        answer = http.post("/api/v1/check", files={"photo": ("x.jpg", MIRRORED)}, data={"deadline": "0.05"})
    assert (answer.status_code, answer.json()) == (200, {"complete": False, "results": [], "accounts": []})
    assert reading.service.gate.inside == 1  # it still goes on
    goes_on.set()


def test_more_checks_than_may_wait_are_sent_away(world: Path) -> None:
    with served(world, most_waiting=1) as server, server.client() as http:
        server.service.gate.enter()
        for path in ("/api/v1/check", "/api/v1/compare"):
            files = dict.fromkeys(("photo", "query", "stored"), ("x.jpg", MIRRORED))
            answer = http.post(path, files=files)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            assert answer.headers["content-type"] == "application/problem+json"
        server.service.gate.leave()
        assert http.post("/api/v1/check", files={"photo": ("x.jpg", MIRRORED)}).status_code == 200


def test_a_fingerprint_alone_can_be_asked_about(reading: Served) -> None:
    [hashed] = reading.index.hash([picture(1, 60)])
    with reading.client() as http:
        answer = http.post("/api/v1/check/fingerprint", json={"fingerprint": hashed.fingerprints["phash"]})
        wrong = http.post("/api/v1/check/fingerprint", json={"fingerprint": "12"})
    assert answer.status_code == 200
    assert {match["account"] for match in answer.json()["matches"]} == {"mia", "lena", "anna", "kate"}
    assert {match["mirrored"] for match in answer.json()["matches"]} == {False, True}
    assert wrong.status_code == 422


def test_two_photos_are_compared(reading: Served) -> None:
    with reading.client() as http:
        answer = http.post("/api/v1/compare", files={"query": ("a.jpg", MIRRORED), "stored": ("b.jpg", picture(1))})
        bad = http.post("/api/v1/compare", files={"query": ("a.jpg", b"junk"), "stored": ("b.jpg", picture(1))})
    assert (answer.json()["match"], answer.json()["mirrored"]) == (True, True)
    schemas.ComparisonShape.model_validate(answer.json())
    assert (bad.status_code, bad.json()["reason"]) == (422, "unreadable")
    assert "a.jpg" in bad.json()["detail"]


@pytest.mark.slow
def test_a_photo_is_added_once_whatever_how_often_it_is_sent(server: Served) -> None:
    new = {"photo": ("x.jpg", picture(7, 80))}
    form = {"account": "new", "name": "Nora", "seen_at": "2026-02-03T04:05:06Z"}
    with server.client() as http:
        states = [
            http.put("/api/v1/photo", params={"photo_id": "x/1"}, files=new, data=form).json()["state"]
            for _ in range(2)
        ]
        again = http.put("/api/v1/photo", params={"photo_id": "x/1"}, files=new, data={"account": "new"}).json()[
            "state"
        ]
        account = http.get("/api/v1/account", params={"id": "new"}).json()
        other = {"photo": ("x.jpg", picture(8, 80))}
        changed = http.put("/api/v1/photo", params={"photo_id": "x/1"}, files=other, data=form).json()["state"]
        found = http.post("/api/v1/check", files={"photo": ("y.jpg", picture(8, 40))}).json()["results"][0]
        removed = [http.delete("/api/v1/photo", params={"photo_id": "x/1"}).json()["removed"] for _ in range(2)]
        gone = http.get("/api/v1/account", params={"id": "new"})
    assert (*states, again, changed) == ("added", "unchanged", "unchanged", "updated")
    assert account["photos"][0]["seen_at"] == "2026-02-03T04:05:06Z"
    assert [match["photo_id"] for match in found["matches"]] == ["x/1"]
    assert removed == [1, 0]
    assert gone.status_code == 404


def test_a_photo_that_cannot_be_used_is_refused_with_its_reason(server: Served) -> None:
    with server.client() as http:
        answer = http.put(
            "/api/v1/photo", params={"photo_id": "bad"}, files={"photo": ("x.jpg", b"junk")}, data={"account": "new"}
        )
        no_zone = http.put(
            "/api/v1/photo",
            params={"photo_id": "bad"},
            files={"photo": ("x.jpg", picture(7))},
            data={"account": "new", "seen_at": "2026-02-03T04:05:06"},
        )
    assert (answer.status_code, answer.json()["reason"]) == (422, "unreadable")
    assert (no_zone.status_code, no_zone.json()["detail"]) == (422, "refused: seen_at needs a time zone")


def test_the_file_of_an_added_photo_is_kept_only_where_that_is_asked_for(world: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    for folder, note in ((None, "the file cannot be read; this is the stored thumbnail"), (kept, None)):
        with served(world, photos=None if folder is None else str(folder)) as server, server.client() as http:
            sent = {"photo": ("x.jpg", picture(7, 80 if folder is None else 81))}
            http.put("/api/v1/photo", params={"photo_id": "x"}, files=sent, data={"account": "new"})
            shown = http.get("/api/v1/picture", params={"photo_id": "x"})
            assert (shown.status_code, shown.headers.get("x-imgmatch-note")) == (200, note)
    assert len([path for path in kept.rglob("*") if path.is_file()]) == 1


def kept_files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


@pytest.mark.slow
def test_a_kept_file_goes_with_its_last_photo_and_a_photo_that_is_refused_leaves_none(
    world: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    with served(world, photos=str(kept)) as server, server.client() as http:

        def put(photo_id: str, data: bytes, account: str = "new") -> int:
            sent = {"photo": ("x.jpg", data)}
            return http.put(
                "/api/v1/photo", params={"photo_id": photo_id}, files=sent, data={"account": account}
            ).status_code

        assert (put("bad", b"junk"), kept_files(kept)) == (422, 0)
        assert (put("a", picture(7, 80)), put("b", picture(7, 80), "other"), kept_files(kept)) == (200, 200, 1)
        assert (put("a", picture(8, 80)), kept_files(kept)) == (200, 2)
        http.delete("/api/v1/photo", params={"photo_id": "a"})
        assert kept_files(kept) == 1
        assert http.post("/api/v1/erasures", json={"account": "other"}).json()["finished"]
        assert kept_files(kept) == 0


def test_a_photo_that_changes_hands_or_names_is_updated(server: Served) -> None:
    sent = {"photo": ("x.jpg", picture(7, 80))}
    with server.client() as http:
        states = [
            http.put("/api/v1/photo", params={"photo_id": "x"}, files=sent, data=form).json()["state"]
            for form in (
                {"account": "a"}, {"account": "a"}, {"account": "b"}, {"account": "b", "name": "Bo"},
                {"account": "b", "name": "Bo"}, {"account": "b", "seen_at": "2026-01-02T03:04:05Z"},
            )
        ]  # fmt: skip
    assert states == ["added", "unchanged", "updated", "updated", "unchanged", "updated"]


def test_made_up_methods_and_places_cost_nothing(reading: Served) -> None:
    import base64  # noqa: PLC0415 -- for this alone

    with reading.client() as http:
        for number in range(5):
            http.request(f"METHOD{number}", "/healthz")
        text = http.get("/metrics").text
        places = [b"[" + b"9" * 400 + b',1,"x"]', b'[NaN,1,"x"]', b'[Infinity,1,"x"]']
        answers = [
            http.get("/api/v1/rings", params={"after": base64.urlsafe_b64encode(one).decode()}) for one in places
        ]
    assert "METHOD" not in text
    assert 'method="OTHER"' in text
    assert [answer.status_code for answer in answers] == [422] * 3


@pytest.mark.slow
def test_eight_programs_add_photos_at_once_and_none_is_lost(server: Served) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 -- for this alone

    def add(number: int) -> str:
        with server.client() as http:
            sent = {"photo": ("x.jpg", picture(20 + number % 4, 60 + number))}
            answer = http.put(
                "/api/v1/photo", params={"photo_id": f"n{number}"}, files=sent, data={"account": f"a{number}"}
            )
            return str(answer.json()["state"])

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(add, range(16))) == {"added"}
    assert len(server.index) == 11 + 16


def test_a_stored_photo_is_shown_without_metadata_and_kept_by_nobody(reading: Served) -> None:
    with reading.client() as http:
        shown = http.get("/api/v1/picture", params={"photo_id": "p00", "side": 100})
        missing = http.get("/api/v1/picture", params={"photo_id": "nothing"})
    assert (shown.headers["content-type"], shown.headers["cache-control"]) == ("image/jpeg", "no-store")
    assert shown.content.startswith(b"\xff\xd8")
    assert b"Exif" not in shown.content
    assert missing.status_code == 404


def test_an_account_and_a_ring_and_the_queue_are_told(reading: Served) -> None:
    with reading.client() as http:
        account = http.get("/api/v1/account", params={"id": "anna"})
        ring = http.get(f"/api/v1/rings/{reading.ring('mia')}")
        queue = http.get("/api/v1/rings", params={"order": "largest"})
        status = http.get("/api/v1/status")
        banks = http.get("/api/v1/banks")
    schemas.AccountShape.model_validate(account.json())
    assert {one["other"]["account"] for one in account.json()["shares"]} == {"mia", "lena", "kate"}
    index = reading.service.settings.index_path
    assert ring.json() in printed(index, "rings")
    schemas.RingQueueShape.model_validate(queue.json())
    assert [one["first_account"] for one in queue.json()["rings"]] == ["mia", "joe", "tom"]
    assert status.json() == printed(index, "status")
    assert banks.json() == []


def test_a_queue_is_read_in_parts(reading: Served) -> None:
    seen, after = [], None
    asked: dict[str, Any] = {"limit": 1, "order": "oldest"}
    with reading.client() as http:
        for _ in range(3):
            part = http.get("/api/v1/rings", params=asked if after is None else asked | {"after": after}).json()
            seen += [one["first_account"] for one in part["rings"]]
            after = part["next"]
        bad = http.get("/api/v1/rings", params={"after": "nonsense"})
    assert (seen, after) == (["tom", "mia", "joe"], None)
    assert (bad.status_code, bad.json()["detail"]) == (422, "that is no place in a queue")


def test_a_decision_is_made_and_taken_back(server: Served) -> None:
    ring = server.ring("mia")
    with server.client() as http:
        version = http.get(f"/api/v1/rings/{ring}").json()["version"]
        query = {"verdict": "confirm", "ring": ring, "reason": "same script", "expect": version}
        made = http.post("/api/v1/decisions", json=query)
        stale = http.post("/api/v1/decisions", json=query)
        told = http.get(f"/api/v1/decisions/{made.json()['decision']}").json()
        banks = http.get("/api/v1/banks").json()
        undone = http.post(f"/api/v1/decisions/{made.json()['decision']}/undo")
        again = http.post(f"/api/v1/decisions/{made.json()['decision']}/undo", json={"reason": "x"})
        listed = http.get("/api/v1/decisions", params={"limit": 1}).json()
    assert made.status_code == undone.status_code == 201
    schemas.DecisionShape.model_validate(made.json())
    assert (made.json()["reason"], told["accounts"]) == ("same script", ["anna", "kate", "lena", "mia"])
    assert (stale.status_code, again.status_code) == (409, 409)
    assert "has changed since it was shown" in stale.json()["detail"]
    [bank] = banks
    schemas.BankShape.model_validate(bank)
    assert [bank[name] for name in ("bank", "purpose", "entries", "pictures")] == ["known-stolen", "stolen", 6, 6]
    assert (listed["decisions"][0]["verdict"], listed["next"]) == ("undo", undone.json()["decision"])


def test_a_verdict_that_takes_a_reason_is_not_taken_without(world: Path) -> None:
    with served(world, require_reason=("confirm",)) as server, server.client() as http:
        ring = server.ring("tom")
        without = [
            http.post("/api/v1/decisions", json={"verdict": "confirm", "ring": ring, "reason": one})
            for one in (None, " ")
        ]
        given = http.post("/api/v1/decisions", json={"verdict": "dismiss", "ring": ring})
    assert [(one.status_code, one.json()["detail"]) for one in without] == [(409, "to confirm takes a reason here")] * 2
    assert given.status_code == 201


@pytest.mark.parametrize(
    "query",
    [
        {}, {"verdict": "undo", "ring": "r"}, {"verdict": "confirm"}, {"verdict": "confirm", "ring": "r", "group": "g"},
        {"verdict": "confirm", "ring": "r", "extra": 1}, {"verdict": "confirm", "pair": ["a"]}, [], None,
    ],
)  # fmt: skip
def test_what_is_no_decision_is_refused(reading: Served, query: object) -> None:
    with reading.client() as http:
        answer = http.post("/api/v1/decisions", json=query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/rings/r0"), ("GET", "/api/v1/account?id=nobody"), ("GET", "/api/v1/decisions/77"),
        ("POST", "/api/v1/decisions/77/undo"), ("GET", "/api/v1/nothing"), ("GET", "/static/x/app.js"),
        ("GET", "/checks/nothing"), ("GET", "/checks/..%2F..%2Fetc"), ("GET", "/rings/r0"),
        ("POST", "/rings/r0/review"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said_so(reading: Served, method: str, path: str) -> None:
    with reading.client() as http:
        answer = http.request(method, path)
    assert (answer.status_code, answer.json()["title"]) == (404, "Not Found")


@pytest.mark.slow
def test_an_erasure_is_proven_and_leaves_the_log_whole_and_nameless(server: Served) -> None:
    with server.client() as http:
        ring = server.ring("mia")
        http.post("/api/v1/decisions", json={"verdict": "confirm", "ring": ring})
        http.post(f"/rings/{ring}/export")
        done = http.post("/api/v1/erasures", json={"account": "lena"})
        log = http.get("/api/v1/audit").json()
        proof = http.get("/api/v1/audit/proof").json()
    assert (done.status_code, done.json()["photos"], done.json()["traces"], done.json()["finished"]) == (
        200,
        1,
        0,
        True,
    )
    assert [one["action"] for one in log["entries"]] == ["erase", "export", "decide"]
    assert proof["whole"]
    assert "lena" not in json.dumps(log)


def test_the_log_is_read_in_parts_and_proven_against_a_head(server: Served) -> None:
    for number in range(3):
        server.index.people.note("ana", "export", f"ring {number}")
    with server.client() as http:
        first = http.get("/api/v1/audit", params={"limit": 2}).json()
        rest = http.get("/api/v1/audit", params={"limit": 2, "before": first["next"]}).json()
        head = first["entries"][0]["digest"]
        proof = http.get("/api/v1/audit/proof", params={"head": head}).json()
        other = http.get("/api/v1/audit/proof", params={"head": "0" * 64}).json()
    assert [one["number"] for one in first["entries"] + rest["entries"]] == [3, 2, 1]
    assert (proof["holds_head"], proof["whole"], other["whole"]) == (True, True, False)


def test_what_a_running_scan_adds_is_found_at_once(server: Served, tmp_path: Path) -> None:
    from imgmatch.index import Index  # noqa: PLC0415 -- another process might do it
    from imgmatch.model import NewPhoto  # noqa: PLC0415 -- likewise

    (tmp_path / "new.jpg").write_bytes(picture(30, 80))
    with server.client() as http, Index.open(server.service.settings.index_path) as other:
        sent = {"photo": ("x.jpg", picture(30, 50))}
        before = http.post("/api/v1/check", files=sent).json()["results"][0]["status"]
        other.add([NewPhoto.at(tmp_path / "new.jpg", account="late")])
        after = http.post("/api/v1/check", files=sent).json()["results"][0]
    assert (before, after["status"], after["matches"][0]["account"]) == ("no_match", "match", "late")


def test_a_page_open_while_the_index_is_rebuilt_or_removed_says_so(server: Served) -> None:
    import shutil  # noqa: PLC0415 -- for this alone

    sent = {"photo": ("x.jpg", MIRRORED)}
    with server.client() as http:
        server.index.rebuild()
        assert http.post("/api/v1/check", files=sent).json()["results"][0]["accounts"] == 4
        shutil.rmtree(server.service.settings.index_path)
        answers = [http.post("/api/v1/check", files=sent), http.get("/api/v1/rings"), http.get("/readyz")]
        assert {answer.status_code for answer in answers} <= {200, 503}
        assert answers[-1].status_code in {200, 503}
        assert http.get("/healthz").status_code == 200


def test_metrics_count_by_route_and_name_nobody(server: Served) -> None:
    with server.client() as http:
        http.get(f"/api/v1/rings/{server.ring('mia')}")
        text = http.get("/metrics").text
    assert 'imgmatch_http_requests_total{method="GET",route="/api/v1/rings/{ring}",status="200"} 1.0' in text
    assert "imgmatch_rings_waiting 3.0" in text
    assert "imgmatch_leases 0.0" in text
    assert "imgmatch_lease_oldest_seconds 0.0" in text
    assert "mia" not in text
    assert server.ring("mia") not in text


def test_a_decision_by_a_program_is_signed_with_the_name_of_its_token(server: Served) -> None:
    token = server.index.people.add_token("bot", [Scope.DECIDE, Scope.READ])
    with server.client(token.secret) as http:
        http.post("/api/v1/decisions", json={"verdict": "dismiss", "ring": server.ring("joe")})
    [made] = server.index.decisions()
    assert (made.by, made.verdict) == ("bot", Verdict.DISMISS)
