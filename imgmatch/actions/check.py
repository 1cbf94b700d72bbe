"""Check photos against an index."""

from __future__ import annotations

from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.errors import PhotoError
from imgmatch.matching.verification import Wanted
from imgmatch.model import Failure, NamedPhoto, Skipped
from imgmatch.sources import open_source
from imgmatch.sources.base import PathGuard
from imgmatch.sources.opening import MANIFESTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from imgmatch.index import Index
    from imgmatch.model import CheckResult

STANDARD_INPUT = "-"


def check(
    index: Index,
    photos: Sequence[str],
    *,
    wanted: Wanted | None = None,
    standard_input: bytes = b"",
    root: Path | None = None,
) -> Iterator[tuple[NamedPhoto, CheckResult]]:
    """Check each photo, in the order given; a folder or manifest stands for its photos.

    Args:
        index: where to look.
        photos: files, folders, manifests, or ``-`` for ``standard_input``.
        wanted: what to show of what is found.
        standard_input: the bytes of the photo called ``-``.
        root: refuse photos outside this folder.

    Yields:
        each photo with what was found.

    Raises:
        SourceError: a folder or a manifest cannot be read at all.
    """
    named, again = tee(named_photos(photos, standard_input, root))
    found = index.answers(named, wanted or Wanted())
    yield from zip(again, found, strict=False)


def named_photos(
    arguments: Iterable[str], standard_input: bytes = b"", root: Path | None = None
) -> Iterator[NamedPhoto]:
    """Every photo the arguments stand for, under the name it is shown by.

    A file named directly is not looked at here: whoever reads it says what is wrong with it. A line of a manifest that
    names no photo comes as a failure in its place.

    Raises:
        SourceError: a folder or a manifest cannot be read at all.
    """
    guard = PathGuard(root)
    for argument in arguments:
        if argument == STANDARD_INPUT:
            yield NamedPhoto(STANDARD_INPUT, standard_input)
        elif _is_folder(argument):
            yield from _photos_in(argument, root, prefix=str(Path(argument, "_"))[:-1])
        elif Path(argument).suffix.lower() in MANIFESTS:
            yield from _photos_in(argument, root)
        else:
            yield NamedPhoto(argument, _admitted(argument, guard))


def _is_folder(argument: str) -> bool:
    try:
        return Path(argument).is_dir()
    except (OSError, ValueError):  # a name too long, a folder that may not be entered: reading the photo will tell
        return False


def _admitted(argument: str, guard: PathGuard) -> Path | Failure:
    if guard.root is None:
        return Path(argument)
    try:
        return guard.admit(str(Path(argument).absolute()))
    except PhotoError as error:
        return Failure(error.reason, error.detail)


def _photos_in(argument: str, root: Path | None, prefix: str = "") -> Iterator[NamedPhoto]:
    for item in open_source(argument, root=root):
        if isinstance(item, Skipped):
            where = f" (line {item.line})" if item.line is not None else ""
            yield NamedPhoto(prefix + item.photo, Failure(item.reason, item.detail + where))
        else:
            yield NamedPhoto(prefix + item.label, item.path)
