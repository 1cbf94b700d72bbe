"""One account, however it is spelt: in what is scanned, in what is asked for, and in an index of an older version."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import photos
import pytest
from older import make_old
from sqlalchemy import select

from imgmatch.actions.rings import find_rings
from imgmatch.catalog import schema
from imgmatch.index import Index
from imgmatch.model import NewPhoto, Skipped, SkipReason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = (160, 200)
OLD = {"u1-account": "u1-account ", "José": "Jose\u0301"}


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A manifest in which two accounts are spelt badly, and one is not; the three share a picture."""
    for number, seed in enumerate((1, 1, 1, 2), start=1):
        (tmp_path / f"{number}.jpg").write_bytes(photos.jpeg(photos.picture(seed, SIZE)))
    write(tmp_path, OLD["u1-account"], OLD["José"])
    return tmp_path


def write(folder: Path, first: str, second: str) -> None:
    lines = (f"{first},1.jpg", f"{second},2.jpg", "b,3.jpg", f"{first},4.jpg")
    (folder / "m.csv").write_text("\n".join(("account,photo", *lines)), encoding="utf-8")


@pytest.fixture
def old(world: Path) -> Iterator[Index]:
    """The manifest as an older version took it in, with a decision on two of its photos and a report."""
    with Index.open(world / "index", create=True) as index:
        index.scan([world / "m.csv"])
        ids = [NewPhoto.at(world / f"{n}.jpg", account=one).photo_id for n, one in enumerate(("u1-account", "José"), 1)]
        index.keep_report(index.rings())
        index.decide(Verdict.DISMISS, pair=(ids[0], ids[1]), by="ana")
        make_old(index.parts.catalog, OLD)
    with Index.open(world / "index") as index:
        yield index


def owners(index: Index) -> dict[str, str]:
    """The account of each photo, by its path and id."""
    with index.parts.catalog.read() as session:
        table, accounts = schema.photos.c, schema.accounts.c
        rows = session.sql.execute(select(table.path, table.photo_id, accounts.account).join(schema.accounts))
        return {f"{path.rpartition('/')[2]} {photo_id}": account for path, photo_id, account in rows}


def test_all_spellings_are_one_account_and_are_counted(world: Path) -> None:
    with Index.open(world / "index", create=True) as index:
        result = index.scan([world / "m.csv"])
        assert (result.added, result.respelt) == (4, 3)
        assert sorted(owners(index).values()) == ["José", "b", "u1-account", "u1-account"]
        write(world, "u1-account", "José\u200b")
        result = index.scan([world / "m.csv"], prune=True)
        assert (result.unchanged, result.removed, result.respelt) == (4, 0, 1)


@pytest.mark.slow
def test_a_program_spells_accounts_as_a_scan_does(world: Path) -> None:
    with Index.open(world / "index", create=True) as index:
        skipped = Skipped("x.jpg", SkipReason.UNREADABLE, "no picture", "b\ufeff")
        result = index.add([NewPhoto.at(world / "1.jpg", account=" b"), skipped])
        assert (result.added, result.respelt) == (1, 1)
        assert [match.photo.account for match in index.check(world / "2.jpg")] == ["b"]
        assert index.check(world / "2.jpg", account="\xa0b").matches == ()
        assert index.remove(account="b\u200b") == 1
        assert index.counts()["skipped"] == 0


@pytest.mark.sqlite
def test_an_older_index_has_one_account_for_all_spellings_and_a_scan_doubles_none_of_its_photos(
    old: Index, world: Path
) -> None:
    kept = owners(old)
    assert sorted(kept.values()) == ["José", "b", "u1-account", "u1-account"]
    derived = hashlib.sha256(f"u1-account \0{world / '1.jpg'}".encode()).hexdigest()[:20]
    assert f"1.jpg {derived}" in kept
    result = old.scan([world / "m.csv"], prune=True)
    assert (result.added, result.unchanged, result.removed, result.respelt) == (0, 4, 0, 3)
    write(world, "u1-account", "José")
    result = old.scan([world / "m.csv"], prune=True)
    assert (result.added, result.unchanged, result.removed, result.respelt) == (0, 4, 0, 0)
    assert owners(old) == kept


@pytest.mark.sqlite
def test_decisions_and_the_report_of_an_older_index_hold_for_the_one_spelling(old: Index, world: Path) -> None:
    whole = find_rings(old.parts, search=False)
    old.scan([world / "m.csv"])
    report = old.rings()
    assert [{member.account for member in ring.accounts} for ring in report.rings] == [
        {member.account for member in ring.accounts} for ring in whole.rings
    ]
    assert not any({"José", "u1-account"} <= {one.account for one in group.photos}
                   for ring in report.rings for group in ring.groups)  # fmt: skip
    assert not any(ring.new for ring in report.rings)


@pytest.mark.slow
@pytest.mark.sqlite
@pytest.mark.parametrize("named", ["u1-account ", "u1-account", "\u200bu1-account"])
def test_an_account_of_an_older_index_is_erased_by_any_of_its_spellings(old: Index, named: str) -> None:
    erasure = old.erase(account=named)
    assert (erasure.account, erasure.photos, erasure.traces, erasure.finished) == ("u1-account", 2, 0, True)
    assert erasure.gone_accounts == {"u1-account", "u1-account "}
    assert sorted(owners(old).values()) == ["José", "b"]
