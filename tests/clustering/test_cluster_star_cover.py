from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch.clustering.star_cover import Edges, Star, gather

if TYPE_CHECKING:
    from random import Random

Costs = dict[tuple[int, int], int]
Graph = tuple[list[int], Costs]
"""The weight of each node, and the cost of each pair of tied nodes."""

Parted = tuple[list[int], Costs, set[tuple[int, int]]]
"""The same, and pairs that must be apart; none of them is tied."""

NOBODY: set[tuple[int, int]] = set()


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    nodes = draw(st.integers(0, 12))
    weights = draw(st.lists(st.integers(1, 4), min_size=nodes, max_size=nodes))
    possible = list(itertools.combinations(range(nodes), 2))
    chosen = draw(st.lists(st.sampled_from(possible), unique=True)) if possible else []
    return weights, {pair: draw(st.integers(0, 31) | st.just(1000)) for pair in chosen}


@st.composite
def parted(draw: st.DrawFn) -> Parted:
    weights, costs = draw(graphs())
    others = [pair for pair in itertools.combinations(range(len(weights)), 2) if pair not in costs]
    return weights, costs, set(draw(st.lists(st.sampled_from(others), unique=True))) if others else set()


def as_edges(costs: Costs, order: list[tuple[int, int]] | None = None) -> Edges:
    order = sorted(costs) if order is None else order
    left, right = (np.array([pair[side] for pair in order], np.int64) for side in (0, 1))
    return Edges(left, right, np.array([costs[min(pair), max(pair)] for pair in order], np.int64))


def gathered(
    weights: list[int],
    costs: Costs,
    cannot_link: set[tuple[int, int]] = NOBODY,
    order: list[tuple[int, int]] | None = None,
) -> list[Star]:
    def told(one: int, other: int) -> bool:
        return (min(one, other), max(one, other)) in cannot_link

    return gather(as_edges(costs, order), np.array(weights, np.int64), told)


def slowly(weights: list[int], costs: Costs, cannot_link: set[tuple[int, int]] = NOBODY) -> list[Star]:
    """The obvious way: rank every free node anew before each star."""
    near: dict[int, dict[int, int]] = {node: {} for node in range(len(weights))}
    for (one, other), cost in costs.items():
        near[one][other] = near[other][one] = cost
    free = set(near)
    stars = []
    while free:
        ranks = []
        for node in free:
            others = [other for other in near[node] if other in free]
            weight = weights[node] + sum(weights[other] for other in others)
            ranks.append((-weight, sum(near[node][other] for other in others), node))
        medoid = min(ranks)[-1]
        members = {medoid}
        for _, other in sorted((near[medoid][other], other) for other in near[medoid] if other in free):
            if not any((min(other, member), max(other, member)) in cannot_link for member in members):
                members.add(other)
        stars.append((medoid, tuple(sorted(members))))
        free -= members
    return sorted(stars)


@settings(max_examples=300, deadline=None)
@given(parted())
def test_stars_are_those_of_the_slow_obvious_way(graph: Parted) -> None:
    assert gathered(*graph) == slowly(*graph)


@given(parted())
def test_every_node_is_in_one_star_and_near_to_its_medoid(graph: Parted) -> None:
    weights, costs, _ = graph
    stars = gathered(*graph)
    assert sorted(member for _, members in stars for member in members) == list(range(len(weights)))
    for medoid, members in stars:
        assert medoid in members
        assert list(members) == sorted(members)
        for member in members:
            assert member == medoid or (min(member, medoid), max(member, medoid)) in costs


@given(parted())
def test_no_star_holds_two_that_must_be_apart(graph: Parted) -> None:
    for _, members in gathered(*graph):
        assert graph[2].isdisjoint(itertools.combinations(members, 2))


@given(parted(), st.randoms(use_true_random=False))
def test_the_order_in_which_pairs_and_their_ends_come_does_not_matter(graph: Parted, random: Random) -> None:
    order = [random.choice([pair, pair[::-1]]) for pair in graph[1]]
    random.shuffle(order)
    assert gathered(*graph, order) == gathered(*graph)


def test_of_two_that_must_be_apart_the_nearer_one_is_taken_and_the_other_is_left() -> None:
    assert gathered([1, 1, 1], {(0, 1): 9, (0, 2): 3}, {(1, 2)}) == [(0, (0, 2)), (1, (1,))]
    assert gathered([1, 1, 1], {(0, 1): 3, (0, 2): 3}, {(1, 2)}) == [(0, (0, 1)), (2, (2,))]


def test_ties_by_features_come_after_those_by_fingerprints() -> None:
    path = {(0, 1): 1000, (1, 2): 31, (2, 3): 31}
    assert gathered([1] * 4, path) == [(0, (0,)), (2, (1, 2, 3))]
    assert gathered([1] * 3, {(0, 1): 1000, (0, 2): 31}, {(1, 2)}) == [(0, (0, 2)), (1, (1,))]


def test_a_chain_is_cut_not_merged() -> None:
    """0-1-2-3-4, each near to the next only."""
    stars = gathered([1] * 5, {(node, node + 1): 20 for node in range(4)})
    assert stars == [(1, (0, 1, 2)), (3, (3, 4))]


def test_the_heaviest_neighbourhood_goes_first() -> None:
    """2 has the most neighbours, but 3 has 4, and very many accounts stand behind 4."""
    edges = {(0, 2): 5, (1, 2): 5, (2, 3): 5, (3, 4): 5}
    assert gathered([1, 1, 1, 1, 1], edges) == [(2, (0, 1, 2, 3)), (4, (4,))]
    assert gathered([1, 1, 1, 1, 9], edges) == [(0, (0,)), (1, (1,)), (3, (2, 3, 4))]


def test_of_equal_neighbourhoods_the_nearer_one_goes_first_then_the_earlier() -> None:
    assert gathered([1, 1, 1], {(0, 1): 9, (1, 2): 3}) == [(1, (0, 1, 2))]
    assert gathered([1] * 4, {(0, 1): 9, (2, 3): 3}) == [(0, (0, 1)), (2, (2, 3))]
    square = {(0, 1): 9, (1, 2): 3, (2, 3): 3, (0, 3): 9}
    assert gathered([1] * 4, square)[-1] == (2, (1, 2, 3))


def test_no_nodes_give_no_stars_and_lonely_ones_stars_of_their_own() -> None:
    assert gathered([], {}) == []
    assert gathered([1, 2], {}) == [(0, (0,)), (1, (1,))]
