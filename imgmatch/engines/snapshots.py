"""The file an engine of fingerprints is loaded from: ids and codes as a NumPy archive.

Not FAISS's own format: reading that from a damaged file can end the process, and building a flat index from its codes
is one copy. The archive carries checksums, which are compared when it is read.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.engines.base import Codes, Ids, checked

if TYPE_CHECKING:
    from pathlib import Path

DAMAGE = (
    *(OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, RuntimeError, MemoryError),
    zipfile.BadZipFile,
)
"""What NumPy and zipfile say of a file that is not whole: one bit more, and it is "encrypted" or asks for terabytes."""


def save_arrays(path: Path, ids: Ids, codes: Codes) -> None:
    """Write ``ids``, shape (n,), and ``codes``, shape (n, 32)."""
    with path.open("wb") as file:
        np.savez(file, ids=ids, codes=codes)


def load_arrays(path: Path) -> tuple[Ids, Codes]:
    """Read what :func:`save_arrays` wrote.

    Raises:
        ValueError: the file is missing, damaged or of another kind.
    """
    try:
        # Opened here: of a damaged archive NumPy would leave the file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            ids, codes = archive["ids"], archive["codes"]
    except DAMAGE as error:
        raise ValueError(f"{path.name} is not an engine's snapshot, or it is damaged") from error
    if (ids.dtype, codes.dtype) != (np.int64, np.uint8):
        raise ValueError(f"{path.name} is not an engine's snapshot: ids are {ids.dtype}, fingerprints {codes.dtype}")
    return checked(ids, codes)
