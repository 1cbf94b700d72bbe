from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from imgmatch import damage

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _told_anew() -> Iterator[None]:
    damage.forget()
    yield
    damage.forget()


def test_each_kind_is_told_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for where in ("a.x", "a.y", "a.x", "a.x"):
            damage.note(where, "nothing is lost")
    assert [record.args[0] for record in caplog.records if isinstance(record.args, tuple)] == ["a.x", "a.y"]
    assert damage.met() == {"a.x": 3, "a.y": 1}
    assert (damage.count("a.x"), damage.count("b")) == (3, 0)


def test_what_was_forgotten_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        damage.note("a.x", "nothing is lost")
        damage.forget()
    assert (len(caplog.records), damage.met()) == (2, {})
