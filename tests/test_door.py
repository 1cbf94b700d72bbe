from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

import imgmatch
from imgmatch import errors, model


def test_all_is_sorted_and_names_nothing_twice() -> None:
    """Constants first, then classes, then functions."""
    assert imgmatch.__all__ == sorted(
        set(imgmatch.__all__), key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )


@pytest.mark.parametrize("name", imgmatch.__all__)
def test_every_name_of_the_door_can_be_imported(name: str) -> None:
    found = getattr(importlib.import_module("imgmatch"), name)
    assert getattr(found, "__name__", "SILENT") == name


def test_every_public_name_in_the_door_stands_in_all() -> None:
    found = {
        name
        for name, value in vars(imgmatch).items()
        if inspect.isclass(value) and value.__module__.startswith("imgmatch")
    }
    assert found <= set(imgmatch.__all__)


def test_every_error_goes_through_the_door() -> None:
    tree = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}
    assert tree <= set(imgmatch.__all__)


def test_every_word_a_method_of_the_index_returns_goes_through_the_door() -> None:
    inner = {
        "Orientation",
        "Path",
        "datetime",
        "RemoteFile",
        "Failure",
        "Fetched",
        "RemoteMetadata",
    }  # what the words are made of
    words = {
        name
        for name, value in vars(model).items()
        if inspect.isclass(value) and value.__module__.startswith("imgmatch.model.")
    }
    assert words - inner <= set(imgmatch.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        imgmatch.Nothing  # noqa: B018 -- looking is the test


def run(program: str) -> None:
    """Run it in a process that has loaded nothing yet."""
    subprocess.run([sys.executable, "-c", f"import sys, imgmatch\n{program}"], check=True)


@pytest.mark.slow
def test_the_heavy_half_of_the_door_is_loaded_when_it_is_asked_for() -> None:
    program = (
        "heavy = {'numpy', 'faiss', 'cv2', 'PIL', 'sqlalchemy', 'rich', 'scipy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "imgmatch.Limits\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "imgmatch.Index\n"
        "assert {'numpy', 'sqlalchemy'} <= set(sys.modules)\n"
    )
    run(program)


@pytest.mark.slow
def test_an_index_loads_a_verb_when_it_is_called() -> None:
    program = (
        "imgmatch.Index\n"
        "verbs = {'clustering.run', 'ingest.adding', 'actions.erase', 'actions.calibrate'}\n"
        "found = {verb for verb in verbs if f'imgmatch.{verb}' in sys.modules}\n"
        "assert not found, found\n"
    )
    run(program)


@pytest.mark.slow
def test_an_index_loads_no_decoder_of_pictures_for_that_is_the_workers_part() -> None:
    program = (
        "imgmatch.Index\n"
        "decoders = {'PIL', 'pillow_heif'}\n"
        "assert not decoders & set(sys.modules), decoders & set(sys.modules)\n"
    )
    run(program)
