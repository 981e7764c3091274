"""What a confirm link's page says of its delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, text

if TYPE_CHECKING:
    from gateway.store.database import Database

_CONFIRMATION = text(
    """
    SELECT d.id, d.channel, d.state, d.text_key, r.texts -> d.channel -> d.text_key AS content,
           r.mode, r.expires, a.state AS alert_state, a.level
    FROM deliveries AS d JOIN releases AS r ON r.id = d.release_id JOIN alerts AS a ON a.id = r.alert_id
    WHERE d.id = :delivery
    """
)


async def confirmation(database: Database, delivery: int) -> Row[Any] | None:
    """Return a delivery with its text and its release's mode and expiry; None if there is none."""
    async with database.engine.connect() as connection:
        return (await connection.execute(_CONFIRMATION, {"delivery": delivery})).one_or_none()
