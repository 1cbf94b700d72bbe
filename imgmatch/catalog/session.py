"""What a reader or writer of the catalog holds, and hands to the functions that read and write rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from sqlalchemy import Connection


@final
class Session:
    """One transaction of a catalog; :meth:`imgmatch.catalog.base.Catalog.read` and ``write`` give it out.

    Attributes:
        sql: the connection; for modules of ``imgmatch.catalog`` alone.
    """

    __slots__ = ("sql",)

    def __init__(self, sql: Connection) -> None:
        self.sql = sql
