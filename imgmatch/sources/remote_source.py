"""One photo at a URL as a source, and the copy of a manifest that lies at one."""

from __future__ import annotations

import os
import tempfile
import weakref
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.errors import SourceError
from imgmatch.model import NewPhoto, Skipped, derived_photo_id
from imgmatch.sources.base import account_problem, stem
from imgmatch.sources.urls import url_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.sources.remote import Remote


class RemotePhotoSource:
    """A photo at a URL, an account named by its file's stem.

    Raises:
        MissingExtraError: what reads such URLs is not installed.
        SourceError: the stem cannot be an account.
    """

    def __init__(self, url: str, remote: Remote) -> None:
        name = url_path(url).rpartition("/")[2]
        account = stem(name)
        if problem := account_problem(account):
            raise SourceError(f"The photo cannot be named by its URL: {problem}")
        self.key = url
        self._photo = NewPhoto(account, remote.file(url), name, derived_photo_id(account, url))

    def __iter__(self) -> Iterator[NewPhoto | Skipped]:
        yield self._photo

    def to_count(self) -> Iterator[object]:
        """See :class:`imgmatch.sources.base.Countable`."""
        return iter(self)


class RemoteCopy:
    """A file of this machine that holds what lay at a URL, for as long as anybody holds this.

    A manifest is read more than once, and one that breaks off half-way must not look like a short one.

    Attributes:
        url: where it lay.
        path: of the file.

    Raises:
        MissingExtraError: what reads such URLs is not installed.
        PhotoError: it cannot be had whole.
    """

    def __init__(self, url: str, remote: Remote) -> None:
        self.url = url
        store = remote.store(url)
        handle, name = tempfile.mkstemp(prefix="imgmatch-")
        self.path = Path(name)
        weakref.finalize(self, self.path.unlink, missing_ok=True)
        with os.fdopen(handle, "w+b") as file:
            remote.wait(partial(store.copy, url, file))
