"""Options that several commands share, and where their output goes."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from imgmatch.cli import log
from imgmatch.formats.text import as_csv, as_json, as_json_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imgmatch.workers.messages import NamedPhoto

Command = TypeVar("Command", bound="Callable[..., Any]")

FORMATS = ("table", "json", "jsonl", "csv")
PAGES = (*FORMATS, "html")
EXIT_SOME_SKIPPED = 5
EXIT_MATCH = 10
_PIPE_WIDTH = 160

index_option = click.option(
    "--index",
    "index_path",
    type=click.Path(path_type=Path),
    default=Path("index"),
    envvar="IMGMATCH_INDEX",
    show_default="./index",
    show_envvar=True,
    help="The index folder.",
)
format_option = click.option(
    "--format", "form", type=click.Choice(FORMATS), default="table", show_default=True, help="How to print the result."
)
page_option = click.option(
    "--format", "form", type=click.Choice(PAGES), default="table", show_default=True, help="How to print the result."
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Nothing on standard error but errors.")
max_distance_option = click.option(
    "--max-distance",
    type=click.IntRange(0, 256),
    help="Bits of 256 in which a copy's fingerprint may differ (inclusive).  [default: the hasher's own]",
)
root_option = click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Refuse photos outside this folder, links followed.",
)


def workers_option(command: Command) -> Command:
    """``--workers``: one a core unless said otherwise."""
    return click.option(
        "--workers",
        type=click.IntRange(1, 256),
        default=lambda: os.cpu_count() or 1,
        show_default="one a core",
        help="Processes that decode photos.",
    )(command)


def terminal_width() -> int:
    """Columns to print tables in; wide where the output is not a terminal, so that programs see whole lines."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPE_WIDTH


def write(text: str) -> None:
    """Print ``text`` as it is."""
    click.echo(text, nl=False)


def write_record(record: Mapping[str, Any], form: str) -> None:
    """Print one record in any format."""
    from imgmatch.formats.table import fields_table

    log.event("result", **record)
    match form:
        case "json":
            write(as_json(record))
        case "jsonl":
            write(as_json_line(record))
        case "csv":
            write("".join(as_csv((record,), list(record))))
        case _:
            write(fields_table(record, terminal_width()))


def note(text: str, *, quiet: bool) -> None:
    """Say something on standard error, beside the result."""
    if not quiet:
        log.say(text)


def standard_input() -> bytes:
    """What is piped in, up to a little more than a photo may have."""
    from imgmatch.imaging.limits import Limits

    return sys.stdin.buffer.read(Limits().file_bytes + 1)


def photo_argument(argument: str) -> NamedPhoto:
    """A file, or standard input for ``-``."""
    from imgmatch.workers.messages import NamedPhoto

    if argument == "-":
        return NamedPhoto("-", standard_input())
    return NamedPhoto(argument, Path(argument))
