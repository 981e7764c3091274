"""Where nothing is fetched from: addresses inside our own network, and odd ways to write them.

A URL is checked as text, every address that its host resolves to is checked, and the connection is made
to exactly the address that was checked, so that a name which changes its address meanwhile gains nothing.
"""

from __future__ import annotations

import asyncio
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from gateway.feeds.fetch.refused import FetchRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable

    from aiohttp.typedefs import StrOrURL

Lookup: TypeAlias = "Callable[[str, int], Awaitable[list[str]]]"
"""Gives the addresses of a host, which is no address itself; raises OSError where there are none."""

OURS = tuple(
    ip_network(one)
    for one in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",  # RFC 1918
        "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "198.18.0.0/15",  # RFC 6890, 6598, 2544
        "::1/128", "fe80::/10", "fc00::/7",  # RFC 4291, 4193
    )
)  # fmt: skip
"""Loopback, private, link-local, carrier NAT and benchmarking: opened by ``allow_private``."""
NOBODY = tuple(
    ip_network(one)
    for one in (
        "0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",  # RFC 6890
        "2001::/23", "2001:db8::/32", "3fff::/20",  # RFC 2928, 3849, 9637
    )
)  # fmt: skip
"""Unspecified, multicast, reserved and documentation: no server has one."""
_LOOKUPS = 32
_GLOBAL_V6 = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
_NUMBER = re.compile(r"(.*\.)?(\d+|0x[0-9a-f]*)")
_USER = re.compile(r"[^/?#]*//[^/?#]*@")
_NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f\\]")


def forbidden(address: str, *, allow_private: bool = False) -> str:
    """Return why nothing is fetched from an address (``"a private address"``); empty where it may be."""
    try:
        one = ip_address(address)
    except ValueError:
        return "no address"
    if isinstance(one, IPv6Address):
        return _forbidden_v6(one, allow_private=allow_private)
    return _forbidden_v4(one, allow_private=allow_private)


def _forbidden_v4(one: IPv4Address, *, allow_private: bool) -> str:
    if any(one in net for net in OURS):
        return "" if allow_private else "a loopback, private or link-local address"
    return "a reserved address" if any(one in net for net in NOBODY) else ""


def _forbidden_v6(one: IPv6Address, *, allow_private: bool) -> str:
    bare = IPv6Address(int(one))  # without a zone
    if any(bare in net for net in OURS):
        return "" if allow_private else "a loopback, private or link-local address"
    inner = _embedded(bare)
    if inner is not None:
        return _forbidden_v4(inner, allow_private=allow_private)
    if bare not in _GLOBAL_V6 or any(bare in net for net in NOBODY):
        return "a reserved address"
    return ""


def _embedded(one: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that a translator or tunnel would go to: NAT64, 6to4, Teredo."""
    if one in _NAT64:
        return IPv4Address(int(one) & 0xFFFFFFFF)
    return one.sixtofour or (one.teredo[1] if one.teredo else None)


def check_host(url: URL) -> str:
    """Return the host of a URL in small letters; refuses addresses that are not written in the usual way.

    Resolvers read ``0x7f.1``, ``2130706433`` and ``127.1`` as addresses, so a name must not end in a number.

    Raises:
        FetchRefused: there is no host, or none that may be asked for.
    """
    host = (url.raw_host or "").lower().removesuffix(".")
    if ":" in host and "%" not in host:
        return host
    if not _HOST.fullmatch(host):
        raise FetchRefused("url", "the address has no host that can be asked for")
    if _NUMBER.fullmatch(host) and not _canonical(host):
        raise FetchRefused("address", "the host is an IP address written in an odd way")
    return host


def _canonical(host: str) -> bool:
    try:
        return str(IPv4Address(host)) == host
    except ValueError:
        return False


def check_url(url: StrOrURL, *, schemes: Collection[str] = ("https",)) -> URL:
    """Return the URL once it can be looked at further: an allowed scheme, a plain host, no user in it.

    Raises:
        FetchRefused: it is none that is fetched.
    """
    text = str(url)
    try:
        parsed = URL(text)
    except ValueError:
        raise FetchRefused("url", "the address is no URL") from None
    if _NOT_IN_A_URL.search(text) or not parsed.absolute:
        raise FetchRefused("url", "the address is no whole URL")
    if parsed.scheme not in schemes:
        known = " and ".join(f"{one}:" for one in sorted(schemes))
        raise FetchRefused("scheme", f"only {known} is fetched from here")
    if _USER.match(text):
        raise FetchRefused("userinfo", "the address has a user name or password in it")
    check_host(parsed)
    return parsed


@cache
def _lookups() -> ThreadPoolExecutor:
    """Threads of their own: a name server that does not answer must not keep others from being read."""
    return ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="lookup")


async def system_lookup(host: str, port: int) -> list[str]:
    """Ask the system's resolver."""
    asked = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_lookups(), asked)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What one client may reach.

    Attributes:
        schemes: of URLs.
        hosts: the only hosts, in small letters; ``None``: any.
        allow_private: whether loopback, private and link-local addresses may be reached.
        reachable: single addresses that may be reached although they are private.
        lookup: how names become addresses.
    """

    schemes: frozenset[str] = frozenset({"https"})
    hosts: frozenset[str] | None = None
    allow_private: bool = False
    reachable: frozenset[str] = frozenset()
    lookup: Lookup = system_lookup

    def url(self, url: StrOrURL) -> URL:
        """Return a URL that may be fetched, as far as its text tells; raises FetchRefused."""
        parsed = check_url(url, schemes=self.schemes)
        host = check_host(parsed)
        if self.hosts is not None and host not in self.hosts:
            raise FetchRefused("host", f"the host {host} is none of this source")
        if ":" in host or _NUMBER.fullmatch(host):
            self.address(host)
        return parsed

    def address(self, address: str) -> str:
        """Return an address that may be connected to; raises FetchRefused."""
        why = forbidden(address, allow_private=self.allow_private)
        if why and address not in self.reachable:
            raise FetchRefused("address", f"the host has {why}")
        return address

    async def addresses(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host; one that is forbidden refuses them all.

        Raises:
            FetchRefused: the name is unknown, or an address is forbidden.
        """
        if ":" in host or _NUMBER.fullmatch(host):
            return [self.address(host)]
        try:
            found = await self.lookup(host, port)
        except (OSError, UnicodeError):
            raise FetchRefused("dns", f"the name {host} has no address") from None
        if not found:
            raise FetchRefused("dns", f"the name {host} has no address")
        return [self.address(one) for one in found]


class GuardedResolver(AbstractResolver):
    """Gives aiohttp the addresses that were checked, and no others."""

    def __init__(self, guard: Guard) -> None:
        """Resolve as the guard says."""
        self._guard = guard

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - the library passes it
    ) -> list[ResolveResult]:
        """Return the addresses of a host; raises FetchRefused."""
        return list(_results(host, port, await self._guard.addresses(host, port)))

    async def close(self) -> None:
        """Nothing is held."""


def _results(host: str, port: int, addresses: Iterable[str]) -> Iterable[ResolveResult]:
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        yield ResolveResult(
            hostname=host,
            host=address,
            port=port,
            family=family,
            proto=socket.IPPROTO_TCP,
            flags=socket.AI_NUMERICHOST,
        )
