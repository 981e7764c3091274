"""What the draft page reads and keeps: forms that were not saved, places, and similar warnings."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from gateway.store.console_tables import unsaved_drafts
from gateway.store.desk import AlertRow
from gateway.store.tables import alerts, regions

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

_SAVED = "saved"
"""The one key of a form that became an alert."""
_LATE = timedelta(days=1)
IN_WORK_OR_FORCE = ("submitted", "approved", "released")


class Unsaved(NamedTuple):
    """A form as somebody left it."""

    key: str
    login: str
    mode: str
    form: dict[str, Any]
    saved_at: datetime


class Place(NamedTuple):
    """A region in the tree of the draft page."""

    code: str
    name: str
    level: str


async def keep(connection: AsyncConnection, unsaved: Unsaved) -> None:
    """Keep a form under its key, in place of what its owner kept there; a foreign key is left alone."""
    row = insert(unsaved_drafts).values(unsaved._asdict())
    changed = {"form": unsaved.form, "saved_at": unsaved.saved_at}
    mine = (unsaved_drafts.c.login == unsaved.login) & ~unsaved_drafts.c.form.has_key(_SAVED)
    await connection.execute(row.on_conflict_do_update(index_elements=["key"], set_=changed, where=mine))


async def kept(connection: AsyncConnection, login: str, key: str) -> Unsaved | None:
    """Return the form that somebody kept under a key."""
    return await _first(connection, login, unsaved_drafts.c.key == key)


async def latest_kept(connection: AsyncConnection, login: str, mode: str) -> Unsaved | None:
    """Return the form of a new warning that somebody left last."""
    fresh = unsaved_drafts.c.key.not_like("alert %") & (unsaved_drafts.c.mode == mode)
    fresh &= ~unsaved_drafts.c.form.has_key(_SAVED)
    return await _first(connection, login, fresh)


async def _first(connection: AsyncConnection, login: str, condition: Any) -> Unsaved | None:  # noqa: ANN401
    query = select(unsaved_drafts).where(unsaved_drafts.c.login == login, condition)
    row = (await connection.execute(query.order_by(unsaved_drafts.c.saved_at.desc()).limit(1))).first()
    return Unsaved(row.key, row.login, row.mode, row.form, row.saved_at) if row else None


async def close(connection: AsyncConnection, login: str, key: str, mode: str, at: datetime) -> None:
    """Note that a form became an alert: what its page still sends afterwards is not kept again."""
    await drop(connection, login, key)
    old = (unsaved_drafts.c.login == login) & unsaved_drafts.c.form.has_key(_SAVED)
    await connection.execute(delete(unsaved_drafts).where(old, unsaved_drafts.c.saved_at < at - _LATE))
    row = {"key": key, "login": login, "mode": mode, "form": {_SAVED: True}, "saved_at": at}
    await connection.execute(insert(unsaved_drafts).values(row).on_conflict_do_nothing())


async def drop(connection: AsyncConnection, login: str, key: str) -> None:
    """Forget a form that was saved or given up."""
    mine = (unsaved_drafts.c.login == login) & (unsaved_drafts.c.key == key)
    await connection.execute(delete(unsaved_drafts).where(mine))


async def places(connection: AsyncConnection) -> list[Place]:
    """Return every region, by code; what lies in another follows it."""
    query = select(regions.c.code, regions.c.name, regions.c.level).order_by(regions.c.code)
    return [Place(*row) for row in await connection.execute(query)]


async def names_of_places(connection: AsyncConnection, codes: Collection[str]) -> dict[str, str]:
    """Return code -> name of these regions; a code that there is not is left out."""
    query = select(regions.c.code, regions.c.name).where(regions.c.code.in_(codes))
    return {row.code: row.name for row in await connection.execute(query)}


async def similar(
    connection: AsyncConnection, hazard: str, mode: str, now: datetime, besides: int | None = None
) -> list[AlertRow]:
    """Return warnings of a hazard that are in force or wait to be, newest first."""
    query = select(alerts).where(
        alerts.c.hazard == hazard,
        alerts.c.mode == mode,
        alerts.c.state.in_(IN_WORK_OR_FORCE),
        alerts.c.msg_type != "Cancel",
        alerts.c.expires > now,
        alerts.c.id != (besides or 0),
    )
    rows = await connection.execute(query.order_by(alerts.c.id.desc()).limit(20))
    return [AlertRow(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
