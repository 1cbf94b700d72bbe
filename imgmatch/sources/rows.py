"""One line of a manifest before it is judged: what every manifest format hands over."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from imgmatch.errors import SourceError
from imgmatch.model import Skipped, SkipReason
from imgmatch.sources.base import is_utf8, shown

if TYPE_CHECKING:
    from datetime import datetime

REQUIRED = ("account", "photo")
OPTIONAL = ("name", "seen_at", "photo_id")
KNOWN = (*REQUIRED, *OPTIONAL)

_OTHER_WORDS = {
    "account": ("accountid", "user", "userid", "username", "uid", "owner", "profile", "member", "handle", "id"),
    "photo": (
        *("photopath", "photourl", "photofile", "image", "imagepath", "imageurl", "img", "picture", "pic", "file"),
        *("filename", "filepath", "path", "url"),
    ),
}
"""What others call the required columns, without what is no letter; the likelier word first. They are not taken for
them: a column of that name may be something else."""

_NOT_LETTERS = re.compile(r"[\W_\d]+")
_MOST_LOOKED_AT = 1_000


class Row(NamedTuple):
    """The fields of one line. All text in it is storable: valid Unicode without NUL; the format sees to that.

    Attributes:
        line: where the line starts, counted from 1.
        account: as written.
        photo: as written.
        name: empty if there is none.
        seen_at: as written, or as a time the format itself could tell; empty or ``None`` if there is none.
        photo_id: empty if there is none.
        attributes: all other columns that hold something.
    """

    line: int
    account: str
    photo: str
    name: str
    seen_at: str | datetime | None
    photo_id: str
    attributes: dict[str, str]


Reader = Callable[[BinaryIO, str], Iterator[Row | Skipped]]
"""A manifest format: the open file and its name give rows; a ``SourceError`` if it is not such a manifest at all."""


def bad_line(name: str, line: int, detail: str) -> Skipped:
    """A line that could not be made a row.

    Args:
        name: file name of the manifest.
        line: counted from 1.
        detail: one sentence for a person.
    """
    return Skipped(f"{shown(name)}:{line}", SkipReason.BAD_LINE, detail, line=line, part="")


def is_storable(text: str) -> bool:
    """Whether a database can hold ``text``: no NUL, no lone surrogates."""
    return "\0" not in text and is_utf8(text)


def column_name(written: str) -> str:
    """What a column, or a key, is called: the known ones in small letters, others as they are written."""
    folded = written.lower()
    return folded if folded in KNOWN else written


def meant(missing: Collection[str], found: Iterable[str]) -> str:
    """A question to the writer of a manifest whose columns go by other names; empty if there is none.

    Args:
        missing: required columns that are not there.
        found: the columns, or keys, that are.
    """
    words = {_NOT_LETTERS.sub("", column.lower()): column for column in islice(found, _MOST_LOOKED_AT)}
    likely = {column: next((words[word] for word in _OTHER_WORDS[column] if word in words), None) for column in missing}
    pairs = [f"{column} by {shown(word)}" for column, word in likely.items() if word is not None]
    return f"; did you mean {' and '.join(pairs)}?" if pairs else ""


def check_columns(columns: Iterable[str], name: str) -> list[str]:
    """See that the columns of a manifest can be used.

    Args:
        columns: all of them; a column without a name is nobody's and may come more than once.
        name: file name of the manifest.

    Returns:
        what they are called.

    Raises:
        SourceError: a required column is missing, or two go by one name.
    """
    called = [column_name(column) for column in columns]
    named = [column for column in called if column]
    if missing := [column for column in REQUIRED if column not in named]:
        found = shown(", ".join(named)) or "none"
        raise SourceError(
            f"{shown(name)}: a manifest needs the columns {' and '.join(REQUIRED)}; "
            f"missing: {', '.join(missing)}; found: {found}{meant(missing, named)}"
        )
    if twice := sorted(column for column, times in Counter(named).items() if times > 1):
        raise SourceError(f"{shown(name)}: columns that come more than once: {shown(', '.join(twice))}")
    return called
