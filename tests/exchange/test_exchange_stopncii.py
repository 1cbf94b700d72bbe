from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hash_lists import bad, good, hashes, others, read, reasons

from imgmatch.errors import SourceError
from imgmatch.exchange.json_text import MOST_RECORD
from imgmatch.exchange.lists import ListOptions, read_list
from imgmatch.model import BadEntry, ListedHash

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO, THREE = hashes(3)


def record(value: str = ONE, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 -- whatever JSON holds
    """A record as a partner writes it."""
    return {
        "lastModtimestamp": 1_625_175_071,
        "signalType": "ImagePDQ",
        "hashValue": value,
        "hashStatus": "Active",
        **fields,
    }


def test_a_record_tells_cases_and_what_others_say() -> None:
    given = record(
        caseNumbers={"c1": "Active", "c2": "Withdrawn"},
        CSPFeedbacks=[
            {"source": "A", "feedbackValue": "Blocked", "tags": ["Nude", "Other"]},
            {"source": "B", "feedbackValue": "NotBlocked", "tags": []},
        ],
    )
    assert read(json.dumps(given)) == [
        ListedHash(
            bytes.fromhex(ONE),
            modified=1_625_175_071,
            tags=("case:c1",),
            opinions=(("A", "Blocked: Nude, Other"), ("B", "NotBlocked")),
        )
    ]


@pytest.mark.parametrize(("status", "is_gone"), [("Received", False), ("Withdrawn", True), ("Deleted", True)])
def test_a_record_stands_or_is_withdrawn_by_its_status(status: str, is_gone: bool) -> None:  # noqa: FBT001
    (entry,) = read(json.dumps([record(hashStatus=status, caseNumbers={"c": status})]))
    assert isinstance(entry, ListedHash)
    assert entry.withdrawn is is_gone
    assert entry.tags == ("case:c",)


RECORDS = [record(ONE, CSPFeedbacks=[{"source": "A"}]), record(TWO, signalType="VideoMD5"), record(THREE)]
LINES = "\n".join(map(json.dumps, RECORDS))
PAGE = json.dumps({"count": 3, "next": {"a": [1]}, "hashRecords": RECORDS, "hasMore": False})


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(RECORDS),
        json.dumps(RECORDS, indent=4),
        json.dumps([{**one, "more": [{"n": n} for n in range(2_000)]} for one in RECORDS], indent=0),
        PAGE,
        json.dumps(json.loads(PAGE), indent=1),
        LINES,
        LINES.replace("\n", "\r\n") + "\r\n",
        "\n".join(json.dumps(one, indent=2) for one in RECORDS),
        json.dumps(RECORDS[:1]) + "\n" + json.dumps(RECORDS[1:]),
    ],
    ids=[
        "array",
        "indented",
        "not indented",
        "page",
        "indented page",
        "lines",
        "CRLF lines",
        "indented records",
        "two arrays",
    ],
)
def test_records_stand_in_an_array_in_an_object_round_one_or_one_a_line(text: str) -> None:
    found = read(text)
    assert good(found) == [ONE, THREE]
    assert others(found) == [2]
    assert bad(found) == []


def test_pages_may_follow_each_other() -> None:
    found = read(f"{PAGE}\n{PAGE}")
    assert (good(found), others(found)) == ([ONE, THREE] * 2, [2, 5])


BROKEN: list[str] = [
    *map(
        json.dumps,
        [
            record("12"),
            record(hashValue=12),
            record(hashValue=None),
            record(signalType=None),
            record(signalType=["ImagePDQ"]),
            record(hashStatus="Frozen"),
            record(lastModtimestamp=True),
            record(lastModtimestamp="soon"),
            record(lastModtimestamp=-1),
            record(caseNumbers=7),
            record(caseNumbers={"a": {}}),
            record(CSPFeedbacks={"a": 1}),
            record(CSPFeedbacks=[1]),
            record(CSPFeedbacks=[{"source": "\ud800"}]),
            record(CSPFeedbacks=[{"source": "\0"}]),
            record(tags="a"),
            [record()],
            "text",
            17,
            None,
        ],
    ),
    json.dumps(record())[:-1] + f',"hashValue":"{TWO}"}}',
    json.dumps(record())[:-1] + ',"x":NaN}',
    json.dumps(record())[:-1] + ',"x":' + "9" * 5_000 + "}",
    json.dumps(record())[:-1] + ',"x":' + "[" * 100_000 + "]" * 100_000 + "}",
    json.dumps(record())[:-1] + ',"x":"' + "y" * (MOST_RECORD + 1) + '"}',
    json.dumps(record())[:-1],
    json.dumps(record())[:90],
    json.dumps(record()).replace(":", " ", 1),
    "{'hashValue': 1}",
    "}",
]


@pytest.mark.parametrize("line", BROKEN, ids=range(len(BROKEN)))
@pytest.mark.parametrize("form", ["lines", "array"])
def test_a_broken_record_is_named_and_its_neighbours_are_read(form: str, line: str) -> None:
    given = [json.dumps(record(TWO)), line, json.dumps(record(THREE))]
    found = read("\n".join(given) if form == "lines" else "[\n" + ",\n".join(given) + "\n]", "stopncii")
    assert good(found) == [TWO, THREE]
    assert bad(found) == [2]
    assert len(reasons(found)[0]) < 250


def test_a_list_on_one_line_names_a_broken_record_by_its_number() -> None:
    whole = json.dumps(record(TWO))
    found = read(f"[{whole},{whole.replace(':', ' ', 1)}, 7,{whole}]")
    assert (good(found), bad(found)) == ([TWO, TWO], [2, 3])


@pytest.mark.parametrize(
    "text", [json.dumps(RECORDS), PAGE, json.dumps(RECORDS, indent=1)], ids=["array", "page", "deep"]
)
@pytest.mark.parametrize("missing", range(1, 60, 7))
def test_a_list_whose_end_is_missing_gives_what_comes_before_and_says_once_that_it_breaks_off(
    text: str, missing: int
) -> None:
    at = text.index(THREE) + len(THREE) - missing
    found = read(text[:at])
    assert good(found) == [ONE]
    assert bad(found) == [3]
    assert "breaks off" in reasons(found)[-1]
    assert isinstance(found[-1], BadEntry)
    assert found[-1].is_end
    found = read(text.rstrip("\n]} ") if text is not PAGE else text[: text.rindex("]")])
    assert bad(found) == [3] if text is not PAGE else [4]


def test_what_is_no_list_of_records_is_refused() -> None:
    with pytest.raises(SourceError, match="no array of records"):
        read(json.dumps({"answer": {"hashRecords": RECORDS}, "others": [1, [record()]]}))
    assert bad(read('{"count": 1, "things": [1, 2]}')) == [1]
    with pytest.raises(SourceError, match="not JSON"):
        read("hello", "stopncii")
    assert read("", "stopncii") == []
    assert read("[]") == []
    assert read('{"hashRecords": []}') == []


def test_junk_beside_the_records_of_a_page_does_not_matter() -> None:
    junk = '"x": [1, [2, "]"], {"y": "}"}], "z": {"hashRecords": 1}, "w": "\\"[{", '
    assert good(read("{" + junk + '"hashRecords": ' + json.dumps(RECORDS) + "}")) == [ONE, THREE]


@pytest.mark.slow
def test_where_a_window_ends_does_not_matter() -> None:
    values = hashes(24_000)
    tags = ['\\"]}{[,"\\\\' * (number % 7) for number in range(len(values))]
    whole = [json.dumps(record(value, tags=[f"x{tag}"])) for value, tag in zip(values, tags, strict=True)]
    whole[5_000] = whole[5_000][:-3] + '\\"\\\\' * 3_000_000 + '"]}'
    found = read("[" + ",".join(whole) + "]")
    assert good(found) == values[:5_000] + values[5_001:]
    assert bad(found) == [5_001]
    assert [entry.tags for entry in found if isinstance(entry, ListedHash)] == [
        (f"x{tag}",) for number, tag in enumerate(tags) if number != 5_000
    ]


@pytest.mark.parametrize(
    "junk",
    ['"' + "x" * 20_000_000, "[" * 20_000_000, '{"a":' * 500_000, "9" * 20_000_000, '"\\' * 10_000_000],
    ids=["text", "arrays", "objects", "digits", "escapes"],
)
@pytest.mark.slow
def test_the_memory_for_a_hostile_record_is_bounded(tmp_path: Path, junk: str) -> None:
    path = tmp_path / "list.json"
    path.write_text("[" + json.dumps(record()) + ",\n" + junk)
    del junk
    tracemalloc.start()
    try:
        found = [entry for entry in read_list(path, ListOptions()) if not isinstance(entry, ListedHash)]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found
    assert most < 64 << 20
