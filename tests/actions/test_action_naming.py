from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.actions.naming import LEAST_CHARS, MASK, NameFinder

TEXTS = st.text(st.sampled_from("abAB1_/. é"), max_size=40)
NAMES = st.lists(st.text(st.sampled_from("abAB1_/.é"), min_size=1, max_size=8), max_size=6)


def slowly(names: list[str], text: str) -> set[str]:
    """The same by one pattern a name: no letter or digit goes on before it or behind it."""
    found = set()
    for name in names:
        if len(name) < LEAST_CHARS or not re.search(r"[^\W_]", name):
            continue
        before = r"(?<![^\W_])" if re.match(r"[^\W_]", name) else ""
        behind = r"(?![^\W_])" if re.search(r"[^\W_]\Z", name) else ""
        if re.search(before + re.escape(name) + behind, text, re.IGNORECASE):
            found.add(name)
    return found


@given(NAMES, TEXTS)
def test_names_are_found_as_a_pattern_for_each_finds_them_and_masked_names_are_found_no_more(
    names: list[str], text: str
) -> None:
    finder = NameFinder(names)
    assert finder.found(text) == slowly(names, text)
    many = NameFinder([*names, *(f"name {number}" for number in range(40))])
    assert finder.may_stand_in(text) >= bool(finder.found(text))
    assert many.may_stand_in(text) >= bool(finder.found(text))
    masked = finder.masked(text)
    assert finder.found(masked) == set()
    assert (masked == text) == (not finder.found(text))


@pytest.mark.parametrize(
    ("names", "text", "masked"),
    [
        (["ZQVICTIM"], "zqvictim is the thief; ZqVictim!", f"{MASK} is the thief; {MASK}!"),
        (["p123"], "p123, p1234 and xp123", f"{MASK}, p1234 and xp123"),
        (["a17/1.jpg", "a17/1.jpg/x"], "see a17/1.jpg/x", f"see {MASK}"),
        (["Ann Lee", "Leeds"], "ann leeds", f"ann {MASK}"),
        (["one two", "two three"], "one two three", MASK),
        (["/srv/a/1.jpg"], "it is /srv/a/1.jpg.", f"it is {MASK}."),
        (["tim", "a", "----", ""], "tim has a ---- time", "tim has a ---- time"),
        ([], "nothing to look for", "nothing to look for"),
    ],
)
def test_a_name_is_masked_as_a_whole_word_in_upper_and_lower_case(names: list[str], text: str, masked: str) -> None:
    assert NameFinder(names).masked(text) == masked
