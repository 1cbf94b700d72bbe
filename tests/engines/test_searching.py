"""One question to shards, whatever becomes of them while it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from drawn_records import BOOK, drawn_records, near_the_codes

from imgmatch.catalog.extent import SearchExtent
from imgmatch.catalog.shards import ShardRecord
from imgmatch.engines import searching
from imgmatch.engines.base import Hits
from imgmatch.engines.header import Header
from imgmatch.engines.neighbours import Neighbours
from imgmatch.engines.searching import Search
from imgmatch.engines.shards.gathering import Gathered
from imgmatch.engines.shards.questions import Both

if TYPE_CHECKING:
    import pytest

    from imgmatch.engines.shards.questions import Question

NOTHING = Neighbours(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))


def extent(shards: int, version: int) -> SearchExtent:
    last = {"fingerprints": 9, "features": 9, "bank_entries": 0}
    return SearchExtent(last, 0, ShardRecord("ray://nowhere", shards, 1, version, "place", 1.0))


class DividedAnew(Search):
    """Shards are four at the first question, of which one is missing; then they are five, and all answer."""

    def __init__(self) -> None:
        engines = cast("Any", None)  # nobody asks those of this machine
        super().__init__(engines, Header(1, ("phash",), "flat", BOOK.name), engines, engines)
        self.holders = cast("Any", self)
        self.asked_of: list[int] = []

    def extent(self) -> SearchExtent:
        return extent(5, 2)

    def ask(self, record: ShardRecord, question: Question[Any], *_: object) -> Gathered[Any]:
        self.asked_of.append(record.shards)
        found = (Hits.none(), NOTHING) if isinstance(question, Both) else NOTHING
        if len(self.asked_of) == 1:
            return Gathered(dict.fromkeys((0, 1, 3), found), {2: "no answer in time"})
        if record.shards == 4:
            return Gathered({}, {}, is_outdated=True)
        return Gathered(dict.fromkeys(range(5), found), {})


def test_what_is_missing_stays_said_where_shards_are_divided_anew_in_the_middle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The fingerprints of the missing shard were asked for in the first part only, and are not in the answer."""
    monkeypatch.setattr(searching, "_ASKED_AT_ONCE", 40)
    features = near_the_codes(drawn_records(), 5, 60)
    search = DividedAnew()
    found = search.both(np.zeros((8, 32), np.uint8), 31, [features], 10, extent(4, 1))
    assert search.asked_of[:3] == [4, 4, 5]
    assert found.missing == ("shard 3 of 4",)
