"""Reads web URLs of allowed hosts, redirects included. Needs aiohttp."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch.errors import PhotoError, SkipReason
from imgmatch.sources.web import WebStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    import aiohttp

    from imgmatch.sources.retrying import RemoteOptions
    from imgmatch.web.hma.fetching import FetchHost


class AllowedStore(WebStore):
    """What lies on allowed hosts; every URL is looked at, that of a redirect like the first."""

    def __init__(self, options: RemoteOptions, hosts: Sequence[FetchHost]) -> None:
        super().__init__("http", options)
        self._hosts = hosts

    async def _answered(self, method: str, url: str) -> aiohttp.ClientResponse:
        if not any(host.allows(url) for host in self._hosts):
            raise PhotoError(SkipReason.REFUSED, "its host is not one that this server fetches from: see --fetch-host")
        return await super()._answered(method, url)
