from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imgmatch.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--fetch-host", "ftp://media.example"), "is no host"),
        (("--fetch-host", "media.example", "--fetch-host", "a b"), "'a b' is no host"),
        (("--remember-minutes", "-1"), "--remember-minutes"),
        (("--flood-hashes", "0"), "--flood-hashes"),
    ],
)
def test_what_hma_clients_cannot_be_served_by_is_refused(
    world: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], text: str
) -> None:
    assert run(["serve", "--index", str(world), *arguments]) == 2
    assert text in capsys.readouterr().err
