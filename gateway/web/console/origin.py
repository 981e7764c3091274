"""Refuses requests that a foreign page made in the name of a person who is signed in, and open lines."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from yarl import URL

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.settings import Settings

_OURS = frozenset({"same-origin", "none"})


def is_ours(request: web.Request, base_url: str) -> bool:
    """Return whether a request that changes something comes from a page of ours.

    Browsers say so themselves (``Sec-Fetch-Site``), except on plain HTTP; there the ``Origin``, which every
    browser sends with a POST, must be the address that the request was sent to or the public one.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in _OURS
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    return origin in {str(URL(base_url).origin()), f"{request.scheme}://{request.host}"}


def is_exposed(request: web.Request, base_url: str) -> bool:
    """Return whether a request came over the network without TLS, for everybody on the way to read."""
    return not base_url.startswith("https://") and not _is_here(request.host)


def is_open(settings: Settings) -> bool:
    """Return whether other machines may use the console without TLS."""
    here = _is_here(f"[{settings.web.host}]" if ":" in settings.web.host else settings.web.host)
    return settings.console.plain_http and not settings.web.base_url.startswith("https://") and not here


def _is_here(host: str) -> bool:
    """Return whether a ``Host`` names this machine; a lie about it harms nobody but the liar."""
    try:
        name = URL(f"http://{host}").host or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
