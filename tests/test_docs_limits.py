"""The limits that docs/limits.md names are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgmatch.actions import banks
from imgmatch.clustering.bank_joining import FLOOD_ACCOUNTS, FLOOD_SHARE
from imgmatch.exchange import bounded_xml, detecting, entries, json_text
from imgmatch.imaging import mending, png, profiles
from imgmatch.imaging.limits import Limits
from imgmatch.imaging.moving import MOST_PICTURES
from imgmatch.ingest import intake, pruning
from imgmatch.matching.stored_hits import MOST_HITS
from imgmatch.model import MOST_NOTE, PDQ_DISTANCE
from imgmatch.sources import (
    archive,
    archive_tar,
    archive_zip,
    fetching,
    lines,
    lines_csv,
    lines_parquet,
    manifest,
    unpacking,
)
from imgmatch.sources.base import MAX_ID_CHARS
from imgmatch.sources.retrying import RemoteOptions

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "limits.md").read_text(encoding="utf-8")
PHOTO, REMOTE = Limits(), RemoteOptions()
MIB = 1 << 20


def row(start: str) -> str:
    """The limit in the row that begins so."""
    [line] = [line for line in TEXT.splitlines() if line.startswith(f"| {start}")]
    return line.split("|")[2].strip()


@pytest.mark.parametrize(
    ("start", "limit"),
    [
        ("bytes of a file", f"{PHOTO.file_bytes // MIB} MiB"),
        ("pixels;", f"{PHOTO.pixels:,}; {PHOTO.side:,}; {PHOTO.frames:,}"),
        ("frames of a moving", f"{PHOTO.frames:,}, and {PHOTO.moving_pixels:,} pixels of all together"),
        ("pictures that are taken", f"{MOST_PICTURES}, those that differ most"),
        ("shorter side", f"{PHOTO.min_side} pixels"),
        ("share of the rows", f"{mending.LEAST_THERE:.0%}".replace("%", " %")),
        ("a colour profile", f"{profiles.PROFILE_BYTES // MIB} MiB; in a PNG {png.SIDE_BYTES // MIB} MiB unpacked"),
        ("memory of a process that decodes", f"{PHOTO.worker_bytes // MIB:,} MiB"),
        ("a line,", f"{lines.MAX_LINE_BYTES // MIB} MiB"),
        ("account, photo_id", f"{MAX_ID_CHARS:,} characters"),
        ("photo |", f"{manifest.MAX_PATH_CHARS:,} characters"),
        ("an attribute", f"{manifest.MAX_ATTRIBUTE_CHARS:,} characters"),
        ("CSV that", f"{lines_csv.FREE_AGAIN_BYTES // MIB} MiB, and {lines_csv.AGAIN_TIMES} times what was read"),
        ("memory of the process that reads", f"{lines_parquet.MEMORY_BYTES // MIB} MiB"),
        ("computing between", f"{lines_parquet.CPU_SECONDS} seconds"),
        ("what it unpacks to", f"{unpacking.FREE_BYTES // MIB} MiB, or {unpacking.MOST_TIMES} times its size"),
        ("what a packed tar", f"{unpacking.MOST_BYTES >> 40} TiB"),
        ("name of a member", f"{archive.MAX_NAME_CHARS:,} characters"),
        ("headers of one file", f"{archive_tar.HEADER_BYTES // MIB} MiB, {archive_tar.CHAINED_HEADERS} of them"),
        (
            "headers of all files",
            f"{archive_tar.FREE_EXTRA_BYTES // MIB} MiB, and {archive_tar.EXTRA_TIMES} times the bytes of the archive",
        ),
        ("global headers", f"{archive_tar.GLOBAL_HEADERS}, {archive_tar.GLOBAL_BYTES >> 10} KiB"),
        (
            "files in a tar",
            f"{archive_tar.FREE_MEMBERS:,}, and one for each {archive_tar.BYTES_A_MEMBER} bytes of the archive",
        ),
        ("table of contents", f"{archive_zip.TABLE_BYTES // MIB} MiB, {archive_zip.TABLE_ENTRIES:,} entries"),
        ("parts that", f"{pruning.MOST_PARTS:,}"),
        ("one photo,", f"{REMOTE.total_seconds:g} seconds"),
        ("photos in memory before", f"{fetching.AHEAD_BYTES // MIB} MiB, and one photo"),
        ("photos in memory with", f"{intake.HELD_BYTES // MIB} MiB, and one photo"),
        (
            "one manifest",
            f"{REMOTE.manifest_seconds / 60:g} minutes in all, {REMOTE.total_seconds:g} seconds between bytes",
        ),
        ("the listing", f"{REMOTE.manifest_seconds / 60:g} minutes"),
        ("until a connection", f"{REMOTE.connect_seconds:g} seconds"),
        ("bytes of a photo;", f"{REMOTE.file_bytes // MIB} MiB; {REMOTE.manifest_bytes >> 30} GiB"),
        ("tries;", f"{REMOTE.tries}; {REMOTE.redirects}"),
    ],
)
def test_a_limit_that_is_named_is_that_of_the_code(start: str, limit: str) -> None:
    assert row(start) == limit


@pytest.mark.parametrize(
    ("start", "limit"),
    [
        ("a line of a list", f"{lines.MAX_LINE_BYTES // MIB} MiB"),
        ("a record in JSON", f"{json_text.MOST_RECORD:,} characters"),
        ("XML: a tag", f"{bounded_xml.MOST_PIECE // MIB} MiB"),
        ("XML: elements", f"{bounded_xml.MOST_DEPTH}; {bounded_xml.MOST_NAMES:,}"),
        ("a text of an entry", f"{entries.MOST_TEXT:,} characters"),
        ("an id of an entry", f"{entries.MOST_TEXT:,} characters"),
        ("tags of an entry", f"{entries.MOST_SAID}; {entries.MOST_SAID}"),
        ("how a list begins", f"{detecting.HEAD_BYTES >> 10} KiB"),
        ("a note, an owner", f"{MOST_NOTE} characters"),
        ("a reason for an opinion", f"{2 * banks.MOST_TEXT:,} characters"),
        ("what a program files", f"{banks.MOST_TEXT:,} characters; {banks.MOST_METADATA}"),
        ("stored photos that hit", f"{MOST_HITS:,}, the earliest"),
        ("how near a bare value", f"{PDQ_DISTANCE} bits, in one of eight orientations"),
        ("accounts that hit", f"{FLOOD_ACCOUNTS - 1}, or one in a hundred of all"),
    ],
)
def test_a_limit_of_lists_and_banks_that_is_named_is_that_of_the_code(start: str, limit: str) -> None:
    assert FLOOD_SHARE == 1 / 100
    assert row(start) == limit


def test_the_limits_of_answers_that_are_named_are_those_of_the_code() -> None:
    answers = pytest.importorskip("imgmatch.sources.answers", reason="the extra remote is not installed")
    times = f"{answers.AROUND_TIMES} times what has come of it"
    assert row("what comes around the photo") == f"{answers.AROUND_BYTES // MIB} MiB, and {times}"


def test_the_limits_of_parquet_that_are_named_are_those_of_the_code() -> None:
    rows = pytest.importorskip("imgmatch.sources.parquet_rows", reason="the extra parquet is not installed")
    assert row("a value") == f"{rows.VALUE_BYTES:,} bytes"
    assert row("rows") == f"{rows.FREE_ROWS:,}, and one for each byte of the file"
    times = f"{unpacking.MOST_TIMES} times the bytes of the file"
    assert row("text of all rows") == f"{unpacking.FREE_BYTES // MIB} MiB, and {times}"
