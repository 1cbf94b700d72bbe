"""Results as HTML pages: pictures are fetched here, drawn by the format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch.cli.options import write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imgmatch.actions.compare import Comparison
    from imgmatch.actions.pictures import Picture
    from imgmatch.formats.html import Shown, ShownCheck
    from imgmatch.index import Index
    from imgmatch.model import CheckResult
    from imgmatch.workers.messages import NamedPhoto


def write_page(index: Index, checks: Iterable[tuple[NamedPhoto, CheckResult]]) -> None:
    """Print one page on all photos that were checked."""
    from imgmatch.formats.html import check_page

    for piece in check_page(_shown_checks(index, checks)):
        write(piece)


def _shown_checks(index: Index, checks: Iterable[tuple[NamedPhoto, CheckResult]]) -> Iterator[ShownCheck]:
    from imgmatch.actions.pictures import pictures, stored_pictures
    from imgmatch.formats.html import ShownCheck, ShownMatch

    for photo, result in checks:
        (query,) = pictures(index.pool, [photo])
        stored = stored_pictures(index, [match.photo.photo_id for match in result])
        matches = tuple(ShownMatch(match, _shown(stored[match.photo.photo_id])) for match in result)
        yield ShownCheck(result, _shown(query), matches)


def write_comparison(comparison: Comparison, query: Picture, stored: Picture) -> None:
    """Print one page on two photos."""
    from imgmatch.formats.html import compare_page

    names = comparison.query, comparison.stored
    write(compare_page(*names, comparison.evidence, comparison.is_match, _shown(query), _shown(stored)))


def _shown(picture: Picture) -> Shown:
    from imgmatch.formats.html import Shown

    return Shown(picture.jpeg, picture.width, picture.height, picture.note)
