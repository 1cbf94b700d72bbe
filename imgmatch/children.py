"""What a process of ours does first that reads what strangers sent: it keeps its streams to itself, and to limits."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import BinaryIO

from imgmatch.interrupts import STOPPING


def private_streams() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output, of which nobody else in this process knows from now on.

    A library that prints must not do so between the messages.
    """
    read, written = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(nowhere, standard)
    return read, written


def confine(data_bytes: int) -> None:
    """Let this process have so much memory, leave no core dump, and end when its parent says so.

    Whoever signals all processes by hand, or by a service manager, means the parent.
    """
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 -- POSIX only

    _limit(resource.RLIMIT_CORE, 0)
    # RLIMIT_AS counts libraries' reserved address space too; what is allocated for a stranger's file is data.
    _limit(resource.RLIMIT_DATA, data_bytes)


def _limit(which: int, value: int) -> None:
    import resource  # noqa: PLC0415 -- POSIX only

    with contextlib.suppress(OSError, ValueError):  # a lower limit is in force already
        resource.setrlimit(which, (value, value))
