"""Worker processes that all tests of a session share: each index would start its own, and tests make hundreds."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest
from described import describe_once

from imgmatch import registry
from imgmatch.describing.pool import WorkerPool
from imgmatch.describing.process import CLOSED
from imgmatch.describing.runner import Runner
from imgmatch.errors import ImgmatchError
from imgmatch.imaging.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from imgmatch.describing.messages import Job, Reply
    from imgmatch.describing.settings import Settings
    from imgmatch.model import Failure

Item = TypeVar("Item")

_pools: dict[tuple[int, Settings], WorkerPool] = {}


class _Borrowed(Runner):
    """A runner whose processes go on when it is closed."""

    def __init__(self, pool: WorkerPool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings
        self._closed = False

    def describe(
        self, items: Iterable[Item], job_of: Callable[[Item], Job | Failure], *, spare: int = 0
    ) -> Iterator[tuple[Item, Reply]]:
        if self._closed:
            raise ImgmatchError(CLOSED)
        return describe_once(self._pool, self._settings, items, job_of, spare)

    def warm_up(self) -> None:
        self._pool.warm_up()

    def close(self) -> None:
        self._closed = True


def open_warm(workers: int, settings: Settings) -> Runner:
    """Lends the session's pool of these settings; limits that are a test's own get a pool of their own."""
    if settings.limits != Limits():
        return WorkerPool(workers, settings)
    if (workers, settings) not in _pools:
        _pools[workers, settings] = WorkerPool(workers, settings)
    return _Borrowed(_pools[workers, settings], settings)


@pytest.fixture(scope="session", autouse=True)
def _warm_workers() -> Iterator[None]:
    """Makes that the runner of everything that does not name one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.RUNNERS, "warm", f"{__name__}:{open_warm.__name__}")
        patch.setattr(registry, "DEFAULT_RUNNER", "warm")
        yield
    for pool in _pools.values():
        pool.close()
    _pools.clear()


@pytest.fixture
def own_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test that looks at the worker processes of its index: it gets its own."""
    monkeypatch.setattr(registry, "DEFAULT_RUNNER", "processes")
