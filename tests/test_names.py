from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import imgmatch

PACKAGE = Path(imgmatch.__file__).parent


def test_no_two_classes_of_the_package_go_by_one_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(file.relative_to(PACKAGE)))
    assert len(places) > 100
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
