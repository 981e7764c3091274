"""What people do with messages that came in: draft one, or lay it aside with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.alerts.model import Alert, MsgType
from gateway.desk.calling import STOPPED, UNSENT
from gateway.desk.compose import NOTHING
from gateway.desk.emergency import DUE, OVERDUE
from gateway.desk.incoming import from_source
from gateway.desk.merging import merge
from gateway.desk.refused import DeskRefused
from gateway.desk.scope import check_everywhere
from gateway.desk.steps import step
from gateway.feeds.acting import prepare, was_sent
from gateway.feeds.origins import Origins
from gateway.feeds.standing import order_around
from gateway.store import alarms, incoming
from gateway.store import desk as desk_store

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock
    from gateway.desk.compose import Changes
    from gateway.desk.service import Desk
    from gateway.desk.steps import Step
    from gateway.feeds.order import Order
    from gateway.settings import Settings
    from gateway.store.alarms import Alarm
    from gateway.store.database import Database
    from gateway.store.desk import AlertRow
    from gateway.store.incoming import IncomingRow

OWED = (DUE, OVERDUE, UNSENT, STOPPED)
"""Codes of alarms that stand until somebody has done what they ask for: signed, sent or taken back."""
OPEN = ("inbox", "held", "quarantined", "stored")
"""States in which a person may still decide about a message."""


class ByHand:
    """The inbox as people use it. Every method raises DeskRefused where the step cannot be taken."""

    def __init__(self, database: Database, clock: Clock, desk: Desk, settings: Settings) -> None:
        """Keep what is needed."""
        self._database = database
        self._clock = clock
        self._desk = desk
        self._origins = Origins(settings)

    async def latest(self, states: tuple[str, ...], source: str | None, limit: int) -> list[IncomingRow]:
        """Return the latest messages, newest first."""
        async with self._database.begin() as connection:
            return await incoming.latest(connection, states, source, limit)

    async def show(self, number: int) -> IncomingRow:
        """Return one message."""
        async with self._database.begin() as connection:
            row = await incoming.one(connection, number)
        if row is None:
            raise _unknown(number)
        return row

    async def order(self, row: IncomingRow) -> Order:
        """Return a message in order with those it is tied to: what it replaces, what replaces it."""
        async with self._database.begin() as connection:
            return (await order_around(connection, row, self._origins))[0]

    async def draft(self, number: int, person: str, changes: Changes) -> AlertRow:
        """Draft our alert from a message that waits; the person is its author."""
        async with self._step(person) as one:
            await one.may("draft")
            row = await self._open(one.connection, number)
            drafted = await self._make(one, row, changes)
            await self._decide(one, row, "drafted", f"drafted by {person}", drafted.id)
        return drafted

    async def preview(self, number: int, person: str, changes: Changes = NOTHING) -> AlertRow:
        """Return what :meth:`draft` would make, and make nothing: the step is taken and undone."""
        async with self._step(person) as one:
            await one.may("draft")
            row = await self._open(one.connection, number)
            tried = await one.connection.begin_nested()
            drafted = await self._make(one, row, changes)
            await tried.rollback()
            one.records.clear()
        return drafted

    async def merge(self, number: int, alert_id: int, person: str, changes: Changes = NOTHING) -> AlertRow:
        """Draft an Update of an alert of ours from a message that does not name it."""
        async with self._step(person) as one:
            await one.may("draft")
            row = await self._open(one.connection, number)
            alert = _no_cancel(Alert.model_validate(row.content))
            prepared = prepare(alert, self._origins.rule(row.source), [])
            drafted = await merge(one, self._desk.office, prepared, row.original, alert_id, changes)
            await one.may("draft", drafted)
            await self._decide(one, row, "drafted", f"merged into alert {alert_id} by {person}", drafted.id)
        return drafted

    async def _make(self, one: Step, row: IncomingRow, changes: Changes) -> AlertRow:
        alert = _no_cancel(Alert.model_validate(row.content))
        ordered, _ = await order_around(one.connection, row, self._origins)
        before = ordered.replaced(row.key)
        sent = [each.alert for each in before if await was_sent(one.connection, each.row)]
        prepared = prepare(alert, self._origins.rule(row.source), sent)
        senders = {each.row.sender for each in before}
        drafted = await from_source(
            one, self._desk.office, prepared, row.original, changes=changes, speaks_for=senders
        )
        return await one.inside("draft", drafted)

    async def dismiss(self, number: int, person: str, reason: str) -> None:
        """Lay a message aside, with its alarms."""
        if not reason.strip():
            raise DeskRefused("reason", "say why the message is laid aside (--reason)", why="dismiss")
        async with self._step(person) as one:
            check_everywhere(await one.may("draft"))
            row = await self._open(one.connection, number)
            await self._decide(one, row, "dismissed", f"{person}: {reason}", None)

    async def alarms(self) -> list[Alarm]:
        """Return the open alarms, the oldest first."""
        async with self._database.begin() as connection:
            return await alarms.standing(connection)

    async def see(self, alarm_id: int, person: str) -> None:
        """Close an alarm that the person has looked at."""
        async with self._step(person) as one:
            check_everywhere(await one.may("draft"))
            # What is owed is not looked away: only signing, or sending, ends its alarm.
            if not await alarms.dismiss(one.connection, alarm_id, one.now, but=OWED):
                raise DeskRefused(
                    "no_alarm",
                    f"there is no open alarm {alarm_id} that can be closed by hand",
                    alarm=alarm_id,
                )
            one.record("see_alarm", f"alarm {alarm_id}")

    def _step(self, person: str) -> AbstractAsyncContextManager[Step]:
        return step(self._database, person, self._clock.now(), self._desk.office.policy)

    async def _open(self, connection: AsyncConnection, number: int) -> IncomingRow:
        # Of two people who decide at once the second waits here, and is told what the first one did.
        await desk_store.hold_name(connection, f"by hand {number}")
        row = await incoming.one(connection, number)
        if row is None:
            raise _unknown(number)
        if row.state not in OPEN:
            raise DeskRefused(
                "state",
                f"message {number} is {row.state}: {row.reason}",
                why="message",
                message=number,
                reason=row.reason,
            )
        return row

    async def _decide(
        self, one: Step, row: IncomingRow, state: str, reason: str, alert_id: int | None
    ) -> None:
        """Write down what a person decided, unless the message was decided otherwise meanwhile."""
        decided = {"state": state, "reason": reason, "alert_id": alert_id, "todo": None}
        if not await incoming.change_if(one.connection, row, **decided, changed_at=one.now):
            raise DeskRefused(  # by its source or a rule
                "changed",
                f"message {row.id} was changed meanwhile: look at it again",
                why="message",
                message=row.id,
            )
        for alarm in await alarms.standing(one.connection, f"incoming {row.id}"):
            await alarms.dismiss(one.connection, alarm.id, one.now)
        one.record(f"incoming_{state}", f"incoming {row.id}", reason=reason, source=row.source)


def _no_cancel(alert: Alert) -> Alert:
    if alert.msg_type == MsgType.CANCEL:
        raise DeskRefused("use_cancel", "this is a Cancel: cancel the alert of ours that it is about")
    return alert


def _unknown(number: int) -> DeskRefused:
    return DeskRefused("no_message", f"there is no message {number} in the inbox", message=number)
