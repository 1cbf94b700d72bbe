from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from filled import bits, opened, photo, remove_photos, store
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from imgmatch.catalog import fingerprints as rows
from imgmatch.catalog import schema
from imgmatch.catalog.orphans import remove_orphans

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.catalog.session import Session
    from imgmatch.catalog.sqlite import SqliteCatalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


def dropped(session: Session) -> dict[str, int]:
    """Sweeps; gives how many fingerprints of each hasher that has removed."""
    before = {hasher: rows.count_fingerprints(session, hasher) for hasher in ("phash", "pdq")}
    remove_orphans(session)
    lost = {hasher: count - rows.count_fingerprints(session, hasher) for hasher, count in before.items()}
    return {hasher: count for hasher, count in lost.items() if count}


def stored(session: Session, hasher: str, after: int = 0) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for ids, codes in rows.read_fingerprints(session, hasher, after):
        assert codes.shape == (len(ids), 32)
        assert ids.dtype == np.int64
        found |= {bytes(code): row_id for code, row_id in zip(codes, ids.tolist(), strict=True)}
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=4))
def test_equal_fingerprints_are_stored_once(catalog: SqliteCatalog, batches: list[list[int]]) -> None:
    with catalog.write() as session:
        session.sql.execute(delete(schema.fingerprints))
        given_ids: dict[bytes, int] = {}
        for batch in batches:
            ids = rows.intern_fingerprints(session, "phash", [bits(seed) for seed in batch])
            assert set(ids) == {bits(seed) for seed in batch}
            assert given_ids | ids == ids | given_ids
            given_ids |= ids
        assert stored(session, "phash") == given_ids
        assert len(set(given_ids.values())) == len(given_ids) == rows.count_fingerprints(session, "phash")


def test_the_same_bits_of_two_hashers_are_two_fingerprints(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        one = rows.intern_fingerprints(session, "phash", [bits(1)])
        other = rows.intern_fingerprints(session, "pdq", [bits(1)])
        assert one != other
        assert stored(session, "phash") == one
        assert stored(session, "pdq") == other


def test_many_fingerprints_go_in_at_once_and_come_out_in_order_of_their_ids(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        given_ids = rows.intern_fingerprints(session, "phash", [bits(seed) for seed in range(2_500)])
        assert stored(session, "phash") == given_ids
        middle = sorted(given_ids.values())[1_200]
        later = stored(session, "phash", after=middle)
        assert list(later.values()) == sorted(row_id for row_id in given_ids.values() if row_id > middle)


def test_a_photo_on_many_accounts_has_one_fingerprint_row(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(number, f"a{number}", picture="same") for number in range(600)])
    with catalog.read() as session:
        assert len(stored(session, "phash")) == 1
        links = select(func.count()).select_from(schema.photo_fingerprints)
        assert session.sql.scalar(links) == 1_200


def test_an_id_is_never_used_again(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1, "a"), photo(2, "a")])
    with catalog.write() as session:
        first = stored(session, "phash")
        remove_photos(session, account="a")
        assert dropped(session) == {"phash": 2, "pdq": 2}
        assert rows.last_fingerprint(session) == 0
    catalog.compact()
    with catalog.write() as session:
        again = rows.intern_fingerprints(session, "phash", [bits(2), bits(3)])
    assert min(again.values()) > max(first.values())


def test_only_fingerprints_without_a_photo_are_dropped(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1, "a"), photo(2, "b", picture="shared"), photo(3, "c", picture="shared")])
    with catalog.write() as session:
        remove_photos(session, account="b")
        assert dropped(session) == {}
        remove_photos(session, account="a")
        assert dropped(session) == {"phash": 1, "pdq": 1}
        assert set(stored(session, "phash")) == {bits(("phash", "shared"))}
        remove_photos(session, account="c")
        assert dropped(session) == {"phash": 1, "pdq": 1}
        assert rows.last_fingerprint(session) == 0
