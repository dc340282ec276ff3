"""Requests to addresses that a configuration names: resolved first, checked, and connected to what was checked."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Collection
from typing import Final
from urllib.parse import urlsplit

import httpx

TIMEOUT_S: Final = 10.0
_UNICAST: Final = ipaddress.ip_network("2000::/3")
"""All that IANA has given out of IPv6 for the open internet. What lies outside carries an IPv4 address in disguise
(64:ff9b::/96, 64:ff9b:1::/48, ::/96, ::ffff:0:0:0/96) or leads into the house (fec0::/10, fc00::/7), and which of these
`is_global` knows depends on the version of Python."""
_NOT_FOR_US: Final = (
    ipaddress.ip_network("2002::/16"),  # 6to4 and Teredo: IPv4 in disguise
    ipaddress.ip_network("2001::/32"),
    ipaddress.ip_network("3fff::/20"),  # for documentation
    ipaddress.ip_network("192.88.99.0/24"),  # relays of 6to4
)

Resolve = Callable[[str, int], Awaitable[list[str]]]


class AddressRefusedError(Exception):
    """The address is one that a webhook must not reach."""


async def resolve(host: str, port: int) -> list[str]:
    """Addresses of a host; raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def is_public(address: str) -> bool:
    """An address of the open internet: not private, local, multicast, reserved, or one of these in a disguise."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip not in _UNICAST:
            return False
    if any(ip in network for network in _NOT_FOR_US):
        return False
    return ip.is_global and not ip.is_multicast


async def checked_address(url: str, allowed_hosts: Collection[str], resolve: Resolve = resolve) -> str:
    """The address to connect to for `url`; raises `AddressRefusedError`, or `OSError` where the name is not known.

    Every address of the name has to be public, unless the host is allowed by name. Plain http is for allowed hosts only.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.password:
        raise AddressRefusedError("the address is not a plain http or https address")
    allowed = host.lower() in allowed_hosts
    if parts.scheme == "http" and not allowed:
        raise AddressRefusedError("http is allowed for listed hosts only; use https")
    addresses = await resolve(host, parts.port or (443 if parts.scheme == "https" else 80))
    if not addresses:
        raise AddressRefusedError("the name has no address")
    if not allowed and not all(is_public(address) for address in addresses):
        raise AddressRefusedError("the name leads to an address inside the house; list the host to allow it")
    return addresses[0]


async def post(
    url: str,
    *,
    body: bytes,
    headers: dict[str, str],
    allowed_hosts: Collection[str],
    resolve: Resolve = resolve,
    transport: httpx.AsyncBaseTransport | None = None,
) -> int:
    """POST to the address that was checked (a second look-up of the name would be another answer); gives the status.

    Redirects are not followed. Raises `AddressRefusedError`, `OSError`, `httpx.HTTPError`.
    """
    address = await checked_address(url, allowed_hosts, resolve)
    target = httpx.URL(url)
    pinned = target.copy_with(host=address)
    async with httpx.AsyncClient(
        timeout=TIMEOUT_S, follow_redirects=False, trust_env=False, transport=transport
    ) as client:
        request = client.build_request(
            "POST",
            pinned,
            content=body,
            headers={**headers, "Host": target.netloc.decode("ascii")},
            extensions={"sni_hostname": target.host},
        )
        answer = await client.send(request, stream=True)
        await answer.aclose()
        return answer.status_code
