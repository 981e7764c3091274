"""What every answer goes through: headers, error pages that tell nothing, one log line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

if TYPE_CHECKING:
    import logging

    from aiohttp.typedefs import Handler

log = structlog.get_logger(__name__)

CSP = (
    "default-src 'none'; script-src 'self'; style-src {style}; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CSP.format(style="'self'"),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
HSTS = "max-age=31536000; includeSubDomains"

_WORDS = {
    404: "there is nothing here",
    405: "this address does not take that method",
    408: "the request took too long to arrive",
    413: "the request is too large",
    500: "something went wrong here; it has been logged",
    503: "the gateway cannot record anything just now; try again in a moment",
}


def refuse(status: int, text: str = "", **headers: str) -> web.Response:
    """Return an error as one line of JSON."""
    words = text or _WORDS.get(status, "the request cannot be answered")
    return web.json_response({"error": words}, status=status, headers=headers)


async def secure(_: web.Request, response: web.StreamResponse) -> None:
    """Put the security headers on an answer that does not bring its own; a signal of the application."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "tongda"


def not_their_mistake(record: logging.LogRecord) -> bool:
    """Keep what strangers send that is no HTTP out of the log: aiohttp tells each with a traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


@web.middleware
async def tell(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log one line: the route's pattern, never its path, which may hold a token."""
    started = time.perf_counter()
    status = 500
    try:
        response = await handler(request)
        status = response.status
        return response
    finally:
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "-"
        spent = round((time.perf_counter() - started) * 1000, 1)
        if route not in ("/healthz", "/readyz"):
            log.info("request", method=request.method, route=route, status=status, ms=spent)


@web.middleware
async def keep_quiet(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer whatever goes wrong without a word about our inside."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return refuse(error.status, **allow)
    except TimeoutError:
        return refuse(408)
    except ConnectionResetError:
        raise
    except Exception as error:
        log.exception("request failed", error=type(error).__name__)
        return refuse(500)
