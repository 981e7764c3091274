"""The recorder: facts of the send path, written in groups, durable before they are acknowledged.

A process has one :class:`Ledger`. Workers hand it attempts and receipts as they happen; it
writes everything that has gathered within ``interval`` in one transaction (COPY to the
append-only tables, then one projection of the merged facts) and only then tells the senders.
While the database is away facts stay in memory, nothing is acknowledged, and the senders' own
windows hold the rest back.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

import structlog
import tenacity

from channels.base import Accepted, Proof, Rejected, Retry, Throttled, Unknown, plain_text
from gateway.clock import SYSTEM
from gateway.receipts.matching import Known, Told, match, storable
from gateway.store import ledger as store
from gateway.store.database import REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    import asyncpg

    from channels.base import Outcome, Report, Sink
    from gateway.clock import Clock
    from gateway.receipts.matching import Matched
    from gateway.store.database import Database

T = TypeVar("T")

log = structlog.get_logger(__name__)

LARGEST_FLUSH = 20_000
"""Attempts that one transaction takes; bounds its time and memory."""

MOST_WAITING = 100_000
"""Reports kept while the database is away; more are not taken and, unacknowledged, will be told again."""

OUTCOMES: dict[type, str] = {
    Accepted: "accepted",
    Rejected: "rejected",
    Retry: "retry",
    Throttled: "throttled",
    Unknown: "unknown",
}
"""How ``attempts.outcome`` names each outcome."""


class Attempt(NamedTuple):
    """One outcome of one delivery, with the lease under which it was sent."""

    delivery: int
    channel: str
    try_: int
    batch: int
    token: int
    submitted_at: datetime
    answered_at: datetime
    outcome: Outcome
    again: bool
    """Whether the delivery may be sent once more although a copy may have arrived."""


class _Attempts(NamedTuple):
    attempts: Sequence[Attempt]
    durable: Callable[[], None]


class _Reports(NamedTuple):
    told: Sequence[Told]
    durable: Callable[[], None]


class Ledger:
    """Group commit for attempts and receipts; an async context manager on one loop."""

    def __init__(self, database: Database, *, interval: float = 0.01, clock: Clock = SYSTEM) -> None:
        """``interval`` is the longest time in seconds that a fact waits for its transaction."""
        self._database = database
        self._clock = clock
        self._interval = interval
        self._attempts: list[_Attempts] = []
        self._reports: list[_Reports] = []
        self._waiting = 0
        self._known = Known()
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._closing = False

    async def __aenter__(self) -> Self:
        """Start the writer."""
        self._task = asyncio.create_task(self._write(), name="ledger")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write what has gathered and stop."""
        self._closing = True
        self._wake.set()
        self._hurry.set()
        await self._task

    def record(self, attempts: Sequence[Attempt], durable: Callable[[], None]) -> None:
        """Take outcomes; ``durable`` is called on this loop once they are written."""
        self._attempts.append(_Attempts(attempts, durable))
        self._wake.set()

    def sink(self, channel: str, source: str = "provider", mode: str = "live") -> Sink:
        """Return where a route puts its reports; ``source`` is provider, device or person."""

        def take(reports: Sequence[Report], acknowledge: Callable[[], None]) -> None:
            if self._waiting > MOST_WAITING:
                log.warning("reports are left to be told again: too many wait", channel=channel)
                return
            self._waiting += len(reports)
            now = self._clock.now()
            self._reports.append(
                _Reports([Told(channel, source, now, storable(one), mode) for one in reports], acknowledge)
            )
            self._wake.set()

        return take

    def hurry(self) -> None:
        """Write at once what has gathered: somebody waits for it."""
        self._hurry.set()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            if not self._closing:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._hurry.wait(), self._interval)
            self._wake.clear()
            self._hurry.clear()
            attempts, reports = self._take()
            await self._flush(attempts, reports)
            if self._attempts or self._reports:
                self._wake.set()
            elif self._closing:
                return

    def _take(self) -> tuple[list[_Attempts], list[_Reports]]:
        taken, rows = 0, 0
        while taken < len(self._attempts) and rows < LARGEST_FLUSH:
            rows += len(self._attempts[taken].attempts)
            taken += 1
        attempts, self._attempts = self._attempts[:taken], self._attempts[taken:]
        if self._attempts:  # a receipt of a message in parts is judged by what its attempt says
            return attempts, []
        reports, self._reports = self._reports, []
        self._waiting = 0
        return attempts, reports

    async def _flush(self, attempts: list[_Attempts], reports: list[_Reports]) -> None:
        made = [attempt for group in attempts for attempt in group.attempts]
        # Only now: a receipt that is written before its attempt would be judged without it, and never again.
        self._known.remember(made)
        told = [one for group in reports for one in group.told]
        await self._store(made, told)
        for durable in [group.durable for group in attempts] + [group.durable for group in reports]:
            try:
                durable()
            except Exception:
                # One sender that cannot be told must not end the writer, which all others wait for.
                log.exception("a sender could not be told that its facts are durable")

    async def _store(self, made: Sequence[Attempt], told: Sequence[Told]) -> None:
        """Commit all; one fact that PostgreSQL cannot store is found by halves and holds up no other."""
        if not made and not told:
            return
        try:
            await self._commit_surely(made, told)
        except REFUSED as error:
            if len(made) + len(told) == 1:
                log.exception("fact cannot be stored and is dropped", error=type(error).__name__, alarm=True)
                return
            for some in _halves(made):
                await self._store(some, [])
            for others in _halves(told):
                await self._store([], others)

    async def _commit_surely(self, made: Sequence[Attempt], told: Sequence[Told]) -> None:
        """Commit; while the database is away, or for whatever else but the facts' own fault, try again."""
        async for trial in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_not_exception_type(REFUSED),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=5),
            before_sleep=_tell,
            reraise=True,
        ):
            with trial:
                await self._commit(made, told)

    async def _commit(self, made: Sequence[Attempt], told: Sequence[Told]) -> None:
        async with self._database.raw() as connection, connection.transaction():
            facts = Facts()
            rows = [row for attempt in made for row in facts.attempt(attempt)]
            found = await match(connection, told, self._known)
            await store.append(connection, rows, found.rows(), found.parked)
            await prove(connection, found.matched, facts)
            await store.project(connection, facts.merged.values())


def _halves(facts: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    half = (len(facts) + 1) // 2
    return facts[:half], facts[half:]


def _tell(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("ledger waits for the database", error=type(error).__name__, tries=state.attempt_number)


class Facts:
    """The facts of one flush, merged for each delivery."""

    def __init__(self) -> None:
        """Begin with none."""
        self.merged: dict[int, store.Fact] = {}

    def add(self, fact: store.Fact) -> None:
        """Merge a fact: the higher state wins, refunds add up, the earlier time stays."""
        before = self.merged.get(fact.delivery)
        if before:
            fact = store.Fact(
                fact.delivery,
                max(before.state, fact.state),
                before.refund + fact.refund,
                max(before.parts, fact.parts),
                before.delivered_at or fact.delivered_at,
                before.confirmed_at or fact.confirmed_at,
                max(before.token, fact.token),
            )
        self.merged[fact.delivery] = fact

    def attempt(self, attempt: Attempt) -> list[tuple[Any, ...]]:
        """Merge what an attempt proves and return its ledger rows, one for each part."""
        outcome = attempt.outcome
        refs: Sequence[str] = ("",)
        code = ""
        if isinstance(outcome, Accepted):
            refs = [plain_text(ref) for ref in outcome.refs] or refs
            self.add(store.Fact(attempt.delivery, Proof.ACCEPTED, 0, len(refs), None, None))
        else:
            code = plain_text(outcome.code)
            self.add(_refused(attempt))
        name = OUTCOMES[type(outcome)]
        delivery, channel, try_, batch, token, submitted_at, answered_at, *_ = attempt
        return [
            (delivery, channel, try_, part, batch, token, name, ref, code, submitted_at, answered_at)
            for part, ref in enumerate(refs, 1)
        ]


def _refused(attempt: Attempt) -> store.Fact:
    if isinstance(attempt.outcome, Rejected):
        state, refund = Proof.REJECTED, 1
    elif isinstance(attempt.outcome, Unknown):
        state, refund = (Proof.PLANNED if attempt.again else Proof.UNKNOWN), 0
    else:
        state, refund = Proof.PLANNED, 1
    return store.Fact(attempt.delivery, state, refund, 1, None, None, attempt.token)


async def prove(connection: asyncpg.Connection, matched: Sequence[Matched], facts: Facts) -> None:
    """Merge what receipts prove; a message of several parts is delivered only when each part is."""
    several = {
        one.delivery
        for one in matched
        if one.parts > 1 and one.told.source == "provider" and one.state >= Proof.DELIVERED
    }
    incomplete = several
    if several:
        # All that this transaction changes is held at once: two of them must not wait for each other.
        await store.hold(connection, list(facts.merged.keys() | {one.delivery for one in matched}))
        incomplete = several - await store.whole(connection, list(several))
    for one in matched:
        if one.state >= Proof.DELIVERED and one.delivery in incomplete and one.told.source == "provider":
            continue
        reached = one.told.received_at if one.state >= Proof.DELIVERED else None
        confirmed = reached if one.state == Proof.CONFIRMED else None
        facts.add(store.Fact(one.delivery, one.state, 0, 1, reached, confirmed))
