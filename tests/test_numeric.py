from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SET = "from imgmatch.numeric import use_one_thread; use_one_thread()"
OPENED = "import sys; from imgmatch import Index; Index.open(sys.argv[1], create=True).close()"
REPORT = """
import json, cv2, faiss, scipy.linalg
from threadpoolctl import threadpool_info
faiss.omp_set_num_threads(3)
cv2.setNumThreads(3)
{}
blas = [one for one in threadpool_info() if one["user_api"] == "blas" and one["threading_layer"] != "openmp"]
threads, threshold = [one["num_threads"] for one in blas], faiss.cvar.distance_compute_blas_threshold
print(json.dumps([threads, cv2.getNumThreads(), faiss.omp_get_max_threads(), threshold]))
"""


def reported(code: str, *arguments: str) -> Any:  # noqa: ANN401 -- JSON
    command = [sys.executable, "-c", REPORT.format(code), *arguments]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.parametrize("code", [SET, OPENED], ids=["set", "an index is opened"])
def test_every_product_keeps_to_one_thread_and_faiss_to_its_own_number_and_to_its_plain_loop(
    code: str, tmp_path: Path
) -> None:
    blas, opencv, openmp, threshold = reported(code, str(tmp_path / "index"))
    assert blas
    assert set(blas) == {1}
    assert (opencv, openmp, threshold) == (1, 3, 2**31 - 1)
