"""What stands beside an alert: notes of consultations (会商) and files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, func, insert, select

from gateway.store.console_tables import attachments, consultations

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection


class Consultation(NamedTuple):
    """Who was consulted about an alert, and what was said."""

    id: int
    alert_id: int
    held_at: datetime
    participants: str
    minutes: str
    made_by: str
    made_at: datetime


class Attachment(NamedTuple):
    """A file beside an alert, without its bytes."""

    id: int
    alert_id: int
    name: str
    mime: str
    size: int
    sha256: str
    made_by: str
    made_at: datetime


_LISTED = [attachments.c[name] for name in Attachment._fields]


async def insert_consultation(connection: AsyncConnection, **values: Any) -> int:  # noqa: ANN401 - columns
    """Keep a note and return its number."""
    row = insert(consultations).values(**values).returning(consultations.c.id)
    number: int = (await connection.execute(row)).scalar_one()
    return number


async def consultations_of(connection: AsyncConnection, alert_id: int) -> list[Consultation]:
    """Return the notes beside an alert, oldest first."""
    query = select(consultations).where(consultations.c.alert_id == alert_id).order_by(consultations.c.id)
    return [Consultation(*row) for row in await connection.execute(query)]


async def insert_attachment(connection: AsyncConnection, **values: Any) -> int:  # noqa: ANN401 - columns
    """Keep a file and return its number."""
    row = insert(attachments).values(**values).returning(attachments.c.id)
    number: int = (await connection.execute(row)).scalar_one()
    return number


async def attachments_of(connection: AsyncConnection, alert_id: int) -> list[Attachment]:
    """Return the files beside an alert, oldest first."""
    query = select(*_LISTED).where(attachments.c.alert_id == alert_id).order_by(attachments.c.id)
    return [Attachment(*row) for row in await connection.execute(query)]


async def attachment(connection: AsyncConnection, number: int) -> Attachment | None:
    """Return what is known of one file."""
    row = (await connection.execute(select(*_LISTED).where(attachments.c.id == number))).first()
    return Attachment(*row) if row else None


async def data_of(connection: AsyncConnection, number: int) -> bytes:
    """Return the bytes of a file that there is."""
    query = select(attachments.c.data).where(attachments.c.id == number)
    return bytes((await connection.execute(query)).scalar_one())


async def count_attachments(connection: AsyncConnection, alert_id: int) -> int:
    """Return how many files stand beside an alert."""
    query = select(func.count()).select_from(attachments).where(attachments.c.alert_id == alert_id)
    count: int = (await connection.execute(query)).scalar_one()
    return count


async def delete_attachment(connection: AsyncConnection, number: int) -> None:
    """Take a file away."""
    await connection.execute(delete(attachments).where(attachments.c.id == number))
