"""Photos that are asked about: files, bytes, URLs, and all that folders, manifests and archives stand for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.model import NamedPhoto
from imgmatch.sources import query_photo, query_photos
from imgmatch.sources.remote import Remote
from imgmatch.sources.urls import is_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imgmatch.sources.retrying import RemoteOptions

UNNAMED = "-"
"""What bytes are called that came without a name, as of standard input."""

PhotoLike = str | os.PathLike[str] | bytes | NamedPhoto
"""A file or a URL, the bytes of a file, or a photo under a name of its own."""


def named_photo(photo: PhotoLike) -> NamedPhoto:
    """``photo`` under its path or URL, or ``-`` where it came as bytes; a file is not looked at here.

    Raises:
        MissingExtraError: it is a URL, and what reads it is not installed.
    """
    if isinstance(photo, NamedPhoto):
        return photo
    if isinstance(photo, bytes):
        return NamedPhoto(UNNAMED, photo)
    if isinstance(photo, str) and is_url(photo):
        with Remote() as connections:
            return query_photo(photo, remote=connections)
    return NamedPhoto(os.fspath(photo), Path(photo))


def named_photos(
    queries: Iterable[PhotoLike], *, root: Path | None = None, remote: RemoteOptions | None = None
) -> Iterator[NamedPhoto]:
    """Every photo the queries stand for, in order, under the name it is shown by.

    A folder, a manifest or an archive stands for its photos, by path or URL, as in a scan. A file named directly is not
    looked at here: whoever reads it says what is wrong with it. What names no photo comes as a failure in its place.

    Args:
        queries: photos, folders, manifests and archives.
        root: refuse photos outside this folder.
        remote: how URLs are read.

    Raises:
        MissingExtraError: what reads a query is not installed.
        SourceError: a folder, a manifest or an archive cannot be read at all.
    """
    with Remote(remote) as connections:
        for query in queries:
            if isinstance(query, (bytes, NamedPhoto)):
                yield named_photo(query)
            else:
                yield from query_photos(os.fspath(query), remote=connections, root=root)
