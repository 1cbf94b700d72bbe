"""A server process at work: its index open, and what goes on beside requests.

All of it begins and ends in a thread of its own. An index may take long to open, such as one that is being migrated: a
server that does not answer meanwhile is taken for dead, and one that says that things are not there does harm.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from imgmatch import Index
from imgmatch.errors import ImgmatchError
from imgmatch.web.deliveries import Deliveries
from imgmatch.web.gate import Gate, Rate
from imgmatch.web.hma.state import HmaState
from imgmatch.web.service import Service
from imgmatch.web.sinks import channels
from imgmatch.web.uploads import Uploads, default_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anyio import CapacityLimiter

    from imgmatch.web.metrics import Metrics
    from imgmatch.web.settings import ServeSettings

_LOGGER = logging.getLogger(__name__)

_SWEEP_SECONDS = 60.0

_CATCH_UP_SWEEPS = 60
"""Every hour engine files of a database are written anew, where other machines have changed it enough."""

PATIENCE_SECONDS = 10.0
"""While an index takes longer to open, requests are answered with 503; one that fails sooner ends the server."""


class Working:
    """Opens the index and hands it on, until it is ended."""

    def __init__(
        self, settings: ServeSettings, metrics: Metrics, drawing: CapacityLimiter, begin: Callable[[Service], None]
    ) -> None:
        """``begin`` is called once all is there."""
        self._settings, self._metrics, self._drawing, self._begin = settings, metrics, drawing, begin
        self._begun, self._over = threading.Event(), threading.Event()
        self._error: Exception | None = None
        self._is_late = False
        self._thread = threading.Thread(target=self._run, name="imgmatch-index")

    def start(self) -> Self:
        """Begin to open it."""
        self._thread.start()
        return self

    def wait(self) -> None:
        """See whether it can be opened, for a while.

        Raises:
            Exception: it cannot be; whatever was raised.
        """
        if not self._begun.wait(PATIENCE_SECONDS):
            self._is_late = True
            _LOGGER.warning("the index is still being opened; until it is, requests are answered with 503")
        elif self._error is not None:
            raise self._error

    def end(self) -> None:
        """End all of it."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with _at_work(self._settings, self._metrics, self._drawing, self._over) as service:
                self._begin(service)
                self._begun.set()
                self._over.wait()
        except Exception as error:  # whoever waits gets it; who waits no more finds it in the log
            self._error = error
            if self._is_late or self._begun.is_set():
                _LOGGER.exception("the index cannot be used; requests are answered with 503")
        finally:
            self._begun.set()


@contextmanager
def _at_work(
    settings: ServeSettings, metrics: Metrics, drawing: CapacityLimiter, over: threading.Event
) -> Iterator[Service]:
    with Index.open(settings.index_path, workers=settings.workers) as index:
        folder = Path(settings.uploads) if settings.uploads else default_folder(index.parts.header.catalog or "")
        service = Service(
            index=index,
            settings=settings,
            uploads=Uploads(folder, settings.upload_hours),
            gate=Gate(settings.most_waiting),
            rate=Rate(settings.checks_a_minute),
            drawing=drawing,
            metrics=metrics,
            hma=HmaState.of(settings),
        )
        warming = threading.Thread(target=_warmed, args=(service,), name="imgmatch-warm-up")
        warming.start()
        sweeping = threading.Thread(target=_swept, args=(service, over), name="imgmatch-sweep", daemon=True)
        sweeping.start()
        with Deliveries(channels(index, settings)):
            yield service
        over.set()
        sweeping.join()
        warming.join()


def _swept(service: Service, over: threading.Event) -> None:
    """What was kept for too long goes, whether or not somebody asks."""
    sweeps = 0
    while not over.wait(_SWEEP_SECONDS):
        sweeps += 1
        if sweeps % _CATCH_UP_SWEEPS == 0:
            _caught_up(service)
        service.hma.remembered.forget()
        try:
            service.uploads.sweep()
        except OSError as error:
            _LOGGER.warning("photos that were asked about could not be removed: %s", error)


def _caught_up(service: Service) -> None:
    """Of an index in a database: who writes to a folder publishes there himself."""
    if service.index.parts.folder.place is None:
        return
    try:
        service.index.catch_up()
    except ImgmatchError as error:
        _LOGGER.warning("engine files could not be written anew: %s", error)


def _warmed(service: Service) -> None:
    try:
        _caught_up(service)
        service.index.warm_up()
    except ImgmatchError as error:
        _LOGGER.warning("the server could not warm up: %s", error)
    finally:
        service.hma.loaded.set()
