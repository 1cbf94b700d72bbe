"""Opening several sources: one that cannot be opened costs what is in it, and the others are read."""

from __future__ import annotations

from os import PathLike, fspath
from typing import TYPE_CHECKING

from imgmatch.errors import SourceError
from imgmatch.model import SkipReason
from imgmatch.sources.names import USUAL_NAMES
from imgmatch.sources.opening import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from imgmatch.model import NewPhoto, Skipped
    from imgmatch.sources.base import Source
    from imgmatch.sources.names import NameRule
    from imgmatch.sources.remote import Remote


class UnopenedSource:
    """A source that is there and cannot be opened, in its place among others.

    Attributes:
        key: its path or URL, as it was named.
        error: why it cannot be opened.
    """

    def __init__(self, key: str, error: SourceError) -> None:
        self.key = key
        self.error = error

    def __iter__(self) -> Iterator[NewPhoto | Skipped]:
        raise self.error

    def to_count(self) -> Iterator[object]:
        """See :class:`imgmatch.sources.base.Countable`: it is one skipped item itself."""
        return iter((None,))


def opened_sources(
    sources: Sequence[str | PathLike[str] | Source],
    *,
    root: Path | None = None,
    remote: Remote | None = None,
    names: NameRule = USUAL_NAMES,
) -> list[Source]:
    """Every source, opened; those that are opened already stay as they are.

    Args:
        sources: paths and URLs, see :func:`open_source`.
        root: likewise.
        remote: likewise.
        names: likewise.

    Raises:
        MissingExtraError: what reads one of them is not installed.
        SourceError: there is nothing where one should be, as with a mistyped path; or none of them can be opened.
    """
    opened: list[Source] = []
    for source in sources:
        if not isinstance(source, (str, PathLike)):
            opened.append(source)
            continue
        try:
            opened.append(open_source(fspath(source), root=root, remote=remote, names=names))
        except SourceError as error:
            if error.reason is SkipReason.MISSING:
                raise
            opened.append(UnopenedSource(fspath(source), error))
    refuse_unopened(opened)
    return opened


def refuse_unopened(sources: Sequence[Source]) -> None:
    """See that at least one of the sources can be read.

    Raises:
        SourceError: none could be opened.
    """
    errors = [source.error for source in sources if isinstance(source, UnopenedSource)]
    if errors and len(errors) == len(sources):
        raise SourceError("; ".join(map(str, errors)), errors[0].reason)
