"""The own account: sessions, password, second factor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.accounts import factors, own, passwords, sessions
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import step
from gateway.web.console import proof
from gateway.web.console.account_words import WORDS, words
from gateway.web.console.routing import Routes
from gateway.web.console.session_cookie import drop
from gateway.web.console.sign_in import home

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.store.accounts import AccountRow
    from gateway.web.console.visit import Visit

routes = Routes()

_BROWSERS = (
    ("Edg/", "Edge"),
    ("Firefox/", "Firefox"),
    ("MicroMessenger", "WeChat"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("HarmonyOS", "HarmonyOS"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)
"""Mark in a User-Agent -> its name; the first that fits counts."""


@routes.get("/me", "signed_in")
async def show(visit: Visit) -> web.StreamResponse:
    """Show who one is here, and where one is signed in."""
    return await _page(visit)


@routes.post("/me/password", "signed_in")
async def change_password(visit: Visit) -> web.StreamResponse:
    """Take another password; every other session ends."""
    console, form = visit.console, await visit.form()
    current, chosen = str(form.get("current", "")), str(form.get("password", ""))
    if chosen != form.get("again"):
        return await _page(visit, visit.say("The two passwords differ."))
    assert visit.session is not None
    try:
        await own.change_password(
            console.database,
            console.office.policy,
            console.sealing,
            visit.session,
            current,
            chosen,
            await visit.text(proof.FIELD),
            visit.now,
            desk_name=console.settings.desk.name,
        )
    except DeskRefused as error:
        return await _page(visit, words(visit, error))
    return visit.go("/me?done=password")


@routes.post("/me/sessions/end", "signed_in")
async def end_session(visit: Visit) -> web.StreamResponse:
    """End one of the own sessions, or all but this one."""
    console, which = visit.console, await visit.text("session")
    assert visit.session is not None
    async with step(console.database, visit.login, visit.now, console.office.policy) as one:
        if which == "others":
            await sessions.end_all(one, visit.login, but=visit.session.id)
        else:
            await sessions.end(one, _number(which), visit.login)
    if which == str(visit.session.id):
        response = visit.go("/sign-in")
        drop(response, console)
        return response
    return visit.go("/me?done=sessions")


@routes.post("/me/factor/new", "signed_in")
async def offer_factor(visit: Visit) -> web.StreamResponse:
    """Make the key of another second factor; the one that there is has to be given first."""
    console = visit.console
    account = await own.account(console.database, visit.login)
    if account.totp_key is not None and not await proof.proved(visit):
        return await proof.ask(visit)
    await own.offer_factor(console.database, console.sealing, visit.login, visit.now)
    return visit.go("/me/factor")


@routes.get("/me/factor", "signed_in")
async def show_factor(visit: Visit) -> web.StreamResponse:
    """Show the key that is offered, to be scanned and confirmed."""
    return await _factor(visit)


@routes.post("/me/factor", "signed_in")
async def confirm_factor(visit: Visit) -> web.StreamResponse:
    """Make the key that is offered the second factor."""
    assert visit.session is not None
    console, code = visit.console, await visit.text(proof.FIELD)
    if _offered(visit, await own.account(console.database, visit.login)) is None:
        return await _factor(visit, visit.say(WORDS["no_offer"]))
    try:
        await own.confirm_factor(
            console.database, console.office.policy, console.sealing, visit.session, code, visit.now
        )
    except DeskRefused as error:
        return await _factor(visit, words(visit, error))
    return visit.go("/me?done=factor")


async def _page(visit: Visit, fault: str = "") -> web.Response:
    console = visit.console
    account = await own.account(console.database, visit.login)
    limits = console.settings.console.limits
    return visit.render(
        "me.html",
        422 if fault else 200,
        account=account,
        sessions=await sessions.open_ones(console.database, visit.now, limits, visit.login),
        limits=limits,
        fault=fault,
        done=visit.request.query.get("done", ""),
        home=home(visit),
        shortest=passwords.SHORTEST,
        advised=passwords.ADVISED,
        zone=console.zone,
        device=device,
    )


def device(agent: str) -> str:
    """Return what a browser calls itself in two words, or its first words where they are none we know."""
    found = [next((name for mark, name in names if mark in agent), "") for names in (_BROWSERS, _SYSTEMS)]
    return " · ".join(name for name in found if name) or agent[:40]


async def _factor(visit: Visit, fault: str = "") -> web.Response:
    account = await own.account(visit.console.database, visit.login)
    return visit.render(
        "me_factor.html",
        422 if fault else 200,
        account=account,
        fault=fault,
        **_shown(visit, account),
    )


def _shown(visit: Visit, account: AccountRow) -> dict[str, str]:
    key = _offered(visit, account)
    if key is None:
        return {"picture": "", "spelled": ""}
    desk = visit.console.settings.desk.name
    return {"picture": factors.picture(key, account.login, desk), "spelled": factors.spelled(key)}


def _offered(visit: Visit, account: AccountRow) -> str | None:
    """Return the key that may be confirmed: whoever finds a session open does not finish what was begun."""
    if account.totp_key is not None and not proof.recent(visit):
        return None
    return own.offered_key(visit.console.sealing, account)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:  # noqa: PLR2004 - digits of a bigint
        raise DeskRefused("no_session", "this session is over already")
    return int(text)
