"""``imgmatch bank import``, ``export``, ``key`` and ``share``."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imgmatch.cli import options
from imgmatch.cli.progress import bars
from imgmatch.cli.user import by_option, signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from imgmatch import Index, ListImport, ListOptions, Purpose
    from imgmatch.homes import Home

_PURPOSES = ("stolen", "common", "partner")
_FORMS = ("hashes", "tx", "tx-csv", "csv", "pdq-hasher", "mih", "stopncii", "ncmec")
_WRITTEN = ("hashes", "tx", "tx-csv", "csv", "mih", "stopncii")


@contextmanager
def usage() -> Iterator[None]:
    """What cannot be is a mistake in the command."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@click.command("import", short_help="Bring a bank to what a list says.")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.index_option
@click.option("--as", "list_form", type=click.Choice(_FORMS), help="The form of the list.  [default: found out]")
@click.option("--column", "columns", multiple=True, metavar="FIELD=HEADER", help="Of a CSV: pdq, ref, tags, note ...")
@click.option("--from", "sender", metavar="KEY", help="FILE is a signed file of features; whose signature counts.")
@click.option("--purpose", type=click.Choice(_PURPOSES), help="Of a new bank.  [default: partner]")
@click.option("--whole", is_flag=True, help="The list is all there is: remove what is not on it.")
@click.option("--dry-run", is_flag=True, help="Write nothing, and say what would be done.")
@by_option
@options.format_option
@options.quiet_option
def import_(
    name: str,
    file: Path,
    *,
    index_path: Home,
    list_form: str | None,
    columns: tuple[str, ...],
    sender: str | None,
    purpose: str | None,
    whole: bool,
    dry_run: bool,
    by: str | None,
    form: str,
    quiet: bool,
) -> int:
    """Bring the bank NAME, which is made if it is not there, to what the list in FILE says.

    The same list again changes nothing; one that was cut off goes on where it was. Lines that cannot be used are named
    and counted, and the rest is imported: the command then ends with 5.
    """
    from imgmatch import Index, ListOptions, Purpose
    from imgmatch.formats.records import list_import_record

    if sender is not None and (list_form or columns or purpose or whole):
        raise click.UsageError("a signed file is all there is, to flag and no more: --from takes nothing of a list")
    with Index.open(index_path) as index, usage():
        if sender is not None:
            done = _import_shared(index, name, file, sender, dry_run=dry_run, by=by)
        else:
            wanted = ListOptions(list_form, _columns(columns))
            kept = Purpose.PARTNER if purpose is None else Purpose(purpose)
            done = _import_list(index, name, file, wanted, kept, (whole, dry_run, quiet), by)
    for bad in done.first_bad:
        options.note(f"{file}:{bad.line}: {bad.reason}", quiet=quiet)
    if done.bad > len(done.first_bad):
        options.note(f"{file}: {done.bad - len(done.first_bad):,} more could not be used", quiet=quiet)
    record = list_import_record(done)
    options.write_record(
        {field: value for field, value in record.items() if form != "table" or field != "first_bad"}, form
    )
    return options.EXIT_SOME_SKIPPED if done.bad else 0


def _import_list(
    index: Index,
    name: str,
    file: Path,
    wanted: ListOptions,
    purpose: Purpose,
    flags: tuple[bool, bool, bool],
    by: str | None,
) -> ListImport:
    whole, dry_run, quiet = flags
    with bars(quiet=quiet) as progress:
        return index.bank_lists.import_list(
            name,
            file,
            wanted,
            purpose=purpose,
            whole=whole,
            dry_run=dry_run,
            by=signed(by),
            progress=progress,
        )


def _import_shared(index: Index, name: str, file: Path, sender: str, *, dry_run: bool, by: str | None) -> ListImport:
    from imgmatch import public_key

    return index.bank_lists.import_shared(name, file, [public_key(sender)], dry_run=dry_run, by=signed(by))


def _columns(given: tuple[str, ...]) -> dict[str, str] | None:
    """Fields to headers."""
    found = dict(one.partition("=")[::2] for one in given)
    if not all(found.values()):
        raise click.UsageError("--column takes FIELD=HEADER, such as --column pdq=Hash")
    return found or None


@click.command("export", short_help="Write a bank as a list.")
@click.argument("name")
@options.index_option
@click.option("--as", "list_form", type=click.Choice(_WRITTEN), default="tx", show_default=True, help="The form.")
@click.option("--out", type=click.File("w", encoding="utf-8", lazy=True), default="-", help="Where to.  [default: -]")
@click.option("--source", default="imgmatch", show_default=True, help="Who speaks, where the form names that.")
@click.option("--opinions", is_flag=True, help="Only entries that somebody here has confirmed or dismissed.")
@click.option(
    "--with-sources", is_flag=True, help="Also names of files and addresses of pictures; they may name people."
)
@by_option
def export(
    name: str,
    *,
    index_path: Home,
    list_form: str,
    out: TextIO,
    source: str,
    opinions: bool,
    with_sources: bool,
    by: str | None,
) -> int:
    """Write what stands on the bank NAME as a list of PDQ values, in a form that other tools read.

    No picture leaves, no path and no account. What was said of entries stands in the form's own fields: POSITIVE_CLASS
    and NEGATIVE_CLASS, or a feedback.
    """
    from imgmatch import Index

    with Index.open(index_path) as index:
        index.bank_lists.export_list(
            name, out, list_form, source=source, opinions_only=opinions, with_sources=with_sources, by=signed(by)
        )
        out.flush()
    return 0


@click.command("key", short_help="Make a key to sign files with.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def key(file: Path) -> int:
    """Make a key in FILE to sign shared banks with, or read the one that is there, and print what others know it by."""
    from imgmatch import SigningKey

    if file.exists():
        found = SigningKey.read(file)
    else:
        found = SigningKey.generate()
        found.write(file)
    click.echo(str(found.public_key))
    return 0


@click.command("share", short_help="Write a bank's fingerprints and features, signed.")
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@options.index_option
@click.option(
    "--key", "key_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True, help="The key."
)
@click.option("--sender", required=True, help="Who sends it, in words.")
@by_option
def share(name: str, file: Path, *, index_path: Home, key_file: Path, sender: str, by: str | None) -> int:
    """Write fingerprints and features of the bank NAME into FILE, signed, so that another site finds crops, too.

    Read docs/sharing.md first: it says what a receiver can learn from features.
    """
    from imgmatch import Index, SigningKey

    options.check_folder(file)
    with Index.open(index_path) as index, usage():
        count = index.bank_lists.share(name, file, SigningKey.read(key_file), sender=sender, by=signed(by))
    options.note(f"{count:,} entries written to {file}", quiet=False)
    return 0
