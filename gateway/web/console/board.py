"""The watch board (值班台)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.web.console.visit import Visit

routes = Routes()


@routes.get("/", "see")
async def board(visit: Visit) -> web.StreamResponse:
    """Show what is in force and what waits."""
    rows = await visit.console.desk.alerts()
    return visit.render("board.html", rows=rows)
