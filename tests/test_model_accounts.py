from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.model import account_id, account_look_hash, derived_photo_id, is_blank, lookalikes
from imgmatch.model.accounts import BLANKS, account_look

ANY = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(BLANKS + "aAаée\u0301\u3164"))


@pytest.mark.parametrize(
    "written", ["u1", " u1", "u1\t", "u1\xa0", "u1\u200b", "\ufeffu1", "\xadu1\u2060", "\u200eu1\u202c"]
)
def test_blanks_and_invisible_characters_at_the_ends_are_no_part_of_an_id(written: str) -> None:
    assert account_id(written) == "u1"


@pytest.mark.parametrize(
    "written",
    ["a b", "u\u200b1", "می‌خواهم", "👩‍💻", "❤️", "🏴\U000e0067\U000e007f", "\u3164", "ünï", "日本", "u\u202e1"],
)
def test_what_stands_within_an_id_stays(written: str) -> None:
    assert account_id(written) == unicodedata.normalize("NFC", written)


def test_letters_with_marks_have_one_form() -> None:
    assert account_id("Jose\u0301") == account_id("José") == "José"


@pytest.mark.parametrize("written", ["", " ", "\t\n", "\u200b", "\ufeff \xa0"])
def test_an_id_that_is_nothing_else_stays_as_it_is_and_is_blank(written: str) -> None:
    assert account_id(written) == written
    assert is_blank(written)


@given(ANY)
def test_an_id_has_one_spelling_and_one_look(text: str) -> None:
    spelt = account_id(text)
    assert account_id(spelt) == spelt
    assert is_blank(spelt) or not is_blank(account_id(f" {spelt}\u200b"))
    assert account_look(spelt) == account_look(text)
    assert account_look(account_look(text)) == account_look(text)


def test_all_white_space_of_unicode_is_taken_off() -> None:
    spaces = {char for char in map(chr, range(0x110000)) if char.isspace() and not "\x1c" <= char <= "\x1f"}
    assert spaces <= set(BLANKS)
    assert all(char in spaces or unicodedata.category(char) in {"Cf", "Cn"} for char in BLANKS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna", "aNNA"),
        ("anna", "аnnа"),
        ("НОС", "HOC"),
        ("ΝΙΚΗ", "νικη"),
        ("ｕｓｅｒ", "USER"),
        ("𝓾𝓼𝓮𝓻", "user"),
        ("u\u200b1", "u1"),
        ("u\u202e1", "U1"),
        ("strasse", "Straße"),
        ("ёж", "ëж"),
        ("❤️", "❤"),
    ],
)
def test_what_a_person_cannot_tell_apart_looks_alike(one: str, other: str) -> None:
    assert account_look_hash(one) == account_look_hash(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("u1", "u2"), ("ul", "u1"), ("O", "0"), ("rn", "m"), ("José", "Jose"), ("a b", "ab"), ("日", "目")],
)
def test_what_only_resembles_something_is_told_apart(one: str, other: str) -> None:
    assert account_look_hash(one) != account_look_hash(other)


def test_what_is_kept_of_looks_never_changes() -> None:
    assert account_look_hash("a17") == 6006226018830145784
    assert account_look_hash("Анна") == 3975097473115649432
    assert -(1 << 63) <= account_look_hash("x") < 1 << 63


def test_lookalikes_are_sets_of_two_or_more_different_ids() -> None:
    assert lookalikes(["b", "U", "a", "u", "b", "U", "A"]) == (("U", "u"), ("a", "A"))
    assert lookalikes([]) == ()


def test_all_spellings_of_an_account_give_its_photo_one_id() -> None:
    spellings = ("José", " Jose\u0301", "José\u200b")
    assert len({derived_photo_id(account, "/1.jpg") for account in spellings}) == 1
