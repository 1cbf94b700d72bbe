"""Messages as they cross a cluster."""

from __future__ import annotations

import pytest

from imgmatch.cluster.packing import PIECE_BYTES, in_pieces


@pytest.mark.parametrize("length", [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES, 5 * PIECE_BYTES + 7])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_pieces_are_as_many_as_asked_for_make_the_whole_and_are_short_but_for_the_last(length: int, count: int) -> None:
    data = bytes(range(256)) * (length // 256) + b"x" * (length % 256)
    pieces = in_pieces(data, count)
    assert len(pieces) == count
    assert b"".join(pieces) == data
    assert all(len(piece) <= PIECE_BYTES for piece in pieces[:-1])
