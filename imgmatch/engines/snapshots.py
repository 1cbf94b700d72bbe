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
        with np.load(path, allow_pickle=False) as archive:
            return checked(archive["ids"], archive["codes"])
    except (OSError, KeyError, EOFError, TypeError, AttributeError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(f"{path.name} is not an engine's snapshot, or it is damaged") from error
