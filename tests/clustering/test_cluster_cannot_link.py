from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

import photos
import pytest
from planting import Planter, shot, who

from imgmatch.actions.decide import decide
from imgmatch.actions.rings import find_rings
from imgmatch.demo.portraits import portrait
from imgmatch.model import Kind, RingsReport, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

BY = "ana"


def everything(planter: Planter) -> RingsReport:
    """At thresholds at which much would be tied that is none."""
    return find_rings(planter.index.parts, max_distance=60, min_score=0.0)


def together(report: RingsReport) -> set[tuple[str, str]]:
    """Pairs of accounts that stand in one group."""
    groups = [*report.common, *(group for ring in report.rings for group in ring.groups)]
    return {pair for group in groups for pair in itertools.combinations(sorted(group.accounts), 2)}


def dismiss(planter: Planter, one: str, other: str) -> None:
    decide(planter.index.parts, Verdict.DISMISS, pair=(one, other), by=BY)


def dismiss_after_rings(planter: Planter, one: str, other: str) -> None:
    assert len(planter.rings().rings) == 1
    dismiss(planter, one, other)


def test_two_pictures_told_apart_are_so_on_whatever_accounts_they_stand(planter: Planter) -> None:
    low = photos.jpeg(shot(1), 10)
    one, other = planter.plant("a", shot(1), 1), planter.plant("b", low, 2)
    assert together(planter.rings()) == {("a", "b")}
    dismiss(planter, one, other)
    assert planter.rings().rings == ()
    planter.plant("c", shot(1), 3)
    planter.plant("d", low, 4)
    assert together(planter.rings()) == {("a", "c"), ("b", "d")}
    assert {tuple(who(ring)) for ring in planter.rings().rings} == {("a", "c"), ("b", "d")}


def test_one_picture_on_two_accounts_is_told_apart_for_these_accounts_only(planter: Planter) -> None:
    data = photos.jpeg(shot(1))
    one, other = planter.plant("a", data, 1), planter.plant("b", data, 2)
    dismiss_after_rings(planter, one, other)
    assert planter.rings().rings == ()
    planter.plant("c", data, 3)
    planter.plant("d", data, 4)
    found = together(planter.rings())
    assert ("a", "b") not in found
    assert ("c", "d") in found
    assert {account for pair in found for account in pair} >= {"c", "d"}


def test_the_same_bytes_are_told_to_be_exact_copies_though_others_with_them_were_told_apart(planter: Planter) -> None:
    data = photos.jpeg(shot(1))
    one, other = planter.plant("a", data, 1), planter.plant("b", data, 2)
    dismiss_after_rings(planter, one, other)
    planter.plant("c", data, 3)
    [ring] = planter.rings().rings
    assert [one.kind for one in ring.groups[0].evidence] == [Kind.EXACT, Kind.EXACT]


def test_near_copies_of_a_picture_that_two_accounts_may_both_carry_are_tied_to_one_of_them(planter: Planter) -> None:
    """No photo is behind the picture itself then, but on the two accounts that were told apart."""
    data = photos.jpeg(shot(1))
    one, other = planter.plant("a", data, 1), planter.plant("b", data, 2)
    planter.plant("c", photos.jpeg(shot(1), 10), 3)
    planter.plant("d", photos.jpeg(shot(1), 20), 4)
    dismiss_after_rings(planter, one, other)
    found = together(planter.rings())
    assert ("a", "b") not in found
    assert ("c", "d") in found


def test_a_picture_that_is_gone_but_for_two_accounts_told_apart_makes_no_ring(planter: Planter) -> None:
    data = photos.jpeg(shot(1))
    one, other = planter.plant("a", data, 1), planter.plant("b", data, 2)
    third = planter.plant("c", data, 3)
    dismiss_after_rings(planter, one, other)
    planter.drop(third)
    assert planter.rings().rings == ()


def test_a_later_confirmation_lifts_a_dismissal_and_a_later_dismissal_that(planter: Planter) -> None:
    data = photos.jpeg(shot(1))
    pairs = [
        (planter.plant("a", data, 1), planter.plant("b", data, 2)),
        (planter.plant("c", shot(2), 3), planter.plant("d", photos.jpeg(shot(2), 10), 4)),
    ]
    both = {("a", "b"), ("c", "d")}
    assert together(planter.rings()) == both
    for verdict, expected in ((Verdict.DISMISS, set()), (Verdict.CONFIRM, both), (Verdict.DISMISS, set())):
        for pair in pairs:
            decide(planter.index.parts, verdict, pair=pair, by=BY)
        assert together(find_rings(planter.index.parts)) == expected


def test_a_mark_as_common_lifts_no_dismissal(planter: Planter) -> None:
    one, other = planter.plant("a", shot(1), 1), planter.plant("b", photos.jpeg(shot(1), 10), 2)
    dismiss_after_rings(planter, one, other)
    decide(planter.index.parts, Verdict.COMMON, pair=(one, other), by=BY)
    assert together(find_rings(planter.index.parts)) == set()


@pytest.mark.parametrize("what", ["group", "ring"])
def test_the_dismissal_of_a_group_or_ring_tells_all_its_pairs_apart(planter: Planter, what: str) -> None:
    for number, quality in enumerate((85, 85, 10, 20, 40)):
        planter.plant(f"a{number}", photos.jpeg(shot(1), quality), number)
    [ring] = planter.rings().rings
    assert len(ring.accounts) == 5
    ring_id, group = (ring.ring, None) if what == "ring" else (None, ring.groups[0].group)
    decide(planter.index.parts, Verdict.DISMISS, ring=ring_id, group=group, by=BY)
    assert planter.rings().rings == ()
    assert everything(planter).rings == ()
    planter.plant("new", photos.jpeg(shot(1), 30), 9)
    assert len(together(planter.rings())) == 1  # nobody is told apart from it, but no two others may join


def touched(planter: Planter) -> None:
    for photo in planter.planted:
        file = planter.file(photo.photo_id)
        os.utime(file, ns=(0, 10**18 + file.stat().st_mtime_ns))
    planter.scan()


def scanned_again(planter: Planter) -> None:
    planter.scan()


def gone_and_back(planter: Planter) -> None:
    planter.planted = []
    planter.scan()
    assert len(planter.index) == 0
    assert find_rings(planter.index.parts).rings == ()


def written_anew(planter: Planter) -> None:
    """The same pictures in other files: only the bytes differ."""
    for photo in planter.planted:
        file = planter.file(photo.photo_id)
        file.write_bytes(file.read_bytes() + b"\0")
    planter.scan()


def rebuilt(planter: Planter) -> None:
    planter.index.rebuild()


@pytest.mark.parametrize("then", [scanned_again, touched, written_anew, gone_and_back, rebuilt])
def test_a_dismissed_pair_never_returns(planter: Planter, then: Callable[[Planter], None]) -> None:
    """Tied by equal fingerprints, by near ones, and by features."""
    data, whole = photos.jpeg(shot(1)), portrait(1)
    pairs = [
        (planter.plant("a", data, 1), planter.plant("b", data, 2)),
        (planter.plant("c", shot(2), 3), planter.plant("d", photos.jpeg(shot(2), 10), 4)),
        (planter.plant("e", whole, 5), planter.plant("f", whole.crop((0, 0, whole.width, whole.height // 2)), 6)),
    ]
    assert together(planter.rings()) == {("a", "b"), ("c", "d"), ("e", "f")}
    for pair in pairs:
        dismiss(planter, *pair)
    planted = list(planter.planted)
    then(planter)
    planter.planted = planted
    planter.scan()
    assert len(planter.index) == 6
    assert find_rings(planter.index.parts).rings == ()
    assert together(everything(planter)) & {("a", "b"), ("c", "d"), ("e", "f")} == set()
