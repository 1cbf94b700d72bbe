from __future__ import annotations

import subprocess
import sys
import zipfile
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch.engines import postings
from imgmatch.engines.postings import Postings, compacted, piece_of, save_postings
from imgmatch.engines.votes import GEOMETRY_BITS, Votes, geometry
from imgmatch.features.record import Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgmatch.features.codebook import F32

LISTS = 11
REFUSED = "not a file of features, or it is damaged"

Entry = tuple[int, int, bytes]  # list, id, code
Record = tuple[int, Stored]


def random_points(rng: np.random.Generator, count: int) -> F32:
    """Points as pictures have them, shape (count, 4)."""
    columns = (rng.random(count), rng.random(count), 2.0 ** rng.uniform(-9, -2, count), rng.uniform(0, 6.28, count))
    return np.stack(columns, axis=1).astype(np.float32)


def random_records(seed: int, counts: Sequence[int], lists: int = LISTS) -> list[Record]:
    """Pictures with so many points each, under rising row ids with gaps."""
    rng = np.random.default_rng(seed)
    rows = np.cumsum(rng.integers(1, 1_000_000, len(counts))).tolist()
    return [
        (
            row,
            Stored(
                random_points(rng, count),
                rng.integers(0, lists, count).astype(np.uint16),
                rng.integers(0, 256, (count, 16), dtype=np.uint8),
                1.0,
                0.75,
            ),
        )
        for row, count in zip(rows, counts, strict=True)
    ]


def one_by_one(records: Iterable[Record]) -> list[Entry]:
    """What must be in the lists, one point at a time."""
    found = []
    for row, stored in records:
        for point, number, code in zip(stored.points, stored.lists.tolist(), stored.codes, strict=True):
            (place,) = geometry(point[None]).tolist()
            found.append((number, (row << GEOMETRY_BITS) + place, bytes(code)))
    return sorted(found)


def entries(held: Postings) -> list[Entry]:
    """What is in the lists, in their order."""
    found: list[Entry] = []
    for piece in held.pieces():
        assert piece.sizes.shape == (held.lists,)
        assert int(piece.sizes.sum()) == len(piece.ids) == len(piece.codes)
        numbers = np.repeat(np.arange(held.lists), piece.sizes).tolist()
        found += zip(numbers, piece.ids.tolist(), map(bytes, piece.codes), strict=True)
    assert [number for number, _, _ in found] == sorted(number for number, _, _ in found)
    return found


def part(records: Sequence[Record], lists: int = LISTS) -> Postings:
    return Postings((piece_of(records, lists),), len(records), lists)


pictures = st.builds(random_records, st.integers(0, 2**32 - 1), st.lists(st.integers(0, 9), max_size=12))


@settings(max_examples=60, deadline=None)
@given(records=pictures)
def test_points_are_sorted_by_list_each_with_its_id_and_code(records: list[Record]) -> None:
    assert sorted(entries(part(records))) == one_by_one(records)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(records=pictures, sizes=st.lists(st.integers(0, 5), max_size=8), piece=st.integers(1, 40))
def test_parts_of_any_split_saved_in_pieces_of_any_size_read_back_the_same(
    records: list[Record], sizes: list[int], piece: int
) -> None:
    edges = [0, *np.minimum(np.cumsum([0, *sizes]), len(records)).tolist(), len(records)]
    parts = [part(records[start:end]) for start, end in pairwise(edges)]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(postings, "PIECE", piece)  # two million codes are too many for a test
        paths = [Path(folder) / name for name in ("first", "second")]
        save_postings(paths[0], parts, LISTS, len(records))
        # A part that lies in a file is merged with parts in memory when it is saved again.
        again = [Postings.open(paths[0], LISTS), part(more := random_records(5, [3, 0, 4]))]
        save_postings(paths[1], again, LISTS, len(records) + 3)
        loaded = [Postings.open(path, LISTS) for path in paths]
        found = [entries(one) for one in loaded]
    assert [one.pictures for one in loaded] == [len(records), len(records) + 3]
    assert sorted(found[0]) == one_by_one(records)
    assert sorted(found[1]) == sorted(one_by_one(records) + one_by_one(more))
    assert sorted(entries(compacted(parts))) == one_by_one(records)
    assert compacted(parts).pictures == len(records)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(records=pictures, more=pictures, gone=st.sets(st.integers(0, 12)), piece=st.integers(1, 40))
def test_without_some_pictures_the_lists_are_those_of_the_rest_in_memory_and_from_a_file(
    records: list[Record], more: list[Record], gone: set[int], piece: int
) -> None:
    more = [(row + 20_000_000, stored) for row, stored in more]  # beyond those of before
    lost = np.array([row for one in (records, more) for row, _ in one[1:] if row % 13 in gone], np.int64)
    rest = [one for one in (*records, *more) if one[0] not in lost]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(postings, "PIECE", piece)
        save_postings(Path(folder) / "file", [part(records)], LISTS, len(records))
        on_disk = Postings.open(Path(folder) / "file", LISTS)
        for held in (part(records), on_disk):
            assert sorted(entries(held.without(lost))) == one_by_one(one for one in records if one[0] not in lost)
            assert sorted(entries(held)) == one_by_one(records)
        parts = [on_disk.without(lost), part(more).without(lost)]
        save_postings(Path(folder) / "rest", parts, LISTS, len(rest))
        found = Postings.open(Path(folder) / "rest", LISTS)
        assert (found.pictures, sorted(entries(found))) == (len(rest), one_by_one(rest))


def test_no_parts_and_parts_without_points_make_an_empty_file(tmp_path: Path) -> None:
    for count, parts in enumerate(([], [part(random_records(1, [0]))])):
        save_postings(tmp_path / "file", parts, LISTS, count)
        loaded = Postings.open(tmp_path / "file", LISTS)
        assert (loaded.pictures, entries(loaded)) == (count, [])


# -- damage -----------------------------------------------------------------------------------------------------------


def saved(folder: Path, lists: int = LISTS) -> Path:
    path = folder / "features.ivf.1"
    save_postings(path, [part(random_records(3, [4, 0, 5, 2], lists), lists)], lists, 4)
    return path


def read(path: Path, lists: int = LISTS) -> tuple[int, list[Entry]]:
    loaded = Postings.open(path, lists)
    return loaded.pictures, entries(loaded)


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ValueError, match=REFUSED):
            Postings.open(path, LISTS)


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"PK\5\6" + bytes(18), b"SQLite format 3\0"])
def test_a_file_of_something_else_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=REFUSED):
        Postings.open(tmp_path / "file", LISTS)


@pytest.mark.slow
def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=REFUSED):
            read(path)


@pytest.mark.slow
def test_a_file_with_a_bit_turned_is_refused_or_reads_the_same(tmp_path: Path) -> None:
    path = saved(tmp_path)
    whole, sound = path.read_bytes(), read(path)
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place * 5 % 8)
        path.write_bytes(damaged)
        try:
            found = read(path)
        except ValueError:
            continue
        assert found == sound, place  # an archive has a few bytes that mean nothing, such as its time of writing


def test_a_file_with_another_number_of_lists_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    for lists in (LISTS - 1, LISTS + 1, 1):
        with pytest.raises(ValueError, match=REFUSED):
            read(path, lists)


def arrays(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- arrays of any kind
    """The arrays of a sound file of three codes in list 2, some of them changed."""
    sizes = np.zeros(LISTS, np.int64)
    sizes[2] = 3
    sound = {
        "pictures": np.array([1]),
        "sizes": sizes,
        "ids": np.arange(3) + (1 << GEOMETRY_BITS),
        "codes": np.zeros((3, 16), np.uint8),
    }
    return sound | changes


def absurd(*sizes: int) -> dict[str, Any]:
    return {"sizes": np.array([*sizes, *[0] * (LISTS - len(sizes))], np.int64)}


def test_an_archive_of_the_right_arrays_is_read_whoever_wrote_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "file.npz", **arrays())
    assert [number for number, _, _ in read(tmp_path / "file.npz")[1]] == [2, 2, 2]


def test_a_packed_archive_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "file.npz", **arrays())
    with pytest.raises(ValueError, match=REFUSED):
        read(tmp_path / "file.npz")


@pytest.mark.parametrize(
    "changes",
    [
        {"pictures": np.array([1, 2])},
        {"pictures": np.array(1)},
        {"pictures": np.array([-1])},
        {"pictures": np.array([1.5])},
        {"pictures": np.array(["one"])},
        {"pictures": np.array([None])},
        {"sizes": np.zeros(LISTS)},
        {"sizes": np.zeros(LISTS, np.int64)},
        {"sizes": np.ones(LISTS, np.int64)},
        absurd(4, -1),
        absurd(2**62),
        absurd(2**62, 2**62, 2**62, 2**62, 3),
        absurd(2**63 - 1, 2**63 - 1, 5),
        {"ids": np.arange(4)},
        {"ids": np.arange(3.0)},
        {"ids": np.arange(3, dtype=">i8")},
        {"ids": np.arange(3).reshape(3, 1)},
        {"ids": np.array([None] * 3)},
        {"codes": np.zeros((3, 15), np.uint8)},
        {"codes": np.zeros((2, 16), np.uint8)},
        {"codes": np.zeros((3, 16), np.int8)},
        {"codes": np.asfortranarray(np.zeros((3, 16), np.uint8))},
    ],
    ids=lambda changes: f"{next(iter(changes))} {next(iter(changes.values())).tolist()!r:.40}",
)
def test_an_archive_of_other_arrays_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    np.savez(tmp_path / "file.npz", **arrays(**changes))
    with pytest.raises(ValueError, match=REFUSED):
        read(tmp_path / "file.npz")


@pytest.mark.parametrize("missing", ["pictures", "sizes", "ids", "codes"])
def test_an_archive_without_one_of_its_arrays_is_refused(missing: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "file.npz", **{name: array for name, array in arrays().items() if name != missing})
    with pytest.raises(ValueError, match=REFUSED):
        read(tmp_path / "file.npz")


def claiming(name: str, shape: tuple[int, ...], path: Path, lists: Sequence[int] = ()) -> None:
    """A file one of whose arrays says it has another shape than it has."""
    changed = arrays() if not lists else arrays(**absurd(*lists))
    with zipfile.ZipFile(path, "w") as archive:
        for array_name, array in changed.items():
            packed = BytesIO()
            if array_name == name:
                descr = np.lib.format.dtype_to_descr(array.dtype)
                head = {"descr": descr, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(packed, head)
                packed.write(array.tobytes())
            else:
                np.save(packed, array)
            archive.writestr(f"{array_name}.npy", packed.getvalue())


@pytest.mark.parametrize(
    ("name", "shape", "lists"),
    [
        ("pictures", (2**42,), ()),
        ("sizes", (2**42,), ()),
        ("ids", (2**42,), (2**42,)),
        ("ids", (2**62,), (2**62,)),
        ("ids", (2**66,), (2**62,) * 11),
        ("codes", (2**42, 16), ()),
        ("codes", (0, 16), ()),
        ("ids", (0,), (2**62,) * 8),
    ],
)
def test_a_file_that_claims_terabytes_is_refused(
    name: str, shape: tuple[int, ...], lists: tuple[int, ...], tmp_path: Path
) -> None:
    claiming(name, shape, tmp_path / "file", lists)
    with pytest.raises(ValueError, match=REFUSED):
        read(tmp_path / "file")


@pytest.mark.parametrize("name", ["pictures", "sizes", "ids", "codes"])
@pytest.mark.parametrize("header", [b"{'descr': (", b"{'descr': '<,8'}", b"{" * 5_000, b"", b"'"])
def test_an_array_that_is_described_by_nonsense_is_refused(name: str, header: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "file", "w") as archive:
        for array_name, array in arrays().items():
            packed = BytesIO()
            np.save(packed, array)
            nonsense = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + bytes(200)
            archive.writestr(f"{array_name}.npy", nonsense if array_name == name else packed.getvalue())
    with pytest.raises(ValueError, match=REFUSED):
        read(tmp_path / "file")


def test_sizes_whose_sum_runs_over_to_what_is_there_are_refused(tmp_path: Path) -> None:
    sizes = np.tile(np.int64(2**62), 16)  # sixteen of them, four to each run of lists, are 0 in 64 bits
    path = tmp_path / "file.npz"
    nothing = {"ids": np.empty(0, np.int64), "codes": np.empty((0, 16), np.uint8)}
    np.savez(path, **arrays(sizes=sizes, **nothing))
    with pytest.raises(ValueError, match=REFUSED):
        read(path, 16)


LOAD_NOISE = """
import sys, numpy
from pathlib import Path
from imgmatch.engines.ivf import IvfEngine
from imgmatch.features.codebook import shipped
path = Path(sys.argv[1])
whole, rng = path.read_bytes(), numpy.random.default_rng(1)
refused = 0
for turn in range(60):
    noisy = numpy.frombuffer(whole, numpy.uint8).copy()
    spot = int(rng.integers(0, len(noisy))) if turn % 2 else len(noisy) - int(rng.integers(1, 900))
    noisy[spot : spot + int(rng.integers(1, 60))] = rng.integers(0, 256)
    path.write_bytes(noisy.tobytes())
    try:
        IvfEngine.open(shipped(), path, 9)
    except ValueError:
        refused += 1
print("alive", refused > 30)
"""


@pytest.mark.slow
def test_no_damage_ends_the_process(tmp_path: Path) -> None:
    path = saved(tmp_path, 4096)
    done = subprocess.run(
        [sys.executable, "-c", LOAD_NOISE, str(path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive True\n", "")


# -- votes ------------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    x=st.floats(0, 1, width=32),
    y=st.floats(0, 1, width=32),
    octave=st.floats(-10, 0.25, width=32),
    angle=st.floats(-10, 10, width=32),
)
def test_the_place_of_a_point_survives_24_bits_within_their_steps(
    x: float, y: float, octave: float, angle: float
) -> None:
    points = np.array([[x, y, 2**octave, angle]], np.float32)
    (bits,) = geometry(points).tolist()
    assert 0 <= bits < 1 << GEOMETRY_BITS
    back_x, back_y = ((bits >> shift & 63) + 0.5 for shift in (18, 12))
    assert back_x / 64 == pytest.approx(x, abs=0.5 / 64 + 1e-6)
    assert back_y / 64 == pytest.approx(y, abs=0.5 / 64 + 1e-6)
    assert (bits >> 7 & 31) / 3 - 10 == pytest.approx(octave, abs=1 / 6 + 1e-4)
    turned = (bits & 127) * 2 * np.pi / 128 - angle
    assert np.angle(np.exp(1j * turned)) == pytest.approx(0, abs=np.pi / 128 + 1e-4)


@given(points=st.lists(st.tuples(*[st.floats(-1e3, 1e3, width=32)] * 4), max_size=5))
def test_points_beyond_all_steps_stay_within_24_bits(points: list[tuple[float, ...]]) -> None:
    bits = geometry(np.array(points, np.float32).reshape(-1, 4))
    assert ((bits >= 0) & (bits < 1 << GEOMETRY_BITS)).all()


def ranked(hits: list[tuple[int, float, int]], points: F32, mirrored: int = 0) -> dict[int, float]:
    """Weight by key of hits (id, weight, point of the query)."""
    ids, weights, rows = (np.array(column) for column in zip(*hits, strict=True))
    sides = np.arange(len(points)) < mirrored
    keys, sums = Votes(ids, weights.astype(np.float32), rows, points, sides).ranked()
    assert len(set(keys.tolist())) == len(keys)
    assert sums.tolist() == sorted(sums.tolist(), reverse=True)
    return dict(zip(keys.tolist(), sums.tolist(), strict=True))


def test_a_point_of_the_query_speaks_once_for_a_photo_with_its_nearest_hit() -> None:
    points = random_points(np.random.default_rng(1), 2)
    (place, other) = geometry(points).tolist()
    photo, stranger = 7 << GEOMETRY_BITS, 9 << GEOMETRY_BITS
    hits = [(photo + place, 0.25, 0), (photo + other, 0.125, 0), (photo + place, 0.125, 0), (stranger + place, 0.5, 0)]
    assert ranked(hits, points) == {14: pytest.approx(0.25), 18: pytest.approx(0.5)}
    assert ranked([*hits, (photo + other, 0.5, 1)], points)[14] == pytest.approx(0.75)


def test_the_mirrored_query_votes_for_itself() -> None:
    points = random_points(np.random.default_rng(2), 2)
    place = geometry(points)[0].item() + (7 << GEOMETRY_BITS)
    assert set(ranked([(place, 0.25, 0), (place, 0.5, 1)], points, mirrored=1)) == {14, 15}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-3, 3), st.floats(-2, 1.2), st.floats(-0.15, 0.15))
def test_votes_that_agree_on_one_placement_count_together(seed: int, turn: float, octaves: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    points = random_points(rng, 20)
    points[:, :2] = 0.4 + 0.2 * points[:, :2]
    points[:, 2] = 2 ** rng.uniform(-6, -5, 20)
    middle = 0.5 + 0.5j
    moved = (points[:, 0] + 1j * points[:, 1] - middle) * 2**octaves * np.exp(1j * turn) + middle + shift
    stored = np.column_stack([moved.real, moved.imag, points[:, 2] * 2**octaves, points[:, 3] + turn])
    place = geometry(stored.astype(np.float32))
    hits = [((7 << GEOMETRY_BITS) + bits, 0.25, row) for row, bits in enumerate(place.tolist())]
    assert ranked(hits, points)[14] == pytest.approx(20 * 0.25)


def test_as_many_votes_scattered_count_less() -> None:
    rng = np.random.default_rng(4)
    points, stored = random_points(rng, 60), random_points(rng, 60)
    hits = [((7 << GEOMETRY_BITS) + bits, 0.25, row) for row, bits in enumerate(geometry(stored).tolist())]
    assert ranked(hits, points)[14] < 60 * 0.25 / 4


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), least=st.sampled_from([0.25, 0.5, 1.5]))
def test_photos_that_cannot_have_enough_votes_are_left_out_and_nothing_else(seed: int, least: float) -> None:
    rng = np.random.default_rng(seed)
    points = random_points(rng, 30)
    rows, photos = rng.integers(0, 30, 300), rng.integers(1, 40, 300)
    near = np.where(photos < 5, geometry(points)[rows], geometry(random_points(rng, 300)))
    ids, weights = (photos << GEOMETRY_BITS) + near, rng.choice([0.25, 0.125, 0.3], 300).astype(np.float32)
    sides = np.arange(30) >= 15
    every, some = (Votes(ids, weights, rows, points, sides, bar).ranked(least) for bar in (0.0, least))
    assert [found.tolist() for found in some] == [found.tolist() for found in every]


@pytest.mark.parametrize("least", [0.0, 1.5])
def test_no_hits_are_no_candidates(least: float) -> None:
    nothing = np.empty(0, np.int64)
    keys, sums = Votes(
        nothing, np.empty(0, np.float32), nothing, np.empty((0, 4), np.float32), np.empty(0, bool), least
    ).ranked(least)
    assert (keys.tolist(), sums.tolist()) == ([], [])
