"""A manifest as a source: rows of any format, judged and made photos."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from imgmatch.errors import MissingExtraError, PhotoError, SourceError
from imgmatch.model import NewPhoto, RemoteFile, Skipped, SkipReason, derived_photo_id
from imgmatch.model.photos import MOST_ATTRIBUTES_CHARS
from imgmatch.rooted import look_at, open_regular
from imgmatch.sources.base import CONTROL, MAX_ID_CHARS, account_problem, lexical, shown
from imgmatch.sources.guard import photo_error
from imgmatch.sources.moments import AHEAD, seen_moment, with_counts
from imgmatch.sources.remote import LostFile
from imgmatch.sources.remote_source import RemoteCopy
from imgmatch.sources.urls import checked, is_url, joined, shown_url, url_path

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from imgmatch.sources.place import Place
    from imgmatch.sources.rows import Reader, Row

_CUT = re.compile(r"\s*\d[.,]?\d{0,14}E\+\d{1,3}\s*", re.ASCII)
"""What spreadsheets make of a number of twelve digits or more."""

MAX_PATH_CHARS = 4096
MAX_ATTRIBUTE_CHARS = 100_000


class ManifestSource:
    """The photos a manifest lists, in its order, one line in memory at a time.

    Args:
        place: where it lies, and its photos relative to it; without connections photos at URLs are refused.
        read: the format.

    Raises:
        MissingExtraError: the format needs a package that is not installed.
        PhotoError: the manifest cannot be fetched whole.
        SourceError: the file cannot be read, lies outside the root, or is no manifest.
    """

    def __init__(self, place: Place, read: Reader) -> None:
        self.key = place.key
        self._remote = place.remote
        self._guard = place.guard
        self._root = place.guard.root
        # The file of a copy is there for as long as the copy is held.
        self._copy = RemoteCopy(place.key, place.remote) if place.remote and place.is_remote else None
        self._open = place.open if self._copy is None else partial(open_regular, self._copy.path)
        self._read = read
        self._folder = str(Path(self.key).parent)
        self._latest = datetime.now(UTC) + AHEAD
        self._name = Path(url_path(self.key) if self._copy else self.key).name
        # A scan of many sources should fail now, not after hours: the first row proves the header.
        rows = self._rows()
        next(rows, None)
        rows.close()

    def __iter__(self) -> Iterator[NewPhoto | Skipped]:
        self._latest = datetime.now(UTC) + AHEAD
        for row, counted in with_counts(self._rows(), _seen_at):
            if isinstance(row, Skipped):
                yield row
                continue
            try:
                item: NewPhoto | Skipped = self._photo(row, counted=counted)
            except Exception as error:  # noqa: BLE001 -- whatever it is, it costs this line
                item = _skipped(row, photo_error(error, f"{self.key}:{row.line}"))
            yield item

    def to_count(self) -> Iterator[object]:
        """See :class:`imgmatch.sources.base.Countable`: the rows, which nobody judges."""
        return self._rows()

    def _rows(self) -> Generator[Row | Skipped, None, None]:
        try:
            with self._open() as stream:
                yield from self._read(stream, self._name)
        except OSError as error:
            raise SourceError(f"{shown(shown_url(self.key))} cannot be read: {error.strerror or error}") from error

    def _photo(self, row: Row, *, counted: bool) -> NewPhoto:
        """Judge a row; ``counted`` as of ``with_counts``.

        Raises:
            PhotoError: something in the row cannot be used.
        """
        line, account, photo, name, seen_at, photo_id, attributes = row
        if problem := account_problem(account):
            _bad(problem)
        if "E+" in account or "E+" in photo_id:
            _check_whole(account, photo_id)
        bare = photo.strip()
        if not bare:
            _bad("The photo is empty.")
        if len(photo) > MAX_PATH_CHARS:
            _bad(f"The photo is longer than {MAX_PATH_CHARS} characters.")
        if photo_id:
            _check_photo_id(photo_id)
        if len(name) > MAX_ID_CHARS:
            _bad(f"The name is longer than {MAX_ID_CHARS} characters.")
        if attributes and sum(map(len, (*attributes, *attributes.values()))) > MOST_ATTRIBUTES_CHARS:
            _bad(f"The attributes are longer than {MOST_ATTRIBUTES_CHARS} characters in all.")
        moment = seen_moment(seen_at, self._latest, counted=counted) if seen_at else None
        if self._copy is not None or (":" in photo and is_url(photo)):
            url = self._url(photo)
            photo_id = photo_id or derived_photo_id(account, url)
            file = self._remote_file(url)
            return NewPhoto(account, file, shown_url(photo), photo_id, name or None, moment, attributes, line)
        if bare != photo or "\\" in photo:
            photo = self._mended(photo)
        path = lexical(self._folder, photo)
        photo_id = photo_id or derived_photo_id(account, path)
        # By position: keywords cost a tenth of the time of a whole line.
        admitted = self._guard.admit(path)
        return NewPhoto(account, admitted, photo, photo_id, name or None, moment, attributes, line, self._root)

    def _mended(self, photo: str) -> str:
        """A path as Windows writes it, or with blanks round it, as a path of this system, unless a file is called so.

        That is so whether or not the file is there, or its photo would go by another id as soon as it is missing.
        """
        try:
            look_at(self._guard.admit(lexical(self._folder, photo)), self._root)
        except (OSError, ValueError, PhotoError):
            mended = photo.strip()
            return mended.replace("\\", "/") if os.sep == "/" else mended
        return photo

    def _url(self, photo: str) -> str:
        return checked(photo if is_url(photo) else joined(self.key, photo))

    def _remote_file(self, url: str) -> RemoteFile:
        if self._remote is None:
            raise PhotoError(SkipReason.REFUSED, "Only a scan fetches photos from URLs.")
        self._guard.refuse_url()
        try:
            return self._remote.file(url)
        except MissingExtraError as error:  # one line of another kind must not end the scan of the others
            return LostFile(url, PhotoError(SkipReason.UNREADABLE, str(error)))


def _seen_at(row: Row | Skipped) -> str | datetime | None:
    return None if isinstance(row, Skipped) else row.seen_at


def _skipped(row: Row, error: PhotoError) -> Skipped:
    account = None if account_problem(row.account) else row.account
    label = shown_url(row.photo)
    return Skipped(shown(label), error.reason, error.detail, account=account, line=row.line, part=label)


def _bad(detail: str) -> NoReturn:
    raise PhotoError(SkipReason.BAD_LINE, detail)


def _check_whole(*ids: str) -> None:
    """See that no spreadsheet has cut an id to its first digits: several would become one."""
    for text in filter(_CUT.fullmatch, ids):
        _bad(f"The id was cut to its first digits by a spreadsheet, where numbers must be kept as text: {text}")


def _check_photo_id(photo_id: str) -> None:
    if len(photo_id) > MAX_ID_CHARS:
        _bad(f"The photo_id is longer than {MAX_ID_CHARS} characters.")
    if photo_id.isspace() or CONTROL.search(photo_id):
        _bad(f"The photo_id is blank or holds control characters: {shown(photo_id)}")
