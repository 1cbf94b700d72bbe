from __future__ import annotations

import ast
from pathlib import Path

import pytest

import imgmatch.cli

MODULES = sorted(Path(imgmatch.cli.__file__).parent.glob("*.py"))
ALLOWED = (
    "imgmatch.cli",
    "imgmatch.cores",
    "imgmatch.errors",
    "imgmatch.formats",
    "imgmatch.homes",
    "imgmatch.interrupts",
    "imgmatch.model",
    "imgmatch.progress",
    "imgmatch.web",
)
NAMES = {
    "imgmatch": set(imgmatch.__all__) | {"damage", "own_files", "registry"},
    "imgmatch.registry": {"CODEBOOKS", "DEFAULT_CODEBOOK", "DEFAULT_HASHERS", "HASHERS"},
}


def imported(module: Path) -> list[tuple[str, str]]:
    """Modules of the package that a module takes names from, with the names."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    found = [(str(node.module), name.name) for node in nodes for name in node.names]
    return [(source, name) for source, name in found if source.startswith("imgmatch")]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_a_command_imports_the_door_and_formats_and_nothing_that_lies_below(module: Path) -> None:
    below = [
        (source, name)
        for source, name in imported(module)
        if not source.startswith(ALLOWED) and name not in NAMES.get(source, ())
    ]
    assert below == []
