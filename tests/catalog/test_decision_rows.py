from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from filled import bits, opened, photo, store

from imgmatch.catalog import decisions as rows
from imgmatch.catalog import schema
from imgmatch.catalog.decisions import DecidedPhoto
from imgmatch.catalog.photos import remove_photos
from imgmatch.catalog.times import now

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from imgmatch.catalog.database import Catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    yield from opened(tmp_path)


def decided(number: int, account: str = "a1", picture: int = 0) -> DecidedPhoto:
    return DecidedPhoto(f"p{number}", account, bits(("phash", number)), picture)


def say(
    connection: Connection,
    photos: Sequence[DecidedPhoto],
    verdict: str = "dismiss",
    kind: str = "pair",
    subject: str = "p1 p2",
) -> rows.DecisionRow:
    return rows.append_decision(
        connection, verdict=verdict, kind=kind, subject=subject, by="ann", reason=None, photos=photos
    )


def subjects(connection: Connection) -> list[str | None]:
    return [row.subject for row in rows.read_decisions(connection)]


def test_decisions_are_appended_with_rising_numbers_and_none_is_rewritten(catalog: Catalog) -> None:
    before = now()
    with catalog.write() as connection:
        first = say(connection, [decided(1), decided(2, "a2")])
        again = say(connection, [decided(1), decided(2, "a2")], verdict="confirm")
        assert rows.read_decisions(connection) == [first, again]
    assert (first.verdict, again.verdict) == ("dismiss", "confirm")
    assert (first.kind, first.subject, first.by, first.reason) == ("pair", "p1 p2", "ann", None)
    assert again.id > first.id
    assert before <= first.decided_at <= again.decided_at <= now()


def test_the_number_of_a_decision_is_never_used_again(catalog: Catalog) -> None:
    with catalog.write() as connection:
        first = say(connection, [])
        connection.execute(schema.decisions.delete())
        assert say(connection, []).id > first.id


def test_the_photos_of_a_decision_are_read_group_by_group_the_oldest_decision_first(catalog: Catalog) -> None:
    with catalog.write() as connection:
        photos = [decided(5, picture=1), decided(2, picture=0), decided(1, picture=1), decided(5, picture=0)]
        first = say(connection, photos)
        second = say(connection, [decided(3)])
        assert list(rows.read_decided_photos(connection)) == [
            (first.id, decided(2, picture=0)),
            (first.id, decided(5, picture=0)),
            (first.id, decided(1, picture=1)),
            (first.id, decided(5, picture=1)),
            (second.id, decided(3)),
        ]


def test_photos_are_decided_on_with_their_account_and_fingerprint_and_those_that_are_gone_left_out(
    catalog: Catalog,
) -> None:
    store(catalog, [photo(1), photo(2, "a2"), photo(3, "a3")])
    with catalog.read() as connection:
        found = rows.decided_photos(connection, "phash", [["p2", "p1", "gone"], [], ["p3"]])
        assert found == [decided(1), decided(2, "a2"), decided(3, "a3", picture=2)]
        (pdq,) = rows.decided_photos(connection, "pdq", [["p1"]])
        assert pdq.bits == bits(("pdq", 1))


def test_more_photos_than_a_statement_takes_are_decided_on(catalog: Catalog) -> None:
    store(catalog, [photo(number) for number in range(1_100)])
    with catalog.read() as connection:
        found = rows.decided_photos(connection, "phash", [[f"p{number}" for number in range(1_100)]])
    assert sorted(found, key=repr) == sorted((decided(number) for number in range(1_100)), key=repr)


def test_a_photo_that_leaves_the_index_stays_in_its_decision_until_it_is_erased(catalog: Catalog) -> None:
    store(catalog, [photo(1)])
    with catalog.write() as connection:
        said = say(connection, rows.decided_photos(connection, "phash", [["p1"]]), kind="group", subject="p1")
        remove_photos(connection, photo_id="p1")
        assert list(rows.read_decided_photos(connection)) == [(said.id, decided(1))]
        rows.forget_decided_photos(connection, account=None, photo_id="p1")
        assert list(rows.read_decided_photos(connection)) == []
        assert [(row.id, row.subject, row.by) for row in rows.read_decisions(connection)] == [(said.id, None, "ann")]


def test_an_account_that_is_erased_leaves_every_decision_and_the_photos_of_others_stay(catalog: Catalog) -> None:
    with catalog.write() as connection:
        first = say(connection, [decided(1), decided(2, "a2")])
        second = say(connection, [decided(1), decided(3, "a3")], kind="ring", subject="r123")
        rows.forget_decided_photos(connection, account="a1", photo_id=None)
        left = list(rows.read_decided_photos(connection))
        assert left == [(first.id, decided(2, "a2")), (second.id, decided(3, "a3"))]
        assert subjects(connection) == [None, "r123"]


@pytest.mark.parametrize("erased", ["p1", "p_1", "p%1", r"p\1"])
def test_the_subject_is_forgotten_where_it_names_the_photo_and_only_there(catalog: Catalog, erased: str) -> None:
    naming = [erased, f"{erased} x", f"x {erased}"]
    others = ["x", "x y", f"{erased}1", f"{erased}1 x", f"x 1{erased}", "pX1 x", "pX1"]
    with catalog.write() as connection:
        for subject in naming + others:
            say(connection, [DecidedPhoto(erased, "a1", bits(1), 0)], subject=subject)
        rows.forget_decided_photos(connection, account=None, photo_id=erased)
        assert subjects(connection) == [None] * 3 + others


def test_the_subject_of_a_photo_whose_id_differs_in_case_alone_is_not_forgotten(catalog: Catalog) -> None:
    with catalog.write() as connection:
        say(connection, [decided(1)], subject="p1 x")
        for subject in ("P1 x", "x P1"):
            say(connection, [DecidedPhoto("P1", "a2", bits(1), 0)], subject=subject)
        rows.forget_decided_photos(connection, account=None, photo_id="p1")
        assert subjects(connection) == [None, "P1 x", "x P1"]


def test_forgetting_what_no_decision_names_changes_nothing(catalog: Catalog) -> None:
    with catalog.write() as connection:
        said = say(connection, [decided(1)])
        rows.forget_decided_photos(connection, account="nobody", photo_id=None)
        rows.forget_decided_photos(connection, account=None, photo_id="p9")
        assert rows.read_decisions(connection) == [said]
        assert len(list(rows.read_decided_photos(connection))) == 1
