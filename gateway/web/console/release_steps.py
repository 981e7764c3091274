"""What people do about a release: take it back, put it right, and stop or resume a route."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.desk.steps import step
from gateway.desk.switching import switch
from gateway.store import coverage as coverage_store
from gateway.store import desk as desk_store
from gateway.store.switches import route
from gateway.web.console.release import head_of
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.web.console.visit import Visit

routes = Routes()


@routes.post(r"/releases/{id:\d{1,18}}/cancel", "cancel")
async def cancel(visit: Visit) -> web.StreamResponse:
    """Submit the prepared Cancel; lead to its release where nobody has to approve it, else to its page."""
    async with visit.console.database.begin() as connection:
        alert = (await head_of(visit, connection)).alert_id
    taken_back = await visit.console.desk.cancel(alert, visit.login, await visit.version())
    async with visit.console.database.begin() as connection:
        released = await desk_store.release_of(connection, taken_back.id)
    return visit.go(f"/releases/{released.id}" if released else f"/alerts/{taken_back.id}")


@routes.post(r"/releases/{id:\d{1,18}}/update", "draft")
async def update(visit: Visit) -> web.StreamResponse:
    """Draft an Update that says what was said, and lead to where it is put right."""
    async with visit.console.database.begin() as connection:
        alert = (await head_of(visit, connection)).alert_id
    draft = await visit.console.desk.update(alert, visit.login)
    return visit.go(f"/alerts/{draft.id}/edit")


@routes.post(r"/releases/{id:\d{1,18}}/route", "operate")
async def turn(visit: Visit) -> web.StreamResponse:
    """Turn a route of the release off or on, for everything that is sent on it."""
    console, channel = visit.console, await visit.text("channel")
    async with step(console.database, visit.login, visit.now, console.office.policy) as one:
        head = await head_of(visit, one.connection)
        if channel not in await coverage_store.counts_by_channel(one.connection, head.id):
            return visit.refused(visit.say("This release is not sent on that channel."))
        off = await visit.text("turn") == "off"
        reason, seen = await visit.text("reason"), await visit.text("seen")
        await switch(one, "route", route(channel, head.mode), off=off, reason=reason, seen=seen)
    return visit.go(f"/releases/{head.id}")
