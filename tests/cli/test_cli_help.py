from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest
from terminal import imgmatch

from imgmatch.cli.main import COMMANDS

HEAVY = ("numpy", "faiss", "cv2", "PIL", "sqlalchemy", "rich", "scipy", "imagehash", "filelock", "numba", "jinja2")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_imports_nothing_heavy(command: str) -> None:
    program = (
        "import sys\n"
        "from imgmatch.cli.main import run\n"
        f"code = run({[*filter(None, [command]), '--help']!r})\n"
        f"heavy = set({HEAVY!r}) & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"Usage: imgmatch {command}".strip() in done.stdout


def test_help_names_every_command_and_each_says_what_it_does() -> None:
    listed = imgmatch("-h").out.partition("Commands:")[2]
    found = dict(line.split(maxsplit=1) for line in listed.strip().splitlines())
    assert list(found) == list(COMMANDS) == sorted(COMMANDS)
    assert all(text.endswith(".") for text in found.values())


def test_the_version_is_that_of_the_package() -> None:
    assert version("imgmatch") in imgmatch("--version").out


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["check"],
        ["check", "x.jpg", "--no-such-option"],
        ["check", "x.jpg", "--limit", "0"],
        ["check", "x.jpg", "--max-distance", "257"],
        ["check", "x.jpg", "--format", "xml"],
        ["check", "x.jpg", "--min-score", "1.1"],
        ["rings", "--format", "xml"],
        ["rings", "--new", "--no-search"],
        ["rings", "--min-score", "1.1"],
        ["rings", "--false-rings", "0"],
        ["rings", "--false-rings", "nan"],
        ["rings", "--common-days", "inf"],
        ["check", "x.jpg", "--min-score", "nan"],
        ["rings", "--false-rings", "1", "--min-score", "0.9"],
        ["rings", "--common-accounts", "1"],
        ["rings", "--common-days", "-1"],
        ["decide"],
        ["decide", "maybe", "--ring", "r1", "--by", "ann"],
        ["decide", "confirm", "--by", "ann"],
        ["decide", "confirm", "--ring", "r1"],
        ["decide", "confirm", "--ring", "r1", "--group", "p1", "--by", "ann"],
        ["decide", "dismiss", "--group", "p1", "--pair", "p1", "p2", "--by", "ann"],
        ["decide", "dismiss", "--pair", "p1", "--by", "ann"],
        ["check", "x.jpg", "--root", "no-such-folder"],
        ["scan"],
        ["scan", "x", "--workers", "0"],
        ["scan", "x", "--depth", "deep"],
        ["hash", "x.jpg", "--hasher", "md5"],
        ["compare", "a.jpg"],
        ["compare", "-", "-"],
        ["rings", "--min-accounts", "1"],
        ["erase"],
        ["erase", "--account", "a", "--photo-id", "p"],
    ],
)
def test_wrong_usage_ends_with_two_and_says_what_is_wrong(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from imgmatch.cli.main import run  # noqa: PLC0415 -- the others need a process of their own

    assert run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Error: " in said.err
