"""Responsible persons of the demo: most tap the link in their SMS, some late, some never."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from channels.base import Simulator

LINK = re.compile(r"https?://\S+?/c/[0-9A-Za-z]+")
WILLING = 0.88
LOOK_SECONDS = 0.25
SLOWEST_TAP = 9.0
TAPS_AT_ONCE = 20


class Townsfolk:
    """Reads what arrived on the phones and taps."""

    def __init__(self, phones: Simulator, seed: int = 1) -> None:
        """``phones`` is the played SMSC, whose ledger is what the phones show."""
        self._phones = phones
        self._chance = random.Random(seed)  # noqa: S311 - a play needs no secrets
        self._read = 0
        self._taps: set[asyncio.Task[None]] = set()
        self._hands = asyncio.Semaphore(TAPS_AT_ONCE)

    async def run(self) -> None:
        """Tap until cancelled."""
        async with aiohttp.ClientSession() as session:
            try:
                while True:
                    self._look(session)
                    await asyncio.sleep(LOOK_SECONDS)
            finally:
                for tap in self._taps:
                    tap.cancel()
                await asyncio.gather(*self._taps, return_exceptions=True)

    def _look(self, session: aiohttp.ClientSession) -> None:
        arrived = self._phones.ledger[self._read :]
        self._read += len(arrived)
        for entry in arrived:
            link = LINK.search(entry.text)
            if link and self._chance.random() < WILLING:
                wait = self._chance.triangular(0.5, SLOWEST_TAP, 2.0)
                tap = asyncio.create_task(self._tap(session, link[0], wait))
                self._taps.add(tap)
                tap.add_done_callback(self._taps.discard)

    async def _tap(self, session: aiohttp.ClientSession, link: str, wait: float) -> None:
        await asyncio.sleep(wait)
        # Where no page opens, this person gives up, as people do.
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with self._hands, session.post(link) as answer:
                await answer.read()
