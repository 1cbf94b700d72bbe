from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from needing_tx import need_tx

need_tx()

from threatexchange.exchanges.clients.stopncii import api as stopncii  # noqa: E402 -- not where it is missing
from threatexchange.exchanges.fetch_state import (  # noqa: E402 -- the same
    FetchedSignalMetadata,
    SignalOpinion,
    SignalOpinionCategory,
)
from threatexchange.exchanges.helpers import SimpleFetchedSignalMetadata  # noqa: E402 -- the same
from threatexchange.exchanges.impl.fb_threatexchange_api import FBThreatExchangeOpinion  # noqa: E402 -- the same
from threatexchange.exchanges.impl.ncmec_api import NCMECSignalMetadata  # noqa: E402 -- the same
from threatexchange.exchanges.impl.stop_ncii_api import StopNCIISignalMetadata  # noqa: E402 -- the same

from imgmatch.exchange.tx_entries import from_line, to_line  # noqa: E402 -- the same

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.sets(st.text() | st.integers())
        | st.frozensets(st.integers())
    ),
    max_leaves=20,
)


@dataclass
class OurMetadata(FetchedSignalMetadata):  # type: ignore[misc]
    """What another extension may add."""

    note: str
    tags: set[str]

    def __post_init__(self) -> None:
        raise AssertionError("nothing is run")


@dataclass
class Elsewhere:
    """Not of tx's kind."""

    note: str


class Colour(Enum):
    RED = "r"


@given(PLAIN)
def test_plain_data_comes_back_as_it_was(value: Any) -> None:  # noqa: ANN401 -- any of it
    line = to_line(value)
    assert "\n" not in line
    again = from_line(line)
    assert again == value
    assert type(again) is type(value)
    assert to_line(again) == line


@pytest.mark.parametrize(
    "record",
    [
        FetchedSignalMetadata(),
        SimpleFetchedSignalMetadata(
            [SignalOpinion(is_mine=True, category=SignalOpinionCategory.POSITIVE_CLASS, tags={"a", "b"})]
        ),
        NCMECSignalMetadata({5: {"x"}, 7: set()}),
        StopNCIISignalMetadata(
            [
                stopncii.StopNCIICSPFeedback(
                    source="us", feedbackValue=stopncii.StopNCIICSPFeedbackValue.Blocked, tags={"t"}
                )
            ]
        ),
        FBThreatExchangeOpinion(
            is_mine=False,
            category=SignalOpinionCategory.NEGATIVE_CLASS,
            tags=set(),
            owner_app_id=5,
            descriptor_id=None,
        ),
        Colour.RED,
    ],
    ids=lambda record: type(record).__name__,
)
def test_records_of_every_exchange_of_tx_come_back_as_they_were(record: Any) -> None:  # noqa: ANN401 -- any of it
    again = from_line(to_line([("collab", record)]))
    assert again == [("collab", record)]
    assert str(again[0][1]) == str(record)


def test_a_record_of_another_extension_comes_back_and_nothing_of_it_is_run() -> None:
    record = object.__new__(OurMetadata)
    record.note, record.tags = "seen", {"a"}
    again = from_line(to_line(record))
    assert isinstance(again, OurMetadata)
    assert (again.note, again.tags) == ("seen", {"a"})


@pytest.mark.parametrize("value", [object(), Elsewhere("x"), b"bytes", {1: {2: print}}, [Colour]])
def test_what_could_not_be_read_again_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="an index cannot keep a"):
        to_line(value)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "{}",
        '{"tuple": 1}',
        '{"what": []}',
        '{"tuple": [], "set": []}',
        '{"set": [[]]}',
        '{"dict": [[1]]}',
        '{"member": ["test_tx_entries:Colour", "BLUE"]}',
        '{"member": ["os:environ", "PATH"]}',
        '{"member": []}',
        '{"record": ["subprocess:Popen", {"args": "true"}]}',
        '{"record": ["imgmatch:Index", {}]}',
        '{"record": ["not.loaded:Thing", {}]}',
        '{"record": ["threatexchange.exchanges.fetch_state:FetchedSignalMetadata", {"more": 1}]}',
        '{"record": ["threatexchange.exchanges.fetch_state:FetchedSignalMetadata.get_as_opinions", {}]}',
        '{"record": [["x"], {}]}',
        "[" * 100_000,
    ],
)
def test_a_line_of_anything_else_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="no entry of an index"):
        from_line(line)


def test_reading_a_line_loads_no_module() -> None:
    name = "threatexchange.extensions.text_tlsh"
    before = set(sys.modules)
    with pytest.raises(ValueError, match="not loaded"):
        from_line(json.dumps({"record": [f"{name}:Thing", {}]}))
    assert set(sys.modules) == before
