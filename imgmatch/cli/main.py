"""The door of the command line: commands are loaded when they are called, errors are told once."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, cast

import click

from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_BUG = 3
EXIT_INTERRUPTED = 130

COMMANDS = {
    "check": "imgmatch.cli.check:check",
    "compare": "imgmatch.cli.compare:compare",
    "demo": "imgmatch.cli.demo:demo",
    "erase": "imgmatch.cli.erase:erase",
    "hash": "imgmatch.cli.hash:hash_",
    "rebuild": "imgmatch.cli.rebuild:rebuild",
    "rings": "imgmatch.cli.rings:rings",
    "scan": "imgmatch.cli.scan:scan",
    "status": "imgmatch.cli.status:status",
}
"""To add a command: its file, and a line here."""


class _Commands(click.Group):
    """Imports a command's file only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in order."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        return cast("click.Command", getattr(import_module(module), attribute))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="imgmatch")
def cli() -> None:
    """Find accounts that share a profile photo: scan, check one photo, show the rings."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    try:
        outcome = cli.main(args=arguments, prog_name="imgmatch", standalone_mode=False)
    except ImgmatchError as error:
        _tell(str(error))
        return error.exit_code
    except click.exceptions.Abort:
        _tell("interrupted")
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 -- the one place where a bug is told
        return _bug(error)
    return outcome if isinstance(outcome, int) else 0


def _bug(error: Exception) -> int:
    import traceback

    click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    _tell("this is a bug in imgmatch; please report the lines above")
    return EXIT_BUG


def _tell(message: str) -> None:
    click.echo(f"imgmatch: {message}", err=True)
