"""How NumPy, OpenCV and FAISS compute in this process: set once, where the process starts, and never changed after.

A sum of floating-point numbers depends on the order it is added up in, and so on how many threads share the work and on
which of two algorithms a library picks for its size. A setting that is switched for the length of one call is worse: it
is the whole process's, so that one thread's products run with another thread's setting.
"""

from __future__ import annotations

import cv2
import faiss
from threadpoolctl import ThreadpoolController

_NEVER = 2**31 - 1
"""A size that no search reaches, the largest FAISS takes."""


def use_one_thread() -> None:
    """Keep every product of matrices and every filter to the thread that asks for it, for the rest of this process.

    Ours are small: threads that wait for the next one spin on the cores that FAISS needs then, for a third of a check.
    FAISS goes on searching large indexes with as many threads as OpenMP gives it: each query is one thread's work.

    * BLAS libraries (NumPy, SciPy and OpenCV each bring their own): one thread, for all that are loaded by now. One
      that runs on OpenMP, as FAISS's own, takes the number of threads from there and is not asked for a product.
    * OpenCV: one thread.
    * FAISS: distances to centroids in a plain loop; above a certain number of queries it would take BLAS, which rounds
      otherwise, so that the answer for a photo would depend on how many are asked about at once.

    Calling it again costs a millisecond and sets the same.
    """
    cv2.setNumThreads(1)
    faiss.cvar.distance_compute_blas_threshold = _NEVER
    for library in ThreadpoolController().lib_controllers:
        if library.user_api == "blas" and getattr(library, "threading_layer", None) != "openmp":
            library.set_num_threads(1)


def search_in_this_thread() -> None:
    """Have FAISS search for the calling thread without others; to OpenMP that is a setting of each thread's own."""
    faiss.omp_set_num_threads(1)
