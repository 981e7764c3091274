"""Put the console together: its pages, and what every request to it goes through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from gateway.accounts import sessions
from gateway.desk.refused import DeskRefused
from gateway.store.faults import DATABASE_FAULTS
from gateway.web.console import assets, board, once, origin, preferences
from gateway.web.console.parts import CONSOLE, Console
from gateway.web.console.visit import BASE, Visit, language_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.web.console.routing import Handler, Route

log = structlog.get_logger(__name__)

PAGES = (assets, preferences, board)
"""Every page module; each has its ``routes``."""
LARGEST_FORM = 12 * 2**20
"""Bytes of a form with its files."""


def cookie_of(console: Console) -> str:
    """Return the name of the cookie that holds the token; its prefix makes a browser demand TLS."""
    return "__Host-tongda" if console.secure else "tongda"


def make_console(console: Console) -> web.Application:
    """Return the application that is mounted at :data:`visit.BASE`."""
    app = web.Application(client_max_size=LARGEST_FORM)
    app[CONSOLE] = console
    for route in all_routes():
        app.router.add_route(route.method, route.path, _served(route))
    return app


def all_routes() -> list[Route]:
    """Return every route of the console."""
    return [route for page in PAGES for route in page.routes]


def _served(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        console = request.config_dict[CONSOLE]
        visit = Visit(console, request, console.clock.now(), None, language_of(request))
        try:
            return await _answer(route, visit)
        except DeskRefused as error:
            return visit.refused(error.sentence)
        except DATABASE_FAULTS as error:
            log.warning("console waits for the database", error=type(error).__name__)
            return visit.refused(
                visit.say("The database cannot be reached just now. Nothing was done; try again."), 503
            )

    return serve


async def _answer(route: Route, visit: Visit) -> web.StreamResponse:
    if route.method == "POST" and not origin.is_ours(visit.request, visit.console.settings.web.base_url):
        return visit.refused(visit.say("This came from another page than ours. Nothing was done."), 403)
    if "anyone" not in route.rights or route.method == "POST":
        await _recognise(visit)
    if "anyone" in route.rights:
        return await route.handler(visit)
    if visit.session is None:
        return _to_sign_in(visit)
    if "signed_in" not in route.rights and not visit.may(*route.rights):  # type: ignore[arg-type]
        log.warning("denied", login=visit.login, route=route.path)
        return visit.refused(visit.say("Your roles do not allow this. Ask an administrator."), 403)
    handler: Handler = route.handler
    return await (once.run(visit, handler) if route.method == "POST" else handler(visit))


async def _recognise(visit: Visit) -> None:
    token = visit.request.cookies.get(cookie_of(visit.console))
    if token:
        visit.session = await sessions.find(visit.console.database, token, visit.now)


def _to_sign_in(visit: Visit) -> web.StreamResponse:
    if visit.partial:  # a part of a page cannot show the sign-in page in its place
        return web.Response(status=401, headers={"HX-Redirect": f"{BASE}/sign-in"})
    return visit.go("/sign-in")
