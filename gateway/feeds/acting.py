"""What is done at the desk for messages that came in: draft, submit, release by rule, withdraw, take back.

Every step at the desk is one transaction with what it makes of the message (gateway.feeds.at_desk). A step
that the desk refuses leaves the message where it is, with the desk's sentence as the reason. Here stands how
a message goes forward; gateway.feeds.taking_back takes back, and gateway.feeds.agreement says on what grounds
a rule sends.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import structlog

from gateway.alerts.language import tag_of
from gateway.alerts.model import Alert, MsgType
from gateway.desk import ruled, submission
from gateway.desk.compose import key_text
from gateway.desk.incoming import from_source
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import authors_of
from gateway.feeds.agreement import Agreement
from gateway.feeds.at_desk import AtDesk, OvertakenError
from gateway.feeds.order import with_references
from gateway.feeds.standing import order_around
from gateway.feeds.taking_back import TakingBack
from gateway.store import desk as desk_store
from gateway.store import incoming

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock
    from gateway.desk.service import Desk
    from gateway.feeds.order import Message, Order
    from gateway.feeds.origins import Origins
    from gateway.feeds.settings import RuleSettings
    from gateway.store.database import Database
    from gateway.store.desk import AlertRow
    from gateway.store.incoming import IncomingRow

log = structlog.get_logger(__name__)

AT_ONCE = 3
"""Senders whose messages are worked on at the same time in one process."""


class Acting:
    """Does at the desk what the intake has decided."""

    def __init__(self, database: Database, clock: Clock, desk: Desk, origins: Origins) -> None:
        """Keep what is needed."""
        self._at_desk = AtDesk(database, clock, desk, origins)
        self._taking_back = TakingBack(self._at_desk)
        self._agreement = Agreement(self._at_desk)
        self._origins = origins
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._few = asyncio.Semaphore(AT_ONCE)

    async def finish(self, number: int) -> None:
        """Do what is written down to be done for a message, if anything is."""
        row = await self._at_desk.message(number)
        if row is None or row.todo is None:
            return
        async with self._alone(row.sender):
            try:
                await self._finish(number)
            except OvertakenError:
                log.info("message was decided otherwise meanwhile", incoming=number)

    async def _finish(self, number: int) -> None:
        row = await self._at_desk.message(number)
        if row is None or row.todo is None:
            return
        ordered = await self._order(row)
        if row.todo == "cancel":
            await self._taking_back.cancel(row, ordered)
        elif row.todo == "withdraw":
            await self._taking_back.withdraw(row)
        else:
            await self._bring(row, ordered.replaced(row.key))

    async def reconsider(self, number: int, source: str) -> None:
        """Release what only waited for a second source to say the same, if this message does."""
        row = await self._at_desk.message(number)
        if row is None:
            return
        for one in await self._agreement.waiting(row, source):
            if self._agreement.agree(one, row) and await self._reopen(one):
                await self.finish(one.id)

    async def _reopen(self, row: IncomingRow) -> bool:
        async with self._at_desk.database.begin() as connection:
            return await incoming.change_if(connection, row, todo="release", changed_at=self._at_desk.now)

    async def vanished(self, row: IncomingRow, source: str) -> None:
        """Act on a message that a source no longer lists, as that source's rule says."""
        why = f"{source} no longer lists it"
        is_own = source == row.source or self._origins.names(source, row.sender)
        if self._origins.rule(source).vanished == "cancel" and is_own:
            async with self._alone(row.sender):
                await self._taking_back.take_back([row], replace(row, source=source), why)
        else:
            sentence = f"{why} ({_named(row)}): is it over? Cancel it at the desk if so"
            await self._at_desk.alarm(row, "vanished", sentence)

    @asynccontextmanager
    async def _alone(self, sender: str) -> AsyncIterator[None]:
        """Keep every other step for messages of this sender waiting, here and in other processes.

        An Update that came while its Alert is being drafted must find the draft. Who waits here holds no
        connection, and few work at once, so that those who do find one.
        """
        lock = self._locks.setdefault(sender, asyncio.Lock())
        async with lock, self._few, self._at_desk.database.begin() as connection:
            await desk_store.hold_name(connection, f"acting {sender}")
            yield

    async def _order(self, row: IncomingRow) -> Order:
        async with self._at_desk.database.begin() as connection:
            return (await order_around(connection, row, self._origins))[0]

    # New warnings, and Updates

    async def _bring(self, row: IncomingRow, replaced: list[Message]) -> None:
        try:
            if (edited := await self._taking_back.clear_the_way(row, replaced)) is not None:
                reason = f"it updates alert {edited}, which people have changed here: do it at the desk"
                await self._hold(row, "update_of_edited", reason)
                return
            author = await self._at_desk.author(row.source)
            drafted = await self._draft(row, replaced, author)
        except DeskRefused as refused:
            is_urgent = any(one.row.state in {"released", "submitted"} for one in replaced)
            await self._hold(row, "update_refused" if is_urgent else "", refused.sentence)
            return
        if row.todo != "draft":
            row = replace(row, state="drafted", alert_id=drafted.id)
            await self._forward(row, drafted, author)

    async def _hold(self, row: IncomingRow, alarm: str, reason: str) -> None:
        async with self._at_desk.database.begin() as connection:
            await self._at_desk.note(connection, row, state="held", todo=None, reason=reason)
        if alarm:
            sentence = f"message {row.id} of {row.source} ({_named(row)}): {reason}"
            await self._at_desk.alarm(row, alarm, sentence)

    async def _draft(self, row: IncomingRow, replaced: list[Message], author: str) -> AlertRow:
        """Draft an alert and note it with the message, or find the one that was drafted from it before."""
        alert = Alert.model_validate(row.content)
        async with self._at_desk.step(author) as one:
            await one.may("draft")
            drafted = await desk_store.alert_drafted_from(one.connection, key_text(alert), "live")
            if drafted is None or drafted.original != row.original:
                sent = [each.alert for each in replaced if await was_sent(one.connection, each.row)]
                prepared = prepare(alert, self._origins.rule(row.source), sent)
                senders = {each.row.sender for each in replaced}
                drafted = await from_source(
                    one, self._at_desk.office, prepared, row.original, speaks_for=senders
                )
            todo = row.todo if row.todo != "draft" else None
            await self._at_desk.note(one.connection, row, state="drafted", alert_id=drafted.id, todo=todo)
        return drafted

    async def _forward(self, row: IncomingRow, drafted: AlertRow, author: str) -> None:
        """Take a draft as far as the rule says and the desk lets it go."""
        state, reason = "drafted", row.reason
        if authors_of(drafted) != {author}:
            reason = f"alert {drafted.id} was drafted from it and changed by people: they decide"
        else:
            try:
                if row.todo == "release":
                    reason = await self._release(row, drafted, author)
                    if not reason:
                        return
                drafted = await self._at_desk.desk.submit(drafted.id, author)
            except DeskRefused as refused:
                reason = refused.sentence
        if drafted.state in {"submitted", "approved"}:
            state = "submitted"
        async with self._at_desk.database.begin() as connection:
            await self._at_desk.note(connection, row, state=state, todo=None, reason=reason)

    async def _release(self, row: IncomingRow, drafted: AlertRow, author: str) -> str:
        """Send an alert where its rule lets it go; return why it does not, and then nothing is changed."""
        try:
            chosen = await submission.resolve(self._at_desk.database, self._at_desk.office, drafted)
            async with self._at_desk.step(author) as one:
                # One release of a source after the other: each counts those before it.
                await desk_store.hold_name(one.connection, f"rule {row.source}")
                grounds, reason = await self._agreement.grounds(one.connection, row)
                if grounds is None:
                    return reason
                await ruled.release(one, self._at_desk.office, drafted.id, chosen, grounds)
                sent = {"state": "released", "released_at": self._at_desk.now}
                await self._at_desk.note(one.connection, row, **sent, todo=None, reason=reason)
        except DeskRefused as refused:
            return refused.sentence
        return ""


async def was_sent(connection: AsyncConnection, row: IncomingRow) -> bool:
    """Return whether what was drafted from a message has left the desk."""
    return row.alert_id is not None and await desk_store.release_of(connection, row.alert_id) is not None


def _named(row: IncomingRow) -> str:
    return f"{row.sender},{row.identifier}"


def prepare(alert: Alert, rule: RuleSettings, sent: list[Alert]) -> Alert:
    """Return the alert as it is drafted: the languages that the rule names, and an end where it has none.

    Args:
        alert: The message as it came.
        rule: The rule of its source.
        sent: Messages that it replaces and that left the desk; without any an Update is a first issue here.
    """
    spoken = [info for info in alert.infos if not rule.languages or tag_of(info) in rule.languages]
    end = alert.sent + timedelta(hours=rule.valid_hours)
    infos = tuple(
        info if info.expires is not None else info.model_copy(update={"expires": end})
        for info in spoken or alert.infos
    )
    alert = alert.model_copy(update={"infos": infos})
    if alert.msg_type == MsgType.UPDATE and not sent:
        return alert.model_copy(
            update={"msg_type": MsgType.ALERT, "references": (), "malformed_references": ()}
        )
    return with_references(alert, sent)
