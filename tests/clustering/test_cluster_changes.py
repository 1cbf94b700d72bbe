from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch.catalog.reports import Report, ReportedRing
from imgmatch.clustering.changes import compared, identified
from imgmatch.model import Change, Gone, Group, Photo, Ring, RingAccount

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def ring(own: str, accounts: str, pictures: int = 1) -> Ring:
    """A ring of accounts of one letter each, under the id that its earliest photo gives it."""
    photo = Photo(accounts[0], "1.jpg", "p", None, WHEN)
    group = Group("p", photo, (photo,), tuple(accounts), common=False)
    members = tuple(RingAccount(account, None, WHEN) for account in accounts)
    return Ring(own, members, (group,) * pictures, accounts[0], (), WHEN)


def reported(**rings: str) -> Report:
    return Report(0, tuple(ReportedRing(name, frozenset(accounts), 1) for name, accounts in sorted(rings.items())))


def told(last: Report | None, *rings: Ring) -> tuple[dict[str, Ring], tuple[Gone, ...]]:
    found, gone = compared(identified(rings, last), last)
    assert len({one.ring for one in found}) == len(found)
    return {one.ring: one for one in found}, gone


def test_without_an_earlier_report_rings_have_their_own_ids_and_nothing_is_said() -> None:
    rings = [ring("r1", "abc"), ring("r2", "de")]
    assert compared(identified(rings, None), None) == (rings, ())


def test_where_nothing_has_changed_nothing_is_said() -> None:
    found, gone = told(reported(r1="abc", r2="de"), ring("r1", "abc"), ring("r2", "de"))
    assert gone == ()
    for one in found.values():
        assert one.changes == one.joined == one.left == one.came_from == one.went_to == ()
        assert one.new is False


def test_a_ring_that_others_join_keeps_its_id_though_an_earlier_photo_gives_it_another() -> None:
    found, gone = told(reported(r1="abc"), ring("r9", "zabc"))
    assert (found["r1"].changes, found["r1"].joined, found["r1"].left) == ((Change.GROWN,), ("z",), ())
    assert (found["r1"].new, gone) == (False, ())


def test_a_ring_that_some_leave_keeps_its_id() -> None:
    found, gone = told(reported(r1="abcd"), ring("r9", "bc"))
    assert (found["r1"].changes, found["r1"].joined, found["r1"].left) == ((Change.SHRUNK,), (), ("a", "d"))
    assert gone == ()


def test_a_ring_that_some_join_and_some_leave_says_both() -> None:
    found, _ = told(reported(r1="abc"), ring("r1", "bcyx"))
    assert found["r1"].changes == (Change.GROWN, Change.SHRUNK)
    assert (found["r1"].joined, found["r1"].left) == (("y", "x"), ("a",))


def test_of_a_ring_that_falls_apart_the_larger_part_keeps_the_id_and_the_other_says_where_it_came_from() -> None:
    found, gone = told(reported(r1="abcde"), ring("r1", "ab"), ring("r2", "cde"))
    large, small = found["r1"], next(one for name, one in found.items() if name != "r1")
    assert [one.account for one in large.accounts] == ["c", "d", "e"]
    assert (large.changes, large.went_to, large.left) == ((Change.SPLIT,), (small.ring,), ())
    assert small.ring not in {"r1", "r2"}  # its own id is taken by the other part, and not borrowed from that
    assert (small.changes, small.came_from, small.new) == ((Change.SPLIT,), ("r1",), False)
    assert gone == ()


def test_rings_that_have_merged_go_by_the_id_of_the_larger_one() -> None:
    found, gone = told(reported(r1="ab", r2="cde"), ring("r1", "abcde"))
    [one] = found.values()
    assert (one.ring, one.changes, one.came_from) == ("r2", (Change.MERGED,), ("r1",))
    assert (one.joined, one.left, gone) == (("a", "b"), (), ())


def test_an_account_that_changes_over_is_merged_into_one_ring_and_split_from_the_other() -> None:
    found, _ = told(reported(r1="abc", r2="def"), ring("r1", "ab"), ring("r2", "cdef"))
    assert (found["r1"].changes, found["r1"].went_to, found["r1"].left) == ((Change.SPLIT,), ("r2",), ())
    assert (found["r2"].changes, found["r2"].came_from, found["r2"].joined) == ((Change.MERGED,), ("r1",), ("c",))


def test_a_ring_of_whose_accounts_none_is_in_a_ring_is_gone() -> None:
    found, gone = told(reported(r1="ba", r2="cd"), ring("r2", "cd"))
    assert gone == (Gone("r1", ("a", "b")),)
    assert found["r2"].changes == ()


def test_a_new_ring_is_new() -> None:
    found, _ = told(reported(r1="ab"), ring("r1", "ab"), ring("r2", "xy"))
    assert (found["r2"].changes, found["r2"].new, found["r2"].joined) == ((Change.NEW,), True, ("x", "y"))


def test_a_new_ring_whose_own_id_is_taken_gets_another_and_the_same_one_each_time() -> None:
    """As when the account with the earliest photo has left a ring, and opens another with that photo."""
    last = reported(r1="abc")
    names = set()
    for rings in ([ring("r1", "xy"), ring("r7", "abc")], [ring("r7", "abc"), ring("r1", "xy")]):
        found, _ = told(last, *rings)
        [name] = found.keys() - {"r1"}
        assert [one.account for one in found[name].accounts] == ["x", "y"]
        assert found[name].changes == (Change.NEW,)
        names.add(name)
    assert len(names) == 1


def test_a_new_ring_does_not_take_the_id_of_one_that_is_gone() -> None:
    found, gone = told(reported(r1="ab"), ring("r1", "xy"))
    assert "r1" not in found
    assert [one.ring for one in gone] == ["r1"]


def test_other_pictures_on_the_same_accounts_are_a_change_of_their_own() -> None:
    found, _ = told(reported(r1="ab"), ring("r1", "ab", pictures=2))
    assert found["r1"].changes == (Change.PICTURES,)
    found, _ = told(reported(r1="ab"), ring("r1", "abc", pictures=2))
    assert found["r1"].changes == (Change.GROWN,)


ACCOUNTS = "abcdefghij"


@st.composite
def worlds(draw: st.DrawFn) -> list[str]:
    """Accounts divided into rings of two or more; some are in none."""
    places = draw(st.lists(st.integers(0, 5), min_size=len(ACCOUNTS), max_size=len(ACCOUNTS)))
    parts = ("".join(a for a, place in zip(ACCOUNTS, places, strict=True) if place == part) for part in range(1, 6))
    return [part for part in parts if len(part) > 1]


def drawn(world: list[str]) -> list[Ring]:
    """Each under the id of its first account, as the earliest photo would give it."""
    return [ring(f"r{part[0]}", part) for part in world]


def report(rings: list[Ring]) -> Report:
    kept = [ReportedRing(one.ring, frozenset(member.account for member in one.accounts), 1) for one in rings]
    return Report(0, tuple(sorted(kept, key=lambda one: one.ring)))


@settings(max_examples=300, deadline=None)
@given(worlds(), worlds(), worlds())
def test_ids_are_unique_and_every_earlier_ring_and_account_is_accounted_for(
    first: list[str], second: list[str], third: list[str]
) -> None:
    last = report(drawn(first))
    for world in (second, third):
        rings, gone = compared(identified(drawn(world), last), last)
        now = {one.ring: {member.account for member in one.accounts} for one in rings}
        assert len(now) == len(rings)
        before = {one.ring: one.accounts for one in last.rings}
        assert {one.ring: frozenset(one.accounts) for one in gone}.items() <= before.items()
        told_of = now.keys() | {one.ring for one in gone} | {name for one in rings for name in one.came_from}
        assert before.keys() <= told_of
        for one in rings:
            had = before.get(one.ring, frozenset())
            assert now[one.ring] == (had | set(one.joined)) - set(one.left) - set().union(
                *(now[name] for name in one.went_to)
            )
            assert (one.changes == ()) == (now[one.ring] == had)
            assert one.new == (one.changes == (Change.NEW,))
            assert bool(had) == bool(had & now[one.ring])  # no id goes to a ring that shares no account with it
        last = report(rings)


@given(worlds(), worlds())
def test_an_id_stays_with_the_ring_that_shares_most(first: list[str], second: list[str]) -> None:
    last = report(drawn(first))
    before = {one.ring: one.accounts for one in last.rings}
    rings = identified(drawn(second), last)
    kept = {one.ring: one for one in rings if one.ring in before}
    for one in rings:
        accounts = {member.account for member in one.accounts}
        shared = Counter({name: len(accounts & had) for name, had in before.items()})
        for name, count in shared.items():
            if count > shared[one.ring]:  # it would rather be that one: then another shares no less with it
                assert len({member.account for member in kept[name].accounts} & before[name]) >= count


@given(worlds(), worlds())
def test_the_order_of_accounts_in_rings_and_of_reported_rings_does_not_matter(
    first: list[str], second: list[str]
) -> None:
    last = report(drawn(first))
    rings = drawn(second)
    turned = [replace(one, accounts=one.accounts[::-1]) for one in rings]
    found, gone = compared(identified(rings, last), last)
    again, gone_again = compared(identified(turned, Report(0, last.rings[::-1])), Report(0, last.rings[::-1]))
    assert sorted(gone_again, key=lambda one: one.ring) == list(gone)
    for one, other in zip(found, again, strict=True):
        assert replace(other, accounts=other.accounts[::-1], joined=other.joined[::-1]) == one


@given(worlds(), worlds())
def test_a_report_compared_with_itself_says_nothing(first: list[str], second: list[str]) -> None:
    last = report(drawn(first))
    rings = identified(drawn(second), last)
    again = [replace(one, ring=own.ring) for one, own in zip(rings, drawn(second), strict=True)]
    found, gone = compared(identified(again, report(rings)), report(rings))
    assert [one.ring for one in found] == [one.ring for one in rings]
    assert [one.changes for one in found] == [()] * len(found)
    assert gone == ()
