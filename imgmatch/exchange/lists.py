"""The door to hash lists in the field's formats: told apart, read as they come, and written.

What is wrong with one entry comes as a :class:`~imgmatch.model.BadEntry` in its place, and the rest follows. Nothing is
held but the entry at hand, however long the list or a line of it is.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from imgmatch.errors import SourceError
from imgmatch.exchange.columns import read_columns, read_tx_csv
from imgmatch.exchange.detecting import HEAD_BYTES, detect_form
from imgmatch.exchange.entries import FORMS, Listed, ListOptions, WithdrawnRef, check_form
from imgmatch.exchange.lines import read_hashes, read_mih, read_pdq_hasher, read_tx
from imgmatch.exchange.ncmec import read_ncmec
from imgmatch.exchange.stopncii import read_stopncii
from imgmatch.exchange.writing import WRITTEN_FORMS, write_list
from imgmatch.rooted import open_regular
from imgmatch.sources.base import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = [
    "FORMS",
    "WRITTEN_FORMS",
    "ListOptions",
    "Listed",
    "WithdrawnRef",
    "detect_form",
    "form_of",
    "read_list",
    "read_stream",
    "write_list",
]

_READERS: dict[str, Callable[[BinaryIO, ListOptions], Iterator[Listed]]] = {
    "hashes": read_hashes,
    "tx": read_tx,
    "tx-csv": read_tx_csv,
    "csv": read_columns,
    "pdq-hasher": read_pdq_hasher,
    "mih": read_mih,
    "stopncii": read_stopncii,
    "ncmec": read_ncmec,
}


def form_of(path: Path, options: ListOptions) -> str:
    """Which form a list has: the one that the options name, or else what it looks like.

    Raises:
        SourceError: it cannot be read, is empty, or of no known form.
        UnknownNameError: no form goes by the name that the options give.
    """
    with _opened(path) as stream:
        return _form(stream, options)


def read_list(path: Path, options: ListOptions) -> Iterator[Listed]:
    """Read a list, entry by entry.

    Hashes may be in upper case, which the field does not write. Text may begin with a byte order mark, be UTF-16 where
    that says so, and end its lines in CRLF. A list whose end is missing gives what comes before, and then says so.

    Args:
        path: a regular file.
        options: how it is to be read.

    Yields:
        the entries, those that are withdrawn among them, and in the place of what cannot be used, why.

    Raises:
        SourceError: it cannot be read at all, or not to its end; or its form is unknown.
        UnknownNameError: the options name a form or a field that does not exist.
    """
    with _opened(path) as stream:
        yield from read_stream(stream, options)


def read_stream(stream: BinaryIO, options: ListOptions) -> Iterator[Listed]:
    """Read a list that is open already.

    Args:
        stream: open for reading bytes, at its beginning, able to go back there.
        options: how it is to be read.

    Yields:
        as :func:`read_list`.

    Raises:
        SourceError: it cannot be read as a list of that form, or its form is unknown.
        UnknownNameError: as of :func:`read_list`.
    """
    yield from _READERS[_form(stream, options)](stream, options)


def _form(stream: BinaryIO, options: ListOptions) -> str:
    if options.form is not None:
        check_form(options.form)
        return options.form
    if options.columns:
        return "csv"
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    return detect_form(head)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with _open(path) as stream:
            yield stream
    except SourceError as error:
        raise SourceError(f"{shown(str(path))}: {error}", error.reason) from None
    except OSError as error:
        raise SourceError(f"{shown(str(path))}: the list cannot be read: {error.strerror or error}") from error


def _open(path: Path) -> BinaryIO:
    try:
        return open_regular(path)
    except ValueError as error:  # no file can have such a name
        raise SourceError(f"the list cannot be read: {shown(str(error))}") from error
