"""The file of an engine of fingerprints: what was saved is mapped, and nothing else is taken for it."""

from __future__ import annotations

import struct
import warnings
import zipfile
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from codes import on_one_core, queries, random_codes, rows, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch.engines import snapshots
from imgmatch.engines.flat import FlatSegment
from imgmatch.engines.linear import LinearSegment
from imgmatch.engines.snapshots import map_arrays, save_arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from imgmatch.engines.base import Codes, Ids

    Part = tuple[Ids, Codes]

REFUSED = "is not an engine's snapshot"
BOTH = pytest.mark.parametrize("verify", [True, False], ids=["verified", "not verified"])


@pytest.fixture(autouse=True, scope="module")
def one_core() -> Iterator[None]:
    yield from on_one_core()


def part(count: int, seed: int = 3) -> Part:
    return np.arange(count, dtype=np.int64) * 7 + seed, random_codes(seed, count)


def saved(folder: Path, count: int = 5) -> Path:
    path = folder / "phash.flat.1"
    save_arrays(path, [part(count)])
    return path


def pairs(held: Part) -> list[tuple[int, bytes]]:
    return list(zip(held[0].tolist(), map(bytes, held[1]), strict=True))


def read(path: Path, *, verify: bool = True) -> list[tuple[int, bytes]] | None:
    """What is read from a file; ``None`` where it is refused. Whatever else happens to its reader is a fault."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged descriptions NumPy warns that they are old
        try:
            return pairs(map_arrays(path, verify=verify))
        except ValueError:
            return None


# -- what was saved ---------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("counts", [[], [0], [1], [0, 0], [300], [3, 0, 40, 1]], ids=repr)
def test_what_was_saved_is_mapped_as_it_was_part_after_part(counts: list[int], tmp_path: Path, *, verify: bool) -> None:
    parts = [part(count, seed) for seed, count in enumerate(counts)]
    save_arrays(tmp_path / "file", parts)
    ids, codes = map_arrays(tmp_path / "file", verify=verify)
    assert [str(array.dtype) for array in (ids, codes)] == ["int64", "uint8"]
    assert codes.shape == (sum(counts), 32)
    assert pairs((ids, codes)) == [pair for one in parts for pair in pairs(one)]


@settings(max_examples=60, deadline=None)
@given(
    held=stored(),
    cuts=st.lists(st.integers(0, 40), max_size=5),
    gone=st.sets(st.integers(0, 39)),
    strangers=st.sets(st.integers(60, 90)),
    piece=st.integers(1, 50),
)
def test_without_some_ids_the_file_is_that_of_the_rest_however_it_is_split(
    held: Part, cuts: list[int], gone: set[int], strangers: set[int], piece: int
) -> None:
    ids, codes = held
    edges = [0, *sorted(min(cut, len(ids)) for cut in cuts), len(ids)]
    parts = [(ids[start:end], codes[start:end]) for start, end in pairwise(edges)]
    without = {int(ids[place]) for place in gone if place < len(ids)}
    kept = np.array([row not in without for row in ids.tolist()], bool)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots, "_AT_ONCE", piece)  # a million codes are too many for a test
        asked = sorted(without | (strangers - set(ids.tolist())))
        save_arrays(Path(folder) / "file", parts, np.array(asked, np.int64))
        save_arrays(Path(folder) / "rest", [(ids[kept], codes[kept])])
        found, rest = (map_arrays(Path(folder) / name) for name in ("file", "rest"))
    assert pairs(found) == pairs(rest) == [pair for pair in pairs(held) if pair[0] not in without]


@pytest.mark.parametrize("piece", [1, 7, 10, 30, 99])
def test_codes_are_written_in_pieces_of_any_size_without_some_ids(
    piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "_AT_ONCE", piece)
    parts = [part(30, seed) for seed in (1, 2)]
    gone = [1 + 7 * row for row in (0, 3, 12, 13, 29)] + [2 + 7 * row for row in range(0, 30, 2)]
    save_arrays(tmp_path / "file", parts, np.array(gone, np.int64))
    expected = [pair for one in parts for pair in pairs(one) if pair[0] not in gone]
    assert pairs(map_arrays(tmp_path / "file")) == expected
    assert len(expected) == 40


# -- mapped -----------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(held=stored(), asked=queries(), max_distance=st.integers(0, 256))
def test_a_search_of_the_file_where_it_lies_finds_what_the_oracle_finds(
    held: Part, asked: Codes, max_distance: int
) -> None:
    with TemporaryDirectory() as folder:
        save_arrays(Path(folder) / "file", [held])
        ids, codes = map_arrays(Path(folder) / "file")
        found = FlatSegment(ids, codes).search(asked, max_distance)
    assert not len(ids) or not ids.flags.aligned
    assert rows(found) == rows(LinearSegment(*held).search(asked, max_distance))


def test_codes_are_searched_where_they_lie_and_cannot_be_written(tmp_path: Path) -> None:
    _, codes = mapped = map_arrays(saved(tmp_path))
    assert np.shares_memory(FlatSegment(*mapped).arrays()[1], codes)
    assert not any(array.flags.owndata or array.flags.writeable for array in mapped)


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_what_is_mapped_stays_as_it_was_when_the_file_goes(how: str, tmp_path: Path) -> None:
    path = saved(tmp_path, 3_000)
    engine = FlatSegment(*map_arrays(path, verify=False))
    if how == "deleted":
        path.unlink()
    else:
        save_arrays(tmp_path / "other", [part(2, seed=9)])
        (tmp_path / "other").replace(path)
    asked = random_codes(1, 4)
    assert rows(engine.search(asked, 60)) == rows(LinearSegment(*part(3_000)).search(asked, 60))
    assert pairs(engine.arrays()) == pairs(part(3_000))


# -- damage -----------------------------------------------------------------------------------------------------------


def regions(path: Path) -> dict[str, range]:
    """Where in a file what lies."""
    found: dict[str, range] = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name_length, extra_length = struct.unpack_from("<HH", path.read_bytes(), member.header_offset + 26)
            start = member.header_offset + 30 + name_length + extra_length
            described = start + 128  # as NumPy pads the description of an array that small
            found[f"local header of {member.filename}"] = range(member.header_offset, start)
            found[f"description of {member.filename}"] = range(start, described)
            found[f"values of {member.filename}"] = range(described, start + member.file_size)
        found["directory"] = range(archive.start_dir, path.stat().st_size)
    return found


def damaged_at(path: Path, places: Sequence[int], bits: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Turns these bits of these bytes, one after the other; the file is whole again at the end."""
    whole = path.read_bytes()
    for place in places:
        for bit in bits:
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            path.write_bytes(damaged)
            yield place, bit
    path.write_bytes(whole)


def test_every_byte_of_a_file_is_in_one_region(tmp_path: Path) -> None:
    path = saved(tmp_path)
    assert sorted(place for region in regions(path).values() for place in region) == list(range(path.stat().st_size))


@BOTH
@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_file_cut_short_anywhere_is_refused(count: int, tmp_path: Path, *, verify: bool) -> None:
    path = saved(tmp_path, count)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=REFUSED):
            map_arrays(path, verify=verify)


REGIONS = [
    *("local header of ids.npy", "description of ids.npy", "values of ids.npy"),
    *("local header of codes.npy", "description of codes.npy", "values of codes.npy", "directory"),
]


@pytest.mark.slow
@pytest.mark.parametrize("region", REGIONS)
def test_a_file_with_a_bit_turned_is_refused_or_reads_the_same(region: str, tmp_path: Path) -> None:
    path = saved(tmp_path)
    sound = read(path)
    for place, bit in damaged_at(path, regions(path)[region], range(8)):
        # An archive has a few bytes that mean nothing, such as its time of writing.
        assert read(path) in (None, sound), (place, bit)
    assert sound is not None
    assert read(path) == sound


@pytest.mark.parametrize("region", [region for region in REGIONS if region.startswith(("values", "description"))])
def test_every_altered_byte_of_an_array_is_noticed(region: str, tmp_path: Path) -> None:
    path = saved(tmp_path)
    for place, _ in damaged_at(path, regions(path)[region], [0, 7]):
        assert read(path) is None, place


@pytest.mark.slow
@pytest.mark.parametrize("region", REGIONS)
def test_not_verified_a_file_with_a_bit_turned_is_read_or_refused_and_nothing_worse(
    region: str, tmp_path: Path
) -> None:
    path = saved(tmp_path)
    values = region.startswith("values")
    for place, bit in damaged_at(path, regions(path)[region], range(8)):
        found = read(path, verify=False)
        assert not values or (found is not None and len(found) == 5), (place, bit)


@pytest.mark.parametrize(("region", "column"), [("values of ids.npy", 0), ("values of codes.npy", 1)])
def test_altered_values_are_noticed_only_where_they_are_verified(region: str, column: int, tmp_path: Path) -> None:
    path = saved(tmp_path)
    sound = read(path)
    assert sound is not None
    for place, _ in damaged_at(path, regions(path)[region], [3]):
        altered = read(path, verify=False)
        assert altered is not None
        assert altered != sound, place
        assert [pair[1 - column] for pair in altered] == [pair[1 - column] for pair in sound]
        assert read(path) is None


@BOTH
def test_bytes_cut_out_of_the_middle_or_put_in_are_refused(tmp_path: Path, *, verify: bool) -> None:
    path = saved(tmp_path, 40)
    whole = path.read_bytes()
    middle = regions(path)["values of codes.npy"][100]
    for damaged in (whole[:middle] + whole[middle + 32 :], whole[: middle + 1_000] + whole[middle:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=REFUSED):
            map_arrays(path, verify=verify)


@BOTH
@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\0" * 4096, b"PK\5\6" + bytes(18), b"PK\3\4" + b"\xff" * 400),
        *(b"IBMp" + b"\xff" * 400, b"SQLite format 3\0"),
    ],
)
def test_a_file_of_something_else_is_refused(content: bytes, tmp_path: Path, *, verify: bool) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=REFUSED):
        map_arrays(tmp_path / "file", verify=verify)


@BOTH
@pytest.mark.parametrize(("size", "offset"), [(2**64 - 1, 0), (0, 2**64 - 1), (2**63, 2**63), (10, 2**63)])
def test_an_archive_of_the_largest_sizes_there_are_is_refused(
    size: int, offset: int, tmp_path: Path, *, verify: bool
) -> None:
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, size, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    last = struct.pack("<4s4H2LH", b"PK\5\6", *(0xFFFF,) * 4, *(0xFFFFFFFF,) * 2, 0)
    (tmp_path / "file").write_bytes(end + locator + last)
    with pytest.raises(ValueError, match=REFUSED):
        map_arrays(tmp_path / "file", verify=verify)


@BOTH
def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path, *, verify: bool) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ValueError, match=REFUSED):
            map_arrays(path, verify=verify)


IDS, CODES = part(3)


@BOTH
@pytest.mark.parametrize(
    "arrays",
    [
        {"ids": IDS},
        {"codes": CODES},
        {"other": IDS, "codes": CODES},
        {"ids": IDS.astype(np.float64), "codes": CODES},
        {"ids": IDS.astype(np.int32), "codes": CODES},
        {"ids": IDS.astype(">i8"), "codes": CODES},
        {"ids": IDS, "codes": CODES.astype(np.int8)},
        {"ids": IDS, "codes": CODES[:2]},
        {"ids": IDS, "codes": CODES[:, :31]},
        {"ids": IDS.reshape(3, 1), "codes": CODES},
        {"ids": IDS, "codes": np.asfortranarray(CODES)},
        {"ids": np.array(3), "codes": CODES},
        {"ids": np.array([None] * 3), "codes": CODES},
        {"ids": np.array(["a", "b", "c"]), "codes": CODES},
        {"ids": np.zeros(3, [("a", "i4"), ("b", "i4")]), "codes": CODES},
    ],
    ids=lambda arrays: ", ".join(f"{name} {array.dtype}{array.shape}" for name, array in arrays.items()),
)
def test_an_archive_of_other_arrays_is_refused(arrays: dict[str, Any], tmp_path: Path, *, verify: bool) -> None:
    np.savez(tmp_path / "file.npz", **arrays)
    with pytest.raises(ValueError, match=rf"{REFUSED}|do not fit"):
        map_arrays(tmp_path / "file.npz", verify=verify)


@BOTH
def test_an_archive_is_read_as_numpy_writes_it_but_not_compressed(tmp_path: Path, *, verify: bool) -> None:
    np.savez(tmp_path / "plain.npz", ids=IDS, codes=CODES)
    assert pairs(map_arrays(tmp_path / "plain.npz", verify=verify)) == pairs((IDS, CODES))
    np.savez_compressed(tmp_path / "packed.npz", ids=IDS, codes=CODES)
    with pytest.raises(ValueError, match=REFUSED):
        map_arrays(tmp_path / "packed.npz", verify=verify)


def described(header: bytes, version: bytes = b"\1\0") -> Callable[[Path], None]:
    """Writes a file whose ids say that they are such an array, with checksums that are right."""

    def write(path: Path) -> None:
        codes = BytesIO()
        np.save(codes, CODES)
        start = b"\x93NUMPY" + version + struct.pack("<H", len(header))
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("ids.npy", start + header + IDS.tobytes())
            archive.writestr("codes.npy", codes.getvalue())

    return write


SOUND = b"{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }"


@BOTH
@pytest.mark.parametrize(
    "write",
    [
        described(SOUND[:-1]),
        described(SOUND.replace(b"(3,)", b"(3,")),
        described(SOUND.replace(b"'<i8'", b"'<i8")),
        described(SOUND.replace(b"'<i8'", b"'<,8'")),
        described(SOUND.replace(b"'<i8'", b"'|O'")),
        described(SOUND.replace(b"'<i8'", b"[" * 4_000)),
        described(SOUND.replace(b"(3,)", b"(4,)")),
        described(SOUND.replace(b"(3,)", b"(2,)")),
        described(SOUND.replace(b"(3,)", b"(%d,)" % 2**62)),
        described(SOUND.replace(b"(3,)", b"(%d,)" % 2**70)),
        described(SOUND.replace(b"(3,)", b"3")),
        described(SOUND.replace(b"False", b"exit()")),
        described(SOUND.replace(b"False", b"True")),
        described(b"\n" * 9),
        described(SOUND + b" " * 9_000),
        described(SOUND, version=b"\2\0"),
        described(SOUND, version=b"\7\7"),
    ],
)
def test_an_array_that_is_described_wrongly_is_refused(
    write: Callable[[Path], None], tmp_path: Path, *, verify: bool
) -> None:
    write(tmp_path / "file")
    assert read(tmp_path / "file", verify=verify) is None


def test_an_array_that_is_described_rightly_is_read(tmp_path: Path) -> None:
    described(SOUND)(tmp_path / "file")
    assert read(tmp_path / "file") == pairs((IDS, CODES))


def longer_directory(path: Path, entries: range) -> None:
    """Make the directory of an archive longer than it need be."""
    with zipfile.ZipFile(path, "a") as archive:
        for number in entries:
            archive.writestr(f"{number:0200}", b"")


@BOTH
def test_an_archive_with_a_longer_directory_than_ours_is_refused_before_it_is_read(
    tmp_path: Path, *, verify: bool
) -> None:
    path = saved(tmp_path)
    longer_directory(path, range(4))
    assert read(path, verify=verify) is not None
    longer_directory(path, range(4, 24))
    with pytest.raises(ValueError, match=REFUSED):
        map_arrays(path, verify=verify)


@BOTH
def test_an_archive_that_claims_a_directory_of_terabytes_is_refused_and_none_of_it_is_read(
    tmp_path: Path, *, verify: bool
) -> None:
    path = tmp_path / "file"
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 0xFFFFFFFF, 0, 0)
    with path.open("wb") as file:
        file.truncate(1 << 40)
        file.seek(0, 2)
        record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 1 << 40, 0)
        file.write(record + struct.pack("<4sLQL", b"PK\6\7", 0, 1 << 40, 1) + end)
    with pytest.raises(ValueError, match=REFUSED):
        map_arrays(path, verify=verify)
