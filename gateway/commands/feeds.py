"""``tongda feeds``: reads the sources; run two or more on different hosts, and one of them reads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.alerts.hazards import HazardsRefused
from gateway.clock import SYSTEM
from gateway.commands.common import log_as_set, run_until_told, serving, told
from gateway.desk.office import open_office
from gateway.desk.policy import PolicyError
from gateway.desk.render import TemplateError
from gateway.desk.service import Desk
from gateway.feeds.health import keep_watch
from gateway.feeds.lease import Lease
from gateway.feeds.reader import Reader
from gateway.feeds.reception import open_intake
from gateway.feeds.seismic.settings import SeismicRefused
from gateway.settings import SettingsRefused
from gateway.store.database import Database

if TYPE_CHECKING:
    from gateway.settings import Settings


def feeds() -> None:
    """Read the sources, or wait until nobody else does, until SIGTERM; the lease is given back at the end."""
    with told(PolicyError, HazardsRefused, TemplateError, SeismicRefused), serving() as settings:
        log_as_set(settings)
        if not any(source.enabled for source in settings.sources.values()):
            raise SettingsRefused("no source is set: see [sources] in docs/settings.md")
        asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    url, lease_seconds = str(settings.database_url), settings.feeds.lease_seconds
    # What a frozen reader holds must not keep the next one from reading.
    bounds = {"idle_seconds": lease_seconds, "transaction_seconds": 3 * lease_seconds}
    async with Database(url, size=10, **bounds) as database, Database(url, size=2, **bounds) as own:
        intake = open_intake(database, SYSTEM, Desk(database, SYSTEM, open_office(settings)), settings)
        lease = Lease(own, lease_seconds)
        reader = Reader(database, intake, settings, lease=lease)
        # The lease must be given back before the databases are closed.
        await run_until_told(reader.run(), keep_watch(own, settings, SYSTEM))
