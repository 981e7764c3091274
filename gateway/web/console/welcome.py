"""From a one-time code to an account, in three steps: the code, a password, a second factor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.accounts import enrolment, factors, passwords
from gateway.accounts.enrolment import Given
from gateway.desk.refused import DeskRefused
from gateway.web.console.account_words import words
from gateway.web.console.routing import Routes
from gateway.web.console.session_cookie import origin_of
from gateway.web.console.sign_in import let_in

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.accounts.enrolment import Enrolment
    from gateway.web.console.visit import Visit

routes = Routes()


@routes.get("/welcome", "anyone")
async def ask(visit: Visit) -> web.StreamResponse:
    """Ask for the code."""
    return _page(visit, "", None)


@routes.post("/welcome", "anyone")
async def look(visit: Visit) -> web.StreamResponse:
    """Ask for a password, and for login and name of the first administrator."""
    code = await visit.text("invitation")
    try:
        found = await _look(visit, code)
    except DeskRefused as error:
        return _page(visit, "", None, words(visit, error))
    return _page(visit, code, found._replace(totp_key=None))


@routes.post("/welcome/password", "anyone")
async def take_password(visit: Visit) -> web.StreamResponse:
    """Keep the password and show the second factor."""
    code, console, form = await visit.text("invitation"), visit.console, await visit.form()
    given = Given(str(form.get("password", "")), await visit.text("login"), await visit.text("name"))
    try:
        found = await _look(visit, code)
    except DeskRefused as error:
        return _page(visit, "", None, words(visit, error))
    again = found._replace(login=found.login or given.login, name=found.name or given.name, totp_key=None)
    if given.password != form.get("again"):
        return _page(visit, code, again, visit.say("The two passwords differ."))
    try:
        begun = await enrolment.begin(
            console.database,
            console.office.policy,
            console.sealing,
            code,
            given,
            visit.now,
            console.settings.desk.name,
        )
    except DeskRefused as error:
        return _page(visit, code, again, words(visit, error))
    return _page(visit, code, begun)


@routes.post("/welcome/factor", "anyone")
async def finish(visit: Visit) -> web.StreamResponse:
    """Make the account with the first right code, and let the person in."""
    code, console, origin = await visit.text("invitation"), visit.console, origin_of(visit)
    policy, limits = console.office.policy, console.settings.console.limits
    try:
        opened = await enrolment.complete(
            console.database,
            policy,
            console.sealing,
            code,
            await visit.text("code"),
            origin,
            visit.now,
            limits,
        )
    except DeskRefused as error:
        return await _once_more(visit, code, words(visit, error))
    return await let_in(visit, opened)


async def _look(visit: Visit, code: str) -> Enrolment:
    console = visit.console
    return await enrolment.look(
        console.database, console.office.policy, console.sealing, code, origin_of(visit), visit.now
    )


async def _once_more(visit: Visit, code: str, fault: str) -> web.Response:
    try:
        found = await _look(visit, code)
    except DeskRefused:
        return _page(visit, "", None, fault)
    return _page(visit, code, found, fault)


def _page(visit: Visit, code: str, found: Enrolment | None, fault: str = "") -> web.Response:
    key, desk = found.totp_key if found else None, visit.console.settings.desk.name
    return visit.render(
        "welcome.html",
        422 if fault else 200,
        stage="code" if found is None else "factor" if key else "password",
        code=code,
        found=found,
        fault=fault,
        picture=factors.picture(key, found.login, desk) if found and key else "",
        spelled=factors.spelled(key) if key else "",
        shortest=passwords.SHORTEST,
        advised=passwords.ADVISED,
    )
