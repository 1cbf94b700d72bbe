"""Which process holds a lease, and whether that is still alive."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

_PROC = Path("/proc")
_LARGEST_PID = (1 << 31) - 1
_STATE, _STARTED = 0, 19
"""Places in ``/proc/PID/stat`` after the name, which is in brackets: proc(5) counts from 3 there."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, so that it can be told from any other, on this machine or another.

    Attributes:
        host: name of the machine.
        boot: identity of the machine since it was started; empty where the system has none.
        namespace: in which process ids are counted; likewise.
        pid: process id.
        started: when the process was started, in ticks of its machine; 0 where the system does not say.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    started: int

    @classmethod
    def here(cls) -> Owner:
        """This process."""
        pid = os.getpid()
        return cls(socket.gethostname(), _boot(), _namespace(), pid, _started(pid) or 0)

    @classmethod
    def parse(cls, text: str) -> Owner:
        """What :meth:`text` gave.

        Raises:
            ValueError: it is something else.
        """
        try:
            owner = cls(**json.loads(text))
        except (TypeError, RecursionError):
            raise ValueError("no owner of a lease") from None
        words, numbers = (owner.host, owner.boot, owner.namespace), (owner.pid, owner.started)
        if not all(type(one) is str for one in words) or not all(type(one) is int for one in numbers):
            raise ValueError("no owner of a lease")
        if not 0 < owner.pid <= _LARGEST_PID:
            raise ValueError("no process has such a number")
        return owner

    def text(self) -> str:
        """As the catalog keeps it."""
        return json.dumps(asdict(self))

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    def is_dead(self) -> bool:
        """Whether the process is known to have ended: that can be seen only where it ran, and not on Windows."""
        here = Owner.here()
        if (self.host, self.boot, self.namespace) != (here.host, here.boot, here.namespace) or os.name == "nt":
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # another user's: it is there
        started = _started(self.pid)
        return started is not None and self.started not in {0, started}


def _boot() -> str:
    with contextlib.suppress(OSError):
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _namespace() -> str:
    with contextlib.suppress(OSError):
        return str((_PROC / "self/ns/pid").readlink())
    return ""


def _started(pid: int) -> int | None:
    """When this process was started, -1 where it has ended and waits to be collected; ``None`` if nobody says."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return -1 if fields[_STATE] in "ZX" else int(fields[_STARTED])
