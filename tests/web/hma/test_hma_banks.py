from __future__ import annotations

from typing import Any

import pytest
from hma_client import Hma, message
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.model import Purpose, Verdict
from imgmatch.web.hma.names import hma_name


@pytest.mark.parametrize(
    ("said", "ratio"),
    [
        ({}, 1.0),
        ({"enabled_ratio": "1"}, 1.0),
        ({"enabled_ratio": "0.25"}, 0.25),
        ({"enabled_ratio": 0}, 0.0),
        ({"enabled_ratio": 0.5, "enabled": False}, 0.5),
        ({"enabled_ratio": None, "enabled": False}, 0.0),
        ({"enabled_ratio": None, "enabled": "true"}, 1.0),
        ({"enabled": None}, 1.0),
        ({"enabled": 1}, 1.0),
        ({"unknown": 7}, 1.0),
    ],
)
def test_a_bank_is_made_with_whatever_looks_like_a_ratio(hma: Hma, said: dict[str, Any], ratio: float) -> None:
    made = hma.http.post("c/banks", json={"name": "MADE", **said})
    assert (made.status_code, made.json()) == (201, {"name": "MADE", "matching_enabled_ratio": ratio})
    assert hma.http.get("c/bank/MADE").json() == made.json()
    assert made.json() in hma.http.get("c/banks").json()
    bank = hma.index.bank_lists.get("MADE")
    assert (bank.purpose, bank.owner) == (Purpose.PARTNER, "hma")
    assert hma.http.delete("c/bank/MADE").json() == {"message": "Done"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": None},
        {"name": 7},
        {"name": ""},
        {"name": "01_TEST"},
        {"name": "my_bank"},
        {"name": "A-B"},
        {"name": "A\n"},
        {"name": "Ä"},
        {"name": "A" * 101},
        {"name": "A", "enabled_ratio": -0.1},
        {"name": "A", "enabled_ratio": 1.5},
        {"name": "A", "enabled_ratio": "nan"},
        {"name": "A", "enabled_ratio": "1e999"},
        {"name": "A", "enabled_ratio": 10**400},
        {"name": "A", "enabled_ratio": [1]},
        {"name": "A", "enabled_ratio": "half"},
        {"name": "A", "enabled": "maybe"},
        {"name": "A", "enabled": {}},
        [],
        "A",
        7,
    ],
)
def test_what_cannot_be_a_bank_is_refused_with_a_message(hma: Hma, body: Any) -> None:  # noqa: ANN401 -- JSON
    before = hma.http.get("c/banks").json()
    answer = hma.http.post("c/banks", json=body)
    assert answer.status_code == 400
    message(answer)
    assert hma.http.get("c/banks").json() == before


@pytest.mark.parametrize("name", ["TAKEN", "KNOWN_STOLEN", "KNOWN_COMMON", "A_PARTNERS_LIST"])
def test_a_name_that_is_taken_is_403(hma: Hma, name: str) -> None:
    hma.http.post("c/banks", json={"name": "TAKEN"})
    if name == "A_PARTNERS_LIST":
        hma.index.bank_lists.create("a-partners.list")
    answer = hma.http.post("c/banks", json={"name": name})
    assert answer.status_code == 403
    assert message(answer) == "Bank already exists"


def test_a_bank_is_changed_and_renamed(hma: Hma) -> None:
    hma.bank("BEFORE")
    entry = hma.add("BEFORE", "ab" * 32)
    for said, ratio in (
        ({"enabled_ratio": 0.5}, 0.5),
        ({"enabled": False}, 0.0),
        ({"enabled_ratio": "0.75"}, 0.75),
        ({"enabled": True}, 1.0),
        ({}, 1.0),
        ({"name": "BEFORE"}, 1.0),
    ):
        changed = hma.http.put("c/bank/BEFORE", json=said)
        assert (changed.status_code, changed.json()) == (200, {"name": "BEFORE", "matching_enabled_ratio": ratio})
    renamed = hma.http.put("c/bank/BEFORE", json={"name": "AFTER", "enabled_ratio": 0.5})
    assert renamed.json() == {"name": "AFTER", "matching_enabled_ratio": 0.5}
    assert hma.http.get("c/bank/BEFORE").status_code == 404
    assert hma.http.get(f"c/bank/AFTER/content/{entry}").json()["bank"] == renamed.json()
    hma.bank("OTHER")
    assert message(hma.http.put("c/bank/AFTER", json={"name": "OTHER"})) == "Bank name already exists"
    for name, status in (("OTHER", 403), ("1_invalid", 400), ("KNOWN_STOLEN", 403)):
        assert hma.http.put("c/bank/AFTER", json={"name": name}).status_code == status
    assert hma.http.put("c/bank/AFTER", json={"enabled_ratio": 2}).status_code == 400


def test_a_bank_that_is_not_there_is_404_and_can_be_removed(hma: Hma) -> None:
    for name in ("NO_SUCH", "no-such", "A" * 500, "%00", "%F0%9F%98%80", "a%2Fb", ".", "%2E%2E"):
        answer = hma.http.get(f"c/bank/{name}")
        assert answer.status_code == 404, name
        message(answer)
        assert hma.http.put(f"c/bank/{name}", json={}).status_code in {404, 405}, name
    for _ in range(2):
        removed = hma.http.delete("c/bank/NO_SUCH")
        assert (removed.status_code, removed.json()) == (200, {"message": "Done"})


def test_banks_that_were_made_with_our_own_commands_are_read_here_and_not_changed(hma: Hma) -> None:
    hma.index.bank_lists.create("our.own-list")
    entry = hma.index.bank_lists.add_hash("our.own-list", "cd" * 32)
    hma.index.decide(Verdict.CONFIRM, ring=hma.served.ring("mia"), by="ana")
    assert hma.http.get("c/bank/OUR_OWN_LIST").status_code == 200
    assert hma.http.get(f"c/bank/OUR_OWN_LIST/content/{entry.entry}").json()["bank"]["name"] == "OUR_OWN_LIST"
    for name in ("OUR_OWN_LIST", "KNOWN_STOLEN"):
        for method, path, body in (
            ("PUT", "", {"enabled": False}),
            ("DELETE", "", None),
            ("POST", "/signal", {"pdq": "ab" * 32}),
            ("PUT", f"/content/{entry.entry}", {"note": "x"}),
            ("DELETE", f"/content/{entry.entry}", None),
        ):
            answer = hma.http.request(method, f"c/bank/{name}{path}", json=body)
            assert answer.status_code == 403, (name, method, path)
            assert "imgmatch's own commands" in message(answer)
        photo = {"photo": ("a.jpg", b"x")}
        assert hma.http.post(f"c/bank/{name}/content", files=photo).status_code == 403
    assert hma.index.bank_lists.get("our.own-list").entries == 1


@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True))
def test_every_bank_has_a_name_of_hmas_form_and_one_of_that_form_keeps_its_own(name: str) -> None:
    found = hma_name(name)
    assert hma_name(found) == found
    assert found.lstrip("_").replace("_", "") == "".join(filter(str.isalnum, name.upper()))
    assert not found[0].isdigit()
