from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch.clustering.star_cover import FIRST_ASKED, MOST_REFUSED, Edges, Star, gather

if TYPE_CHECKING:
    from collections.abc import Sequence
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


Pair = tuple[int, int]


def as_edges(costs: Costs, order: list[Pair] | None = None, loose: set[Pair] = NOBODY) -> Edges:
    order = sorted(costs) if order is None else order
    left, right = (np.array([pair[side] for pair in order], np.int64) for side in (0, 1))
    keys = [(min(pair), max(pair)) for pair in order]
    return Edges(
        left, right, np.array([costs[key] for key in keys], np.int64), np.array([key in loose for key in keys], bool)
    )


def gathered(
    weights: list[int],
    costs: Costs,
    cannot_link: set[tuple[int, int]] = NOBODY,
    order: list[tuple[int, int]] | None = None,
) -> list[Star]:
    def told(one: int, other: int) -> bool:
        return (min(one, other), max(one, other)) in cannot_link

    return gather(as_edges(costs, order), np.array(weights, np.int64), told)[0]


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


@pytest.mark.slow
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


class Oracle:
    """Knows which pairs are none, and counts what it is asked."""

    def __init__(self, false: set[Pair]) -> None:
        self.false = false
        self.asked: set[Pair] = set()

    def __call__(self, node: int, others: Sequence[int]) -> list[bool]:
        pairs = [(min(node, other), max(node, other)) for other in others]
        self.asked |= set(pairs)
        return [pair not in self.false for pair in pairs]


Loose = tuple[list[int], Costs, set[Pair], set[Pair]]
"""Weights and costs, which pairs are loose, and which of those are none."""


@st.composite
def loosened(draw: st.DrawFn, nodes: int = 9) -> Loose:
    weights = draw(st.lists(st.integers(1, 4), max_size=nodes))
    possible = list(itertools.combinations(range(len(weights)), 2))
    chosen = draw(st.lists(st.sampled_from(possible), unique=True)) if possible else []
    costs = {pair: draw(st.integers(0, 36)) for pair in chosen}
    loose = {pair for pair in chosen if draw(st.booleans())}
    return weights, costs, loose, {pair for pair in sorted(loose) if draw(st.booleans())}


def loosely(graph: Loose, oracle: Oracle) -> tuple[list[Star], Edges]:
    weights, costs, loose, _ = graph
    return gather(as_edges(costs, loose=loose), np.array(weights, np.int64), hold=oracle)


def loosely_slowly(graph: Loose) -> list[Star]:
    """The obvious way, of so few nodes that all loose edges of a node are asked at once and nobody is given up."""
    weights, costs, loose, false = graph
    there = dict(costs)
    asked: set[Pair] = set()
    free = set(range(len(weights)))
    stars = []

    def rank(node: int) -> tuple[int, int, int]:
        around = [(set(pair) - {node}, cost) for pair, cost in there.items() if node in pair and set(pair) <= free]
        return -weights[node] - sum(weights[other] for (other,), _ in around), sum(cost for _, cost in around), node

    while free:
        medoid = min(free, key=rank)
        before = -rank(medoid)[0]
        for pair in [pair for pair in there if medoid in pair and set(pair) <= free and pair in loose - asked]:
            asked.add(pair)
            if pair in false:
                del there[pair]
        if -2 * rank(medoid)[0] < before:
            continue
        members = {medoid}.union(*(pair for pair in there if medoid in pair and set(pair) <= free))
        stars.append((medoid, tuple(sorted(members))))
        free -= members
    return sorted(stars)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(loosened())
def test_stars_of_loose_edges_are_those_of_the_slow_obvious_way(graph: Loose) -> None:
    assert loosely(graph, Oracle(graph[3]))[0] == loosely_slowly(graph)


@settings(deadline=None)
@given(loosened(40))
def test_asked_in_rounds_with_the_unknown_taken_for_true_it_ends_as_with_all_known(graph: Loose) -> None:
    truth = Oracle(graph[3])
    expected = loosely(graph, truth)[0]
    known: set[Pair] = set()
    while True:
        round_ = Oracle(graph[3] & known)
        stars, _ = loosely(graph, round_)
        if round_.asked <= known:
            break
        known |= round_.asked
    assert stars == expected


@settings(deadline=None)
@given(loosened(40))
def test_no_refused_pair_is_left_and_no_medoid_has_a_member_by_one(graph: Loose) -> None:
    oracle = Oracle(graph[3])
    stars, left = loosely(graph, oracle)
    assert not set(zip(left.left.tolist(), left.right.tolist(), strict=True)) & graph[3] & oracle.asked
    for medoid, members in stars:
        assert all((min(medoid, one), max(medoid, one)) not in graph[3] for one in members if one != medoid)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.data())
def test_where_all_copies_of_each_picture_are_tied_groups_are_the_pictures_whoever_else_is_near(
    pictures: list[int], data: st.DataObject
) -> None:
    """As they are where every loose pair is looked into first."""
    pairs = list(itertools.combinations(range(len(pictures)), 2))
    same = {pair for pair in pairs if pictures[pair[0]] == pictures[pair[1]]}
    strangers = {pair for pair in pairs if pair not in same and data.draw(st.booleans())}
    costs = {pair: data.draw(st.integers(19, 36)) for pair in sorted(same | strangers)}
    graph = [1] * len(pictures), costs, set(costs), strangers
    groups = {members for _, members in loosely(graph, Oracle(strangers))[0]}
    of: dict[int, list[int]] = {}
    for node, picture in enumerate(pictures):
        of.setdefault(picture, []).append(node)
    assert groups == {tuple(nodes) for nodes in of.values()}
    assert groups == {members for _, members in gathered([1] * len(pictures), {pair: costs[pair] for pair in same})}


def everyone(count: int, *, false: bool) -> tuple[Loose, Oracle]:
    pairs = set(itertools.combinations(range(count), 2))
    return ([1] * count, dict.fromkeys(pairs, 20), pairs, pairs if false else set()), Oracle(pairs if false else set())


def test_of_many_copies_only_those_of_the_medoid_are_looked_into() -> None:
    graph, oracle = everyone(300, false=False)
    assert loosely(graph, oracle)[0] == [(0, tuple(range(300)))]
    assert len(oracle.asked) == 299


@pytest.mark.slow
def test_of_many_near_strangers_a_few_a_node_are_looked_into() -> None:
    graph, oracle = everyone(300, false=True)
    assert len(loosely(graph, oracle)[0]) == 300
    assert len(oracle.asked) <= 300 * max(FIRST_ASKED, MOST_REFUSED)


def test_a_copy_that_is_refused_is_left_and_its_group_stays() -> None:
    graph, oracle = everyone(60, false=False)
    oracle.false = {(0, other) for other in range(50, 60)}
    assert loosely(graph, oracle)[0] == [(0, tuple(range(50))), (50, tuple(range(50, 60)))]
