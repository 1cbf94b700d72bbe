"""The same tests with every catalog in PostgreSQL: ``make test-postgresql``.

With ``-p over_postgresql``, the catalog of an index in a folder is a database of a server of the tests' own, which the
folder is noted to belong to; a folder that is copied gets a copy of its database. Tests marked ``sqlite`` look into the
file, and are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from imgmatch import registry
from imgmatch.catalog.places import note_place
from imgmatch.catalog.postgresql import PostgresqlCatalog

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from postgresql_server import Server

_NOTE = ".gitignore"
"""A file that may lie in any folder of an index."""


class Databases:
    """Which database is the catalog of which folder."""

    def __init__(self, server: Server) -> None:
        from postgresql_server import database_of  # noqa: PLC0415 -- pytest loads it later, as a plugin

        self._server, self._name = server, database_of
        self._made: dict[str, str] = {}
        self._template = server.database()
        catalog = PostgresqlCatalog(self._template)
        catalog.migrate()
        with catalog.write() as session:  # engine files lie beside what would be the catalog, in a place without a name
            note_place(session, "", "here")
        catalog.close()

    def url(self, folder: Path) -> str:
        """Of the database of a folder, which is made with its tables if there is none."""
        place, note = str(folder.resolve()), folder / _NOTE
        where, _, name = (note.read_text() if note.is_file() else "").partition("\n")
        if where != place:
            original = name or self._name(self._template)
            if name:  # it is copied only while nobody is connected
                gone = "pid <> pg_backend_pid()"
                self._server.say(
                    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {gone} AND datname = '{name}'"
                )
            if name or place not in self._made:
                self._made[place] = self._server.database(original)
            if folder.is_dir():
                note.write_text(f"{place}\n{self._name(self._made[place])}")
            return self._made[place]
        return self._server.url(name)


databases: Databases


class InPostgresql(PostgresqlCatalog):
    """The catalog that a folder is noted to have."""

    def __init__(self, home: str | os.PathLike[str], **options: Any) -> None:  # noqa: ANN401 -- as of the class
        super().__init__(databases.url(Path(home)), **options)


@pytest.fixture(scope="session", autouse=True)
def _everywhere(postgresql: Server) -> Iterator[None]:
    global databases  # noqa: PLW0603 -- the class is opened by its name
    databases = Databases(postgresql)
    kept = dict(registry.CATALOGS)
    registry.CATALOGS = kept | {"file": "over_postgresql:InPostgresql"}
    yield
    registry.CATALOGS = kept


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if item.get_closest_marker("sqlite")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("sqlite")]
