from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import photos
import pytest
from PIL import ImageOps
from planting import Planter, shot, who
from sqlalchemy import Engine, event

from imgmatch.actions.decide import decide, undo
from imgmatch.actions.rings import find_rings
from imgmatch.catalog.banks import KNOWN_COMMON, KNOWN_STOLEN, read_banks
from imgmatch.clustering.common import CommonCriteria
from imgmatch.demo.portraits import portrait
from imgmatch.errors import ConflictError, NotFoundError
from imgmatch.model import Decision, Kind, Searched, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgmatch.index import Index
    from imgmatch.model import RingsReport

BY = "ana"
CONFIRM, DISMISS, COMMON = Verdict.CONFIRM, Verdict.DISMISS, Verdict.COMMON


def plant_ring(planter: Planter, seed: int = 1, accounts: str = "abc") -> list[str]:
    """One picture on some accounts, a day after another; returns the ids of the photos."""
    return [
        planter.plant(account, photos.jpeg(shot(seed), 85 - 20 * number), number)
        for number, account in enumerate(accounts)
    ]


def decided(planter: Planter, kind: str, verdict: Verdict, reason: str | None = None) -> Decision:
    """On the ring that is there, on its group, or on the first and last of its photos."""
    [ring] = planter.rings().rings
    [group] = ring.groups
    if kind == "ring":
        return decide(planter.index.parts, verdict, ring=ring.ring, by=BY, reason=reason)
    if kind == "group":
        return decide(planter.index.parts, verdict, group=group.group, by=BY, reason=reason)
    pair = (group.photos[0].photo_id, group.photos[-1].photo_id)
    return decide(planter.index.parts, verdict, pair=pair, by=BY, reason=reason)


def banked(index: Index) -> list[tuple[str, str | None]]:
    with index.parts.catalog.read() as session:
        return [(picture.bank, picture.account) for picture in read_banks(session)]


def written(index: Index) -> list[list[tuple[object, ...]]]:
    """All rows of the two tables of decisions."""
    queries = ("SELECT * FROM decisions ORDER BY id", "SELECT * FROM decision_photos ORDER BY 1, 2, 3")
    with index.parts.catalog.read() as session:
        return [[tuple(row) for row in session.sql.exec_driver_sql(query)] for query in queries]


def asked_while(work: Callable[[], object]) -> list[str]:
    """What is asked of the catalog meanwhile."""
    asked: list[str] = []

    def hear(*arguments: Any) -> None:  # noqa: ANN401 -- as SQLAlchemy calls it
        asked.append(arguments[2])

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        work()
    finally:
        event.remove(Engine, "before_cursor_execute", hear)
    return asked


def sets(report: RingsReport) -> list[list[str]]:
    return sorted(who(ring) for ring in report.rings)


@pytest.mark.parametrize("kind", ["pair", "group", "ring"])
@pytest.mark.parametrize("verdict", [CONFIRM, DISMISS, COMMON])
def test_every_verdict_can_be_given_on_a_pair_a_group_and_a_ring(planter: Planter, kind: str, verdict: Verdict) -> None:
    ids = plant_ring(planter)
    [ring] = planter.rings().rings
    decision = decided(planter, kind, verdict, reason="because")
    subject = {"pair": f"{ids[0]} {ids[-1]}", "group": ring.groups[0].group, "ring": ring.ring}[kind]
    assert (decision.verdict, decision.kind, decision.subject) == (verdict, kind, subject)
    assert (decision.by, decision.reason, decision.photos) == (BY, "because", 2 if kind == "pair" else 3)
    report = find_rings(planter.index.parts)
    shown = [ring.decision for ring in report.rings] + [group.decision for group in report.common]
    assert set(shown) <= {verdict, None}
    if verdict is CONFIRM:
        assert (sets(report), report.rings[0].bank, report.common) == ([["a", "b", "c"]], KNOWN_STOLEN, ())
        assert report.rings[0].decision == "confirm"
    elif verdict is COMMON:
        assert (report.rings, [group.bank for group in report.common]) == ((), [KNOWN_COMMON])
        assert report.common[0].accounts == ("a", "b", "c")
    else:
        assert all(not {"a", "c"} <= set(who(one)) for one in report.rings)
        assert len(report.rings) == (1 if kind == "pair" else 0)  # of a pair, either may be tied to the third
        assert banked(planter.index) == []


def test_all_groups_of_a_ring_are_decided_on_and_those_of_one_group_only(planter: Planter) -> None:
    plant_ring(planter, 1, "ab")
    plant_ring(planter, 2, "bc")
    [ring] = planter.rings().rings
    decide(planter.index.parts, DISMISS, group=ring.groups[0].group, by=BY)
    assert sets(find_rings(planter.index.parts)) == [["b", "c"]]
    decide(planter.index.parts, DISMISS, ring=find_rings(planter.index.parts).rings[0].ring, by=BY)
    assert find_rings(planter.index.parts).rings == ()


def test_a_dismissed_ring_tells_no_two_of_its_pictures_apart_that_were_in_no_group(planter: Planter) -> None:
    plant_ring(planter, 1, "ab")
    plant_ring(planter, 2, "bc")
    [ring] = planter.rings().rings
    decision = decide(planter.index.parts, DISMISS, ring=ring.ring, by=BY)
    assert decision.photos == 4
    assert {row[1] for row in written(planter.index)[1]} == {0, 1}


def test_a_confirmed_picture_is_shown_on_one_account_alone_when_all_others_are_gone(planter: Planter) -> None:
    ids = plant_ring(planter)
    decided(planter, "ring", CONFIRM)
    planter.drop(*ids)
    assert planter.rings().rings == ()
    planter.plant("late", ImageOps.mirror(shot(1)), 50)
    [ring] = planter.rings().rings
    assert (who(ring), ring.bank, ring.first_account) == (["late"], KNOWN_STOLEN, "late")
    assert (ring.opened_at, ring.accounts_per_day) == (ring.accounts[0].first_seen, 0.0)
    [group] = ring.groups
    assert (group.bank, group.common, group.medoid.account) == (KNOWN_STOLEN, False, "a")
    assert [one.mirrored for one in group.evidence] == [True]
    assert find_rings(planter.index.parts).of_size(9).rings == (ring,)


def test_a_crop_of_a_confirmed_picture_that_is_gone_is_shown_too(planter: Planter) -> None:
    whole = portrait(3)
    ids = (planter.plant("a", whole, 1), planter.plant("a", photos.jpeg(whole, 30), 2))
    assert planter.rings().rings == ()
    decide(planter.index.parts, CONFIRM, pair=ids, by=BY)
    planter.drop(*ids)
    planter.plant("late", whole.crop((0, 0, whole.width, whole.height * 6 // 10)), 50)
    planter.plant("other", portrait(4), 51)
    [ring] = planter.rings().rings
    assert (who(ring), ring.bank) == (["late"], KNOWN_STOLEN)
    assert [one.kind for one in ring.groups[0].evidence] == [Kind.PARTIAL]


def test_accounts_that_carried_it_before_it_was_confirmed_are_listed(planter: Planter) -> None:
    """Be it one that nothing was known of: here both photos of the pair are its own."""
    pair = (planter.plant("a", shot(1), 1), planter.plant("a", photos.jpeg(shot(1), 30), 2))
    assert planter.rings().rings == ()
    decide(planter.index.parts, CONFIRM, pair=pair, by=BY)
    assert sets(find_rings(planter.index.parts)) == [["a"]]
    planter.plant("earlier", photos.jpeg(shot(1), 40), -300)
    planter.plant("later", photos.jpeg(shot(1), 20), 300)
    [ring] = planter.rings().rings
    assert (who(ring), ring.bank) == (["earlier", "a", "later"], KNOWN_STOLEN)


@pytest.mark.slow
def test_a_check_knows_a_confirmed_picture_that_no_account_carries_any_more(planter: Planter) -> None:
    ids = plant_ring(planter)
    decided(planter, "group", CONFIRM)
    copy = photos.jpeg(shot(1), 50)
    shown = planter.index.check(copy)
    assert (shown.accounts, {match.photo.bank for match in shown}) == (3, {KNOWN_STOLEN})
    planter.drop(*ids)
    planter.scan()
    for _ in range(2):
        gone = planter.index.check(copy)
        assert (gone.status, gone.accounts) == (Status.MATCH, 0)
        assert {(match.photo.bank, match.photo.account) for match in gone} <= {(KNOWN_STOLEN, one) for one in "abc"}
        planter.index.rebuild()
    assert planter.index.check(photos.jpeg(shot(2))).status is Status.NO_MATCH


def test_a_confirmed_picture_is_not_common_on_however_many_accounts(planter: Planter) -> None:
    plant_ring(planter)
    common = CommonCriteria(accounts=3, days=0, always=3)
    assert [len(group.accounts) for group in planter.rings(common).common] == [3]
    decided(planter, "ring", CONFIRM)
    assert sets(planter.rings(common)) == [["a", "b", "c"]]


def test_a_picture_marked_as_common_ties_nobody_and_stays_so_for_new_accounts(planter: Planter) -> None:
    plant_ring(planter)
    decided(planter, "group", COMMON)
    for account in ("new1", "new2"):
        planter.plant(account, photos.jpeg(shot(1), 70), 400)
    report = planter.rings()
    assert report.rings == ()
    [group] = report.common
    assert (group.common, group.bank, group.decision) == (True, KNOWN_COMMON, "common")
    assert group.accounts == ("a", "b", "c", "new1", "new2")


def test_a_later_verdict_counts_instead(planter: Planter) -> None:
    ids = plant_ring(planter, 1, "ab")
    pair = (ids[0], ids[1])
    planter.scan()
    expected = {
        CONFIRM: ([["a", "b"]], 0, [(KNOWN_STOLEN, "a"), (KNOWN_STOLEN, "b")]),
        COMMON: ([], 1, [(KNOWN_COMMON, "a"), (KNOWN_COMMON, "b")]),
        DISMISS: ([], 0, []),
    }
    for verdict in (COMMON, CONFIRM, DISMISS, CONFIRM, COMMON):
        decide(planter.index.parts, verdict, pair=pair, by=BY)
        report = find_rings(planter.index.parts)
        assert (sets(report), len(report.common), banked(planter.index)) == expected[verdict]


def test_a_group_that_is_common_can_be_decided_on_and_shows_the_latest_verdict(planter: Planter) -> None:
    plant_ring(planter)
    group = planter.rings().rings[0].groups[0].group
    for verdict in (COMMON, CONFIRM, COMMON):
        decide(planter.index.parts, verdict, group=group, by=BY)
        report = find_rings(planter.index.parts)
        groups = [*report.common, *(one for ring in report.rings for one in ring.groups)]
        assert [(one.group, one.decision) for one in groups] == [(group, verdict)]


def test_decisions_are_appended_and_never_rewritten(planter: Planter) -> None:
    plant_ring(planter)
    numbers = []
    before = written(planter.index)
    for kind, verdict in (("pair", CONFIRM), ("group", CONFIRM), ("ring", CONFIRM), ("pair", DISMISS)):
        numbers.append(decided(planter, kind, verdict).number)
        after = written(planter.index)
        assert [rows[: len(old)] for rows, old in zip(after, before, strict=True)] == before
        assert len(after[0]) == len(before[0]) + 1
        before = after
    planter.planted = []
    planter.scan()
    planter.index.rebuild()
    find_rings(planter.index.parts)
    assert written(planter.index) == before
    assert numbers == sorted(set(numbers))


def test_what_is_not_there_cannot_be_decided_on_and_nothing_is_written(planter: Planter) -> None:
    [photo, *_] = plant_ring(planter)
    planter.rings()
    with pytest.raises(NotFoundError, match="has no ring 'r0'"):
        decide(planter.index.parts, CONFIRM, ring="r0", by=BY)
    with pytest.raises(NotFoundError, match="has no group 'nothing'"):
        decide(planter.index.parts, CONFIRM, group="nothing", by=BY)
    for pair in ((photo, "nothing"), ("nothing", photo)):
        with pytest.raises(NotFoundError, match="has no photo 'nothing'"):
            decide(planter.index.parts, CONFIRM, pair=pair, by=BY)
    with pytest.raises(ConflictError, match="needs two photos"):
        decide(planter.index.parts, CONFIRM, pair=(photo, photo), by=BY)
    assert (written(planter.index), banked(planter.index)) == ([[], []], [])


def test_the_ring_that_was_shown_is_decided_on_though_new_photos_have_come(planter: Planter) -> None:
    plant_ring(planter)
    [ring] = planter.rings().rings
    planter.plant("new", photos.jpeg(shot(1), 60), 90)
    planter.scan()
    assert decide(planter.index.parts, CONFIRM, ring=ring.ring, by=BY).photos == 3  # what was shown
    assert find_rings(planter.index.parts, search=False).rings[0].decision == "confirm"


def bank_entries(index: Index) -> set[tuple[str, bytes]]:
    with index.parts.catalog.read() as session:
        return {(picture.bank, picture.pixels) for picture in read_banks(session)}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pair", "group", "ring"])
@pytest.mark.parametrize("verdict", [CONFIRM, DISMISS, COMMON])
def test_what_was_undone_does_not_count(planter: Planter, kind: str, verdict: Verdict) -> None:
    plant_ring(planter)
    before = planter.rings()
    made = decided(planter, kind, verdict)
    undone = undo(planter.index.parts, made.number, by="zoe", reason="a slip")
    assert (undone.verdict, undone.kind, undone.subject) == (Verdict.UNDO, "decision", str(made.number))
    assert (undone.by, undone.reason, undone.photos) == ("zoe", "a slip", made.photos)
    assert find_rings(planter.index.parts) == replace(before, searched=Searched())
    assert find_rings(planter.index.parts, search=False).rings == before.rings
    assert banked(planter.index) == []


def test_after_an_undoing_the_decision_before_counts_again_with_its_bank(planter: Planter) -> None:
    plant_ring(planter, 1, "ab")
    plant_ring(planter, 1, "cd")
    planter.scan()
    numbers = []
    states = []
    for verdict in (CONFIRM, COMMON, CONFIRM, DISMISS):
        states.append((sets(planter.rings()), bank_entries(planter.index)))
        ids = [photo.photo_id for photo in planter.planted]
        numbers.append(decide(planter.index.parts, verdict, pair=(ids[0], ids[1]), by=BY).number)
    for number, (rings, banks) in zip(reversed(numbers), reversed(states), strict=True):
        undo(planter.index.parts, number, by=BY)
        assert (sets(find_rings(planter.index.parts)), bank_entries(planter.index)) == (rings, banks)


def test_an_earlier_decision_can_be_undone_and_the_later_one_stands(planter: Planter) -> None:
    plant_ring(planter)
    first = decided(planter, "ring", CONFIRM)
    decided(planter, "ring", COMMON)
    undo(planter.index.parts, first.number, by=BY)
    report = find_rings(planter.index.parts)
    assert (report.rings, [group.decision for group in report.common]) == ((), ["common"])


def test_a_known_picture_that_no_photo_shows_any_more_is_known_no_more_once_that_is_undone(planter: Planter) -> None:
    ids = plant_ring(planter)
    made = decided(planter, "ring", CONFIRM)
    planter.drop(*ids)
    planter.scan()
    assert {bank for bank, _ in bank_entries(planter.index)} == {KNOWN_STOLEN}
    undo(planter.index.parts, made.number, by=BY)
    assert bank_entries(planter.index) == set()


def test_what_is_undone_is_undone_once_and_an_undoing_never(planter: Planter) -> None:
    plant_ring(planter)
    made = decided(planter, "ring", CONFIRM)
    undone = undo(planter.index.parts, made.number, by=BY)
    with pytest.raises(ConflictError, match=f"decision {made.number} was taken back already, by decision"):
        undo(planter.index.parts, made.number, by=BY)
    with pytest.raises(ConflictError, match="takes another one back; decide anew"):
        undo(planter.index.parts, undone.number, by=BY)
    with pytest.raises(NotFoundError, match="has no decision 99"):
        undo(planter.index.parts, 99, by=BY)
    with pytest.raises(ValueError, match="an undo names the decision"):
        decide(planter.index.parts, Verdict.UNDO, ring="r", by=BY)


def test_a_ring_that_has_changed_since_it_was_shown_is_not_decided_on(planter: Planter) -> None:
    plant_ring(planter)
    [shown] = planter.rings().rings
    planter.plant("late", photos.jpeg(shot(1), 60), 9)
    [now] = planter.rings().rings
    assert shown.version != now.version
    changed = f"ring {now.ring} has changed since it was shown"
    with pytest.raises(ConflictError, match=changed):
        decide(planter.index.parts, CONFIRM, ring=now.ring, by=BY, expect=shown.version)
    with pytest.raises(ConflictError, match=changed):
        decide(planter.index.parts, CONFIRM, group=now.groups[0].group, by=BY, expect=shown.version)
    assert written(planter.index) == [[], []]
    assert decide(planter.index.parts, CONFIRM, ring=now.ring, by=BY, expect=now.version).photos == 4


def test_decisions_and_undoings_are_noted_in_the_log_by_their_numbers(planter: Planter) -> None:
    plant_ring(planter)
    made = decided(planter, "ring", CONFIRM)
    undo(planter.index.parts, made.number, by="zoe")
    entries = planter.index.people.audit(limit=9)
    assert [(one.actor, one.action, one.subject) for one in entries] == [
        ("zoe", "undo", f"decision {made.number}"),
        (BY, "decide", f"decision {made.number}"),
    ]
    assert planter.index.people.verify_audit().is_whole


def test_all_groups_and_rings_that_a_decision_makes_anew_are_written_together(planter: Planter) -> None:
    """Others wait meanwhile: however many there are, each table is written by one statement."""
    for seed in range(1, 4):
        planter.plant("a", photos.jpeg(shot(seed)), 0)
        planter.plant("b", photos.jpeg(shot(seed), 60), 1)
    [ring] = planter.rings().rings
    assert len(ring.groups) == 3
    asked = asked_while(lambda: decide(planter.index.parts, CONFIRM, ring=ring.ring, by=BY))
    tables = ["group_fingerprints", "group_photos", "ring_accounts"]
    if planter.index.parts.url is not None:  # SQLite, to which nothing is sent, gives one number back at a time
        tables += ["groups", "rings"]
    for table in tables:
        assert len([one for one in asked if one.startswith(f"INSERT INTO {table} ")]) == 1
    [again] = planter.rings().rings
    assert (again.ring, len(again.groups), again.decision) == (ring.ring, 3, CONFIRM)
