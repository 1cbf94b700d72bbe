from __future__ import annotations

import json
import math
from itertools import combinations
from typing import Any

import numpy as np
import photos
import pytest
from hearing import Heard
from PIL import Image, ImageOps
from planting import Planter, found, shot, who

from imgmatch.actions.decide import decide
from imgmatch.actions.rings import find_rings, keep_report
from imgmatch.catalog import schema
from imgmatch.catalog.features import feature_ids_after
from imgmatch.catalog.pair_scores import PairScore, store_pair_scores
from imgmatch.clustering import search
from imgmatch.clustering.run import LEASE
from imgmatch.demo import edits
from imgmatch.demo.portraits import portrait
from imgmatch.errors import IndexLockedError
from imgmatch.formats.records import ring_record
from imgmatch.index import Index
from imgmatch.model import Change, Group, Kind, Ring, RingsReport, Verdict

BY = "ana"

NOT_SEEN: dict[str, Any] = {"overlap_low": None, "overlap_high": None, "agreement": None}


def part(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """What lies between these shares of width and height."""
    width, height = image.size
    return image.crop((round(left * width), round(top * height), round(right * width), round(bottom * height)))


def crop_of_half(image: Image.Image, at: float = 0.1) -> Image.Image:
    side = math.sqrt(0.5)
    return part(image, at, at, at + side, at + side)


def only(report: RingsReport) -> tuple[Ring, Group]:
    [ring] = report.rings
    [group] = ring.groups
    return ring, group


def lines(report: RingsReport) -> list[str]:
    return [json.dumps(ring_record(ring)) for ring in report.rings]


def contents(index: Index) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with index.parts.catalog.read() as session:
        return {
            name: [tuple(row) for row in session.sql.execute(table.select())]
            for name, table in schema.metadata.tables.items()
        }


def test_the_score_follows_from_how_many_false_rings_may_be(planter: Planter) -> None:
    """Among strangers that nearly look like copies a pair needs a higher score, and what is to be expected is told."""
    planter.plant("victim", portrait(0), 1)
    planter.plant("crop", crop_of_half(portrait(0)), 2)
    for number in range(12):
        planter.plant(f"honest{number}", portrait(10 + number), number)
    usual = planter.rings()
    assert who(only(usual)[0]) == ["victim", "crop"]
    parts = planter.index.parts
    with parts.catalog.write() as session:
        strangers = feature_ids_after(session, parts.codebook, 0)[2:]
        pairs = combinations(strangers, 2)
        store_pair_scores(session, [PairScore(*pair, -3.0, mirrored=False, rotation=0, **NOT_SEEN) for pair in pairs])
    many = planter.index.rings(false_rings=1_000)
    assert who(only(many)[0]) == ["victim", "crop"]
    assert 0 < many.expected_false <= 1_000
    none = planter.index.rings(false_rings=1e-9)
    assert none.rings == ()
    assert none.expected_false <= 1e-9
    assert planter.index.rings(false_rings=1e-9, search=False).rings == ()
    again = planter.index.rings()
    assert found(again).rings == found(usual).rings
    assert again.expected_false > usual.expected_false
    assert again.expected_false_between[1] >= 1


@pytest.mark.parametrize(
    "wrong",
    [{"false_rings": 0}, {"false_rings": math.nan}, {"false_rings": math.inf}, {"false_rings": 1, "min_score": 0.9}],
)
def test_false_rings_that_choose_no_score_are_refused(planter: Planter, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="false rings are a number above 0, and take the place of a score"):
        planter.index.rings(**wrong)


@pytest.mark.parametrize("wrong", [{"min_score": math.nan}, {"common_days": math.inf}, {"common_days": math.nan}])
def test_what_is_no_number_is_refused_and_not_kept(planter: Planter, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="days and scores are finite numbers"):
        planter.index.rings(**wrong)
    assert planter.index.rings().rings == ()


def plant_crops(planter: Planter, people: range) -> None:
    """Portraits, a crop of each, and a mirrored one, each on an account of its own."""
    for number in people:
        whole = portrait(number)
        planter.plant(f"victim{number}", whole, number)
        planter.plant(f"crop{number}", crop_of_half(whole), 50 + number)
        planter.plant(f"mirror{number}", ImageOps.mirror(crop_of_half(whole, 0.2)), 90 + number)


def test_a_crop_and_a_mirrored_crop_are_tied_to_the_whole_picture(planter: Planter) -> None:
    plant_crops(planter, range(1))
    for number in range(5):
        planter.plant(f"honest{number}", portrait(10 + number), number)
    ring, group = only(planter.rings())
    assert who(ring) == ["victim0", "crop0", "mirror0"]
    assert group.medoid.account == "victim0"
    whole, crop, mirrored = group.evidence
    assert whole.kind is Kind.EXACT
    assert (crop.kind, crop.mirrored, crop.rotation, crop.distance) == (Kind.PARTIAL, False, 0, None)
    assert (mirrored.kind, mirrored.mirrored, mirrored.rotation) == (Kind.PARTIAL, True, 0)
    for one in (crop, mirrored):
        assert one.overlap == pytest.approx(0.5, abs=0.02)  # half of the whole picture is in it
        assert one.score > 0.99
        assert one.agreement == pytest.approx(1, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("turn", edits.TURNED_EDITS, ids=lambda turn: turn.name)
def test_how_a_copy_stands_to_the_medoid_is_what_a_check_says_in_whatever_order_they_came(
    planter: Planter, turn: edits.Edit
) -> None:
    whole = portrait(60)
    planter.plant("before", turn.apply(crop_of_half(whole, 0.05)), 1)
    planter.plant("near before", turn.apply(whole), 2)
    planter.plant("whole", whole, 3)
    planter.plant("near after", edits.recompress(turn.apply(whole), 40), 4)
    planter.plant("after", turn.apply(crop_of_half(whole, 0.2)), 5)
    medoids = set()
    for more in range(2):
        if more:  # so that the whole picture, which came later, is the medoid
            for day in range(2):
                planter.plant(f"more{day}", edits.UPRIGHT_EDITS[day].apply(whole), 7 + day)
        _, group = only(planter.rings())
        medoids.add(group.medoid.account)
        for photo, evidence in zip(group.photos, group.evidence, strict=True):
            [said] = [
                match.evidence
                for match in planter.index.check(planter.file(photo.photo_id))
                if match.photo == group.medoid
            ]
            assert (evidence.kind, evidence.mirrored) == (said.kind, said.mirrored)
            assert abs((evidence.rotation - said.rotation + 180) % 360 - 180) <= 2
            assert evidence.overlap is None or evidence.overlap == pytest.approx(said.overlap, abs=0.03)
    assert medoids == {"near before", "whole"}


def test_two_crops_that_share_nothing_are_tied_through_the_whole_picture(planter: Planter) -> None:
    whole = portrait(50)
    planter.plant("top", part(whole, 0, 0, 1, 0.5), 30)
    planter.plant("bottom", part(whole, 0, 0.5, 1, 1), 31)
    assert planter.rings().rings == ()
    planter.plant("whole", whole, 40)
    ring, group = only(planter.rings())
    assert who(ring) == ["top", "bottom", "whole"]
    assert group.medoid.account == "whole"


def test_two_pictures_that_stand_side_by_side_in_a_collage_are_two_groups_and_the_collage_is_in_both(
    planter: Planter,
) -> None:
    """The accounts are one ring by it, but a photo of one picture is never in a group with a photo of the other."""
    one, two = (portrait(seed).resize((480, 600)) for seed in (51, 52))
    collage = Image.new("RGB", (980, 600), "white")
    collage.paste(one, (0, 0))
    collage.paste(two, (500, 0))
    copies = {"a1": one, "a2": edits.greyscale(one), "b1": two, "b2": edits.warm(two), "both": collage}
    for day, (account, image) in enumerate(copies.items()):
        planter.plant(account, image, day)
    [ring] = planter.rings().rings
    assert who(ring) == ["a1", "a2", "b1", "b2", "both"]
    assert [group.accounts for group in ring.groups] == [("a1", "a2", "both"), ("b1", "b2", "both")]


def test_every_picture_is_searched_once_and_later_runs_search_what_is_new(planter: Planter) -> None:
    plant_crops(planter, range(2))
    first = planter.rings()
    assert first.searched.pictures == 6
    assert first.searched.judged >= 4
    again = find_rings(planter.index.parts)
    assert (again.searched.pictures, again.searched.judged) == (0, 0)
    assert found(again) == found(first)
    planter.plant("late", crop_of_half(portrait(1), 0.25), 200)
    planter.plant("same", portrait(0), 201)  # the very picture of another account is no new one
    later = planter.rings()
    assert later.searched.pictures == 1
    assert [set(who(ring)) for ring in later.rings] == [
        {"victim0", "crop0", "mirror0", "same"},
        {"victim1", "crop1", "mirror1", "late"},
    ]
    planter.index.rebuild()
    assert find_rings(planter.index.parts).searched.pictures == 0


def test_a_run_that_is_not_to_search_writes_nothing(planter: Planter) -> None:
    plant_crops(planter, range(2))
    planter.scan()
    before = contents(planter.index)
    assert planter.index.counts()["features"] == 6
    still = find_rings(planter.index.parts, search=False)
    assert contents(planter.index) == before
    assert (still.rings, still.searched.pictures) == ((), 0)
    searched = find_rings(planter.index.parts)
    before = contents(planter.index)
    assert before["pair_scores"]
    assert found(find_rings(planter.index.parts, search=False)) == found(searched)
    assert contents(planter.index) == before


def test_a_run_with_nothing_new_needs_no_lease_and_one_with_something_new_says_that_another_is_under_way(
    planter: Planter,
) -> None:
    plant_crops(planter, range(1))
    before = planter.rings()
    with Index.open(planter.index.path) as other:
        with other.parts.catalog.lease(LEASE):
            assert found(find_rings(planter.index.parts, search=False)) == found(before)
            assert found(find_rings(planter.index.parts)) == found(before)
        planter.plant("new", shot(1), 1)
        planter.scan()
        with other.parts.catalog.lease(LEASE), pytest.raises(IndexLockedError):
            find_rings(planter.index.parts)


@pytest.mark.slow
def test_a_search_that_is_killed_half_way_loses_nothing_and_the_next_goes_on_from_there(
    planter: Planter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "SEARCHED_AT_ONCE", 4)
    plant_crops(planter, range(5))
    undisturbed = planter.rings()
    assert len(undisturbed.rings) == 5
    with planter.index.parts.catalog.write() as session:
        for table in (schema.pair_scores, schema.feature_searches):
            session.sql.execute(table.delete())

    class Kill(Heard):
        def step(self, work: str, done: float, total: float | None = None) -> None:
            if work == "pictures searched" and done != total:
                raise KeyboardInterrupt

    kills = 0
    for _ in range(3):
        before = contents(planter.index)["pair_scores"]
        with pytest.raises(KeyboardInterrupt):
            find_rings(planter.index.parts, progress=Kill())
        kills += 1
        after = contents(planter.index)["pair_scores"]
        assert {row[:2] for row in before} <= {row[:2] for row in after}
    rest = find_rings(planter.index.parts)
    assert rest.searched.pictures == 15 - 4 * kills
    assert found(rest) == found(undisturbed)
    assert find_rings(planter.index.parts).searched.pictures == 0


def test_a_run_that_is_ended_at_any_of_its_works_is_taken_up_by_the_next(planter: Planter) -> None:
    plant_crops(planter, range(2))
    planter.scan()
    for work in ("fingerprints joined", "pictures searched", "groups made"):

        def stop(done: str, share: float, until: str = work) -> None:
            del share
            if done == until:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            find_rings(planter.index.parts, progress=Heard(stop))
    resumed = find_rings(planter.index.parts)
    assert len(resumed.rings) == 2
    assert found(find_rings(planter.index.parts, search=False)) == found(resumed)


def test_what_is_heard_of_a_runs_progress_ends_with_all_of_it(planter: Planter) -> None:
    plant_crops(planter, range(2))
    planter.scan()
    heard = Heard()
    find_rings(planter.index.parts, progress=heard)
    for work in ("fingerprints joined", "pictures searched", "groups made"):
        steps = [(done, total) for what, done, total in heard.steps if what == work]
        assert steps == sorted(steps)
        assert steps[-1][0] == steps[-1][1]


def night(planter: Planter) -> RingsReport:
    """What ``rings --new`` does; two runs over the same data say the same."""
    report = planter.rings()
    assert lines(find_rings(planter.index.parts)) == lines(report)
    keep_report(planter.index.parts, report)
    return report.changed()


@pytest.mark.slow
def test_three_runs_say_exactly_what_has_changed(planter: Planter) -> None:
    one = [planter.plant(f"a{day}", photos.jpeg(shot(1), 90 - 20 * day), day) for day in range(3)]
    planter.plant("b0", portrait(1), 0)
    planter.plant("b1", crop_of_half(portrait(1)), 1)
    gone = [planter.plant("c0", shot(3), 0), planter.plant("c1", shot(3), 1)]
    rest = [planter.plant("d0", shot(4), 0), planter.plant("d1", photos.jpeg(shot(4), 30), 1)]
    for number in range(5):
        planter.plant(f"honest{number}", shot(20 + number), number)

    first = night(planter)
    assert first.since is None
    rings = {who(ring)[0]: ring.ring for ring in first.rings}
    assert sorted(rings) == ["a0", "b0", "c0", "d0"]
    assert all(ring.new is None for ring in first.rings)
    silent = night(planter)
    assert (silent.rings, silent.gone) == ((), ())

    planter.plant("b2", ImageOps.mirror(crop_of_half(portrait(1), 0.2)), -5)  # before all the others
    planter.plant("e0", shot(5), 2)
    planter.plant("e1", photos.jpeg(shot(5), 40), 3)
    planter.drop(*gone)
    decide(planter.index.parts, Verdict.DISMISS, pair=(rest[0], rest[1]), by=BY)
    second = night(planter)
    said = {ring.ring: ring for ring in second.rings}
    grown = said.pop(rings["b0"])
    assert (grown.changes, grown.joined, grown.first_account) == ((Change.GROWN,), ("b2",), "b2")
    [new] = said.values()
    assert (new.changes, who(new), new.new) == ((Change.NEW,), ["e0", "e1"], True)
    assert {one.ring: one.accounts for one in second.gone} == {
        rings["c0"]: ("c0", "c1"),
        rings["d0"]: ("d0", "d1"),
    }

    planter.drop(one[1])
    decide(planter.index.parts, Verdict.CONFIRM, ring=grown.ring, by=BY)
    planter.plant("b1", shot(5), 30)  # ties two rings
    third = night(planter)
    said = {ring.ring: ring for ring in third.rings}
    shrunk, merged = said.pop(rings["a0"]), said.pop(rings["b0"])
    assert (shrunk.changes, shrunk.left, who(shrunk)) == ((Change.SHRUNK,), ("a1",), ["a0", "a2"])
    assert (merged.changes, merged.came_from, merged.bank) == ((Change.MERGED,), (new.ring,), "known-stolen")
    assert sorted(who(merged)) == ["b0", "b1", "b2", "e0", "e1"]
    assert (said, third.gone) == ({}, ())
    silent = night(planter)
    assert (silent.rings, silent.gone) == ((), ())
    assert {ring.ring for ring in find_rings(planter.index.parts).rings} == {rings["a0"], rings["b0"]}


def near_copy(image: Image.Image, seed: int) -> Image.Image:
    """With grain and a few blocks of one colour: near by fingerprint, but not so near that nothing is compared."""
    rng = np.random.default_rng(seed)
    pixels = np.asarray(image.convert("RGB")) + rng.normal(0, 8, (image.height, image.width, 1))
    for _ in range(3):
        x, y = rng.integers(0, min(image.size) - 60, 2)
        pixels[y : y + 60, x : x + 60] = rng.integers(0, 255, 3)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.mark.slow
def test_of_a_gangs_near_copies_few_pairs_are_compared_and_all_are_one_group(planter: Planter) -> None:
    picture, copies = photos.picture(5, (240, 300)), 60
    for number in range(copies):
        planter.plant(f"a{number}", near_copy(picture, number), 0)
    report = planter.rings()
    ring, group = only(report)
    assert len(ring.accounts) == copies
    assert len(group.photos) == copies
    assert 0 < report.searched.judged < 12 * copies  # six of each by the search alone, of 1,770 pairs
