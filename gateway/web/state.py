"""What the handlers share, and the one way to hand a report to the ledger and wait for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import tzinfo

    from redis.asyncio import Redis

    from channels.base import Report, Sink
    from gateway.clock import Clock
    from gateway.store.database import Database

    Sinks: TypeAlias = Callable[[str, str, str], Sink]
    """Gives the sink of (channel, source, mode), as :meth:`gateway.receipts.ledger.Ledger.sink` does."""

DURABLE_WITHIN = 5.0
"""Seconds that a sender waits to hear that its report is durable."""


class Keys(NamedTuple):
    """Every live key, the newest first."""

    confirm: tuple[bytes, ...]
    callbacks: Mapping[str, tuple[bytes, ...]]
    """By channel, ``channel.drill`` for its drills; one without a key takes no callbacks."""


class State(NamedTuple):
    """What :func:`gateway.web.app.make_app` was given."""

    keys: Keys
    database: Database
    redis: Redis
    sink: Sinks
    clock: Clock
    zone: tzinfo
    durable_within: float


STATE = web.AppKey("state", State)


class NotDurable(Exception):
    """The ledger did not say in time that the reports are durable; their sender should come again."""


async def record(sink: Sink, reports: Sequence[Report], within: float) -> None:
    """Return once the reports are durable.

    Raises:
        NotDurable: after ``within`` seconds. They may become durable later; twice does no harm.
    """
    durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def acknowledge() -> None:
        if not durable.done():
            durable.set_result(None)

    sink(reports, acknowledge)
    try:
        await asyncio.wait_for(durable, within)
    except TimeoutError:
        raise NotDurable from None
