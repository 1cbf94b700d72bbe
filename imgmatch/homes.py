"""Where an index is: a folder, or a database that a URL names."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from imgmatch.errors import IndexDamagedError, IndexTooNewError, NotAnIndexError

if TYPE_CHECKING:
    from collections.abc import Iterator

Home: TypeAlias = Path | str
"""A folder is a ``Path``, a database the text of its URL."""

Homelike: TypeAlias = str | os.PathLike[str]
"""What callers may name one by."""

_SECRETS = {"password", "sslpassword", "passfile"}
"""Options of a URL that stay on the machine that has them."""


def as_home(home: Homelike) -> Home:
    """The home that is meant."""
    text = os.fspath(home)
    if "://" not in text:
        return Path(text)
    scheme, _, rest = text.partition("://")
    return f"postgresql://{rest}" if scheme == "postgres" else text  # libpq takes both


def without_password(home: Homelike) -> str:
    """For messages: of a URL neither the password, nor the options, which may hold one."""
    scheme, separator, rest = os.fspath(home).partition("://")
    if not separator:
        return scheme
    where, slash, tail = rest.partition("/")
    user, at, host = where.rpartition("@")
    return f"{scheme}://{user.partition(':')[0]}{at}{host}{slash}{tail.partition('?')[0]}"


def without_secrets(url: str) -> str:
    """The URL of a database as another machine may be told it, which knows the password itself."""
    where, question, options = url.partition("?")
    scheme, _, rest = where.partition("://")
    place, slash, tail = rest.partition("/")
    user, at, host = place.rpartition("@")
    kept = [option for option in options.split("&") if option.partition("=")[0] not in _SECRETS]
    return f"{scheme}://{user.partition(':')[0]}{at}{host}{slash}{tail}{question if any(kept) else ''}{'&'.join(kept)}"


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Have what a catalog complains of name the index."""
    try:
        yield
    except (IndexTooNewError, NotAnIndexError, IndexDamagedError) as error:
        if name in str(error):
            raise
        raise type(error)(f"index {name}: {error}") from None
