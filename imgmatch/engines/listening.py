"""Engines of a process that answers questions read what is new as soon as the catalog tells of it.

The next question would read it, and does so where nothing was told: it looks for itself. But after a large scan the
first one would wait for that.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from imgmatch.catalog.extent import read_extent
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from imgmatch.catalog.base import Catalog, Hearing
    from imgmatch.engines.bank_hashes import BankHashes
    from imgmatch.engines.sync import FeatureSearcher, FingerprintSearcher

_ENOUGH = 2
"""Questions from which on more are to be expected: who asks once needs no connection for it."""

_LOGGER = logging.getLogger(__name__)


class Listening:
    """Listens, once there is something to listen for. Safe to use from several threads."""

    def __init__(
        self, catalog: Catalog, fingerprints: FingerprintSearcher, features: FeatureSearcher, banks: BankHashes
    ) -> None:
        self._catalog = catalog
        self._engines = (fingerprints, features)
        self._banks = banks
        self._beginning = threading.Lock()
        self._questions = 0
        self._began = False
        self._hearing: Hearing | None = None

    def asked(self) -> None:
        """Note that there is a question; from the second one on it is listened."""
        self._questions += 1
        if self._questions >= _ENOUGH:
            self.begin()

    def begin(self) -> None:
        """Listen from now on, if the catalog tells of anything."""
        with self._beginning:
            if not self._began:
                self._began = True
                self._hearing = self._catalog.hear(self._catch_up)

    def _catch_up(self) -> None:
        """Have engines that are open read what is new."""
        try:
            with self._catalog.read() as session:
                extent = read_extent(session)
            if extent.shards is None:
                for engine in self._engines:
                    engine.advance(extent.last[engine.table])
            self._banks.advance(extent)
        except (ImgmatchError, OSError) as error:  # whoever asks next is told
            _LOGGER.warning("what is new could not be read ahead: %s", error)

    def close(self) -> None:
        """Listen no more."""
        with self._beginning:
            self._began = True
            hearing, self._hearing = self._hearing, None
        if hearing is not None:
            hearing.close()
