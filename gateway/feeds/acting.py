"""What is done at the desk for messages that came in: draft, submit, release by rule, withdraw, take back.

Every step at the desk is one transaction with what it makes of the message, and is taken only while the
message is as it was read: a Cancel that comes in between wins, and after a crash the step can be done again.
A step that the desk refuses leaves the message where it is, with the desk's sentence as the reason.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import structlog

from gateway.alerts.language import tag_of
from gateway.alerts.model import Alert, MsgType
from gateway.desk import ruled, submission
from gateway.desk.compose import key_text
from gateway.desk.incoming import from_source
from gateway.desk.refused import DeskRefused
from gateway.desk.signing import ByRule
from gateway.desk.steps import authors_of, step
from gateway.feeds.order import with_references
from gateway.feeds.place import overlap
from gateway.feeds.rules import beyond, speaks_for
from gateway.feeds.standing import order_around
from gateway.store import alarms, incoming
from gateway.store import desk as desk_store
from gateway.store.desk import Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock
    from gateway.desk.service import Desk
    from gateway.desk.steps import Step
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


class OvertakenError(Exception):
    """A message was decided otherwise while something was being made of it."""


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
            try:
                await self._finish(number)
            except OvertakenError:
                log.info("message was decided otherwise meanwhile", incoming=number)

    async def _finish(self, number: int) -> None:
        row = await self._row(number)
        if row is None or row.todo is None:
            return
        ordered = await self._order(row)
        if row.todo == "cancel":
            await self._take_back(row, ordered)
        elif row.todo == "withdraw":
            await self._withdraw(row)
        else:
            await self._bring(row, ordered.replaced(row.key))

    async def reconsider(self, number: int, source: str) -> None:
        """Release what only waited for a second source to say the same, if this message does."""
        waiting = self._origins.waiting_for(source)
        row = await self._row(number)
        if not waiting or row is None or not self._may_confirm(row):
            return
        longest = max(timedelta(minutes=self._origins.rule(name).agree_minutes) for name in waiting)
        async with self._database.begin() as connection:
            found = await incoming.waiting_for_agreement(
                connection, waiting, row.hazard, row.sent - longest, row.sent + longest
            )
        for one in found:
            if self._agree(one, row) and await self._reopen(one):
                await self.finish(one.id)

    async def _reopen(self, row: IncomingRow) -> bool:
        async with self._database.begin() as connection:
            return await incoming.change_if(connection, row, todo="release", changed_at=self._clock.now())

    async def vanished(self, row: IncomingRow, source: str) -> None:
        """Act on a message that a source no longer lists, as that source's rule says."""
        why = f"{source} no longer lists it"
        is_own = source == row.source or self._origins.names(source, row.sender)
        if self._origins.rule(source).vanished == "cancel" and is_own:
            async with self._alone(row.sender):
                await self._take_back_safely([row], replace(row, source=source), why)
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

    # New warnings, and Updates

    async def _bring(self, row: IncomingRow, replaced: list[Message]) -> None:
        try:
            if (edited := await self._clear_the_way(row, replaced)) is not None:
                reason = f"it updates alert {edited}, which people have changed here: do it at the desk"
                await self._hold(row, "update_of_edited", reason)
                return
            author = await self._author(row.source)
            drafted = await self._draft(row, replaced, author)
        except DeskRefused as refused:
            is_urgent = any(one.row.state in {"released", "submitted"} for one in replaced)
            await self._hold(row, "update_refused" if is_urgent else "", refused.sentence)
            return
        if row.todo != "draft":
            row = replace(row, state="drafted", alert_id=drafted.id)
            await self._forward(row, drafted, author)

    async def _hold(self, row: IncomingRow, alarm: str, reason: str) -> None:
        async with self._database.begin() as connection:
            await self._note(connection, row, state="held", todo=None, reason=reason)
        if alarm:
            await self._alarm(row, alarm, f"message {row.id} of {row.source} ({_named(row)}): {reason}")

    async def _draft(self, row: IncomingRow, replaced: list[Message], author: str) -> AlertRow:
        """Draft an alert and note it with the message, or find the one that was drafted from it before."""
        alert = Alert.model_validate(row.content)
        async with self._step(author) as one:
            await one.may("draft")
            drafted = await desk_store.alert_drafted_from(one.connection, key_text(alert), "live")
            if drafted is None or drafted.original != row.original:
                sent = [each.alert for each in replaced if await was_sent(one.connection, each.row)]
                prepared = prepare(alert, self._origins.rule(row.source), sent)
                senders = {each.row.sender for each in replaced}
                drafted = await from_source(
                    one, self._desk.office, prepared, row.original, speaks_for=senders
                )
            todo = row.todo if row.todo != "draft" else None
            await self._note(one.connection, row, state="drafted", alert_id=drafted.id, todo=todo)
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
                drafted = await self._desk.submit(drafted.id, author)
            except DeskRefused as refused:
                reason = refused.sentence
        if drafted.state in {"submitted", "approved"}:
            state = "submitted"
        async with self._database.begin() as connection:
            await self._note(connection, row, state=state, todo=None, reason=reason)

    async def _release(self, row: IncomingRow, drafted: AlertRow, author: str) -> str:
        """Send an alert where its rule lets it go; return why it does not, and then nothing is changed."""
        try:
            chosen = await submission.resolve(self._database, drafted)
            async with self._step(author) as one:
                # One release of a source after the other: each counts those before it.
                await desk_store.hold_name(one.connection, f"rule {row.source}")
                grounds, reason = await self._grounds(one.connection, row)
                if grounds is None:
                    return reason
                await ruled.release(one, self._desk.office, drafted.id, chosen, grounds)
                sent = {"state": "released", "released_at": self._clock.now()}
                await self._note(one.connection, row, **sent, todo=None, reason=reason)
        except DeskRefused as refused:
            return refused.sentence
        return ""

    async def _clear_the_way(self, row: IncomingRow, replaced: list[Message]) -> int | None:
        """Withdraw drafts that this message replaces; return the number of one that people have changed."""
        for one in replaced:
            ours = await self._ours(one.row)
            if ours is None or ours.state not in IN_WORK:
                continue
            author = await self._author(one.row.source)
            if authors_of(ours) != {author}:
                return ours.id
            reason = f"message {row.id} of its source took its place before it was sent"
            await self._give_up(one.row, ours, author, reason)
        return None

    # Taking back

    async def _give_up(self, row: IncomingRow, ours: AlertRow, author: str, reason: str) -> bool:
        """Withdraw an alert and note it with its message; False where it has left the desk by now."""
        async with self._step(author) as one:
            await one.may("draft")
            current = await one.hold(ours.id)
            if current.state not in IN_WORK:
                return False
            await one.change(current, "withdraw")
            one.record("withdraw", current.id, reason=reason)
            state = row.state if row.state == "quarantined" else "superseded"
            await incoming.change(
                one.connection, row.id, state=state, todo=None, reason=reason, changed_at=one.now
            )
        return True

    async def _withdraw(self, row: IncomingRow) -> None:
        """Take what was made of a message that is in question out of the desk's work.

        What people changed or sent they have made their own: they are told.
        """
        ours = await self._ours(row)
        try:
            author = await self._author(row.source)
            is_own = ours is not None and ours.state in IN_WORK and authors_of(ours) == {author}
            if ours is not None and is_own and await self._give_up(row, ours, author, row.reason):
                return
            why = ""
        except DeskRefused as refused:
            why = f" ({refused.sentence})"
        ours = await self._ours(row)
        is_at_work = ours is not None and ours.state in {*IN_WORK, "released"}
        if ours is not None and is_at_work:
            sentence = f"alert {ours.id} is {ours.state}, and {row.reason}{why}: look at it again"
            await self._alarm(row, "alert_in_question", sentence)
        state = row.state if is_at_work or row.state == "quarantined" else "superseded"
        async with self._database.begin() as connection:
            await self._note(connection, row, state=state, todo=None)

    async def _take_back(self, row: IncomingRow, ordered: Order) -> None:
        """Act on a Cancel: whatever it takes back and led to something here."""
        rows = [one.row for one in ordered.taken_back(row.key)]
        reason = await self._take_back_safely(rows, row, f"{row.source} takes it back")
        reason = reason or "nothing of what it takes back was in work or sent here"
        async with self._database.begin() as connection:
            await self._note(connection, row, todo=None, reason=reason)

    async def _take_back_safely(self, rows: Sequence[IncomingRow], by: IncomingRow, why: str) -> str:
        """Take messages back, each by itself; where the desk refuses that, people are told."""
        said: dict[int, str] = {}
        for row in rows:
            ours = await self._in_force(await self._ours(row))
            if ours is None or ours.id in said:
                continue
            try:
                said[ours.id] = await self._take_back_one(row, ours, by, why)
            except DeskRefused as refused:
                said[ours.id] = f"alert {ours.id} is {ours.state}, and {why}: {refused.sentence}"
                await self._alarm(row, "source_took_back", said[ours.id])
        return "; ".join(said.values())

    async def _take_back_one(self, row: IncomingRow, ours: AlertRow, by: IncomingRow, why: str) -> str:
        """Withdraw, cancel or ask, as far along as the message got; return what was done as a sentence."""
        author = await self._author(by.source)
        if ours.state in IN_WORK and await self._give_up(row, ours, author, f"{why}: withdrawn"):
            return await self._withdrawn(row, ours, why)
        ours = await self._in_force(ours) or ours  # it may have been sent in this very moment
        if self._may_retract(row, ours, by):
            try:
                return await self._retract(row, ours, author, ByRule(source=by.source, grounds=why))
            except DeskRefused as refused:
                why = f"{why} ({refused.sentence})"
        return await self._ask(row, ours, author, by.source, why)

    async def _withdrawn(self, row: IncomingRow, ours: AlertRow, why: str) -> str:
        """Say that a draft is withdrawn; who had a hand in it is told."""
        sentence = f"alert {ours.id} is withdrawn"
        if authors_of(ours) != {self._origins.login(row.source)}:
            told = f"{sentence}, which people had changed: {why}; draft a new one if there still is danger"
            await self._alarm(row, "source_took_back", told)
        return sentence

    async def _retract(self, row: IncomingRow, ours: AlertRow, author: str, why: ByRule) -> str:
        async with self._step(author) as one:
            await ruled.cancel(one, self._desk.office, ours.id, why)
            reason = f"{why['grounds']}: cancelled by its rule"
            taken = {"state": "taken_back", "todo": None, "reason": reason, "changed_at": one.now}
            await incoming.change_of_alert(one.connection, ours.id, **taken)
            await incoming.change(one.connection, row.id, **taken)
        return f"alert {ours.id} is cancelled by rule"

    async def _ask(self, row: IncomingRow, ours: AlertRow, author: str, source: str, why: str) -> str:
        """Leave the Cancel to people, ready for their approval where the rule lets the source submit."""
        way = f"tongda desk cancel {ours.id}"
        if self._origins.rule(source).action in {"submit", "release"}:
            try:
                cancel = await self._desk.cancel(ours.id, author)
                way = f"its Cancel, alert {cancel.id}, is {cancel.state}"
            except DeskRefused as refused:
                way = f"{refused.sentence}; {way}"
        sentence = f"alert {ours.id} was sent, and {why}: {way}"
        await self._alarm(row, "source_took_back", sentence)
        return sentence

    def _may_retract(self, row: IncomingRow, ours: AlertRow, by: IncomingRow) -> bool:
        """Whether a source that is named for it takes back what a rule sent, within its window."""
        named = self._origins.names(by.source, by.sender)
        if row.released_at is None or "by_rule" not in (ours.plan or {}) or not named:
            return False
        window = timedelta(minutes=self._origins.rule(by.source).retract_minutes)
        return self._clock.now() - row.released_at <= window

    # The grounds of a release

    async def _grounds(self, connection: AsyncConnection, row: IncomingRow) -> tuple[ByRule | None, str]:
        """Return why a rule lets the message go without approval, or nothing and why not.

        The rule is that of this moment, which need not be the one that the message was judged by.
        """
        rule, since = self._origins.rule(row.source), self._clock.now() - timedelta(hours=1)
        if why := self._out_of_bounds(row, rule):
            return None, f"{why}: a person approves"
        lately = await incoming.released_since(connection, row.source, since)
        if lately >= rule.most_per_hour:
            return None, f"{lately} were sent by rule within the hour, which is the limit: a person approves"
        if rule.release_alone:
            return _by_rule(row, "its source is named to send alone")
        if named := sorted({*row.agreeing} & {*rule.agrees_with}):
            return _by_rule(row, f"{', '.join(named)} found the same event")
        second = await self._second(connection, row, rule)
        if second is None:
            return None, "no second source says the same yet: a person approves"
        return _by_rule(row, f"{second.source} says the same (message {second.id})")

    def _out_of_bounds(self, row: IncomingRow, rule: RuleSettings) -> str:
        """Return why the rule, as it is by now, does not cover a message; empty: it does."""
        if rule.action != "release" or not self._origins.official(row.source):
            return "its source's rule does not send by itself any more"
        if self._clock.now() - row.sent > rule.max_age:
            return "it is older than its source's rule takes by now"
        if not speaks_for(rule, row.sender):
            return f"its sender {row.sender} is none that this source speaks for"
        alert = Alert.model_validate(row.content)
        return beyond(rule, alert, row.regions, self._desk.office.hazards)

    async def _second(
        self, connection: AsyncConnection, row: IncomingRow, rule: RuleSettings
    ) -> IncomingRow | None:
        span = timedelta(minutes=rule.agree_minutes)
        official = [name for name in rule.agrees_with if self._origins.official(name)]
        found = await incoming.seen_by(connection, official, row.hazard, row.sent - span, row.sent + span)
        return next((one for one in found if self._agree(row, one)), None)

    def _agree(self, row: IncomingRow, other: IncomingRow) -> bool:
        """Return whether another message confirms one: another sender, the same time and place."""
        span = timedelta(minutes=self._origins.rule(row.source).agree_minutes)
        return (
            row.sender != other.sender
            and row.msg_type != MsgType.CANCEL
            and self._may_confirm(other)
            and abs(row.sent - other.sent) <= span
            and overlap(row.regions, other.regions)
        )

    def _may_confirm(self, row: IncomingRow) -> bool:
        """Whether a message is in good standing and holds at this moment."""
        return (
            bool(row.hazard)
            and row.msg_type != MsgType.CANCEL
            and row.state in incoming.GOOD_STANDING
            and (row.expires is None or row.expires > self._clock.now())
        )

    async def _author(self, source: str) -> str:
        """Return the login that stands for a source; it is added to the desk's people when first needed."""
        login = self._origins.login(source)
        roles = self._desk.office.policy.roles
        async with self._database.begin() as connection:
            there = await desk_store.person(connection, login)
        if there is None:
            # One that may also take back, and may not approve, where the policy has such a role.
            best = roles.draft & roles.cancel - roles.approve or roles.draft - roles.approve or roles.draft
            role = min(best, default="author")
            await self._desk.set_person(Person(login, f"来源 {source}", (role,), active=True))
        return login

    async def _ours(self, row: IncomingRow) -> AlertRow | None:
        if row.alert_id is None:
            return None
        async with self._database.begin() as connection:
            return await desk_store.alert(connection, row.alert_id)

    async def _in_force(self, ours: AlertRow | None) -> AlertRow | None:
        """Return the alert, as it is by now, if it is in work or in force, else what is of its warning."""
        if ours is None:
            return None
        async with self._database.begin() as connection:
            rows = await desk_store.of_warning(connection, ours.warning_id)
        own = next(one for one in rows if one.id == ours.id)
        if own.state in {*IN_WORK, "released"}:
            return own
        standing = [one for one in rows if one.state == "released" and one.msg_type != MsgType.CANCEL]
        return standing[-1] if standing else None

    async def _row(self, number: int) -> IncomingRow | None:
        async with self._database.begin() as connection:
            return await incoming.one(connection, number)

    async def _order(self, row: IncomingRow) -> Order:
        async with self._database.begin() as connection:
            return (await order_around(connection, row, self._origins))[0]

    def _step(self, author: str) -> AbstractAsyncContextManager[Step]:
        return step(self._database, author, self._clock.now(), self._desk.office.policy)

    async def _note(self, connection: AsyncConnection, row: IncomingRow, **values: Any) -> None:  # noqa: ANN401
        """Write down what was done, in the transaction that does it.

        Raises:
            OvertakenError: a Cancel, an Update or a person was faster; the transaction must not commit.
        """
        if not await incoming.change_if(connection, row, changed_at=self._clock.now(), **values):
            raise OvertakenError

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
