"""Row ids in 4,096 slots, by which parts of a table are handed out to those who hold an engine between them.

The database picks the rows of some slots itself, so that who holds a part reads no more than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Select

SLOTS = 4096

SelectT = TypeVar("SelectT", bound="Select[Any]")


def within_slots(query: SelectT, row: ColumnElement[int], slots: Collection[int] | None) -> SelectT:
    """The same query, but only for rows in some slots; for all where none are given."""
    return query if slots is None else query.where((row % SLOTS).in_(sorted(slots)))
