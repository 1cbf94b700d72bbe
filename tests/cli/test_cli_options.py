from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from imgmatch.cli import options
from imgmatch.cli.main import run


@click.command()
@options.workers_option
def workers_of(*, workers: int) -> None:
    click.echo(workers)


def test_the_number_of_workers_is_as_said() -> None:
    """From one up."""
    for number in ("1", "3", "256"):
        assert CliRunner().invoke(workers_of, ["--workers", number]).output == f"{number}\n"


def test_one_worker_for_each_core_is_what_nobody_needs_to_say() -> None:
    """``auto`` is the default, and help shows it."""
    said, unsaid = (CliRunner().invoke(workers_of, arguments).output for arguments in (["--workers", "auto"], []))
    assert said == unsaid
    assert 1 <= int(said) <= 256
    assert "default: auto" in CliRunner().invoke(workers_of, ["--help"]).output


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not keep processes to cores")
def test_cores_that_the_process_may_not_use_get_no_worker() -> None:
    """A container with one core of sixty-four gets one."""
    program = (
        "import os\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from click.testing import CliRunner\n"
        "from test_cli_options import workers_of\n"
        "print(CliRunner().invoke(workers_of, []).output)\n"
    )
    path = os.pathsep.join(filter(None, sys.path))
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.strip() == "1", done.stderr


@pytest.mark.parametrize("workers", ["0", "257", "-1", "1.5", "many", "", "9" * 5000])
def test_any_other_number_of_workers_is_wrong_and_the_allowed_ones_are_named(
    workers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether it is a number or not."""
    assert run(["scan", "x", "--workers", workers]) == 2
    said = capsys.readouterr().err
    assert "Invalid value for '--workers'" in said
    assert "neither a whole number from 1 to 256 nor 'auto'" in said
