"""What people turned off: routes that send nothing, sources that are not read.

A thing that nobody ever turned off has no row and is on. The row of one that was turned on again
stays, with who did it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from sqlalchemy import case, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from gateway.store.console_tables import switches as table

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

Kind: TypeAlias = Literal["route", "source"]
_LONGEST = 1000
"""Characters of the reasons of everybody who turned a thing off, together."""


class SwitchRow(NamedTuple):
    """One switch as somebody left it."""

    kind: str
    name: str
    """Of a route ``{channel}.{live|drill}``; of a source its own."""
    off: bool
    reason: str
    by: str
    at: datetime

    @property
    def version(self) -> str:
        """What a page carries, so that it can be told whether the switch is still as it was shown."""
        return f"{self.at.isoformat()} {self.by}"


def route(channel: str, mode: str) -> str:
    """Return the name of the switch of one channel under the credentials of one mode."""
    return f"{channel}.{mode}"


async def set_switch(
    connection: AsyncConnection, kind: Kind, name: str, *, off: bool, reason: str, by: str, at: datetime
) -> bool:
    """Turn something off or on; False where it was so already.

    What another person turned off before is turned off again, with both reasons.
    """
    said = {"off": off, "reason": reason, "by": by, "at": at}
    if off:
        row = upsert(table).values(kind=kind, name=name, **said)
        both = func.left(row.excluded.reason + " | " + table.c.by + ": " + table.c.reason, _LONGEST)
        again = said | {"reason": case((table.c.off, both), else_=row.excluded.reason)}
        new = ~table.c.off | (table.c.by != row.excluded.by)
        statement = row.on_conflict_do_update(index_elements=["kind", "name"], set_=again, where=new)
        return (await connection.execute(statement.returning(table.c.name))).first() is not None
    one = (table.c.kind == kind) & (table.c.name == name) & table.c.off
    done = await connection.execute(update(table).where(one).values(said))
    return bool(done.rowcount)


async def hold(connection: AsyncConnection, kind: Kind, name: str) -> SwitchRow | None:
    """Return a switch, which stays as it is until the transaction ends; None: it was never turned off."""
    query = select(table).where(table.c.kind == kind, table.c.name == name).with_for_update()
    row = (await connection.execute(query)).first()
    return SwitchRow(*row) if row else None


async def switches(connection: AsyncConnection, kind: Kind) -> dict[str, SwitchRow]:
    """Return name -> the switch of everything of a kind that was ever turned off."""
    rows = await connection.execute(select(table).where(table.c.kind == kind).order_by(table.c.name))
    return {row.name: SwitchRow(*row) for row in rows}


async def off_routes(connection: AsyncConnection) -> dict[str, SwitchRow]:
    """Return name -> the switch of every route that sends nothing at this moment."""
    return {name: row for name, row in (await switches(connection, "route")).items() if row.off}


async def off_sources(connection: AsyncConnection) -> set[str]:
    """Return the names of the sources that people turned off."""
    return {name for name, row in (await switches(connection, "source")).items() if row.off}
