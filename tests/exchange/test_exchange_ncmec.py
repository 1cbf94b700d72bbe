from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hash_lists import bad, good, hashes, others, read, reasons

from imgmatch.errors import SourceError
from imgmatch.exchange.lists import ListOptions, WithdrawnRef, read_list
from imgmatch.model import BadEntry, ListedHash

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO, THREE = hashes(3)
DECLARED = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def image(value: str, number: int = 1, more: str = "") -> str:
    """A record, as the service writes one."""
    return (
        f'<image><member id="42">A member</member><timestamp>2017-10-24T15:00:00Z</timestamp><id>i{number}</id>'
        f"<classification>A1</classification><fingerprints>{value}</fingerprints>{more}</image>"
    )


def listed(records: str, space: str = ' xmlns="https://example.org/v2"') -> str:
    """A list round records."""
    images = f'<images count="1" maxTimestamp="2017-10-24T15:10:00Z">{records}</images>'
    return f"{DECLARED}<queryResult{space}>{images}</queryResult>"


def test_the_pdq_value_of_an_image_is_read_and_its_other_hashes_are_counted() -> None:
    found = read(listed(image(f"<md5>{MD5}</md5><pdq>\n {ONE.upper()} </pdq><pdna>zzz</pdna>")))
    assert good(found) == [ONE]
    assert others(found) == [1, 1]
    assert next(entry for entry in found if isinstance(entry, ListedHash)) == ListedHash(
        bytes.fromhex(ONE), ref="42-i1", modified=1_508_857_200, category="A1"
    )


def test_what_was_deleted_is_withdrawn_by_its_id() -> None:
    gone = (
        '<deletedImage><member id="43">B</member><id>i4</id><timestamp>2017-10-24T15:10:00Z</timestamp></deletedImage>'
    )
    assert read(listed(gone)) == [WithdrawnRef("43-i4", 1_508_857_800)]
    assert bad(read(listed('<deletedImage><member id="43">B</member></deletedImage>'))) == [1]


def test_what_was_deleted_and_still_has_its_hash_is_a_withdrawn_entry() -> None:
    (entry,) = read(listed(f"<deletedImage><id>i4</id><fingerprints><pdq>{ONE}</pdq></fingerprints></deletedImage>"))
    assert entry == ListedHash(bytes.fromhex(ONE), ref="i4", withdrawn=True)


def test_videos_are_of_another_kind() -> None:
    gone = "<deletedVideo><id>w</id></deletedVideo>"
    records = f"<video><id>v</id><fingerprints><md5>{MD5}</md5><pdq>{ONE}</pdq></fingerprints></video>{gone}"
    found = read(listed(records))
    assert (good(found), others(found)) == ([], [1, 1, 2])


def test_what_members_say_of_the_pdq_value_is_kept_and_of_other_hashes_not() -> None:
    said = (
        '<feedback><affirmativeFeedback type="Md5"><members><member id="1">X</member></members></affirmativeFeedback>'
        '<affirmativeFeedback type="Pdq"><members><member id="2">Y</member></members></affirmativeFeedback>'
        '<negativeFeedback type="Pdq"><reasons><reason name="r"/><members><member id="3">Z</member></members></reasons>'
        "</negativeFeedback></feedback>"
    )
    (entry,) = read(listed(image(f"<pdq>{ONE}</pdq>", more=said)))
    assert isinstance(entry, ListedHash)
    assert entry.opinions == (("Y", "affirmative"), ("Z", "negative"))
    assert entry.ref == "42-i1"


@pytest.mark.parametrize("space", ["", ' xmlns="urn:a"', ' xmlns:n="urn:b"'])
def test_namespaces_do_not_matter(space: str) -> None:
    text = listed(image(f"<pdq>{ONE}</pdq>"), space)
    if ":n" in space:
        text = text.replace("</", "</n:").replace("<image", "<n:image").replace("<queryResult", "<n:queryResult")
        for name in ("member ", "timestamp", "id>", "classification", "fingerprints", "pdq"):
            text = text.replace(f"<{name}", f"<n:{name}")
    assert good(read(text)) == [ONE]


@pytest.mark.parametrize(
    "broken",
    [
        "<pdq>12</pdq>",
        "<pdq/>",
        f"<pdq>{'f' * 100_000}</pdq>",
        '<pdq rel="self" href="/v2/entries/1/fingerprints/PDQ"/>',
        "",
        f"<pdq>{ONE}</pdq></fingerprints><fingerprints><pdq>{TWO}</pdq>",
        f"<pdq>{ONE[:30]}<b/>{ONE[31:]}</pdq>",
    ],
)
def test_a_record_that_cannot_be_used_is_named_by_its_number(broken: str) -> None:
    found = read(listed(image(f"<pdq>{TWO}</pdq>") + image(broken, 2) + image(f"<pdq>{THREE}</pdq>", 3)))
    assert bad(found) == [2]
    assert [value for value in good(found) if value != ONE] == [TWO, THREE]
    assert len(reasons(found)[0]) < 200


def test_utf_16_is_read_whatever_the_declaration_says() -> None:
    text = listed(image(f"<pdq>{ONE}</pdq>"))
    for encoding in ("utf-16", "utf-32", "utf-8-sig"):
        assert good(read(text.encode(encoding), "ncmec")) == [ONE]
    assert good(read(text.replace("UTF-8", "UTF-16").encode("utf-16"))) == [ONE]
    assert good(read(text.replace("UTF-8", "ISO-8859-1").replace("A member", "Ä").encode("latin-1"))) == [ONE]


LAUGHS = "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10}">' for n in range(2, 10))


@pytest.mark.parametrize(
    "inside",
    [
        f'[<!ENTITY lol1 "lol">{LAUGHS}]',
        '[<!ENTITY x SYSTEM "file:///etc/passwd">]',
        'SYSTEM "http://localhost/x.dtd"',
        "",
    ],
    ids=["billion laughs", "external entity", "external type", "empty"],
)
def test_a_document_type_is_refused_by_name(inside: str) -> None:
    image = "<image><id>&lol9;</id></image>"
    text = f'<?xml version="1.0"?><!DOCTYPE lolz {inside}><queryResult><images>{image}</images></queryResult>'
    with pytest.raises(SourceError, match="document type, lolz"):
        read(text)


def test_an_entity_that_nobody_declared_ends_the_reading() -> None:
    found = read(listed(image(f"<pdq>{ONE}</pdq>") + image("<pdq>&lol;</pdq>", 2) + image(f"<pdq>{TWO}</pdq>", 3)))
    assert (good(found), bad(found)) == ([ONE], [2])
    assert "line 2" in reasons(found)[-1]


@pytest.mark.parametrize("missing", range(1, 320, 11))
def test_a_list_whose_end_is_missing_gives_what_comes_before_and_says_where_it_breaks_off(missing: int) -> None:
    text = listed(image(f"<pdq>{ONE}</pdq>") + image(f"<pdq>{TWO}</pdq>", 2))
    found = read(text[:-missing])
    whole = good(found)
    assert whole == [ONE, TWO][: len(whole)]
    assert isinstance(found[-1], BadEntry)
    assert found[-1].line == len(whole) + 1
    assert "breaks off" in found[-1].reason
    assert found[-1].is_end


def test_what_is_no_list_is_refused() -> None:
    with pytest.raises(SourceError, match="one of rss"):
        read("<rss><item>1</item></rss>")
    with pytest.raises(SourceError, match="not XML"):
        read("<<<", "ncmec")
    with pytest.raises(SourceError, match="not XML"):
        read("", "ncmec")
    assert read("<queryResult/>") == []


@pytest.mark.parametrize(
    "junk",
    ["<a>" * 1_000_000, f'<a b="{"x" * 20_000_000}"/>', f"<!--{'x' * 20_000_000}-->", f"<pdq>{'x' * 20_000_000}</pdq>"],
    ids=["depth", "attribute", "comment", "text"],
)
def test_the_memory_for_hostile_xml_is_bounded(tmp_path: Path, junk: str) -> None:
    path = tmp_path / "list.xml"
    path.write_text(f"<queryResult><images>{image(f'<pdq>{ONE}</pdq>')}<image><fingerprints>{junk}")
    del junk
    tracemalloc.start()
    try:
        found = list(read_list(path, ListOptions()))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert good(found) == [ONE]
    assert bad(found)[-1] == 2
    assert most < 16 << 20


def test_more_names_than_a_list_can_have_end_the_reading() -> None:
    names = "".join(f"<n{number}/>" for number in range(20_000))
    found = read(listed(image(f"<pdq>{ONE}</pdq>") + names))
    assert (good(found), bad(found)) == ([ONE], [2])
    assert "names" in reasons(found)[-1]
