"""What is done at the desk for messages that came in: draft, submit, release by rule, withdraw, take back.

Every step can be done again: the desk knows what was drafted from which message. A step that the desk
refuses leaves the message where it is, with the desk's sentence as the reason.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import structlog

from gateway.alerts.language import tag_of
from gateway.alerts.model import Alert, MsgType
from gateway.desk.compose import key_text
from gateway.desk.refused import DeskRefused
from gateway.desk.signing import ByRule
from gateway.desk.steps import authors_of
from gateway.feeds.order import order, with_references
from gateway.feeds.place import overlap
from gateway.store import alarms, incoming
from gateway.store import desk as desk_store
from gateway.store.desk import Person

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
IN_WORK = ("draft", "submitted", "approved")
"""States of an alert of ours that has not left the desk."""


class Acting:
    """Does at the desk what the intake has decided."""

    def __init__(self, database: Database, clock: Clock, desk: Desk, origins: Origins) -> None:
        """Keep what is needed."""
        self._database = database
        self._clock = clock
        self._desk = desk
        self._origins = origins
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._few = asyncio.Semaphore(AT_ONCE)

    async def finish(self, number: int) -> None:
        """Do what is written down to be done for a message, if anything is."""
        row = await self._row(number)
        if row is None or row.todo is None:
            return
        async with self._alone(row.sender):
            await self._finish(number)

    async def _finish(self, number: int) -> None:
        row = await self._row(number)
        if row is None or row.todo is None:
            return
        ordered = await self._order(row)
        try:
            if row.todo == "cancel":
                await self._take_back(row, ordered)
            elif row.todo == "withdraw":
                await self._withdraw(row)
            else:
                await self._bring(row, ordered)
        except DeskRefused as refused:
            await self._set(row, state="held", todo=None, reason=refused.sentence)

    async def reconsider(self, number: int, source: str) -> None:
        """Release what only waited for a second source to say the same, if this message does."""
        waiting = self._origins.waiting_for(source)
        row = await self._row(number)
        if not waiting or row is None or not row.hazard or row.state in {"held", "quarantined", "stored"}:
            return
        longest = max(timedelta(minutes=self._origins.rule(name).agree_minutes) for name in waiting)
        async with self._database.begin() as connection:
            found = await incoming.waiting_for_agreement(
                connection, waiting, row.hazard, row.sent - longest, row.sent + longest
            )
        for one in found:
            if self._agree(one, row):
                await self._set(one, todo="release")
                await self.finish(one.id)

    async def vanished(self, row: IncomingRow) -> None:
        """Act on a message that its source no longer lists, as the source's rule says."""
        why = f"{row.source} no longer lists it"
        if self._origins.rule(row.source).vanished == "cancel":
            async with self._alone(row.sender):
                await self._take_back_one(await self._row(row.id) or row, row.source, why)
        else:
            await self._alarm(
                row, "vanished", f"{why} ({_named(row)}): is it over? Cancel it at the desk if so"
            )

    @asynccontextmanager
    async def _alone(self, sender: str) -> AsyncIterator[None]:
        """Keep every other step for messages of this sender waiting, here and in other processes.

        An Update that came while its Alert is being drafted must find the draft. Who waits here holds no
        connection, and few work at once, so that those who do find one.
        """
        lock = self._locks.setdefault(sender, asyncio.Lock())
        async with lock, self._few, self._database.begin() as connection:
            await desk_store.hold_name(connection, f"acting {sender}")
            yield

    async def _bring(self, row: IncomingRow, ordered: Order) -> None:
        replaced = ordered.replaced(row.key)
        if (edited := await self._clear_the_way(row, replaced)) is not None:
            reason = f"it updates alert {edited}, which people have changed here: do it at the desk"
            await self._set(row, state="held", todo=None, reason=reason)
            await self._alarm(row, "update_of_edited", reason)
            return
        author = await self._author(row.source)
        drafted = await self._draft(row, replaced, author)
        await self._set(row, state="drafted", alert_id=drafted.id)
        await self._forward(row, drafted, author)

    async def _forward(self, row: IncomingRow, drafted: AlertRow, author: str) -> None:
        """Take a draft as far as the rule says and the desk lets it go."""
        state, reason = "drafted", row.reason
        try:
            if row.todo == "release":
                grounds, reason = await self._grounds(row)
                if grounds is not None:
                    await self._desk.release_by_rule(drafted.id, author, grounds)
                    now = self._clock.now()
                    await self._set(row, state="released", todo=None, reason=reason, released_at=now)
                    return
            if row.todo in {"submit", "release"}:
                await self._desk.submit(drafted.id, author)
                state = "submitted"
        except DeskRefused as refused:
            reason = refused.sentence
        await self._set(row, state=state, todo=None, reason=reason)

    async def _draft(self, row: IncomingRow, replaced: list[Message], author: str) -> AlertRow:
        alert = Alert.model_validate(row.content)
        async with self._database.begin() as connection:
            begun = await desk_store.alert_drafted_from(connection, key_text(alert), "live")
            sent = [one.alert for one in replaced if await was_sent(connection, one.row)]
        if begun is not None and begun.original == row.original:
            return begun
        speaks_for = {one.row.sender for one in replaced}
        prepared = prepare(alert, self._origins.rule(row.source), sent)
        return await self._desk.draft_from_alert(prepared, row.original, author, speaks_for=speaks_for)

    async def _clear_the_way(self, row: IncomingRow, replaced: list[Message]) -> int | None:
        """Withdraw drafts that this message replaces; return the number of one that people have changed."""
        for one in replaced:
            ours = await self._ours(one.row)
            if ours is None or ours.state not in IN_WORK:
                continue
            author = await self._author(one.row.source)
            if authors_of(ours) != {author}:
                return ours.id
            await self._desk.withdraw(ours.id, author)
            reason = f"message {row.id} of its source took its place before it was sent"
            await self._set(one.row, state="superseded", todo=None, reason=reason)
        return None

    async def _withdraw(self, row: IncomingRow) -> None:
        """Take what was made of a message that is in question out of the desk's work.

        What people changed or sent they have made their own: they are told.
        """
        ours, author = await self._ours(row), await self._author(row.source)
        state = "superseded" if row.state != "quarantined" else row.state
        if ours is not None and ours.state in IN_WORK and authors_of(ours) == {author}:
            await self._desk.withdraw(ours.id, author)
        elif ours is not None and ours.state in {*IN_WORK, "released"}:
            state = row.state
            sentence = f"alert {ours.id} is {ours.state}, and {row.reason}: look at it again"
            await self._alarm(row, "alert_in_question", sentence)
        await self._set(row, state=state, todo=None)

    async def _take_back(self, row: IncomingRow, ordered: Order) -> None:
        """Act on a Cancel: whatever it takes back and led to something here."""
        said = [
            await self._take_back_one(one.row, row.source, f"{row.source} takes it back")
            for one in ordered.replaced(row.key)
        ]
        reason = "; ".join(filter(None, said)) or "nothing of what it takes back was in work or sent here"
        await self._set(row, todo=None, reason=reason)

    async def _take_back_one(self, row: IncomingRow, source: str, why: str) -> str:
        """Withdraw, cancel or ask, as far along as the message got; return what was done as a sentence."""
        ours = await self._in_force(await self._ours(row))
        if ours is None:
            return ""
        author = await self._author(source)
        if ours.state in IN_WORK:
            await self._desk.withdraw(ours.id, author)
            await self._set(row, state="superseded", todo=None, reason=f"{why}: withdrawn before it was sent")
            return f"alert {ours.id} is withdrawn"
        if self._may_retract(row, ours, source):
            await self._desk.cancel_by_rule(ours.id, author, ByRule(source=source, grounds=why))
            await self._set(row, state="taken_back", todo=None, reason=f"{why}: cancelled by its rule")
            return f"alert {ours.id} is cancelled by rule"
        return await self._ask(row, ours, author, source, why)

    async def _ask(self, row: IncomingRow, ours: AlertRow, author: str, source: str, why: str) -> str:
        """Leave the Cancel to people, ready for their approval where the rule lets the source submit."""
        way = f"tongda desk cancel {ours.id}"
        if self._origins.rule(source).action in {"submit", "release"}:
            await self._desk.cancel(ours.id, author)
            way = "its Cancel waits for approval"
        sentence = f"alert {ours.id} was sent, and {why}: {way}"
        await self._alarm(row, "source_took_back", sentence)
        return sentence

    def _may_retract(self, row: IncomingRow, ours: AlertRow, source: str) -> bool:
        if row.released_at is None or "by_rule" not in (ours.plan or {}):
            return False
        window = timedelta(minutes=self._origins.rule(source).retract_minutes)
        return self._clock.now() - row.released_at <= window

    async def _grounds(self, row: IncomingRow) -> tuple[ByRule | None, str]:
        """Return why a rule lets the message go without approval, or nothing and why not."""
        rule, now = self._origins.rule(row.source), self._clock.now()
        async with self._database.begin() as connection:
            lately = await incoming.released_since(connection, row.source, now - timedelta(hours=1))
        if lately >= rule.most_per_hour:
            return None, f"{lately} were sent by rule within the hour, which is the limit: a person approves"
        if rule.release_alone:
            return _by_rule(row, "its source is named to send alone")
        if named := sorted({*row.agreeing} & {*rule.agrees_with}):
            return _by_rule(row, f"{', '.join(named)} found the same event")
        second = await self._second(row, rule)
        if second is None:
            return None, "no second source says the same yet: a person approves"
        return _by_rule(row, f"{second.source} says the same (message {second.id})")

    async def _second(self, row: IncomingRow, rule: RuleSettings) -> IncomingRow | None:
        span = timedelta(minutes=rule.agree_minutes)
        async with self._database.begin() as connection:
            seen = await incoming.seen_by(
                connection, rule.agrees_with, row.hazard, row.sent - span, row.sent + span
            )
        return next((one for one in seen if row.hazard and self._agree(row, one)), None)

    def _agree(self, row: IncomingRow, other: IncomingRow) -> bool:
        """Return whether another message confirms one: another sender, the same time and place."""
        span = timedelta(minutes=self._origins.rule(row.source).agree_minutes)
        return (
            row.sender != other.sender
            and MsgType.CANCEL not in (row.msg_type, other.msg_type)
            and abs(row.sent - other.sent) <= span
            and overlap(row.regions, other.regions)
        )

    async def _author(self, source: str) -> str:
        """Return the login that stands for a source; it is added to the desk's people when first needed."""
        login = self._origins.login(source)
        roles = self._desk.office.policy.roles
        async with self._database.begin() as connection:
            there = await desk_store.person(connection, login)
        if there is None:
            role = min(roles.draft - roles.approve, default=min(roles.draft, default="author"))
            await self._desk.set_person(Person(login, f"来源 {source}", (role,), active=True))
        return login

    async def _ours(self, row: IncomingRow) -> AlertRow | None:
        if row.alert_id is None:
            return None
        async with self._database.begin() as connection:
            return await desk_store.alert(connection, row.alert_id)

    async def _in_force(self, ours: AlertRow | None) -> AlertRow | None:
        """Return the alert if it is in work or in force, else the one in force of its warning."""
        if ours is None or ours.state in {*IN_WORK, "released"}:
            return ours
        async with self._database.begin() as connection:
            rows = await desk_store.of_warning(connection, ours.warning_id)
        standing = [one for one in rows if one.state == "released" and one.msg_type != MsgType.CANCEL]
        return standing[-1] if standing else None

    async def _row(self, number: int) -> IncomingRow | None:
        async with self._database.begin() as connection:
            return await incoming.one(connection, number)

    async def _order(self, row: IncomingRow) -> Order:
        async with self._database.begin() as connection:
            rows = await incoming.related(connection, row)
        return order(rows, self._origins.delegates(rows))

    async def _set(self, row: IncomingRow, **values: Any) -> None:  # noqa: ANN401 - columns
        async with self._database.begin() as connection:
            await incoming.change(connection, row.id, changed_at=self._clock.now(), **values)

    async def _alarm(self, row: IncomingRow, code: str, sentence: str) -> None:
        async with self._database.begin() as connection:
            await alarms.sound(connection, f"incoming {row.id}", code, sentence, self._clock.now())
        log.warning("incoming alert needs a person", incoming=row.id, source=row.source, code=code)


async def was_sent(connection: AsyncConnection, row: IncomingRow) -> bool:
    """Return whether what was drafted from a message has left the desk."""
    return row.alert_id is not None and await desk_store.release_of(connection, row.alert_id) is not None


def _by_rule(row: IncomingRow, grounds: str) -> tuple[ByRule, str]:
    return ByRule(source=row.source, grounds=grounds), f"sent by rule: {grounds}"


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
