"""The file an engine of fingerprints is loaded from: ids and codes as a NumPy archive, mapped into memory.

Not FAISS's own format: reading that from a damaged file can end the process. The archive carries checksums, which are
compared when it is opened; after that the system reads of it what is searched, keeps it once for all processes, and may
let go of it.
"""

from __future__ import annotations

import hashlib
import io
import struct
import threading
import tokenize
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from imgmatch.catalog.tokens import TOKEN_BYTES
from imgmatch.model import FINGERPRINT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from imgmatch.engines.base import Codes, Ids

_PARSING = threading.Lock()
"""numpy parses a header as Python, and CPython 3.11 fails where two threads parse at once (python/cpython#106905)."""

DAMAGE = (
    *(OSError, ValueError, LookupError, EOFError, TypeError, AttributeError, RuntimeError, MemoryError),
    *(ArithmeticError, zipfile.BadZipFile, struct.error, SyntaxError, tokenize.TokenError),
)
"""What NumPy and zipfile say of a file that is not whole: one bit more, and it is "encrypted" or asks for terabytes."""

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LOCAL_SIGNATURE = b"PK\3\4"
_NPY_HEADER = 4096
"""Bytes in which the description of an array ends."""

_END, _END_64, _LOCATOR_64 = struct.Struct("<4s8xL4xH"), struct.Struct("<4s36xQ8x"), struct.Struct("<4s4xQ4x")
_SIGNATURE, _SIGNATURE_64 = b"PK\5\6", b"PK\6\7"
"""What an archive ends with: a record with the length of its directory, and before it two others where that is long."""

_MOST_DIRECTORY = 4096
"""Bytes of the directory of an archive; ours have a tenth of that."""

_AT_ONCE = 1_000_000

_MARK = "token"
"""The array, beside those of the engine, that says which publication a file is."""

_Mapped = NDArray[Any]


def checked_arrays(ids: Ids, codes: Codes) -> tuple[Ids, Codes]:
    """Ids, shape (n,), and their fingerprints, shape (n, 32), as contiguous arrays.

    Raises:
        ValueError: their shapes do not fit.
    """
    ids = np.ascontiguousarray(ids, dtype=np.int64)
    codes = np.ascontiguousarray(codes, dtype=np.uint8)
    if ids.ndim != 1 or codes.shape != (len(ids), FINGERPRINT_BYTES):
        raise ValueError(f"ids of shape {ids.shape} do not fit fingerprints of shape {codes.shape}")
    return ids, codes


def save_arrays(path: Path, parts: Sequence[tuple[Ids, Codes]], tombstones: Ids | None = None) -> None:
    """Write the ``ids``, shape (n,), and ``codes``, shape (n, 32), of all parts, but for the ids in ``tombstones``."""
    gone = np.empty(0, np.int64) if tombstones is None else tombstones
    kept = [~np.isin(ids, gone) for ids, _ in parts]
    count = int(sum(mask.sum() for mask in kept))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        ids_of = (ids[mask] for (ids, _), mask in zip(parts, kept, strict=True))
        write_array(archive, "ids", np.dtype(np.int64), (count,), ids_of)
        blocks = (
            codes[at : at + _AT_ONCE][mask[at : at + _AT_ONCE]]
            for (_, codes), mask in zip(parts, kept, strict=True)
            for at in range(0, len(codes), _AT_ONCE)
        )
        write_array(archive, "codes", np.dtype(np.uint8), (count, FINGERPRINT_BYTES), blocks)


def write_array(
    archive: zipfile.ZipFile,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    blocks: Iterable[NDArray[Any]],
) -> None:
    """Write an array that comes in pieces, which together have ``shape``."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        described = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(member, described)
        for block in blocks:
            member.write(np.ascontiguousarray(block).data)


@contextmanager
def open_archive(path: Path) -> Iterator[tuple[IO[bytes], zipfile.ZipFile]]:
    """Open an archive, as file and as archive; one whose directory is longer than ours is refused before it is read.

    Raises:
        ValueError: it is no archive of ours.
    """
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(size - _END.size - _LOCATOR_64.size - _END_64.size, 0))
        end = file.read()
        signature, length, comment = _END.unpack(end[-_END.size :])
        if signature != _SIGNATURE or comment or length > _MOST_DIRECTORY:
            raise ValueError("its directory is no directory of ours")
        before = end[: -_END.size]
        if before[-_LOCATOR_64.size :].startswith(_SIGNATURE_64):
            _, place = _LOCATOR_64.unpack(before[-_LOCATOR_64.size :])
            _, length = _END_64.unpack(before[: -_LOCATOR_64.size])
            if place != size - len(end) or length > _MOST_DIRECTORY:
                raise ValueError("its directory is no directory of ours")
        with zipfile.ZipFile(file) as archive:
            yield file, archive


def add_array(path: Path, name: str, values: NDArray[Any]) -> None:
    """Add one more array to an engine file, before anybody opens it."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED, allowZip64=True) as archive:
        write_array(archive, name, values.dtype, values.shape, [values])


def mapped_array(path: Path, name: str) -> NDArray[Any]:
    """An array of an engine file, mapped into memory; its checksum is compared.

    Raises:
        ValueError: the file is missing, damaged or of another kind.
    """
    try:
        with open_archive(path) as (file, archive):
            return _member(archive, np.asarray(np.memmap(file, np.uint8, mode="r")), name, verify=True)
    except DAMAGE as error:
        raise ValueError(f"{path.name} is not an engine's snapshot, or it is damaged") from error


def write_token(path: Path, token: str) -> None:
    """Add to an engine file which publication it is, before anybody opens it."""
    add_array(path, _MARK, np.frombuffer(bytes.fromhex(token), np.uint8))


def read_token(path: Path) -> str:
    """Which publication an engine file is; of one of before there were tokens, what its checksums make.

    Raises:
        ValueError: the file is missing, damaged or of another kind.
    """
    try:
        with open_archive(path) as (_, archive):
            if f"{_MARK}.npy" not in archive.namelist():
                members = sorted((member.filename, member.CRC, member.file_size) for member in archive.infolist())
                return hashlib.sha256(repr(members).encode()).hexdigest()[: 2 * TOKEN_BYTES]
            member = archive.getinfo(f"{_MARK}.npy")
            if member.compress_type != zipfile.ZIP_STORED or member.file_size > _NPY_HEADER:
                raise ValueError("its token is none")
            shape, dtype, values = _described(np.frombuffer(archive.read(member), np.uint8))
    except DAMAGE as error:
        raise ValueError(f"{path.name} is not an engine's snapshot, or it is damaged") from error
    if shape != (TOKEN_BYTES,) or dtype != np.uint8 or values.shape != shape:
        raise ValueError(f"{path.name} is not an engine's snapshot: its token is none")
    return values.tobytes().hex()


def map_arrays(path: Path, *, verify: bool = True) -> tuple[Ids, Codes]:
    """What :func:`save_arrays` wrote, mapped into memory.

    Args:
        path: the file, which must not change while the arrays are in use; it may be deleted.
        verify: compare the checksums, for which all of it is read.

    Raises:
        ValueError: the file is missing, damaged or of another kind.
    """
    try:
        with open_archive(path) as (file, archive):
            data = np.asarray(np.memmap(file, np.uint8, mode="r"))
            ids, codes = (_member(archive, data, name, verify=verify) for name in ("ids", "codes"))
    except DAMAGE as error:
        raise ValueError(f"{path.name} is not an engine's snapshot, or it is damaged") from error
    if ids.dtype != np.int64 or codes.dtype != np.uint8:
        raise ValueError(f"{path.name} is not an engine's snapshot: ids are {ids.dtype}, fingerprints {codes.dtype}")
    return checked_arrays(ids, codes)


def _member(archive: zipfile.ZipFile, data: NDArray[np.uint8], name: str, *, verify: bool) -> _Mapped:
    member = archive.getinfo(f"{name}.npy")
    head = data[member.header_offset :][: _LOCAL_HEADER.size].tobytes()
    signature, name_length, extra_length = _LOCAL_HEADER.unpack(head)
    start = member.header_offset + _LOCAL_HEADER.size + name_length + extra_length
    content = data[start : start + member.file_size]
    stored = member.compress_type == zipfile.ZIP_STORED and len(content) == member.file_size
    if signature != _LOCAL_SIGNATURE or not stored or (verify and zlib.crc32(content.data) != member.CRC):
        raise ValueError(f"{member.filename} is not whole")
    shape, dtype, values = _described(content)
    return values.view(dtype).reshape(shape)


def _described(content: NDArray[np.uint8]) -> tuple[tuple[int, ...], np.dtype[Any], NDArray[np.uint8]]:
    """Shape and type of a ``.npy`` file, and the bytes of its values."""
    start: IO[bytes] = io.BytesIO(content[:_NPY_HEADER].tobytes())
    if npy.read_magic(start) != (1, 0):
        raise ValueError("an array of a later format")
    shape, fortran_order, dtype = read_array_header(start)
    if fortran_order or dtype.hasobject:
        raise ValueError("an array of another kind")
    return shape, dtype, content[start.tell() :]


def read_array_header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran's order, and dtype of an array, as the header says that stands next."""
    with _PARSING:
        return npy.read_array_header_1_0(member)
