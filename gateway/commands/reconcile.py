"""``tongda reconcile``: the relay and the reconciler; run as many as you like."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from gateway.alerts.hazards import HazardsRefused
from gateway.clock import SYSTEM
from gateway.commands.common import log_as_set, run_until_told, serving, told
from gateway.desk.office import open_office
from gateway.desk.policy import PolicyError
from gateway.desk.render import TemplateError
from gateway.desk.service import Desk
from gateway.dispatch.reconciler import Reconciler
from gateway.feeds.health import keep_watch
from gateway.feeds.intake import Intake
from gateway.feeds.settling import keep_settling
from gateway.store.database import AWAY, Database, heed
from gateway.store.faults import DATABASE_FAULTS

if TYPE_CHECKING:
    from gateway.settings import Settings

log = structlog.get_logger(__name__)


def reconcile() -> None:
    """Relay and sweep until SIGTERM."""
    with told(PolicyError, HazardsRefused, TemplateError), serving() as settings:
        log_as_set(settings)
        asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    async with Database(str(settings.database_url)) as database:
        reconciler = Reconciler(database, str(settings.redis_url), every=settings.dispatch.reconcile_seconds)
        desk = Desk(database, SYSTEM, open_office(settings))
        every = settings.dispatch.reconcile_seconds
        work = [reconciler.run(), _expire(desk, every), _ask_further(desk, every)]
        if settings.sources:  # their alarms must be raised although no reader lives
            work.append(keep_watch(database, settings, SYSTEM))
        if settings.sources or settings.partners:  # partners push to the web, where no reader need be
            work.append(keep_settling(Intake(database, SYSTEM, desk, settings), SYSTEM))
        await run_until_told(*work)


async def _ask_further(desk: Desk, every: float) -> None:
    """Ask the next approver where one is silent, for as long as the process lives."""
    while True:
        heed()
        try:
            for alert, login in (await desk.call_next()).items():
                log.warning("nobody signs: the next approver is asked", alert=alert, asked=login, alarm=True)
            for alert in await desk.remind_senders():
                log.error("nobody sends what is approved", alert=alert, alarm=True)
            for alert in await desk.remind_cancellers():
                log.error("a warning is stopped and not cancelled", alert=alert, alarm=True)
            for alert in await desk.remind_cosigners():
                log.error("nobody signed afterwards", alert=alert, alarm=True)
        except (*DATABASE_FAULTS, *AWAY) as error:
            log.warning("silent approvers wait for the database", error=type(error).__name__)
        except Exception:  # the relay of all other alerts must not end with it
            log.exception("approvers cannot be asked", alarm=True)
        await asyncio.sleep(every)


async def _expire(desk: Desk, every: float) -> None:
    """Close alerts whose validity is over, for as long as the process lives."""
    while True:
        heed()
        try:
            for alert in await desk.expire_due():
                log.info("alert expired", alert=alert)
        except (*DATABASE_FAULTS, *AWAY) as error:
            log.warning("alerts that end wait for the database", error=type(error).__name__)
        except Exception:  # the relay of all other alerts must not end with it
            log.exception("alerts cannot be closed", alarm=True)
        await asyncio.sleep(every)
