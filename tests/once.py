"""What is the same in all tests is made once in a session: compiled SQL, settings of TLS; and passwords cost little.

Each index compiles its statements, each HTTP client reads the certificates of the system, and each password that is set
or tried takes as long as whoever guesses it is to be kept waiting; tests make hundreds of them.
"""

from __future__ import annotations

import os
import threading
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

import pytest
from sqlalchemy import create_engine

from imgmatch.catalog import sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ssl import SSLContext

    from sqlalchemy import Engine

_MOST_STATEMENTS = 5_000
"""All that imgmatch has, in all their lengths."""


@pytest.fixture(scope="session", autouse=True)
def _compiled_once() -> Iterator[None]:
    """SQLAlchemy keeps what it has compiled by engine, and by the object that speaks the dialect."""
    first = create_engine("sqlite://", query_cache_size=_MOST_STATEMENTS)
    with first.connect():  # the dialect asks SQLite what it can do
        pass
    first.dispose()

    def engine(*arguments: Any, **options: Any) -> Engine:  # noqa: ANN401 -- those of create_engine
        made = create_engine(*arguments, **options)
        made.dialect, made._compiled_cache = first.dialect, first._compiled_cache  # noqa: SLF001 -- there is no setting
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "create_engine", engine)
        yield


@pytest.fixture(scope="session", autouse=True)
def _certificates_read_once() -> Iterator[None]:
    try:
        from httpx._transports import default  # noqa: PLC0415 -- an extra
    except ImportError:
        yield
        return
    make, guard = vars(default)["create_ssl_context"], threading.Lock()
    usual = cache(make)

    def context(**options: Any) -> SSLContext:  # noqa: ANN401 -- those of httpx
        if options["verify"] is not True or {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys():
            return cast("SSLContext", make(**options))
        with guard:
            return cast("SSLContext", usual(**options))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(default, "create_ssl_context", context)
        yield


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    try:
        import argon2  # noqa: PLC0415 -- an extra
    except ImportError:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argon2, "PasswordHasher", partial(argon2.PasswordHasher, 1, 8, 1))
        yield


@pytest.fixture
def costly_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test of how passwords are kept: they cost what they always do."""
    import argon2  # noqa: PLC0415 -- an extra

    monkeypatch.setattr(argon2, "PasswordHasher", argon2.PasswordHasher.func)  # type: ignore[attr-defined]
