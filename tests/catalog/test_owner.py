from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from imgmatch.catalog.owner import Owner

UNIX = pytest.mark.skipif(os.name == "nt", reason="on Windows nobody can look")


def test_an_owner_is_read_as_it_was_written() -> None:
    here = Owner.here()
    assert Owner.parse(here.text()) == here
    assert str(here) == f"process {os.getpid()} on {here.host}"


def test_a_process_that_runs_is_not_dead() -> None:
    assert not Owner.here().is_dead()


@UNIX
def test_a_process_that_has_ended_is_dead_also_before_it_is_collected() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read()
        owner = replace(Owner.here(), pid=process.pid, started=0)
        if Path("/proc").is_dir():
            waited = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            assert waited is not None
            assert replace(owner, started=1).is_dead()
        process.wait()
        assert owner.is_dead()


@UNIX
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="nobody says here when a process was started")
def test_another_process_of_the_same_number_is_not_taken_for_it() -> None:
    here = Owner.here()
    assert replace(here, started=here.started + 1).is_dead()


def test_of_a_process_elsewhere_nothing_is_known() -> None:
    gone = replace(Owner.here(), pid=2**22 + 1)
    for owner in (replace(gone, host="another"), replace(gone, boot="another"), replace(gone, namespace="another")):
        assert not owner.is_dead()
