"""What people do with messages that came in: draft one, or lay it aside with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.alerts.model import Alert, MsgType
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import step
from gateway.feeds.acting import prepare, was_sent
from gateway.feeds.order import order
from gateway.feeds.origins import Origins
from gateway.store import alarms, incoming

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.desk.compose import Changes
    from gateway.desk.service import Desk
    from gateway.settings import Settings
    from gateway.store.alarms import Alarm
    from gateway.store.database import Database
    from gateway.store.desk import AlertRow
    from gateway.store.incoming import IncomingRow

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
            raise DeskRefused("no_message", f"there is no message {number} in the inbox")
        return row

    async def draft(self, number: int, person: str, changes: Changes) -> AlertRow:
        """Draft our alert from a message that waits; the person is its author."""
        row = await self._open(number)
        alert = Alert.model_validate(row.content)
        if alert.msg_type == MsgType.CANCEL:
            raise DeskRefused("use_cancel", "this is a Cancel: cancel the alert of ours that it is about")
        async with self._database.begin() as connection:
            rows = await incoming.related(connection, row)
            before = order(rows, self._origins.delegates(rows)).replaced(row.key)
            sent = [one.alert for one in before if await was_sent(connection, one.row)]
        prepared = prepare(alert, self._origins.rule(row.source), sent)
        senders = {one.row.sender for one in before}
        drafted = await self._desk.draft_from_alert(
            prepared, row.original, person, changes=changes, speaks_for=senders
        )
        await self._decide(row, person, "drafted", f"drafted by {person}", drafted.id)
        return drafted

    async def dismiss(self, number: int, person: str, reason: str) -> None:
        """Lay a message aside, with its alarms."""
        if not reason.strip():
            raise DeskRefused("reason", "say why the message is laid aside (--reason)")
        await self._decide(await self._open(number), person, "dismissed", f"{person}: {reason}", None)

    async def alarms(self) -> list[Alarm]:
        """Return the open alarms, the oldest first."""
        async with self._database.begin() as connection:
            return await alarms.standing(connection)

    async def see(self, alarm_id: int, person: str) -> None:
        """Close an alarm that the person has looked at."""
        now = self._clock.now()
        async with step(self._database, person, now, self._desk.office.policy) as one:
            await one.may("draft")
            if not await alarms.dismiss(one.connection, alarm_id, now):
                raise DeskRefused("no_alarm", f"there is no open alarm {alarm_id}")
            one.record("see_alarm", f"alarm {alarm_id}")

    async def _open(self, number: int) -> IncomingRow:
        row = await self.show(number)
        if row.state not in OPEN:
            raise DeskRefused("state", f"message {number} is {row.state}: {row.reason}")
        return row

    async def _decide(
        self, row: IncomingRow, person: str, state: str, reason: str, alert_id: int | None
    ) -> None:
        now = self._clock.now()
        async with step(self._database, person, now, self._desk.office.policy) as one:
            await one.may("draft")
            await incoming.change(
                one.connection,
                row.id,
                state=state,
                reason=reason,
                alert_id=alert_id,
                todo=None,
                changed_at=now,
            )
            for alarm in await alarms.standing(one.connection, f"incoming {row.id}"):
                await alarms.dismiss(one.connection, alarm.id, now)
            one.record(f"incoming_{state}", f"incoming {row.id}", reason=reason, source=row.source)
