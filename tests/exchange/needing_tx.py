"""Skips the tests of a module where threatexchange is not installed, or fails where it has to be."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest

REQUIRED = "IMGMATCH_REQUIRE_TX"


def need_tx() -> None:
    """To be called before anything of it is imported."""
    if find_spec("threatexchange") is not None:
        return
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"threatexchange is not installed, and {REQUIRED} is set", pytrace=False)
    pytest.skip("threatexchange is not installed; make test-tx runs these tests", allow_module_level=True)
