"""Options that several commands share, and where their output goes."""

from __future__ import annotations

import math
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from imgmatch import own_files
from imgmatch.cli import log
from imgmatch.cores import usable_cores
from imgmatch.errors import SkipReason
from imgmatch.formats.text import as_csv, as_json, as_json_line
from imgmatch.homes import as_home

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TextIO

    from imgmatch.homes import Home
    from imgmatch.model import NamedPhoto

Command = TypeVar("Command", bound="Callable[..., Any]")

FORMATS = ("table", "json", "jsonl", "csv")
PAGES = (*FORMATS, "html")
STANDARD_INPUT = "-"
EXIT_SOME_SKIPPED = 5
EXIT_INCOMPLETE = 6
EXIT_MATCH = 10
_PIPE_WIDTH = 160
_AUTO = "auto"
_MOST_WORKERS = 256


class _Home(click.Path):
    """The folder of an index, or the URL of a database that holds one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - as click has it
        if isinstance(value, str) and isinstance(as_home(value), str):
            return value
        return super().convert(value, param, ctx)


HOME = _Home(path_type=Path)

index_option = click.option(
    "--index",
    "index_path",
    type=HOME,
    metavar="HOME",
    default=Path("index"),
    envvar="IMGMATCH_INDEX",
    show_default="./index",
    show_envvar=True,
    help="The index: a folder, or the URL of a database, postgresql://...",
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
fetchers_option = click.option(
    "--fetchers",
    type=click.IntRange(1, 256),
    default=16,
    show_default=True,
    help="Photos fetched from URLs at once.",
)
allow_private_option = click.option(
    "--allow-private", is_flag=True, help="Let http(s) URLs lead to this machine and to private networks, too."
)
root_option = click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Refuse photos outside this folder, links followed.",
)


class _Workers(click.IntRange):
    """How many processes: a number, or ``auto`` for one for each core."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - as click has it
        if value == _AUTO:
            return min(usable_cores(), _MOST_WORKERS)
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            problem = f"{value!r} is neither a whole number from 1 to {_MOST_WORKERS} nor {_AUTO!r}."
            raise click.BadParameter(problem, ctx, param) from None


def workers_option(command: Command) -> Command:
    """``--workers``: one for each core unless said otherwise."""
    return click.option(
        "--workers",
        type=_Workers(1, _MOST_WORKERS),
        metavar=f"N|{_AUTO}",
        default=_AUTO,
        show_default=True,
        help=f"Processes that decode photos; {_AUTO} is one for each core this process may use.",
    )(command)


def runner_option(command: Command) -> Command:
    """``--runner``: processes of this machine unless said otherwise."""
    return click.option(
        "--runner",
        show_default="processes",
        metavar="NAME|ray://HOST:PORT",
        help="Where the work is done: by processes of this machine, or on a Ray cluster.",
    )(command)


def check_folder(file: Path) -> None:
    """See before the work that a file can be made where it is to be written after it.

    Raises:
        click.FileError: its folder is not there, or cannot be written.
    """
    if not os.access(file.absolute().parent, os.W_OK):
        reason = "its folder cannot be written" if file.absolute().parent.is_dir() else "its folder is not there"
        raise click.FileError(str(file), reason)


share_option = click.option(
    "--share-with-group",
    is_flag=True,
    help="Let the group, too, read and write what this makes; a shared index stays shared.",
)


def is_shared(*, index_path: Home, share_with_group: bool) -> bool:
    """Whether the group may read what a command makes: it was asked for, or the index is shared."""
    return share_with_group or (isinstance(index_path, Path) and own_files.is_shared(index_path))


class FiniteRange(click.FloatRange):
    """A number within bounds; "nan", which lies in every range for it is compared with nothing, and "inf" are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - as click has it
        """The number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a number.", param, ctx)
        return number


class NewFile(click.File):
    """A text file that is opened when it is first written to; whether it can be made is looked at before the work.

    Nobody but its owner may read it, and his group where the index is shared or it is asked for. A file that is there
    already keeps its mode.
    """

    def __init__(self) -> None:
        super().__init__("w", encoding="utf-8")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - as click has it
        """The file, or standard output for ``-``."""
        if not isinstance(value, str):
            return value
        if value == "-":
            return super().convert(value, param, ctx)
        check_folder(Path(value))
        made = _LaterFile(Path(value), ctx)
        if ctx is not None:
            ctx.call_on_close(made.close)
        return made


class _LaterFile:
    """Looks like the file it opens when it is first used: by then it is known whether the index is shared."""

    def __init__(self, path: Path, context: click.Context | None) -> None:
        self._path = path
        self._context = context
        self._file: TextIO | None = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever a file has
        if self._file is None:
            given = {} if self._context is None else self._context.params
            shared = is_shared(
                index_path=given.get("index_path") or Path(), share_with_group=bool(given.get("share_with_group"))
            )
            self._file = open_new(self._path, shared=shared)
        return getattr(self._file, name)

    def close(self) -> None:
        """Close what was opened."""
        if self._file is not None:
            self._file.close()


def open_new(path: Path, *, shared: bool) -> TextIO:
    """Open a text file to write it from its beginning, with the mode that files of ours have.

    Raises:
        OSError: it cannot be written.
    """
    return os.fdopen(own_files.overwrite(path, shared=shared), "w", encoding="utf-8")


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


def write_records(records: Sequence[Mapping[str, Any]], form: str) -> None:
    """Print records of one kind in any format."""
    from imgmatch.formats.table import grid

    match form:
        case "json":
            write(as_json(records))
        case "jsonl":
            write("".join(map(as_json_line, records)))
        case "csv":
            write("".join(as_csv(records, list(records[0]) if records else ())))
        case _ if records:
            write(grid(list(records[0]), [list(record.values()) for record in records], terminal_width()))
        case _:
            write("none\n")


def note(text: str, *, quiet: bool) -> None:
    """Say something on standard error, beside the result."""
    if not quiet:
        log.say(text)


def is_bug(reason: str | None) -> bool:
    """Whether a photo could not be used for a reason that nobody expected."""
    return reason is not None and reason.startswith(SkipReason.INTERNAL)


def standard_input() -> bytes:
    """What is piped in, up to a little more than a photo may have."""
    from imgmatch import Limits

    return sys.stdin.buffer.read(Limits().file_bytes + 1)


def photo_argument(argument: str) -> str | NamedPhoto:
    """A file or a URL as it is; standard input for ``-``."""
    from imgmatch.model import NamedPhoto

    if argument == STANDARD_INPUT:
        return NamedPhoto(STANDARD_INPUT, standard_input())
    return argument


def photo_arguments(arguments: Sequence[str]) -> list[str | NamedPhoto]:
    """Photos, folders and manifests as they are; standard input, a photo or a list of paths, read once, for ``-``."""
    if STANDARD_INPUT not in arguments:
        return list(arguments)
    from imgmatch.cli.piped import piped_paths
    from imgmatch.model import NamedPhoto

    data = standard_input()
    listed = piped_paths(data)
    piped = [NamedPhoto(STANDARD_INPUT, data)] if listed is None else listed
    return [one for argument in arguments for one in (piped if argument == STANDARD_INPUT else [argument])]
