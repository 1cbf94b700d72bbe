"""``imgmatch hash``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imgmatch.cli import log, options
from imgmatch.cli.streams import write_stream
from imgmatch.registry import DEFAULT_HASHERS, HASHERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from imgmatch.model import Hashed


@click.command(name="hash", short_help="Fingerprints of photos.")
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@click.option(
    "--hasher",
    "hashers",
    multiple=True,
    type=click.Choice(sorted(HASHERS)),
    help="May be repeated.  [default: pdq, phash]",
)
@options.workers_option
@options.root_option
@options.fetchers_option
@options.allow_private_option
@options.format_option
@options.quiet_option
def hash_(
    photos: tuple[str, ...],
    *,
    hashers: tuple[str, ...],
    workers: int,
    root: Path | None,
    fetchers: int,
    allow_private: bool,
    form: str,
    quiet: bool,
) -> int:
    """Print the fingerprints and quality of each PHOTO: a file, a folder, manifest or archive of photos, or -.

    A PHOTO may be an https, s3 or gs URL, as for scan.

    The table prints a line a fingerprint in the form of tx (signal type, space, 64 hexadecimal digits); the other
    formats say of which photo it is.
    """
    from imgmatch import RemoteOptions, hash_photos, named_photos
    from imgmatch.formats.records import hash_record
    from imgmatch.formats.table import hash_lines

    computed = hashers or tuple(sorted(DEFAULT_HASHERS))
    columns = ("photo", *computed, "quality", "width", "height", "format", "reason", "damaged")
    seen = skipped = bugs = 0

    def watched(results: Iterable[Hashed]) -> Iterator[Hashed]:
        nonlocal seen, skipped, bugs
        for result in results:
            about = f"{result.width} x {result.height} {result.format}, quality {result.quality}"
            options.note(f"{result.photo}: {result.reason or about}", quiet=quiet)
            seen += 1
            skipped += result.reason is not None
            bugs += options.is_bug(result.reason)
            yield result

    remote = RemoteOptions(allow_private=allow_private, fetchers=fetchers)
    asked = named_photos(options.photo_arguments(photos), root=root, remote=remote)
    results = hash_photos(asked, computed, workers=workers)
    write_stream(watched(results), form, hash_record, lambda hashed: [hash_record(hashed)], columns, hash_lines)
    if bugs:
        log.ask_for_report()
    if skipped:
        return options.EXIT_SOME_SKIPPED if skipped < seen else 1
    return 0
