from __future__ import annotations

from hma_client import Hma, message

API = "imgmatch_import"


def test_there_is_one_api_which_takes_no_credentials(hma: Hma) -> None:
    nothing = {"supports_authentification": False, "has_set_authentification": False}
    assert hma.http.get("c/exchanges/apis").json() == [API]
    assert hma.http.get(f"c/exchanges/api/{API}").json() == nothing
    assert hma.http.post(f"c/exchanges/api/{API}", json={"credential_json": {}}).json() == nothing
    schema = hma.http.get(f"c/exchanges/api/{API}/schema").json()
    assert schema == {"config_schema": {"fields": []}, "credentials_schema": None}
    answer = hma.http.post(f"c/exchanges/api/{API}", json={"credential_json": {"user": "u", "password": "secret"}})
    assert answer.status_code == 400
    assert "imgmatch bank import" in message(answer)
    assert "secret" not in answer.text


def test_what_would_have_to_be_fetched_is_refused_and_says_how_lists_come(hma: Hma) -> None:
    before = hma.http.get("c/banks").json()
    for answer in (
        hma.http.get("c/exchanges/api/ncmec"),
        hma.http.post("c/exchanges/api/ncmec", json={"credential_json": {"user": "u"}}),
        hma.http.post("c/exchanges", json={"bank": "COOP_X_NCMEC", "api": "ncmec", "api_json": {"environment": "x"}}),
        hma.http.post("c/exchanges", json={"bank": "COOP_X_NCMEC"}),
    ):
        assert answer.status_code == 400
        assert "imgmatch bank import" in message(answer)
    assert hma.http.get("c/exchanges/api/ncmec/schema").status_code == 404
    assert hma.http.get("c/banks").json() == before


def test_a_bank_for_a_list_is_an_exchange_until_it_is_none(hma: Hma) -> None:
    made = hma.http.post("c/exchanges", json={"bank": "LISTED", "api": API, "api_json": {}})
    assert (made.status_code, made.json()) == (201, {"message": "Created successfully"})
    shown = {"name": "LISTED", "api": API, "enabled": True}
    assert hma.http.get("c/exchanges").json() == ["LISTED"]
    assert hma.http.get("c/exchange/LISTED").json() == shown
    assert hma.http.put("c/exchange/LISTED", json={"enabled": True}).json() == shown
    assert "enabled_ratio" in message(hma.http.put("c/exchange/LISTED", json={"enabled": False}))
    hma.index.bank_lists.add_hash("LISTED", "ab" * 32)
    assert hma.http.get("c/exchange/LISTED/status").json() == {
        "checkpoint_ts": None,
        "running_fetch_start_ts": None,
        "last_fetch_complete_ts": None,
        "last_fetch_succeeded": None,
        "up_to_date": False,
        "fetched_items": 1,
    }
    assert hma.http.post("c/exchanges", json={"bank": "LISTED", "api": API}).status_code == 403
    assert hma.http.put("c/bank/LISTED", json={"enabled_ratio": 0.5}).status_code == 200
    for _ in range(2):
        assert hma.http.delete("c/exchange/LISTED").json() == {"message": "Exchange deleted"}
    assert hma.http.get("c/exchanges").json() == []
    assert hma.http.get("c/bank/LISTED").status_code == 200


def test_a_bank_without_a_list_is_no_exchange(hma: Hma) -> None:
    hma.bank("PLAIN")
    for name in ("PLAIN", "NO_SUCH", "no such"):
        for answer in (
            hma.http.get(f"c/exchange/{name}"),
            hma.http.get(f"c/exchange/{name}/status"),
            hma.http.put(f"c/exchange/{name}", json={"enabled": True}),
        ):
            assert answer.status_code == 404
            assert "not found" in message(answer)


def test_a_bank_for_a_list_that_cannot_be_made_says_why(hma: Hma) -> None:
    for body, status in (
        ({}, 400),
        ({"bank": None, "api": API}, 400),
        ({"bank": "lower", "api": API}, 400),
        ({"bank": "A", "api": API, "api_json": []}, 400),
        ({"bank": "A", "api": ["x"]}, 400),
        ({"bank": "KNOWN_STOLEN", "api": API}, 403),
    ):
        answer = hma.http.post("c/exchanges", json=body)
        assert answer.status_code == status, body
        message(answer)
