"""``tongda web``: the HTTP server, and the listeners that take what channels tell by other ways."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

import structlog
import tenacity
import typer
from redis.asyncio import Redis

from channels import base
from gateway.accounts import invitations, resealing
from gateway.accounts.sealing import sealing_of
from gateway.alerts.hazards import HazardsRefused
from gateway.clock import SYSTEM as CLOCK
from gateway.commands.common import log_as_set, told
from gateway.desk.office import open_office
from gateway.desk.policy import PolicyError
from gateway.desk.render import TemplateError
from gateway.desk.service import Desk
from gateway.feeds.by_hand import ByHand
from gateway.feeds.intake import Intake
from gateway.ops.services import services
from gateway.partners.service import open_partners
from gateway.receipts.ledger import Ledger
from gateway.settings import load_settings
from gateway.store.database import Database
from gateway.web import Site, make_app, make_runner
from gateway.web.console import Console
from gateway.web.console.visit import BASE
from gateway.web.console.words import prepare
from gateway.web.tls import TlsRefused, context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from ssl import SSLContext

    from aiohttp import web as http

    from gateway.accounts.sealing import Sealing
    from gateway.desk.office import Office
    from gateway.settings import Settings

logger = structlog.get_logger(__name__)

_DEVICES = frozenset({"mqtt"})
"""Kinds whose reports come from the terminals themselves."""


def web() -> None:
    """Serve callbacks, confirm links, the partner API and health until stopped."""
    with told(ListenRefused, TlsRefused, PolicyError, HazardsRefused, TemplateError):
        settings = load_settings()
        log_as_set(settings)
        asyncio.run(serve(settings))


class ListenRefused(RuntimeError):
    """The server cannot listen where the settings say; the text names the setting."""


async def serve(settings: Settings, started: Callable[[int], None] | None = None) -> None:
    """Run the server and the channels' listeners until SIGTERM or SIGINT, then end in good order.

    Requests under way are answered and what the ledger holds is written before this returns.

    Args:
        settings: as loaded.
        started: called with the port once the server takes requests.

    Raises:
        ListenRefused: the port is taken or the address is not ours.
        TlsRefused: a certificate or key cannot be used.
        ServiceRefused: the kept key of second factors can be read by others.
        PolicyError, HazardsRefused, TemplateError: a file that the desk needs is wrong.
    """
    tls, office, sealing = context(settings.web.tls), open_office(settings), sealing_of(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with services(settings.state_dir, settings.database_url, settings.redis_url) as urls:
        async with (
            Database(urls.database_url, size=10) as database,
            Redis.from_url(urls.redis_url) as redis,
            Ledger(database, interval=settings.dispatch.flush_ms / 1000) as ledger,
            listening(settings, ledger),
            _serving(settings, _app(settings, database, redis, ledger, office, sealing), tls) as port,
        ):
            logger.info("web is up", host=settings.web.host, port=port)
            await say_first_code(settings, database)
            await resealing.tell(database, sealing, CLOCK.now())
            if started:
                started(port)
            await asyncio.to_thread(prepare)
            await stop.wait()
            logger.info("web stops")


def _app(
    settings: Settings, database: Database, redis: Redis, ledger: Ledger, office: Office, sealing: Sealing
) -> http.Application:
    desk = Desk(database, CLOCK, office)
    intake = Intake(database, CLOCK, desk, settings)
    partners = open_partners(settings, database, redis, intake, office.hazards, CLOCK)
    by_hand = ByHand(database, CLOCK, desk, settings)
    console = Console(settings, database, desk, by_hand, CLOCK, sealing)
    return make_app(settings, database, redis, ledger.sink, CLOCK, partners, console)


async def say_first_code(settings: Settings, database: Database) -> None:
    """Print how somebody becomes the first administrator, on the terminal and in no log."""
    code = await invitations.first_code(database, CLOCK.now())
    if code is not None:
        minutes = int(invitations.FIRST_HOLDS.total_seconds()) // 60
        typer.echo(
            f"Nobody can sign in yet. Within {minutes} minutes, open {settings.web.base_url}{BASE}/welcome"
            f" and give this one-time code: {code}",
            err=True,
        )


@asynccontextmanager
async def _serving(settings: Settings, app: http.Application, tls: SSLContext | None) -> AsyncIterator[int]:
    """Listen; yields the port, which is a free one where the settings say 0."""
    runner = make_runner(app)
    await runner.setup()
    try:
        await _listen(runner, settings, tls)
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _listen(runner: http.AppRunner, settings: Settings, tls: SSLContext | None) -> None:
    try:
        await Site(runner, settings.web.host, settings.web.port, ssl_context=tls).start()
    except OSError as error:
        where = f"web.host {settings.web.host} and web.port {settings.web.port}"
        # The loop's own sentence repeats the address; the system's word for the number does not.
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        raise ListenRefused(f"cannot listen at {where}: {why}; set TONGDA_WEB__PORT or _HOST") from None


@asynccontextmanager
async def listening(settings: Settings, ledger: Ledger) -> AsyncIterator[None]:
    """Run every route's listener; one that cannot start is tried again and keeps nobody else waiting."""
    async with AsyncExitStack() as stack:
        for name, channel in settings.channels.items():
            source = "device" if channel.kind in _DEVICES else "provider"
            for mode, route in (("live", channel.live), ("drill", channel.drill)):
                sink = ledger.sink(name, source, mode)
                listener = base.adapter(channel.kind).listener(route, sink) if route else None
                if listener:
                    await stack.enter_async_context(_running(name, listener))
        yield


@asynccontextmanager
async def _running(name: str, listener: base.Listener) -> AsyncIterator[None]:
    task = asyncio.create_task(_start(name, listener), name=f"listener {name}")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await listener.stop()


async def _start(name: str, listener: base.Listener) -> None:
    async for trial in tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(base.ChannelDown),
        wait=tenacity.wait_random_exponential(multiplier=0.5, max=30),
        before_sleep=lambda state: logger.warning(
            "listener cannot start", channel=name, reason=str(state.outcome and state.outcome.exception())
        ),
    ):
        with trial:
            await listener.start()
    logger.info("listener is up", channel=name)
