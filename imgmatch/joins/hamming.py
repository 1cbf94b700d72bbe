"""Exact joins of fingerprints: a set with itself, or new ones with old ones; every near pair once, block by block."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Protocol

from imgmatch.joins.blocks import Codes, JoinOptions, PairBlock, check_radius, words_of
from imgmatch.joins.brute import brute_join

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.joins.blocks import Words

FEW = 20_000_000
"""Up to so many comparisons numpy is done before numba is loaded: about a tenth of a second."""


class _Method(Protocol):
    def __call__(
        self, left: Words, right: Words | None, max_distance: int, options: JoinOptions
    ) -> Iterator[PairBlock]: ...


def self_join(codes: Codes, max_distance: int, options: JoinOptions | None = None) -> Iterator[PairBlock]:
    """Every pair of fingerprints of one set that are near, with ``left < right``.

    Args:
        codes: shape (n, 32), dtype uint8.
        max_distance: in bits, inclusive.
        options: how to run.

    Yields:
        blocks of pairs, each pair once; equal rows are pairs like others.

    Raises:
        ValueError: these are not fingerprints, or not a distance; raised by the call, not by the first block.
    """
    check_radius(max_distance)
    words = words_of(codes)
    return _method(len(words) * len(words))(words, None, max_distance, options or JoinOptions())


def cross_join(left: Codes, right: Codes, max_distance: int, options: JoinOptions | None = None) -> Iterator[PairBlock]:
    """Every near pair of a fingerprint of one set and one of another.

    Args:
        left: shape (n, 32), dtype uint8.
        right: shape (m, 32), dtype uint8.
        max_distance: in bits, inclusive.
        options: how to run.

    Yields:
        blocks of pairs, each pair once.

    Raises:
        ValueError: these are not fingerprints, or not a distance; raised by the call, not by the first block.
    """
    check_radius(max_distance)
    one, other = words_of(left), words_of(right)
    return _method(len(one) * len(other))(one, other, max_distance, options or JoinOptions())


def _method(comparisons: int) -> _Method:
    return brute_join if comparisons <= FEW else _banded()


def _banded() -> _Method:
    """The fast way, or the slow one with a warning where numba does not work; both give the same pairs."""
    try:
        from imgmatch.joins.banded import banded_join  # noqa: PLC0415 -- half a second that few fingerprints do without
    except (ImportError, OSError) as error:
        warnings.warn(f"numba cannot be used, so this join is slow: {error}", RuntimeWarning, stacklevel=3)
        return brute_join
    return banded_join
