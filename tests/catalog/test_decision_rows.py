from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from filled import bits, opened, photo, remove_photos, store

from imgmatch.catalog import decisions as rows
from imgmatch.catalog import schema
from imgmatch.catalog.decisions import DecidedPhoto
from imgmatch.catalog.times import now

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from imgmatch.catalog.session import Session
    from imgmatch.catalog.sqlite import SqliteCatalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


def decided(number: int, account: str = "a1", picture: int = 0) -> DecidedPhoto:
    return DecidedPhoto(f"p{number}", account, bits(("phash", number)), picture)


def say(
    session: Session,
    photos: Sequence[DecidedPhoto],
    verdict: str = "dismiss",
    kind: str = "pair",
    subject: str = "p1 p2",
) -> rows.DecisionRow:
    return rows.append_decision(
        session, verdict=verdict, kind=kind, subject=subject, by="ann", reason=None, photos=photos
    )


def subjects(session: Session) -> list[str | None]:
    return [row.subject for row in rows.read_decisions(session)]


def test_decisions_are_appended_with_rising_numbers_and_none_is_rewritten(catalog: SqliteCatalog) -> None:
    before = now()
    with catalog.write() as session:
        first = say(session, [decided(1), decided(2, "a2")])
        again = say(session, [decided(1), decided(2, "a2")], verdict="confirm")
        assert rows.read_decisions(session) == [first, again]
    assert (first.verdict, again.verdict) == ("dismiss", "confirm")
    assert (first.kind, first.subject, first.by, first.reason) == ("pair", "p1 p2", "ann", None)
    assert again.id > first.id
    assert before <= first.decided_at <= again.decided_at <= now()


def test_the_number_of_a_decision_is_never_used_again(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        first = say(session, [])
        session.sql.execute(schema.decisions.delete())
        assert say(session, []).id > first.id


def test_the_photos_of_a_decision_are_read_group_by_group_the_oldest_decision_first(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        photos = [decided(5, picture=1), decided(2, picture=0), decided(1, picture=1), decided(5, picture=0)]
        first = say(session, photos)
        second = say(session, [decided(3)])
        assert list(rows.read_decided_photos(session)) == [
            (first.id, decided(2, picture=0)),
            (first.id, decided(5, picture=0)),
            (first.id, decided(1, picture=1)),
            (first.id, decided(5, picture=1)),
            (second.id, decided(3)),
        ]


def all_of(*photo_ids: str) -> rows.DecidedGroup:
    """Photos with all their pictures."""
    return rows.DecidedGroup(photo_ids, None)


def test_photos_are_decided_on_with_their_account_and_fingerprint_and_those_that_are_gone_left_out(
    catalog: SqliteCatalog,
) -> None:
    store(catalog, [photo(1), photo(2, "a2"), photo(3, "a3")])
    with catalog.read() as session:
        found = rows.decided_photos(session, "phash", [all_of("p2", "p1", "gone"), all_of(), all_of("p3")])
        assert found == [decided(1), decided(2, "a2"), decided(3, "a3", picture=2)]
        (pdq,) = rows.decided_photos(session, "pdq", [all_of("p1")])
        assert pdq.bits == bits(("pdq", 1))


def test_more_photos_than_a_statement_takes_are_decided_on(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(number) for number in range(1_100)])
    with catalog.read() as session:
        found = rows.decided_photos(session, "phash", [all_of(*(f"p{number}" for number in range(1_100)))])
    assert sorted(found, key=repr) == sorted((decided(number) for number in range(1_100)), key=repr)


def test_a_photo_that_leaves_the_index_stays_in_its_decision_until_it_is_erased(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1)])
    with catalog.write() as session:
        said = say(session, rows.decided_photos(session, "phash", [all_of("p1")]), kind="group", subject="p1")
        remove_photos(session, photo_id="p1")
        assert list(rows.read_decided_photos(session)) == [(said.id, decided(1))]
        rows.forget_decided_photos(session, account=None, photo_id="p1")
        assert list(rows.read_decided_photos(session)) == []
        assert [(row.id, row.subject, row.by) for row in rows.read_decisions(session)] == [(said.id, None, "ann")]


def test_an_account_that_is_erased_leaves_every_decision_and_the_photos_of_others_stay(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        first = say(session, [decided(1), decided(2, "a2")])
        second = say(session, [decided(1), decided(3, "a3")], kind="ring", subject="r123")
        rows.forget_decided_photos(session, account="a1", photo_id=None)
        left = list(rows.read_decided_photos(session))
        assert left == [(first.id, decided(2, "a2")), (second.id, decided(3, "a3"))]
        assert subjects(session) == [None, "r123"]


@pytest.mark.parametrize("erased", ["p1", "p_1", "p%1", r"p\1"])
def test_the_subject_is_forgotten_where_it_names_the_photo_and_only_there(catalog: SqliteCatalog, erased: str) -> None:
    naming = [erased, f"{erased} x", f"x {erased}"]
    others = ["x", "x y", f"{erased}1", f"{erased}1 x", f"x 1{erased}", "pX1 x", "pX1"]
    with catalog.write() as session:
        for subject in naming + others:
            say(session, [DecidedPhoto(erased, "a1", bits(1), 0)], subject=subject)
        rows.forget_decided_photos(session, account=None, photo_id=erased)
        assert subjects(session) == [None] * 3 + others


def test_the_subject_of_a_photo_whose_id_differs_in_case_alone_is_not_forgotten(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        say(session, [decided(1)], subject="p1 x")
        for subject in ("P1 x", "x P1"):
            say(session, [DecidedPhoto("P1", "a2", bits(1), 0)], subject=subject)
        rows.forget_decided_photos(session, account=None, photo_id="p1")
        assert subjects(session) == [None, "P1 x", "x P1"]


def test_forgetting_what_no_decision_names_changes_nothing(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        said = say(session, [decided(1)])
        rows.forget_decided_photos(session, account="nobody", photo_id=None)
        rows.forget_decided_photos(session, account=None, photo_id="p9")
        assert rows.read_decisions(session) == [said]
        assert len(list(rows.read_decided_photos(session))) == 1


def test_reasons_are_read_with_their_numbers_and_can_be_changed(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        say(session, [decided(1)])
        second = rows.append_decision(
            session, verdict="dismiss", kind="pair", subject="p1 p2", by="ann", reason="because of p1", photos=()
        )
        assert rows.read_reasons(session) == [(second.id, "because of p1")]
        rows.change_reason(session, second.id, "because of …")
        assert rows.read_reasons(session) == [(second.id, "because of …")]


def test_the_photos_decided_on_are_read_by_account_or_id(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        say(session, [decided(1), decided(2, "a2")])
        one, two = ("p1", bits(("phash", 1))), ("p2", bits(("phash", 2)))
        assert rows.decided_of(session, account="a1", photo_id=None) == [one]
        assert rows.decided_of(session, account=None, photo_id="p2") == [two]
        assert rows.decided_of(session, account="nobody", photo_id=None) == []
