from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import imgmatch
from imgmatch import registry
from imgmatch.errors import UnknownNameError


@pytest.mark.parametrize("name", sorted(registry.HASHERS))
def test_every_hasher_is_where_the_table_says_and_goes_by_its_name(name: str) -> None:
    assert registry.hasher(name).name == name


@pytest.mark.parametrize("name", sorted(registry.ENGINES))
def test_every_engine_is_where_the_table_says(name: str) -> None:
    engine = registry.engine(name).empty().appended((np.arange(2), np.zeros((2, 32), np.uint8)), 1)
    assert len(engine) == 2


@pytest.mark.parametrize("name", sorted(registry.FEATURE_ENGINES))
def test_every_engine_of_features_is_where_the_table_says(name: str) -> None:
    assert len(registry.feature_engine(name).empty(registry.codebook(registry.DEFAULT_CODEBOOK))) == 0


def test_defaults_stand_in_the_tables_and_pdq_is_always_kept() -> None:
    assert set(registry.DEFAULT_HASHERS) <= set(registry.HASHERS)
    assert registry.DEFAULT_ENGINE in registry.ENGINES
    assert registry.DEFAULT_FEATURE_ENGINE in registry.FEATURE_ENGINES
    assert "pdq" in registry.DEFAULT_HASHERS


def test_an_unknown_hasher_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match="no hasher is called 'md5'; there are: dhash, pdq, phash, whash"):
        registry.hasher("md5")


def test_an_unknown_engine_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match="no engine is called 'hnsw'; there are: banded, flat, linear"):
        registry.engine("hnsw")


@pytest.mark.slow
def test_nothing_else_imports_by_string() -> None:
    """Neither ``import_module`` nor ``__import__`` is named in any other module."""
    package = Path(imgmatch.__file__).parent
    words = {"import_module", "__import__", "importlib"}
    named = {
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_bytes()))
        if words & {str(getattr(node, key, "")) for key in ("id", "attr", "name", "module")}
    }
    assert named == {"registry.py"}


@pytest.mark.parametrize(
    "table",
    [
        registry.HASHERS,
        registry.ENGINES,
        registry.RUNNERS,
        registry.UNITS,
        registry.SOURCES,
        registry.STORES,
        registry.CODEBOOKS,
    ],
)
def test_every_line_of_a_table_leads_to_something_that_can_be_called(table: dict[str, str]) -> None:
    assert all(callable(registry.load(place)) for place in table.values())
