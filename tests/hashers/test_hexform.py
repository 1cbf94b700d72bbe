from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.hashers.hexform import from_hex, to_hex


@given(st.binary(min_size=32, max_size=32))
def test_text_brings_back_the_same_bits(code: bytes) -> None:
    array = np.frombuffer(code, dtype=np.uint8)
    assert np.array_equal(from_hex(to_hex(array)), array)


def test_the_first_bit_is_the_top_of_the_first_digit() -> None:
    bits = np.zeros(256, dtype=np.uint8)
    bits[[0, 255]] = 1
    assert to_hex(np.packbits(bits)) == "8" + "0" * 62 + "1"


@pytest.mark.parametrize(
    "text", ["", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 64 + "\n", "٣" * 64, " " + "0" * 63]
)
def test_anything_but_64_lowercase_hex_digits_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="64 lowercase hex digits"):
        from_hex(text)


@pytest.mark.parametrize("code", [np.zeros(31, np.uint8), np.zeros((1, 32), np.uint8), np.zeros(32, np.int64)], ids=str)
def test_only_32_bytes_have_a_text_form(code: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        to_hex(code)


def test_a_fingerprint_that_was_read_may_be_changed() -> None:
    from_hex("0" * 64)[0] = 1
