"""``tongda account``: how people of the desk sign in, from the server itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, TypeVar

import orjson
import typer

from gateway.accounts import invitations, resealing
from gateway.accounts.sealing import WAY_OUT, sealing_of
from gateway.clock import SYSTEM as CLOCK
from gateway.commands.common import database_url, told
from gateway.desk.policy import PolicyError, load_policy
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import SYSTEM, step
from gateway.ops import ServiceRefused
from gateway.ops.keys import is_kept
from gateway.settings import load_settings
from gateway.store import accounts as store
from gateway.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime, tzinfo
    from typing import Literal

    from gateway.accounts.resealing import Standing
    from gateway.settings import Settings
    from gateway.store.accounts import AccountRow

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="How people of the desk sign in.")

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="Somebody who works at the desk.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
_PAGE = "/desk/welcome"


@app.command("first")
def first() -> None:
    """Print a code for the first administrator, as the start of 'tongda up' does."""
    code, settings = _run(lambda database, _: invitations.first_code(database, CLOCK.now()))
    if code is None:
        typer.echo("tongda: somebody can sign in already; lost yours? tongda account reset LOGIN", err=True)
        raise typer.Exit(1)
    _say(code, settings, f"{int(invitations.FIRST_HOLDS.total_seconds()) // 60} minutes")


@app.command("invite")
def invite(login: Login) -> None:
    """Print a code with which somebody sets a password and a second factor."""
    _give(login, "invite")


@app.command("reset")
def reset(login: Login) -> None:
    """Print a code with which somebody sets both anew; until then the old ones count."""
    _give(login, "reset")


@app.command("list")
def list_accounts(json: Json = False) -> None:
    """List who can sign in."""

    async def read(database: Database, _: Settings) -> tuple[list[AccountRow], dict[str, datetime]]:
        async with database.begin() as connection:
            rows = await store.list_accounts(connection)
            return rows, await store.invited(connection, CLOCK.now())

    (rows, invited), settings = _run(read)
    for row in rows:
        if json:
            told_of = {
                "login": row.login,
                "name": row.name,
                "active": row.active,
                "state": _state(row, invited),
            }
            typer.echo(orjson.dumps(told_of))
        else:
            typer.echo(_line(row, invited, settings.desk.zone))
    if not rows and not json:
        typer.echo("nobody works at the desk yet; the first administrator: tongda account first")


@app.command("reseal")
def reseal(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count, change nothing.")] = False,
) -> None:
    """Seal second factors with the newest key where an earlier one sealed them; say how many are left.

    Ends with exit code 1 where one does not open.
    """

    async def work(database: Database, settings: Settings) -> tuple[int, Standing]:
        _check_key(settings)
        sealing, now = sealing_of(settings), CLOCK.now()
        if dry_run:
            return 0, await resealing.standing(database, sealing, now)
        return await resealing.reseal(database, load_policy(settings.approval), sealing, now)

    (done, left), _ = _run(work)
    typer.echo(
        f"sealed anew {done}; with the newest key {left.newest}, with earlier keys {left.earlier},"
        f" not to be opened {len(left.broken)}"
    )
    if left.broken:
        typer.echo(f"tongda: {', '.join(left.broken)} do not open: {WAY_OUT}", err=True)
        raise typer.Exit(1)


def _check_key(settings: Settings) -> None:
    """Refuse to seal with a key that is made for this: the desk would open nothing any more."""
    if settings.secrets.factor_key is None and not is_kept(settings.state_dir, "factor_key"):
        raise ServiceRefused(
            f"there is no keys/factor_key in {settings.state_dir}: run this with the settings and the state"
            " folder of tongda web, or set secrets.factor_key"
        )


def _state(row: AccountRow, invited: dict[str, datetime]) -> str:
    if not row.active:
        return "not active"
    if row.password is not None:
        return "can sign in"
    return "invited" if row.login in invited else "no account"


def _line(row: AccountRow, invited: dict[str, datetime], zone: tzinfo) -> str:
    until = invited.get(row.login)
    end = f"  code until {until.astimezone(zone).isoformat(sep=' ', timespec='minutes')}" if until else ""
    return f"{row.login:<20} {_state(row, invited):<12} {row.name}{end}"


def _give(login: str, purpose: Literal["invite", "reset"]) -> None:
    async def give(database: Database, settings: Settings) -> str:
        policy = load_policy(settings.approval)
        async with step(database, SYSTEM, CLOCK.now(), policy) as one:
            return await invitations.invite(one, login, purpose)

    code, settings = _run(give)
    _say(code, settings, f"{int(invitations.HOLDS.total_seconds()) // 3600} hours")


def _say(code: str, settings: Settings, span: str) -> None:
    typer.echo(f"code  {code}")
    typer.echo(f"It holds for {span}, once, at {settings.web.base_url}{_PAGE} and cannot be shown again.")


def _run(work: Callable[[Database, Settings], Awaitable[T]]) -> tuple[T, Settings]:
    """Do the work; a refusal is one line and exit code 1."""

    async def inside(url: str, settings: Settings) -> T:
        async with Database(url, size=2) as database:
            return await work(database, settings)

    try:
        with told(PolicyError):
            settings = load_settings()
            with database_url() as url:
                return asyncio.run(inside(url, settings)), settings
    except DeskRefused as error:
        typer.echo(f"tongda: {error.sentence}", err=True)
        raise typer.Exit(1) from None
