"""The extension of ``tx``, ThreatExchange's command line: PDQ as imgmatch computes and searches it.

    $ tx config extensions add imgmatch.exchange.tx
    $ tx config collab edit local_file --create partner --filename /lists/pdq.txt --signal-type imgmatch_pdq
    $ tx fetch
    $ tx match photo suspect.heic
    imgmatch_pdq 12 (partner) INVESTIGATION_SEED

The name ``pdq`` is ``tx``'s own. What comes under ``imgmatch_pdq`` are PDQ values all the same, so that any list of
them can be used; another name says that photos are read as imgmatch reads them (upright, without transparency, also
HEIC and damaged ones; ``docs/pdq.md``) and that a mirrored or turned copy is found without ``--rotations``.

``threatexchange`` brings this module in, never the other way round: imgmatch does not depend on it.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

try:
    from threatexchange.content_type.photo import PhotoContent
    from threatexchange.exchanges.impl.fb_threatexchange_signal import HasFbThreatExchangeIndicatorType
    from threatexchange.extensions.manifest import ThreatExchangeExtensionManifest
    from threatexchange.signal_type.signal_base import BytesHasher, SignalComparisonResult, SimpleSignalType
except ImportError as error:
    raise ImportError(
        "imgmatch.exchange.tx is an extension of tx and needs it: pip install threatexchange (with a C compiler)"
    ) from error

from imgmatch import registry
from imgmatch.describing.messages import Description, Job
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.exchange.tx_index import MOST_DISTANCE, BandedIndex, TurnedHash, checked_value
from imgmatch.hashers.hexform import from_hex
from imgmatch.model import FINGERPRINT_BYTES, Failure

if TYPE_CHECKING:
    from pathlib import Path

    from imgmatch.describing.messages import Reply
    from imgmatch.describing.runner import Runner

_LOG = logging.getLogger(__name__)
_PDQ = "pdq"
_OPENING = threading.Lock()

LEAST_QUALITY = 50
"""Below it the field discards a PDQ value."""


class ImgmatchPdqSignal(
    SimpleSignalType,  # type: ignore[misc]  # threatexchange has no types here
    BytesHasher,  # type: ignore[misc]
    HasFbThreatExchangeIndicatorType,  # type: ignore[misc]
):
    """PDQ of photos as imgmatch reads them, searched in all eight orientations."""

    INDICATOR_TYPE: ClassVar[str] = "HASH_PDQ"
    """What ThreatExchange calls PDQ: a privacy group's values are searched under this name, too."""

    @classmethod
    def get_name(cls) -> str:
        """``imgmatch_pdq``; ``pdq`` is taken by ``tx``."""
        return "imgmatch_pdq"

    @classmethod
    def get_content_types(cls) -> list[Any]:
        """Photos."""
        return [PhotoContent]

    @classmethod
    def get_index_cls(cls) -> type[BandedIndex[Any]]:
        """The index that finds such values."""
        return BandedIndex

    @classmethod
    def validate_signal_str(cls, signal_str: str) -> str:
        """A PDQ value in lower case, without space around it.

        Raises:
            ValueError: it is none.
        """
        return checked_value(signal_str)

    @classmethod
    def compare_hash(cls, hash1: str, hash2: str) -> Any:  # noqa: ANN401 -- a SignalComparisonResult
        """Whether two values are within 31 bits, and how far apart they are.

        Raises:
            ValueError: one of them is no PDQ value.
        """
        one, other = from_hex(checked_value(hash1)), from_hex(checked_value(hash2))
        return SignalComparisonResult.from_simple_dist(int(np.bitwise_count(one ^ other).sum()), MOST_DISTANCE)

    @classmethod
    def hash_from_bytes(cls, bytes_: bytes) -> str:
        """The value of a photo; ``""`` if it cannot be used, or shows too little (a quality below 50)."""
        return _hashed(bytes_)

    @classmethod
    def hash_from_file(cls, file: Path) -> str:
        """The same for a file."""
        return _hashed(file)

    @staticmethod
    def get_examples() -> list[str]:
        """Values of pictures that imgmatch draws."""
        return [
            "89326499649c14c50e7d27334533138bb0c438e61ce71db21989779d1fff7f2c",
            "89326499649c1cc50e7d27334533138bb0c438e61ce71db21989779d1fbf7f2c",  # the same as a poor JPEG
            "662373239dfb9cdd660973b1309dcceba66062b34bacc908d96393793a8d690c",
            "8cad1d2642e9a5cdc89654eba5965bf3823f23b44b7b25c6464d07dd34e24ba8",
        ]


def _hashed(photo: Path | bytes) -> str:
    """What a photo hashes to; why one cannot be used is logged, for there is no other place for it in ``tx``."""
    with _OPENING:
        runner = _runner(os.getpid())
    reply: Reply
    ((_, reply),) = runner.describe([photo], lambda one: Job(one, query=True, features=False))
    if isinstance(reply, Failure):
        _LOG.warning("%s: %s", "a photo" if isinstance(photo, bytes) else photo, reply)
    if not isinstance(reply, Description) or reply.quality < LEAST_QUALITY:
        return ""
    turned = np.frombuffer(reply.first.orientations[_PDQ], np.uint8)
    return TurnedHash.of(turned.reshape(-1, FINGERPRINT_BYTES))


@cache
def _runner(process: int) -> Runner:
    """One worker process with limits, kept until the process that asks ends; a forked one gets its own.

    Photos come from strangers, and a worker costs half a second once, where ``tx`` itself takes longer to start.
    """
    runner = open_runner(registry.DEFAULT_RUNNER, 1, Settings((_PDQ,), features=False, thumbnails=False))
    atexit.register(lambda: runner.close() if os.getpid() == process else None)
    return runner


TX_MANIFEST = ThreatExchangeExtensionManifest(signal_types=(ImgmatchPdqSignal,), content_types=(), apis=())
