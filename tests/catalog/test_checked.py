"""What a column hands out for what SQLite gives: ours as it is, anything else as a stand-in that does no harm."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from damaging import damage_rows
from filled import bits, opened, photo, store
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from imgmatch import damage
from imgmatch.catalog import schema
from imgmatch.catalog.calibrations import Calibration, latest_calibration, store_calibration
from imgmatch.catalog.checked import Bytes, Checked, Number, Small, Structure, Whole, Words, is_texts
from imgmatch.catalog.damaged_rows import damaged_values
from imgmatch.catalog.fingerprints import bits_by_id, fingerprints_by_id, intern_fingerprints, read_fingerprints
from imgmatch.catalog.leases import LEASE_LONGEST
from imgmatch.catalog.sqlite import SqliteCatalog
from imgmatch.catalog.times import LAST, now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from damaging import Value

GIVEN = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=20), st.binary(max_size=40),
    st.sampled_from(["[1]", '["a"]', "{}", "[" * 10_000, "9" * 5_000, "NaN", "[NaN]"]),
)  # fmt: skip
KINDS: dict[str, Checked] = {
    "whole": Whole(0, 100),
    "time": Whole(instead=LAST),
    "small": Small(1, 5),
    "words": Words(),
    "choice": Words(["a", "b"], "b"),
    "digest": Bytes(16),
    "blob": Bytes(most=30),
    "share": Number(0, 1),
    "list": Structure(is_texts, []),
}


@pytest.fixture(autouse=True)
def _told_anew() -> Iterator[None]:
    damage.forget()
    yield
    damage.forget()


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


@pytest.mark.parametrize("nullable", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@given(found=GIVEN)
def test_a_value_is_handed_out_as_it_is_or_as_a_stand_in_of_the_same_kind(
    kind: str, found: Value, *, nullable: bool
) -> None:
    checked = KINDS[kind]
    checked.column, checked.nullable = f"a.{kind}", nullable
    process = checked.result_processor(None, None)  # type: ignore[arg-type]  # neither is looked at
    damage.forget()
    given_out = process(found)
    sound = (found is None and nullable) or (found is not None and checked.holds(found))
    assert checked.is_damaged(found) == (not sound) == (damage.count(f"a.{kind}") == 1)
    assert type(checked.looked_at(found)) is type(given_out)
    if sound:
        expected = json.loads(found) if kind == "list" and isinstance(found, str) else found
        assert given_out == expected
    elif given_out is not None:
        assert kind == "list" or checked.holds(given_out)


def test_different_damaged_accounts_stay_different_and_the_same_stay_the_same() -> None:
    words = Words()
    assert len({words.stand_in(found) for found in (b"a", b"b", 1, 1.5, b"a")}) == 4


def test_a_damaged_digest_is_equal_to_nothing() -> None:
    digest = Bytes(32)
    assert digest.stand_in("x") != digest.stand_in("x")
    assert len(digest.stand_in("x") or b"") == 32


@pytest.mark.sqlite
@pytest.mark.parametrize("value", ["x", b"", b"short", bytes(31), bytes(33), bytes(20_000_000), 5, 0.5])
def test_a_damaged_fingerprint_costs_itself_alone(catalog: SqliteCatalog, tmp_path: Path, value: Value) -> None:
    values = [bits(number) for number in range(5)]
    with catalog.write() as session:
        ids = intern_fingerprints(session, "phash", values)
    damage_rows(tmp_path, f"UPDATE fingerprints SET bits = ? WHERE id = {ids[values[2]]}", values=[value])
    with catalog.read() as session:
        blocks = [*read_fingerprints(session, "phash"), *fingerprints_by_id(session, "phash", ids.values())]
        single = bits_by_id(session, ids.values())
    for rows, codes in blocks:
        assert rows.tolist() == sorted(ids.values())
        assert codes.shape == (5, 32)
        for row, code in zip(rows.tolist(), codes, strict=True):
            assert (bytes(code) in values) == (row != ids[values[2]])
    assert {row for row, code in single.items() if code in values} == set(ids.values()) - {ids[values[2]]}
    assert damage.count("fingerprints.bits") == 3


@pytest.mark.sqlite
def test_a_mixture_of_lengths_that_adds_up_is_noticed(catalog: SqliteCatalog, tmp_path: Path) -> None:
    with catalog.write() as session:
        intern_fingerprints(session, "phash", [bits(1), bits(2)])
    damage_rows(tmp_path, "UPDATE fingerprints SET bits = zeroblob(20 + 24 * (id - 1))")
    with catalog.read() as session:
        ((_, codes),) = read_fingerprints(session, "phash")
    assert codes.shape == (2, 32)
    assert damage.count("fingerprints.bits") == 2


@pytest.mark.sqlite
def test_damaged_rows_are_named_and_sound_ones_are_not(catalog: SqliteCatalog, tmp_path: Path) -> None:
    store(catalog, [photo(number, f"a{number}") for number in range(3)])
    with catalog.read() as session:
        assert list(damaged_values(session)) == []
    damage_rows(
        tmp_path,
        "UPDATE photos SET seen_at = 'soon', sha256 = zeroblob(9000000) WHERE photo_id = 'p1'",
        "UPDATE accounts SET attributes = '{' WHERE account = 'a2'",
        "UPDATE accounts SET account = CAST(x'ff41' AS TEXT) WHERE account = 'a0'",
    )
    with catalog.read() as session:
        found = list(damaged_values(session))
        account = session.sql.scalar(select(schema.accounts.c.account).where(schema.accounts.c.id == 1))
    expected = {"photos 2: seen_at", "photos 2: sha256", "accounts 3: attributes", "accounts 1: text that is not UTF-8"}
    assert set(found) == expected
    assert account == "\\xffA"


CALIBRATIONS = ["'a', 0, 0.5", "9e999, 0, 0.5", "1, -9e999, 0.5", "1, 0, 'x'", "1, 0, 1.5", "1, 0, -1", "-1, 0, 0.5"]


@pytest.mark.sqlite
@pytest.mark.parametrize("values", [*CALIBRATIONS, "0, 0, 0.5", "1e5, 0, 0.5", "1, 1e5, 0.5", "x'00', 0, 0.5"])
def test_a_calibration_that_cannot_be_one_is_not_used(catalog: SqliteCatalog, tmp_path: Path, values: str) -> None:
    with catalog.write() as session:
        store_calibration(session, Calibration(2.0, 0.5, 0.7, 40))
        assert latest_calibration(session) == Calibration(2.0, 0.5, 0.7, 40)
    damage_rows(tmp_path, f"INSERT INTO calibrations (fitted_at, slope, shift, accept, pairs) VALUES (0, {values}, 40)")
    with catalog.read() as session:
        assert latest_calibration(session) is None
    assert damage.count("calibrations") == 1


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("owner", "expires"),
    [("{}", 0), ("[]", 0), ("x", 0), ('{"pid": 1}', 0), ("[" * 9_000, 0), (None, LEASE_LONGEST), (None, 2**50)],
)
@pytest.mark.usefixtures("catalog")
def test_a_lease_that_cannot_be_one_holds_nobody_up(tmp_path: Path, owner: str | None, expires: int) -> None:
    ends = now() + 1_000_000 * (expires or 20)
    known = '{"host": "elsewhere", "boot": "", "namespace": "", "pid": 7, "started": 1}'
    damage_rows(
        tmp_path, f"INSERT INTO leases VALUES ('work', ?, 'x', 0, 0, {ends + 10_000_000})", values=[owner or known]
    )
    with closing(SqliteCatalog(tmp_path)) as other, other.lease("work"):
        pass
