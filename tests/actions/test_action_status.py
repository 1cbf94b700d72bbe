from __future__ import annotations

import os
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import photos
import pytest

from imgmatch.actions.scan import scan
from imgmatch.actions.status import status
from imgmatch.catalog.banks import KNOWN_STOLEN, add_to_bank
from imgmatch.catalog.decisions import append_decision
from imgmatch.catalog.lookups import every_photo_id
from imgmatch.catalog.pair_scores import PairScore, store_pair_scores
from imgmatch.engines.header import FORMAT_VERSION
from imgmatch.errors import ImgmatchError
from imgmatch.formats.parsed import parsed_status
from imgmatch.formats.records import status_record
from imgmatch.formats.table import fields_table
from imgmatch.index import Index
from imgmatch.model import Depth
from imgmatch.registry import DEFAULT_CODEBOOK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.model import NewPhoto


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    pictures = {f"a{number}": {"1.jpg": photos.picture(number, (96, 120))} for number in range(3)}
    photos.write_accounts(tmp_path / "photos", pictures | {"flat": {"1.jpg": photos.flat()}})
    with Index.create(tmp_path / "index") as index:
        scan(index.parts, [tmp_path / "photos"])
        yield index


def test_everything_is_counted_and_what_the_index_is_made_of_is_told(index: Index) -> None:
    found = status(index.parts)
    assert (found.photos, found.accounts, found.fingerprints, found.features, found.skipped) == (3, 3, 6, 3, 1)
    assert (found.ties, found.decisions, found.bank_pictures) == (0, 0, 0)
    assert (found.sources, found.scans, found.unfinished_scans) == (1, 1, 0)
    assert (found.format, found.hashers, found.engine) == (FORMAT_VERSION, ("phash", "pdq"), "flat")
    assert found.codebook == DEFAULT_CODEBOOK
    assert (found.generation, found.snapshot, found.features_snapshot) == (2, "ok", "ok")


def test_who_holds_a_lease_is_told_and_since_when_as_long_as_it_is_held(index: Index) -> None:
    catalog = index.parts.catalog
    assert index.leases() == status(index.parts).leases == ()
    with catalog.lease("scan:https://ann:secret@host/a.csv"), catalog.lease("publication"):
        scanning, publishing = status(index.parts).leases
        assert (scanning.name, publishing.name) == ("scan:https://…@host/a.csv", "publication")
        for lease in (scanning, publishing):
            assert (lease.machine, lease.process) == (socket.gethostname(), os.getpid())
            assert lease.since < lease.until
            assert lease.seconds >= 0
        found = status(index.parts)
        assert parsed_status(status_record(found)) == found
        shown = fields_table(status_record(found), 200)
        assert f"name publication, machine {socket.gethostname()}, process {os.getpid()}, since 20" in shown
        with catalog.write() as session:  # as of one that gave no sign of life for too long
            session.sql.exec_driver_sql("UPDATE leases SET expires_at = 1 WHERE name = 'publication'")
        assert [lease.name for lease in index.leases()] == [scanning.name]
    assert index.leases() == ()


@pytest.mark.parametrize("which", ["snapshot", "features"])
def test_a_missing_and_a_damaged_snapshot_are_told_until_it_is_rebuilt(index: Index, which: str) -> None:
    path = index.path / getattr(index.parts.folder.header(), which).file
    whole = path.read_bytes()
    for damaged in (b"x" * 100, b"", whole[:-1], whole[:-30], whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        for verify in (False, True):
            assert health(index, which, verify=verify) == ("damaged", "ok")
    path.unlink()
    for verify in (False, True):
        assert health(index, which, verify=verify) == ("missing", "ok")
    index.rebuild()
    for verify in (False, True):
        assert health(index, which, verify=verify) == ("ok", "ok")
    assert status(index.parts).generation == 4


def health(index: Index, which: str, *, verify: bool) -> tuple[str, str]:
    """What is told of the engine file looked at, and of the other."""
    found = status(index.parts, verify=verify)
    both = found.snapshot, found.features_snapshot
    return both if which == "snapshot" else (both[1], both[0])


@pytest.mark.parametrize("which", ["snapshot", "features"])
def test_an_altered_byte_is_told_where_files_are_read_from_end_to_end(index: Index, which: str) -> None:
    path = index.path / getattr(index.parts.folder.header(), which).file
    whole = path.read_bytes()
    last = whole.rindex(b"PK\3\4") - 1  # the token follows on the last code
    path.write_bytes(whole[:last] + bytes([whole[last] ^ 1]) + whole[last + 1 :])
    assert health(index, which, verify=False) == ("ok", "ok")
    assert health(index, which, verify=True) == ("damaged", "ok")
    path.write_bytes(whole)
    assert health(index, which, verify=True) == ("ok", "ok")


@pytest.mark.parametrize("verify", [True, False])
def test_a_file_of_another_size_than_the_header_says_is_damaged(index: Index, *, verify: bool) -> None:
    header = index.parts.folder.header()
    assert header.snapshot is not None
    assert header.features is not None
    prints, features = (replace(snapshot, size=4) for snapshot in (header.snapshot, header.features))
    index.parts.folder.write_header(replace(header, snapshot=prints, features=features))
    found = status(index.parts, verify=verify)
    assert (found.snapshot, found.features_snapshot) == ("damaged", "damaged")


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("which", "change"),
    [
        ("snapshot", "UPDATE fingerprints SET bits = zeroblob(32) WHERE id = 1"),
        ("features", "UPDATE features SET record = (SELECT record FROM features WHERE id = 3) WHERE id = 1"),
    ],
)
def test_an_engine_file_that_holds_other_rows_than_the_catalog_is_told_where_both_are_compared(
    index: Index, which: str, change: str
) -> None:
    with index.parts.catalog.write() as session:
        session.sql.exec_driver_sql(change)
    assert health(index, which, verify=False) == ("ok", "ok")
    assert health(index, which, verify=True) == ("different", "ok")
    index.rebuild()
    assert health(index, which, verify=True) == ("ok", "ok")


def test_what_nights_found_and_moderators_said_is_counted(index: Index) -> None:
    with index.parts.catalog.write() as session:
        photo_id = every_photo_id(session)[0]
        store_pair_scores(session, [PairScore(1, 2, -40.0, False, 0, None, None, None)])  # noqa: FBT003 -- as rows come
        append_decision(session, verdict="confirm", kind="group", subject=photo_id, by="ann", reason=None, photos=[])
        add_to_bank(session, KNOWN_STOLEN, [photo_id], "phash")
    found = status(index.parts)
    assert (found.ties, found.decisions, found.bank_pictures) == (1, 1, 1)


def test_an_interrupted_scan_is_told(index: Index) -> None:
    def broken() -> Iterator[NewPhoto]:
        raise ImgmatchError("cut off")
        yield

    with pytest.raises(ImgmatchError, match="cut off"):
        index.add(broken())
    assert (status(index.parts).scans, status(index.parts).unfinished_scans) == (2, 1)


def test_a_new_index_is_empty_and_has_no_snapshot_yet(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index") as index:
        found = status(index.parts)
        assert (found.photos, found.accounts, found.fingerprints, found.scans) == (0, 0, 0, 0)
        assert (found.features, found.generation) == (0, 0)
        assert (found.snapshot, found.features_snapshot) == ("missing", "missing")


def test_an_index_of_fingerprints_alone_has_no_features(tmp_path: Path) -> None:
    photos.write_accounts(tmp_path / "photos", {"a": {"1.jpg": photos.picture(1, (96, 120))}})
    with Index.create(tmp_path / "index", depth=Depth.FINGERPRINT) as index:
        scan(index.parts, [tmp_path / "photos"])
        found = status(index.parts)
    assert (found.photos, found.features, found.snapshot, found.features_snapshot) == (1, 0, "ok", "ok")
