from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from imgmatch.errors import MissingExtraError, SourceError
from imgmatch.model import NewPhoto, Skipped, SkipReason
from imgmatch.sources import open_source

if TYPE_CHECKING:
    from pathlib import Path

pa: Any = pytest.importorskip("pyarrow")
pq: Any = pytest.importorskip("pyarrow.parquet")

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def read(folder: Path, columns: dict[str, Any], **options: object) -> list[NewPhoto | Skipped]:
    pq.write_table(pa.table(columns), folder / "m.parquet", **options)
    return list(open_source(folder / "m.parquet"))


def read_one(folder: Path, **columns: object) -> NewPhoto:
    [photo] = read(folder, {"account": ["a"], "photo": ["1.jpg"]} | columns)
    assert isinstance(photo, NewPhoto)
    return photo


def test_a_row_becomes_a_photo_with_all_that_is_known(tmp_path: Path) -> None:
    columns = {"account": ["a17"], "photo": ["x/1.jpg"], "name": ["Lena"], "seen_at": ["2026-01-01"]}
    assert read(tmp_path, columns | {"photo_id": ["p1"], "country": ["de"], "bio": [None]}) == [
        NewPhoto("a17", tmp_path / "x" / "1.jpg", "x/1.jpg", "p1", "Lena", NEW_YEAR, {"country": "de"}, 1)
    ]


def test_rows_are_counted_through_batches_and_row_groups(tmp_path: Path) -> None:
    accounts = [f"a{index}" for index in range(5000)]
    found = read(tmp_path, {"account": accounts, "photo": ["1.jpg"] * 5000}, row_group_size=1500)
    assert [(one.account, one.line) for one in found] == [(name, index + 1) for index, name in enumerate(accounts)]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["2026-01-01T01:00:00+01:00"], "string"),
        ([NEW_YEAR], "timestamp[s]"),
        ([NEW_YEAR], "timestamp[ns]"),
        ([date(2026, 1, 1)], "date32"),
        ([date(2026, 1, 1)], "date64"),
    ],
)
def test_seen_at_may_be_text_a_timestamp_or_a_date(tmp_path: Path, values: list[object], kind: str) -> None:
    assert read_one(tmp_path, seen_at=pa.array(values).cast(kind)).seen_at == NEW_YEAR


def test_a_timestamp_with_a_zone_keeps_its_moment(tmp_path: Path) -> None:
    values = pa.array([NEW_YEAR], pa.timestamp("us", "Europe/Berlin"))
    assert read_one(tmp_path, seen_at=values).seen_at == NEW_YEAR


@pytest.mark.parametrize("kind", ["string", "timestamp[us]", "date32", "null"])
def test_seen_at_may_be_missing(tmp_path: Path, kind: str) -> None:
    assert read_one(tmp_path, seen_at=pa.array([None], kind)).seen_at is None


def test_a_timestamp_out_of_range_is_a_bad_line_and_the_next_is_read(tmp_path: Path) -> None:
    values = pa.array([2**62, -(2**62), 0], "int64").cast("timestamp[ms]")
    early, late, good = read(tmp_path, {"account": ["a"] * 3, "photo": ["1.jpg"] * 3, "seen_at": values})
    assert isinstance(early, Skipped)
    assert isinstance(late, Skipped)
    assert (early.reason, early.line) == (SkipReason.BAD_LINE, 1)
    assert isinstance(good, NewPhoto)
    assert good.seen_at == datetime(1970, 1, 1, tzinfo=UTC)


def test_ids_may_be_whole_numbers_or_categories(tmp_path: Path) -> None:
    photo = read_one(tmp_path, account=[17], photo_id=pa.array(["p"]).dictionary_encode())
    assert (photo.account, photo.photo_id) == ("17", "p")


def test_attributes_are_text_and_bytes_and_structures_are_left_out(tmp_path: Path) -> None:
    columns = {"n": [1], "x": [0.5], "yes": [True], "day": [date(2026, 1, 1)], "raw": [b"\xff"], "items": [["a"]]}
    attributes = read_one(tmp_path, **columns).attributes
    assert attributes == {"n": "1", "x": "0.5", "yes": "true", "day": "2026-01-01"}


@pytest.mark.parametrize("text", [b"\xff", b"a\0b", b"", b"a\nb", b" "])
def test_a_bad_row_is_named_and_the_next_is_read(tmp_path: Path, text: bytes) -> None:
    accounts = pa.array([text, b"z"], pa.binary()).view(pa.string())
    bad, good = read(tmp_path, {"account": accounts, "photo": ["1.jpg"] * 2})
    assert isinstance(bad, Skipped)
    assert (bad.reason, bad.line) == (SkipReason.BAD_LINE, 1)
    assert good.account == "z"


def test_a_row_without_an_account_is_a_bad_line(tmp_path: Path) -> None:
    bad, _ = read(tmp_path, {"account": [None, "z"], "photo": ["1.jpg"] * 2})
    assert isinstance(bad, Skipped)
    assert bad.detail == "The account is empty."


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"account": ["a"]}, "missing: photo"),
        ({"account": [True], "photo": ["1.jpg"]}, "account cannot be of type bool"),
        ({"account": [1.5], "photo": ["1.jpg"]}, "account cannot be of type double"),
        ({"account": ["a"], "photo": [1]}, "photo cannot be of type int64"),
        ({"account": ["a"], "photo": [b"1"]}, "photo cannot be of type binary"),
        ({"account": ["a"], "photo": ["1.jpg"], "seen_at": [5]}, "seen_at cannot be of type int64"),
    ],
)
def test_columns_that_are_not_those_of_a_manifest_are_an_error(
    tmp_path: Path, columns: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SourceError, match=rf"m\.parquet.*{sentence}"):
        read(tmp_path, columns)


def test_a_column_that_comes_twice_is_an_error(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"])] * 3, names=["account", "photo", "photo"])
    pq.write_table(table, tmp_path / "m.parquet")
    with pytest.raises(SourceError, match="more than once: photo"):
        open_source(tmp_path / "m.parquet")


@pytest.mark.parametrize("raw", [b"", b"account,photo\n", b"PAR1" + b"\xff" * 100 + b"PAR1"])
def test_what_is_no_parquet_file_is_an_error(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "m.parquet").write_bytes(raw)
    with pytest.raises(SourceError, match=r"m\.parquet"):
        open_source(tmp_path / "m.parquet")


def test_a_file_damaged_inside_is_an_error(tmp_path: Path) -> None:
    read(tmp_path, {"account": [f"a{index}" for index in range(9000)], "photo": ["1.jpg"] * 9000})
    raw = bytearray((tmp_path / "m.parquet").read_bytes())
    raw[4:2000] = b"\xff" * 1996
    (tmp_path / "m.parquet").write_bytes(raw)
    with pytest.raises(SourceError, match=r"m\.parquet"):
        list(open_source(tmp_path / "m.parquet"))


def test_without_pyarrow_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.parquet").touch()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r'pip install "imgmatch\[parquet\]"'):
        open_source(tmp_path / "m.parquet")
