"""Paths of requests as they are meant: those of HMA clients have doubled slashes, and a token in front.

HMA (Hasher-Matcher-Actioner) has no login, so that its clients send no token. They are told a base URL, and there one
may stand: ``/t/TOKEN/h/hash`` is ``/h/hash``, asked by that token.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from starlette.types import ASGIApp, Receive, Scope, Send

_IS_HMA = "imgmatch.hma"
_TOKEN = "imgmatch.path_token"  # noqa: S105 -- a key, not a secret

_SLASHES = re.compile("/{2,}")
_WITH_TOKEN = re.compile("/t(?:/(?P<token>[^/]*)(?P<rest>.*))?", re.DOTALL)
_HMA = re.compile(r"/(?:[hmc]|status|openapi)(?:/.*)?|/site-map", re.DOTALL)
_PHOTO = re.compile(r"/h/hash|/m/lookup|/c/bank/[^/]+/content")

NOWHERE = "/t"
"""Where a request leads that has a token in its path and is for no route of HMA."""


class HmaPaths:
    """Rewrites the paths of HMA clients before anybody looks at them.

    The scope itself is changed, so that a token is in no log: not in ours, and not in one of the server that runs us.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http":
            _rewrite(scope)
        await self._app(scope, receive, send)


def _rewrite(scope: Scope) -> None:
    path = _SLASHES.sub("/", scope["path"])
    if len(path) > 1:
        path = path.removesuffix("/")
    found = _WITH_TOKEN.fullmatch(path)
    if found is not None:
        path = found["rest"] or ""
        scope[_TOKEN] = found["token"] or ""
        if _HMA.fullmatch(path) is None:  # a token in a path is for nothing else
            path = NOWHERE
    elif _HMA.fullmatch(path) is None:
        return
    scope[_IS_HMA] = True
    scope["path"] = path
    scope["raw_path"] = quote(path, safe="/", errors="surrogatepass").encode("ascii")


def is_hma(scope: MutableMapping[str, Any]) -> bool:
    """Whether it is for a route of HMA: all that such a client is told is JSON, and errors hold a ``message``."""
    return bool(scope.get(_IS_HMA))


def path_token(scope: MutableMapping[str, Any]) -> str | None:
    """The token that stood in the path; only ever there for a route of HMA."""
    found: str | None = scope.get(_TOKEN)
    return found


def takes_photo(scope: MutableMapping[str, Any]) -> bool:
    """Whether it is for a route of HMA that takes a photo."""
    return is_hma(scope) and _PHOTO.fullmatch(scope["path"]) is not None
