"""Banks in an index: made and changed, and what photos hit on them in checks, in runs and in rings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import photos
import pytest
from banking import carried, described, hit, named, off, pdq
from moving import moving, picture, plain
from PIL import Image, ImageOps
from planting import Planter, shot, who

from imgmatch import ListOptions
from imgmatch.actions.decide import decide
from imgmatch.catalog.bank_entries import takes_part
from imgmatch.errors import ConflictError, NotFoundError, PhotoError
from imgmatch.index import Index
from imgmatch.model import Depth, Kind, NamedPhoto, NewPhoto, Opinion, Purpose, SkipReason, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from imgmatch.actions.banks import Banks

PAST = datetime(2020, 1, 1, tzinfo=UTC)
FUTURE = datetime(2126, 1, 1, tzinfo=UTC)


@pytest.fixture
def banks(planter: Planter) -> Banks:
    return planter.index.bank_lists


# -- lists ------------------------------------------------------------------------------------------------------


def test_a_bank_is_made_changed_renamed_and_removed_with_all_that_stands_on_it(banks: Banks) -> None:
    made = banks.create("acme", purpose=Purpose.STOLEN, owner="Acme", ratio=0.5, enabled=False, note="n", by="ana")
    assert (made.name, made.purpose, made.owner, made.ratio, made.enabled, made.note) == (
        "acme", Purpose.STOLEN, "Acme", 0.5, False, "n",
    )  # fmt: skip
    assert (made.entries, made.pictures, made.quarantined, made.checkpoint) == (0, 0, 0, None)
    entry = banks.add_hash("acme", "0" * 64)
    changed = banks.update("acme", new_name="Acme.v2", purpose=Purpose.PARTNER, ratio=1, enabled=True, note=None)
    assert (changed.name, changed.purpose, changed.ratio, changed.enabled) == ("Acme.v2", Purpose.PARTNER, 1, True)
    assert (changed.owner, changed.note, changed.entries) == ("Acme", None, 1)
    assert banks.entry("Acme.v2", entry.entry).bank == "Acme.v2"
    assert [bank.name for bank in banks.all()] == ["Acme.v2"]
    with pytest.raises(NotFoundError, match="no bank 'acme'"):
        banks.get("acme")
    assert banks.delete("Acme.v2") == 1
    assert banks.all() == []


@pytest.mark.parametrize("name", ["", "a b", ".hidden", "-x", "a/b", "ä", "x" * 101, "a\n", "../x"])
def test_what_is_no_name_is_refused_and_nothing_is_made(banks: Banks, name: str) -> None:
    with pytest.raises(ValueError, match="a bank's name is letters"):
        banks.create(name)
    banks.create("good")
    with pytest.raises(ValueError, match="a bank's name is letters"):
        banks.update("good", new_name=name)
    assert [bank.name for bank in banks.all()] == ["good"]


@pytest.mark.parametrize("values", [{"ratio": -0.1}, {"ratio": 1.01}, {"ratio": float("nan")}, {"note": "x" * 256}])
def test_what_cannot_be_of_a_bank_is_refused(banks: Banks, values: dict[str, Any]) -> None:
    banks.create("good")
    with pytest.raises(ValueError, match=r"a share of traffic|a note has"):
        banks.create("other", **values)
    with pytest.raises(ValueError, match=r"a share of traffic|a note has"):
        banks.update("good", **values)
    with pytest.raises(TypeError, match="a bank has no changes"):
        banks.update("good", changes=3)
    assert banks.get("good").ratio == 1


def test_a_name_that_is_taken_is_refused_and_its_own_is_not(banks: Banks) -> None:
    banks.create("one")
    banks.create("two")
    with pytest.raises(ConflictError, match="'one' already"):
        banks.create("one")
    with pytest.raises(ConflictError, match="'one' already"):
        banks.update("two", new_name="one")
    assert banks.update("two", new_name="two").name == "two"


def test_banks_that_decisions_fill_refuse_what_comes_from_outside(
    planter: Planter, banks: Banks, tmp_path: Path
) -> None:
    for name in ("known-stolen", "known-common"):
        with pytest.raises(ConflictError, match="filled by decisions"):
            banks.create(name)
    banks.create("other")
    with pytest.raises(ConflictError, match="filled by decisions"):
        banks.update("other", new_name="known-stolen")
    planter.plant("a", shot(1), 1)
    planter.plant("b", shot(1), 2)
    [ring] = planter.rings().rings
    decide(planter.index.parts, Verdict.CONFIRM, ring=ring.ring, by="ana")
    own = banks.get("known-stolen")
    assert (own.purpose, own.pictures) == (Purpose.STOLEN, 1)
    [entry] = banks.entries("known-stolen")
    refused: tuple[Callable[[], object], ...] = (
        lambda: banks.add_hash("known-stolen", "0" * 64),
        lambda: banks.add_photo("known-stolen", named(shot(2))),
        lambda: banks.remove("known-stolen", entry.entry),
        lambda: banks.delete("known-stolen"),
        lambda: banks.update("known-stolen", new_name="mine"),
        lambda: banks.update("known-stolen", purpose=Purpose.PARTNER),
        lambda: banks.import_list("known-stolen", tmp_path / "x", ListOptions()),
        lambda: banks.import_shared("known-stolen", tmp_path / "x", []),
    )
    for change in refused:
        with pytest.raises(ConflictError, match="filled by decisions"):
            change()
    assert banks.get("known-stolen") == own
    assert banks.entry("known-stolen", entry.entry) == entry


def test_an_entry_is_found_by_its_number_on_its_own_bank_alone(banks: Banks) -> None:
    banks.create("one")
    banks.create("two")
    numbers = [banks.add_hash("one", f"{number:064x}").entry for number in range(5)]
    assert [entry.entry for entry in banks.entries("one", after=numbers[1], limit=2)] == numbers[2:4]
    assert banks.entries("one", after=1 << 70) == banks.entries("two") == []
    for bank, number in (("two", numbers[0]), ("one", numbers[-1] + 1), ("one", 1 << 70), ("one", -1)):
        with pytest.raises(NotFoundError, match=f"bank '{bank}' has no entry {number}"):
            banks.entry(bank, number)
        with pytest.raises(NotFoundError, match=f"bank '{bank}' has no entry {number}"):
            banks.remove(bank, number)


def test_an_entry_keeps_what_is_filed_with_it_and_a_number_is_never_given_again(banks: Banks) -> None:
    banks.create("acme")
    filed: dict[str, Any] = {"ref": "r1", "note": "n", "uri": "u", "tags": ["b", "a"], "metadata": {"k": "v"}}
    entry = banks.add_hash("acme", "AB" * 32, **filed)
    assert (entry.pdq, entry.is_picture, entry.ref, entry.note) == ("ab" * 32, False, "r1", "n")
    assert (entry.uri, entry.tags, dict(entry.metadata)) == ("u", ("b", "a"), {"k": "v"})
    assert banks.add_hash("acme", "ab" * 32, ref="r1", note="other") == entry
    with pytest.raises(ConflictError, match="'r1' stands on bank acme with another value"):
        banks.add_hash("acme", "00" * 32, ref="r1")
    assert banks.annotate("acme", entry.entry, None).note is None
    banks.remove("acme", entry.entry)
    assert banks.add_hash("acme", "ab" * 32, ref="r1").entry > entry.entry
    for wrong in ({"note": "x" * 256}, {"ref": "x" * 1_001}, {"metadata": {str(n): "" for n in range(65)}}):
        with pytest.raises(ValueError, match="at most"):
            banks.add_hash("acme", "11" * 32, **wrong)
    with pytest.raises(ValueError, match="64 lowercase hex digits"):
        banks.add_hash("acme", "xyz")


# -- what is hit ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_bare_hash_is_hit_within_31_bits_in_any_orientation_and_not_at_32(planter: Planter, banks: Banks) -> None:
    banks.create("acme")
    source = photos.picture(1)
    value = pdq(source)
    near, far = (banks.add_hash("acme", off(value, bits)).entry for bits in (31, 32))
    planter.plant("a", source, 1)
    planter.plant("m", ImageOps.mirror(source), 2)
    planter.plant("t", source.transpose(Image.Transpose.ROTATE_270), 3)
    planter.rings()
    [found] = planter.index.check(photos.jpeg(source)).banks
    assert (found.entry, found.evidence.distance, found.evidence.kind) == (near, 31, Kind.NEAR)
    exact = banks.add_hash("acme", value).entry
    planter.rings()
    kept = {(one.photo.account, one.entry): one.evidence for one in banks.hits() if one.photo is not None}
    assert kept.keys() >= {("a", near), ("a", exact), ("m", exact), ("t", exact)}
    assert all(entry != far for _, entry in kept)
    for account, edit in (("a", source), ("m", ImageOps.mirror(source))):
        [asked] = [one for one in planter.index.check(photos.jpeg(edit)).banks if one.entry == exact]
        assert (asked.evidence.mirrored, asked.evidence.rotation) == (
            kept[account, exact].mirrored,
            kept[account, exact].rotation,
        )
    assert kept["t", exact].rotation == 90
    assert kept["m", exact].mirrored


@pytest.mark.slow
@pytest.mark.parametrize("later", [True, False], ids=["photos first", "bank first"])
def test_a_picture_on_a_bank_is_hit_by_copies_and_crops_the_same_way_in_a_check_and_in_a_run(
    planter: Planter, banks: Banks, *, later: bool
) -> None:
    banks.create("acme")
    source = photos.picture(7, (400, 500))
    edits = {
        "turned": source.transpose(Image.Transpose.ROTATE_270),
        "mirrored": ImageOps.mirror(source),
        "crop": source.crop((60, 70, 360, 450)),
        "copy": source,  # the last: its fingerprint is that of the picture
    }

    def plant() -> None:
        for day, (account, image) in enumerate(edits.items()):
            planter.plant(account, photos.jpeg(image, 80), day)
        planter.plant("honest", photos.picture(8, (400, 500)), 9)

    if later:
        plant()
        planter.rings()
    entry = banks.add_photo("acme", named(source)).entry
    if not later:
        plant()
    report = planter.rings()
    kept = {one.photo.account: one for one in banks.hits() if one.photo is not None}
    assert sorted(kept) == sorted(edits)
    assert {one.entry for one in kept.values()} == {entry}
    for account, image in edits.items():
        [asked] = planter.index.check(photos.jpeg(image, 80)).banks
        assert asked.evidence.mirrored == kept[account].evidence.mirrored
        assert asked.evidence.rotation == kept[account].evidence.rotation, account
    assert kept["turned"].evidence.rotation == 90
    assert kept["crop"].evidence.kind is Kind.PARTIAL
    assert kept["crop"].evidence.outline_query is not None
    assert hit(report.bank_hits) == hit(banks.hits())


def test_a_crop_of_a_picture_on_two_banks_hits_both(planter: Planter, banks: Banks) -> None:
    source = photos.picture(7, (400, 500))
    for name in ("one", "two"):
        banks.create(name)
        banks.add_photo(name, named(source))
    crop = photos.jpeg(source.crop((60, 70, 360, 450)))
    planter.plant("a", crop, 1)
    planter.rings()
    assert {one.bank for one in planter.index.check(crop).banks} == {"one", "two"}
    assert {one.bank for one in banks.hits()} == {"one", "two"}


def test_a_photo_on_a_bank_is_nobodys_photo(planter: Planter, banks: Banks) -> None:
    banks.create("acme")
    banks.add_photo("acme", named(shot(1)))
    assert planter.index.status().photos == 0
    found = planter.index.check(photos.jpeg(shot(1)))
    assert (found.accounts, len(found.matches)) == (0, 0)
    planter.plant("a", shot(1), 1)
    assert planter.rings().rings == ()


def test_a_share_of_traffic_is_kept_by_the_photo_alone() -> None:
    values = [np.random.default_rng(seed).bytes(32) for seed in range(4_000)]
    for ratio in (0.0, 0.3, 0.7, 1.0):
        share = sum(takes_part(ratio, value) for value in values) / len(values)
        assert abs(share - ratio) < 0.03
    assert all(takes_part(0.7, value) for value in values if takes_part(0.3, value))


@pytest.mark.slow
def test_a_share_of_photos_hits_a_bank_the_same_in_checks_in_runs_and_under_another_name(
    planter: Planter, banks: Banks
) -> None:
    banks.create("acme")
    shots = {f"a{number}": shot(number) for number in range(8)}
    for number, (account, image) in enumerate(shots.items()):
        planter.plant(account, image, number)
        if number % 2:
            banks.add_hash("acme", pdq(image))
        else:
            banks.add_photo("acme", named(image))
    planter.rings()
    assert {account for account, _ in carried(banks.hits())} == shots.keys()
    before: set[str] = set()
    for ratio in (0.0, 0.4, 1.0):
        banks.update("acme", ratio=ratio)
        kept = {account for account, _ in carried(banks.hits())}
        assert kept == {account for account, image in shots.items() if takes_part(ratio, bytes.fromhex(pdq(image)))}
        asked = [NamedPhoto(account, photos.jpeg(image)) for account, image in shots.items()]
        assert kept == {found.photo for found in planter.index.check_many(asked) if found.banks}
        assert kept >= before
        before = kept
    banks.update("acme", ratio=0.4)
    named_so = carried(banks.hits())
    banks.update("acme", new_name="other")
    assert carried(banks.hits()) == named_so
    assert 0 < len(named_so) < len(shots)


@pytest.mark.slow
def test_an_entry_is_muted_until_a_time_and_groups_follow_when_that_is_over(planter: Planter, banks: Banks) -> None:
    banks.create("ours", purpose=Purpose.STOLEN)
    entry = banks.add_hash("ours", pdq(shot(1))).entry
    planter.plant("a", shot(1), 1)
    assert [who(ring) for ring in planter.rings().rings] == [["a"]]
    assert banks.mute("ours", entry, FUTURE).muted_until == FUTURE
    asked = photos.jpeg(shot(1))
    assert (planter.index.check(asked).banks, banks.hits(), banks.lookup(pdq(shot(1)))) == ((), (), ())
    assert planter.rings().rings == ()
    banks.mute("ours", entry, datetime.now(UTC) + timedelta(seconds=0.5))
    assert planter.rings().rings == ()
    while not planter.index.check(asked).banks:
        pass
    assert hit(banks.hits()) == [("ours", entry)]
    assert [who(ring) for ring in planter.rings().rings] == [["a"]]  # though nothing was written since
    assert banks.entry("ours", entry).muted_until is None
    banks.mute("ours", entry, FUTURE)
    assert banks.mute("ours", entry, None).muted_until is None
    assert [who(ring) for ring in planter.rings().rings] == [["a"]]


def test_a_bank_that_is_disabled_hits_nothing_until_it_is_enabled(planter: Planter, banks: Banks) -> None:
    banks.create("ours", purpose=Purpose.STOLEN)
    banks.add_hash("ours", pdq(shot(1)))
    banks.add_photo("ours", named(shot(2)))
    planter.plant("a", shot(1), 1)
    planter.plant("b", shot(2), 2)
    found = planter.rings()
    assert [who(ring) for ring in found.rings] == [["a"], ["b"]]
    banks.update("ours", enabled=False)
    assert banks.hits() == ()
    assert [planter.index.check(photos.jpeg(shot(seed))).banks for seed in (1, 2)] == [(), ()]
    assert planter.index.rings().rings == ()
    banks.update("ours", enabled=True)
    assert planter.index.rings().rings == found.rings


def test_a_partners_entries_only_flag(planter: Planter, banks: Banks) -> None:
    banks.create("partner")
    bare = banks.add_hash("partner", pdq(shot(1))).entry
    known = banks.add_photo("partner", named(shot(2))).entry
    planter.plant("a", shot(1), 1)
    planter.plant("b", shot(2), 2)
    report = planter.rings()
    assert (report.rings, report.common) == ((), ())
    assert carried(report.bank_hits) == [("a", bare), ("b", known)]
    stranger = photos.jpeg(shot(1), 40)
    planter.index.erase(account="a")
    found = planter.index.check(stranger)
    assert (found.status, hit(found)) == (Status.NO_MATCH, [("partner", bare)])


def test_a_partners_picture_between_two_ties_nobody(planter: Planter, banks: Banks) -> None:
    """Two accounts carry halves of it, which have nothing in common."""
    banks.create("partner")
    whole = photos.picture(7, (600, 400))
    halves = whole.crop((0, 0, 300, 400)), whole.crop((300, 0, 600, 400))
    entry = banks.add_photo("partner", named(whole)).entry
    for account, half in zip("ab", halves, strict=True):
        planter.plant(account, half, ord(account))
    report = planter.rings()
    assert (carried(report.bank_hits), report.rings) == ([("a", entry), ("b", entry)], ())
    banks.update("partner", purpose=Purpose.STOLEN)
    [ring] = planter.index.rings().rings
    assert (who(ring), ring.bank, carried(ring.bank_hits)) == (["a", "b"], "partner", [("a", entry), ("b", entry)])


def test_a_partners_fingerprint_between_two_ties_nobody(tmp_path: Path) -> None:
    """Each of two accounts is near to it, and they are not near to each other."""
    first, between, last = (Image.blend(shot(1), shot(2), share) for share in (0.34, 0.5, 0.66))
    with Index.create(tmp_path / "index", depth=Depth.FINGERPRINT) as index:
        banks = index.bank_lists
        banks.create("partner")
        entry = banks.add_photo("partner", named(between)).entry
        for account, image in (("a", first), ("b", last)):
            index.add([NewPhoto.at(_saved(tmp_path / f"{account}.jpg", image), account=account)])
            assert hit(index.check(photos.jpeg(image))) == [("partner", entry)]
        report = index.rings()
        assert (sorted(carried(report.bank_hits)), report.rings) == ([("a", entry), ("b", entry)], ())
        banks.update("partner", purpose=Purpose.STOLEN)
        assert [who(ring) for ring in index.rings().rings] == [["a", "b"]]


def test_a_stolen_bare_hash_makes_a_match_and_a_ring_of_one_account(planter: Planter, banks: Banks) -> None:
    banks.create("ours", purpose=Purpose.STOLEN)
    entry = banks.add_hash("ours", pdq(shot(1))).entry
    found = planter.index.check(photos.jpeg(shot(1)))
    assert (found.status, found.accounts, hit(found)) == (Status.MATCH, 0, [("ours", entry)])
    planter.plant("a", photos.jpeg(shot(1), 60), 1)
    planter.plant("b", shot(2), 1)
    [ring] = planter.rings().rings
    assert (who(ring), ring.bank, hit(ring.bank_hits)) == (["a"], "ours", [("ours", entry)])
    banks.remove("ours", entry)
    assert planter.index.rings().rings == ()
    assert planter.index.check(photos.jpeg(shot(1))).status is Status.MATCH  # the account alone


def test_what_a_common_bank_holds_silences_partners_and_ties_nobody(planter: Planter, banks: Banks) -> None:
    banks.create("partner")
    banks.create("celebrities", purpose=Purpose.COMMON)
    theirs = banks.add_hash("partner", pdq(shot(1))).entry
    for account in "abc":
        planter.plant(account, shot(1), ord(account) - ord("a"))
    assert len(planter.rings().rings) == 1
    asked = photos.jpeg(shot(1))
    assert hit(planter.index.check(asked)) == [("partner", theirs)]
    common = banks.add_hash("celebrities", off(pdq(shot(1)), 3)).entry
    assert hit(planter.index.check(asked)) == [("celebrities", common)]
    assert hit(banks.lookup(pdq(shot(1)))) == [("celebrities", common)]
    assert banks.lookup(pdq(shot(1)), banks=["partner"]) == ()
    report = planter.index.rings()
    assert report.rings == ()
    [group] = report.common
    assert (group.bank, group.accounts) == ("celebrities", ("a", "b", "c"))
    assert set(hit(report.bank_hits)) == {("celebrities", common)}
    banks.create("ours", purpose=Purpose.STOLEN)
    banks.add_hash("ours", pdq(shot(1)))
    assert len(planter.index.rings().rings) == 1  # stolen before common
    assert {name for name, _ in hit(planter.index.check(asked))} == {"celebrities", "ours"}


def test_what_moderators_mark_as_common_silences_partners_in_checks_and_in_runs(planter: Planter, banks: Banks) -> None:
    banks.create("partner")
    for account in "ab":
        planter.plant(account, shot(1), 1)
    [ring] = planter.rings().rings
    banks.add_hash("partner", pdq(shot(1)))
    assert len(planter.index.rings().bank_hits) == 2
    decide(planter.index.parts, Verdict.COMMON, ring=ring.ring, by="ana")
    assert {name for name, _ in hit(planter.index.check(photos.jpeg(shot(1))))} == {"known-common"}
    assert planter.index.rings().bank_hits == banks.hits() == ()


# -- what moderators say ----------------------------------------------------------------------------------------


def test_a_dismissal_wins_over_every_bank_survives_what_is_listed_again_and_is_taken_back(
    planter: Planter, banks: Banks
) -> None:
    value, asked = pdq(shot(1)), photos.jpeg(shot(1))
    for name, purpose in (("partner", Purpose.PARTNER), ("ours", Purpose.STOLEN), ("fine", Purpose.COMMON)):
        banks.create(name, purpose=purpose)
    first = banks.add_hash("partner", value).entry
    banks.add_hash("ours", value, ref="other ref")
    banks.add_photo("ours", named(shot(1)))  # the picture has the value, too
    planter.plant("a", shot(1), 1)
    assert [who(ring) for ring in planter.rings().rings] == [["a"]]
    said = banks.say("partner", first, Opinion.DISMISSED, by="ana", reason="a logo")
    assert (said.opinion, said.opinion_by, said.opinion_reason) == (Opinion.DISMISSED, "ana", "a logo")
    assert {entry.opinion for entry in banks.entries("ours")} == {Opinion.DISMISSED}
    found = planter.index.check(asked)
    assert (found.banks, banks.hits(), banks.lookup(value)) == ((), (), ())
    assert planter.index.rings().rings == ()
    banks.remove("partner", first)
    again = banks.add_hash("partner", value)
    assert (again.entry != first, again.opinion) == (True, Opinion.DISMISSED)
    planter.index.rings()
    assert (planter.index.check(asked).banks, banks.hits()) == ((), ())
    near = banks.add_hash("partner", off(value, 1))
    assert hit(planter.index.check(asked)) == [("partner", near.entry)]  # another value is another value
    assert banks.say("partner", again.entry, None, by="bob").opinion is None
    assert len(planter.index.check(asked).banks) == 4
    assert [who(ring) for ring in planter.index.rings().rings] == [["a"]]
    assert len(banks.hits()) == 4


def test_an_opinion_is_kept_under_the_picture_where_there_is_no_value(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index", hashers=("phash",)) as index:
        index.bank_lists.create("acme")
        entry = index.bank_lists.add_photo("acme", named(shot(1)))
        assert entry.pdq is None
        index.bank_lists.say("acme", entry.entry, "dismissed", by="ana")  # type: ignore[arg-type]  # as programs write it
        assert index.bank_lists.entry("acme", entry.entry).opinion is Opinion.DISMISSED
        assert index.check(photos.jpeg(shot(1))).banks == ()


def test_what_is_said_and_done_is_in_the_log(planter: Planter, banks: Banks) -> None:
    banks.create("acme", by="ana")
    entry = banks.add_hash("acme", "0" * 64, by="ana").entry
    banks.mute("acme", entry, FUTURE, by="bob")
    banks.say("acme", entry, Opinion.DISMISSED, by="bob", reason="why")
    banks.quarantine(entry, by="cid", why="a flood")
    banks.remove("acme", entry, by="bob")
    banks.delete("acme", by="ana")
    told = [(one.actor, one.action, one.subject) for one in planter.index.people.audit(limit=10)]
    assert told == [
        ("ana", "delete bank", "acme"),
        ("bob", "remove from bank", f"entry {entry}"),
        ("cid", "quarantine", f"entry {entry}, a flood"),
        ("bob", "entry dismissed", f"entry {entry}"),
        ("bob", "mute entry", f"entry {entry}"),
        ("ana", "add to bank", f"entry {entry}"),
        ("ana", "create bank", "acme"),
    ]


# -- what stays the same ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_banks_that_a_photo_has_nothing_to_do_with_change_no_answer(planter: Planter, banks: Banks) -> None:
    for day, account in enumerate("abc"):
        planter.plant(account, photos.jpeg(shot(day // 2), 90 - 10 * day), day)
    report = planter.rings()
    asked = [photos.jpeg(shot(0), 40), photos.jpeg(shot(0).crop((20, 20, 140, 180))), photos.jpeg(shot(50))]
    alone = [planter.index.check(one) for one in asked]
    for number, purpose in enumerate(Purpose):
        banks.create(f"bank{number}", purpose=purpose)
        banks.add_photo(f"bank{number}", named(shot(90 + number)))
        for seed in range(200):
            banks.add_hash(f"bank{number}", f"{number + 1:02x}" + np.random.default_rng(seed).bytes(31).hex())
    assert [planter.index.check(one) for one in asked] == alone
    assert planter.index.rings().rings == report.rings


@pytest.mark.slow
def test_hits_stay_as_they_are_when_an_index_is_built_anew_or_opened_again(planter: Planter, banks: Banks) -> None:
    banks.create("acme")
    banks.add_hash("acme", pdq(shot(1)))
    banks.add_photo("acme", named(photos.picture(7, (400, 500))))
    planter.plant("a", shot(1), 1)
    planter.plant("b", photos.picture(7, (400, 500)).crop((60, 70, 360, 450)), 2)
    planter.rings()
    kept, asked = banks.hits(), [(planter.folder / f"{number}.jpg").read_bytes() for number in (0, 1)]
    assert len(kept) == 2
    answers = [planter.index.check(one).banks for one in asked]
    planter.index.rebuild()
    assert banks.hits() == kept
    assert [planter.index.check(one).banks for one in asked] == answers
    with Index.open(planter.index.path) as other:
        assert other.bank_lists.hits() == kept
        assert [other.check(one).banks for one in asked] == answers


@pytest.mark.slow
def test_an_erased_account_hits_nothing_any_more_and_what_a_bank_holds_stays(planter: Planter, banks: Banks) -> None:
    banks.create("acme")
    entry = banks.add_hash("acme", pdq(shot(1))).entry
    planter.plant("a", shot(1), 1)
    planter.plant("b", shot(1), 2)
    planter.rings()
    erased = planter.index.erase(account="a")
    assert (erased.photos, erased.traces) == (1, 0)
    assert carried(banks.hits()) == [("b", entry)]
    assert planter.index.erase(account="b").traces == 0
    assert banks.hits() == ()
    assert hit(planter.index.check(photos.jpeg(shot(1)))) == [("acme", entry)]
    planter.index.rings()
    planter.index.add([NewPhoto.at(planter.folder / "0.jpg", account="c")])
    planter.index.rings()
    assert carried(banks.hits()) == [("c", entry)]


def test_hits_name_photos_by_their_new_ids_when_a_source_is_renamed(tmp_path: Path) -> None:
    photos.write_accounts(tmp_path / "before", {"a": {"1.jpg": shot(1)}})
    with Index.create(tmp_path / "index") as index:
        index.scan([tmp_path / "before"])
        index.bank_lists.create("acme")
        entry = index.bank_lists.add_hash("acme", pdq(shot(1))).entry
        index.rings()
        [before] = index.bank_lists.hits()
        index.rename_source(str(tmp_path / "before"), "new-name")
        [after] = index.bank_lists.hits()
        assert before.photo is not None
        assert after.photo is not None
        assert (after.entry, after.photo.account) == (entry, "a")
        assert after.photo.photo_id != before.photo.photo_id
        assert after.photo.photo_id == index.account("a").photos[0].photo_id


def test_each_picture_of_a_moving_photo_hits_and_the_frame_is_named(planter: Planter, banks: Banks) -> None:
    banks.create("acme")
    bare = banks.add_hash("acme", pdq(picture(2))).entry
    known = banks.add_photo("acme", named(picture(3))).entry
    moves = moving("GIF", [(plain(0), 500), (picture(1), 700), (picture(2), 200), (picture(3), 100)])
    planter.plant("a", moves, 1)
    planter.plant("b", picture(1), 2)
    report = planter.rings()
    asked = {one.entry: one.query_frame for one in planter.index.check(moves).banks}
    assert asked == {bare: 3, known: 4}
    kept = {one.entry: (one.photo.account, one.photo.frame) for one in banks.hits() if one.photo is not None}
    assert kept == {bare: ("a", 3), known: ("a", 4)}
    [ring] = report.rings  # by another picture of the moving one
    assert {entry for _, entry in hit(ring.bank_hits)} == {bare, known}


def test_a_moving_photo_on_a_bank_is_hit_by_copies_of_each_of_its_pictures(planter: Planter, banks: Banks) -> None:
    banks.create("acme")
    banks.add_photo("acme", named(moving("GIF", [(picture(1), 700), (picture(2), 300)]), "m.gif"))
    assert banks.get("acme").pictures == 2
    for seed in (1, 2):
        assert len(planter.index.check(photos.jpeg(picture(seed))).banks) == 1


def dim(image: Image.Image) -> Image.Image:
    """So dark that PDQ's quality is below what the field compares, and above what is no photo."""
    return image.point(lambda level: level // 5 + 3)


def test_a_photo_of_too_low_a_quality_hits_no_bare_hash_in_a_check_and_in_a_run(planter: Planter, banks: Banks) -> None:
    image = dim(shot(1))
    about = described(photos.png(image))
    assert 20 <= about.quality < 50
    banks.create("ours", purpose=Purpose.STOLEN)
    entry = banks.add_hash("ours", about.first.fingerprints["pdq"].hex()).entry
    planter.plant("dark", photos.png(image), 1)
    report = planter.rings()
    assert planter.index.check(photos.png(image)).banks == ()
    assert (banks.hits(), report.rings) == ((), ())
    known = banks.add_photo("ours", named(photos.png(image))).entry  # by its own fingerprints and features it is found
    assert known != entry
    assert hit(planter.index.check(photos.png(image))) == [("ours", known)]


def test_a_flat_photo_hits_nothing_and_is_not_put_on_a_bank(planter: Planter, banks: Banks) -> None:
    banks.create("acme")
    page = photos.flat((400, 400), (255, 255, 255))
    with pytest.raises(PhotoError, match="too little detail"):
        banks.add_photo("acme", named(page))
    good, bad = banks.add_photos("acme", [named(shot(1)), NamedPhoto("x.jpg", b"no photo")])
    assert not hasattr(bad, "entry")
    assert getattr(bad, "reason", None) is SkipReason.UNREADABLE
    assert getattr(good, "label", None) == "secret-name.jpg"
    banks.add_hash("acme", "0" * 64)
    assert planter.index.check(photos.jpeg(page)).banks == ()


def test_an_index_whose_photos_have_no_pdq_takes_pictures_and_refuses_bare_hashes(tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("0" * 64 + "\n")
    with Index.create(tmp_path / "index", hashers=("phash",)) as index:
        banks = index.bank_lists
        banks.create("acme")
        refused: tuple[Callable[[], object], ...] = (
            lambda: banks.add_hash("acme", "0" * 64),
            lambda: banks.import_list("acme", listed, ListOptions()),
            lambda: banks.import_list("new", listed, ListOptions(), dry_run=True),
        )
        for change in refused:
            with pytest.raises(ConflictError, match="no pdq values in this index, whose hashers are phash"):
                change()
        entry = banks.add_photo("acme", named(shot(1))).entry
        index.add([NewPhoto.at(_saved(tmp_path / "a.jpg", shot(1)), account="a")])
        assert hit(index.check(photos.jpeg(shot(1)))) == [("acme", entry)]
        assert carried(index.rings().bank_hits) == [("a", entry)]
        assert banks.lookup("0" * 64) == ()
        assert [bank.name for bank in banks.all()] == ["acme"]


def test_without_features_pictures_on_banks_are_found_by_their_fingerprints(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index", depth=Depth.FINGERPRINT) as index:
        index.bank_lists.create("acme")
        entry = index.bank_lists.add_photo("acme", named(shot(1))).entry
        index.add([NewPhoto.at(_saved(tmp_path / "a.jpg", ImageOps.mirror(shot(1))), account="a")])
        assert hit(index.check(photos.jpeg(shot(1)))) == [("acme", entry)]
        [found] = index.rings().bank_hits
        assert (found.entry, found.evidence.mirrored) == (entry, True)


def _saved(path: Path, image: Image.Image) -> Path:
    path.write_bytes(photos.jpeg(image))
    return path


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("empty") / "index") as index:
        yield index


def test_an_index_without_a_run_or_a_bank_hits_nothing(empty: Index) -> None:
    assert empty.bank_lists.hits() == empty.bank_lists.lookup("0" * 64) == ()
    assert (empty.bank_lists.all(), empty.bank_lists.state().size) == ([], 0)
