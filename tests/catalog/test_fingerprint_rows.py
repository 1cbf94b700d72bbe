from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from filled import bits, opened, photo, store
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from imgmatch.catalog import fingerprints as rows
from imgmatch.catalog import schema
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.catalog.photos import remove_photos

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from imgmatch.catalog.database import Catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    yield from opened(tmp_path)


def dropped(connection: Connection) -> dict[str, int]:
    """Sweeps; gives how many fingerprints of each hasher that has removed."""
    before = {hasher: rows.count_fingerprints(connection, hasher) for hasher in ("phash", "pdq")}
    remove_orphans(connection)
    lost = {hasher: count - rows.count_fingerprints(connection, hasher) for hasher, count in before.items()}
    return {hasher: count for hasher, count in lost.items() if count}


def stored(connection: Connection, hasher: str, after: int = 0) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for ids, codes in rows.read_fingerprints(connection, hasher, after):
        assert codes.shape == (len(ids), 32)
        assert ids.dtype == np.int64
        found |= {bytes(code): row_id for code, row_id in zip(codes, ids.tolist(), strict=True)}
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=4))
def test_equal_fingerprints_are_stored_once(catalog: Catalog, batches: list[list[int]]) -> None:
    with catalog.write() as connection:
        connection.execute(delete(schema.fingerprints))
        given_ids: dict[bytes, int] = {}
        for batch in batches:
            ids = rows.intern_fingerprints(connection, "phash", [bits(seed) for seed in batch])
            assert set(ids) == {bits(seed) for seed in batch}
            assert given_ids | ids == ids | given_ids
            given_ids |= ids
        assert stored(connection, "phash") == given_ids
        assert len(set(given_ids.values())) == len(given_ids) == rows.count_fingerprints(connection, "phash")


def test_the_same_bits_of_two_hashers_are_two_fingerprints(catalog: Catalog) -> None:
    with catalog.write() as connection:
        one = rows.intern_fingerprints(connection, "phash", [bits(1)])
        other = rows.intern_fingerprints(connection, "pdq", [bits(1)])
        assert one != other
        assert stored(connection, "phash") == one
        assert stored(connection, "pdq") == other


def test_many_fingerprints_go_in_at_once_and_come_out_in_order_of_their_ids(catalog: Catalog) -> None:
    with catalog.write() as connection:
        given_ids = rows.intern_fingerprints(connection, "phash", [bits(seed) for seed in range(2_500)])
        assert stored(connection, "phash") == given_ids
        middle = sorted(given_ids.values())[1_200]
        later = stored(connection, "phash", after=middle)
        assert list(later.values()) == sorted(row_id for row_id in given_ids.values() if row_id > middle)


def test_a_photo_on_many_accounts_has_one_fingerprint_row(catalog: Catalog) -> None:
    store(catalog, [photo(number, f"a{number}", picture="same") for number in range(600)])
    with catalog.read() as connection:
        assert len(stored(connection, "phash")) == 1
        links = select(func.count()).select_from(schema.photo_fingerprints)
        assert connection.scalar(links) == 1_200


def test_an_id_is_never_used_again(catalog: Catalog) -> None:
    store(catalog, [photo(1, "a"), photo(2, "a")])
    with catalog.write() as connection:
        first = stored(connection, "phash")
        remove_photos(connection, account="a")
        assert dropped(connection) == {"phash": 2, "pdq": 2}
        assert rows.last_fingerprint(connection) == 0
    catalog.compact()
    with catalog.write() as connection:
        again = rows.intern_fingerprints(connection, "phash", [bits(2), bits(3)])
    assert min(again.values()) > max(first.values())


def test_only_fingerprints_without_a_photo_are_dropped(catalog: Catalog) -> None:
    store(catalog, [photo(1, "a"), photo(2, "b", picture="shared"), photo(3, "c", picture="shared")])
    with catalog.write() as connection:
        remove_photos(connection, account="b")
        assert dropped(connection) == {}
        remove_photos(connection, account="a")
        assert dropped(connection) == {"phash": 1, "pdq": 1}
        assert set(stored(connection, "phash")) == {bits(("phash", "shared"))}
        remove_photos(connection, account="c")
        assert dropped(connection) == {"phash": 1, "pdq": 1}
        assert rows.last_fingerprint(connection) == 0
