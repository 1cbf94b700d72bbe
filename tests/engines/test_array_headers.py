"""Headers of arrays, read by several threads."""

from __future__ import annotations

import gc
import io
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.lib import format as npy

from imgmatch.engines.snapshots import read_array_header

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Cycle:
    """What is collected by Python code, so that another thread may run in the middle of parsing."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        for _ in range(50):
            pass


@pytest.fixture
def _switching() -> Iterator[None]:
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(7)
    yield
    gc.set_threshold(*thresholds)
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_switching")
def test_threads_that_read_headers_at_once_read_them_all() -> None:
    packed = io.BytesIO()
    npy.write_array_header_1_0(packed, {"descr": "<i8", "fortran_order": False, "shape": (3,)})
    header = packed.getvalue()[npy.MAGIC_LEN :]

    def read(_: int) -> tuple[tuple[int, ...], bool, np.dtype[np.int64]]:
        _Cycle()
        return read_array_header(io.BytesIO(header))

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(read, range(1_500))) == {((3,), False, np.dtype(np.int64))}
