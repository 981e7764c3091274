"""What somebody chooses for the own browser: the language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.web.console.routing import Routes
from gateway.web.console.sign_in import our_way
from gateway.web.console.visit import BASE, LANGUAGE_COOKIE
from gateway.web.console.words import LANGUAGES

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.web.console.visit import Visit

routes = Routes()

_YEAR = 365 * 86400


@routes.post("/language", "anyone")
async def choose_language(visit: Visit) -> web.StreamResponse:
    """Keep the language in a cookie and show the same page again."""
    chosen, back = await visit.text("language"), await visit.text("back")
    response = visit.go(our_way(back) or "/")
    if chosen in LANGUAGES:
        secure = visit.console.secure
        response.set_cookie(
            LANGUAGE_COOKIE, chosen, max_age=_YEAR, httponly=True, secure=secure, samesite="Lax", path=BASE
        )
    return response
