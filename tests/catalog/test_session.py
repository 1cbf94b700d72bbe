from __future__ import annotations

import ast
from pathlib import Path

import imgmatch

PACKAGE = Path(imgmatch.__file__).parent


def imported(path: Path) -> set[str]:
    """The libraries a module imports, also those it imports for its types."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return {name.partition(".")[0] for name in found}


def test_nothing_outside_the_catalog_knows_what_its_rows_are_kept_in() -> None:
    others = [path for path in PACKAGE.rglob("*.py") if PACKAGE / "catalog" not in path.parents]
    assert {path.name for path in others if imported(path) & {"sqlalchemy", "sqlite3"}} == set()


def test_nothing_outside_the_catalog_takes_a_session_apart_or_names_its_file() -> None:
    others = [path for path in PACKAGE.rglob("*.py") if PACKAGE / "catalog" not in path.parents]
    assert {path.name for path in others if ".sql." in (text := path.read_text("utf-8")) or ".sqlite3" in text} == set()
