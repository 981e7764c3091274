"""One batch, from its lease to its end.

Deliveries leave in slices no larger than the channel's window. Each slice is claimed by a
compare-and-set that is committed before its bytes leave, and a worker never has more than two
windows claimed whose outcomes are not yet durable: that is all that can be in doubt when it dies.
What was claimed and still waits in the channel passes a :class:`Gate` just before it is written.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import structlog

from channels.base import HOLE, Accepted, Message, Rejected, Retry, Throttled, Unknown
from gateway.clock import SYSTEM
from gateway.receipts.ledger import Attempt
from gateway.store import dispatch as store
from gateway.store.database import AWAY, heed
from gateway.store.dispatch import Claimed, May

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime

    from channels.base import Channel, Content, Outcome, Prepared
    from gateway.clock import Clock
    from gateway.dispatch.limits import RateLimit
    from gateway.receipts.ledger import Ledger
    from gateway.store.database import Database
    from gateway.store.dispatch import Lease, Row

log = structlog.get_logger(__name__)

SHORTEST_PAUSE = 0.2
LOOK_SECONDS = 0.5
"""How often a run looks whether its release may still be sent."""
FRESH_SECONDS = 1.5
"""How old the last look may be when a message is written: under the 2 s that a Cancel, or a route that is
turned off, may take."""
MERCY_SECONDS = 0.8
"""How long after a stop an answer is awaited to what was written before it."""
COPIES = 2
"""Most copies of one message that may ever reach a person; the database holds it too."""


class Spoken(NamedTuple):
    """One text of a release, ready for the channel."""

    prepared: Prepared
    personal: bool
    """Whether the text has a hole for the person's own confirm link."""


class Route(NamedTuple):
    """Everything a batch is sent with: one channel under one set of credentials."""

    channel: Channel
    limit: RateLimit
    window: int
    doubt: Doubt
    database: Database
    ledger: Ledger
    confirm_link: Callable[[int], str]
    worker: str
    lease_seconds: float
    longest_pause: float
    clock: Clock = SYSTEM


class Doubt:
    """Deliveries of this worker that are claimed and whose outcome is not durable yet."""

    def __init__(self, limit: int, hurry: Callable[[], None]) -> None:
        """At most ``limit``; ``hurry`` asks the ledger to write because somebody waits."""
        self.limit = limit
        self.count = 0
        self._hurry = hurry
        self._changed = asyncio.Event()

    async def room(self, wanted: int) -> None:
        """Wait until ``wanted`` more fit, then count them in."""
        while self.count and self.count + wanted > self.limit:
            self._changed.clear()
            self._hurry()
            await self._changed.wait()
        self.count += wanted

    def less(self, settled: int) -> None:
        """So many are durable, or were never claimed."""
        self.count -= settled
        self._changed.set()


class Gate:
    """Whether a message may leave at this moment: asked by the channel just before it is written.

    Open only while the database has been seen, moments ago, to hold this lease on a release that
    may be sent, so that a worker that was frozen or cut off, or is merely slow, sends nothing of a
    warning that was cancelled, has expired, or is in another's hands meanwhile.
    """

    def __init__(self) -> None:
        """Begin shut."""
        self._now = asyncio.get_running_loop().time
        self._until = 0.0
        self._ends = float("inf")
        self._shut = False

    def __call__(self) -> bool:
        """Return whether a message may leave."""
        return not self._shut and self._now() < min(self._until, self._ends)

    def seen(self, asked: float) -> None:
        """The database, asked at that moment of the loop's clock, said that the release may be sent."""
        self._until = max(self._until, asked + FRESH_SECONDS)

    def expires(self, ends: float) -> None:
        """The warning ends at that moment of the loop's clock."""
        self._ends = ends

    def shut(self) -> None:
        """Nothing more leaves: the release is stopped or over, or the lease is lost."""
        self._shut = True


class Run:
    """The sending of one leased batch."""

    def __init__(self, route: Route, lease: Lease) -> None:
        """Begin with nothing sent."""
        self.route = route
        self.lease = lease
        self.gate = Gate()
        self.stopped = False
        """Set when nothing more may be claimed: the lease is lost or the worker is told to stop."""
        self.delay = 0.0
        """Seconds after which what is left should be tried again."""
        self.unsure: list[int] = []
        """Deliveries whose claim was not answered: they never left, but may be marked as if they had."""
        self._claimed: dict[int, Claimed] = {}
        self._open = 0
        self._over = False
        self._settled = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()

    async def send(self, rows: Sequence[Row], texts: dict[str, Spoken]) -> None:
        """Send every row once; returns when each outcome is durable."""
        try:
            async with asyncio.TaskGroup() as group:
                for key, some in by_text(rows).items():
                    spoken = texts.get(key)
                    if spoken is None:
                        self._refuse(some, "no text")
                        continue
                    await self._send_text(group, spoken, some)
            while self._open:
                self._settled.clear()
                self.route.ledger.hurry()
                await self._settled.wait()
        finally:
            # Where something failed, other batches must not wait for outcomes that never come;
            # the reconciler judges them when the lease is over.
            self._over = True
            self.route.doubt.less(self._open)

    def withdraw(self) -> None:
        """Take back what waits in the channel: the release is stopped or expired, or the lease is lost.

        What was withdrawn counts as unknown, because some of it may be on its way; an answer that
        still comes is recorded and replaces that.
        """
        self.stop()
        for sending in self._sending:
            sending.cancel()

    def stop(self) -> None:
        """Claim nothing more, and let nothing leave that was claimed and still waits."""
        self.stopped = True
        self.gate.shut()

    async def _send_text(self, group: asyncio.TaskGroup, spoken: Spoken, rows: Sequence[Row]) -> None:
        size = min(self.route.window, self.route.limit.largest(spoken.prepared.parts))
        for start in range(0, len(rows), size):
            if self.stopped:
                return
            some = rows[start : start + size]
            await self.route.limit.take(len(some) * spoken.prepared.parts)
            await self.route.doubt.room(len(some))
            if self.stopped:
                self.route.doubt.less(len(some))
                return
            claimed = await self._claim(some)
            if claimed:
                group.create_task(self._hand_over(spoken, claimed))

    async def _claim(self, rows: Sequence[Row]) -> list[Row]:
        ids = [row.id for row in rows]
        claimed: dict[int, Claimed] = {}
        asked = asyncio.get_running_loop().time()
        try:
            async with self.route.database.raw() as connection:
                claimed = await store.claim(connection, self.lease, ids, self.route.lease_seconds)
        except AWAY as error:
            self.unsure += ids
            log.warning("claim failed", batch=self.lease.batch, error=type(error).__name__)
        finally:
            self.route.doubt.less(len(rows) - len(claimed))
        if claimed:
            at = next(iter(claimed.values())).at
            self.gate.expires(asked + (self.lease.expires - at).total_seconds())
            self.gate.seen(asked)
        self.stopped = self.stopped or not claimed
        self._claimed.update(claimed)
        self._open += len(claimed)
        return [row for row in rows if row.id in claimed]

    async def _hand_over(self, spoken: Spoken, rows: Sequence[Row]) -> None:
        link = self.route.confirm_link if spoken.personal else None
        messages = [Message(row.id, row.address, link(row.id) if link else "") for row in rows]
        waiting = {row.id for row in rows}

        def report(outcomes: Sequence[tuple[int, Outcome]]) -> None:
            told = dict(outcomes)
            first = [pair for pair in told.items() if pair[0] in waiting]
            late = [pair for pair in told.items() if pair[0] not in waiting]
            waiting.difference_update(told)
            if first:
                self.report(first)
            if late:
                self._record_late(late)

        sending = asyncio.ensure_future(self.route.channel.send(spoken.prepared, messages, report, self.gate))
        self._sending.add(sending)
        try:
            await sending
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            log.warning("messages withdrawn", batch=self.lease.batch, count=len(waiting))
        except Exception:
            log.exception("channel failed", channel=self.lease.channel, batch=self.lease.batch)
        finally:
            self._sending.discard(sending)
        if waiting:
            report([(delivery, Unknown("no outcome")) for delivery in waiting])

    def report(self, outcomes: Sequence[tuple[int, Outcome]]) -> None:
        """Put outcomes into the ledger and note how long a next run must wait."""
        now = self.route.clock.now()
        attempts = [self._attempt(delivery, outcome, now) for delivery, outcome in outcomes]
        throttles = [outcome.after for _, outcome in outcomes if type(outcome) is Throttled]
        if throttles:
            self.delay = max(self.delay, min(self.route.longest_pause, max(throttles)))
            if not self.route.channel.capabilities.limits_by_address:
                self.route.limit.pace.throttled(max(throttles))
        else:
            self.route.limit.pace.went_well()
        self._record(attempts)

    def _attempt(self, delivery: int, outcome: Outcome, now: datetime) -> Attempt:
        lease = self.lease
        tries, copies, at = self._claimed[delivery]
        if type(outcome) is Retry:
            self.delay = max(self.delay, backoff(outcome.after, tries, self.route.longest_pause))
        again = lease.resend_unknown and copies < COPIES
        return Attempt(delivery, lease.channel, tries, lease.batch, lease.token, at, now, outcome, again)

    def _record(self, attempts: Sequence[Attempt]) -> None:
        count = len(attempts)

        def durable() -> None:
            if self._over:
                return
            self._open -= count
            self.route.doubt.less(count)
            self._settled.set()

        self.route.ledger.record(attempts, durable)

    def _record_late(self, outcomes: Sequence[tuple[int, Outcome]]) -> None:
        """Record a second word on deliveries of this batch: the answer to a message that was withdrawn."""
        now = self.route.clock.now()
        known = [pair for pair in outcomes if pair[0] in self._claimed and type(pair[1]) is Accepted]
        self.route.ledger.record([self._attempt(*pair, now) for pair in known], lambda: None)

    def _refuse(self, rows: Sequence[Row], code: str) -> None:
        """Close rows that have no text to send; they never left, so no claim is needed."""
        log.error("deliveries refused by us", channel=self.lease.channel, code=code, count=len(rows))
        now = self.route.clock.now()
        self._claimed.update({row.id: Claimed(0, 0, now) for row in rows})
        self._open += len(rows)
        self.route.doubt.count += len(rows)
        self._record([self._attempt(row.id, Rejected(code), now) for row in rows])


def by_text(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Group rows by the text they get, in order."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.text_key, []).append(row)
    return groups


def backoff(after: float, tries: int, longest: float) -> float:
    """Return the seconds before another try: the provider's wish, doubled with each try."""
    return float(min(longest, max(after, SHORTEST_PAUSE) * 2 ** min(16, max(0, tries - 1))))


def speak(channel: Channel, content: Content) -> Spoken:
    """Encode a text for the channel, once for all who get it."""
    return Spoken(channel.prepare(content), HOLE in content.text)


@asynccontextmanager
async def kept(run: Run) -> AsyncIterator[None]:
    """Renew the lease while the body runs, and withdraw the run's messages once they must not leave.

    Where people turned the route off, what was written keeps its time to be answered: it is sent again
    later, so an answer that was not awaited would be a second copy.
    """
    task = asyncio.create_task(_keep(run))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _keep(run: Run) -> None:
    seconds, lease, loop = run.route.lease_seconds, run.lease, asyncio.get_running_loop()
    until = loop.time() + seconds
    may: May | None = May.SEND
    withdrawn = False
    while may is not None and loop.time() < until:
        await asyncio.sleep(min(LOOK_SECONDS, seconds / 3))
        asked = loop.time()
        with suppress(*AWAY):
            async with asyncio.timeout_at(until), run.route.database.raw() as connection:
                may = await store.renew(connection, lease, seconds)
            until = asked + seconds
            if may is May.SEND:
                run.gate.seen(asked)
        heed()
        if may in {May.PAUSE, May.END}:
            run.stop()
        if may is May.END and not withdrawn:
            withdrawn = True
            await asyncio.sleep(MERCY_SECONDS)
            run.withdraw()
    log.warning("lease lost", batch=lease.batch, token=lease.token)
    run.withdraw()
