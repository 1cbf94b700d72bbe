"""Who is told of decisions and rings, by the settings of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgmatch.web import coop, webhook

if TYPE_CHECKING:
    from imgmatch import Index
    from imgmatch.web.deliveries import Channel
    from imgmatch.web.settings import ServeSettings


def channels(index: Index, settings: ServeSettings) -> list[Channel[Any]]:
    """All that are set up.

    Raises:
        ImgmatchError: a secret is missing that one of them needs.
    """
    found: list[Channel[Any]] = []
    if settings.webhook is not None:
        found.append(webhook.Decisions(index, settings.webhook))
        if webhook.SINK in settings.report_new_rings:
            found.append(webhook.FoundRings(index, settings.webhook))
    if settings.coop_url is not None:
        found.append(coop.Coop(index, settings))
    return found
