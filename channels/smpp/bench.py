"""How fast the session alone is: no database, no queue, every receipt acknowledged."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from channels.base import Accepted, Content, Message, Receipt
from channels.smpp.adapter import SmppChannel
from channels.smpp.settings import SmppSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from channels.base import Outcome, Report

SLICE = 5_000
UNDER_WAY = 2
"""Sends at a time, so that the window never runs dry between two of them."""


class _Tally:
    """Counts accepted messages and receipts, and tells when both are complete."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.accepted = self.receipts = 0
        self.refused = 0
        self.done = asyncio.get_running_loop().create_future()

    def report(self, results: Sequence[tuple[int, Outcome]]) -> None:
        accepted = sum(type(outcome) is Accepted for _, outcome in results)
        self.accepted += accepted
        self.refused += len(results) - accepted
        self._check()

    def sink(self, reports: Sequence[Report], acknowledge: Callable[[], None]) -> None:
        self.receipts += sum(type(report) is Receipt for report in reports)
        acknowledge()
        self._check()

    def _check(self) -> None:
        complete = self.accepted == self.count and self.receipts >= self.count
        if (complete or self.refused) and not self.done.done():
            self.done.set_result(None)


async def bare_loop(settings: dict[str, Any], count: int) -> float:
    """Return messages a second over one SMPP route, from the first write to the last receipt.

    Args:
        settings: the route, as ``SmppSimulator.settings()`` gives it, with its window.
        count: how many one-part UCS-2 messages to send.

    Raises:
        RuntimeError: a message was not accepted, so that the figure would mean nothing.
    """
    tally = _Tally(count)
    channel = SmppChannel(SmppSettings(**settings), tally.sink)
    await channel.open()
    try:
        prepared = channel.prepare(_content())
        messages = [Message(n, f"86199{n % 100_000_000:08d}") for n in range(count)]
        slices = iter([messages[n : n + SLICE] for n in range(0, count, SLICE)])

        async def send() -> None:
            for some in slices:
                await channel.send(prepared, some, tally.report)

        start = time.perf_counter()
        await asyncio.gather(*(send() for _ in range(UNDER_WAY)))
        await tally.done
        elapsed = time.perf_counter() - start
    finally:
        await channel.close()
    if tally.refused:
        raise RuntimeError(f"{tally.refused} of {count} messages were not accepted")
    return count / elapsed


def _content() -> Content:
    sent = datetime.now(UTC)
    return Content(
        release="bench",
        language="zh-CN",
        subject="演练",
        text="【演练】桐山县气象台发布暴雨橙色预警，请注意防范。",
        level="orange",
        event="暴雨",
        sender="桐山县气象台",
        sent=sent,
        expires=sent + timedelta(hours=1),
        drill=True,
    )
