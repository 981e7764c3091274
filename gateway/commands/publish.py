"""``tongda publish``: public releases go out as signed CAP and to webhooks; run as many as you like."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.alerts.certificates import KeyRefused
from gateway.clock import SYSTEM
from gateway.commands.common import database_url, log_as_set, refuse, run_until_told, serving, told
from gateway.publish.area import AreaFileRefused
from gateway.publish.publication import LOOK_BACK, Publisher, Signer, Subscriber
from gateway.publish.webhooks import Webhooks
from gateway.settings import load_settings
from gateway.store import alarms
from gateway.store import publish as store
from gateway.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.settings import Settings


def publish(
    resume: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Tell a webhook again that said it was gone, and end."),
    ] = None,
    log: Annotated[
        str | None, typer.Option(metavar="NAME", help="Print the last tries of a webhook, newest first.")
    ] = None,
) -> None:
    """Sign and publish what is released, and tell the webhooks, until SIGTERM."""
    with told(KeyRefused, AreaFileRefused):
        if log is not None:
            with database_url() as url:
                typer.echo(asyncio.run(_log(url, log)))
            return
        if resume is not None:
            with database_url() as url:
                typer.echo(asyncio.run(_resume(url, resume)))
            return
        settings = load_settings()
        signer, subscribers = load(settings)
        with serving() as served:
            log_as_set(served)
            asyncio.run(_run(served, signer, subscribers))


def load(settings: Settings) -> tuple[Signer | None, Mapping[str, Subscriber]]:
    """Return the signer and the targets of the settings.

    Raises:
        KeyRefused: the key or certificate cannot be used.
        AreaFileRefused: the area of a target cannot be read.
    """
    enabled = {name: one for name, one in settings.publish.webhooks.items() if one.enabled}
    return Signer.load(settings.publish), {name: Subscriber.load(one) for name, one in enabled.items()}


async def _run(settings: Settings, signer: Signer | None, subscribers: Mapping[str, Subscriber]) -> None:
    async with Database(str(settings.database_url)) as database:
        publisher = Publisher(database, signer, subscribers)
        base_url = settings.publish.base_url or settings.web.base_url
        webhooks = Webhooks(database, settings.publish.webhooks, base_url, published=publisher.published)
        await run_until_told(publisher.run(), webhooks.run())


def _check_name(name: str) -> None:
    if name not in load_settings().publish.webhooks:
        refuse(f"there is no [publish.webhooks.{name}] in the settings")


async def _log(url: str, name: str) -> str:
    _check_name(name)
    async with Database(url, size=1) as database, database.begin() as connection:
        tries = await store.log_of(connection, name)
        waiting = (await store.backlog(connection)).get(name, 0)
    lines = [f"webhook {name}: {waiting} waiting"]
    return "\n".join([*lines, *map(_line, tries)])


def _line(one: store.Attempt) -> str:
    answer = f"HTTP {one.status}" if one.status else "no answer"
    said = "; ".join(filter(None, (one.sentence, one.note)))
    return f"{one.at.isoformat()}  {one.identifier}  try {one.number}: {answer}, {one.state}  {said}".rstrip()


async def _resume(url: str, name: str) -> str:
    _check_name(name)
    now = SYSTEM.now()
    async with Database(url, size=1) as database, database.begin() as connection:
        again = await store.resume(connection, name, now - LOOK_BACK, now)
        await alarms.clear(connection, f"webhook {name}", "stopped", now)
    if again is None:
        return f"webhook {name} was not stopped"
    return f"webhook {name} is told again; {again} messages of the last 24 hours wait for it"
