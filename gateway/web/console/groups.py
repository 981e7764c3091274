"""Groups of contacts (分组): who is in them, who joins and who leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from gateway.audience.columns import Fault
from gateway.audience.entry import group_name
from gateway.desk import contacts as service
from gateway.desk.refused import DeskRefused
from gateway.store import people_pages as store
from gateway.web.console.people import MOST_PAGES, PAGE, SEEN, fixed_group, number_of, shown, step_of
from gateway.web.console.people_words import fault_words
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from gateway.web.console.visit import Visit

routes = Routes()

MOST_OFFERED = 20


@routes.get("/people/groups", SEEN)
async def groups(visit: Visit) -> web.StreamResponse:
    """List the groups."""
    async with visit.console.database.begin() as connection:
        rows = await store.groups(connection, service.within(visit.person))
    return visit.render("people/groups.html", groups=rows)


@routes.post("/people/groups", SEEN)
async def add(visit: Visit) -> web.StreamResponse:
    """Add a group."""
    try:
        name = group_name(await visit.text("name"))
    except Fault as fault:
        raise DeskRefused("group_name", fault_words(visit, fault)) from None
    async with step_of(visit) as one:
        number = await service.add_group(one, name)
    return visit.go(f"/people/groups/{number}")


@routes.get("/people/groups/{id:[0-9]{1,18}}", SEEN)
async def group(visit: Visit) -> web.StreamResponse:
    """Show the members of a group, and whom a search offers as further ones."""
    within, asked = service.within(visit.person), visit.request.query
    words = asked.get("q", "").strip()[:100]
    page = min(number_of(asked.get("page", "")) or 1, MOST_PAGES)
    async with visit.console.database.begin() as connection:
        row = await store.group(connection, visit.number(), within)
        if row is None:
            raise web.HTTPNotFound
        wanted = store.Wanted(within=within, group=row.id)
        total, members = await store.found(connection, wanted, (page - 1) * PAGE, PAGE)
        searched = store.Wanted(within=within, words=words)
        offered = await store.outsiders(connection, row.id, searched, MOST_OFFERED) if words else []
        listed, others = await shown(connection, members), await shown(connection, offered)
    return visit.render(
        "people/group.html",
        group=row,
        members=listed,
        total=total,
        page=page,
        pages=max(1, -(-total // PAGE)),
        words=words,
        offered=others,
        fixed=row.name == fixed_group(visit),
    )


@routes.post("/people/groups/{id:[0-9]{1,18}}/join", SEEN)
async def join(visit: Visit) -> web.StreamResponse:
    """Put contacts into a group."""
    sent = (await visit.form()).getall("contact", [])
    numbers = {found for one in sent if isinstance(one, str) and (found := number_of(one)) is not None}
    async with step_of(visit) as one:
        await service.join(one, visit.number(), numbers, visit.console.office.group("drill"))
    return visit.go(f"/people/groups/{visit.number()}")


@routes.post("/people/groups/{id:[0-9]{1,18}}/leave", SEEN)
async def leave(visit: Visit) -> web.StreamResponse:
    """Take a contact out of a group."""
    contact = number_of(await visit.text("contact")) or 0
    async with step_of(visit) as one:
        await service.leave(one, visit.number(), contact, visit.console.office.group("drill"))
    return visit.go(f"/people/groups/{visit.number()}")


@routes.post("/people/groups/{id:[0-9]{1,18}}/delete", SEEN)
async def drop(visit: Visit) -> web.StreamResponse:
    """Delete a group; its members stay."""
    async with step_of(visit) as one:
        await service.drop_group(one, visit.number())
    return visit.go("/people/groups")
