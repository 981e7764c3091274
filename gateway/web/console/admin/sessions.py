"""Who is signed in, from where, and the button that ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.accounts import sessions
from gateway.desk import staff
from gateway.web.console.admin.forms import begin, done
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.web.console.visit import Visit

routes = Routes()


@routes.get("/admin/sessions", "administer")
async def everybody(visit: Visit) -> web.StreamResponse:
    """List the open sessions of everybody."""
    console = visit.console
    opened = await sessions.open_ones(console.database, visit.now, console.settings.console.limits)
    return visit.render("admin/sessions.html", opened=opened, zone=console.zone, done=done(visit))


@routes.post(r"/admin/sessions/{id:\d{1,18}}/end", "administer")
async def end(visit: Visit) -> web.StreamResponse:
    """End one session."""
    async with begin(visit) as one:
        login = await sessions.end(one, visit.number())
        await staff.administrator(one, (await staff.known(one, login)).region)
    return visit.go("/admin/sessions?done=ended")
