"""Come in by way of an OpenID Connect provider, where the settings name one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from gateway.accounts import oidc
from gateway.accounts.oidc import Answer, Ticket
from gateway.desk.refused import DeskRefused
from gateway.web.console.account_words import words
from gateway.web.console.routing import Routes
from gateway.web.console.session_cookie import cookie_of, origin_of, token_of
from gateway.web.console.sign_in import form, let_in, our_way
from gateway.web.console.visit import BASE

if TYPE_CHECKING:
    from gateway.accounts.settings import OidcSettings
    from gateway.web.console.parts import Console
    from gateway.web.console.visit import Visit

routes = Routes()

_MINUTES = 10


@routes.get("/sign-in/elsewhere", "anyone")
async def leave(visit: Visit) -> web.StreamResponse:
    """Lead to the provider; a cookie tells this browser when it comes back."""
    settings, ticket = _settings(visit), Ticket.new()
    way = our_way(visit.request.query.get("next", ""))
    try:
        address = await oidc.leave(settings, ticket, _redirect(visit))
    except DeskRefused as error:
        return form(visit, way, fault=words(visit, error), status=502)
    response = web.Response(status=303, headers={"Location": address})
    for name, value in _cookies(visit.console, str(ticket), way).items():
        # It comes back with a navigation from the provider's site, with which Strict cookies are not sent.
        response.set_cookie(
            name, value, max_age=_MINUTES * 60, httponly=True, secure=visit.console.secure, samesite="Lax"
        )
    return response


@routes.get("/sign-in/back", "anyone")
async def come_back(visit: Visit) -> web.StreamResponse:
    """Open a session for whom the provider names."""
    settings, console, query = _settings(visit), visit.console, visit.request.query
    kept_ticket, kept_way = _cookies(console, "", "")
    cookies = visit.request.cookies
    answer = Answer(query.get("state", ""), query.get("code", ""), query.get("iss", ""))
    way = our_way(cookies.get(kept_way, ""))
    try:
        opened = await oidc.come_back(
            console.database,
            console.office.policy,
            settings,
            Ticket.read(cookies.get(kept_ticket, "")),
            answer,
            redirect=_redirect(visit),
            origin=origin_of(visit),
            now=visit.now,
            limits=console.settings.console.limits,
            token=token_of(visit),
        )
    except DeskRefused as error:
        return form(visit, way, fault=words(visit, error), status=403)
    return await _go_on(visit, await let_in(visit, opened, way))


async def _go_on(visit: Visit, led: web.Response) -> web.Response:
    """Show a page that goes on by itself: a redirect from another site would not bring the new cookie."""
    page = visit.render("go_on.html", address=led.headers["Location"])
    for cookie in led.cookies.values():
        page.cookies[cookie.key] = cookie.value
        page.cookies[cookie.key].update(cookie)
    for name in _cookies(visit.console, "", ""):
        page.del_cookie(name, httponly=True, secure=visit.console.secure, samesite="Lax")
    return page


def _settings(visit: Visit) -> OidcSettings:
    settings = visit.console.settings.console.oidc
    if settings is None:
        raise web.HTTPNotFound
    return settings


def _redirect(visit: Visit) -> str:
    return f"{visit.console.settings.web.base_url}{BASE}/sign-in/back"


def _cookies(console: Console, ticket: str, way: str) -> dict[str, str]:
    name = cookie_of(console)
    return {f"{name}-ticket": ticket, f"{name}-way": way}
