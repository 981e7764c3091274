"""``tongda audit``: check and read the hash-chained log."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Annotated, TypeVar

import orjson
import typer

from gateway.commands.common import database_url, told
from gateway.store import audit
from gateway.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="Check and read the log of every step.")

_HASH = re.compile(r"[0-9a-f]{64}")


def _run(work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async def inside(url: str) -> T:
        async with Database(url, size=1) as database, database.begin() as connection:
            return await work(connection)

    with told(), database_url() as url:
        return asyncio.run(inside(url))


def _head(text: str | None) -> str | None:
    if text is not None and not _HASH.fullmatch(text.lower()):
        raise typer.BadParameter("a head is 64 hexadecimal digits, as an earlier 'audit verify' printed it")
    return text.lower() if text else None


@app.command("verify")
def verify(
    head: Annotated[
        str | None, typer.Option(metavar="HASH", help="A head noted earlier, which must still be in the log.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Read the whole log and say whether it holds. The exit code is 1 where it does not."""
    known = _head(head)
    report = _run(lambda connection: audit.verify(connection, known))
    if json:
        typer.echo(orjson.dumps(report._asdict()))
    elif report.broken_at is None:
        typer.echo(f"{report.records} records hold; head {report.head}")
    else:
        typer.echo(f"the log is broken: {report.reason}; {report.records} records before that hold")
    if report.broken_at is not None:
        raise typer.Exit(1)


@app.command("show")
def show(
    alert: Annotated[int | None, typer.Option(min=1, max=2**63 - 1, help="Only about this alert.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=2**31 - 1, help="The latest so many.")] = 200,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON line each.")] = False,
) -> None:
    """Print the log, oldest first."""
    subject = f"alert {alert}" if alert is not None else None
    for row in _run(lambda connection: audit.show(connection, subject, limit)):
        if json:
            typer.echo(orjson.dumps(row._asdict()))
        else:
            when, what = row.at.isoformat(), f"{row.action:<14} {row.subject}"
            typer.echo(f"{row.seq:>6}  {when}  {row.actor:<12} {what}  {row.detail}")
