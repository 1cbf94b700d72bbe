"""``imgmatch compare``."""

from __future__ import annotations

import click

from imgmatch.cli import options


@click.command(short_help="The evidence for one pair.")
@click.argument("a")
@click.argument("b")
@options.max_distance_option
@click.option("--fail-on-match", is_flag=True, help=f"Exit with {options.EXIT_MATCH} if they match.")
@options.page_option
def compare(a: str, b: str, *, max_distance: int | None, fail_on_match: bool, form: str) -> int:
    """Show the evidence for photos A and B being copies of one picture, as if B were in an index; - reads one."""
    import imgmatch
    from imgmatch.cli.pages import write_comparison
    from imgmatch.formats.records import compare_record

    if a == b == "-":
        raise click.UsageError("standard input holds one photo, not two")
    photos = options.photo_argument(a), options.photo_argument(b)
    comparison = imgmatch.compare(*photos, max_distance=max_distance)
    if form == "html":
        frames = comparison.query_frame, comparison.frame
        write_comparison(comparison, *imgmatch.view_photos(photos, frames=frames))
    else:
        options.write_record(compare_record(comparison), form)
    return options.EXIT_MATCH if fail_on_match and comparison.is_match else 0
