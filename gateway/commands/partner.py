"""``tongda partner``: keys of partner agencies."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

import orjson
import typer

from gateway.alerts.hazards import Hazards, HazardsRefused, Level
from gateway.alerts.times import TimeRefused, read_time
from gateway.audience.codes import CodeRefused, parse_code
from gateway.clock import SYSTEM as CLOCK
from gateway.commands.common import database_url, refuse, told
from gateway.desk.office import load_hazards
from gateway.partners import keys
from gateway.partners.keys import KeyRefused, Scope
from gateway.settings import load_settings
from gateway.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import tzinfo

    from gateway.settings import Settings
    from gateway.store.partners import KeyRow

T = TypeVar("T")

DAYS = 365
"""How long a key holds that does not say so."""

app = typer.Typer(no_args_is_help=True, help="Keys of partner agencies.")
key = typer.Typer(no_args_is_help=True, help="Make, list and revoke keys.")
app.add_typer(key, name="key")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

_PREFIX = re.compile(r"\d{2,12}", re.ASCII)


@key.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A partner, by its name in the settings.")],
    regions: Annotated[str, typer.Option(metavar="CODES", help="Division codes, with a comma between.")] = "",
    hazards: Annotated[str, typer.Option(metavar="KEYS", help="Keys in hazards.toml.")] = "",
    level: Annotated[Level, typer.Option(help="The gravest level that it may push.")] = Level.RED,
    scopes: Annotated[str, typer.Option(help="push, read or push,read.")] = ",".join(keys.SCOPES),
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"Until when it holds; {DAYS} days otherwise.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a key for a partner and print it, with its signing secret, once."""
    with told(KeyRefused, HazardsRefused):
        settings = load_settings()
        scope = _scope(settings, name, regions, hazards, level, scopes)
        server_key = keys.server_keys(settings)[0]
        until = _until(expires)
        made = _run(lambda database: keys.add(database, name, scope, until, server_key))
    if json:
        typer.echo(orjson.dumps(made._asdict() | {"expires": until}))
        return
    typer.echo(f"key     {made.text}")
    typer.echo(f"secret  {made.secret}")
    end = until.astimezone(settings.desk.zone).isoformat()
    typer.echo(f"Both hold until {end} and cannot be shown again; give them to the partner safely.")


@key.command("list")
def list_keys(json: Json = False) -> None:
    """List all keys; never the keys themselves."""
    with told():
        zone = load_settings().desk.zone
        rows = _run(keys.listed)
    for row in rows:
        typer.echo(orjson.dumps(_public(row)) if json else _line(row, zone))
    if not rows and not json:
        typer.echo("there is no key so far; make one: tongda partner key add NAME")


@key.command("revoke")
def revoke(
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="As 'list' prints it.")],
) -> None:
    """End a key at once."""
    with told(KeyRefused):
        row = _run(lambda database: keys.revoke(database, prefix))
    typer.echo(f"key {row.prefix} of {row.partner} is revoked")


def _run(work: Callable[[Database], Awaitable[T]]) -> T:
    async def inside(url: str) -> T:
        async with Database(url, size=1) as database:
            return await work(database)

    with database_url() as url:
        return asyncio.run(inside(url))


def _scope(settings: Settings, name: str, regions: str, hazards: str, level: Level, scopes: str) -> Scope:
    if name not in settings.partners:
        named = ", ".join(settings.partners) or "none so far"
        refuse(f"there is no partner {name!r} in the settings ([partners.NAME]: {named})")
    wanted = tuple(dict.fromkeys(_listed(scopes)))
    if not wanted or set(wanted) - set(keys.SCOPES):
        refuse(f"--scopes {scopes!r}: one or both of {', '.join(keys.SCOPES)}")
    known = load_hazards(settings.hazards)
    return Scope(
        wanted,
        tuple(_region(one) for one in _listed(regions)),
        tuple(_hazard(known, one) for one in _listed(hazards)),
        level,
    )


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _region(text: str) -> str:
    """Return what the codes within a division begin with; a short code is a beginning by itself."""
    if not _PREFIX.fullmatch(text):
        refuse(f"--regions {text!r}: a division code, or its beginning, has 2 to 12 digits")
    try:
        return parse_code(text).prefix
    except CodeRefused:
        return text


def _hazard(known: Hazards, text: str) -> str:
    found = known.by_key(text) or known.by_code(text) or known.by_name(text)
    if found is None:
        refuse(f"--hazards {text!r}: one of {', '.join(one.key for one in known.all())}")
    return found.key


def _until(text: str | None) -> datetime:
    if text is None:
        return (CLOCK.now() + timedelta(days=DAYS)).replace(microsecond=0)
    try:
        return read_time(text).value.astimezone(UTC)
    except TimeRefused as error:
        refuse(f"--expires {text!r}: {error}, e.g. 2027-07-01T08:00:00+08:00")


def _state(row: KeyRow) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at <= CLOCK.now() else "live"


def _minute(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).isoformat(sep=" ", timespec="minutes")


def _public(row: KeyRow) -> dict[str, object]:
    hidden = {"id", "digest", "secret_digest"}
    return {name: value for name, value in row._asdict().items() if name not in hidden} | {
        "state": _state(row)
    }


def _line(row: KeyRow, zone: tzinfo) -> str:
    limits = [
        *row.regions,
        *row.hazards,
        *([f"up to {row.highest_level}"] if row.highest_level != "red" else []),
    ]
    used = f"used {_minute(row.last_used_at, zone)}" if row.last_used_at else "never used"
    until = f"until {_minute(row.expires_at, zone)}"
    what = f"{','.join(row.scopes)}  {' '.join(limits) or 'no limits'}"
    return f"{row.prefix}  {row.partner:<16} {_state(row):<8} {until}  {used}  {what}"
