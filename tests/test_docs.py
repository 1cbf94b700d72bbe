"""The documents are held to each other, to the command line and to the code."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import docs
from imgmatch import errors
from imgmatch.cli import options
from imgmatch.cli.main import COMMANDS, EXIT_BUG, EXIT_INTERRUPTED, cli

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "index" / "README.md"])
README_LINES = 200
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
OF_OTHERS = {
    "--home-dir",
    "--system",
    "--collector",
    "--now",
    "--publish",
    "--volume",
    "--from",
    "--to",
    "--file",
    "--tag",
    "--no-cache-dir",
    "--uid",
    "--create",
    "--filename",
    "--signal-type",
}
"""Options of other programs that the documents name."""


def shown(document: Path) -> str:
    """A document by its path from the top, which names a test's case."""
    return document.relative_to(ROOT).as_posix()


def outside_fences(text: str) -> str:
    return FENCE.sub("", text)


def anchors(document: Path) -> set[str]:
    """What GitHub calls the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", outside_fences(document.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(document: Path) -> Iterator[str]:
    """Each ``$ imgmatch ...`` of a document's fences, as one line."""
    for fence in FENCE.findall(document.read_text(encoding="utf-8")):
        for line in fence.replace("\\\n", " ").splitlines():
            if line.startswith("$ imgmatch "):
                yield line.removeprefix("$ imgmatch ")


def options_of(name: str) -> set[str]:
    """The options of a command, with those that click adds."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return _options_beneath(command)


def _options_beneath(command: click.Command) -> set[str]:
    parameters = command.get_params(click.Context(command))
    own = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
    beneath = command.commands.values() if isinstance(command, click.Group) else ()
    return own.union(*map(_options_beneath, beneath))


def known_options() -> set[str]:
    """Every option of the command line."""
    found = {option for parameter in cli.get_params(click.Context(cli)) for option in parameter.opts}
    return found.union(*map(options_of, COMMANDS))


def exit_codes() -> set[int]:
    """Every code that the command line may end with."""
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    raised = {each.exit_code for each in classes if issubclass(each, errors.ImgmatchError)}
    usage = click.UsageError.exit_code
    return raised | {
        0,
        usage,
        EXIT_BUG,
        EXIT_INTERRUPTED,
        options.EXIT_SOME_SKIPPED,
        options.EXIT_INCOMPLETE,
        options.EXIT_MATCH,
    }


def parse(line: str) -> None:
    """Parse a command as the command line does, and stop before it runs; files need not exist."""
    words = shlex.split(line, comments=True)
    arguments = words[: next((place for place, word in enumerate(words) if word[0] in "><|"), len(words))]
    try:
        context = cli.make_context("imgmatch", list(arguments))
        place = next(place for place, word in enumerate(arguments) if not word.startswith("-"))
        name, command, rest = cli.resolve_command(context, arguments[place:])
        assert command is not None
        while isinstance(command, click.Group):
            context = click.Context(command, info_name=name, parent=context)
            name, command, rest = command.resolve_command(context, rest)
            assert command is not None
        command.make_context(name, rest, parent=context)
    except click.exceptions.Exit:  # of --version
        return
    except click.FileError:
        return
    except click.BadParameter as error:
        if error.param is None or not isinstance(error.param.type, click.Path | click.File):
            raise


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_every_relative_link_leads_to_a_file_and_a_heading_that_exist(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", outside_fences(document.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        path, _, heading = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not heading or heading in anchors(target), link


def test_every_document_is_reached_from_the_readme() -> None:
    links = set(re.findall(r"\]\(([^)#\s]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert {shown(document) for document in DOCUMENTS} - {"README.md"} <= links


def test_the_command_reference_is_what_help_prints() -> None:
    text = docs.PAGE.read_text(encoding="utf-8")
    assert docs.with_reference(text) == text


def test_every_command_is_documented() -> None:
    assert {f"imgmatch-{name}" for name in COMMANDS} <= anchors(docs.PAGE)


@pytest.mark.parametrize(
    "line", [pytest.param(line, id=f"{shown(each)}: {line}") for each in DOCUMENTS for line in commands(each)]
)
def test_every_command_that_is_shown_can_be_parsed(line: str) -> None:
    parse(line)


@pytest.mark.parametrize("line", ["check --no-such-option a.jpg", "check", "no-such-command", "rings --min-accounts 1"])
def test_a_command_that_is_shown_wrongly_is_noticed(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(line)


@pytest.mark.parametrize("document", [each for each in DOCUMENTS if each.name != "BENCHMARKS.md"], ids=shown)
def test_every_option_that_is_mentioned_exists(document: Path) -> None:
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", document.read_text(encoding="utf-8")))
    assert mentioned - OF_OTHERS <= known_options()


def test_the_documented_exit_codes_are_those_of_the_command_line() -> None:
    text = docs.PAGE.read_text(encoding="utf-8").partition("## Exit codes")[2].partition("\n## ")[0]
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)]
    assert sorted(codes) == sorted(exit_codes())
    for document in DOCUMENTS:
        mentioned = re.findall(r"exit codes? (?:is |are )?(\d+)", document.read_text(encoding="utf-8"), re.IGNORECASE)
        assert {int(code) for code in mentioned} <= exit_codes(), shown(document)


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_every_module_that_is_named_exists(document: Path) -> None:
    for path in re.findall(r"`((?:imgmatch|tests)/[\w/.]*)`", document.read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_no_heading_comes_twice(document: Path) -> None:
    headings = re.findall(r"^#+ .+$", outside_fences(document.read_text(encoding="utf-8")), re.MULTILINE)
    assert [heading for heading, count in Counter(headings).items() if count > 1] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_every_option_that_is_mentioned_with_its_command_is_one_of_that_command(document: Path) -> None:
    text = outside_fences(document.read_text(encoding="utf-8"))
    for name, rest in re.findall(rf"`(?:imgmatch )?({'|'.join(COMMANDS)}) ([^`]*)`", text):
        mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", rest))
        assert mentioned <= options_of(name), f"{name} {rest}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_every_make_target_that_is_mentioned_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    mentioned = re.findall(r"(?:`|\$ )make ([a-z-]+)", document.read_text(encoding="utf-8"))
    assert set(mentioned) <= targets


def test_the_layers_are_described_in_the_order_that_is_checked() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (each for each in settings["tool"]["importlinter"]["contracts"] if each["type"] == "layers")
    rank = {part.strip(): place for place, layer in enumerate(contract["layers"]) for part in layer.split("|")}
    section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Layers")[2].partition("\n## ")[0]
    rows = [re.findall(r"`([\w./]+)`", row) for row in re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)]
    named = [[f"imgmatch.{part.removesuffix('.py').rstrip('/')}" for part in row] for row in rows]
    ranks = [{rank[module] for module in row} for row in named]
    assert all(len(each) == 1 for each in ranks)
    assert ranks == sorted(ranks, key=min)
    packages = {f"imgmatch.{path.parent.name}" for path in (ROOT / "imgmatch").glob("*/__init__.py")}
    assert packages <= {module for row in named for module in row}
