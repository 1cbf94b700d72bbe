"""Signals that tell a process to stop, sent to real ones."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are another matter on Windows")

HOLD = """
import signal, threading
from imgmatch.interrupts import unbroken
said = []
def interrupt(number):
    signal.raise_signal(number)
    said.append("went on")
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.default_int_handler)
    for begins in (True, False):
        try:
            with unbroken() as begun:
                if begins:
                    begun()
                interrupt(number)
        except KeyboardInterrupt:
            said.append("interrupted")
print(*said, sep=", ")
"""

TWICE = """
import signal
from imgmatch.interrupts import unbroken
try:
    with unbroken() as begun:
        begun()
        signal.raise_signal(signal.SIGINT)
        print("once", flush=True)
        signal.raise_signal(signal.SIGINT)
        print("twice", flush=True)
except KeyboardInterrupt:
    print("interrupted", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""

ELSEWHERE = """
import threading
from imgmatch.interrupts import unbroken
def work():
    with unbroken() as begun:
        begun()
        print("done")
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""

STOP = """
import signal, sys, time
from imgmatch.interrupts import stop_on_signals
stop_on_signals()
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("stopping", flush=True)
    while True:
        time.sleep(60)
"""


def said_by(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_signals_wait_for_the_end_of_a_block_once_it_has_begun() -> None:
    assert said_by(HOLD) == ", ".join(2 * ["went on", "interrupted", "interrupted"])


def test_a_second_signal_breaks_a_block_off() -> None:
    assert said_by(TWICE) == "once\ninterrupted True"


def test_outside_the_main_thread_a_block_is_just_run() -> None:
    assert said_by(ELSEWHERE) == "done"


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_interrupts_and_the_second_ends_the_process(
    first: signal.Signals, second: signal.Signals
) -> None:
    with subprocess.Popen([sys.executable, "-c", STOP], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(first)
        assert process.stdout.readline() == "stopping\n"
        process.send_signal(second)
        assert process.wait(60) == -second


def test_a_signal_that_is_ignored_from_the_start_is_ignored_still() -> None:
    ignoring = f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{STOP}"
    with subprocess.Popen([sys.executable, "-c", ignoring], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "stopping\n"
        process.send_signal(signal.SIGINT)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == -signal.SIGTERM
