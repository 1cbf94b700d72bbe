"""A folder in a bucket as a source: the same accounts as in a local folder."""

from __future__ import annotations

from collections import deque
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from imgmatch.errors import PhotoError, SourceError
from imgmatch.model import NewPhoto, Skipped, SkipReason, derived_photo_id
from imgmatch.sources.base import shown
from imgmatch.sources.folder import account_of
from imgmatch.sources.guard import photo_error
from imgmatch.sources.remote import result_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from imgmatch.sources.buckets import BucketStore, Entry
    from imgmatch.sources.names import NameRule
    from imgmatch.sources.remote import Remote

_DEEPEST = 64


class BucketSource:
    """All photos under a folder of a bucket, in the order of their names, a few listings in memory.

    What the listings tell of sizes, ETags and times is not asked again.

    Args:
        url: of the folder.
        remote: the connections.
        store: what reads the bucket.
        names: what is passed over by its name.
    """

    def __init__(self, url: str, remote: Remote, store: BucketStore, names: NameRule) -> None:
        self.key = url.rstrip("/") + "/"
        self._remote = remote
        self._store = store
        self._names = names

    def __iter__(self) -> Iterator[NewPhoto | Skipped]:
        try:
            entries = result_of(self._listing(""))
        except PhotoError as error:
            raise SourceError(f"{shown(self.key)} cannot be listed: {error.detail}") from error
        yield from self._below("", entries, 0)

    def _listing(self, label: str) -> Future[list[Entry]]:
        return self._remote.start(partial(self._store.entries, self.key + label))

    def _below(self, label: str, listed: list[Entry], depth: int) -> Iterator[NewPhoto | Skipped]:
        entries = []
        for entry in listed:
            passed = self._names.passed_over(label + entry.name, folder=entry.folder)
            if passed is None:
                entries.append(entry)
            else:
                yield passed
        # Folders are listed ahead of their turn, or every account would wait for an answer of its own.
        folders = (entry.name for entry in entries if entry.folder)
        ahead: deque[Future[list[Entry]]] = deque()
        for entry in entries:
            name = label + entry.name
            if entry.folder:
                more = islice(folders, self._remote.options.fetchers - len(ahead))
                ahead.extend(self._listing(f"{label}{folder}/") for folder in more)
                yield from self._folder(name, ahead.popleft(), depth + 1)
                continue
            try:
                item: NewPhoto | Skipped = self._photo(name, entry)
            except Exception as error:  # noqa: BLE001 -- whatever it is, it costs this photo
                problem = photo_error(error, self.key + name)
                item = Skipped(shown(name), problem.reason, problem.detail, part=name)
            yield item

    def _folder(self, name: str, listing: Future[list[Entry]], depth: int) -> Iterator[NewPhoto | Skipped]:
        try:
            account_of(name, folder=True)
            _check_depth(depth)
            entries = result_of(listing)
        except PhotoError as error:
            yield Skipped(shown(name), error.reason, error.detail, part=name)
            return
        yield from self._below(name + "/", entries, depth)

    def _photo(self, label: str, entry: Entry) -> NewPhoto:
        account = account_of(label, folder=False)
        url = self.key + label
        return NewPhoto(account, self._remote.file(url, entry.metadata), label, derived_photo_id(account, url))


def _check_depth(depth: int) -> None:
    if depth > _DEEPEST:
        raise PhotoError(SkipReason.REFUSED, f"The folder lies more than {_DEEPEST} folders deep.")
