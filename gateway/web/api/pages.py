"""The OpenAPI document and its page, whose files come with the program: nothing is loaded from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from gateway.share import share

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FILES = {
    "swagger-ui-bundle.js": ("web/vendor/swagger-ui/swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": ("web/vendor/swagger-ui/swagger-ui.css", "text/css"),
    "start.js": ("web/api-docs.js", "text/javascript"),
    "page.css": ("web/api-docs.css", "text/css"),
}
"""Name in the address -> file below ``templates/``, and its type."""

_KEPT = {"Cache-Control": "public, max-age=3600"}


def routes(described: bytes) -> list[web.RouteDef]:
    """Return the routes; ``described`` is the document as JSON."""

    async def openapi(_: web.Request) -> web.Response:
        return web.Response(body=described, content_type="application/json")

    page = share("templates/web/api-docs.html").read_text(encoding="utf-8")

    async def docs(_: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html")

    return [
        web.route("GET", "/openapi.json", openapi),
        web.route("GET", "/docs", docs),
        *(web.route("GET", f"/docs/{name}", _file(*where)) for name, where in FILES.items()),
    ]


def _file(path: str, kind: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    found = share(f"templates/{path}")

    async def give(_: web.Request) -> web.FileResponse:
        return web.FileResponse(found, headers={"Content-Type": kind, **_KEPT})

    return give
