"""``/sources.json``: how the sources are; answered to whom ``/metrics`` is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from gateway.feeds.health import overview
from gateway.feeds.shown import as_json
from gateway.web.metrics import inside
from gateway.web.state import STATE

if TYPE_CHECKING:
    from gateway.settings import Settings


def routes(settings: Settings) -> list[web.RouteDef]:
    """Return the route."""

    async def sources(request: web.Request) -> web.Response:
        state = request.app[STATE]
        seen = await overview(state.database, settings, state.clock)
        return web.Response(body=orjson.dumps(as_json(seen)), content_type="application/json")

    return [web.get("/sources.json", inside(settings, sources))]
