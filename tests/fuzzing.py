"""Readers given what no honest file holds: valid files, drawn here, and changed at random.

Whatever bytes come, a source gives photos and skipped items, or a ``SourceError``; never an error that nobody expected.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import re
import resource
import tarfile
import time
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from imgmatch.errors import PhotoError, SourceError
from imgmatch.model import NewPhoto, Skipped, SkipReason
from imgmatch.sources import open_source, web
from imgmatch.sources.fetching import remote_file
from imgmatch.sources.guard import guarded
from imgmatch.sources.urls import checked, is_url, joined, shown_url, url_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CPU_SECONDS = 10.0
"""No input may take longer."""

MOST_ITEMS = 400_000
"""No input of these sizes may give more items."""

ROWS = 12
PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
}
TOKENS = (
    *(
        b'"',
        b'",b,"\n',
        b"\n",
        b"\r\n",
        b"\t",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
        b"{",
        b"[",
        b"}",
        b"[" * 2000,
        b'{"a":',
    ),
    *(b"9" * 5000, b"1e999", b"NaN", b'"\\ud800"', b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"\x1f\x8b", b"BZh9"),
    *(b"\xfd7zXZ\0", b"PAR1", b"GNU.sparse.map=1,2", b"27 GNU.sparse.realsize=99\n", b"hdrcharset=BINARY", bytes(512)),
    *(b"http://[::1", b"//", b"://", b"@", b"..", b"%00", b"xn--", b":99999", b"\xff" * 8, b"\x80" + bytes(11)),
)
_HEADER = re.compile(rb"ustar")


@dataclass
class FuzzTally:
    """What came of all runs."""

    runs: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str, int] = (0.0, "", 0)

    def add(self, kind: str, outcome: str, seconds: float, size: int) -> None:
        self.runs[kind] += 1
        self.outcomes[outcome] += 1
        self.slowest = max(self.slowest, (round(seconds, 3), kind, size))


# -- valid files ------------------------------------------------------------------------------------------------------


def _separated(delimiter: str) -> list[bytes]:
    lines = [delimiter.join(("account", "photo", "name", "seen_at", "photo_id", "bio"))]
    for n in range(ROWS):
        bio = f'"two\nlines ""{n}"""' if n % 3 else f"plain {n}"
        lines.append(delimiter.join((f"a{n}", f"{n}.jpg", "Lena", "2026-01-04T10:30:00Z", f"p{n}", bio)))
    return ["\n".join(lines).encode(), "\r\n".join(lines).encode()]


def _jsonl() -> list[bytes]:
    rows: list[dict[str, Any]] = [
        {"account": n, "photo": f"{n}.jpg", "seen_at": "2026-01-04", "n": n / 3, "yes": True, "deep": {"a": [n, None]}}
        for n in range(ROWS)
    ]
    return ["\n".join(json.dumps(row) for row in rows).encode()]


def _parquet() -> list[bytes]:
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    columns = {
        "account": [f"a{n % 3}" for n in range(ROWS)],
        "photo": [f"{n}.jpg" for n in range(ROWS)],
        "bio": pa.array(["x" * 100, None] * (ROWS // 2)).dictionary_encode(),
        "n": list(range(ROWS)),
        "when": pa.array(range(ROWS), pa.timestamp("ms")),
    }
    found = []
    for options in ({}, {"compression": "zstd", "use_dictionary": False}, {"row_group_size": 5, "version": "1.0"}):
        file = io.BytesIO()
        pq.write_table(pa.table(columns), file, **options)
        found.append(file.getvalue())
    return found


def _zip() -> list[bytes]:
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for n in range(3):
                archive.writestr(f"a{n}/\N{LATIN SMALL LETTER E WITH ACUTE}{n}.jpg", b"photo %d " % n * 20)
        found.append(file.getvalue())
    return found


def _tar() -> list[bytes]:
    found = []
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=form, pax_headers={"comment": "x"}) as tar:
            for n in range(3):
                entry = tarfile.TarInfo(f"a{n}/{'long/' * (0 if form == tarfile.USTAR_FORMAT else 40)}{n}.jpg")
                entry.size, entry.mtime = 40, 1_600_000_000 + n
                if form == tarfile.PAX_FORMAT:
                    entry.pax_headers = {"mtime": "1600000000.5", "SCHILY.xattr.user.x": "y"}
                tar.addfile(entry, io.BytesIO(b"p" * 40))
            link = tarfile.TarInfo("a0/link.jpg")
            link.type, link.linkname = tarfile.SYMTYPE, "x" * (90 if form == tarfile.USTAR_FORMAT else 200)
            tar.addfile(link)
        found.append(file.getvalue())
    return found


URLS = [
    b"https://user:pw@example.org:8080/a/b.jpg?x=1&token=2#z",
    b"s3://bucket/key with space.jpg",
    b"http://[2001:db8::1]:80/%41",
    b"../a/./b.jpg",
    b"http://xn--bcher-kva.example/",
]

SEEDS: dict[str, Callable[[], list[bytes]]] = {
    ".csv": lambda: _separated(","),
    ".tsv": lambda: _separated("\t"),
    ".jsonl": _jsonl,
    ".zip": _zip,
    **dict.fromkeys(PACKINGS, _tar),
    ".parquet": _parquet,
    "url": lambda: URLS,
}
"""For each kind of reader, by the suffix of its files, some valid inputs."""

IN_PLACE = (".parquet", ".zip")
"""Kinds that find their parts by offsets: most changes leave those as they are, or no reader would come further."""


@cache
def seeds(kind: str) -> list[bytes]:
    return SEEDS[kind]()


# -- changed at random ------------------------------------------------------------------------------------------------

_PLACE = st.integers(0, 1 << 20)
_WRITE = st.tuples(st.just("write"), _PLACE, st.binary(min_size=1, max_size=8) | st.sampled_from(TOKENS))
_CHANGE = st.one_of(
    _WRITE,
    _WRITE,
    st.tuples(st.just("insert"), _PLACE, st.sampled_from(TOKENS) | st.binary(max_size=600)),
    st.tuples(st.just("cut"), _PLACE, st.integers(1, 2000)),
    st.tuples(st.just("repeat"), _PLACE, st.tuples(st.integers(1, 1024), st.integers(2, 300))),
    st.tuples(st.just("end"), _PLACE, st.none()),
)


def changed(data: bytes, change: tuple[str, int, Any]) -> bytes:
    how, place, what = change
    place %= len(data) + 1
    before, after = data[:place], data[place:]
    match how, what:
        case "write", bytes(some):
            return before + some + after[len(some) :]
        case "insert", bytes(some):
            return before + some + after
        case "cut", int(size):
            return before + after[size:]
        case "repeat", (int(size), int(times)):
            return before + after[:size] * times + after[size:]
    return before


def with_checksums(data: bytes) -> bytes:
    """A tar file whose headers have the checksums of what they hold: else no reader would look into them."""
    mended = bytearray(data)
    for start in range(0, len(data) - 511, 512):
        if _HEADER.match(data, start + 257):
            block = data[start : start + 512]
            mended[start + 148 : start + 156] = b"%06o\0 " % (256 + sum(block[:148]) + sum(block[156:]))
    return bytes(mended)


@st.composite
def hostile(draw: st.DrawFn, kind: str) -> bytes:
    data = draw(st.sampled_from(seeds(kind)))
    in_place = kind in IN_PLACE and draw(st.integers(0, 9)) > 0
    for change in draw(st.lists(_WRITE if in_place else _CHANGE, max_size=5)):
        data = changed(data, change)
    if kind in PACKINGS:
        if draw(st.booleans()):
            data = with_checksums(data)
        data = PACKINGS[kind](data)
        for change in draw(st.lists(_CHANGE, max_size=2)):
            data = changed(data, change)
    return data


# -- read -------------------------------------------------------------------------------------------------------------


def outcome(kind: str, data: bytes, folder: Path) -> str:
    """What a reader makes of ``data``, in a word.

    Raises:
        AssertionError: that is no answer it may give.
    """
    if kind == "url":
        return _url_outcome(data)
    path = folder / f"m{kind}"
    path.write_bytes(data)
    items = photos = 0
    broken: SourceError | None = None
    try:
        for item in guarded(open_source(path)):
            items += 1
            assert items < MOST_ITEMS
            if isinstance(item, Skipped):
                assert item.reason is not SkipReason.INTERNAL, item.detail
            else:
                photos += _fetched(item)
    except SourceError as error:
        broken = error
    if broken is not None:
        assert broken.reason is not SkipReason.INTERNAL, broken
        return "broken off" if items else "refused"
    return "photos" if photos else "no photos"


def _fetched(photo: NewPhoto) -> int:
    assert len(photo.account) <= 1000
    assert len(photo.label) <= 5000
    file = remote_file(photo)
    if file is None:
        return 1
    error = file.fetch().exception()
    assert error is None or isinstance(error, PhotoError), error
    assert error is None or error.reason is not SkipReason.INTERNAL, error
    return error is None


def _url_outcome(data: bytes) -> str:
    text, header = data.decode(errors="replace"), data.decode(errors="surrogateescape")
    found = "photos"
    try:
        web._redirected("https://example.org/a?b", header)  # noqa: SLF001 - all that a server's word goes through
        shown_url(text)
        url = checked(text if is_url(text) else joined("https://example.org/a/m.csv", text))
        url_path(url)
        checked(joined(url, text))
    except PhotoError as error:
        found = str(error.reason)
    assert found in {"photos", "refused"}
    return found


def fuzz(kind: str, seconds: float, folder: Path, tally: FuzzTally, start: int = 0) -> None:
    """Read inputs of a kind for so long.

    Raises:
        AssertionError: one of them is answered as none may be; hypothesis names it.
    """
    end = time.monotonic() + seconds

    @settings(
        max_examples=200,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(hostile(kind))
    def read(data: bytes) -> None:
        if time.monotonic() > end:
            return
        before = _cpu_seconds()
        found = outcome(kind, data, folder)
        taken = _cpu_seconds() - before
        tally.add(kind, found, taken, len(data))
        assert taken < CPU_SECONDS

    number = start
    while time.monotonic() < end:
        seed(number)(read)()
        number += 1


def _cpu_seconds() -> float:
    """Of this process and of those it has waited for."""
    times = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in times)
