"""Which addresses a stranger's URL may lead to: public ones. Needs aiohttp."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.resolver import ThreadedResolver

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver, ResolveResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")


class NotPublicError(OSError):
    """An address that may not be connected to."""


def is_public(text: str) -> bool:
    """Whether an address is one of the open internet: not private, loopback, link-local, multicast or reserved.

    IPv6 addresses that stand for IPv4 ones (mapped, compatible, 6to4, Teredo, NAT64) are as public as those.
    """
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return all(map(_is_public, _meant(address)))


def _is_public(address: Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _meant(address: Address) -> list[Address]:
    """The addresses that packets sent to ``address`` may come to."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None or address in _NAT64 or address in _IPV4_COMPATIBLE:
        return [ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)]
    return [address, *(inner for inner in (address.sixtofour, *(address.teredo or ())) if inner is not None)]


class PublicResolver(ThreadedResolver):
    """Gives the addresses of a host; refuses the host if any of them is not public."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """See aiohttp.

        Raises:
            NotPublicError: one address is not public.
        """
        found = await super().resolve(host, port, family)
        for entry in found:
            _check(entry["host"])
        return found


def connector(
    connections: int, *, allow_private: bool, resolver: AbstractResolver | None = None
) -> aiohttp.TCPConnector:
    """What connects; unless ``allow_private``, to public addresses only.

    The very address that is connected to is looked at, so a host that answers another address the second time it is
    asked for (DNS rebinding), or an address in place of a name, gains nothing.

    Args:
        connections: how many at once.
        allow_private: see above.
        resolver: finds the addresses of hosts; ``None`` asks the system.
    """
    if allow_private:
        return aiohttp.TCPConnector(limit=connections, resolver=resolver or ThreadedResolver())
    return aiohttp.TCPConnector(limit=connections, resolver=resolver or PublicResolver(), socket_factory=_public_socket)


def _public_socket(info: tuple[int, int, int, str, tuple[str | int, ...]]) -> socket.socket:
    family, kind, protocol, _, address = info
    _check(str(address[0]))
    return socket.socket(family, kind, protocol)


def _check(address: str) -> None:
    if not is_public(address):
        raise NotPublicError(f"{address} is not a public address")
