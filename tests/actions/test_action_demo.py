from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imgmatch.actions.demo import draw_demo
from imgmatch.errors import NotAnIndexError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_demo_writes_over_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("account,photo\nmine,precious.jpg\n")
    with pytest.raises(NotAnIndexError, match="holds other things"):
        draw_demo(tmp_path)
    assert manifest.read_text() == "account,photo\nmine,precious.jpg\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["manifest.csv"]
