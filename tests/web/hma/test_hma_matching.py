from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import photos
import pytest
from hma_client import ASKED, Hma, message, speaking
from hypothesis import given
from hypothesis import strategies as st
from serving import picture

from imgmatch.model import Opinion, Purpose, Verdict

if TYPE_CHECKING:
    from pathlib import Path

FAR = "55" * 32
"""A hash that is near to no photo of these tests."""


def apart(pdq: str, bits: int) -> str:
    return f"{int(pdq, 16) ^ ((1 << bits) - 1):064x}"


def test_a_hash_that_is_near_to_an_entry_hits_it_by_bank_with_the_distance_as_text(hma: Hma) -> None:
    one, other = hma.bank("LOOKUP_A"), hma.bank("LOOKUP_B")
    first, second, third = hma.add(one, FAR), hma.add(one, apart(FAR, 4)), hma.add(other, apart(FAR, 31))
    assert hma.lookup(FAR) == {
        one: [{"bank_content_id": first, "distance": "0"}, {"bank_content_id": second, "distance": "4"}],
        other: [{"bank_content_id": third, "distance": "31"}],
    }
    assert hma.lookup(FAR.upper(), bypass_coinflip="true", seed="7") == hma.lookup(FAR)
    assert list(hma.lookup(FAR, banks=f"NO_SUCH,{other}")) == [other]
    assert hma.lookup(FAR, banks="NO_SUCH") == {}
    assert hma.lookup(apart(FAR, 63)) == {}
    for name in (one, other):
        assert hma.http.delete(f"c/bank/{name}").status_code == 200
    assert hma.lookup(FAR) == {}


def test_a_photo_is_looked_up_by_type_and_bank_however_it_comes(hma: Hma) -> None:
    bank = hma.bank("LOOKUP_PHOTO")
    photo = picture(ASKED)
    entry = hma.add(bank, hma.http.post("h/hash", files={"photo": ("a.jpg", photo)}).json()["pdq"])
    found = {bank: [{"bank_content_id": entry, "distance": "0"}]}
    assert hma.http.post("m/lookup", files={"photo": ("a.jpg", photo)}).json() == {"pdq": found}
    linked = {"url": f"{hma.web.url}/a.jpg"}
    assert hma.http.get("m/lookup", params=linked).json() == {"pdq": found}
    assert hma.http.get("m/lookup", params={**linked, "signal_type": "pdq"}).json() == found
    assert hma.http.get("m/lookup", params={**linked, "signal_type": "md5"}).json() == {}
    assert hma.http.get("m/lookup", params={**linked, "banks": "OTHER"}).json() == {"pdq": {}}
    flat = {"photo": ("a.png", photos.png(photos.flat()))}
    assert hma.http.post("m/lookup", files=flat).json() == {"pdq": {}}
    hma.http.delete(f"c/bank/{bank}")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "Either url or both signal and signal_type are required"),
        ({"signal_type": "pdq"}, "Either url or both signal and signal_type are required"),  # as Coop asks for no hash
        ({"signal_type": "pdq", "signal": ""}, "Either url or both signal and signal_type are required"),
        ({"signal": FAR}, "Either url or both signal and signal_type are required"),
        ({"signal_type": "md5", "signal": FAR}, "No such SignalType 'md5'"),
        ({"signal_type": "pdq", "signal": FAR[1:]}, "invalid signal"),
        ({"signal_type": "pdq", "signal": "g" * 64}, "invalid signal"),
        ({"signal_type": "pdq", "signal": "１" * 64}, "invalid signal"),
        ({"signal_type": "pdq", "signal": "0" * 10_000}, "invalid signal"),
    ],
)
@pytest.mark.parametrize("path", ["m/lookup", "m/raw_lookup"])
def test_what_cannot_be_looked_up_is_refused_as_hma_does(
    hma: Hma, path: str, params: dict[str, str], said: str
) -> None:
    answer = hma.http.get(path, params=params)
    assert answer.status_code == 400
    assert (said if "SignalType" in said or "invalid" in said or path == "m/lookup" else "required") in message(answer)


def test_a_raw_lookup_gives_numbers_and_on_request_distances(hma: Hma) -> None:
    bank = hma.bank("RAW")
    entry = hma.add(bank, FAR)
    asked = {"signal": apart(FAR, 3), "signal_type": "pdq"}
    for flag in ("false", "False", "0"):
        found = hma.http.get("m/raw_lookup", params={**asked, "include_distance": flag})
        assert found.json() == {"matches": [entry]}
    for flag in ("true", "True", "1"):
        found = hma.http.get("m/raw_lookup", params={**asked, "include_distance": flag, "banks": "A,RAW"})
        assert found.json() == {"matches": [{"bank_content_id": entry, "distance": "3"}]}
    assert hma.http.get("m/raw_lookup", params={**asked, "banks": "A"}).json() == {"matches": []}
    assert hma.http.get("m/raw_lookup", params={**asked, "include_distance": "maybe"}).status_code == 400
    hma.http.delete(f"c/bank/{bank}")


@pytest.mark.slow
@given(one=st.binary(min_size=32, max_size=32), other=st.binary(min_size=32, max_size=32))
def test_two_hashes_are_as_far_apart_as_their_bits_and_match_up_to_31(hma: Hma, one: bytes, other: bytes) -> None:
    bits = (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()
    found = hma.http.post("m/compare", json={"pdq": [one.hex(), other.hex()]}).json()
    assert found == {"pdq": [bits <= 31, {"distance": bits}]}


@pytest.mark.parametrize("bits", [0, 31, 32, 256])
def test_hashes_match_up_to_31_bits(hma: Hma, bits: int) -> None:
    found = hma.http.post("m/compare", json={"pdq": [FAR, apart(FAR, bits)]}).json()
    assert found == {"pdq": [bits <= 31, {"distance": bits}]}


@pytest.mark.parametrize(
    "body",
    [
        ["banana"],
        None,
        {"pdq": "banana"},
        {"pdq": []},
        {"pdq": ["banana", "banana"]},
        {"pdq": [FAR] * 3},
        {"pdq": [FAR, 7]},
        {"md5": [FAR, FAR]},
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_message(hma: Hma, body: Any) -> None:  # noqa: ANN401 -- JSON
    answer = hma.http.post("m/compare", json=body)
    assert answer.status_code == 400
    message(answer)


def test_the_state_of_what_is_searched_is_that_of_now(hma: Hma) -> None:
    before = hma.http.get("m/index/status").json()["pdq"]["size"]
    bank = hma.bank("STATE")
    hma.add(bank, FAR)
    for params in ({}, {"signal_type": "pdq"}):
        state = hma.http.get("m/index/status", params=params).json()
        assert state == {"pdq": {"present": True, "built_to": state["pdq"]["built_to"], "size": before + 1}}
        assert abs(state["pdq"]["built_to"] - time.time()) < 3_600
    message(hma.http.get("m/index/status", params={"signal_type": "md5"}))
    hma.http.delete(f"c/bank/{bank}")


def test_what_is_muted_dismissed_quarantined_or_switched_off_hits_nothing(hma: Hma) -> None:
    bank = hma.bank("SILENT")
    lists, entry = hma.index.bank_lists, hma.add(bank, FAR)
    assert hma.lookup(FAR)
    lists.mute(bank, entry, datetime.now(UTC) + timedelta(hours=1))
    assert hma.lookup(FAR) == {}
    lists.mute(bank, entry, None)
    lists.say(bank, entry, Opinion.DISMISSED, by="ana")
    assert hma.lookup(FAR) == {}
    lists.say(bank, entry, None, by="ana")
    lists.quarantine(entry, by="ana", why="a test")
    assert hma.lookup(FAR) == {}
    assert hma.http.get(f"c/bank/{bank}/content/{entry}").json()["disable_until_ts"] == 0
    lists.say(bank, entry, Opinion.CONFIRMED, by="ana")
    assert hma.lookup(FAR)
    hma.http.put(f"c/bank/{bank}", json={"enabled": False})
    assert hma.lookup(FAR) == {}
    hma.http.delete(f"c/bank/{bank}")


@pytest.mark.slow
def test_a_share_of_traffic_is_drawn_by_the_hash_alone(hma: Hma) -> None:
    bank = hma.bank("SHARE", 0.5)
    hashes = [f"{0xA5 << 248 | place:064x}" for place in range(60)]
    for each in hashes:
        hma.add(bank, each)
    first = [bool(hma.lookup(each)) for each in hashes]
    assert 10 < sum(first) < 50
    assert [bool(hma.lookup(each, bypass_coinflip="true")) for each in hashes] == first
    hma.http.delete(f"c/bank/{bank}")


def test_banks_that_decisions_fill_are_seen_under_names_of_hmas_form(drawn_world: Path, tmp_path: Path) -> None:
    for hma in speaking(tmp_path, drawn_world):
        hma.index.decide(Verdict.CONFIRM, ring=hma.served.ring("mia"), by="ana")
        hma.index.decide(Verdict.COMMON, ring=hma.served.ring("tom"), by="ana")
        stolen = hma.http.post("h/hash", files={"photo": ("a.jpg", picture(1))}).json()["pdq"]
        common = hma.http.post("h/hash", files={"photo": ("a.jpg", picture(3))}).json()["pdq"]
        listed = {bank["name"] for bank in hma.http.get("c/banks").json()}
        assert listed == {"KNOWN_STOLEN", "KNOWN_COMMON"}
        assert hma.http.get("c/bank/KNOWN_STOLEN").json() == {"name": "KNOWN_STOLEN", "matching_enabled_ratio": 1.0}
        assert list(hma.lookup(stolen)) == ["KNOWN_STOLEN"]
        assert list(hma.lookup(stolen, banks="KNOWN_STOLEN")) == ["KNOWN_STOLEN"]
        assert hma.lookup(common) == {}  # a client would take it for a match
        assert hma.http.get("m/raw_lookup", params={"signal": common, "signal_type": "pdq"}).json()["matches"]
        bank = hma.bank("PARTNER")
        hma.add(bank, common)
        assert hma.lookup(common) == {}  # a common picture silences what a partner says


@pytest.mark.slow
def test_a_crop_of_a_photo_that_was_hashed_a_moment_ago_is_found_by_its_hash(drawn_world: Path, tmp_path: Path) -> None:
    whole = photos.picture(ASKED)
    crop = photos.jpeg(whole.crop((60, 60, 460, 460)))
    for hma in speaking(tmp_path, drawn_world, remember_minutes=5):
        bank = hma.bank("CROPS")
        added = hma.http.post(f"c/bank/{bank}/content", files={"photo": ("a.jpg", photos.jpeg(whole))}).json()
        found = {bank: [{"bank_content_id": added["id"], "distance": "-"}]}
        [hashed] = hma.index.hash([crop])
        asked = hashed.fingerprints["pdq"]
        assert hma.lookup(asked) == {}  # nobody has had it hashed
        assert hma.http.post("h/hash", files={"photo": ("b.jpg", crop)}).json() == {"pdq": asked}
        assert hma.lookup(asked) == found
        assert hma.lookup(asked, banks="OTHER") == {}
        assert hma.http.post("m/lookup", files={"photo": ("b.jpg", crop)}).json() == {"pdq": found}
        other = hma.index.people.add_token("another", ["check"]).secret  # type: ignore[list-item]  # its value
        with hma.served.client(other) as http:
            params = {"signal": asked, "signal_type": "pdq"}
            assert http.get("/m/lookup", params=params).json() == {}


def test_crops_are_not_looked_for_unless_that_was_asked_for(hma: Hma) -> None:
    whole = photos.picture(ASKED)
    crop = photos.jpeg(whole.crop((60, 60, 460, 460)))
    bank = hma.bank("NO_CROPS")
    hma.http.post(f"c/bank/{bank}/content", files={"photo": ("a.jpg", photos.jpeg(whole))})
    asked = hma.http.post("h/hash", files={"photo": ("b.jpg", crop)}).json()["pdq"]
    assert hma.lookup(asked) == {}
    assert hma.http.post("m/lookup", files={"photo": ("b.jpg", crop)}).json() == {"pdq": {}}
    hma.http.delete(f"c/bank/{bank}")


def test_an_entry_that_very_many_hashes_hit_is_put_in_quarantine_and_logged(
    drawn_world: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for hma in speaking(tmp_path, drawn_world, flood_hashes=5):
        bank = hma.bank("FLOOD")
        flood, sure = hma.add(bank, FAR), hma.add(bank, apart(FAR, 1))
        hma.index.bank_lists.say(bank, sure, Opinion.CONFIRMED, by="ana")
        for bits in (0, 1, 2, 3, 4, 4, 3, 2):
            assert len(hma.lookup(apart(FAR, bits))[bank]) == 2
        assert len(hma.lookup(apart(FAR, 5))[bank]) == 2
        [left] = hma.lookup(FAR)[bank]
        assert left["bank_content_id"] == sure
        assert hma.index.bank_lists.entry(bank, flood).quarantined_at is not None
        [entry] = hma.index.people.audit(limit=10, action="quarantine")
        assert (entry.actor, entry.subject) == (
            "imgmatch",
            f"entry {flood}, more than 5 different hashes hit it within an hour",
        )
    assert f"entry {flood} of bank {bank} is in quarantine" in caplog.text


def test_the_answer_says_nothing_of_what_the_index_is_searched_by(hma: Hma) -> None:
    """Distances are of PDQ values, whatever hasher is searched."""
    bank = hma.index.bank_lists.create("LIKENESS", purpose=Purpose.PARTNER).name
    entry = hma.http.post(f"c/bank/{bank}/content", files={"photo": ("a.jpg", picture(ASKED))}).json()
    again = hma.http.post("h/hash", files={"photo": ("a.jpg", picture(ASKED, 30))}).json()["pdq"]
    bits = (int(again, 16) ^ int(entry["signals"]["pdq"], 16)).bit_count()
    assert hma.lookup(again) == {bank: [{"bank_content_id": entry["id"], "distance": str(bits)}]}
    hma.http.delete(f"c/bank/{bank}")
