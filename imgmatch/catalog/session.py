"""What a reader or writer of the catalog holds, and hands to the functions that read and write rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from imgmatch.catalog.dialects import is_postgresql
from imgmatch.catalog.times import now

if TYPE_CHECKING:
    from sqlalchemy import Connection

_CLOCK = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


@final
class Session:
    """One transaction of a catalog; :meth:`imgmatch.catalog.base.Catalog.read` and ``write`` give it out.

    Attributes:
        sql: the connection; for modules of ``imgmatch.catalog`` alone.
    """

    __slots__ = ("sql",)

    def __init__(self, sql: Connection) -> None:
        self.sql = sql

    def now(self) -> int:
        """The present, in microseconds since 1970, by the one clock that all who share the catalog go by.

        Machines' own clocks may differ by minutes, and what one calls over another would not.
        """
        return int(self.sql.exec_driver_sql(_CLOCK).scalar_one()) if is_postgresql(self.sql) else now()
