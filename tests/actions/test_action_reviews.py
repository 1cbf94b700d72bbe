from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import photos
import pytest
from planting import DAY_ONE, Planter, shot, who
from sqlalchemy import update

from imgmatch.actions.reviews import Reviews
from imgmatch.catalog import schema
from imgmatch.catalog.times import now
from imgmatch.errors import NotFoundError
from imgmatch.model import Change, QueueOrder, QueueState, Verdict

if TYPE_CHECKING:
    from imgmatch.engines.parts import Parts
    from imgmatch.model import Ring, RingQueue, RingSummary


@pytest.fixture
def rings(planter: Planter) -> dict[str, Ring]:
    """Three rings, by their first accounts: ``a`` of two pictures and three accounts, ``k`` and ``x`` of one."""
    for account, seed, day in (("a", 1, 0), ("b", 1, 2), ("b", 2, 3), ("c", 2, 4), ("k", 3, 1), ("l", 3, 20)):
        planter.plant(account, photos.jpeg(shot(seed), 85 - 3 * int(day)), day, name=f"Name {account.upper()}")
    for number, account in enumerate(("x", "y", "z", "zz")):
        planter.plant(account, photos.jpeg(shot(4), 80 - 20 * number), 30 + number / 24)
    found = {ring.first_account: ring for ring in planter.rings().rings}
    assert sorted(found) == ["a", "k", "x"]
    return found


def summary_of(ring: Ring) -> tuple[object, ...]:
    """What a queue says of a ring, taken from all that is known of it: the slow way."""
    return (
        *(ring.ring, len(ring.accounts), ring.strength, ring.first_account, ring.accounts[0].name),
        *(ring.opened_at, ring.accounts[-1].first_seen, ring.accounts_per_day, ring.new, ring.changes),
        *(ring.bank, ring.decision, any(group.decision is None for group in ring.groups)),
    )


def said(one: RingSummary) -> tuple[object, ...]:
    return (
        *(one.ring, one.accounts, one.pictures, one.first_account, one.first_name),
        *(one.opened_at, one.last_seen, one.accounts_per_day, one.new, one.changes),
        *(one.bank, one.decision, one.waiting),
    )


def order(queue: RingQueue) -> list[str]:
    return [one.first_account for one in queue.rings]


def test_a_queue_says_of_each_ring_what_a_report_says(planter: Planter, rings: dict[str, Ring]) -> None:
    index = planter.index
    index.keep_report(index.rings())
    planter.plant("new", photos.jpeg(shot(3), 50), 40)
    index.decide(Verdict.CONFIRM, ring=rings["x"].ring, by="ana")
    index.decide(Verdict.CONFIRM, group=rings["a"].groups[0].group, by="ana")
    report = planter.rings()
    queue = index.queue(state=QueueState.ALL)
    assert sorted(map(said, queue.rings), key=repr) == sorted(map(summary_of, report.rings), key=repr)
    assert (queue.total, queue.waiting) == (3, 2)
    assert queue.oldest_waiting == min(ring.opened_at for ring in report.rings if ring.first_account != "x")


@pytest.mark.usefixtures("rings")
@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (QueueOrder.LARGEST, "xak"),
        (QueueOrder.LATEST, "xka"),
        (QueueOrder.OLDEST, "akx"),
        (QueueOrder.FASTEST, "xak"),
        (QueueOrder.NEW, "xka"),
    ],
)
def test_a_queue_has_the_order_that_is_asked_for_in_parts_as_in_one(
    planter: Planter, by: QueueOrder, expected: str
) -> None:
    index = planter.index
    assert order(index.queue(order=by)) == list(expected)
    whole: list[str] = []
    after: str | None = None
    for _ in expected:
        part = index.queue(order=by, limit=1, after=after)
        whole += order(part)
        after = part.next
    assert (whole, after) == (list(expected), None)


@pytest.mark.usefixtures("rings")
def test_what_is_new_or_has_changed_comes_before_the_rest(planter: Planter) -> None:
    index = planter.index
    index.keep_report(index.rings())
    planter.plant("m", photos.jpeg(shot(5), 50), -9)
    planter.plant("n", photos.jpeg(shot(5), 70), -8)
    planter.plant("late", photos.jpeg(shot(3), 50), 90)
    planter.rings()
    assert order(index.queue()) == ["m", "k", "x", "a"]
    assert order(index.queue(change=Change.GROWN)) == ["k"]


@pytest.mark.usefixtures("rings")
@pytest.mark.parametrize(
    ("words", "expected"), [("zz", "x"), ("name b", "a"), ("NAME L", "k"), ("name q", ""), ("", "xka")]
)
def test_a_search_looks_for_every_word_in_accounts_and_names(planter: Planter, words: str, expected: str) -> None:
    assert order(planter.index.queue(search=words)) == list(expected)


def test_a_ring_is_found_by_its_id(planter: Planter, rings: dict[str, Ring]) -> None:
    assert order(planter.index.queue(search=rings["k"].ring)) == ["k"]
    assert planter.index.ring(rings["k"].ring) == rings["k"]
    with pytest.raises(NotFoundError, match="has no ring 'r0'"):
        planter.index.ring("r0")


@pytest.mark.parametrize("cursor", ["", "x", "W10", "WzEsMiwzXQ", "bnVsbA", "\x00", "[[[["])
def test_what_is_no_place_in_a_queue_is_refused(planter: Planter, cursor: str) -> None:
    with pytest.raises(ValueError, match="no place in a queue"):
        planter.index.queue(after=cursor)


def test_a_decided_ring_waits_no_more_until_a_new_picture_ties_it(planter: Planter, rings: dict[str, Ring]) -> None:
    index = planter.index
    index.decide(Verdict.CONFIRM, ring=rings["k"].ring, by="ana")
    assert order(index.queue()) == ["x", "a"]
    assert order(index.queue(state=QueueState.DECIDED)) == ["k"]
    planter.plant("k", shot(6), 50)
    planter.plant("l", photos.jpeg(shot(6), 40), 51)
    planter.rings()
    assert sorted(order(index.queue())) == ["a", "k", "x"]


@pytest.fixture
def parts(planter: Planter) -> Parts:
    return planter.index.parts


def test_each_reviewer_is_given_a_ring_that_nobody_else_has_open(parts: Parts, rings: dict[str, Ring]) -> None:
    given = []
    for reviewer in ("ana", "ben", "cat"):
        name = Reviews(parts).next_ring(reviewer)
        assert name is not None
        assert Reviews(parts).open_review(name, reviewer).reviewer == reviewer
        given.append(name)
    assert sorted(given) == sorted(ring.ring for ring in rings.values())
    assert Reviews(parts).next_ring("dan") is None
    assert Reviews(parts).next_ring("ana") == given[0]
    assert Reviews(parts).next_ring("ana", without=given[0]) is None
    assert {name: one.reviewer for name, one in Reviews(parts).who_reviews().items()} == dict(
        zip(given, ("ana", "ben", "cat"), strict=True)
    )


def test_who_comes_second_is_told_who_has_it(parts: Parts, rings: dict[str, Ring]) -> None:
    name = rings["x"].ring
    first = Reviews(parts).open_review(name, "ana")
    again = Reviews(parts).open_review(name, "ana")
    assert (again.opened_at, again.expires_at >= first.expires_at) == (first.opened_at, True)
    assert Reviews(parts).open_review(name, "ben") == again
    Reviews(parts).close_review(name, "ben")
    assert Reviews(parts).open_review(name, "ben").reviewer == "ana"
    Reviews(parts).close_review(name, "ana")
    assert Reviews(parts).open_review(name, "ben").reviewer == "ben"


def test_a_ring_is_free_again_when_its_reviewer_gives_no_sign_of_life(parts: Parts, rings: dict[str, Ring]) -> None:
    name = rings["x"].ring
    Reviews(parts).open_review(name, "ana")
    with parts.catalog.write() as session:
        session.sql.execute(update(schema.ring_reviews).values(expires_at=now() - 1))
    assert Reviews(parts).who_reviews() == {}
    assert Reviews(parts).open_review(name, "ben").reviewer == "ben"


@pytest.mark.usefixtures("rings")
def test_a_ring_that_was_put_aside_comes_back_for_that_reviewer_alone(parts: Parts) -> None:
    first = Reviews(parts).next_ring("ana")
    assert first is not None
    Reviews(parts).skip(first, "ana")
    assert Reviews(parts).next_ring("ana") != first
    assert Reviews(parts).next_ring("ben") == first
    with parts.catalog.write() as session:
        session.sql.execute(update(schema.skipped_rings).values(expires_at=now() - 1))
    assert Reviews(parts).next_ring("ana") == first
    Reviews(parts).skip(first, "ana")
    Reviews(parts).open_review(first, "ana")  # whoever opens it again takes it up again
    Reviews(parts).close_review(first, "ana")
    assert Reviews(parts).next_ring("ana") == first


def test_what_is_no_ring_is_neither_opened_nor_put_aside(parts: Parts) -> None:
    for act in (Reviews(parts).open_review, Reviews(parts).skip):
        with pytest.raises(NotFoundError, match="has no ring 'r0'"):
            act("r0", "ana")


def test_a_decision_ends_the_review_and_knows_how_long_it_took(planter: Planter, rings: dict[str, Ring]) -> None:
    parts, index = planter.index.parts, planter.index
    Reviews(parts).open_review(rings["x"].ring, "ana")
    with parts.catalog.write() as session:
        session.sql.execute(update(schema.ring_reviews).values(opened_at=now() - 30_000_000))
    index.decide(Verdict.CONFIRM, ring=rings["x"].ring, by="ana")
    assert Reviews(parts).who_reviews() == {}
    Reviews(parts).open_review(rings["k"].ring, "ana")
    index.decide(Verdict.DISMISS, ring=rings["k"].ring, by="ben")  # by another: it says nothing of ana's time
    [ana, ben] = Reviews(parts).moderator_figures()
    assert (ana.by, ana.decisions, ana.overturned, ben.by, ben.median_seconds) == ("ana", 1, 0, "ben", None)
    assert ana.median_seconds is not None
    assert 30 <= ana.median_seconds < 90


def test_decisions_are_read_the_latest_first_with_what_became_of_them(planter: Planter, rings: dict[str, Ring]) -> None:
    index = planter.index
    made = [
        index.decide(Verdict.CONFIRM, ring=rings["x"].ring, by="ana", reason="script"),
        index.decide(Verdict.COMMON, group=rings["a"].groups[0].group, by="ben"),
    ]
    undone = index.undo(made[0].number, by="zoe")
    shown = index.decisions()
    assert [one.number for one in shown] == [undone.number, made[1].number, made[0].number]
    assert [one.undone_by for one in shown] == [None, None, undone.number]
    assert (shown[1].photos, shown[1].verdict, shown[1].reason, shown[2].reason) == (2, "common", None, "script")
    assert [one.number for one in index.decisions(limit=1, before=undone.number)] == [made[1].number]
    assert [one.number for one in index.decisions(by="ana")] == [made[0].number]
    assert Reviews(index.parts).decision(made[0].number) == (shown[2], ("x", "y", "z", "zz"))
    with pytest.raises(NotFoundError, match="no decision 77"):
        Reviews(index.parts).decision(77)
    assert [(one.by, one.decisions, one.overturned) for one in Reviews(index.parts).moderator_figures()] == [
        ("ana", 1, 1),
        ("ben", 1, 0),
    ]


def test_a_decision_that_somebody_decided_otherwise_later_is_overturned(
    planter: Planter, rings: dict[str, Ring]
) -> None:
    for verdict, by in ((Verdict.CONFIRM, "ana"), (Verdict.CONFIRM, "ben"), (Verdict.COMMON, "cat")):
        planter.index.decide(verdict, group=rings["x"].groups[0].group, by=by)
    assert [one.overturned for one in Reviews(planter.index.parts).moderator_figures()] == [0, 1, 0]


def test_an_account_is_shown_with_all_that_it_shares(planter: Planter, rings: dict[str, Ring]) -> None:
    index = planter.index
    planter.plant("b", shot(9), 50)
    planter.rings()
    made = index.decide(Verdict.CONFIRM, ring=rings["a"].ring, by="ana")
    view = index.account(" b ")
    assert (view.account, view.name, view.first_seen) == ("b", "Name B", DAY_ONE + timedelta(days=2))
    assert [photo.seen_at for photo in view.photos] == [DAY_ONE + timedelta(days=day) for day in (2, 3, 50)]
    assert [(one.own.photo, one.other.account, one.common, one.ring) for one in view.shares] == [
        ("b/1.jpg", "a", False, rings["a"].ring),
        ("b/2.jpg", "c", False, rings["a"].ring),
    ]
    assert (view.rings, view.decisions, view.lookalikes) == ((rings["a"].ring,), (index.decisions()[0],), ())
    assert view.decisions[0].number == made.number
    with pytest.raises(NotFoundError, match="has no account 'nobody'"):
        index.account("nobody")


def test_an_account_that_shares_nothing_is_shown_too(planter: Planter) -> None:
    planter.plant("Lone", shot(1), 1)
    planter.plant("lone", shot(2), 2)
    planter.scan()
    view = planter.index.account("Lone")
    assert (len(view.photos), view.shares, view.rings, view.lookalikes) == (1, (), (), ("lone",))


def test_a_picture_that_is_common_is_shown_as_such(planter: Planter, rings: dict[str, Ring]) -> None:
    planter.index.decide(Verdict.COMMON, ring=rings["x"].ring, by="ana")
    view = planter.index.account("y")
    assert {(one.other.account, one.common, one.ring) for one in view.shares} == {
        (account, True, None) for account in ("x", "z", "zz")
    }
    assert who(rings["x"]) == ["x", "y", "z", "zz"]
