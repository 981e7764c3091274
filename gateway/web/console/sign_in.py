"""Come in by login, password and code, and go out again."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from yarl import URL

from gateway.accounts import sessions, signing_in
from gateway.accounts.signing_in import Attempt
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import step
from gateway.web.console.account_words import words
from gateway.web.console.routing import Routes
from gateway.web.console.session_cookie import drop, keep, origin_of, recognise, token_of
from gateway.web.console.visit import BASE

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.accounts.signing_in import Opened
    from gateway.web.console.visit import Visit

routes = Routes()

_LONGEST_WAY = 500


@routes.get("/sign-in", "anyone")
async def ask(visit: Visit) -> web.StreamResponse:
    """Show the form; whoever is signed in already goes on."""
    await recognise(visit)
    way = visit.request.query.get("next", "")
    if visit.session is not None:
        return visit.go(our_way(way) or home(visit))
    return form(visit, way)


@routes.post("/sign-in", "anyone")
async def enter(visit: Visit) -> web.StreamResponse:
    """Open a session and lead to what was asked for."""
    console, way = visit.console, await visit.text("next")
    given = await visit.form()
    attempt = Attempt(await visit.text("login"), str(given.get("password", "")), await visit.text("code"))
    try:
        opened = await signing_in.sign_in(
            console.database,
            console.office.policy,
            console.sealing,
            attempt,
            origin_of(visit),
            visit.now,
            console.settings.console.limits,
            token_of(visit),
        )
    except DeskRefused as error:
        return form(visit, way, attempt.login, words(visit, error), 429 if error.code == "wait" else 422)
    return await let_in(visit, opened, way)


async def let_in(visit: Visit, opened: Opened, way: str = "") -> web.Response:
    """Give the browser its session, and lead to what was asked for or to the person's first page."""
    limits = visit.console.settings.console.limits
    visit.session = await sessions.find(visit.console.database, opened.token, visit.now, limits)
    response = visit.go(our_way(way) or home(visit))
    keep(response, visit.console, opened)
    return response


@routes.post("/sign-out", "anyone")
async def leave(visit: Visit) -> web.StreamResponse:
    """End the session of this browser."""
    console = visit.console
    if visit.session is not None:
        with suppress(DeskRefused):  # a second click: it is over already
            async with step(console.database, visit.login, visit.now, console.office.policy) as one:
                await sessions.end(one, visit.session.id, visit.login)
    response = visit.go("/sign-in")
    drop(response, console)
    return response


def home(visit: Visit) -> str:
    """Return the first page of a person."""
    if visit.session is not None and visit.session.limited:
        return "/me/factor"
    return "/" if visit.may("see") else "/lead" if visit.may("lead") else "/me"


def address(visit: Visit) -> str:
    """Return where to sign in and then go on with the page that was asked for."""
    asked = visit.request.path_qs
    if visit.request.method != "GET" or visit.partial or asked == f"{BASE}/" or not our_way(asked):
        return f"{BASE}/sign-in"
    return str(URL(f"{BASE}/sign-in").with_query({"next": asked}))


def our_way(asked: str) -> str:
    """Return the page of ours that was asked for; empty where it is none: nobody is led elsewhere."""
    plain = len(asked) <= _LONGEST_WAY and asked.isprintable() and "\\" not in asked and "//" not in asked
    return asked if plain and asked.startswith(f"{BASE}/") else ""


def form(visit: Visit, way: str, login: str = "", fault: str = "", status: int = 200) -> web.Response:
    """Return the form to sign in with, and why it is shown again."""
    console = visit.console
    elsewhere = visit.request.headers.get("Sec-Fetch-Site") == "cross-site"
    return visit.render(
        "sign_in.html",
        status,
        way=our_way(way),
        login=login[:64],
        fault=fault,
        oidc=console.settings.console.oidc,
        elsewhere=elsewhere,
        desk=console.settings.desk.name,
    )
