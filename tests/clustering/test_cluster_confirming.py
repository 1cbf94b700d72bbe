from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch.clustering.confirming import crossing, joined
from imgmatch.clustering.star_cover import Edges, Star, gather

BITS, FEATURES = 20, 1000

Pair = tuple[int, int]


def edges(*pairs: Pair) -> Edges:
    left, right = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    return Edges(left, right, np.full(len(pairs), FEATURES, np.int64), np.zeros(len(pairs), bool))


class Told:
    """Pairs that people have told apart."""

    def __init__(self, *pairs: Pair) -> None:
        self.pairs = {tuple(sorted(pair)) for pair in pairs}

    def __call__(self, one: int, other: int) -> bool:
        return tuple(sorted((one, other))) in self.pairs


def joining(stars: list[Star], confirmed: list[Pair], ties: Edges, told: Told | None = None) -> list[Star]:
    return joined(stars, confirmed, ties, told or Told(), 1 + max(member for _, members in stars for member in members))


THREE = (1, (0, 1, 2))
"""A group of three round 1."""


def test_who_is_tied_to_a_member_is_asked_about_with_its_medoid() -> None:
    assert crossing([THREE, (3, (3,))], edges((0, 3)), 4) == [(3, 1)]
    assert crossing([THREE, (3, (3,))], edges((0, 3), (2, 3)), 4) == [(3, 1)]


def test_between_two_groups_each_end_is_asked_about_with_the_others_medoid() -> None:
    assert crossing([THREE, (4, (3, 4))], edges((2, 3)), 5) == [(2, 4), (3, 1)]


def test_ties_within_a_group_and_between_lonely_pictures_ask_nothing() -> None:
    assert crossing([THREE, (3, (3,)), (4, (4,))], edges((0, 1), (0, 2), (3, 4)), 5) == []
    assert crossing([], edges(), 0) == []


def test_a_stray_joins_a_group_only_if_its_medoid_confirms() -> None:
    stars = [THREE, (3, (3,))]
    assert joining(stars, [(3, 1)], edges((0, 3))) == [(1, (0, 1, 2, 3))]
    assert joining(stars, [], edges()) == [THREE]  # tied to 0 by fingerprints, as one link of a chain is


def test_a_stray_tied_by_features_that_no_medoid_confirms_makes_a_group_with_what_it_is_tied_to() -> None:
    """0 belongs to both then: what it shares with 3 may be another part of it than what it shares with 1."""
    assert joining([THREE, (3, (3,))], [], edges((0, 3))) == [(0, (0, 3)), THREE]


def test_every_stray_that_is_tied_by_features_is_in_a_group_with_something_it_is_tied_to() -> None:
    """4 is tied to members of three groups, 3 only to one of these members."""
    stars = [(0, (0, 5)), (1, (1, 6)), (2, (2, 7)), (3, (3,)), (4, (4,))]
    found = joining(stars, [], edges((5, 4), (6, 4), (7, 4), (5, 3)))
    assert any({3, 5} <= set(members) for _, members in found)
    assert any({4, 5} <= set(members) or {4, 6} <= set(members) for _, members in found)


def test_a_collage_joins_the_groups_of_both_its_pictures() -> None:
    stars = [THREE, (4, (4, 5)), (6, (6,))]
    ties = edges((0, 6), (5, 6))
    assert joining(stars, crossing(stars, ties, 7), ties) == [(1, (0, 1, 2, 6)), (4, (4, 5, 6))]


def test_a_group_that_is_part_of_another_vanishes() -> None:
    stars = [THREE, (3, (3, 4))]
    assert joining(stars, [(3, 1), (4, 1)], edges((0, 3))) == [(1, (0, 1, 2, 3, 4))]
    assert joining([(3, (3, 4)), (6, (5, 6, 7))], [(3, 6), (4, 6)], edges()) == [(6, (3, 4, 5, 6, 7))]


def test_of_two_equal_groups_that_with_the_earlier_medoid_stays() -> None:
    stars: list[Star] = [(1, (0, 1)), (2, (2, 3))]
    assert joining(stars, [(0, 2), (1, 2), (2, 1), (3, 1)], edges()) == [(1, (0, 1, 2, 3))]


def test_whoever_was_told_apart_from_a_member_does_not_join() -> None:
    stars = [THREE, (3, (3,)), (4, (4,))]
    assert joining(stars, [(3, 1)], edges(), Told((3, 2))) == [THREE]
    # 3 and 4 were told apart from each other: the first of them joins.
    assert joining(stars, [(3, 1), (4, 1)], edges(), Told((4, 3))) == [(1, (0, 1, 2, 3))]


def test_groups_of_what_is_left_over_keep_apart_what_was_told_apart() -> None:
    stars = [THREE, (3, (3,)), (4, (4,))]
    found = joining(stars, [], edges((0, 3), (0, 4)), Told((3, 4)))
    assert all(not {3, 4} <= set(members) for _, members in found)
    assert (0, (0, 3)) in found


def test_pictures_tied_to_nothing_are_left_out() -> None:
    assert joining([(0, (0,)), (1, (1,))], [], edges()) == []


@st.composite
def nights(draw: st.DrawFn) -> tuple[int, list[Pair], list[Pair], Told, list[bool]]:
    """How many pictures, ties by fingerprints and by features, who is cannot_link, and what medoids say when asked."""
    count = draw(st.integers(1, 11))
    possible = list(itertools.combinations(range(count), 2))
    roles = draw(st.lists(st.sampled_from(["near", "tie", "apart"] + ["none"] * 4), min_size=len(possible)))
    of = {role: [pair for pair, given in zip(possible, roles, strict=False) if given == role] for role in roles}
    said = draw(st.lists(st.booleans(), min_size=2 * len(possible), max_size=2 * len(possible)))
    return count, of.get("near", []), of.get("tie", []), Told(*of.get("apart", [])), said


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(nights())
def test_of_any_night_groups_are_true_to_their_medoids_keep_apart_and_none_is_part_of_another(
    night: tuple[int, list[Pair], list[Pair], Told, list[bool]],
) -> None:
    count, near, tied, told, said = night
    costs = np.repeat([BITS, FEATURES], [len(near), len(tied)])
    both = replace(edges(*near, *tied), costs=costs.astype(np.int64))
    stars, _ = gather(both, np.ones(count, np.int64), told)
    asked = crossing(stars, both, count)
    assert asked == sorted(set(asked))
    confirmed = [pair for pair, yes in zip(asked, said, strict=False) if yes]
    found = joined(stars, confirmed, edges(*tied), told, count)
    known = {frozenset(pair) for pair in (*near, *tied, *confirmed)}
    assert found == sorted(found)
    for medoid, members in found:
        assert len(members) > 1
        assert all(member == medoid or frozenset((member, medoid)) in known for member in members)
        assert not any(told(*pair) for pair in itertools.combinations(members, 2))
        assert not any(set(members) < set(others) for _, others in found)
    assert len({members for _, members in found}) == len(found)
