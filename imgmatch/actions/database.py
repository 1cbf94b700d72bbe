"""An index whose home is a database: what it is made of stands there, and each machine has engine files of its own.

The engine files are made from the catalog alone, so that a machine needs nothing but the URL. They lie below
``$IMGMATCH_ENGINES``, else in the cache of whoever runs imgmatch, in a folder that is called by the catalog's token.
"""

from __future__ import annotations

import os
import platform
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.catalog import migrations
from imgmatch.catalog.copying import is_half_a_copy
from imgmatch.catalog.places import (
    drop_old_places,
    has_settings,
    is_noted,
    note_place,
    read_settings,
    write_settings,
)
from imgmatch.catalog.shards import note_shards, read_shards
from imgmatch.catalog.tokens import make_own_token, new_token, own_token
from imgmatch.engines.folder import Layout
from imgmatch.engines.header import FORMAT_VERSION, Header, refuse_unknown_names
from imgmatch.errors import ConflictError, IndexNotFoundError, IndexReadOnlyError, MissingExtraError, NotAnIndexError
from imgmatch.homes import naming, without_password

if TYPE_CHECKING:
    from imgmatch.catalog.base import Catalog

ENGINES = "IMGMATCH_ENGINES"
"""The environment variable that says where engine files of databases lie."""

PLACE_DAYS = 30
"""A folder of engine files that nobody opened for so long makes them anew when somebody does."""


def is_index(home: str) -> bool:
    """Whether there is an index in the database.

    Raises:
        IndexUnusableError: it cannot be reached.
    """
    with closing(registry.open_catalog(home)) as catalog:
        if not catalog.exists():
            return False
        with catalog.read() as session:
            return has_settings(session)


def make(home: str, header: Header) -> None:
    """Make an index in a database that has no tables; one that is there already is left as it is.

    Args:
        home: the URL.
        header: what it is made of.

    Raises:
        NotAnIndexError: there are tables of something else.
        IndexUnusableError: the database is not there, or cannot be written.
    """
    with closing(registry.open_catalog(home)) as catalog, naming(without_password(home)):
        catalog.refuse_another()
        catalog.migrate()
        with catalog.write() as session:
            if is_half_a_copy(session):
                raise ConflictError(
                    f"{without_password(home)} holds half a copy: the same imgmatch copy goes on with it"
                )
            if not has_settings(session):
                write_settings(session, header.hashers, header.engine, header.codebook)


def opened(home: str) -> tuple[Layout, Header, Catalog]:
    """The folder of engine files, its header, and the catalog, which is to be closed.

    Raises:
        IndexNotFoundError: there is no index in the database, or no database.
        IndexUnusableError: it cannot be reached, or used.
    """
    catalog = registry.open_catalog(home)
    try:
        with naming(without_password(home)):
            layout, header = _placed(home, catalog)
    except BaseException:
        catalog.close()
        raise
    return layout, header, catalog


def _placed(home: str, catalog: Catalog) -> tuple[Layout, Header]:
    version = catalog.version()
    migrations.refuse_newer(version)
    if version == 0:
        raise _not_found(home)
    if version < migrations.VERSION:
        catalog.migrate()
    with catalog.read() as session:
        if not has_settings(session):
            raise _not_found(home)
        hashers, engine, codebook = read_settings(session)
        token = own_token(session)
    if token is None:
        with catalog.write() as session:
            token = make_own_token(session)
    new = Header(FORMAT_VERSION, hashers, engine, codebook, catalog=token)
    refuse_unknown_names(without_password(home), new)
    root = _engines() / token
    header = _header(root, new)
    layout = Layout(root, header.place)
    assert header.place is not None  # noqa: S101 -- see _header
    _note(catalog, header.place)
    return layout, header


def _not_found(home: str) -> IndexNotFoundError:
    return IndexNotFoundError(f"there is no index in {without_password(home)}; make one with: imgmatch scan")


def _engines() -> Path:
    named = os.environ.get(ENGINES)
    if named:
        return Path(named)
    try:
        from platformdirs import user_cache_path  # noqa: PLC0415 -- only who has a database needs it
    except ModuleNotFoundError:
        missing = 'engine files of a database need platformdirs: pip install "imgmatch[postgresql]"'
        raise MissingExtraError(missing) from None
    return user_cache_path("imgmatch") / "engines"


def _header(root: Path, new: Header) -> Header:
    """The header of a folder, which is made if it is not there, with its place."""
    layout = Layout(root)
    if not layout.exists():
        try:
            root.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise IndexReadOnlyError(f"{root.parent} cannot be made ({error.strerror or error})") from None
        layout.create(replace(new, place=new_token()))
    layout.refuse_strange()
    header = layout.header()
    if header.place is None or (header.hashers, header.engine, header.codebook) != (
        new.hashers,
        new.engine,
        new.codebook,
    ):
        raise NotAnIndexError(f"{root} holds engine files of something else; drop the folder")
    return header


def _note(catalog: Catalog, place: str) -> None:
    with catalog.read() as session:
        if is_noted(session, place):
            return
    try:
        with catalog.write() as session:
            note_place(session, place, platform.node())
            if (shards := read_shards(session)) is not None:
                note_shards(session, shards.place)
            drop_old_places(session, PLACE_DAYS)
    except IndexReadOnlyError:  # who only reads publishes nothing, and needs nothing kept in mind
        return
