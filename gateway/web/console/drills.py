"""Drills: started and ended as such, and what came of those that are over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from gateway.desk import drills
from gateway.store import drills as store
from gateway.web.console.routing import Routes
from gateway.web.console.running import RUNNING

if TYPE_CHECKING:
    from gateway.web.console.visit import Visit

routes = Routes()


@routes.get("/drills", "see")
async def show_all(visit: Visit) -> web.StreamResponse:
    """Show the drill that runs and those that are over."""
    async with visit.console.database.begin() as connection:
        rows = await store.latest(connection)
    runs = next((row for row in rows if row.ended_at is None), None)
    past = [row for row in rows if row.ended_at is not None]
    return visit.render("drills.html", runs=runs, past=past, longest=drills.LONGEST_TITLE)


@routes.get(r"/drills/{id:\d{1,18}}", "see")
async def show(visit: Visit) -> web.StreamResponse:
    """Show one drill with its warnings."""
    async with visit.console.database.begin() as connection:
        drill = await store.one(connection, visit.number())
        if drill is None:
            raise web.HTTPNotFound
        rows = await store.alerts_between(connection, drill.started_at, drill.ended_at or visit.now)
    return visit.render("drill.html", mode="drill", drill=drill, rows=rows)


@routes.post("/drills", "operate")
async def start(visit: Visit) -> web.StreamResponse:
    """Start a drill."""
    await drills.start(visit.console.desk, await visit.text("title"), visit.login)
    visit.request.config_dict[RUNNING].forget()
    return visit.go("/drills")


@routes.post(r"/drills/{id:\d{1,18}}/end", "operate")
async def end(visit: Visit) -> web.StreamResponse:
    """End a drill."""
    await drills.end(visit.console.desk, visit.number(), visit.login)
    visit.request.config_dict[RUNNING].forget()
    return visit.go(f"/drills/{visit.number()}")
