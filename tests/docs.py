"""Write the command reference of docs/commands.md from --help, or check that it is in step.

Run as ``python tests/docs.py --write`` or ``--check`` (``make docs``, ``make check``).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.testing import CliRunner

from imgmatch.cli.main import COMMANDS, cli

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAGE = Path(__file__).resolve().parents[1] / "docs" / "commands.md"
BEGIN = "<!-- commands: written by `make docs`, checked by `make check` -->\n"
END = "<!-- /commands -->\n"


def reference() -> str:
    """Every command's help, as Markdown."""
    return "".join(f"### imgmatch {' '.join(names)}\n\n```text\n{_help(names)}```\n\n" for names in every_command())


def every_command() -> Iterator[tuple[str, ...]]:
    """The names that lead to each command, one after another; those of a group follow it."""
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        yield from _beneath((name,), command)


def _beneath(names: tuple[str, ...], command: click.Command) -> Iterator[tuple[str, ...]]:
    yield names
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from _beneath((*names, name), each)


def _help(names: Sequence[str]) -> str:
    result = CliRunner().invoke(cli, [*names, "--help"], prog_name="imgmatch", terminal_width=100)
    if result.exit_code:
        raise click.ClickException(f"imgmatch {' '.join(names)} --help failed")
    return result.output


def with_reference(text: str) -> str:
    """The page's text with the reference in its place."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{reference()}{END}{after}"


def main() -> int:
    """Write or check; returns the exit code."""
    text = PAGE.read_text(encoding="utf-8")
    expected = with_reference(text)
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(expected, encoding="utf-8")
        return 0
    if text == expected:
        return 0
    sys.stderr.write("docs/commands.md is not in step with --help: run make docs\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
