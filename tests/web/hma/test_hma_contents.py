from __future__ import annotations

import json
import time
from typing import Any

import photos
import pytest
from hma_client import ASKED, Hma, message
from serving import picture

PDQ = "ab" * 32


@pytest.fixture(scope="module")
def bank(hma: Hma) -> str:
    return hma.bank("CONTENTS")


def test_a_hash_goes_on_a_bank_with_a_note_and_comes_back(hma: Hma, bank: str) -> None:
    added = hma.http.post(f"c/bank/{bank}/signal", json={"pdq": PDQ.upper(), "note": "of a campaign"})
    entry = added.json()["id"]
    assert (added.status_code, added.json()) == (200, {"id": entry, "signals": {"pdq": PDQ}})
    shown = {
        "id": entry,
        "disable_until_ts": 1,
        "original_media_uri": None,
        "bank": {"name": bank, "matching_enabled_ratio": 1.0},
        "note": "of a campaign",
    }
    assert hma.http.get(f"c/bank/{bank}/content/{entry}").json() == shown
    with_signals = hma.http.get(f"c/bank/{bank}/content/{entry}", params={"include_signals": "true"}).json()
    assert with_signals == {**shown, "signals": {"pdq": PDQ}}
    assert hma.http.post(f"c/bank/{bank}/signal", json={"pdq": PDQ}).json()["id"] == entry


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "No signals given"),
        ({"note": "alone"}, "No signals given"),
        ({"md5": PDQ}, "No such signal type 'md5'"),
        ({"pdq": PDQ, "md5": "x"}, "No such signal type 'md5'"),
        ({"pdq": "short"}, "invalid PDQ hash"),
        ({"pdq": None}, "invalid PDQ hash"),
        ({"pdq": [PDQ]}, "invalid PDQ hash"),
        ({"pdq": PDQ, "note": 7}, "note should be a string"),
        ({"pdq": PDQ, "note": "x" * 256}, "255"),
        ([], "no JSON object"),
    ],
)
def test_what_is_no_hash_or_no_note_is_refused_with_a_message(hma: Hma, bank: str, body: Any, said: str) -> None:  # noqa: ANN401 -- JSON
    answer = hma.http.post(f"c/bank/{bank}/signal", json=body)
    assert answer.status_code == 400
    assert said in message(answer)


def test_a_photo_goes_on_a_bank_with_note_and_metadata_and_is_found_by_its_hash(hma: Hma, bank: str) -> None:
    metadata = {"content_id": "ext-1", "content_uri": "https://x.example/1", "json": {"a": {"b": [1, None, "ä"]}}}
    form = {"note": "seen twice", "metadata": json.dumps({**metadata, "collab": {"ignored": ["x"]}})}
    added = hma.http.post(f"c/bank/{bank}/content", files={"photo": ("a.jpg", picture(ASKED))}, data=form)
    assert added.status_code == 200, added.text
    entry, pdq = added.json()["id"], added.json()["signals"]["pdq"]
    assert added.json() == {"id": entry, "signals": {"pdq": pdq}}
    shown = hma.http.get(f"c/bank/{bank}/content/{entry}").json()
    assert shown["metadata"] == {**metadata, "collab": None}
    assert shown["note"] == "seen twice"
    without = hma.http.get(f"c/bank/{bank}/content/{entry}", params={"include_metadata": "false"}).json()
    assert "metadata" not in without
    assert hma.lookup(pdq) == {bank: [{"bank_content_id": entry, "distance": "0"}]}
    assert hma.index.bank_lists.entry(bank, entry).is_picture


def test_the_photo_at_a_url_goes_on_a_bank_with_what_the_body_says(hma: Hma) -> None:
    bank = hma.bank("LINKED")
    sent = {"metadata": {"content_id": "7"}, "note": "by link"}
    added = hma.http.post(f"c/bank/{bank}/content", params={"url": f"{hma.web.url}/a.jpg"}, json=sent)
    assert added.status_code == 200, added.text
    shown = hma.http.get(f"c/bank/{bank}/content/{added.json()['id']}").json()
    assert shown["metadata"] == {"content_id": "7", "content_uri": None, "json": None, "collab": None}
    assert (shown["note"], shown["original_media_uri"]) == ("by link", None)
    assert hma.index.bank_lists.entry(bank, shown["id"]).label == "a.jpg"
    hma.http.delete(f"c/bank/{bank}")


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"metadata": "no json"}, "metadata form field must be valid JSON"),
        ({"metadata": "[" * 50_000}, "metadata form field must be valid JSON"),
        ({"metadata": '{"json": {"a": NaN}}'}, "metadata form field must be valid JSON"),
        ({"metadata": "[]"}, "metadata should be a json object"),
        ({"metadata": '{"other": 5}'}, "Invalid metadata: 'other'"),
        ({"metadata": '{"content_id": 5}'}, "Invalid metadata: 'content_id'"),
        ({"metadata": json.dumps({"json": {"a": "x" * 2_000}})}, "1000"),
        ({"note": "x" * 256}, "255"),
    ],
)
def test_metadata_that_is_none_or_too_long_is_refused_with_a_message(
    hma: Hma, bank: str, form: dict[str, str], said: str
) -> None:
    before = hma.index.bank_lists.get(bank).entries
    answer = hma.http.post(f"c/bank/{bank}/content", files={"photo": ("a.jpg", picture(40))}, data=form)
    assert answer.status_code == 400
    assert said in message(answer)
    assert hma.index.bank_lists.get(bank).entries == before


def test_a_photo_that_cannot_be_compared_goes_on_no_bank(hma: Hma, bank: str) -> None:
    for name, data in (("a.png", photos.png(photos.flat())), ("a.jpg", b"no photo")):
        answer = hma.http.post(f"c/bank/{bank}/content", files={"photo": (name, data)})
        assert answer.status_code == 400
        message(answer)
    assert "Missing multipart" in message(hma.http.post(f"c/bank/{bank}/content"))
    assert "Missing multipart" in message(hma.http.post(f"c/bank/{bank}/content", json={"metadata": {}}))


def test_an_entry_is_muted_until_a_time_for_good_or_no_more(hma: Hma, bank: str) -> None:
    pdq = "cd" * 32
    entry = hma.add(bank, pdq)
    soon = int(time.time()) + 1_000
    said: list[tuple[object, int, bool]] = [
        (soon, soon, False), (str(soon), soon, False), (float(soon) + 0.5, soon, False), (0, 0, False), (1, 1, True),
        ("0", 0, False), (None, 1, True), (1_000, 1_000, True), (True, 1, True),
    ]  # fmt: skip
    for value, shown, hits in said:
        changed = hma.http.put(f"c/bank/{bank}/content/{entry}", json={"disable_until_ts": value})
        assert changed.status_code == 200, changed.text
        assert changed.json() == {
            "id": entry,
            "disable_until_ts": shown,
            "original_media_uri": None,
            "collab_metadata": {},
            "bank": {"name": bank, "matching_enabled_ratio": 1.0},
            "user_metadata": None,
            "note": None,
        }
        assert hma.http.get(f"c/bank/{bank}/content/{entry}").json()["disable_until_ts"] == shown
        assert bool(hma.lookup(pdq)) == hits, value


@pytest.mark.parametrize("value", [-1, 9_999_999_999, 10**400, 1e300, "soon", "1.5", [], {}, "nan"])
def test_a_time_that_is_none_is_refused_with_a_message(hma: Hma, bank: str, value: Any) -> None:  # noqa: ANN401 -- JSON
    entry = hma.add(bank, "ef" * 32)
    answer = hma.http.put(f"c/bank/{bank}/content/{entry}", json={"disable_until_ts": value})
    assert answer.status_code == 400
    assert "disable_until_ts" in message(answer)


def test_a_note_is_set_changed_and_taken_away(hma: Hma, bank: str) -> None:
    entry = hma.add(bank, "12" * 32)
    for note in ("first", "second 😀", "x" * 255):
        assert hma.http.put(f"c/bank/{bank}/content/{entry}", json={"note": note}).json()["note"] == note
        assert hma.http.get(f"c/bank/{bank}/content/{entry}").json()["note"] == note
    assert hma.http.put(f"c/bank/{bank}/content/{entry}", json={}).json()["note"] == "x" * 255
    assert hma.http.put(f"c/bank/{bank}/content/{entry}", json={"note": ""}).json()["note"] is None
    assert "note" not in hma.http.get(f"c/bank/{bank}/content/{entry}").json()
    assert hma.http.put(f"c/bank/{bank}/content/{entry}", json={"note": "x" * 256}).status_code == 400


def test_an_entry_is_removed_once(hma: Hma, bank: str) -> None:
    entry = hma.add(bank, "34" * 32)
    other = hma.bank("ANOTHER")
    assert hma.http.delete(f"c/bank/{other}/content/{entry}").json() == {"deleted": 0}
    for count in (1, 0):
        removed = hma.http.delete(f"c/bank/{bank}/content/{entry}")
        assert (removed.status_code, removed.json()) == (200, {"deleted": count})
    assert hma.lookup("34" * 32) == {}


@pytest.mark.parametrize("number", ["999999", "0", "-1", "1.0", "x", "٣", "9" * 30, "%20", "1e3"])
def test_an_entry_that_is_not_there_is_404(hma: Hma, bank: str, number: str) -> None:
    for method, body in (("GET", None), ("PUT", {"note": "x"})):
        answer = hma.http.request(method, f"c/bank/{bank}/content/{number}", json=body)
        assert answer.status_code == 404
        message(answer)
    assert hma.http.delete(f"c/bank/{bank}/content/{number}").json() == {"deleted": 0}
    assert hma.http.get(f"c/bank/NO_SUCH/content/{number}").status_code == 404
