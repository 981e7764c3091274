"""``tongda inbox``: what came in, what waits for a person, and the alarms."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import orjson
import typer

from gateway.alerts.hazards import HazardsRefused
from gateway.clock import SYSTEM as CLOCK
from gateway.commands.common import database_url, instant, told
from gateway.desk.compose import Changes
from gateway.desk.office import open_office
from gateway.desk.policy import PolicyError
from gateway.desk.refused import DeskRefused
from gateway.desk.render import TemplateError
from gateway.desk.service import Desk
from gateway.feeds.by_hand import ByHand
from gateway.settings import load_settings
from gateway.store.database import Database
from gateway.store.incoming_tables import STATES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from gateway.store.incoming import IncomingRow

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="What came in, and what waits for a person.")

As = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Who asks.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Number = Annotated[int, typer.Argument(metavar="MESSAGE", min=1, max=2**63 - 1, help="Number in the inbox.")]


def _run(work: Callable[[ByHand], Awaitable[T]]) -> T:
    async def inside(url: str) -> T:
        settings = load_settings()
        async with Database(url, size=2) as database:
            desk = Desk(database, CLOCK, open_office(settings))
            return await work(ByHand(database, CLOCK, desk, settings))

    try:
        with told(PolicyError, HazardsRefused, TemplateError), database_url() as url:
            return asyncio.run(inside(url))
    except DeskRefused as error:
        typer.echo(f"tongda: {error.sentence}", err=True)
        raise typer.Exit(1) from None


def _state(values: list[str] | None) -> list[str] | None:
    for value in values or ():
        if value not in STATES:
            raise typer.BadParameter(f"there is no state {value!r}: one of {', '.join(STATES)}")
    return values


@app.command("list")
def list_messages(
    state: Annotated[
        list[str] | None,
        typer.Option(callback=_state, help="Only in this state, for example held; may be repeated."),
    ] = None,
    source: Annotated[str | None, typer.Option(help="Only of this source.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    json: Json = False,
) -> None:
    """List the latest messages, newest first."""
    rows = _run(lambda inbox: inbox.latest(tuple(state or ()), source, limit))
    if json:
        typer.echo(orjson.dumps([_json(row) for row in rows]))
        return
    if not rows:
        typer.echo("the inbox has no such message")
    for row in rows:
        typer.echo(
            f"{row.id:>6}  {row.state:<11} {row.source:<12} {row.msg_type:<6} {row.severity:<8} "
            f"{row.event}  {row.reason}"
        )


@app.command("show")
def show(number: Number, json: Json = False) -> None:
    """Show a message, why it is where it is, and what was found in it."""
    row = _run(lambda inbox: inbox.show(number))
    if json:
        typer.echo(orjson.dumps(_json(row) | {"content": row.content}))
        return
    typer.echo(f"message {row.id} of {row.source}, {row.msg_type}, {row.status}: {row.state}\n{row.reason}")
    typer.echo(f"sent      {_shown(row.sent)}\nkey       {row.sender},{row.identifier}")
    typer.echo(f"signature {row.signature}")
    if row.alert_id:
        typer.echo(f"led to    alert {row.alert_id}")
    for finding in row.findings:
        typer.echo(f"look at   {finding}")
    for info in row.content["infos"]:
        where = "、".join(area["area_desc"] for area in info["areas"])
        typer.echo(f"\n[{info['language'] or 'en-US'}] {info['headline'] or info['event']}\n{where}")
        typer.echo("\n".join(filter(None, (info["description"], info["instruction"]))))


@app.command("draft")
def draft(
    number: Number,
    login: As,
    region: Annotated[
        str | None, typer.Option(metavar="CODE", help="This region in place of the message's area.")
    ] = None,
    hazard: Annotated[str | None, typer.Option(help="Key or code in hazards.toml.")] = None,
    level: Annotated[str | None, typer.Option(help="red, orange, yellow or blue.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="TIME", help="Until when it holds.")] = None,
) -> None:
    """Draft a warning from a message that waits."""
    changes = Changes(region=region, hazard=hazard, level=level, expires=instant(expires))
    row = _run(lambda inbox: inbox.draft(number, login, changes))
    typer.echo(
        f"alert {row.id} drafted; look at it with tongda desk show {row.id}, change what must change with "
        f"tongda desk edit {row.id} (--region CODE for another area), then tongda desk submit {row.id}"
    )


@app.command("dismiss")
def dismiss(
    number: Number, login: As, reason: Annotated[str, typer.Option(help="Why nothing is sent.")]
) -> None:
    """Lay a message aside, with its alarms."""
    _run(lambda inbox: inbox.dismiss(number, login, reason))
    typer.echo(f"message {number} is laid aside")


@app.command("alarms")
def alarms(json: Json = False) -> None:
    """List the open alarms, the oldest first. The exit code is 1 where there are any."""
    standing = _run(lambda inbox: inbox.alarms())
    if json:
        typer.echo(orjson.dumps([one._asdict() for one in standing]))
    for one in standing if not json else ():
        typer.echo(f"{one.id:>6}  {one.subject}, since {_shown(one.raised_at)}: {one.sentence}")
    if not standing and not json:
        typer.echo("no alarm is open")
    if standing:
        raise typer.Exit(1)


@app.command("seen")
def seen(alarm: Annotated[int, typer.Argument(metavar="ALARM", min=1, max=2**63 - 1)], login: As) -> None:
    """Close an alarm that you have looked at."""
    _run(lambda inbox: inbox.see(alarm, login))
    typer.echo(f"alarm {alarm} is closed")


def _shown(at: datetime) -> str:
    """Return a time as the desk tells it."""
    return at.astimezone(load_settings().desk.zone).isoformat(sep=" ", timespec="seconds")


def _json(row: IncomingRow) -> dict[str, Any]:
    hidden = {"original", "content"}
    return {name: getattr(row, name) for name in row.__slots__ if name not in hidden}
