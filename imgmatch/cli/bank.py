"""``imgmatch bank``: named lists of known pictures and hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imgmatch.cli import options
from imgmatch.cli.bank_lists import export, import_, key, share, usage
from imgmatch.cli.user import by_option, signed

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from imgmatch.homes import Home

_PURPOSES = ("stolen", "common", "partner")
_DAY = "%Y-%m-%d"

purpose_help = "stolen: a hit is a match; common: a hit ties nobody; partner: a hit is shown, and no more."


@click.group(short_help="Named lists of known pictures and hashes.")
def bank() -> None:
    """Keep banks: named lists of known pictures and hashes. What hits them is named by check, rings and the page.

    Decisions fill known-stolen and known-common; these are changed by decisions alone.
    """


@bank.command("list", short_help="All banks.")
@options.index_option
@options.format_option
def list_(*, index_path: Home, form: str) -> int:
    """Every bank, with its purpose and how much stands on it."""
    from imgmatch import Index
    from imgmatch.formats.records import bank_record

    with Index.open(index_path) as index:
        options.write_records([bank_record(one) for one in index.bank_lists.all()], form)
    return 0


@bank.command("create", short_help="Make a bank.")
@click.argument("name")
@options.index_option
@click.option("--purpose", type=click.Choice(_PURPOSES), default="partner", show_default=True, help=purpose_help)
@click.option("--owner", help="Who answers for it.")
@click.option(
    "--ratio", type=options.FiniteRange(0, 1), default=1.0, show_default=True, help="Share of photos it is for."
)
@click.option("--disabled", is_flag=True, help="It hits nothing until it is enabled.")
@click.option("--note", help="What a person should know of it.")
@by_option
@options.format_option
def create(
    name: str,
    *,
    index_path: Home,
    purpose: str,
    owner: str | None,
    ratio: float,
    disabled: bool,
    note: str | None,
    by: str | None,
    form: str,
) -> int:
    """Make the bank NAME."""
    from imgmatch import Index, Purpose
    from imgmatch.formats.records import bank_record

    with Index.open(index_path) as index, usage():
        values: dict[str, Any] = {"purpose": Purpose(purpose), "owner": owner, "ratio": ratio, "note": note}
        made = index.bank_lists.create(name, enabled=not disabled, by=signed(by), **values)
    options.write_record(bank_record(made), form)
    return 0


@bank.command("change", short_help="Change a bank.")
@click.argument("name")
@options.index_option
@click.option("--name", "new_name", help="Call it so from now on.")
@click.option("--purpose", type=click.Choice(_PURPOSES), help=purpose_help)
@click.option("--owner", help="Who answers for it.")
@click.option("--ratio", type=options.FiniteRange(0, 1), help="Share of photos it is for.")
@click.option("--enable/--disable", "enabled", default=None, help="Whether it hits anything.")
@click.option("--note", help="What a person should know of it.")
@by_option
@options.format_option
def change(
    name: str, *, index_path: Home, new_name: str | None, by: str | None, form: str, **given: str | float | None
) -> int:
    """Change the bank NAME; what is not given stays."""
    from imgmatch import Index
    from imgmatch.formats.records import bank_record

    changes = {option: value for option, value in given.items() if value is not None}
    if not changes and new_name is None:
        raise click.UsageError("say what is to be changed")
    with Index.open(index_path) as index, usage():
        changed = index.bank_lists.update(name, new_name=new_name, by=signed(by), **changes)
    options.write_record(bank_record(changed), form)
    return 0


@bank.command("delete", short_help="Remove a bank.")
@click.argument("name")
@options.index_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@by_option
def delete(name: str, *, index_path: Home, yes: bool, by: str | None) -> int:
    """Remove the bank NAME with all that stands on it."""
    from imgmatch import Index

    with Index.open(index_path) as index:
        found = index.bank_lists.get(name)
        if not yes:
            click.confirm(f"Remove bank {name} with {found.entries:,} entries?", abort=True, err=True)
        index.bank_lists.delete(name, by=signed(by))
    return 0


@bank.command("show", short_help="What stands on a bank.")
@click.argument("name")
@click.argument("entry", type=int, required=False)
@options.index_option
@click.option("--after", type=click.IntRange(0), default=0, help="Only entries with higher numbers.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="So many at the most.")
@options.format_option
def show(name: str, entry: int | None, *, index_path: Home, after: int, limit: int, form: str) -> int:
    """What stands on the bank NAME, or one ENTRY of it by its number."""
    from imgmatch import Index
    from imgmatch.formats.records import bank_entry_record

    with Index.open(index_path) as index:
        if entry is not None:
            options.write_record(bank_entry_record(index.bank_lists.entry(name, entry)), form)
            return 0
        found = index.bank_lists.entries(name, after=after, limit=limit)
    options.write_records([bank_entry_record(one) for one in found], form)
    return 0


@bank.command("add", short_help="Put photos or hashes on a bank.")
@click.argument("name")
@click.argument("photos", nargs=-1, metavar="PHOTO...")
@options.index_option
@click.option("--hash", "hashes", multiple=True, metavar="HEX", help="A PDQ value, 64 hexadecimal digits.")
@click.option("--note", help="What a person should know of these entries.")
@options.workers_option
@options.root_option
@by_option
@options.format_option
def add(
    name: str,
    photos: tuple[str, ...],
    *,
    index_path: Home,
    hashes: tuple[str, ...],
    note: str | None,
    workers: int,
    root: Path | None,
    by: str | None,
    form: str,
) -> int:
    """Put each PHOTO on the bank NAME: a file, or a folder, manifest or archive of photos.

    Of a photo its fingerprints and features are kept, and the photo is not: crops and edits of it are found. It becomes
    no account's photo.
    """
    from imgmatch import Index, named_photos
    from imgmatch.formats.records import bank_entry_record
    from imgmatch.model import Failure

    if not photos and not hashes:
        raise click.UsageError("give a PHOTO, or a PDQ value with --hash")
    records, failed = [], 0
    with Index.open(index_path, workers=workers) as index, usage():
        banks = index.bank_lists
        records += [bank_entry_record(banks.add_hash(name, one, note=note, by=signed(by))) for one in hashes]
        asked = list(named_photos(options.photo_arguments(photos), root=root)) if photos else []
        for photo, done in zip(asked, banks.add_photos(name, asked, note=note, by=signed(by)), strict=True):
            if isinstance(done, Failure):
                failed += 1
                options.note(f"{photo.name}: {done}", quiet=False)
            else:
                records.append(bank_entry_record(done))
    options.write_records(records, form)
    return 0 if not failed else options.EXIT_SOME_SKIPPED if records else 1


@bank.command("mute", short_help="Have an entry hit nothing until a day.")
@click.argument("name")
@click.argument("entry", type=int)
@options.index_option
@click.option("--until", type=click.DateTime([_DAY]), help="The day, in UTC; without one it hits again at once.")
@by_option
@options.format_option
def mute(name: str, entry: int, *, index_path: Home, until: datetime | None, by: str | None, form: str) -> int:
    """Have ENTRY of the bank NAME hit nothing until a day."""
    from datetime import UTC

    from imgmatch import Index
    from imgmatch.formats.records import bank_entry_record

    with Index.open(index_path) as index:
        day = None if until is None else until.replace(tzinfo=UTC)
        options.write_record(bank_entry_record(index.bank_lists.mute(name, entry, day, by=signed(by))), form)
    return 0


@bank.command("say", short_help="Say that an entry is right, or is not.")
@click.argument("opinion", type=click.Choice(["confirmed", "dismissed", "nothing"]))
@click.argument("name")
@click.argument("entry", type=int)
@options.index_option
@click.option("--reason", help="Why.")
@by_option
@options.format_option
def say(opinion: str, name: str, entry: int, *, index_path: Home, reason: str | None, by: str | None, form: str) -> int:
    """Say of ENTRY of the bank NAME that it is right (confirmed) or not (dismissed), or take that back (nothing).

    What is dismissed never hits here again, whoever lists it. What is confirmed leaves quarantine, where entries are
    put that suddenly hit very many photos. `imgmatch bank export` tells partners of both.
    """
    from imgmatch import Index, Opinion
    from imgmatch.formats.records import bank_entry_record

    with Index.open(index_path) as index, usage():
        said = None if opinion == "nothing" else Opinion(opinion)
        found = index.bank_lists.say(name, entry, said, by=signed(by), reason=reason)
    options.write_record(bank_entry_record(found), form)
    return 0


@bank.command("remove", short_help="Take an entry off a bank.")
@click.argument("name")
@click.argument("entry", type=int)
@options.index_option
@by_option
def remove(name: str, entry: int, *, index_path: Home, by: str | None) -> int:
    """Take ENTRY off the bank NAME."""
    from imgmatch import Index

    with Index.open(index_path) as index:
        index.bank_lists.remove(name, entry, by=signed(by))
    return 0


@bank.command("lookup", short_help="Which entries are near to a PDQ value.")
@click.argument("pdq", metavar="HEX")
@options.index_option
@click.option("--bank", "banks", multiple=True, metavar="NAME", help="Only this bank; may be repeated.")
@click.option("--max-distance", type=click.IntRange(0, 256), default=31, show_default=True, help="Bits, inclusive.")
@options.format_option
def lookup(pdq: str, *, index_path: Home, banks: tuple[str, ...], max_distance: int, form: str) -> int:
    """Entries whose PDQ value is near to HEX, the nearest first."""
    from imgmatch import Index
    from imgmatch.formats.records import bank_hit_record

    with Index.open(index_path) as index, usage():
        found = index.bank_lists.lookup(pdq, banks=banks or None, max_distance=max_distance)
    options.write_records([bank_hit_record(hit) for hit in found], form)
    return 0


@bank.command("hits", short_help="Which stored photos hit entries.")
@options.index_option
@click.option("--account", help="Only photos of this account.")
@options.format_option
def hits(*, index_path: Home, account: str | None, form: str) -> int:
    """Which stored photos hit entries of banks, as the last `imgmatch rings` has found them."""
    from imgmatch import Index
    from imgmatch.formats.records import bank_hit_record

    with Index.open(index_path) as index:
        found = index.bank_lists.hits(account=account)
    options.write_records([bank_hit_record(hit) for hit in found], form)
    return 0


for _command in (import_, export, key, share):
    bank.add_command(_command)
