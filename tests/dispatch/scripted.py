"""A release planned straight into the tables, and an engine's parts around a channel that tests script."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from channels.base import Accepted, Capabilities, Channel, Content, Prepared, Proof, always
from gateway.dispatch.run import Doubt, Route
from gateway.receipts.ledger import Ledger
from gateway.store.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from channels.base import Message, Outcome, Reporter

TABLES = """
INSERT INTO people (login, name, roles) VALUES ('invented', '虚构', '{author}');
INSERT INTO warnings (hazard, created_by) VALUES ('rainstorm', 'invented');
INSERT INTO target_lists (digest, count, area) VALUES ('invented', 1, '{}');
"""


class Planned(NamedTuple):
    """One release with one batch."""

    release: int
    batch: int
    deliveries: list[int]


class Text(Prepared):
    def preview(self, fill: str = "") -> str:
        return "invented"


class Fake(Channel):
    """A channel whose outcomes a test gives; keeps what it was handed."""

    capabilities = Capabilities(
        addresses="invented",
        highest=Proof.ACCEPTED,
        receipts=False,
        links=False,
        retry_safe=False,
        text_limit=0,
        text_unit="",
    )

    def __init__(
        self, outcome: Callable[[int], Outcome] = lambda delivery: Accepted((f"r{delivery}",))
    ) -> None:
        self.outcome = outcome
        self.sent: list[int] = []

    @staticmethod
    def check_address(address: str) -> str:
        return address

    def prepare(self, content: Content) -> Prepared:
        return Text()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def send(
        self,
        prepared: Prepared,
        messages: Sequence[Message],
        report: Reporter,
        may_leave: Callable[[], bool] = always,
    ) -> None:
        self.sent += [message.delivery for message in messages]
        report([(message.delivery, self.outcome(message.delivery)) for message in messages])


class Unlimited:
    """A contract without limit."""

    class Pace:
        def throttled(self, after: float) -> None: ...

        def went_well(self) -> None: ...

    pace = Pace()

    def largest(self, parts: int) -> int:
        return 1_000

    async def take(self, parts: int) -> None:
        await asyncio.sleep(0)


@asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[tuple[Database, Ledger]]:
    async with Database(database_url) as database:
        async with database.raw() as connection:
            await connection.execute(TABLES)
        async with Ledger(database) as ledger:
            yield database, ledger


async def plan(
    database: Database,
    count: int = 4,
    *,
    channel: str = "sms",
    mode: str = "live",
    lane: str = "urgent",
    resend: bool = True,
    expires: timedelta = timedelta(hours=1),
) -> Planned:
    """Insert a release of one batch."""
    async with database.raw() as connection, connection.transaction():
        alert = await connection.fetchval(
            "INSERT INTO alerts (warning_id, sender, identifier, sent, status, msg_type, scope, hazard,"
            " level, mode, state, author, content, expires) VALUES (1, 'desk@example.org',"
            " gen_random_uuid()::text, now(), 'Actual', 'Alert', 'Public', 'rainstorm', 'red', $1,"
            " 'released', 'invented', '{}', now() + interval '1 hour') RETURNING id",
            mode,
        )
        release = await connection.fetchval(
            "INSERT INTO releases (reference, alert_id, warning_id, mode, lane, digest, target_list_id,"
            " texts, resend_unknown, expires, released_by) VALUES (gen_random_uuid()::text, $1, 1, $2, $3,"
            " 'x', 1, '{}', $4, $5, 'invented') RETURNING id",
            alert, mode, lane, resend, datetime.now(UTC) + expires,
        )  # fmt: skip
        batch = await connection.fetchval(
            "INSERT INTO batches (release_id, channel, ordinal) VALUES ($1, $2, 0) RETURNING id",
            release,
            channel,
        )
        rows = await connection.fetch(
            "INSERT INTO deliveries (release_id, target_id, batch_id, channel, region, address, text_key)"
            " SELECT $1, n, $2, $3, '999901101000', '86199' || lpad(n::text, 8, '0'), 'zh-CN'"
            " FROM generate_series(1, $4) AS n RETURNING id",
            release, batch, channel, count,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO counters VALUES ($1, $2, '999901101000', 0, $3)", release, channel, count
        )
    return Planned(release, batch, sorted(row[0] for row in rows))


def route(database: Database, ledger: Ledger, channel: Channel, *, window: int = 4, **changes: Any) -> Route:
    made = Route(
        channel=channel,
        limit=Unlimited(),  # type: ignore[arg-type]
        window=window,
        doubt=Doubt(2 * window, ledger.hurry),
        database=database,
        ledger=ledger,
        confirm_link=str,
        worker="invented",
        lease_seconds=8.0,
        longest_pause=300.0,
    )
    return made._replace(**changes)


async def states(database: Database, planned: Planned) -> list[int]:
    async with database.raw() as connection:
        rows = await connection.fetch(
            "SELECT state FROM deliveries WHERE release_id = $1 ORDER BY id", planned.release
        )
    return [row[0] for row in rows]
