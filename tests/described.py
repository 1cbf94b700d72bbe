"""Descriptions that tests have in common: they draw the same few pictures, and each index would have them described."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, cast

from imgmatch.describing.messages import Description, Job
from imgmatch.errors import PhotoError
from imgmatch.imaging.files import read_photo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from imgmatch.describing.messages import Reply
    from imgmatch.describing.runner import Runner
    from imgmatch.describing.settings import Settings
    from imgmatch.model import Failure

Item = TypeVar("Item")
_Key = tuple[object, ...]

_MOST = 1_000
_MOST_BYTES = 1 << 20

_known: dict[_Key, Description] = {}


def describe_once(
    runner: Runner, settings: Settings, items: Iterable[Item], job_of: Callable[[Item], Job | Failure], spare: int
) -> Iterator[tuple[Item, Reply]]:
    """What the runner answers; a description that it gave before of the same bytes is not asked for again.

    Each file is still read, by the rules of the worker, and what is no description, as of a photo that cannot be used,
    is asked for each time.
    """
    keys: deque[_Key | None] = deque()

    def job_or_known(item: Item) -> Job | Failure:
        job = job_of(item)
        key = _key(job, settings) if isinstance(job, Job) else None
        keys.append(key)
        known = None if key is None else _known.get(key)
        return job if known is None else cast("Failure", known)  # a runner hands on whatever is no job

    for item, reply in runner.describe(items, job_or_known, spare=spare):
        key = keys.popleft()
        if key is not None and isinstance(reply, Description):
            if len(_known) >= _MOST:
                _known.clear()
            _known[key] = reply
        yield item, reply


def _key(job: Job, settings: Settings) -> _Key | None:
    """What a description depends on; ``None`` if there will be none, or one too large to keep.

    Tests of a root watch who reads what below it: there everything is read by the runner alone.
    """
    if job.view is not None or job.known_sha256 is not None or job.root is not None:
        return None
    try:
        data = job.photo if isinstance(job.photo, bytes) else read_photo(job.photo, settings.limits)
    except PhotoError:
        return None
    if len(data) > _MOST_BYTES:
        return None
    return settings, replace(job, photo=hashlib.sha256(data).digest())
