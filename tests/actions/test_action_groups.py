from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch.actions.groups import Star, gather
from imgmatch.joins.near import Pairs

if TYPE_CHECKING:
    from random import Random

Edges = dict[tuple[int, int], int]
Graph = tuple[list[int], Edges]
"""The weight of each node, and the distance of each pair of near nodes."""


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    nodes = draw(st.integers(0, 12))
    weights = draw(st.lists(st.integers(1, 4), min_size=nodes, max_size=nodes))
    possible = list(itertools.combinations(range(nodes), 2))
    chosen = draw(st.lists(st.sampled_from(possible), unique=True)) if possible else []
    return weights, {pair: draw(st.integers(0, 31)) for pair in chosen}


def as_pairs(edges: Edges, order: list[tuple[int, int]] | None = None) -> Pairs:
    order = sorted(edges) if order is None else order
    left, right = (np.array([pair[side] for pair in order], np.int64) for side in (0, 1))
    distances = np.array([edges[pair] for pair in order], np.int32)
    return Pairs(left, right, distances, np.zeros(len(order), np.int8))


def gathered(weights: list[int], edges: Edges) -> list[Star]:
    return gather(as_pairs(edges), np.array(weights, np.int64))


def slowly(weights: list[int], edges: Edges) -> list[Star]:
    """The obvious way: rank every free node anew before each star."""
    near: dict[int, dict[int, int]] = {node: {} for node in range(len(weights))}
    for (one, other), distance in edges.items():
        near[one][other] = near[other][one] = distance
    free = set(near)
    stars = []
    while free:
        ranks = []
        for node in free:
            others = [other for other in near[node] if other in free]
            weight = weights[node] + sum(weights[other] for other in others)
            ranks.append((-weight, sum(near[node][other] for other in others), node))
        medoid = min(ranks)[-1]
        members = {medoid} | (set(near[medoid]) & free)
        stars.append((medoid, tuple(sorted(members))))
        free -= members
    return sorted(stars)


@settings(max_examples=300)
@given(graphs())
def test_stars_are_those_of_the_slow_obvious_way(graph: Graph) -> None:
    assert gathered(*graph) == slowly(*graph)


@given(graphs())
def test_every_node_is_in_one_star_and_near_to_its_medoid(graph: Graph) -> None:
    weights, edges = graph
    stars = gathered(weights, edges)
    assert sorted(member for _, members in stars for member in members) == list(range(len(weights)))
    for medoid, members in stars:
        assert medoid in members
        assert list(members) == sorted(members)
        for member in members:
            assert member == medoid or (min(member, medoid), max(member, medoid)) in edges


@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_in_which_pairs_come_does_not_matter(graph: Graph, random: Random) -> None:
    weights, edges = graph
    order = list(edges)
    random.shuffle(order)
    assert gather(as_pairs(edges, order), np.array(weights, np.int64)) == gathered(weights, edges)


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
