"""What a process that died had begun with a message is done by whoever lives: the reader, the reconciler."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from gateway.store.database import AWAY, heed
from gateway.store.faults import DATABASE_FAULTS

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.feeds.intake import Intake

log = structlog.get_logger(__name__)

EVERY = 30.0
"""Seconds between two looks."""
LEFT_UNDONE = timedelta(seconds=60)
"""What was begun longer ago than this counts as left; if it is still being done, nothing is done twice."""


async def keep_settling(intake: Intake, clock: Clock, every: float = EVERY) -> None:
    """Do what was left undone with messages, for as long as the process lives; outlives the database."""
    while True:
        heed()
        try:
            await intake.settle(clock.now() - LEFT_UNDONE)
        except (*DATABASE_FAULTS, *AWAY) as error:
            log.warning("intake waits for the database", error=type(error).__name__)
        except Exception:
            log.exception("intake failed", alarm=True)
        await asyncio.sleep(every)
