from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch.features import codebook, refined
from imgmatch.features.extract import Features, extract
from imgmatch.features.recoding import can_recode, recoded
from imgmatch.features.record import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

COARSE, FINE = codebook.shipped(), refined.shipped()
OTHER = replace(COARSE, name="sift-9-v1")


def features_of(seed: int, *, drawn: bool) -> Features:
    features = extract(np.asarray(photos.picture(seed, (160, 200)).convert("L")))
    return features if drawn else replace(features, drawn=None)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 40), drawn=st.booleans())
def test_a_record_is_recoded_to_what_the_photo_would_give_there_and_back(seed: int, *, drawn: bool) -> None:
    features = features_of(seed, drawn=drawn)
    coarse, fine = pack(features, COARSE), pack(features, FINE)
    assert coarse != fine
    assert recoded(coarse, COARSE, FINE) == fine
    assert recoded(fine, FINE, COARSE) == coarse
    assert recoded(fine, FINE, FINE) == fine


def test_a_record_without_points_stays_as_it_is() -> None:
    empty = pack(extract(np.full((40, 50), 90, np.uint8)), COARSE)
    assert len(unpack(empty)) == 0
    assert recoded(empty, COARSE, FINE) == empty


@given(data=st.binary(max_size=200))
def test_a_damaged_record_is_refused(data: bytes) -> None:
    said = outcome(lambda: unpack(data, COARSE.lists))
    assert outcome(lambda: recoded(data, COARSE, COARSE)) == said
    assert said is None or outcome(lambda: recoded(data, COARSE, FINE)) == said


def outcome(call: Callable[[], object]) -> str | None:
    """What it is refused with, if it is."""
    try:
        call()
    except ValueError as error:
        return str(error)
    return None


def test_a_record_that_names_a_list_of_the_other_codebook_is_refused() -> None:
    with pytest.raises(ValueError, match="list that is none"):
        recoded(pack(features_of(1, drawn=True), FINE), COARSE, FINE)


def test_codes_of_an_unrelated_codebook_are_refused_by_both_names() -> None:
    record = pack(features_of(2, drawn=True), COARSE)
    with pytest.raises(ValueError, match="codes of sift-9-v1 say nothing in sift-4096x16-32x4-v1"):
        recoded(record, OTHER, FINE)
    assert [can_recode(COARSE, one) for one in (COARSE, FINE, OTHER)] == [True, True, False]
    assert [can_recode(FINE, one) for one in (COARSE, FINE, OTHER)] == [True, True, False]
    assert not can_recode(OTHER, FINE)
