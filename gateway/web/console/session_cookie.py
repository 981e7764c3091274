"""The two cookies of the console: the session's token, and what tells one browser from another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.accounts import sessions
from gateway.accounts.sessions import Origin

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.accounts.signing_in import Opened
    from gateway.web.console.parts import Console
    from gateway.web.console.visit import Visit

_KNOWN_FOR = 90 * 86400


def cookie_of(console: Console) -> str:
    """Return the name of the cookie that holds the token; its prefix makes a browser demand TLS."""
    return "__Host-tongda" if console.secure else "tongda"


def browser_cookie_of(console: Console) -> str:
    """Return the name of the cookie that tells a browser which people signed in from."""
    return f"{cookie_of(console)}-browser"


def token_of(visit: Visit) -> str:
    """Return the token that a browser sent, empty where there is none."""
    return visit.request.cookies.get(cookie_of(visit.console), "")


async def recognise(visit: Visit) -> None:
    """Find the session that a request belongs to, if it is still open."""
    token = token_of(visit)
    if token and visit.session is None:
        limits = visit.console.settings.console.limits
        visit.session = await sessions.find(
            visit.console.database, token, visit.now, limits, used=not _renews_itself(visit)
        )


def _renews_itself(visit: Visit) -> bool:
    """Return whether an open page asks, with nobody before it: for a part of it, or for live events."""
    listens = "text/event-stream" in visit.request.headers.get("Accept", "")
    return visit.request.method == "GET" and (visit.partial or listens)


def keep(response: web.StreamResponse, console: Console, opened: Opened) -> None:
    """Give a browser the tokens of a session that was opened for it."""
    for name, value, seconds in (
        (cookie_of(console), opened.token, None),
        (browser_cookie_of(console), opened.browser, _KNOWN_FOR),
    ):
        response.set_cookie(
            name, value, max_age=seconds, path="/", httponly=True, secure=console.secure, samesite="Strict"
        )


def drop(response: web.StreamResponse, console: Console) -> None:
    """Have a browser forget its token."""
    response.del_cookie(cookie_of(console), path="/", httponly=True, secure=console.secure, samesite="Strict")


def origin_of(visit: Visit) -> Origin:
    """Return where a request came from."""
    request, console = visit.request, visit.console
    browser = request.cookies.get(browser_cookie_of(console), "")
    return Origin(_address(visit), request.headers.get("User-Agent", ""), browser[:64])


def _address(visit: Visit) -> str:
    """Return who asks; a proxy's word about it counts only where the settings say that there is one."""
    if visit.console.settings.console.behind_proxy:
        told = ",".join(visit.request.headers.getall("X-Forwarded-For", []))
        if last := told.rpartition(",")[2].strip():
            return last
    return visit.request.remote or "-"
