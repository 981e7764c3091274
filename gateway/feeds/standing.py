"""What a message that came does to those that were here before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.alerts.model import Alert, MsgType
from gateway.feeds.order import order
from gateway.store import alarms, incoming

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.feeds.order import Message, Order
    from gateway.feeds.origins import Origins
    from gateway.store.incoming import IncomingRow

WAITING = ("inbox", "held")
"""States of messages that led to nothing yet."""
UNDER_WAY = ("submit", "release")
"""Steps that would still be taken with a message."""
AT_THE_DESK = ("drafted", "submitted", "released")
"""States of messages that led to an alert of ours."""


async def order_around(
    connection: AsyncConnection, row: IncomingRow, origins: Origins, *, hold: bool = False
) -> tuple[Order, bool]:
    """Return a message in order with those it is tied to, and whether its word counts against them.

    ``hold`` says whether they all stay as they are until the transaction ends.
    """
    senders = origins.around(Alert.model_validate(row.content))
    found = await incoming.related(connection, row, senders, hold=hold)
    rows = [row if one.id == row.id else one for one in found]
    counting = {one.id for one in origins.counting(rows)}
    ordered = order([one for one in rows if one.id in counting or one.id == row.id], origins.delegates(rows))
    return ordered, row.id in counting


async def keep_order(
    connection: AsyncConnection, row: IncomingRow, ordered: Order, now: datetime
) -> list[int]:
    """Put earlier messages where the one that came puts them: replaced, or in question with it.

    What led to an alert of ours is left to the steps at the desk that ``row.todo`` names; where it names
    none, somebody is told. Returns the earlier messages that something is to be done about.
    """
    touched = []
    own = row.key
    is_cancel = row.msg_type == MsgType.CANCEL
    ended = {one.key for one in (ordered.taken_back(own) if is_cancel else ordered.siblings(own))}
    for one in ordered.messages:
        if one.row.id == row.id:
            continue
        if one.key == own and ordered.is_held(own):
            await _question(connection, one.row, now)
            touched.append(one.row.id)
        elif one.key in ended or any(by.key == own for by in ordered.superseded_by(one.key)):
            touched += await _replace(connection, one, row, now)
    if any(own in keys for keys in ordered.chain.reused):
        await alarms.sound(
            connection,
            f"incoming {row.id}",
            "identifier_reused",
            f"{row.source} used the identifier {row.identifier} twice, against CAP 1.2: ask the sender",
            now,
        )
    return touched


async def _replace(connection: AsyncConnection, one: Message, row: IncomingRow, now: datetime) -> list[int]:
    """Take an earlier message's place; return it where something is to be done about it at the desk."""
    if one.row.state in AT_THE_DESK and row.state == "superseded":
        # What took the place of the one that came is here already, and did not know of the earlier one.
        reason = f"message {row.id} of its source took its place, and is replaced itself"
        await incoming.change(connection, one.row.id, reason=reason, todo="withdraw", changed_at=now)
        return [one.row.id]
    if one.row.state in WAITING:
        reason = f"message {row.id} of its source took its place"
        await incoming.change(
            connection, one.row.id, state="superseded", reason=reason, todo=None, changed_at=now
        )
    elif one.row.todo in UNDER_WAY:
        # What is on its way to the public stops here; the steps of the one that came do the rest.
        await incoming.change(connection, one.row.id, todo=None, changed_at=now)
    if one.row.state in AT_THE_DESK and row.todo is None:
        await alarms.sound(
            connection,
            f"incoming {row.id}",
            "update_of_work",
            f"message {row.id} of {row.source}, msgType {row.msg_type}, is about what alert "
            f"{one.row.alert_id} was made of, and is {row.state}: {row.reason}; look at it in the inbox",
            now,
        )
    return []


async def _question(connection: AsyncConnection, row: IncomingRow, now: datetime) -> None:
    """Set a message aside whose twin says something else; of what was sent, the alarm of the twin tells."""
    if row.state in {"released", "taken_back", "quarantined"}:
        return
    reason = "another message of the same sender, identifier and time says something else"
    todo = "withdraw" if row.state in AT_THE_DESK else None
    await incoming.change(connection, row.id, state="quarantined", reason=reason, todo=todo, changed_at=now)
