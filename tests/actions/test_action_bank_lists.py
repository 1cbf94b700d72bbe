"""Hash lists into banks, whole, in parts and cut off, and out of them again."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import photos
import pytest
from banking import hit, named, pdq, said
from hash_lists import hashes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgmatch import ListOptions
from imgmatch.actions import bank_lists
from imgmatch.actions.decide import decide
from imgmatch.catalog import schema
from imgmatch.catalog.audit import read_audit
from imgmatch.errors import ConflictError, NotFoundError, SourceError, UnknownNameError
from imgmatch.exchange.lists import WRITTEN_FORMS
from imgmatch.index import Index
from imgmatch.model import Depth, ListImport, NewPhoto, Opinion, Purpose, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from imgmatch.actions.banks import Banks

VALUES = hashes(12)
COLUMNS = ("pdq", "ref", "withdrawn", "modified", "tags", "quality", "type")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("lists") / "index", depth=Depth.FINGERPRINT) as index:
        yield index


@pytest.fixture
def banks(opened: Index) -> Iterator[Banks]:
    yield opened.bank_lists
    clear(opened.bank_lists)
    with opened.parts.catalog.write() as session:
        session.sql.execute(schema.bank_opinions.delete())  # they outlive the banks


def clear(banks: Banks) -> None:
    for bank in banks.all():
        banks.delete(bank.name)


def brought(banks: Banks, path: Path, text: str | bytes, name: str = "acme", **choices: Any) -> ListImport:  # noqa: ANN401 -- as of the import
    form = choices.pop("form", None)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return banks.import_list(name, path, ListOptions(form), **choices)


def counts(done: ListImport) -> dict[str, int]:
    """What was counted, without what was not there."""
    names = ("read", "added", "updated", "unchanged", "removed", "other", "poor", "bad")
    return {name: getattr(done, name) for name in names if getattr(done, name)}


def table(*rows: dict[str, Any]) -> str:
    """A list in CSV."""
    lines = [",".join(str(row.get(column, "")) for column in COLUMNS) for row in rows]
    return "\n".join([",".join(COLUMNS), *lines]) + "\n"


def standing(banks: Banks, name: str = "acme") -> list[tuple[Any, ...]]:
    return [said(entry) for entry in banks.entries(name, limit=None)]


# -- into a bank ------------------------------------------------------------------------------------------------


def test_the_same_list_again_changes_nothing(banks: Banks, tmp_path: Path) -> None:
    text = table(*({"pdq": value, "ref": f"r{n}", "tags": "a b", "modified": n} for n, value in enumerate(VALUES)))
    assert counts(brought(banks, tmp_path / "l", text, purpose=Purpose.STOLEN)) == {"read": 12, "added": 12}
    before = banks.entries("acme", limit=None), banks.get("acme")
    assert banks.get("acme").purpose is Purpose.STOLEN
    for path in ("l", "other name"):
        assert counts(brought(banks, tmp_path / path, text)) == {"read": 12, "unchanged": 12}
        assert (banks.entries("acme", limit=None), banks.get("acme")) == before
    upper = text.replace(VALUES[0], VALUES[0].upper())
    assert counts(brought(banks, tmp_path / "l", upper)) == {"read": 12, "unchanged": 12}


def test_what_a_list_withdraws_is_removed_by_its_value_or_by_its_id(banks: Banks, tmp_path: Path) -> None:
    first: list[dict[str, Any]] = [
        {"pdq": VALUES[0]},
        {"pdq": VALUES[1], "ref": "a"},
        {"pdq": VALUES[2], "ref": "b"},
        {"pdq": VALUES[3]},
    ]
    brought(banks, tmp_path / "l", table(*first))
    gone: list[dict[str, Any]] = [
        {"pdq": VALUES[0], "withdrawn": "true"},
        {"ref": "a", "withdrawn": "true"},
        {"ref": "no", "withdrawn": "true"},
    ]
    assert counts(brought(banks, tmp_path / "l", table(*gone))) == {"read": 3, "removed": 2}
    assert [entry.pdq for entry in banks.entries("acme")] == VALUES[2:4]


def test_another_value_under_an_id_is_another_entry_and_other_words_are_not(banks: Banks, tmp_path: Path) -> None:
    brought(banks, tmp_path / "l", table({"pdq": VALUES[0], "ref": "a"}, {"pdq": VALUES[1], "ref": "b"}))
    a, b = banks.entries("acme")
    banks.say("acme", b.entry, Opinion.CONFIRMED, by="ana")
    banks.annotate("acme", a.entry, "ours")
    changed = table({"pdq": VALUES[2], "ref": "a"}, {"pdq": VALUES[1], "ref": "b", "tags": "x"})
    assert counts(brought(banks, tmp_path / "l", changed)) == {"read": 2, "updated": 2}
    b2, a2 = banks.entries("acme")
    assert (b2.entry, b2.tags, b2.opinion) == (b.entry, ("x",), Opinion.CONFIRMED)
    assert (a2.pdq, a2.ref, a2.entry > b.entry, a2.note) == (VALUES[2], "a", True, None)


def test_of_a_whole_list_what_is_no_longer_on_it_is_removed(banks: Banks, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"pdq": value, "modified": 5} for value in VALUES]
    brought(banks, tmp_path / "l", table(*rows))
    by_hand = banks.add_hash("acme", "0" * 64)
    older: dict[str, Any] = {"pdq": VALUES[1], "modified": 4, "tags": "old"}
    done = brought(banks, tmp_path / "l", table(rows[0], older, {"pdq": "bad"}, rows[2]), whole=True)
    assert counts(done) == {"read": 4, "unchanged": 3, "removed": 10, "bad": 1}
    assert [(entry.pdq, entry.tags) for entry in banks.entries("acme")] == [(value, ()) for value in VALUES[:3]]
    assert by_hand not in banks.entries("acme")
    assert counts(brought(banks, tmp_path / "l", table(), whole=True)) == {"removed": 3}


XML = '<?xml version="1.0"?><queryResult xmlns="https://hashsharing.ncmec.org/hashsharing/v2"><images count="9">'


def ncmec(*values: str) -> str:
    image = "<image><member id='1'>X</member><id>{0}</id><fingerprints><pdq>{0}</pdq></fingerprints></image>"
    return XML + "".join(image.format(value) for value in values)


@pytest.mark.parametrize(
    "broken",
    [
        ncmec(VALUES[0]),
        json.dumps([{"signalType": "ImagePDQ", "hashValue": VALUES[0]}])[:-1],
        "pdq\nnot a value\nnor this\n",
    ],
    ids=["xml", "json", "nothing usable"],
)
def test_a_whole_list_that_breaks_off_or_cannot_be_used_never_empties_a_bank(
    banks: Banks, tmp_path: Path, broken: str
) -> None:
    brought(banks, tmp_path / "l", table(*({"pdq": value, "modified": 3} for value in VALUES)))
    done = brought(banks, tmp_path / "l", broken, whole=True)
    assert done.bad
    assert done.removed == 0
    assert {entry.pdq for entry in banks.entries("acme")} >= set(VALUES)
    assert done.checkpoint == "3"


def test_the_checkpoint_is_the_latest_change_that_was_read_whole(banks: Banks, tmp_path: Path) -> None:
    def listed(*times: int | str, end: str = "]") -> str:
        records = [
            {"signalType": "ImagePDQ", "hashValue": VALUES[n], "lastModtimestamp": t} for n, t in enumerate(times)
        ]
        return json.dumps(records)[:-1] + end

    assert brought(banks, tmp_path / "l", listed()).checkpoint is None
    assert brought(banks, tmp_path / "l", listed(7, 9, 8)).checkpoint == "9"
    assert brought(banks, tmp_path / "l", listed(5)).checkpoint == "9"
    assert (
        brought(banks, tmp_path / "l", listed(20, 30, end="")).checkpoint == "9"
    )  # what may have followed is not known
    assert brought(banks, tmp_path / "l", listed(12)).checkpoint == "12"
    assert json.loads(banks.get("acme").checkpoint or "") == {"modified": 12}


def test_what_comes_twice_is_one_entry_and_the_last_word_counts_unless_it_is_older(
    banks: Banks, tmp_path: Path
) -> None:
    rows: list[dict[str, Any]] = [
        {"pdq": VALUES[0], "tags": "first"}, {"pdq": VALUES[0], "tags": "last"},
        {"pdq": VALUES[1], "modified": 9, "tags": "new"}, {"pdq": VALUES[1], "modified": 3, "tags": "old"},
        {"pdq": VALUES[2], "modified": 9}, {"pdq": VALUES[2], "modified": 3, "withdrawn": "true"},
        {"pdq": VALUES[3], "withdrawn": "true"}, {"pdq": VALUES[3]},
    ]  # fmt: skip
    done = brought(banks, tmp_path / "l", table(*rows))
    assert counts(done) == {"read": 8, "added": 4, "unchanged": 2}
    assert [(entry.pdq, entry.tags) for entry in banks.entries("acme")] == [
        (VALUES[0], ("last",)), (VALUES[1], ("new",)), (VALUES[2], ()), (VALUES[3], ()),
    ]  # fmt: skip


def test_poor_ones_and_other_kinds_are_counted_and_left_and_each_bad_line_is_named(
    banks: Banks, tmp_path: Path
) -> None:
    rows: list[dict[str, Any]] = [
        {"pdq": VALUES[0], "quality": 49}, {"pdq": VALUES[1], "quality": 50}, {"pdq": "x" * 32, "type": "md5"},
        *({"pdq": f"no{n}"} for n in range(30)), {"pdq": VALUES[2]},
    ]  # fmt: skip
    done = brought(banks, tmp_path / "l", table(*rows))
    assert counts(done) == {"read": 34, "added": 2, "other": 1, "poor": 1, "bad": 30}
    assert [bad.line for bad in done.first_bad] == list(range(5, 25))
    assert all("64 hexadecimal digits" in bad.reason for bad in done.first_bad)
    assert [entry.pdq for entry in banks.entries("acme")] == VALUES[1:3]


def test_what_others_say_is_filed_with_the_entry_and_not_sent_on(banks: Banks, tmp_path: Path) -> None:
    feedback = [{"source": "somebody", "feedbackValue": "Blocked", "tags": ["t"]}]
    record = {"signalType": "ImagePDQ", "hashValue": VALUES[0], "CSPFeedbacks": feedback, "caseNumbers": ["77"]}
    brought(banks, tmp_path / "l", json.dumps([record]))
    [entry] = banks.entries("acme")
    assert (dict(entry.metadata), entry.tags) == ({"opinion of somebody": "Blocked: t"}, ("case:77",))
    assert "somebody" not in exported(banks, "stopncii")


def test_what_cannot_be_imported_is_said_and_makes_no_bank(banks: Banks, tmp_path: Path) -> None:
    path = tmp_path / "l"
    with pytest.raises(SourceError, match="l"):
        banks.import_list("acme", path, ListOptions())
    for text, options, error in (
        ("", ListOptions(), SourceError),
        ("name\nx\n", ListOptions("csv"), SourceError),
        ("pdq\nx\n", ListOptions("csv", {"no such": "x"}), UnknownNameError),
        ("x", ListOptions("no such form"), UnknownNameError),
    ):
        path.write_text(text)
        with pytest.raises(error):
            banks.import_list("acme", path, options)
    path.write_text(VALUES[0] + "\n")
    with pytest.raises(ValueError, match="a bank's name is"):
        banks.import_list("../acme", path, ListOptions())
    with pytest.raises(ConflictError, match="filled by decisions"):
        banks.import_list("known-common", path, ListOptions())
    assert banks.all() == []


# -- a dry run, and one that is cut off --------------------------------------------------------------------------

VALUE, REF = st.integers(0, 3), st.sampled_from(["", "r1", "r2"])
ROW = st.fixed_dictionaries(
    {
        "pdq": VALUE.map(lambda number: VALUES[number]) | st.just("bad"),
        "ref": REF,
        "withdrawn": st.sampled_from(["", "", "true"]),
        "modified": st.sampled_from(["", "", "1", "2", "3"]),
        "tags": st.sampled_from(["", "a", "b"]),
        "quality": st.sampled_from(["", "", "", "20"]),
        "type": st.sampled_from(["", "", "", "md5"]),
    }
)
ROWS = st.lists(ROW, max_size=14)
often = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def obvious(*lists: list[dict[str, str]]) -> set[tuple[str, str | None, tuple[str, ...]]]:
    """What stands on a bank after lists, word by word."""
    held: dict[str, tuple[int | None, tuple[str, str | None, tuple[str, ...]]]] = {}
    for row in (row for rows in lists for row in rows):
        is_id_alone = row["withdrawn"] and row["ref"] and not row["pdq"]
        if row["type"] or (row["pdq"] == "bad" and not is_id_alone) or row["quality"]:
            continue
        key, modified = row["ref"] or row["pdq"], int(row["modified"]) if row["modified"] else None
        before = held[key][0] if key in held else None
        if modified is not None and before is not None and modified < before:
            continue
        held.pop(key, None)
        if not row["withdrawn"]:
            held[key] = modified, (row["pdq"], row["ref"] or None, (row["tags"],) if row["tags"] else ())
    return {word for _, word in held.values()}


def words(banks: Banks, name: str = "acme") -> set[tuple[str | None, str | None, tuple[str, ...]]]:
    return {(entry.pdq, entry.ref, entry.tags) for entry in banks.entries(name, limit=None)}


@pytest.mark.slow
@often
@given(first=ROWS, then=ROWS, at_once=st.integers(1, 6), whole=st.booleans())
def test_a_list_comes_to_the_same_however_it_is_cut_and_a_dry_run_says_just_that(
    opened: Index, tmp_path: Path, *, first: list[dict[str, str]], then: list[dict[str, str]], at_once: int, whole: bool
) -> None:
    banks = opened.bank_lists
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bank_lists, "AT_ONCE", at_once)
        for rows, known in ((first, [first]), (then, [first, then])):
            path = tmp_path / "list"
            path.write_text(table(*rows))
            before = [(bank, banks.entries(bank.name)) for bank in banks.all()]
            choices = {"whole": whole and rows is then}
            foreseen = banks.import_list("acme", path, ListOptions(), dry_run=True, **choices)
            assert [(bank, banks.entries(bank.name)) for bank in banks.all()] == before
            done = banks.import_list("acme", path, ListOptions(), **choices)
            assert foreseen == replace(done, dry_run=True)
            if not choices["whole"]:
                assert words(banks) == obvious(*known)
        assert banks.get("acme").entries == len(words(banks))
    clear(banks)


@pytest.mark.slow
@often
@given(rows=ROWS, at_once=st.integers(1, 4), cut=st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=3))
def test_an_import_that_is_cut_off_anywhere_goes_on_with_the_same_list_and_ends_equal(
    opened: Index, tmp_path: Path, *, rows: list[dict[str, str]], at_once: int, cut: list[tuple[bool, int]]
) -> None:
    banks, path = opened.bank_lists, tmp_path / "list"
    path.write_text(table(*rows))
    options = ListOptions()
    take = bank_lists._take  # noqa: SLF001 -- to be cut off within it

    class Stopping:
        def __init__(self, left: int) -> None:
            self.left = left

        def step(self, *_: object) -> None:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bank_lists, "AT_ONCE", at_once)
        whole = banks.import_list("whole", path, options)
        for within, steps in cut:
            stopping = Stopping(steps)
            with pytest.MonkeyPatch.context() as cutting:
                if within:  # the transaction is taken back

                    def torn(*given: Any, **more: Any) -> None:  # noqa: ANN401 -- as it is
                        take(*given, **more)
                        stopping.step()  # noqa: B023 -- it is called before the next one

                    cutting.setattr(bank_lists, "_take", torn)
                try:
                    banks.import_list("acme", path, options, **({} if within else {"progress": stopping}))
                except KeyboardInterrupt:
                    continue
        last = banks.import_list("acme", path, options, dry_run=True)
        done = banks.import_list("acme", path, options)
        assert last == replace(done, dry_run=True)
    assert standing(banks) == standing(banks, "whole")
    assert banks.get("acme").checkpoint == banks.get("whole").checkpoint
    assert (done.checkpoint, done.read, done.bad) == (whole.checkpoint, whole.read, whole.bad)
    assert (done.other, done.poor, done.first_bad) == (whole.other, whole.poor, whole.first_bad)
    clear(banks)


def test_a_list_that_has_changed_since_it_was_cut_off_is_read_from_its_beginning(
    banks: Banks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_lists, "AT_ONCE", 2)
    path = tmp_path / "list"
    take, calls = bank_lists._take, iter([None, KeyboardInterrupt])  # noqa: SLF001 -- to be cut off within it

    def torn(*given: Any, **more: Any) -> None:  # noqa: ANN401 -- as it is
        if (error := next(calls)) is not None:
            raise error
        take(*given, **more)

    monkeypatch.setattr(bank_lists, "_take", torn)
    with pytest.raises(KeyboardInterrupt):
        brought(banks, path, table(*({"pdq": value} for value in VALUES)))
    assert len(banks.entries("acme")) == 2
    assert json.loads(banks.get("acme").checkpoint or "")["done"] == 2
    monkeypatch.setattr(bank_lists, "_take", take)
    done = brought(banks, path, table(*({"pdq": value} for value in reversed(VALUES))))
    assert counts(done) == {"read": 12, "added": 10, "unchanged": 2}
    assert banks.get("acme").checkpoint is None


KILLED = """
import os, sys
from pathlib import Path
from imgmatch import Index, ListOptions
from imgmatch.actions import bank_lists
bank_lists.AT_ONCE = 500
class Stopping:
    left = int(sys.argv[3])
    def step(self, *_):
        self.left -= 1
        if not self.left:
            print("there", flush=True)
            sys.stdin.read()
with Index.open(sys.argv[1]) as index:
    index.bank_lists.import_list("acme", Path(sys.argv[2]), ListOptions(), progress=Stopping())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9 on Windows")
def test_an_import_that_is_killed_goes_on_and_ends_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, path = tmp_path / "index", tmp_path / "list"
    path.write_text(table(*({"pdq": value, "ref": f"r{n}", "modified": n} for n, value in enumerate(hashes(2_750, 5)))))
    Index.create(home).close()
    for steps in (1, 2, 1):  # each goes on behind the one before
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(home), str(path), str(steps)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    monkeypatch.setattr(bank_lists, "AT_ONCE", 500)
    with Index.open(home) as index:
        assert index.bank_lists.get("acme").entries == 2_000
        done = index.bank_lists.import_list("acme", path, ListOptions())
        assert (done.read, done.added, done.checkpoint) == (2_750, 750, "2749")
        index.bank_lists.import_list("whole", path, ListOptions())
        assert standing(index.bank_lists) == standing(index.bank_lists, "whole")


# -- out of a bank ----------------------------------------------------------------------------------------------


def exported(banks: Banks, form: str, name: str = "acme", **choices: Any) -> str:  # noqa: ANN401 -- as of the export
    stream = io.StringIO(newline="")
    banks.export_list(name, stream, form, **choices)
    return stream.getvalue()


KEPT: dict[str, Callable[[tuple[Any, ...]], tuple[Any, ...]]] = {
    "hashes": lambda one: one[:1],
    "tx": lambda one: one[:1],
    "tx-csv": lambda one: (one[0], one[2], one[3]),
    "mih": lambda one: (one[0], one[4]),
    "stopncii": lambda one: (one[0], one[3], one[-1]),
    "csv": lambda one: one,
}
"""What of an entry each form has a place for: value, ref, category, tags, note, address, metadata, time of change."""


@pytest.mark.parametrize("form", WRITTEN_FORMS)
def test_what_is_exported_is_imported_into_another_index_equal(banks: Banks, tmp_path: Path, form: str) -> None:
    text = "pdq,ref,category,tags,note,uri,modified\n" + "".join(
        f'{value},r{n},c{n % 3},"a{n} b","note, {n}",https://x.example/{n},{n or ""}\n'
        for n, value in enumerate(VALUES)
    )
    brought(banks, tmp_path / "l", text)
    with Index.create(tmp_path / "other") as other:
        brought(other.bank_lists, tmp_path / form, exported(banks, form, with_sources=True), form=form)
        keep = KEPT[form]
        assert [keep(one) for one in standing(other.bank_lists)] == [keep(one) for one in standing(banks)]
        assert brought(other.bank_lists, tmp_path / "2", exported(other.bank_lists, form), form=form).added == 0


def test_more_entries_than_are_read_at_once_are_exported_in_order(
    banks: Banks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought(banks, tmp_path / "l", "\n".join(VALUES))
    monkeypatch.setattr(bank_lists, "AT_ONCE", 5)
    assert exported(banks, "hashes").split() == VALUES
    stream = io.StringIO()
    assert banks.export_list("acme", stream, "tx") == len(VALUES)


def test_opinions_are_exported_in_the_fields_of_each_form(banks: Banks, tmp_path: Path) -> None:
    brought(banks, tmp_path / "l", table(*({"pdq": value} for value in VALUES[:3])))
    confirmed, dismissed, _ = banks.entries("acme")
    banks.say("acme", confirmed.entry, Opinion.CONFIRMED, by="ana-the-moderator", reason="a-reason")
    banks.say("acme", dismissed.entry, Opinion.DISMISSED, by="ana-the-moderator", reason="a-reason")
    lines = exported(banks, "tx-csv").split("\n")
    assert [line.split(",")[3] for line in lines[1:4]] == ["POSITIVE_CLASS", "NEGATIVE_CLASS", ""]
    records = json.loads(exported(banks, "stopncii", source="site"))
    assert [one["CSPFeedbacks"] for one in records] == [
        [{"source": "site", "feedbackValue": "Blocked", "tags": []}],
        [{"source": "site", "feedbackValue": "NotBlocked", "tags": []}],
        [],
    ]
    assert "NEGATIVE_CLASS" in exported(banks, "csv")
    for form in ("hashes", "tx", "mih"):  # which cannot say that it is wrong
        assert [value in exported(banks, form) for value in VALUES[:3]] == [True, False, True]
    only = json.loads(exported(banks, "stopncii", opinions_only=True))
    assert [one["hashValue"] for one in only] == VALUES[:2]
    for form in WRITTEN_FORMS:
        assert "ana-the-moderator" not in exported(banks, form)
        assert "a-reason" not in exported(banks, form)
    for form in ("hashes", "tx", "mih"):  # there it would pass for right
        found = [value in exported(banks, form) for value in VALUES[:3]]
        assert found == [True, False, True]


def test_when_a_list_changed_an_entry_is_sent_on_and_an_export_stands_in_the_log(banks: Banks, tmp_path: Path) -> None:
    brought(banks, tmp_path / "l", table({"pdq": VALUES[0], "modified": "1700000000"}))
    assert [one.modified for one in banks.entries("acme")] == [1_700_000_000]
    [record] = json.loads(exported(banks, "stopncii", by="kim"))
    assert record["lastModtimestamp"] == 1_700_000_000
    with banks._parts.catalog.read() as session:  # noqa: SLF001 -- the log is the index's
        [last] = read_audit(session, before=None, limit=1)
    assert (last.actor, last.action, last.subject) == ("kim", "export", "acme: 1 entries as stopncii")


@pytest.mark.slow
def test_nothing_of_paths_labels_and_accounts_leaves_but_what_is_asked_for(tmp_path: Path) -> None:
    secret = tmp_path / "secret-folder"
    secret.mkdir()
    (secret / "secret-name.jpg").write_bytes(photos.jpeg(photos.picture(1, (160, 200))))
    with Index.create(tmp_path / "index", depth=Depth.FINGERPRINT) as index:
        banks = index.bank_lists
        for account in ("secret-account", "secret-other"):
            index.add(
                [NewPhoto.at(secret / "secret-name.jpg", account=account, name="secret-person", photo_id=account)]
            )
        banks.create("acme", owner="secret-owner", note="secret-note of the bank")
        banks.add_photo(
            "acme", named((secret / "secret-name.jpg").read_bytes(), str(secret / "secret-name.jpg")), by="secret-by"
        )
        filed: dict[str, Any] = {"uri": "https://secret-uri.example", "metadata": {"secret-key": "secret-value"}}
        entry = banks.add_hash("acme", VALUES[0], ref="r", note="told", tags=["told-tag"], by="secret-by", **filed)
        banks.say("acme", entry.entry, Opinion.DISMISSED, by="secret-by", reason="secret-reason")
        [ring] = index.rings().rings
        decide(index.parts, Verdict.CONFIRM, ring=ring.ring, by="secret-by", reason="secret-reason")
        for form in WRITTEN_FORMS:
            for name in ("acme", "known-stolen"):
                text = exported(banks, form, name)
                assert "secret" not in text
                assert len(text) > 64
        assert "told-tag" in exported(banks, "csv")
        asked = exported(banks, "csv", with_sources=True)
        assert "secret-uri" in asked
        assert "secret-name.jpg" in asked
        assert not {"secret-folder", "secret-account", "secret-person", "secret-by", "secret-key"} & set(
            words_of(asked)
        )


def words_of(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() or letter == "-" else " " for letter in text).split()


def test_what_is_not_there_or_in_no_known_form_is_said(banks: Banks) -> None:
    banks.create("acme")
    with pytest.raises(NotFoundError, match="no bank 'none'"):
        exported(banks, "csv", "none")
    with pytest.raises(UnknownNameError, match="no form"):
        exported(banks, "ncmec")


def test_a_list_is_looked_up_and_hit_as_soon_as_it_is_there_and_no_longer_than_that(
    banks: Banks, opened: Index, tmp_path: Path
) -> None:
    image = photos.picture(1, (160, 200))
    asked = photos.jpeg(image)
    brought(banks, tmp_path / "l", "\n".join([*VALUES, pdq(image)]), purpose=Purpose.STOLEN)
    assert [name for name, _ in hit(opened.check(asked))] == ["acme"]
    assert banks.state().size == 13
    brought(banks, tmp_path / "l", "\n".join(VALUES), whole=True)
    assert (opened.check(asked).banks, banks.lookup(pdq(image))) == ((), ())
    assert [found.evidence.distance for found in banks.lookup(VALUES[0])] == [0]


@pytest.mark.slow
def test_a_hundred_thousand_lines_of_which_one_in_a_hundred_is_broken_are_imported_and_looked_up(
    banks: Banks, tmp_path: Path
) -> None:
    drawn = random.Random(3)
    values = hashes(100_000, 9)
    lines = [value if drawn.random() > 0.01 else value[:40] for value in values]
    broken = [number for number, line in enumerate(lines, start=1) if len(line) < 64]
    done = brought(banks, tmp_path / "l", "\r\n".join(lines))
    assert (done.read, done.added, done.bad) == (100_000, 100_000 - len(broken), len(broken))
    assert [bad.line for bad in done.first_bad] == broken[:20]
    [found] = banks.lookup(lines[-1] if len(lines[-1]) == 64 else lines[-2])
    assert found.evidence.distance == 0
    assert counts(brought(banks, tmp_path / "l", "\r\n".join(lines))) == {
        "read": 100_000, "unchanged": done.added, "bad": done.bad,
    }  # fmt: skip
