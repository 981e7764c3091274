"""Put the application together: routes, limits, and the runner with its deadlines."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, cast

from aiohttp import web

from gateway.clock import SYSTEM
from gateway.ops.keys import confirm_key
from gateway.receipts.callback import LARGEST
from gateway.web import callbacks, confirm, guard, health, metrics, published, sources
from gateway.web.api import make_api
from gateway.web.console import make_console
from gateway.web.console.visit import BASE
from gateway.web.state import DURABLE_WITHIN, STATE, Keys, State

if TYPE_CHECKING:
    import asyncio

    from redis.asyncio import Redis

    from gateway.clock import Clock
    from gateway.partners.service import Partners
    from gateway.settings import Settings
    from gateway.store.database import Database
    from gateway.web.console import Console
    from gateway.web.state import Sinks

HEADERS_WITHIN = 10.0
"""Seconds in which a request's headers must have come whole, and that an idle connection is kept."""
TAKEN_WITHIN = 15.0
"""Seconds in which a peer must acknowledge what it was sent, and make room for more where it has none."""
STOP_WITHIN = 10.0
"""Seconds that requests under way get to end when the server stops."""


def keys_of(settings: Settings) -> Keys:
    """Return the live keys; makes the confirm key if there is none yet."""
    old = (key.get_secret_value().encode() for key in settings.secrets.old_confirm_keys)
    callback_keys = {
        channel: tuple(key.get_secret_value().encode() for key in keys)
        for channel, keys in settings.secrets.callback_keys.items()
    }
    return Keys((confirm_key(settings), *old), callback_keys)


def make_app(
    settings: Settings,
    database: Database,
    redis: Redis,
    sink: Sinks,
    clock: Clock = SYSTEM,
    partners: Partners | None = None,
    console: Console | None = None,
    *,
    durable_within: float = DURABLE_WITHIN,
) -> web.Application:
    """Return the application.

    Args:
        settings: keys and the desk's time zone are taken from here.
        database: open, for the application's life.
        redis: only asked whether it answers.
        sink: gives the sink of (channel, source, mode): ``ledger.sink``.
        clock: for timestamps of callbacks and expiry.
        partners: what answers partner agencies; None serves no partner API.
        console: what the desk's console is made with; None serves none.
        durable_within: seconds to wait for a report to be durable.
    """
    app = web.Application(middlewares=[guard.tell, guard.keep_quiet], client_max_size=LARGEST)
    app[STATE] = State(keys_of(settings), database, redis, sink, clock, settings.desk.zone, durable_within)
    app.on_response_prepare.append(guard.secure)
    if settings.web.base_url.startswith("https://"):
        app.on_response_prepare.append(_demand_tls)
    app.add_routes(
        [
            web.get("/healthz", health.alive),
            web.get("/readyz", health.ready),
            web.post(r"/receipts/{route:[a-z][a-z0-9_]{0,31}(?:\.drill)?}", callbacks.take),
            web.get("/c/{token:[0-9A-Za-z]{1,64}}", confirm.look),
            web.post("/c/{token:[0-9A-Za-z]{1,64}}", confirm.press),
            *metrics.routes(settings),
            *sources.routes(settings),
        ]
    )
    published.add_routes(app, settings)
    if partners is not None:
        app.add_subapp("/api/v1", make_api(partners))
    if console is not None:
        _add_console(app, console)
    return app


def _add_console(app: web.Application, console: Console) -> None:
    async def lead_there(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"{BASE}/"})

    app.add_routes([web.get("/", lead_there), web.get(BASE, lead_there)])
    app.add_subapp(BASE, make_console(console))


def make_runner(app: web.Application, *, headers_within: float = HEADERS_WITHIN) -> web.AppRunner:
    """Return the runner; a connection that has not sent whole headers in time is closed.

    aiohttp's keep-alive timer runs from the connection's start and is not moved by single bytes,
    so it is the deadline for headers too. Bodies have their own, where they are read.
    """
    logging.getLogger("aiohttp.server").addFilter(guard.not_their_mistake)
    return web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=headers_within,
        lingering_time=2.0,
        shutdown_timeout=STOP_WITHIN,
        max_line_size=4096,
        max_field_size=8190,
    )


class Site(web.TCPSite):
    """Listens, and lets go of peers that take next to nothing of their answer (:data:`TAKEN_WITHIN`).

    The kernel watches over it, for what it holds and so for what waits here; a connection has the limit
    from the socket that it came by (tcp(7), TCP_USER_TIMEOUT). A window that was full opens again only
    once a good part of it is free, so that it also meets who drips bytes out of it, below some 10 kB/s.
    It does not meet a slow line, which acknowledges what it brings, nor a stream that has nothing to tell.
    It bounds no answer as a whole.
    """

    async def start(self) -> None:
        """Begin to listen."""
        await super().start()
        for listening in cast("asyncio.Server", self._server).sockets:
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(TAKEN_WITHIN * 1000))


async def _demand_tls(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Strict-Transport-Security"] = guard.HSTS
