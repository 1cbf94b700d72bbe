"""``index/README.md`` is the specification of the folder; here it is held to the code."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
from sqlalchemy import select

from imgmatch import registry
from imgmatch.catalog import migrations, schema
from imgmatch.catalog.sqlite_files import OWN_FILES
from imgmatch.engines.folder import ALLOWED_BESIDE, HEADER, LOCK, Layout
from imgmatch.engines.header import FORMAT_VERSION, Header, Snapshot
from imgmatch.engines.snapshots import write_token
from imgmatch.index import Index
from imgmatch.model import NewPhoto, SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).resolve().parents[2] / "index"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^##+ (.+?)\n(.*?)(?=^##+ |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def first_column(section: str) -> list[str]:
    """The names in backquotes in the first column of a section's table."""
    cells = re.findall(r"^\| (`.*?) \|", SECTIONS[section], re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


TOKEN = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """An index with two photos and one that cannot be used."""
    home = tmp_path_factory.mktemp("home")
    photos.write_accounts(home, {"a": {"1.jpg": photos.picture(1)}, "b": {"2.jpg": photos.picture(2)}})
    (home / "b" / "letter.jpg").write_text("no photo")
    with Index.create(home / "index") as made:
        new = [NewPhoto.at(path, account=path.parent.name) for path in sorted(home.glob("?/*.jpg"))]
        result = made.add(new)
        assert (result.added, result.skipped) == (2, 1)
        yield made


def test_the_versions_are_those_of_the_code() -> None:
    assert re.findall(r"Format version: \*\*(\d+)\*\*", PAGE) == [str(FORMAT_VERSION)]
    assert re.findall(r"Catalog version: \*\*(\d+)\*\*", PAGE) == [str(migrations.VERSION)]


@pytest.mark.parametrize("table", sorted(schema.metadata.tables))
def test_every_column_of_every_table_is_described_and_no_other(table: str) -> None:
    assert first_column(table) == [column.name for column in schema.metadata.tables[table].columns]


def test_every_column_has_a_type_and_a_meaning() -> None:
    for table in schema.metadata.tables:
        for row in re.findall(r"^\| `.*$", SECTIONS[table], re.MULTILINE):
            cells = [cell.strip() for cell in row.strip("|").split("|")]
            assert len(cells) == 3
            assert all(cells), row


@pytest.mark.parametrize("table", sorted(schema.metadata.tables))
def test_a_column_may_be_null_where_the_page_says_so(table: str) -> None:
    described = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", SECTIONS[table], re.MULTILINE))
    for column in schema.metadata.tables[table].columns:
        assert ("or null" in described[column.name]) == bool(column.nullable), column.name


@pytest.mark.parametrize("table", sorted(schema.metadata.tables))
def test_foreign_keys_lead_where_the_page_says(table: str) -> None:
    described = dict(re.findall(r"^\| `(\w+)` \| `(\w+\.\w+)`(?: or null)? \|", SECTIONS[table], re.MULTILINE))
    for column in schema.metadata.tables[table].columns:
        for key in column.foreign_keys:
            assert described[column.name] == key.target_fullname


def test_every_field_of_the_header_is_described_and_no_other() -> None:
    of_snapshot = [f"snapshot.{field.name}" for field in fields(Snapshot)]
    own = [field.name for field in fields(Header) if field.name != "place"]  # told of below the table
    assert first_column("index.json") == own + of_snapshot


def test_the_example_of_a_header_is_one(tmp_path: Path) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", SECTIONS["index.json"], re.DOTALL)
    (tmp_path / HEADER).write_text(example)
    assert asdict(Layout(tmp_path).header()) == json.loads(example) | {"hashers": ("phash", "pdq"), "place": None}


def test_every_reason_for_skipping_is_named() -> None:
    (row,) = re.findall(r"^\| `reason` .*$", SECTIONS["skipped"], re.MULTILINE)
    assert set(re.findall(r"`([^`]+)`", row)) == {"reason", *SkipReason}


def test_the_files_the_code_names_are_described() -> None:
    assert {HEADER, *set(OWN_FILES) - {"catalog.sqlite3-journal"}, LOCK, "*.new"} <= set(first_column("Contents"))
    for name in ALLOWED_BESIDE:
        assert f"`{name}`" in SECTIONS["Contents"]


def test_an_index_made_by_the_code_holds_only_the_files_described(index: Index) -> None:
    patterns = [re.sub("[A-Z]{2,}", "*", name) for name in first_column("Contents")]
    for entry in index.path.iterdir():
        assert any(fnmatchcase(entry.name, pattern) for pattern in patterns), entry.name
    prints, features = index.parts.folder.header().snapshot, index.parts.folder.header().features
    assert prints is not None
    assert features is not None
    assert prints.file == f"{prints.of}.{prints.engine}.{index.parts.folder.header().generation - 1}"
    assert features.file == f"features.{features.engine}.{index.parts.folder.header().generation}"


def test_a_header_made_by_the_code_has_only_the_fields_described(index: Index) -> None:
    raw = json.loads((index.path / HEADER).read_text(encoding="utf-8"))
    assert [*raw, *(f"snapshot.{name}" for name in raw["snapshot"])] == first_column("index.json")
    assert list(raw["features"]) == list(raw["snapshot"])


@pytest.mark.parametrize("engine", sorted(registry.ENGINES))
def test_an_engine_file_is_read_as_described_with_nothing_but_numpy(engine: str, tmp_path: Path) -> None:
    ids, codes = np.array([5, 3, 2**40]), np.random.default_rng(1).integers(0, 256, (3, 32), dtype=np.uint8)
    registry.engine(engine).empty().appended((ids, codes), 0).save(tmp_path / "file")
    write_token(tmp_path / "file", TOKEN)
    with (tmp_path / "file").open("rb") as file, np.load(file, allow_pickle=False) as archive:
        assert sorted(archive) == sorted(first_column("The engine file of fingerprints"))
        assert (archive["ids"].dtype, archive["codes"].dtype) == (np.int64, np.uint8)
        assert archive["ids"].tolist() == ids.tolist()
        assert archive["token"].tobytes().hex() == TOKEN
        assert archive["codes"].tolist() == codes.tolist()


def test_the_engine_file_of_features_is_read_as_described_with_nothing_but_numpy(index: Index) -> None:
    snapshot = index.parts.folder.header().features
    assert snapshot is not None
    with (index.path / snapshot.file).open("rb") as file, np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive}
    assert sorted(arrays) == sorted(first_column("The engine file of features"))
    assert arrays["pictures"].tolist() == [snapshot.size] == [2]
    assert arrays["token"].tobytes().hex() == snapshot.token
    with index.parts.catalog.read() as session:
        query = select(schema.features.c.id, schema.features.c.record)
        records = {row: record for row, record in session.sql.execute(query)}  # noqa: C416 -- rows are not pairs
    points = {row: int.from_bytes(record[2:4], "little") for row, record in records.items()}
    assert arrays["sizes"].sum() == len(arrays["ids"]) == len(arrays["codes"]) == sum(points.values())
    lists = np.repeat(np.arange(4096), arrays["sizes"])
    for row, record in records.items():
        mine = arrays["ids"] >> 24 == row
        assert record[0] == 2
        of_list = np.frombuffer(record, "<u2", points[row], 40 + 6 * points[row])
        codes = np.frombuffer(record, np.uint8, 16 * points[row], 40 + 8 * points[row]).reshape(-1, 16)
        in_record = sorted(zip(of_list.tolist(), map(bytes, codes), strict=True))
        assert sorted(zip(lists[mine].tolist(), map(bytes, arrays["codes"][mine]), strict=True)) == in_record
        x = np.frombuffer(record, "<u2", points[row], 40) / 65_535
        assert np.abs(np.sort((arrays["ids"][mine] >> 18 & 63) / 64) - np.sort(x)).max() < 1 / 32


def test_nothing_of_a_picture_but_its_thumbnail_is_in_the_files(index: Index, tmp_path: Path) -> None:
    kept = b"".join(entry.read_bytes() for entry in index.path.iterdir())
    with Index.create(tmp_path / "bare", thumbnails=False) as bare:
        bare.add([NewPhoto.at(index.path.parent / "a" / "1.jpg", account="a")])
        files = b"".join(entry.read_bytes() for entry in bare.path.iterdir())
    for magic in (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"JFIF", b"Exif"):
        assert magic not in files
    assert kept.count(b"\xff\xd8\xff") == 2
    assert b"Exif" not in kept


def test_only_the_page_and_its_gitignore_are_tracked() -> None:
    rules = [line for line in (FOLDER / ".gitignore").read_text().splitlines() if not line.startswith("#")]
    assert rules == ["*", "!.gitignore", "!README.md"]
