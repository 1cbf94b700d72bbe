"""Results as HTML pages: pictures are fetched here, drawn by the format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.cli.options import write
from imgmatch.cli.streams import until_interrupted
from imgmatch.homes import without_password
from imgmatch.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imgmatch import Index
    from imgmatch.formats.html import Shown, ShownCheck
    from imgmatch.homes import Home
    from imgmatch.model import CheckResult, Comparison, NamedPhoto, Picture, PictureKey, RingsReport
    from imgmatch.progress import Progress


def write_page(index: Index, checks: Iterable[tuple[NamedPhoto, CheckResult]]) -> None:
    """Print one page on all photos that were checked."""
    from imgmatch.formats.html import check_page

    with until_interrupted(_shown_checks(index, checks)) as complete:
        for piece in check_page(complete):
            write(piece)


def _shown_checks(index: Index, checks: Iterable[tuple[NamedPhoto, CheckResult]]) -> Iterator[ShownCheck]:
    from imgmatch.formats.html import ShownCheck, ShownMatch

    for photo, result in checks:
        frames = list(dict.fromkeys(match.query_frame for match in result)) or [None]
        pictures = index.view([photo] * len(frames), frames=frames)
        queries = {frame: _shown(picture, frame) for frame, picture in zip(frames, pictures, strict=True)}
        stored = index.pictures([match.photo.key for match in result])
        matches = tuple(
            ShownMatch(match, _shown(stored[match.photo.key], match.frame), queries[match.query_frame])
            for match in result
        )
        yield ShownCheck(result, queries[frames[0]], matches)


def write_comparison(comparison: Comparison, query: Picture, stored: Picture) -> None:
    """Print one page on two photos."""
    from imgmatch.formats.html import compare_page

    names = comparison.query, comparison.stored
    shown = _shown(query, comparison.query_frame), _shown(stored, comparison.frame)
    write(compare_page(*names, comparison.evidence, comparison.is_match, *shown))


SIDES = ((1_000, 320), (2_500, 200))
"""Up to so many pictures have so many pixels on their longer side: a page of 5,000 stays within 30 MB."""

LEAST_SIDE = 128

_DEFAULT_INDEX = Path("index")
_AT_ONCE = 128


def rings_pages(index: Index, index_path: Home, report: RingsReport, progress: Progress = SILENT) -> Iterator[str]:
    """One page on a report, in pieces; ``progress`` hears how far the pictures are."""
    from imgmatch.formats.ring_page import rings_page

    groups = (group for ring in report.rings for group in ring.groups)
    keys = {photo.key: None for group in groups for photo in (*group.photos, group.medoid)}
    wanted = list(keys | {group.medoid.key: None for group in report.common})
    side = next((side for most, side in SIDES if len(wanted) <= most), LEAST_SIDE)
    pictures: dict[PictureKey, Shown] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        found = index.pictures(wanted[start : start + _AT_ONCE], side=side)
        pictures |= {key: _shown(picture) for key, picture in found.items()}
        progress.step("pictures", min(start + _AT_ONCE, len(wanted)), len(wanted))
    yield from rings_page(
        report, pictures, index=None if index_path == _DEFAULT_INDEX else without_password(index_path)
    )


def _shown(picture: Picture, frame: int | None = None) -> Shown:
    from imgmatch.formats.html import Shown

    return Shown(picture.jpeg, picture.width, picture.height, picture.note, frame)
