"""The door of the command line: commands are loaded when they are called, errors are reported once."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from typing import TYPE_CHECKING, cast

import click

from imgmatch import damage, registry
from imgmatch.cli import log
from imgmatch.errors import ImgmatchError, ScanInterrupted, SkipReason
from imgmatch.interrupts import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_BUG = 3
EXIT_INTERRUPTED = 130

COMMANDS = {
    "audit": "imgmatch.cli.audit:audit",
    "bank": "imgmatch.cli.bank:bank",
    "calibrate": "imgmatch.cli.calibrate:calibrate",
    "check": "imgmatch.cli.check:check",
    "compare": "imgmatch.cli.compare:compare",
    "copy": "imgmatch.cli.copy:copy",
    "decide": "imgmatch.cli.decide:decide",
    "demo": "imgmatch.cli.demo:demo",
    "erase": "imgmatch.cli.erase:erase",
    "hash": "imgmatch.cli.hash:hash_",
    "rebuild": "imgmatch.cli.rebuild:rebuild",
    "rings": "imgmatch.cli.rings:rings",
    "scan": "imgmatch.cli.scan:scan",
    "serve": "imgmatch.cli.serve:serve",
    "shards": "imgmatch.cli.shards:shards",
    "source": "imgmatch.cli.source:source",
    "status": "imgmatch.cli.status:status",
    "user": "imgmatch.cli.user:user",
}
"""To add a command: its file, and a line here."""


class _OutputClosedError(Exception):
    """Whoever read our output has seen enough."""


class _Commands(click.Group):
    """Imports a command's file only when it is asked for."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; its output is on its way when it returns."""
        try:
            outcome: object = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError as error:  # click would end the process with 1
            raise _OutputClosedError from error
        return outcome

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in order."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        return cast("click.Command", registry.load(COMMANDS[cmd_name]))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="imgmatch")
@click.option("--log-json", is_flag=True, help="What is said on standard error, as JSON lines.")
@click.pass_context
def cli(ctx: click.Context, *, log_json: bool) -> None:
    """Find accounts that share a profile photo: scan, check one photo, show the rings."""
    if log_json:
        log.log_json()
        log.event("started", command=ctx.invoked_subcommand)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    # Read as FAISS is loaded: threads of it that wait would spin, on cores that other work of ours needs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    stop_on_signals()
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    started = time.perf_counter()
    log.log_lines()
    damage.forget()
    try:
        outcome = cli.main(args=arguments, prog_name="imgmatch", standalone_mode=False)
        code = outcome if isinstance(outcome, int) else 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 -- the one place where errors are reported
        code = _reported(error)
    for where, count in damage.met().items():
        if count > 1:  # the first was told when it was met
            log.say(f"damage in the index, {where}: met {count:,} times", level=logging.WARNING)
    log.event("finished", exit_code=code, seconds=round(time.perf_counter() - started, 3))
    log.plain()
    return code


def _reported(error: Exception | KeyboardInterrupt) -> int:
    """Report an error once; returns the exit code."""
    match error:
        case ImgmatchError():
            _say(str(error))
            if getattr(error, "reason", None) is SkipReason.INTERNAL:
                log.ask_for_report()
            return error.exit_code
        case click.exceptions.Abort() | KeyboardInterrupt():
            _say(_said_of(error.__cause__))
            return EXIT_INTERRUPTED
        case click.ClickException():
            if log.is_json():
                log.say(error.format_message(), level=logging.ERROR)
            else:
                error.show()
            return error.exit_code
        case _OutputClosedError():
            _drop_output()
            return 0
        case OSError():  # of a file beside the index: the output, a list, a folder
            _say(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error))
            _drop_output()
            return 1
        case _:
            return _bug(error)


def _said_of(interruption: BaseException | None) -> str:
    if not isinstance(interruption, ScanInterrupted):
        return "interrupted"
    return f"interrupted; {interruption.kept:,} photos added or updated are kept; the same command goes on from there"


def _bug(error: BaseException) -> int:
    import traceback

    trace = "".join(traceback.format_exception(error))
    if log.is_json():
        log.say(str(error), level=logging.CRITICAL, traceback=trace)
    else:
        click.echo(trace, err=True, nl=False)
    log.ask_for_report()
    return EXIT_BUG


def _say(message: str) -> None:
    log.say(message if log.is_json() else f"imgmatch: {message}", level=logging.ERROR)


def _drop_output() -> None:
    """What is still in the buffer cannot be written: without this the interpreter would try, and complain."""
    with contextlib.suppress(OSError):  # a program that runs this may have put something else in its place
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
