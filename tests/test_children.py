from __future__ import annotations

import signal
import subprocess
import sys

import pytest

STREAMS = """
import os
from imgmatch.children import private_streams
read, written = private_streams()
print("a library prints", flush=True)
os.write(1, b"and another")
written.write(b"heard " + read.readline() + repr(os.read(0, 9)).encode())
written.flush()
"""

CONFINED = """
import resource, signal
from imgmatch.children import confine
confine(600 << 20)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.raise_signal(number)
try:
    bytearray(700 << 20)
except MemoryError:
    print("no more memory", resource.getrlimit(resource.RLIMIT_CORE)[0])
"""


def run(script: str, said: bytes = b"") -> str:
    done = subprocess.run([sys.executable, "-c", script], input=said, capture_output=True, check=True, timeout=60)
    return done.stdout.decode()


def test_what_libraries_print_and_read_does_not_mix_with_the_messages() -> None:
    assert run(STREAMS, b"this\nand that\n") == "heard this\nb''"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts all memory that is allocated")
def test_a_confined_process_has_its_memory_and_ends_when_its_parent_says_so() -> None:
    assert run(CONFINED) == "no more memory 0\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts all memory that is allocated")
def test_a_lower_limit_that_is_in_force_stays() -> None:
    lower = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (500 << 20, 500 << 20))"
    script = f"{lower}\n{CONFINED}\nprint(resource.getrlimit(resource.RLIMIT_DATA)[1] >> 20)"
    assert run(script) == "no more memory 0\n500\n"
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN  # of the parent
