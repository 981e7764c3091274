"""``tongda up``: every process of a gateway on one box, under one supervisor."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp
import typer

from gateway.commands.common import log_as_set, told
from gateway.ops.gateway import processes, running
from gateway.ops.services import keep_up, services
from gateway.ops.supervisor import Supervisor
from gateway.settings import load_settings
from gateway.store.migrate import upgrade

if TYPE_CHECKING:
    from gateway.ops.services import Services
    from gateway.settings import Settings


_LOOK = 0.2
"""Seconds between two looks whether the web server answers."""


def up() -> None:
    """Start everything and keep it up until Ctrl-C or SIGTERM."""
    with told():
        settings = load_settings()
        log_as_set(settings)
        typer.echo(f"Tongda is starting; its state is in {settings.state_dir}. Ctrl-C stops it.")
        if not settings.channels:
            typer.echo("No channel is set yet, so nothing can be sent: see [channels] in docs/settings.md.")
        elif settings.web.public_url is None:
            typer.echo(f"web.public_url is not set: confirm links lead to {settings.web.base_url} only.")
        with services(settings.state_dir, settings.database_url, settings.redis_url, shared=False) as found:
            upgrade(found.database_url)
            asyncio.run(_run(settings, found))


async def _run(settings: Settings, found: Services) -> None:
    env = {"TONGDA_DATABASE_URL": found.database_url, "TONGDA_REDIS_URL": found.redis_url}
    supervisor = Supervisor(processes(settings, env))
    async with running(keep_up(found.started)), running(_announce(supervisor, settings)):
        await supervisor.run()


async def _announce(supervisor: Supervisor, settings: Settings) -> None:
    await supervisor.ready.wait()
    host = f"[{settings.web.host}]" if ":" in settings.web.host else settings.web.host
    address = f"http://{host}:{settings.web.port}/readyz"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session:
        # Port 0 is one that only the web process knows; nobody can be asked then.
        while settings.web.port and not await _answers(session, address):  # noqa: ASYNC110 - another process
            await asyncio.sleep(_LOOK)
    typer.echo(f"Tongda is up: {settings.web.base_url}/readyz")


async def _answers(session: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with session.get(address) as answer:
            return answer.status == HTTPStatus.OK
    except (aiohttp.ClientError, TimeoutError):
        return False
