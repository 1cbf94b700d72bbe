"""Photos to ask about, from any source that a scan may have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.errors import PhotoError, SourceError
from imgmatch.model import Failure, Fetched, NamedPhoto, NewPhoto, Skipped, SkipReason
from imgmatch.sources.base import PathGuard
from imgmatch.sources.fetching import fetched_ahead
from imgmatch.sources.guard import guarded
from imgmatch.sources.listed import is_list, open_list
from imgmatch.sources.manifest import ManifestSource
from imgmatch.sources.names import USUAL_NAMES
from imgmatch.sources.opening import open_source, suffix_of
from imgmatch.sources.place import Place
from imgmatch.sources.remote import result_of
from imgmatch.sources.urls import checked, is_url, shown_url, url_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.sources.base import Source
    from imgmatch.sources.remote import Remote


def query_photos(argument: str, *, remote: Remote, root: Path | None = None) -> Iterator[NamedPhoto]:
    """Every photo an argument stands for: one file or URL, or all of a folder, manifest or archive as a scan reads it.

    A ``.txt`` file that lists paths stands for these.

    Photos are opened, unpacked or fetched a little ahead of their turn. What cannot be used comes as a failure in its
    place; so does one photo that is named directly, whatever is wrong with it, and a source that breaks off half-way.

    Args:
        argument: a path or a URL.
        remote: the connections for URLs, open for as long as photos are taken.
        root: refuse what lies outside this folder.

    Yields:
        photos under the names they are shown by: within a folder or an archive its name and theirs, in a manifest what
        it says.

    Raises:
        MissingExtraError: what reads the argument is not installed.
        SourceError: it is a folder, a manifest or an archive, and cannot be read at all.
    """
    guard = PathGuard(root)
    if is_url(argument):
        yield from _of_url(argument, guard, remote)
    elif _is_folder(argument) or suffix_of(argument):
        yield from _of_source(open_source(argument, root=root, remote=remote), str(Path(argument, "_"))[:-1])
    else:
        path = _admitted(argument, guard)
        if isinstance(path, Path) and is_list(path.absolute(), guard.root):
            place = Place(str(Path(argument).absolute()), guard, remote)
            yield from _of_source(open_list(place), argument)
        else:
            yield NamedPhoto(argument, path, guard.root)


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


def _of_url(text: str, guard: PathGuard, remote: Remote) -> Iterator[NamedPhoto]:
    name = shown_url(text)
    try:
        guard.refuse_url()
        url = checked(text)
        suffix = suffix_of(url_path(url))
        source = open_source(url, remote=remote) if suffix else remote.store(url).folder(url, remote, USUAL_NAMES)
    except PhotoError as error:
        yield NamedPhoto(name, Failure(error.reason, error.detail))
        return
    if source is None:
        yield query_photo(url, remote=remote)
    else:
        yield from _of_source(source, name.rstrip("/") + "/")


def query_photo(url: str, *, remote: Remote) -> NamedPhoto:
    """One photo at a URL, fetched; or a failure, whatever is wrong with it.

    Raises:
        MissingExtraError: what reads such URLs is not installed.
    """
    try:
        content: bytes | Failure = result_of(remote.file(checked(url)).fetch()).data
    except PhotoError as error:
        content = Failure(error.reason, error.detail)
    return NamedPhoto(shown_url(url), content)


@dataclass(frozen=True, slots=True)
class _Item:
    """What a source gave, under the name it is shown by."""

    name: str
    photo: NewPhoto | None
    failure: Failure | None = None


def _of_source(source: Source, prefix: str) -> Iterator[NamedPhoto]:
    # A manifest says what its photos are called; within a folder or an archive the name tells where they lie.
    named_by = "" if isinstance(source, ManifestSource) else prefix
    for item, fetched in fetched_ahead(_items(source, named_by, prefix[:-1] or prefix)):
        yield NamedPhoto(item.name, _content(item, fetched), item.photo.root if item.photo else None)


def _items(source: Source, prefix: str, name: str) -> Iterator[_Item]:
    """What a source gives, and last, under its own name, why it breaks off if it does: other queries are answered."""
    try:
        for item in guarded(source):
            if isinstance(item, Skipped):
                if item.reason is SkipReason.PASSED_OVER:
                    continue
                where = f" (line {item.line})" if item.line is not None else ""
                yield _Item(prefix + item.photo, None, Failure(item.reason, item.detail + where))
            else:
                yield _Item(prefix + item.label, item)
    except SourceError as error:
        yield _Item(name, None, Failure(error.reason, str(error)))


def _content(item: _Item, fetched: Fetched | PhotoError | None) -> Path | bytes | Failure:
    match fetched:
        case PhotoError(reason=reason, detail=detail):
            return Failure(reason, detail)
        case Fetched(data=data):
            return data
    if item.photo is not None and isinstance(item.photo.path, Path):
        return item.photo.path
    return item.failure or Failure(SkipReason.UNREADABLE, "")
