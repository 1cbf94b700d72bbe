"""Who asks, and whether that may be: a token, a login, a trusted proxy's word, or this machine if nobody is named."""

from __future__ import annotations

import getpass
import hashlib
import hmac
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from imgmatch.errors import NotAllowedError
from imgmatch.model import Scope
from imgmatch.web.paths import path_token
from imgmatch.web.service import service_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgmatch.web.service import Service

COOKIE = "imgmatch_login"
CSRF_HEADER = "X-Imgmatch-CSRF"
_RIGHTS = {
    Scope.READ: "look at accounts and rings",
    Scope.CHECK: "check photos",
    Scope.DECIDE: "decide",
    Scope.WRITE: "add and erase photos",
    Scope.ADMIN: "read the log and the figures",
}
_SAFE = {"GET", "HEAD", "OPTIONS"}
_BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        name: as what he, she or it does is signed.
        scopes: what that may be.
        csrf: what a browser has to send along with whatever writes; ``None`` for a program.
        can_log_out: there is a login to be ended.
        is_here: nobody is named: whoever is on this machine.
    """

    name: str
    scopes: frozenset[Scope]
    csrf: str | None
    can_log_out: bool = False
    is_here: bool = False

    def may(self, scope: str) -> bool:
        """Whether it may."""
        return scope in self.scopes


def known_caller(request: Request) -> Caller | None:
    """Who asks; ``None`` where nobody has said.

    Raises:
        NotAllowedError: there is a token, and it is none that is known, or has ended.
    """
    service = service_of(request)
    service.index.ensure_there()
    in_path = path_token(request.scope)
    if in_path is not None:  # who puts it there means just that
        return _by_token(service, in_path)
    proxied = _by_proxy(request, service)
    if proxied is not None:  # its own word comes before a token that it passes on, which may be for itself
        return proxied
    said = request.headers.get("authorization", "")
    if said[: len(_BEARER)].lower() == _BEARER:
        return _by_token(service, said[len(_BEARER) :].strip())
    secret = request.cookies.get(COOKIE)
    if secret is not None and (user := service.index.people.logged_in(secret)) is not None:
        return Caller(user.name, user.role.scopes, _csrf("login", secret), can_log_out=True)
    if service.settings.is_open and _is_from_here(request) and not service.index.people.has_people():
        return Caller(_somebody_here(), frozenset(Scope), _csrf("here", service.settings.index), is_here=True)
    return None


def _by_token(service: Service, secret: str) -> Caller:
    token = service.index.people.token_of(secret)
    if token is None:
        raise NotAllowedError("this token is not known, or has ended", is_unknown=True)
    return Caller(token.name, frozenset(token.scopes), None)


def _by_proxy(request: Request, service: Service) -> Caller | None:
    header = service.settings.user_header
    if header is None or not is_trusted(request):
        return None
    name = request.headers.get(header)
    user = None if name is None else service.index.people.user(name)
    if user is None:
        return None
    return Caller(user.name, user.role.scopes, _csrf("proxy", f"{service.settings.index} {user.name}"))


def is_trusted(request: Request) -> bool:
    """Whether the request comes from a proxy whose word counts."""
    networks = service_of(request).settings.networks
    return bool(networks) and (peer := _peer(request)) is not None and any(peer in network for network in networks)


def _peer(request: Request) -> IPv4Address | IPv6Address | None:
    try:
        return None if request.client is None else ip_address(request.client.host)
    except ValueError:
        return None


def _is_from_here(request: Request) -> bool:
    """Whether it comes from this machine itself, and no proxy has passed it on."""
    peer = _peer(request)
    passed_on = any(
        name in request.headers for name in ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
    )
    return peer is not None and peer.is_loopback and not passed_on


def address_of(request: Request) -> str:
    """Where the request comes from, as a trusted proxy says."""
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    if forwarded and is_trusted(request):
        return forwarded
    return "" if request.client is None else request.client.host


def is_secure(request: Request) -> bool:
    """Whether the browser speaks HTTPS, as a trusted proxy says where there is one."""
    if is_trusted(request) and "x-forwarded-proto" in request.headers:
        return request.headers["x-forwarded-proto"] == "https"
    return request.url.scheme == "https"


def refuse_foreign(request: Request, caller: Caller | None) -> None:
    """Refuse what another site has a browser send: what writes has to come from a page of our own, or a program.

    Raises:
        NotAllowedError: it comes from elsewhere, or does not say what only our page knows.
    """
    if request.method in _SAFE or (caller is not None and caller.csrf is None):
        return
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise NotAllowedError("this request comes from another site")
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        raise NotAllowedError("this request comes from another site")
    is_browser = origin is not None or "sec-fetch-site" in request.headers
    if caller is not None and (caller.can_log_out or is_browser):
        given = request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(given.encode(), (caller.csrf or "").encode()):
            raise NotAllowedError("this page is out of date; load it again")


def needs(scope: Scope) -> Callable[[Request], Caller]:
    """What a route depends on to know who asks; it answers only who may.

    Raises:
        NotAllowedError: who asks is not known, or may not.
    """

    def caller(request: Request) -> Caller:
        found = known_caller(request)
        if found is None:
            raise NotAllowedError("say who asks: log in, or send a token", is_unknown=True)
        if not found.may(scope):
            raise NotAllowedError(
                f"{found.name} may not do that: it takes the right to {_RIGHTS[scope]} (scope {scope})"
            )
        refuse_foreign(request, found)
        return found

    return caller


Reader = Annotated[Caller, Depends(needs(Scope.READ))]
Asker = Annotated[Caller, Depends(needs(Scope.CHECK))]
Decider = Annotated[Caller, Depends(needs(Scope.DECIDE))]
Writer = Annotated[Caller, Depends(needs(Scope.WRITE))]
Admin = Annotated[Caller, Depends(needs(Scope.ADMIN))]


def _csrf(kind: str, secret: str) -> str:
    return hashlib.sha256(f"csrf {kind} {secret}".encode()).hexdigest()


def _somebody_here() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may have no user of that number
        return "somebody here"
