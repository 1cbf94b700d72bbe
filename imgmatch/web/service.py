"""What one server process works with, and how a request gets at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import Request

from imgmatch import Index
from imgmatch.web.gate import Gate, Rate
from imgmatch.web.hma.state import HmaState
from imgmatch.web.metrics import Metrics
from imgmatch.web.settings import ServeSettings
from imgmatch.web.uploads import Uploads

Drawn = TypeVar("Drawn")


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that routes need; one for each server process.

    Attributes:
        index: opened for as long as the process serves.
        settings: how it behaves.
        uploads: photos that were asked about.
        gate: how many checks may be under way.
        drawing: how many pictures are drawn at once.
        rate: how often each caller may ask about photos.
        metrics: what is counted.
        hma: what the routes of HMA keep.
    """

    index: Index
    settings: ServeSettings
    uploads: Uploads
    gate: Gate
    rate: Rate
    drawing: CapacityLimiter
    metrics: Metrics
    hma: HmaState

    async def drawn(self, draw: Callable[[], Drawn]) -> Drawn:
        """What a worker draws; a page asks for many pictures, and nobody else may have to wait for them."""
        return await anyio.to_thread.run_sync(draw, limiter=self.drawing)


def service_of(request: Request) -> Service:
    """That of the process that answers this request."""
    return cast("Service", request.app.state.service)
