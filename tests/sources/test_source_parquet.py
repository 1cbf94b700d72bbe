from __future__ import annotations

import gc
import signal
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from imgmatch.errors import MissingExtraError, SourceError
from imgmatch.model import NewPhoto, Skipped, SkipReason
from imgmatch.sources import open_source
from imgmatch.sources.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

pa: Any = pytest.importorskip("pyarrow")
pq: Any = pytest.importorskip("pyarrow.parquet")

parquet_rows = pytest.importorskip("imgmatch.sources.parquet_rows")

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


@pytest.mark.slow
def test_rows_are_counted_through_batches_and_row_groups(tmp_path: Path) -> None:
    accounts = [f"a{index}" for index in range(5000)]
    found = read(tmp_path, {"account": accounts, "photo": ["1.jpg"] * 5000}, row_group_size=1500)
    assert [(one.account, one.line) for one in found] == [(name, index + 1) for index, name in enumerate(accounts)]


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_timestamp_with_a_zone_keeps_its_moment(tmp_path: Path) -> None:
    values = pa.array([NEW_YEAR], pa.timestamp("us", "Europe/Berlin"))
    assert read_one(tmp_path, seen_at=values).seen_at == NEW_YEAR


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["string", "timestamp[us]", "date32", "null"])
def test_seen_at_may_be_missing(tmp_path: Path, kind: str) -> None:
    assert read_one(tmp_path, seen_at=pa.array([None], kind)).seen_at is None


@pytest.mark.slow
def test_a_timestamp_out_of_range_is_a_bad_line_and_the_next_is_read(tmp_path: Path) -> None:
    values = pa.array([2**62, -(2**62), 1_767_225_600_000], "int64").cast("timestamp[ms]")
    early, late, good = read(tmp_path, {"account": ["a"] * 3, "photo": ["1.jpg"] * 3, "seen_at": values})
    assert isinstance(early, Skipped)
    assert isinstance(late, Skipped)
    assert (early.reason, early.line) == (SkipReason.BAD_LINE, 1)
    assert isinstance(good, NewPhoto)
    assert good.seen_at == NEW_YEAR


@pytest.mark.slow
def test_seen_at_may_be_a_whole_number_of_seconds_and_columns_have_capitals(tmp_path: Path) -> None:
    [photo] = read(tmp_path, {"Account": ["a"], "PHOTO": ["1.jpg"], "Seen_At": [1_767_225_600], "Bio": ["x"]})
    assert isinstance(photo, NewPhoto)
    assert (photo.account, photo.seen_at, photo.attributes) == ("a", NEW_YEAR, {"Bio": "x"})


def test_an_empty_time_that_a_program_has_filled_in_is_a_bad_line(tmp_path: Path) -> None:
    values = pa.array([0], "int64").cast("timestamp[ms]")
    [bad] = read(tmp_path, {"account": ["a"], "photo": ["1.jpg"], "seen_at": values})
    assert isinstance(bad, Skipped)
    assert "before 1990" in bad.detail


def test_ids_may_be_whole_numbers_or_categories(tmp_path: Path) -> None:
    photo = read_one(tmp_path, account=[17], photo_id=pa.array(["p"]).dictionary_encode())
    assert (photo.account, photo.photo_id) == ("17", "p")


@pytest.mark.slow
def test_attributes_are_text_and_bytes_and_structures_are_left_out(tmp_path: Path) -> None:
    columns = {"n": [1], "x": [0.5], "yes": [True], "day": [date(2026, 1, 1)], "raw": [b"\xff"], "items": [["a"]]}
    attributes = read_one(tmp_path, **columns).attributes
    assert attributes == {"n": "1", "x": "0.5", "yes": "true", "day": "2026-01-01"}


@pytest.mark.slow
def test_bad_rows_are_named_and_the_next_is_read(tmp_path: Path) -> None:
    texts = [b"\xff", b"a\0b", b"", b"a\nb", b" "]
    accounts = pa.array([*texts, b"z"], pa.binary()).view(pa.string())
    *bad, good = read(tmp_path, {"account": accounts, "photo": ["1.jpg"] * (len(texts) + 1)})
    assert [(one.reason, one.line) for one in bad if isinstance(one, Skipped)] == [
        (SkipReason.BAD_LINE, line) for line in range(1, len(texts) + 1)
    ]
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
        ({"account": ["a"], "photo": ["1.jpg"], "seen_at": [5.0]}, "seen_at cannot be of type double"),
        ({"user": ["a"], "photo": ["1.jpg"]}, r"found: user, photo; did you mean account by user\?"),
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


@pytest.mark.slow
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


# -- bombs ------------------------------------------------------------------------------------------------------------


def told(path: Path) -> tuple[int, list[str], str]:
    """How many rows are photos, why the others are not, and why it breaks off."""
    found, problems = 0, []
    try:
        for item in guarded(open_source(path)):
            if isinstance(item, Skipped):
                problems.append(item.detail)
            else:
                found += 1
    except SourceError as error:
        return found, problems, str(error)
    return found, problems, ""


def repeated(value: str, rows: int) -> Any:  # noqa: ANN401 - pyarrow has no types
    """A column of one value, which stands in the file once."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([value]))


@pytest.mark.slow
def test_a_value_of_a_dictionary_that_is_too_long_costs_its_rows_and_no_memory(tmp_path: Path) -> None:
    rows = 2048
    bios = {f"bio{n}": repeated("x" * 2_000_000, rows) for n in range(8)}  # 32 GB, if written out
    short = pa.DictionaryArray.from_arrays(
        pa.array([0, 1] * (rows // 2), pa.int32()), pa.array(["x" * 500_000, "short"])
    )
    ids = {"account": [f"a{n}" for n in range(rows)], "photo": ["1.jpg"] * rows}
    pq.write_table(pa.table(ids | bios), tmp_path / "all.parquet", compression="zstd")
    pq.write_table(pa.table(ids | {"bio": short}), tmp_path / "half.parquet", compression="zstd")
    assert (tmp_path / "all.parquet").stat().st_size < 40_000
    assert told(tmp_path / "all.parquet") == (0, ["A value has 2,000,000 bytes; the limit is 400,000."] * rows, "")
    assert told(tmp_path / "half.parquet") == (
        rows // 2,
        ["A value has 500,000 bytes; the limit is 400,000."] * (rows // 2),
        "",
    )


@pytest.mark.slow
@pytest.mark.parametrize("dictionary", [True, False])
def test_long_values_on_pages_of_their_own_cost_their_rows_only(tmp_path: Path, *, dictionary: bool) -> None:
    values = ["short", *("x" * (20 << 20) for _ in range(30)), "short"]
    columns = {"account": ["a"] * 32, "photo": ["1.jpg"] * 32, "bio": pa.array(values, pa.large_string())}
    pq.write_table(
        pa.table(columns),
        tmp_path / "m.parquet",
        compression="zstd",
        use_dictionary=dictionary,
        data_page_size=1,
        write_batch_size=1,
    )
    assert told(tmp_path / "m.parquet") == (2, ["A value has 20,971,520 bytes; the limit is 400,000."] * 30, "")


def test_a_row_that_is_too_long_in_all_costs_that_row(tmp_path: Path) -> None:
    columns = {f"c{n}": ["x" * 300_000, "short"] for n in range(5)}
    bad, good = read(tmp_path, {"account": ["a"] * 2, "photo": ["1.jpg"] * 2} | columns)
    assert isinstance(bad, Skipped)
    assert "longer than 1 MiB" in bad.detail
    assert isinstance(good, NewPhoto)


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a process allocates")
def test_a_page_that_fills_the_memory_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    values = pa.array(["x" * (40 << 20)] * 15, pa.large_string())
    pq.write_table(
        pa.table({"account": ["a"] * 15, "photo": ["1.jpg"] * 15, "bio": values}),
        tmp_path / "m.parquet",
        compression="zstd",
        use_dictionary=False,
    )
    with pytest.raises(SourceError, match=r"m\.parquet: .*512 MiB of memory"):
        open_source(tmp_path / "m.parquet")


@pytest.mark.slow
def test_more_rows_than_the_bytes_of_the_file_can_mean_end_it_and_those_before_are_kept(tmp_path: Path) -> None:
    table = pa.table({"account": repeated("a", 500_000), "photo": repeated("1.jpg", 500_000)})
    pq.write_table(table, tmp_path / "m.parquet")
    found, problems, why = told(tmp_path / "m.parquet")
    size = (tmp_path / "m.parquet").stat().st_size
    assert (found, problems, size < 100_000) == (50_000 + size, [], True)
    assert f"more than {found:,} rows in {size:,} bytes; it broke off after 1.jpg" in why


@pytest.mark.slow
def test_text_that_is_more_than_its_file_can_mean_ends_it(tmp_path: Path) -> None:
    bios = {f"bio{n}": repeated("x" * 12_000, 5_000) for n in range(8)}
    table = pa.table({"account": repeated("a", 5_000), "photo": repeated("1.jpg", 5_000)} | bios)
    pq.write_table(table, tmp_path / "m.parquet", compression="zstd")
    found, problems, why = told(tmp_path / "m.parquet")
    assert (1_000 < found < 2_000, problems, "200 times its size" in why) == (True, [], True)


@pytest.mark.slow
def test_the_name_of_a_column_that_is_not_utf8_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    read(tmp_path, {"account": ["a"], "photo": ["1.jpg"], "zzzz": ["x"]})
    raw = (tmp_path / "m.parquet").read_bytes()
    (tmp_path / "m.parquet").write_bytes(raw.replace(b"zzzz", b"\xff\xfezz"))
    with pytest.raises(SourceError, match=r"m\.parquet: "):
        open_source(tmp_path / "m.parquet")


def test_columns_of_any_type_leave_their_row_a_photo(tmp_path: Path) -> None:
    raw = pa.array([b"1234567890123456"], pa.binary(16))
    odd = [
        pa.array([Decimal("1.50")], pa.decimal128(10, 2)),
        pa.array([timedelta(seconds=3)], pa.duration("us")),
        pa.array([time(1, 2, 3)], pa.time64("us")),
        pa.array([[{"x": 1}]]),
        pa.array([{"x": 1}]),
        pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8())),
        raw,
        pa.array([1.5], pa.float16()) if hasattr(pa, "float16") else pa.array([1.5]),
        pa.array([NEW_YEAR], pa.timestamp("us", "Europe/Berlin")),
        pa.ExtensionArray.from_storage(pa.uuid(), raw) if hasattr(pa, "uuid") else pa.array([b"x"]),
    ]
    assert read_one(tmp_path, **{f"odd{number}": values for number, values in enumerate(odd)}).account == "a"


def test_a_file_that_is_encrypted_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "m.parquet").write_bytes(b"PARE" + bytes(100) + (100).to_bytes(4, "little") + b"PARE")
    with pytest.raises(SourceError, match=r"m\.parquet: not a Parquet file"):
        open_source(tmp_path / "m.parquet")


def test_a_process_that_dies_is_an_error_that_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(tmp_path, {"account": ["a"], "photo": ["1.jpg"]})
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SourceError, match=r"m\.parquet: reading it ended the process that did \(exit 1\)"):
        open_source(tmp_path / "m.parquet")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not limit what a process computes")
def test_a_process_that_only_computes_ends_itself_unless_it_gets_on() -> None:
    program = """
import time
from imgmatch.sources.parquet_worker import _allow_seconds
for _ in range(4):
    _allow_seconds(1)
    start = time.process_time()
    while time.process_time() - start < 0.7:
        pass
print("got on", flush=True)
while True:
    pass
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGXCPU, "got on\n")


@pytest.mark.skipif(sys.platform != "linux", reason="counts processes as Linux does")
@pytest.mark.serial
def test_no_process_is_left_when_reading_is_left_early(tmp_path: Path) -> None:
    accounts = [f"a{index}" for index in range(50_000)]
    read(tmp_path, {"account": accounts[:1], "photo": ["1.jpg"]})
    pq.write_table(pa.table({"account": accounts, "photo": ["1.jpg"] * 50_000}), tmp_path / "m.parquet")
    before = children()
    lines = iter(open_source(tmp_path / "m.parquet"))
    next(lines)
    assert len(children() - before) == 1
    del lines
    gc.collect()
    assert children() <= before


def children() -> set[str]:
    return {child for task in Path("/proc/self/task").glob("*/children") for child in task.read_text().split()}


def test_rows_are_equal_however_few_fit_into_the_memory_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = {"account": [f"a{n % 7}" for n in range(600)], "photo": ["1.jpg"] * 600, "n": list(range(600))}
    pq.write_table(pa.table(columns), tmp_path / "m.parquet", row_group_size=250)
    with (tmp_path / "m.parquet").open("rb") as stream:
        whole = [row for row, _ in parquet_rows.parquet_rows(stream, "m.parquet")]
    found = []
    read_rows = parquet_rows._rows  # noqa: SLF001 - what runs out of memory here is the test

    def short_of_memory(stream: BinaryIO, name: str, skip: int, batch_rows: int) -> Iterator[object]:
        for done, row in enumerate(read_rows(stream, name, skip, batch_rows)):
            if done >= 123 and batch_rows > 1:
                raise MemoryError
            yield row

    monkeypatch.setattr(parquet_rows, "_rows", short_of_memory)
    with (tmp_path / "m.parquet").open("rb") as stream:
        found = [row for row, _ in parquet_rows.parquet_rows(stream, "m.parquet")]
    assert found == whole
    assert len(found) == 600
