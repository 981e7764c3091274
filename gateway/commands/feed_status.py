"""``tongda feed status``: how the sources are; :mod:`gateway.commands.feed` has it in its group."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.clock import SYSTEM
from gateway.commands.common import database_url, told
from gateway.feeds.health import overview
from gateway.feeds.shown import age, as_json, moment
from gateway.settings import load_settings
from gateway.store.database import Database

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from gateway.feeds.health import Health, Overview
    from gateway.store.sources import KnownTrouble

ALARM = 1
"""Exit code while an alarm of a source is open."""
_TROUBLES_SHOWN = 5


def status(json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False) -> None:
    """Say how each source is, what is wrong and what to do. The exit code is 1 while an alarm is open."""
    with told(), database_url() as url:
        seen = asyncio.run(_look(url))
    if json:
        typer.echo(orjson.dumps(as_json(seen)))
    else:
        _print(seen)
    if any(source.alarms for source in seen.sources):
        raise typer.Exit(ALARM)


async def _look(url: str) -> Overview:
    async with Database(url, size=2) as database:
        return await overview(database, load_settings(), SYSTEM)


def _print(seen: Overview) -> None:
    console = Console(highlight=False)
    if not seen.sources:
        typer.echo("no source is set: see [sources] in docs/settings.md")
        return
    console.print(
        f"read by {seen.reader}" if seen.reader else "nobody reads the sources: start 'tongda feeds'"
    )
    table = Table(box=None, pad_edge=False)
    for heading in ("source", "kind", "good", "heartbeat", "new", "failures", "items"):
        table.add_column(heading, overflow="fold")
    for source in seen.sources:
        table.add_row(*_row(source, seen.at))
    console.print(table)
    for source in seen.sources:
        for line in _words(source, seen.at.tzinfo):
            console.print(Text(line), soft_wrap=True)


def _row(source: Health, at: datetime) -> list[str]:
    state = source.state
    if state is None:
        return [source.name, source.kind, "never", "never", "never", "0", "0"]
    ages = (age(one, at) for one in (state.good_at, state.heartbeat_at, state.item_at))
    return [source.name, source.kind, *ages, str(state.failures), str(state.items)]


def _words(source: Health, zone: tzinfo | None) -> list[str]:
    """Return what there is to say of a source, most urgent first."""
    lines = [f"ALARM {source.name}: {one.code}: {one.sentence}" for one in source.alarms]
    if source.off is not None:
        since = moment(source.off.at, zone)
        lines.append(f"{source.name}: turned off by {source.off.by} since {since}: {source.off.reason}")
    if source.state is not None and source.state.error:
        lines.append(f"{source.name}: {source.state.error}; {source.state.fix}")
    lines += [f"{source.name}: {one.host}: {one.error}; {one.fix}" for one in source.connections if one.error]
    if source.failing_links:
        links = "1 link" if source.failing_links == 1 else f"{source.failing_links} links"
        lines.append(f"{source.name}: {links} cannot be fetched or read")
    return [*lines, *(_trouble(one, zone) for one in source.troubles[:_TROUBLES_SHOWN])]


def _trouble(one: KnownTrouble, zone: tzinfo | None) -> str:
    last = moment(one.last_at, zone)
    when = f"once, {last}" if one.times == 1 else f"{one.times} times, last {last}"
    place = f" ({one.place})" if one.place else ""
    return f"{one.source}: {when}{place}: {one.sentence}; {one.fix}"
