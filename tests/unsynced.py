"""Tests do not wait for the disk: each commit and each published file would, thousands of times.

What a power cut leaves is all that differs, and no test cuts the power. Processes that tests start wait as ever.
"""

from __future__ import annotations

import os
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_fsync, _connect = os.fsync, sqlite3.connect


class _Unsynced(sqlite3.Connection):
    """A connection that is not told to wait."""

    def execute(self, statement: str, /, *parameters: Any) -> sqlite3.Cursor:  # noqa: ANN401 -- as in the base class
        return super().execute(statement.replace("synchronous=FULL", "synchronous=OFF"), *parameters)


@pytest.fixture(scope="session", autouse=True)
def _unsynced() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)  # an error where the file is not open, as before
        patch.setattr(sqlite3, "connect", partial(_connect, factory=_Unsynced))
        yield


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test that looks at what waits for the disk."""
    monkeypatch.setattr(os, "fsync", _fsync)
    monkeypatch.setattr(sqlite3, "connect", _connect)
