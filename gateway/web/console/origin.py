"""Refuses requests that a foreign page made in the name of a person who is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yarl import URL

if TYPE_CHECKING:
    from aiohttp import web

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
