"""What runs on a node of the cluster: one decode process, whoever hands it photos, and what answers other work."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgmatch import registry
from imgmatch.cluster.build import told_build
from imgmatch.cluster.packing import packed, unpacked
from imgmatch.describing.messages import Job, reply_message
from imgmatch.describing.pool import WorkerPool
from imgmatch.describing.worker import parse_job, parse_settings
from imgmatch.errors import ImgmatchError, PhotoError
from imgmatch.numeric import use_one_thread
from imgmatch.rooted import open_to_read

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from imgmatch.cluster.packing import Message

UNSEEN: Message = ({"unseen": True}, b"")
"""The reply to a photo whose file is not to be had on the node."""

_SAME_TIME_NS = 2_000_000_000
"""Some shared folders tell when a file was written to two seconds only."""


class Slot:
    """An actor of Ray. It keeps the one supervised process that the photos of strangers may kill."""

    def __init__(self, settings: str) -> None:
        use_one_thread()  # so that what it computes itself is what every process computes
        self._pool = WorkerPool(1, parse_settings(settings))

    def begin(self) -> tuple[str, bytes]:
        """Start the process, and wait until it works; tells the id of the node, and what it describes with."""
        import ray  # noqa: PLC0415 -- an extra, which is where this runs

        list(self._pool.describe([b""], Job))
        return ray.get_runtime_context().get_node_id(), told_build()

    def describe(self, chunk: bytes) -> bytes:
        """The replies to a chunk of jobs, or one message with the error that kept them all from being tried."""
        jobs = [_seen(head, parse_job(dict(head), body)) for head, body in unpacked(chunk)]
        try:
            replies = self._pool.describe([job for job in jobs if job is not None], lambda job: job)
            answers = (reply_message(reply) for _, reply in replies)
            return packed([UNSEEN if job is None else next(answers) for job in jobs])
        except ImgmatchError as error:
            return packed([({"error": str(error)}, b"")])

    def answer(self, kind: str, unit: bytes, *kept: NDArray[np.uint8]) -> bytes:
        """The answer to a unit of other work, or the error that says why it has none.

        Args:
            kind: which function answers; see ``registry.UNITS``.
            unit: what it is given.
            kept: what else it needs; Ray hands it over from the memory that the processes of a node share.
        """
        try:
            return packed([({}, registry.answerer(kind)(unit, kept))])
        except (ImgmatchError, ValueError) as error:
            return packed([({"error": str(error)}, b"")])

    def end(self) -> None:
        """End the process."""
        self._pool.close()


def _seen(head: Mapping[str, Any], job: Job) -> Job | None:
    """The job, unless its file is not here as it is where the work comes from: folders may bear one name."""
    if not isinstance(job.photo, Path):
        return job
    try:
        file = open_to_read(job.photo, job.root)
    except (OSError, ValueError, PhotoError):
        return None
    try:
        found = os.fstat(file)
    finally:
        os.close(file)
    size, written = head["file"]
    return job if found.st_size == size and abs(found.st_mtime_ns - written) <= _SAME_TIME_NS else None
