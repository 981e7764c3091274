"""Places (区域): the regions with their people, and the villages where nobody is responsible."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import web

from gateway.audience import codes
from gateway.desk import contacts as service
from gateway.store import people_pages as store
from gateway.web.console.people import SEEN
from gateway.web.console.people_words import LEVELS, table
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from gateway.store.people_pages import Place, RegionRow
    from gateway.web.console.visit import Visit

routes = Routes()

MOST_GAPS = 500


@routes.get("/people/places", SEEN)
async def places(visit: Visit) -> web.StreamResponse:
    """Show the topmost regions, or lead to the only one."""
    async with visit.console.database.begin() as connection:
        tops = await store.topmost(connection, visit.person.region)
        if len(tops) == 1:
            return visit.go(f"/people/places/{tops[0]}")
        return _show(visit, None, [], await store.several(connection, tops))


@routes.get("/people/places/{code:[0-9]{12}}", SEEN)
async def place(visit: Visit) -> web.StreamResponse:
    """Show one region: its parts, or of a village itself."""
    code, within = visit.request.match_info["code"], service.within(visit.person)
    async with visit.console.database.begin() as connection:
        region = await store.region(connection, code)
        if region is None or not code.startswith(within):
            raise web.HTTPNotFound
        above = [await store.region(connection, one) for one in reversed(codes.ancestors(code))]
        own, parts = await store.places(connection, code, codes.parse_code(code).prefix)
    way = [one for one in above if one is not None and one.code.startswith(within)]
    return _show(visit, region, way, parts, own)


@routes.get("/people/places/{code:[0-9]{12}}/gaps", SEEN)
async def gaps(visit: Visit) -> web.StreamResponse:
    """List the villages of a region that have no responsible person."""
    code, within = visit.request.match_info["code"], service.within(visit.person)
    async with visit.console.database.begin() as connection:
        region = await store.region(connection, code)
        if region is None or not code.startswith(within):
            raise web.HTTPNotFound
        rows = await store.gaps(connection, codes.parse_code(code).prefix, MOST_GAPS)
    return visit.render("people/gaps.html", region=region, rows=rows, most=MOST_GAPS)


def _show(
    visit: Visit, region: RegionRow | None, way: list[RegionRow], parts: list[Place], own: Place | None = None
) -> web.StreamResponse:
    shares = {one.code: 1 - one.gaps / one.villages for one in parts if one.villages}
    return visit.render(
        "people/places.html",
        region=region,
        way=way,
        parts=parts,
        own=own,
        levels=table(visit, LEVELS),
        shares=json.dumps(shares),
    )
