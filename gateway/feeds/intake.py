"""The intake: whatever a source brings is kept once, put in order, judged, and taken to the desk.

A message is stored and judged in one transaction under a lock of its sender, so that two copies, or a Cancel
and its Alert, that arrive at the same moment come one after the other. What is to be done at the desk is
written down with it (``todo``) and done afterwards; after a crash :meth:`Intake.settle` does it.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import structlog

from gateway.alerts.check import merged
from gateway.alerts.lint import Source, lint
from gateway.alerts.model import MsgType
from gateway.feeds.acting import Acting
from gateway.feeds.drill_words import drill_words
from gateway.feeds.origins import Origins
from gateway.feeds.place import Gazetteer
from gateway.feeds.rules import Case, Decision, hazard_key, judge
from gateway.feeds.standing import keep_order, order_around
from gateway.store import alarms, incoming
from gateway.store.audit import canonical
from gateway.store.desk import hold_name
from gateway.store.faults import DATABASE_FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.alerts.findings import Finding
    from gateway.alerts.model import Alert, AlertKey, Reference
    from gateway.clock import Clock
    from gateway.desk.service import Desk
    from gateway.feeds.contract import Item, Reading
    from gateway.feeds.order import Order
    from gateway.feeds.place import Place
    from gateway.feeds.seismic.seismology import Seismology
    from gateway.settings import Settings
    from gateway.store.database import Database
    from gateway.store.incoming import IncomingRow

log = structlog.get_logger(__name__)

_WITHOUT_REFERENCES = frozenset({"update_without_references", "cancel_without_references"})
"""Findings that mean nothing where the name of the event ties messages together."""
MOST_FINDINGS = 40
"""Findings that are kept with a message."""
UNDECIDED = ("inbox", "held", "stored")
"""States of a message that nothing was made of: another source that brings it may be allowed more."""


class Taken(NamedTuple):
    """What became of a message that a source brought."""

    incoming_id: int
    key: AlertKey
    state: str
    """A state of gateway.store.incoming_tables.STATES."""
    reason: str
    alert_id: int | None
    """The alert of ours that it led to, if any."""
    repeated: bool
    """Whether it was here before and says the same."""


class Judgement(NamedTuple):
    """What would become of a message."""

    state: str
    reason: str
    findings: tuple[Finding, ...]


class Seen(NamedTuple):
    """What can be known of a message by itself."""

    place: Place
    signature: str
    findings: tuple[Finding, ...]


class Kept(NamedTuple):
    """A message as it was stored."""

    row: IncomingRow
    repeated: bool
    touched: list[int]
    """Earlier messages that something is to be done about."""


class Intake:
    """Takes alerts from sources and partners."""

    def __init__(self, database: Database, clock: Clock, desk: Desk, settings: Settings) -> None:
        """Keep what is needed; nothing is read yet."""
        self._database = database
        self._clock = clock
        self._desk = desk
        self._origins = Origins(settings)
        self._gazetteer = Gazetteer(database, clock)
        self._acting = Acting(database, clock, desk, self._origins)
        self.seismology: Seismology | None = None
        """What solutions of seismic events are handed to; set by gateway.feeds.reception."""

    async def take(self, source: str, kind: str, item: Item, name: str = "") -> Taken:
        """Take one message.

        Args:
            source: Name of the source; ``partner.NAME`` of a partner, ``seismic`` of a warning made of a
                seismic event.
            kind: The adapter that read it.
            item: The message.
            name: What the source's complete list calls it, where it has one.
        """
        seen = await self._look(source, item)
        async with self._database.begin() as connection:
            for sender in self._origins.held(item.alert):
                await hold_name(connection, f"incoming {sender}")
            row, repeated, touched = await self._keep(connection, source, kind, item, seen)
            await incoming.see(connection, row.id, source, name, self._clock.now())
        for number in (*touched, *([row.id] if row.todo else ())):
            await self._acting.finish(number)
        if self._origins.waiting_for(source):
            await self._acting.reconsider(row.id, source)
        if row.todo:
            row = await self._row(row.id)
        return Taken(row.id, item.alert.key, row.state, row.reason, row.alert_id, repeated)

    async def take_reading(self, source: str, reading: Reading, name: str = "") -> list[Taken]:
        """Take every message of a document, and note what its complete list no longer has."""
        taken = [
            await self.take(source, reading.kind, item, name or _key_text(item.alert))
            for item in reading.items
        ]
        if reading.solutions and self.seismology is not None:
            taken += await self.seismology.take(source, reading.solutions, at=self._clock.now())
        if reading.listed is not None:
            await self.listed(source, reading.listed)
        return taken

    async def judge(self, source: str, kind: str, item: Item) -> Judgement:
        """Say what would become of a message; nothing is written."""
        seen = await self._look(source, item)
        async with self._database.begin() as connection:
            transaction = await connection.begin_nested()
            row, repeated, _ = await self._keep(connection, source, kind, item, seen)
            await transaction.rollback()
        reason = f"it is here already: {row.reason}" if repeated else row.reason
        return Judgement(row.todo or row.state, reason, seen.findings)

    async def unknown(self, references: Sequence[Reference]) -> list[Reference]:
        """Return those of which no message came in yet."""
        names = {(one.sender, one.identifier) for one in references}
        async with self._database.begin() as connection:
            known = await incoming.known(connection, names) if names else set()
        return [one for one in references if (one.sender, one.identifier) not in known]

    async def listed(self, source: str, names: frozenset[str]) -> None:
        """Note what the complete list of a source no longer has, as far as its rule gives that a meaning."""
        if self._origins.rule(source).vanished == "keep":
            return
        async with self._database.begin() as connection:
            gone = await incoming.vanished(connection, source, names, self._clock.now())
        for row in gone:
            await self._acting.vanished(row, source)
            async with self._database.begin() as connection:  # last, so that a crash does not lose it
                await incoming.note_vanished(connection, row.id, source, self._clock.now())

    async def settle(self, before: datetime) -> int:
        """Do what was begun before a time and never ended, after a crash; return how many there were.

        One that the program fails over stays for the next time and keeps no other one waiting.
        """
        async with self._database.begin() as connection:
            undone = await incoming.left_undone(connection, before)
            await incoming.clear_answered(connection, self._clock.now())
        for number in undone:
            try:
                await self._acting.finish(number)
            except DATABASE_FAULTS as error:
                log.warning("message waits for the database", incoming=number, error=type(error).__name__)
            except Exception:
                log.exception("message cannot be settled", incoming=number, alarm=True)
        if self.seismology is not None:
            await self.seismology.hand_over(self._clock.now())
        return len(undone)

    async def _row(self, number: int) -> IncomingRow:
        async with self._database.begin() as connection:
            row = await incoming.one(connection, number)
        assert row is not None
        return row

    async def _look(self, source: str, item: Item) -> Seen:
        """Find out what can be known of a message by itself, before anything is held for it."""
        signature = await asyncio.to_thread(self._origins.verify, source, item, self._clock.now())
        return Seen(await self._gazetteer.place(item.alert), signature, self._findings(source, item))

    async def _keep(
        self, connection: AsyncConnection, source: str, kind: str, item: Item, seen: Seen
    ) -> Kept:
        """Store and judge a message, and put those that were here before in order with it."""
        alert, meaning = item.alert, meaning_of(item.alert)
        sent = alert.key.sent
        if again := await incoming.find(connection, alert.sender, alert.identifier, sent, meaning):
            return await self._keep_again(connection, source, kind, item, seen, again)
        values = self._columns(source, kind, item, seen) | {"meaning": meaning}
        row = await incoming.insert_one(connection, _references(alert), **values)
        ordered, counts = await order_around(connection, row, self._origins, hold=True)
        decision = self._decide(source, item, seen, ordered, counts=counts)
        return await self._put(connection, row, decision, ordered if counts else None)

    async def _keep_again(
        self,
        connection: AsyncConnection,
        source: str,
        kind: str,
        item: Item,
        seen: Seen,
        again: IncomingRow,
    ) -> Kept:
        """Judge a message anew where another source brings it that may do more with it than the first one."""
        told = Kept(again, repeated=True, touched=[])
        if again.source == source or not _is_undecided(again):
            return told
        if await incoming.brought_by(connection, again.id, source):
            return told
        row = replace(again, source=source, kind=kind, signature=seen.signature)
        ordered, counts = await order_around(connection, row, self._origins, hold=True)
        decision = self._decide(source, item, seen, ordered, counts=counts)
        if decision.todo is None and (again.state, decision.state) != ("held", "inbox"):
            return told
        changed = {"source": source, "kind": kind, "signature": seen.signature}
        if not await incoming.change_if(connection, again, **changed):
            return told
        kept = await self._put(connection, row, decision, ordered if counts else None)
        return kept._replace(repeated=True)

    async def _put(
        self, connection: AsyncConnection, row: IncomingRow, decision: Decision, ordered: Order | None
    ) -> Kept:
        """Write down what becomes of a message and, where its word counts, of those it is tied to."""
        now = self._clock.now()
        row = replace(row, state=decision.state, reason=decision.reason, todo=decision.todo)
        await incoming.change(
            connection, row.id, state=row.state, reason=row.reason, todo=row.todo, changed_at=now
        )
        if decision.alarm:
            await self._sound(connection, row, decision)
        touched = [] if ordered is None else await keep_order(connection, row, ordered, now)
        return Kept(row, repeated=False, touched=touched)

    def _decide(self, source: str, item: Item, seen: Seen, ordered: Order, *, counts: bool) -> Decision:
        key, rule = item.alert.key, self._origins.rule(source)
        return judge(
            Case(
                alert=item.alert,
                rule=rule,
                official=self._origins.official(source),
                now=self._clock.now(),
                hazards=self._desk.office.hazards,
                place=seen.place,
                in_force=item.in_force,
                signature=seen.signature,
                policy=self._origins.signature_policy(source),
                findings=seen.findings,
                superseded=ordered.is_over(key),
                differs=ordered.is_held(key),
                refused=bool(ordered.refused(key)),
                counts=counts,
                follows_drill=rule.action == "release"
                and any(drill_words(one.alert) for one in ordered.replaced(key)),
            )
        )

    def _findings(self, source: str, item: Item) -> tuple[Finding, ...]:
        known = Source(may_supersede=self._origins.speaks_for(source))
        linted = lint(item.alert, now=self._clock.now(), source=known, hazards=self._desk.office.hazards)
        found = merged(list(item.findings), linted)
        return tuple(one for one in found if not (item.event_key and one.code in _WITHOUT_REFERENCES))

    def _columns(self, source: str, kind: str, item: Item, seen: Seen) -> dict[str, object]:
        alert, now = item.alert, self._clock.now()
        first = next(iter(alert.infos), None)
        return {
            "source": source,
            "kind": kind,
            "sender": alert.sender,
            "identifier": alert.identifier,
            "sent": alert.key.sent,
            "event_key": item.event_key,
            "status": alert.status,
            "msg_type": alert.msg_type,
            "scope": alert.scope,
            "event": first.event if first else "",
            "severity": first.severity if first else "Unknown",
            "expires": alert.expires,
            "content": alert.model_dump(mode="json"),
            "original": item.original,
            "is_cap": item.is_cap,
            "digest": hashlib.sha256(item.original).hexdigest(),
            "signature": seen.signature,
            "hazard": hazard_key(alert, self._desk.office.hazards),
            "regions": list(seen.place.codes),
            "agreeing": list(item.agreeing),
            "state": "inbox",
            "findings": [f"{one.path}: {one.message}" for one in seen.findings][:MOST_FINDINGS],
            "received_at": now,
            "changed_at": now,
        }

    async def _sound(self, connection: AsyncConnection, row: IncomingRow, decision: Decision) -> None:
        sentence = f"{row.source} sent {row.sender},{row.identifier}: {decision.reason}"
        await alarms.sound(connection, f"incoming {row.id}", decision.alarm, sentence, self._clock.now())
        log.warning("incoming alert needs a person", incoming=row.id, source=row.source, code=decision.alarm)


def _is_undecided(row: IncomingRow) -> bool:
    """Whether nothing was made of a message, nor is about to be; a Cancel is stored when it is done."""
    done = row.msg_type == MsgType.CANCEL and row.state == "stored"
    return row.todo is None and row.state in UNDECIDED and not done


def meaning_of(alert: Alert) -> str:
    """Return the SHA-256 of what a message says; a copy that only spells it otherwise says the same."""
    return hashlib.sha256(canonical(alert.model_dump(mode="json", exclude={"signatures"}))).hexdigest()


def _references(alert: Alert) -> Iterator[tuple[str, str, datetime | None]]:
    """Yield (sender, identifier, sent) of what the message names; a bare number is of its own sender."""
    for reference in alert.references:
        yield reference.sender, reference.identifier, reference.key.sent
    for bare in alert.malformed_references:
        yield alert.sender, bare, None


def _key_text(alert: Alert) -> str:
    return f"{alert.sender},{alert.identifier},{alert.sent.isoformat()}"
