"""How loops are compiled by numba: imported by modules of such loops alone, for it takes half a second.

ImportError where numba does not compile: whoever imports such a module has another way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import config, njit

if cast("Any", config).DISABLE_JIT:
    raise ImportError("NUMBA_DISABLE_JIT is set")

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def kernel(function: Kernel, *, fastmath: bool | set[str] = False) -> Kernel:
    """Compile on the first call, without the interpreter's lock; keep the result on disk where there is a place.

    Args:
        function: the loop.
        fastmath: which liberties LLVM may take with floating-point numbers, as numba names them.
    """
    try:
        return cast("Kernel", njit(function, nogil=True, cache=True, fastmath=fastmath, error_model="numpy"))
    except RuntimeError:  # neither the package's folder nor the user's can be written: compiled anew by every process
        return cast("Kernel", njit(function, nogil=True, fastmath=fastmath, error_model="numpy"))
