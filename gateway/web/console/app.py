"""Put the console together: its pages, and what every request to it goes through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from gateway.desk.refused import DeskRefused
from gateway.store.faults import DATABASE_FAULTS, took_back
from gateway.web.console import (
    admin,
    alert,
    approve,
    assets,
    attachments,
    board,
    channels,
    consultations,
    draft,
    draft_preview,
    drills,
    elsewhere,
    errors,
    groups,
    imports,
    inbox,
    lead,
    live,
    me,
    once,
    origin,
    people,
    places,
    preferences,
    proof,
    receipts_page,
    refusals,
    regions,
    release,
    release_figures,
    release_steps,
    sign_in,
    source_page,
    test_message,
    timeline,
    unreached,
    welcome,
)
from gateway.web.console.filters import N_
from gateway.web.console.parts import CONSOLE, Console
from gateway.web.console.running import RUNNING, Running
from gateway.web.console.session_cookie import recognise
from gateway.web.console.visit import Visit, language_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.web.console.routing import Handler, Route

log = structlog.get_logger(__name__)

PAGES = (
    admin,
    alert,
    approve,
    assets,
    preferences,
    sign_in,
    elsewhere,
    welcome,
    me,
    board,
    live,
    drills,
    lead,
    receipts_page,
    release,
    release_figures,
    release_steps,
    timeline,
    unreached,
    attachments,
    consultations,
    draft,
    draft_preview,
    regions,
    people,
    groups,
    places,
    imports,
    inbox,
    channels,
    source_page,
    test_message,
)
"""Every page module; each has its ``routes``."""
_LIMITED_TO = ("/me", "/sign-out")
"""What somebody sees who has no second factor yet."""

_AWAY = {
    "GET": N_("The database cannot be reached just now. Try again."),
    "POST": N_("The database cannot be reached just now. Look whether it was done before you repeat it."),
}
"""A line that breaks while a step is kept leaves open whether it was."""
_TAKEN_BACK = N_(
    "Somebody else was changing the same thing at this moment, and this was not done. Try again."
)


def make_console(console: Console) -> web.Application:
    """Return the application that is mounted at :data:`gateway.web.console.visit.BASE`."""
    app = web.Application(middlewares=[errors.as_pages])
    app[CONSOLE] = console
    app[RUNNING] = Running()
    live.begin(app, console)
    imports.begin(app)
    app.on_response_prepare.append(_name_our_pages)
    for route in all_routes():
        app.router.add_route(route.method, route.path, _served(route))
    if origin.is_open(console.settings):
        log.warning("the console has no TLS: passwords can be read on the way", setting="console.plain_http")
    return app


def all_routes() -> list[Route]:
    """Return every route of the console."""
    return [route for page in PAGES for route in page.routes]


async def _name_our_pages(_: web.Request, response: web.StreamResponse) -> None:
    # With `no-referrer` browsers send `Origin: null` with every form, and plain HTTP has nothing else to
    # tell our forms from foreign ones by.
    response.headers["Referrer-Policy"] = "same-origin"


def _served(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        console = request.config_dict[CONSOLE]
        visit = Visit(console, request, console.clock.now(), None, language_of(request))
        try:
            return await _answer(route, visit)
        except DeskRefused as error:
            return visit.refused(refusals.words(visit, error), refusals.status(error))
        except DATABASE_FAULTS as error:
            if took_back(error):
                log.warning("two steps were in each other's way", route=route.path)
                return visit.refused(visit.say(_TAKEN_BACK), 409)
            log.warning("console waits for the database", error=type(error).__name__)
            return visit.refused(visit.say(_AWAY[route.method]), 503)
        finally:
            visit.close()

    return serve


async def _answer(route: Route, visit: Visit) -> web.StreamResponse:
    settings = visit.console.settings
    if any("\0" in value for value in visit.request.query.values()):  # no text of the database holds it
        raise web.HTTPBadRequest
    if visit.exposed and not settings.console.plain_http and not _is_asset(route):
        return visit.refused(
            visit.say("This line can be listened to: open the console by its https address."), 403
        )
    if route.method == "POST" and not origin.is_ours(visit.request, settings.web.base_url):
        log.warning("refused what a foreign page sent", route=route.path)
        return visit.refused(visit.say("This came from another page than ours. Nothing was done."), 403)
    if "anyone" not in route.rights or route.method == "POST":
        await recognise(visit)
    if "anyone" in route.rights:
        return await route.handler(visit)
    if visit.session is None:
        return _to_sign_in(visit)
    await visit.request.config_dict[RUNNING].look(visit.console)
    return await _answer_person(route, visit)


def _is_asset(route: Route) -> bool:
    return route.handler is assets.give


async def _answer_person(route: Route, visit: Visit) -> web.StreamResponse:
    assert visit.session is not None
    if visit.session.limited and not route.path.startswith(_LIMITED_TO):
        return visit.go("/me/factor")
    if "signed_in" not in route.rights and not visit.may(*route.rights):  # type: ignore[arg-type]
        log.warning("denied", login=visit.login, route=route.path)
        return visit.refused(visit.say("Your roles do not allow this. Ask an administrator."), 403)
    if route.method == "GET":
        return await route.handler(visit)
    visit.request = visit.request.clone(client_max_size=errors.LARGEST_FORM)
    return await once.run(visit, _proving(route.handler) if route.proved else route.handler)


def _proving(handler: Handler) -> Handler:
    async def run(visit: Visit) -> web.StreamResponse:
        return await handler(visit) if await proof.proved(visit) else await proof.ask(visit)

    return run


def _to_sign_in(visit: Visit) -> web.StreamResponse:
    address = sign_in.address(visit)
    if visit.partial:  # a part of a page cannot show the sign-in page in its place
        return web.Response(status=401, headers={"HX-Redirect": address})
    return visit.go(address)
