"""Which source a URL is: a folder of a bucket, a manifest by its suffix, or one photo."""

from __future__ import annotations

import os
import tempfile
import weakref
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.errors import PhotoError, SourceError
from imgmatch.model import NewPhoto, Skipped, SkipReason, derived_photo_id
from imgmatch.sources.base import account_problem, shown, stem
from imgmatch.sources.bucket import BucketSource
from imgmatch.sources.urls import BUCKETS, checked, shown_url, url_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.sources.base import Source
    from imgmatch.sources.remote import Remote


def open_url(text: str, remote: Remote, manifests: frozenset[str]) -> Source | Copy:
    """Open what lies at a URL.

    Args:
        text: the URL; a folder of a bucket, a manifest, or a photo.
        remote: the connections.
        manifests: suffixes of manifests.

    Returns:
        a source, or the copy of a manifest.

    Raises:
        MissingExtraError: what reads such URLs is not installed.
        SourceError: there is nothing, or nothing that can be read.
    """
    try:
        url = checked(text)
        path = url_path(url)
        if Path(path).suffix.lower() in manifests:
            return Copy(url, remote)
        if url.startswith(tuple(f"{scheme}://" for scheme in BUCKETS)):
            if _is_folder(url, path, remote):
                return BucketSource(url, remote)
        elif path.endswith("/"):
            raise SourceError(f"{shown(shown_url(url))}: web servers have no folders; name a manifest or a photo.")
        return RemotePhotoSource(url, remote)
    except PhotoError as error:
        raise SourceError(f"{shown(shown_url(text))}: {error.detail}") from error


def _is_folder(url: str, path: str, remote: Remote) -> bool:
    store = remote.bucket(url)
    if path.endswith("/"):
        if not remote.wait(partial(store.entries, url)):
            raise PhotoError(SkipReason.MISSING, "there is nothing in this folder")
        return True
    return bool(remote.wait(partial(store.info, url))["type"] == "directory")


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


class Copy:
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
